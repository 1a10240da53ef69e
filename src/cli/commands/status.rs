//! `git xtrack status`: the runs in progress.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::cli::form::{Form, Shape};
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
  git xtrack status --format '{{ name }} {{ step }}'
  git xtrack status --json | jq '.runs[].name'")]
pub struct Args {
    #[command(flatten)]
    form: Form,
}

/// Shows them.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let status = status::status(&tracker);
    let form = &args.form;
    if form.shape() == Shape::Report && status.runs.is_empty() && status.unreadable.is_empty() {
        session.note("no run is in progress");
    }
    match form.shape() {
        Shape::Json => form.print_json(session, &view::status::status_json(&status))?,
        Shape::Elements => {
            form.print_elements(session, status.runs.iter().map(view::status::run_json).map(Ok))?
        }
        Shape::Table => form.print_table(session, &view::status::exact(&status))?,
        Shape::Report => {
            form.print_report(session, &tracker.store, &view::status::status(&status, tracker.now()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
