//! `git xtrack recover`: records what killed runs left behind.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::choice;
use crate::cli::{Exit, Session};
use crate::ops::live::recover::{self, Wanted};
use crate::view;

/// Record what killed runs left behind
///
/// Every other command does so on its way, for runs whose processes are known to be gone; this one also says what it
/// could not recover. Runs of other hosts and containers are recovered only with `--force`, once they have been silent for
/// five minutes; should one of them still finish, its last word is recorded as well.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack recover
  git xtrack recover --force                 Also what other hosts left, if it is stale
  git xtrack recover --force quiet-otter     Only this run")]
pub struct Args {
    /// The runs; all if none is named
    #[arg(value_name = "RUN")]
    runs: Vec<String>,

    /// Also runs of other hosts and containers that are stale
    #[arg(long)]
    force: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Recovers them.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker_as_it_is()?;
    let runs = choice::resolve_each(&tracker, &args.runs)?;
    let outcome = recover::recover(&tracker, &Wanted { force: args.force, runs: &runs })?;
    if args.json {
        session.json(&view::status::recovered_json(&outcome))?;
    } else {
        outcome.recovered.iter().for_each(|run| session.note(&view::status::recovered(run)));
        outcome.left.iter().for_each(|why| session.note(why));
        if outcome.recovered.is_empty() && outcome.failed.is_empty() && outcome.left.is_empty() {
            session.note("there is nothing to recover");
        }
    }
    for failed in &outcome.failed {
        session.warn(&format!("cannot recover '{}': {:#}", failed.folder, failed.error));
    }
    tracker.store.warnings().iter().for_each(|warning| session.warn(warning));
    Ok(if outcome.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(Exit::Failed as u8) })
}
