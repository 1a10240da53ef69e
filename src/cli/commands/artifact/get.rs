//! `git xtrack artifact get`: artifacts of a run as files.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::artifact::Content;
use crate::cli::{Exit, Session, trust};
use crate::error::Problem;
use crate::ops::artifact::get::{self, Got, Options};
use crate::ops::artifact::{self, Held, repair};
use crate::tracker::Tracker;
use crate::view;

/// Write artifacts of a run to files
///
/// Bytes that are not here are taken from the store, and kept here. Nothing is written outside of the folder, whatever the
/// paths in the run say, and no file that is there is replaced without --force.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack artifact get @                             All of the last run, below ./artifacts-<its id>
  git xtrack artifact get quiet-otter 'plots/*' --to .  Some, below the current folder
  git xtrack artifact get @ model.bin --stdout | sha256sum")]
pub struct Args {
    /// The run: id, short id, name, a unique prefix, `@`, `@~N`
    #[arg(value_name = "RUN")]
    run: String,

    /// Which: paths, folders, globs, ids as `ls` prints them, or digests; all if none is named
    #[arg(value_name = "PATH")]
    paths: Vec<String>,

    /// Write below this folder
    #[arg(long, value_name = "DIR", conflicts_with = "stdout")]
    to: Option<PathBuf>,

    /// Print the bytes of the one artifact that is named
    #[arg(long)]
    stdout: bool,

    /// Replace files that are there
    #[arg(long, short = 'f')]
    force: bool,

    /// Only say what would be written
    #[arg(long, short = 'n', conflicts_with = "stdout")]
    dry_run: bool,

    /// Print JSON
    #[arg(long, conflicts_with = "stdout")]
    json: bool,
}

/// Writes them.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let mut tracker = session.tracker()?;
    let id = tracker.resolve(&args.run)?;
    let run = tracker.load(&id)?;
    let chosen = get::choose(artifact::of_run(&run), &args.paths)?;
    if args.stdout {
        fetch(session, &mut tracker, &chosen);
        return stream(session, &mut tracker, &chosen);
    }
    let folder = args.to.clone().unwrap_or_else(|| PathBuf::from(format!("artifacts-{}", id.suffix())));
    if args.dry_run {
        return tell(&args, session, &get::plan(chosen, &folder));
    }
    fetch(session, &mut tracker, &chosen);
    let options = Options { force: args.force };
    let mut got = get::write(&tracker, chosen, &folder, options)?;
    let damaged = get::damaged(&tracker, &got);
    if !damaged.is_empty() && take_again(session, &mut tracker, &damaged) {
        get::write_again(&tracker, &mut got, &folder, options)?;
    }
    tell(&args, session, &got)
}

fn tell(args: &Args, session: &Session, got: &[Got]) -> Result<ExitCode> {
    match args.json {
        true => session.json(&view::artifact::got_json(got))?,
        false if got.is_empty() => session.note("the run has no artifacts"),
        false => view::artifact::got(got, args.dry_run).iter().for_each(|line| session.note(line)),
    }
    got.iter().filter_map(view::artifact::not_got).for_each(|line| session.warn(&line));
    let errors = got.iter().filter_map(|got| got.outcome.as_ref().err());
    let mut hints: Vec<String> = errors.flat_map(|error| crate::error::describe(error).1).collect();
    hints.sort();
    hints.dedup();
    hints.iter().for_each(|hint| session.note(&format!("hint: {hint}")));
    let is_whole = got.iter().all(|got| got.outcome.is_ok());
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(Exit::Failed as u8) })
}

/// Takes what is not here from the store. Where that fails, what is here is written all the same.
fn fetch(session: &Session, tracker: &mut Tracker, artifacts: &[Held]) {
    let absent = get::absent(tracker, artifacts);
    if absent.is_empty() {
        return;
    }
    let mut take = || -> Result<()> {
        let store = trust::open_store(session, tracker)?;
        let moved = get::fetch(tracker, store.as_ref(), &absent)?;
        let faults = view::artifact::faults(artifacts, &moved.missing, &moved.failed);
        faults.iter().for_each(|line| session.warn(line));
        Ok(())
    };
    let away = || format!("the bytes of {} are not here", view::artifact::sum(&absent));
    if let Err(error) = take().with_context(away) {
        warn(session, &error);
    }
}

/// Takes what is damaged here from the store again; whether that could be tried.
fn take_again(session: &Session, tracker: &mut Tracker, damaged: &[Content]) -> bool {
    let mut take = || -> Result<()> {
        let store = trust::open_store(session, tracker)?;
        let outcomes = repair::take_again(tracker, store.as_ref(), damaged)?;
        outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).for_each(|error| warn(session, error));
        Ok(())
    };
    let damaged = || format!("the bytes of {} are damaged here", view::artifact::sum(damaged));
    let outcome = take().with_context(damaged);
    outcome.inspect_err(|error| warn(session, error)).is_ok()
}

fn warn(session: &Session, error: &anyhow::Error) {
    session.warn(&format!("{error:#}"));
    crate::error::describe(error).1.iter().for_each(|hint| session.note(&format!("hint: {hint}")));
}

fn stream(session: &Session, tracker: &mut Tracker, artifacts: &[Held]) -> Result<ExitCode> {
    let [held] = artifacts else {
        return Err(Problem::usage(format!(
            "--stdout prints one artifact, and {} are meant",
            artifacts.len()
        ))
        .hint("name one; `git xtrack artifact ls RUN` lists them")
        .into());
    };
    if get::is_damaged(tracker, held) {
        take_again(session, tracker, std::slice::from_ref(&held.content));
    }
    let mut stdout = io::stdout().lock();
    get::stream(tracker, held, &mut stdout)?;
    stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}
