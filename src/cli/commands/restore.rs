//! `git xtrack restore`: takes a deletion back, and shows what this clone hid.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::cli::batch::{self, Among, Batch};
use crate::cli::choice::Choice;
use crate::ops::edit::Words;

/// Bring deleted or hidden runs back
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack restore quiet-otter
  git xtrack restore quiet-otter --local    What `rm --local` hid
  git xtrack restore --where 'experiment = digits'    Of those that are deleted or hidden")]
pub struct Args {
    #[command(flatten)]
    choice: Choice,

    /// Only show again what this clone hid; what was deleted stays deleted
    #[arg(long)]
    local: bool,

    #[command(flatten)]
    batch: Batch,
}

/// Restores the runs.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let Some(ids) = args.batch.settle(session, &tracker, &args.choice, Among::Deleted)? else {
        return Ok(ExitCode::SUCCESS);
    };
    for id in tracker.hide(&ids, false)? {
        session.note(&format!("{} is no longer hidden in this clone", id.suffix()));
    }
    if args.local {
        tracker.store.warnings().iter().for_each(|warning| session.warn(warning));
        return Ok(ExitCode::SUCCESS);
    }
    batch::say(session, &tracker, &ids, &Words { deleted: Some(false), ..Words::default() })
}
