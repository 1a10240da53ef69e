//! `git xtrack oplog`: what commands did to refs.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::cli::form::{Answer, Form};
use crate::ops::operation;
use crate::view;

/// List what commands did to refs, the latest first
///
/// Every command that moves a ref is an operation: recording, editing, deleting, pulling, collecting garbage. What one dropped is
/// kept for 14 days (`git config xtrack.gc.grace 30d` for longer), so that `git xtrack undo` can take it back. The log is of this clone alone, and
/// holds the names of commands and refs, nothing of what was typed.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack oplog
  git xtrack oplog k7f3q2ab    Ref by ref
  git xtrack oplog -n 3 --json")]
pub struct Args {
    /// An operation: its id, the beginning of it, or its number in the list
    #[arg(value_name = "OPERATION")]
    operation: Option<String>,

    /// How many to list
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    count: usize,

    #[command(flatten)]
    form: Form,
}

/// Lists them.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let mut operations = operation::list(&tracker)?;
    let store = &tracker.store;
    let answer = match &args.operation {
        Some(word) => {
            let found = operation::find(&operations, word)?;
            Answer {
                report: view::operation::one(found, store),
                exact: None,
                json: view::operation::json(found, store),
            }
        }
        None => {
            operations.truncate(args.count);
            if operations.is_empty() && args.form.is_for_terminal() {
                session.note("no operation is known yet");
                return Ok(ExitCode::SUCCESS);
            }
            Answer {
                report: view::operation::list(&operations, store, tracker.now()),
                exact: None,
                json: view::operation::list_json(&operations, store),
            }
        }
    };
    args.form.print(session, store, &answer)?;
    Ok(ExitCode::SUCCESS)
}
