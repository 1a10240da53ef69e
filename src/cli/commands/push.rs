//! `git xtrack push`: sends runs to a remote, after asking where that cannot be undone.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::choice::Choice;
use crate::cli::{Exit, Session, trust};
use crate::ops::sync::{self, plan, push};
use crate::store::Remote;
use crate::tracker::Tracker;
use crate::view;

/// Send runs to a remote
///
/// The first word is the remote: a name that `git remote` knows, the path of a repository, or an address; else it is a run.
/// Without a remote it is the one that `git xtrack init` was told, else `origin`. Without runs all are sent.
///
/// The code that a run ran goes along where the remote has its commits already. With `--code` it goes in any case, once it
/// is shown and confirmed what that makes public. A repository on this machine gets artifacts too.
///
/// Nothing in the remote is overwritten: a run of which it knows something that is not here is named, and the rest is sent.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack push                              All runs, to the usual remote
  git xtrack push lab quiet-otter              One run, to the remote 'lab'
  git xtrack push --where 'metrics.acc > 0.9'  The good ones
  git xtrack push ../other @                   The last run, artifacts included, into another repository
  git xtrack push --code --dry-run             What would go, and what it would make public

Plain git does as well: git push origin 'refs/runs/*'")]
pub struct Args {
    #[command(flatten)]
    choice: Choice,

    /// Send the code, too, whatever that makes public
    #[arg(long)]
    code: bool,

    /// Put this run in the place of what the remote has of it, whatever that is
    #[arg(long, value_name = "RUN")]
    replace: Vec<String>,

    /// Send runs, too, whose artifacts are not here
    #[arg(long)]
    incomplete: bool,

    /// Only say what would be sent
    #[arg(long, short = 'n')]
    dry_run: bool,

    /// Answer yes to what would be asked
    #[arg(long, short = 'y')]
    yes: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Pushes.
pub fn run(mut args: Args, session: &Session) -> Result<ExitCode> {
    let mut tracker = session.tracker()?;
    trust::settle_set(session, &mut tracker)?;
    let remote = remote(&tracker, &mut args.choice)?;
    let options = options(&args, session, &tracker)?;
    if options.runs.as_ref().is_some_and(Vec::is_empty) && !args.json {
        session.note("no runs match: nothing was sent");
        return Ok(ExitCode::SUCCESS);
    }
    let places = tracker.store.push_places(&remote);
    let (mut is_whole, mut answers) = (true, Vec::new());
    for place in &places {
        match push(&args, session, &tracker, place, &options) {
            Ok(Some(pushed)) => {
                tell(&args, session, &pushed, &place.shown());
                is_whole &= pushed.refused.is_empty() && pushed.code_refused.is_empty();
                answers.push(view::sync::pushed_json(&pushed, &place.shown(), args.dry_run));
            }
            Ok(None) => {
                session.note("nothing was sent");
                is_whole = false;
            }
            // One that cannot be reached does not keep it from the others.
            Err(error) if places.len() > 1 => {
                let (message, hints) = crate::error::describe(&error);
                session.error(&message, &[], &hints);
                is_whole = false;
            }
            Err(error) => return Err(error),
        }
    }
    if args.json && !answers.is_empty() {
        session.json(&view::sync::pushed_places_json(answers))?;
    }
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(Exit::Failed as u8) })
}

/// Pushes to one place; nothing if that was not confirmed.
fn push(
    args: &Args,
    session: &Session,
    tracker: &Tracker,
    place: &Remote,
    options: &plan::Options,
) -> Result<Option<push::Pushed>> {
    let talk = session.talk(args.json);
    let planned = plan::plan(tracker, place, options, &talk)?;
    match confirm(args, session, &planned, options)? {
        true => push::push(tracker, planned, options, &talk).map(Some),
        false => Ok(None),
    }
}

/// Takes the first word if it is a remote.
fn remote(tracker: &Tracker, choice: &mut Choice) -> Result<Remote> {
    if let Some(word) = choice.runs.first()
        && let Some(remote) = sync::remote_of(tracker, word)?
    {
        choice.runs.remove(0);
        return Ok(remote);
    }
    sync::usual_remote(tracker)
}

fn options(args: &Args, session: &Session, tracker: &Tracker) -> Result<plan::Options> {
    let mut replaced = BTreeSet::new();
    for name in &args.replace {
        replaced.insert(tracker.resolve(name)?);
    }
    let is_chosen = !args.choice.runs.is_empty() || args.choice.query.is_some();
    let runs = match (is_chosen, replaced.is_empty()) {
        (false, true) => None,
        (false, false) => Some(replaced.iter().cloned().collect()),
        (true, _) => {
            let mut ids = args
                .choice
                .select(session, tracker)?
                .loaded
                .runs
                .into_iter()
                .map(|run| run.id)
                .collect::<Vec<_>>();
            if args.choice.runs.is_empty() {
                // A run in progress has nothing to send yet; a question may well find it.
                ids.retain(|id| tracker.store.run_tip(id).is_ok_and(|tip| tip.is_some()));
            }
            ids.extend(replaced.iter().filter(|id| !ids.contains(id)).cloned().collect::<Vec<_>>());
            Some(ids)
        }
    };
    Ok(plan::Options { runs, replaced, code: args.code, incomplete: args.incomplete, dry_run: args.dry_run })
}

/// Asks before anything becomes public or is given up that was not asked for by name alone.
fn confirm(args: &Args, session: &Session, plan: &plan::Plan, options: &plan::Options) -> Result<bool> {
    let shown = plan.remote.shown();
    let is_public = options.code && !plan.code.private.is_empty();
    if is_public {
        view::sync::publication(&plan.code.public, &shown).iter().for_each(|line| session.note(line));
    }
    if args.yes || args.dry_run {
        return Ok(true);
    }
    if is_public && !session.confirm(&format!("make that public in '{shown}'?"))? {
        return Ok(false);
    }
    let replaced = plan.runs.iter().filter(|run| run.standing == plan::Standing::Replaced);
    for run in replaced {
        if !session.confirm(&format!("give up what '{shown}' has of run '{}'?", run.id))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn tell(args: &Args, session: &Session, pushed: &push::Pushed, remote: &str) {
    pushed.remarks.iter().for_each(|line| session.note(&format!("remote: {line}")));
    if !args.json {
        view::sync::pushed(pushed, remote, args.dry_run).iter().for_each(|line| session.note(line));
    }
    view::sync::refusals(&pushed.refused).iter().for_each(|line| session.warn(line));
    pushed.code_refused.iter().for_each(|refused| session.warn(&view::sync::refused_code(refused)));
    pushed.warnings.iter().for_each(|warning| session.warn(warning));
    pushed.advice.iter().for_each(|advice| session.note(&format!("hint: {advice}")));
}
