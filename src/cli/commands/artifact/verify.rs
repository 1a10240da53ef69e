//! `git xtrack artifact verify`: whether bytes are still what was recorded.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::commands::artifact::asked::Looking;
use crate::cli::commands::artifact::of_chosen;
use crate::cli::form::Answer;
use crate::cli::{Exit, Session, trust};
use crate::ops::artifact::{repair, verify};
use crate::view;

/// Read artifacts again, and say which are damaged or missing
///
/// The bytes here and in the runs are read; with --remote those in the store are read back as well, and not kept. With
/// --repair what is damaged is put right where another copy is whole. It fails if any copy is damaged then, or if none was
/// found where it was looked.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack artifact verify
  git xtrack artifact verify quiet-otter --remote
  git xtrack artifact verify --repair             Take damaged ones from the store again")]
pub struct Args {
    #[command(flatten)]
    looking: Looking,

    /// Take from the store what is damaged here; with --remote, send again what is damaged there
    #[arg(long)]
    repair: bool,
}

/// Verifies them.
pub fn run(Args { looking, repair }: Args, session: &Session) -> Result<ExitCode> {
    let mut tracker = session.tracker()?;
    let is_asked = looking.remote || repair;
    let store = if is_asked { Some(trust::open_store(session, &mut tracker)?) } else { None };
    let (artifacts, is_whole) = of_chosen(session, &tracker, &looking.choice)?;
    let read_back = store.as_deref().filter(|_| looking.remote);
    let mut verdicts = verify::verify(&tracker, &artifacts, read_back)?;
    if let (true, Some(store)) = (repair, &store) {
        let repaired = repair::repair(&tracker, store.as_ref(), &artifacts, &mut verdicts)?;
        view::artifact::repaired(&repaired, &store.shown()).iter().for_each(|line| session.note(line));
        view::artifact::faults(&artifacts, &[], &repaired.failed).iter().for_each(|line| session.warn(line));
    }
    let answer = Answer {
        report: view::artifact::verdicts(&artifacts, &verdicts),
        exact: None,
        json: view::artifact::verdicts_json(&artifacts, &verdicts),
    };
    looking.form.print(session, &tracker.store, &answer)?;
    let damaged = verdicts.iter().filter(|verdict| verdict.is_damaged()).count();
    let missing = verdicts.iter().filter(|verdict| verdict.is_missing() && !verdict.is_damaged()).count();
    if damaged > 0 {
        session.warn(&format!("{} damaged", crate::human::count(damaged, "artifact")));
        if !repair {
            session.note("hint: `--repair` takes from the store what is damaged here");
        }
    }
    if missing > 0 {
        session.warn(&format!("{} missing", crate::human::count(missing, "artifact")));
        if !looking.remote {
            session.note("hint: `--remote` looks in the store as well");
        }
    }
    let is_good = is_whole && damaged == 0 && missing == 0;
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(Exit::Failed as u8) })
}
