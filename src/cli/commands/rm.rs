//! `git xtrack rm`: says that runs are deleted, which travels and can be undone; or hides them in this clone.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::cli::commands::edit;
use crate::ops::edit::Words;

/// Delete runs; nothing is lost, and `restore` brings them back
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack rm @
  git xtrack rm quiet-otter --local    Hide it in this clone only
  git xtrack log --deleted             What was deleted or hidden")]
pub struct Args {
    /// The runs
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<String>,

    /// Hide them in this clone only
    #[arg(long)]
    local: bool,
}

/// Deletes or hides the runs.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    if !args.local {
        return edit::apply(session, &args.runs, &Words { deleted: Some(true), ..Words::default() });
    }
    let tracker = session.tracker()?;
    for id in edit::resolve_each(&tracker, &args.runs)? {
        tracker.hide(&id, true)?;
        session.note(&format!("hid {} in this clone", id.suffix()));
    }
    Ok(ExitCode::SUCCESS)
}
