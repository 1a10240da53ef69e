//! `git xtrack restore`: takes a deletion back, and shows what this clone hid.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::cli::commands::edit;
use crate::ops::edit::Words;

/// Bring deleted or hidden runs back
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack restore quiet-otter")]
pub struct Args {
    /// The runs, by id or name
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<String>,
}

/// Restores the runs.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let hidden = tracker.hidden();
    for id in edit::resolve_each(&tracker, &args.runs)? {
        if hidden.contains(&id) {
            tracker.hide(&id, false)?;
            session.note(&format!("{} is no longer hidden in this clone", id.suffix()));
        }
    }
    edit::apply(session, &args.runs, &Words { deleted: Some(false), ..Words::default() })
}
