//! `git xtrack artifact push`: bytes that the store lacks are sent there.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::choice::Choice;
use crate::cli::commands::artifact::of_chosen;
use crate::cli::{Exit, Session, trust};
use crate::ops::artifact::{distinct, moves};
use crate::view;
use crate::view::artifact::Way;

/// Send artifacts to the store
///
/// Of the runs that are named, or of all: what the store has is not sent again, and equal bytes go once. `git xtrack push`
/// does this by itself, before the runs.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack artifact push                       All that is here
  git xtrack artifact push --where 'tag = paper'
  git xtrack artifact push --dry-run")]
pub struct Args {
    #[command(flatten)]
    choice: Choice,

    /// Only say what would go
    #[arg(long, short = 'n')]
    dry_run: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Moves them.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let mut tracker = session.tracker()?;
    let store = trust::open_store(session, &mut tracker)?;
    let (artifacts, is_whole) = of_chosen(session, &tracker, &args.choice)?;
    let contents = distinct(artifacts.iter());
    let shown = store.shown();
    let plan = moves::plan_send(&tracker, store.as_ref(), &contents)?;
    if args.dry_run {
        match args.json {
            true => session.json(&view::artifact::planned_json(&artifacts, &plan, &shown, Way::Out))?,
            false => {
                view::artifact::planned(&plan, &shown, Way::Out).iter().for_each(|line| session.note(line))
            }
        }
        view::artifact::faults(&artifacts, &plan.missing, &plan.refused)
            .iter()
            .for_each(|line| session.warn(line));
        return Ok(ExitCode::SUCCESS);
    }
    let moved = moves::send(&tracker, store.as_ref(), plan)?;
    match args.json {
        true => session.json(&view::artifact::moved_json(&artifacts, &moved, &shown, Way::Out))?,
        false => view::artifact::moved(&moved, &shown, Way::Out).iter().for_each(|line| session.note(line)),
    }
    view::artifact::faults(&artifacts, &moved.missing, &moved.failed)
        .iter()
        .for_each(|line| session.warn(line));
    let is_whole = is_whole && moved.failed.is_empty() && moved.missing.is_empty();
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(Exit::Failed as u8) })
}
