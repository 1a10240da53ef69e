//! `git xtrack purge`: takes runs that held a secret out of this clone, and their place in a remote.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::Value as Json;

use crate::cli::choice::resolve_each;
use crate::cli::consent::Consent;
use crate::cli::{Exit, Session};
use crate::error::Problem;
use crate::ops::space::elsewhere;
use crate::ops::space::purge::{self, Intent, Purged};
use crate::ops::sync;
use crate::store::{Remote, Talk};
use crate::tracker::Tracker;
use crate::view;

/// Take runs out for good, because they hold a secret
///
/// A stone stays in each one's place, which says who purged it, when and why; others who pull it are asked whether the run goes there,
/// too. What the run alone held goes with it: its code states, artifacts, copies as fetched from remotes, what could be undone, and its
/// rows in the index. This cannot be undone. To delete a run that holds no secret, use `git xtrack rm`.
///
/// It cannot reach clones, forks, bundles and backups: whoever got the secret has it. Change the secret first.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack purge quiet-otter --dry-run                        What would go
  git xtrack purge quiet-otter --why 'a token in the command'
  git xtrack purge quiet-otter --remote origin                  There, too")]
pub struct Args {
    /// Runs: id, its end, name, a unique prefix
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<String>,

    /// Why, for others to read; do not write the secret
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,

    /// Put the stone into this remote as well, in place of what it has of the run
    #[arg(long, value_name = "REMOTE")]
    remote: Vec<String>,

    #[command(flatten)]
    consent: Consent,
}

/// Purges.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    if args.why.chars().any(char::is_control) {
        return Err(Problem::usage("--why is one line of text").into());
    }
    let remotes: Vec<Remote> =
        args.remote.iter().map(|word| sync::remote(&tracker, Some(word))).collect::<Result<_>>()?;
    let ids = resolve_each(&tracker, &args.runs)?;
    let intents = purge::plan(&tracker, &ids)?;
    if args.consent.dry_run {
        match args.consent.json {
            true => session.json(&intents.iter().map(view::space::intent_json).collect::<Json>())?,
            false => intents.iter().flat_map(view::space::intent).for_each(|line| session.note(&line)),
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !args.consent.yes {
        intents.iter().flat_map(view::space::intent).for_each(|line| session.note(&line));
    }
    if !args.consent.is_given(session, "take that out for good? it cannot be undone")? {
        session.note("nothing was purged");
        return Ok(ExitCode::from(Exit::Failed as u8));
    }
    let mut is_whole = true;
    let mut answers = Vec::new();
    for intent in &intents {
        let purged = purge::purge(&tracker, intent, &args.why)?;
        is_whole &= purged.went.failed.is_empty();
        answers.push(tell(&args, session, &tracker, intent, purged, &remotes, &mut is_whole)?);
    }
    if args.consent.json {
        session.json(&Json::Array(answers))?;
    }
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(Exit::Failed as u8) })
}

/// Carries the purge to the remotes, and tells what was done and what is not reached.
fn tell(
    args: &Args,
    session: &Session,
    tracker: &Tracker,
    intent: &Intent,
    mut purged: Purged,
    remotes: &[Remote],
    is_whole: &mut bool,
) -> Result<Json> {
    let talk = Talk { is_attended: session.is_attended(), progress: None };
    let mut reached = Vec::new();
    for remote in remotes {
        let mut is_reached = true;
        for place in tracker.store.push_places(remote) {
            match elsewhere::carry(tracker, intent, &purged.stone, &place, &talk) {
                Ok(carried) => purged.remains.extend(carried.remains),
                Err(error) => {
                    is_reached = false;
                    let (message, hints) = crate::error::describe(&error);
                    session.error(&message, &[], &hints);
                }
            }
        }
        *is_whole &= is_reached;
        reached.extend(is_reached.then(|| remote.shown()));
    }
    purged.remains.extend(view::space::beyond(&intent.id, &tracker.store.remote_names(), &reached));
    if !args.consent.json {
        view::space::purged(&intent.id, &purged, &reached).iter().for_each(|line| session.note(line));
    }
    purged.went.failed.iter().for_each(|failed| session.warn(failed));
    if !purged.went.failed.is_empty() {
        session
            .note(&format!("hint: `git xtrack purge {}` or `git xtrack gc` tries again", intent.id.suffix()));
    }
    Ok(view::space::purged_json(&intent.id, &purged, &reached))
}
