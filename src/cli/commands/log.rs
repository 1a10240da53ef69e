//! `git xtrack log`: the runs, newest first.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::ops::select::{self, Selected, Wanted};
use crate::render::{csv, markdown};
use crate::run::Run;
use crate::tracker::Tracker;
use crate::view;

/// List runs, the newest first
#[derive(clap::Args, Default)]
#[command(after_help = "\
Examples:
  git xtrack log -n 10                   The ten newest
  git xtrack log --sort -accuracy        The best accuracy first
  git xtrack log main..HEAD              The runs of this branch's code, rebased ones included
  git xtrack log -- src/model.py         The runs whose code changed that file
  git xtrack log --json | jq '.[].id'    For programs")]
pub struct Args {
    /// Keep runs whose code lies in this range, as `git log` reads it
    #[arg(value_name = "REVISION-RANGE", allow_hyphen_values = false)]
    range: Option<String>,

    /// Show at most N runs
    #[arg(short = 'n', long = "max-count", value_name = "N")]
    count: Option<usize>,

    /// Keep runs of this experiment
    #[arg(long, short = 'e', value_name = "NAME")]
    experiment: Option<String>,

    /// Keep runs of mine
    #[arg(long, conflicts_with = "user")]
    mine: bool,

    /// Keep runs of this person: part of a name or mail
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// Sort by this metric, param or attribute; `-FIELD` the largest first
    #[arg(long, value_name = "[-]FIELD", allow_hyphen_values = true, value_delimiter = ',')]
    sort: Vec<String>,

    /// Show the deleted and hidden runs instead
    #[arg(long)]
    deleted: bool,

    /// Print JSON
    #[arg(long, group = "format")]
    json: bool,

    /// Print CSV
    #[arg(long, group = "format")]
    csv: bool,

    /// Print a Markdown table
    #[arg(long, group = "format")]
    md: bool,

    /// Print a line each: id, name, status, the main metric
    #[arg(long, group = "format")]
    oneline: bool,

    /// Keep runs whose code changed one of these paths
    #[arg(last = true, value_name = "PATH")]
    paths: Vec<String>,
}

/// Lists the runs.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let mut selected = select::select(&tracker, &args.wanted(&tracker))?;
    for damaged in &selected.loaded.damaged {
        session.warn(&format!("run '{}' is damaged: {:#}", damaged.id, damaged.error));
    }
    view::log::sort(&mut selected.loaded.runs, &args.order())?;
    selected.loaded.runs.truncate(args.count.unwrap_or(usize::MAX));
    args.print(&tracker, session, &selected)?;
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn wanted(&self, tracker: &Tracker) -> Wanted {
        let mine = self.mine.then(|| tracker.store.identity().mail);
        Wanted {
            range: self.range.clone(),
            paths: self.paths.clone(),
            experiment: self.experiment.clone(),
            user: self.user.clone().or(mine),
            deleted: self.deleted,
        }
    }

    /// What is typed after `--sort`, each with whether the largest comes first; without it the newest.
    fn order(&self) -> Vec<(String, bool)> {
        let field = |text: &String| match text.strip_prefix('-') {
            Some(name) => (name.to_owned(), true),
            None => (text.clone(), false),
        };
        match self.sort.is_empty() {
            true => vec![("started".to_owned(), true), ("id".to_owned(), true)],
            false => self.sort.iter().map(field).collect(),
        }
    }

    fn is_narrowed(&self) -> bool {
        self.range.is_some()
            || self.experiment.is_some()
            || self.user.is_some()
            || self.mine
            || self.deleted
            || !self.paths.is_empty()
    }

    fn print(&self, tracker: &Tracker, session: &Session, selected: &Selected) -> Result<()> {
        let runs: &[Run] = &selected.loaded.runs;
        if self.json {
            return session.json(&view::log::to_json(runs));
        }
        if runs.is_empty() {
            session.note(if self.is_narrowed() { "no runs match" } else { NO_RUNS });
            return Ok(());
        }
        let primary = tracker.config.primary.clone();
        let options = view::log::LogOptions { now: tracker.now(), primary, marks: selected.marks.clone() };
        match () {
            () if self.csv => session.out(&csv::write(&view::log::exact(runs, options.primary.as_deref()))),
            () if self.md => session.out(&markdown::write(&view::log::log(runs, &options))),
            () if self.oneline => session.show(&tracker.store, &view::log::oneline(runs, &options)),
            () => session.show(&tracker.store, &view::log::log(runs, &options)),
        }
    }
}

const NO_RUNS: &str =
    "no runs yet: record one with `git xtrack record -- python train.py`, see `git xtrack help record`";
