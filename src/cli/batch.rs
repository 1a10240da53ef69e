//! Saying something of many runs at once: asked first, told in sum, and none left unsaid because another failed.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::choice::{self, Choice};
use crate::cli::{Exit, Session, complain};
use crate::error::Problem;
use crate::human;
use crate::ops::edit::{self, Edited, Words};
use crate::ops::select;
use crate::run::Run;
use crate::run::id::RunId;
use crate::tracker::Tracker;
use crate::view;

/// How many runs that a question chose are changed unasked, and told one by one.
const UNASKED_MAX: usize = 10;

/// How many runs are changed at once.
#[derive(clap::Args, Default, Debug, Clone)]
pub struct Batch {
    /// Do not ask when --where takes more than ten runs
    #[arg(long, short = 'y')]
    yes: bool,

    /// List the runs that it would be said of, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Which runs are meant: those that are shown, or the deleted and hidden ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// Those that are shown.
    Shown,
    /// The deleted and hidden ones.
    Deleted,
}

impl Batch {
    /// Takes the options out of words of which each may begin with `-`; another option among them is misplaced.
    pub fn take_from(&mut self, words: &mut Vec<String>) -> Result<()> {
        self.yes |= words.iter().any(|word| word == "--yes");
        self.dry_run |= words.iter().any(|word| word == "--dry-run");
        words.retain(|word| word != "--yes" && word != "--dry-run");
        match words.iter().find(|word| word.starts_with("--")) {
            Some(word) => Err(Problem::usage(format!("'{word}' stands behind the tags"))
                .hint("options come before them: `git xtrack tag --where QUERY +TAG`")
                .into()),
            None => Ok(()),
        }
    }

    /// The runs chosen, if it is to go on with them: all names are resolved, and many runs agreed to, before the first
    /// is touched.
    pub fn settle(
        &self,
        session: &Session,
        tracker: &Tracker,
        choice: &Choice,
        among: Among,
    ) -> Result<Option<Vec<RunId>>> {
        if choice.query.is_none() && !self.dry_run {
            choice.wanted()?;
            return choice::resolve_each(tracker, &choice.runs).map(Some);
        }
        let wanted = select::Wanted { deleted: among == Among::Deleted, listed: true, ..choice.wanted()? };
        let selected = select::select(tracker, &wanted)?;
        choice::tell(session, &selected);
        let runs = selected.loaded.runs;
        if runs.is_empty() {
            session.note("no runs match");
            return Ok(None);
        }
        if self.dry_run {
            self.list(session, tracker, &runs)?;
            return Ok(None);
        }
        if runs.len() > UNASKED_MAX && !self.yes {
            agree(runs.len())?;
        }
        Ok(Some(runs.into_iter().map(|run| run.id).collect()))
    }

    fn list(&self, session: &Session, tracker: &Tracker, runs: &[Run]) -> Result<()> {
        let around = view::columns::Around::plain(tracker.now());
        session.show(&tracker.store, &view::log::oneline(runs, &around))?;
        session.note(&format!("{}; nothing is changed", human::count(runs.len(), "run")));
        Ok(())
    }
}

/// Says the words of each run chosen.
pub fn apply(session: &Session, choice: &Choice, batch: &Batch, words: &Words) -> Result<ExitCode> {
    if *words == Words::default() {
        return Err(Problem::usage("there is nothing to say")
            .hint("`git xtrack help edit` lists what can be said")
            .into());
    }
    let among = if words.deleted == Some(false) { Among::Deleted } else { Among::Shown };
    let tracker = session.tracker()?;
    match batch.settle(session, &tracker, choice, among)? {
        Some(ids) => say(session, &tracker, &ids, words),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Says the words of these runs, and what became of it.
pub fn say(session: &Session, tracker: &Tracker, ids: &[RunId], words: &Words) -> Result<ExitCode> {
    let edited = edit::edit_each(tracker, ids, words)?;
    tracker.store.warnings().iter().for_each(|warning| session.warn(warning));
    let verb = verb(words);
    match edited.len() {
        1 => tell_one(session, verb, edited),
        _ => Ok(tell_all(session, verb, &edited)),
    }
}

/// What saying these words is called.
fn verb(words: &Words) -> &'static str {
    match words.deleted {
        Some(true) => "deleted",
        Some(false) => "restored",
        None => "edited",
    }
}

fn tell_one(session: &Session, verb: &str, edited: Vec<Edited>) -> Result<ExitCode> {
    for Edited { id, outcome } in edited {
        match outcome? {
            Some(edit) => session.note(&format!("{verb} {}: {edit}", id.suffix())),
            None => session.note(&format!("{} says so already", id.suffix())),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn tell_all(session: &Session, verb: &str, edited: &[Edited]) -> ExitCode {
    let (mut said, mut same, mut failed) = (0, 0, 0);
    let is_short = edited.len() <= UNASKED_MAX;
    for Edited { id, outcome } in edited {
        match outcome {
            Ok(Some(edit)) => {
                said += 1;
                if is_short {
                    session.note(&format!("{verb} {}: {edit}", id.suffix()));
                }
            }
            Ok(None) => same += 1,
            Err(error) => {
                failed += 1;
                complain(session, error, Some(&format!("run '{}'", id.suffix())));
            }
        }
    }
    let mut parts = vec![format!("{verb} {}", human::count(said, "run"))];
    parts.extend((same > 0).then(|| format!("{} said so already", human::grouped(same))));
    parts.extend((failed > 0).then(|| format!("{} failed", human::grouped(failed))));
    session.note(&parts.join(", "));
    if failed > 0 { ExitCode::from(Exit::Failed as u8) } else { ExitCode::SUCCESS }
}

/// Asks whether so many runs are meant; where nobody can answer, they are not.
fn agree(count: usize) -> Result<()> {
    let (stdin, stderr) = (std::io::stdin(), std::io::stderr());
    let runs = human::count(count, "run");
    if !stdin.is_terminal() || !stderr.is_terminal() {
        return Err(Problem::usage(format!("this is about {runs}, and nobody is here to agree"))
            .hint("--yes agrees; --dry-run lists them")
            .into());
    }
    Session::ask(&format!("this is about {runs}; go on? [y/N] "));
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    match matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        true => Ok(()),
        false => Err(Problem::new("nothing was changed").into()),
    }
}
