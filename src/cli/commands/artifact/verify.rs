//! `git xtrack artifact verify`: whether bytes are still what was recorded.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::choice::Choice;
use crate::cli::commands::artifact::of_chosen;
use crate::cli::form::{Answer, Form};
use crate::cli::{Exit, Session, trust};
use crate::ops::artifact::verify;
use crate::view;

/// Read artifacts again, and say which are damaged or missing
///
/// The bytes here and in the runs are read; with --remote those in the store are read back as well, and not kept. It fails
/// if any copy is damaged, or if none was found where it was looked.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack artifact verify
  git xtrack artifact verify quiet-otter --remote")]
pub struct Args {
    #[command(flatten)]
    choice: Choice,

    /// Read back what the store has
    #[arg(long)]
    remote: bool,

    #[command(flatten)]
    form: Form,
}

/// Verifies them.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let mut tracker = session.tracker()?;
    let store = if args.remote { Some(trust::open_store(session, &mut tracker)?) } else { None };
    let (artifacts, is_whole) = of_chosen(session, &tracker, &args.choice)?;
    let verdicts = verify::verify(&tracker, &artifacts, store.as_deref())?;
    let answer = Answer {
        report: view::artifact::verdicts(&artifacts, &verdicts),
        exact: None,
        json: view::artifact::verdicts_json(&artifacts, &verdicts),
    };
    args.form.print(session, &tracker.store, &answer)?;
    let damaged = verdicts.iter().filter(|verdict| verdict.is_damaged()).count();
    let missing = verdicts.iter().filter(|verdict| verdict.is_missing() && !verdict.is_damaged()).count();
    if damaged > 0 {
        session.warn(&format!("{} damaged", crate::human::count(damaged, "artifact")));
    }
    if missing > 0 {
        session.warn(&format!("{} missing", crate::human::count(missing, "artifact")));
        if !args.remote {
            session.note("hint: `--remote` looks in the store as well");
        }
    }
    let is_good = is_whole && damaged == 0 && missing == 0;
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(Exit::Failed as u8) })
}
