//! `git xtrack artifact ls`: artifacts, and where their bytes are.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::commands::artifact::asked::Looking;
use crate::cli::commands::artifact::of_chosen;
use crate::cli::form::Answer;
use crate::cli::{Session, trust};
use crate::ops::artifact;
use crate::view;

/// List artifacts, and where their bytes are
///
/// `inline`: in the run itself. `here`: in this clone. `store`: in the store, which is asked only with --remote.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack artifact ls                  Of all runs
  git xtrack artifact ls @ --remote       Of the last one, and whether the store has them
  git xtrack artifact ls --where 'accuracy > 0.9' --json")]
pub struct Args {
    #[command(flatten)]
    looking: Looking,
}

/// Lists.
pub fn run(Args { looking }: Args, session: &Session) -> Result<ExitCode> {
    let mut tracker = session.tracker()?;
    let store = if looking.remote { Some(trust::open_store(session, &mut tracker)?) } else { None };
    let (artifacts, _) = of_chosen(session, &tracker, &looking.choice)?;
    let places = artifact::whereabouts(&tracker, &artifacts, store.as_deref())?;
    let answer = Answer {
        report: view::artifact::list(&artifacts, &places),
        exact: None,
        json: view::artifact::list_json(&artifacts, &places),
    };
    looking.form.print(session, &tracker.store, &answer)?;
    Ok(ExitCode::SUCCESS)
}
