//! `git xtrack index`: what the index of runs is, and building it anew.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::cli::form::{Answer, Form};
use crate::error::Problem;
use crate::view;

/// Tell about the index of runs, which makes questions fast; build it anew, or verify it
///
/// The index is a cache in the git folder (in the user's cache folder where that is read-only or on a network). It follows
/// the refs by itself, and is built anew when anything about it is odd: nothing is lost by deleting it.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack index
  git xtrack index --verify      Compare it with all runs, read anew
  git xtrack index --rebuild")]
pub struct Args {
    /// Build it anew
    #[arg(long, conflicts_with = "verify")]
    rebuild: bool,

    /// Compare it with all runs, read anew
    #[arg(long)]
    verify: bool,

    #[command(flatten)]
    form: Form,
}

/// Tells about it.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    if args.verify {
        let differences = tracker.verify_index()?;
        if !differences.is_empty() {
            differences.iter().for_each(|difference| session.warn(&format!("differs: {difference}")));
            tracker.rebuild_index()?;
            return Err(Problem::new("the index was not what the runs are; it has been built anew").into());
        }
        session.note("the index is what the runs are");
    }
    if args.rebuild {
        tracker.rebuild_index()?;
    }
    let index = tracker.index_or_why()?;
    let state = index.state()?;
    let answer =
        Answer { report: view::index::state(&state), exact: None, json: view::index::state_json(&state) };
    args.form.print(session, &tracker.store, &answer)?;
    Ok(ExitCode::SUCCESS)
}
