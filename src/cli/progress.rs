//! How far a long piece of work is, on stderr: only on a terminal, and only once it has taken a while.
//!
//! Knows nothing of the work, which calls back with how much is done and how much there is.

use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What takes less is not worth a word.
const PATIENCE: Duration = Duration::from_millis(500);

/// What is to be called with `(done, total)`: it shows a bar, which is gone once all is done.
pub fn on_stderr(what: &'static str) -> impl Fn(usize, usize) {
    let progress = Progress { what, is_shown: io::stderr().is_terminal(), state: Mutex::default() };
    move |done, total| progress.tell(done, total)
}

struct Progress {
    what: &'static str,
    is_shown: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    since: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Progress {
    fn tell(&self, done: usize, total: usize) {
        if !self.is_shown {
            return;
        }
        // Whoever panicked while drawing left at most a line.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *state.since.get_or_insert_with(Instant::now);
        if done >= total {
            return state.clear();
        }
        if since.elapsed() >= PATIENCE {
            let bar = state.bar.get_or_insert_with(|| self.bar(since));
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        }
    }

    fn bar(&self, since: Instant) -> ProgressBar {
        let style = ProgressStyle::with_template("{msg} {bar:30} {human_pos} of {human_len}, {eta} left");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.with_style(style).with_message(self.what).with_elapsed(since.elapsed())
    }
}

impl State {
    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.since = None;
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(progress: &Progress) -> Option<(u64, Option<u64>)> {
        let state = progress.state.lock().ok()?;
        state.bar.as_ref().map(|bar| (bar.position(), bar.length()))
    }

    #[test]
    fn only_what_takes_a_while_is_shown_and_not_for_longer() {
        let progress = Progress { what: "counting", is_shown: true, state: Mutex::default() };
        progress.tell(1, 10);
        assert_eq!(position(&progress), None);
        if let Ok(mut state) = progress.state.lock() {
            state.since = state.since.and_then(|since| since.checked_sub(PATIENCE));
        }
        progress.tell(2, 10);
        assert_eq!(position(&progress), Some((2, Some(10))));
        progress.tell(10, 10);
        assert_eq!(position(&progress), None);
        // The next piece of work begins anew.
        progress.tell(1, 10);
        assert_eq!(position(&progress), None);
    }
}
