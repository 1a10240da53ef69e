//! `git xtrack status`: the runs in progress.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::ops::live::status;
use crate::view;

/// Show the runs in progress, and what was recovered lately
///
/// A run is in progress while the process that began it or any that logs to it lives. One of another host or container
/// that has been silent for five minutes is stale: `git xtrack recover --force` records it as it stands.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack status
  git xtrack status --json | jq '.runs[].name'")]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Shows them.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let status = status::status(&tracker);
    if args.json {
        session.json(&view::status::status_json(&status))?;
        return Ok(ExitCode::SUCCESS);
    }
    if status.runs.is_empty() && status.unreadable.is_empty() {
        session.note("no run is in progress");
    }
    session.show(&tracker.store, &view::status::status(&status, tracker.now()))?;
    Ok(ExitCode::SUCCESS)
}
