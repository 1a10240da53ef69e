//! `git xtrack artifact ls`: artifacts, and where their bytes are.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::choice::Choice;
use crate::cli::commands::artifact::of_chosen;
use crate::cli::form::{Answer, Form};
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
    choice: Choice,

    /// Ask the store which of them it has
    #[arg(long)]
    remote: bool,

    #[command(flatten)]
    form: Form,
}

/// Lists.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let mut tracker = session.tracker()?;
    let store = if args.remote { Some(trust::open_store(session, &mut tracker)?) } else { None };
    let (artifacts, _) = of_chosen(session, &tracker, &args.choice)?;
    let places = artifact::whereabouts(&tracker, &artifacts, store.as_deref())?;
    let answer = Answer {
        report: view::artifact::list(&artifacts, &places),
        exact: None,
        json: view::artifact::list_json(&artifacts, &places),
    };
    args.form.print(session, &tracker.store, &answer)?;
    Ok(ExitCode::SUCCESS)
}
