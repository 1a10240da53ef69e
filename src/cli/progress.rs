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
    let progress = Progress::new(what, COUNTED);
    move |done, total| progress.tell(done as u64, total as u64)
}

/// The same for bytes, with how fast they go.
pub fn bytes_on_stderr(what: &'static str) -> impl Fn(u64, u64) {
    let progress = Progress::new(what, BYTES);
    move |done, total| progress.tell(done, total)
}

/// How a bar of things looks.
const COUNTED: &str = "{msg} {bar:30} {human_pos} of {human_len}, {eta} left";
/// How a bar of bytes looks.
const BYTES: &str =
    "{msg} {bar:30} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";

struct Progress {
    what: &'static str,
    template: &'static str,
    is_shown: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    since: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Progress {
    fn new(what: &'static str, template: &'static str) -> Self {
        Self { what, template, is_shown: io::stderr().is_terminal(), state: Mutex::default() }
    }

    fn tell(&self, done: u64, total: u64) {
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
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    fn bar(&self, since: Instant) -> ProgressBar {
        let style = ProgressStyle::with_template(self.template);
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
        let progress =
            Progress { what: "counting", template: COUNTED, is_shown: true, state: Mutex::default() };
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
