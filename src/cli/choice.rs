//! Which runs a command is to take: by name, or by question.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::cli::Session;
use crate::error::Problem;
use crate::ops::select::{self, Selected, Wanted};
use crate::run::Run;
use crate::run::id::RunId;
use crate::tracker::Tracker;

/// How many runs an error lists.
const RUNS_SHOWN: usize = 10;

/// Runs by name, by question, or those of both that meet.
#[derive(clap::Args, Default, Debug, Clone)]
pub struct Choice {
    /// Runs: id, its end, name, a unique prefix, `@` for the latest one here, `@~1` the one before
    #[arg(value_name = "RUN")]
    pub runs: Vec<String>,

    /// Take the runs that this holds of; of the RUNs named, if there are any
    #[arg(long = "where", value_name = "QUERY")]
    pub query: Option<String>,
}

impl Choice {
    /// Runs by name.
    pub fn named(runs: Vec<String>) -> Self {
        Self { runs, query: None }
    }

    /// Whether anything was chosen.
    pub fn is_given(&self) -> bool {
        !self.runs.is_empty() || self.query.is_some()
    }

    /// What is wanted; nothing chosen is a mistake.
    pub fn wanted(&self) -> Result<Wanted> {
        if !self.is_given() {
            return Err(Problem::usage("no run is named")
                .hint("name runs, or choose them by --where")
                .into());
        }
        Ok(Wanted { names: self.runs.clone(), query: self.query.clone(), ..Wanted::default() })
    }

    /// The ids of the runs, those that cannot be read among them if they are named.
    pub fn ids(&self, session: &Session, tracker: &Tracker) -> Result<BTreeSet<RunId>> {
        let named: BTreeSet<RunId> = tracker.resolve_all(&self.runs)?.into_iter().collect();
        if self.query.is_none() && self.is_given() {
            return Ok(named);
        }
        let selected = self.select(session, tracker)?;
        Ok(selected.loaded.runs.into_iter().map(|run| run.id).collect())
    }

    /// The runs, once what is to be said of the choice is said.
    pub fn select(&self, session: &Session, tracker: &Tracker) -> Result<Selected> {
        let selected = select::select(tracker, &self.wanted()?)?;
        tell(session, &selected);
        Ok(selected)
    }
}

/// Says what a person should know of the choice: runs that cannot be read, and names that no run has.
pub fn tell(session: &Session, selected: &Selected) {
    selected.notes.iter().for_each(|note| session.note(note));
    for damaged in &selected.loaded.damaged {
        session.warn(&format!("run '{}' is damaged: {:#}", damaged.id, damaged.error));
    }
}

/// The one run that a question holds of; of none or several it is an error, which lists them.
pub fn only(session: &Session, tracker: &Tracker, question: &str) -> Result<Run> {
    let wanted = Wanted { query: Some(question.to_owned()), ..Wanted::default() };
    let mut selected = select::select(tracker, &wanted)?;
    tell(session, &selected);
    match selected.loaded.runs.len() {
        1 => Ok(selected.loaded.runs.remove(0)),
        0 => Err(Problem::new("no runs match").of(crate::error::Kind::NotFound).into()),
        count => {
            let shown = selected.loaded.runs.iter().take(RUNS_SHOWN).map(|run| match &run.name {
                Some(name) => format!("'{}' ({name})", run.id.suffix()),
                None => format!("'{}'", run.id.suffix()),
            });
            let shown = shown.collect::<Vec<_>>().join(", ");
            let more = count.saturating_sub(RUNS_SHOWN);
            let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
            Err(Problem::usage(format!("{count} runs match, and one is wanted: {shown}{tail}"))
                .hint("`git xtrack log --where …` lists them; say more, or name one")
                .into())
        }
    }
}

/// The runs that the names name, each once, in order.
pub fn resolve_each(tracker: &Tracker, names: &[String]) -> Result<Vec<RunId>> {
    let mut ids = Vec::new();
    for name in names {
        let id = tracker.resolve(name)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}
