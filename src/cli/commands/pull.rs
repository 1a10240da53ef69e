//! `git xtrack pull`: brings others' runs here and lays them together with ours.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::{Exit, Session};
use crate::ops::sync::fetch::Fetched;
use crate::ops::sync::merge::{self, Outcome};
use crate::ops::sync::{self, pull};
use crate::run::id::RunId;
use crate::store::Oid;
use crate::tracker::Tracker;
use crate::view;

/// Bring others' runs here, and lay them together with yours
///
/// What comes is checked before it is used; what cannot be is named, and the rest arrives. Nothing that is gone from the
/// remote goes here. A run that was purged elsewhere is named, and goes here once that is confirmed.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack pull
  git xtrack pull lab --code    From the remote 'lab', with the code that ran")]
pub struct Args {
    /// The remote: a name that `git remote` knows, a path or an address
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,

    /// Bring the code, too, that is kept for runs there
    #[arg(long)]
    code: bool,

    /// Answer yes to what would be asked
    #[arg(long, short = 'y')]
    yes: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Pulls.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let remote = sync::remote(&tracker, args.remote.as_deref())?;
    let talk = session.talk(args.json);
    let options = pull::Options { code: args.code, takes_purges: args.yes };
    let (fetched, mut outcome) = pull::pull(&tracker, &remote, options, &talk)?;
    ask_purges(session, &tracker, &fetched.tips, &mut outcome)?;
    let shown = remote.shown();
    if args.json {
        let mut answer = view::sync::merged_json(&outcome, &shown);
        answer["fetched"] = view::sync::fetched_json(&fetched, &shown);
        session.json(&answer)?;
    } else {
        view::sync::merged(&outcome, &shown).iter().for_each(|line| session.note(line));
        view::sync::besides(&fetched, &shown).iter().for_each(|line| session.note(line));
    }
    let is_whole = warn(session, Some(&fetched), &outcome, "pull");
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(Exit::Failed as u8) })
}

/// Asks about runs that were purged elsewhere, if somebody is there; those that may go, go.
pub fn ask_purges(
    session: &Session,
    tracker: &Tracker,
    tips: &BTreeMap<RunId, Oid>,
    outcome: &mut Outcome,
) -> Result<()> {
    let mut confirmed = BTreeMap::new();
    for purge in &outcome.purges {
        // Where nobody is, it is told below, and nothing goes.
        if session.is_attended()
            && session
                .confirm(&format!("{}; remove it here, too?", view::sync::purge(purge)))
                .unwrap_or(false)
        {
            confirmed.insert(purge.id.clone(), tips[&purge.id].clone());
        }
    }
    let options = merge::Options { takes_purges: true, ..merge::Options::default() };
    let more = merge::merge(tracker, &confirmed, &options)?;
    outcome.purges.retain(|purge| !confirmed.contains_key(&purge.id));
    outcome.changed.extend(more.changed);
    outcome.refused.extend(more.refused);
    outcome.remaining.extend(more.remaining);
    Ok(())
}

/// Names what is left as it is; whether there is nothing of that sort.
pub fn warn(session: &Session, fetched: Option<&Fetched>, outcome: &Outcome, command: &str) -> bool {
    let refused: Vec<_> =
        fetched.iter().flat_map(|fetched| &fetched.refused).chain(&outcome.refused).collect();
    view::sync::refusals(refused.iter().copied()).iter().for_each(|line| session.warn(line));
    let code: Vec<_> = fetched.iter().flat_map(|fetched| &fetched.code_refused).collect();
    code.iter().for_each(|refused| session.warn(&view::sync::refused_code(refused)));
    outcome.changed.iter().filter_map(view::sync::disputed).for_each(|line| session.warn(&line));
    outcome
        .purges
        .iter()
        .for_each(|purge| session.warn(&format!("{}; it is still here", view::sync::purge(purge))));
    outcome
        .remaining
        .iter()
        .for_each(|what| session.warn(&format!("of a purged run something is still here: {what}")));
    if !outcome.remaining.is_empty() {
        session.note("hint: `git xtrack gc` tries again");
    }
    if !outcome.purges.is_empty() {
        session.note(&format!("hint: `git xtrack {command} --yes` removes what was purged here, too"));
    }
    refused.is_empty() && code.is_empty()
}
