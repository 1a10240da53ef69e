//! `git xtrack artifact prune`: room made here, of bytes that the store has.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::choice::Choice;
use crate::cli::commands::artifact::of_chosen;
use crate::cli::consent::Consent;
use crate::cli::{Exit, Session, trust};
use crate::human;
use crate::ops::artifact::{bytes_of, distinct, prune};
use crate::view;

/// Remove bytes here that the store has
///
/// The store's copy of each is read back and hashed before the one here goes; what the store lacks stays. `get` and `pull`
/// bring them again.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack artifact prune --dry-run             What would go, and how much
  git xtrack artifact prune --where 'started < 30 days ago'
  git xtrack artifact prune --by-size             Believe the store that it has what it says")]
pub struct Args {
    #[command(flatten)]
    choice: Choice,

    /// Do not read back what the store has: its word, and the size, are enough
    #[arg(long)]
    by_size: bool,

    #[command(flatten)]
    consent: Consent,
}

/// Prunes.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let mut tracker = session.tracker()?;
    let store = trust::open_store(session, &mut tracker)?;
    let (artifacts, _) = of_chosen(session, &tracker, &args.choice)?;
    let options = prune::Options { by_size: args.by_size };
    let plan = prune::plan(&tracker, store.as_ref(), &distinct(artifacts.iter()), options)?;
    let what = view::artifact::sum(&plan.going);
    let question = format!("remove {what} here, which '{}' has?", store.shown());
    let is_asked = !args.consent.dry_run && !plan.going.is_empty();
    if is_asked && !args.consent.is_given(session, &question)? {
        session.note("nothing was removed");
        return Ok(ExitCode::from(Exit::Failed as u8));
    }
    if !args.consent.dry_run {
        prune::prune(&tracker, &plan)?;
    }
    if args.consent.json {
        session.json(&view::artifact::pruned_json(&plan, &store.shown(), args.consent.dry_run))?;
    } else {
        let verb = if args.consent.dry_run { "would remove" } else { "removed" };
        session.note(&format!("{verb} {what}"));
        if !plan.staying.is_empty() {
            let stay = human::size(bytes_of(plan.staying.keys()));
            session.note(&format!("{} ({stay}) stay:", human::count(plan.staying.len(), "artifact")));
        }
    }
    let none = Vec::new();
    view::artifact::faults(&artifacts, &none, &plan.staying).iter().for_each(|line| session.warn(line));
    Ok(ExitCode::SUCCESS)
}
