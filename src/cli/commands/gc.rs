//! `git xtrack gc`: lets go of what nobody needs any more.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::consent::Consent;
use crate::cli::{Exit, Session};
use crate::human;
use crate::ops::space::gc;
use crate::view;

/// Let go of what no run needs any more
///
/// Bytes of artifacts that no run names, or only runs deleted more than 14 days ago; code states that no run names; what operations
/// dropped more than 14 days ago; temporary files of killed processes. Runs in progress, fetched runs and what can still be undone
/// count as needing things; what is younger than a day stays in any case. `git config xtrack.gc.grace 30d` changes the 14 days.
///
/// Git's own objects go when git collects garbage (`git gc`).
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack gc --dry-run    What would go, and how much it is
  git xtrack gc --yes        Without asking, as in a nightly job")]
pub struct Args {
    #[command(flatten)]
    consent: Consent,
}

/// Collects.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let consent = &args.consent;
    let plan = gc::plan(&tracker)?;
    plan.held_back.iter().for_each(|why| session.warn(why));
    if !consent.json || (!consent.dry_run && !consent.yes && plan.is_final()) {
        view::space::plan(&plan, consent.dry_run).iter().for_each(|line| session.note(line));
    }
    if consent.dry_run {
        if consent.json {
            session.json(&view::space::plan_json(&plan))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let question = format!(
        "let go of {} of artifacts, and of what is past its time?",
        human::size(plan.artifact_bytes())
    );
    if plan.is_final() && !consent.is_given(session, &question)? {
        session.note("nothing went");
        return Ok(ExitCode::from(Exit::Failed as u8));
    }
    let collected = gc::collect(&tracker, &plan)?;
    tracker.store.warnings().iter().for_each(|warning| session.warn(warning));
    match consent.json {
        true => session.json(&view::space::collected_json(&collected))?,
        false => view::space::collected(&collected).iter().for_each(|line| session.note(line)),
    }
    collected.failed.iter().for_each(|failed| session.warn(failed));
    Ok(if collected.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(Exit::Failed as u8) })
}
