//! `git xtrack rm`: says that runs are deleted, which travels and can be undone; or hides them in this clone.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::cli::batch::{self, Among, Batch};
use crate::cli::choice::Choice;
use crate::ops::edit::Words;

/// Delete runs; nothing is lost, and `restore` brings them back
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack rm @
  git xtrack rm quiet-otter --local            Hide it in this clone only
  git xtrack rm --where 'status = failed and started < 30 days ago'
  git xtrack log --deleted                     What was deleted or hidden")]
pub struct Args {
    #[command(flatten)]
    choice: Choice,

    /// Hide them in this clone only
    #[arg(long)]
    local: bool,

    #[command(flatten)]
    batch: Batch,
}

/// Deletes or hides the runs.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    if !args.local {
        let words = Words { deleted: Some(true), ..Words::default() };
        return batch::apply(session, &args.choice, &args.batch, &words);
    }
    let tracker = session.tracker()?;
    let ids = args.batch.settle(session, &tracker, &args.choice, Among::Shown)?.unwrap_or_default();
    for id in tracker.hide(&ids, true)? {
        session.note(&format!("hid {} in this clone", id.suffix()));
    }
    tracker.store.warnings().iter().for_each(|warning| session.warn(warning));
    Ok(ExitCode::SUCCESS)
}
