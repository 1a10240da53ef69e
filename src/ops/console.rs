//! The console of a run, finished or in progress, and what is added to it.
//!
//! Knows that a run in progress has a folder and no record yet, and that the one becomes the other while it is followed.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Result;

use crate::error::Problem;
use crate::journal::folder::LiveFolder;
use crate::journal::owner::Life;
use crate::ops::record::console;
use crate::ops::record::console::look::{Look, Tail};
use crate::run::id::{AttemptId, RunId};
use crate::tracker::Tracker;

/// How often a run in progress is looked at.
pub const POLL: Duration = Duration::from_millis(200);

/// The console of one attempt of a run.
#[derive(Debug, Clone)]
pub struct Console {
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub attempt: AttemptId,
    /// What was captured of it.
    pub look: Look,
    /// Its folder while it is in progress.
    pub live: Option<LiveFolder>,
}

impl Console {
    /// What stands after the head, and how much is left out before it.
    pub fn tail(&self) -> Option<Tail> {
        self.look.tail()
    }
}

/// The consoles of a run's attempts; of those in progress what there is by now.
pub fn of_run(tracker: &Tracker, name: &str) -> Result<Vec<Console>> {
    let id = tracker.resolve(name)?;
    let mut live: Vec<_> =
        tracker.live_of(&id).into_iter().filter_map(|folder| of_live(&id, folder)).collect();
    let is_live = |attempt: &AttemptId| live.iter().any(|console| console.attempt == *attempt);
    let mut all = recorded(tracker, &id)?;
    all.retain(|console| !is_live(&console.attempt));
    all.append(&mut live);
    match all.is_empty() {
        true => Err(Problem::new(format!("run '{id}' has no console output"))
            .hint("`record` keeps what a command prints, unless it is told `--no-console`")
            .into()),
        false => Ok(all),
    }
}

/// What a run in progress has printed; nothing if its folder has gone, or no recorder of ours began it.
fn of_live(id: &RunId, folder: LiveFolder) -> Option<Console> {
    let attempt = folder.start().ok()??.facts.attempt?;
    Some(Console { run: id.clone(), attempt, look: console::look(&folder.path), live: Some(folder) })
}

/// What the record of a run holds.
fn recorded(tracker: &Tracker, id: &RunId) -> Result<Vec<Console>> {
    let Some(tip) = tracker.tip(id)? else {
        return Ok(Vec::new());
    };
    let files = tracker.store.read(&tip, &|path| path.starts_with("console/"))?;
    let attempts = tracker.load(id)?.attempts.into_iter().filter_map(|facts| facts.attempt);
    let console = |attempt: AttemptId| {
        let look = Look::of_record(&files, &attempt)?;
        Some(Console { run: id.clone(), attempt, look, live: None })
    };
    Ok(attempts.filter_map(console).collect())
}

/// What of a console has been told by now, while it is followed.
#[derive(Debug, Default)]
pub struct Follow {
    /// The position up to which everything was told.
    told: u64,
    /// The lines that were told after that, which may since have been redrawn.
    ahead: VecDeque<String>,
}

impl Follow {
    /// The lines that are new in the look, and whether some before them are left out. A line that is redrawn is told
    /// twice: as it was when it ended, and as it was in the end.
    pub fn news(&mut self, look: &Look) -> (u64, Vec<String>) {
        let mut news = Vec::new();
        let mut left_out = 0;
        for (start, text) in
            std::iter::once((0, &look.head)).chain(look.pieces.iter().map(|(at, text)| (*at, text)))
        {
            if start > self.told {
                left_out += start - self.told;
                self.told = start;
                self.ahead.clear();
            }
            let known = usize::try_from(self.told - start).unwrap_or(usize::MAX);
            for line in text.get(known..).unwrap_or_default().split_inclusive('\n') {
                self.told += line.len() as u64;
                let line = line.trim_end_matches('\n');
                match self.ahead.pop_front() {
                    Some(said) if said == line => {}
                    _ => news.push(line.to_owned()),
                }
            }
        }
        let ended = look.pending.len() - look.open;
        for line in look.pending[..ended].iter().skip(self.ahead.len()) {
            news.push(line.clone());
            self.ahead.push_back(line.clone());
        }
        (left_out, news)
    }

    /// What is left to tell when nothing more comes: the lines that never ended.
    pub fn rest(&self, look: &Look) -> Vec<String> {
        look.pending.iter().skip(self.ahead.len()).cloned().collect()
    }
}

/// The console as it is now. Once its folder is gone, that is the record's; nothing more comes then, nor when nobody is
/// left to finish the run.
pub fn again(tracker: &Tracker, console: &Console) -> Result<(Look, bool)> {
    if let Some(folder) = console.live.as_ref().filter(|folder| folder.is_there()) {
        // Asked before the output is looked at, so that nothing of it is missed.
        let is_over = folder.life().is_ok_and(|life| life == Life::Dead);
        let look = console::look(&folder.path);
        if folder.is_there() {
            return Ok((look, is_over));
        }
    }
    let mut recorded = recorded(tracker, &console.run)?.into_iter();
    let look = recorded.find(|recorded| recorded.attempt == console.attempt).map(|recorded| recorded.look);
    Ok((look.unwrap_or_default(), true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(head: &str, pieces: &[(u64, &str)], pending: &[&str], open: usize) -> Look {
        Look {
            head: head.to_owned(),
            pieces: pieces.iter().map(|(start, text)| (*start, (*text).to_owned())).collect(),
            pending: pending.iter().map(|line| (*line).to_owned()).collect(),
            open,
        }
    }

    #[test]
    fn each_line_is_told_once() {
        let mut follow = Follow::default();
        let mut told = Vec::new();
        let looks = [
            look("", &[], &["a", "b"], 1),
            look("", &[], &["a", "b", "c"], 0),
            look("a\n", &[], &["b", "c", "d"], 1),
            look("a\nb\nc\n", &[], &["d"], 0),
            look("a\nb\nc\nd\n", &[(8, "e\n")], &[], 0),
        ];
        for look in looks {
            let (left_out, news) = follow.news(&look);
            assert_eq!(left_out, 0);
            told.extend(news);
        }
        assert_eq!(told, ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn what_changed_or_is_missing_is_said() {
        let mut follow = Follow::default();
        assert_eq!(follow.news(&look("", &[], &["bar 1%", "x"], 0)).1, ["bar 1%", "x"]);
        assert_eq!(follow.news(&look("", &[], &["bar 50%", "x"], 0)).1, [""; 0]);
        assert_eq!(follow.news(&look("bar 100%\nx\n", &[], &["open"], 1)).1, ["bar 100%"]);
        assert_eq!(follow.rest(&look("", &[], &["open"], 1)), ["open"]);
        assert_eq!(follow.news(&look("bar 100%\nx\n", &[(100, "z\n")], &[], 0)), (89, vec!["z".to_owned()]));
    }
}
