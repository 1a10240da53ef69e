//! A purge carried to a remote: the stone takes the place of the run there, if nobody else was there meanwhile.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::ops::space::purge::{Intent, Remains};
use crate::ops::sync::fetch::note_tips;
use crate::run::id::RunId;
use crate::store::{Answer, Oid, Remote, Sent, Talk, patiently, pause};
use crate::tracker::Tracker;

/// How often it is tried again when somebody else was faster.
const TRIES_MAX: u32 = 5;

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Whether the stone was there already.
    pub was_there: bool,
    /// What is still there, and how to get at it.
    pub remains: Vec<Remains>,
}

/// Puts the stone into the remote.
pub fn carry(
    tracker: &Tracker,
    intent: &Intent,
    stone: &Oid,
    remote: &Remote,
    talk: &Talk<'_>,
) -> Result<Carried> {
    let cannot = || format!("cannot purge run '{}' in '{}'", intent.id, remote.shown());
    for attempt in 1..=TRIES_MAX {
        let listing = patiently(|| tracker.store.list_remote(remote, talk)).with_context(cannot)?;
        let theirs = listing.runs.get(&intent.id).cloned();
        let was_there = theirs.as_ref() == Some(stone);
        let refused = match was_there {
            true => None,
            false => send(tracker, &intent.id, stone, theirs, remote, talk).with_context(cannot)?,
        };
        match refused {
            None => {
                note(tracker, &intent.id, stone, remote)?;
                let code: Vec<&Oid> =
                    intent.code.iter().filter(|commit| listing.code.contains(*commit)).collect();
                return Ok(Carried { was_there, remains: remains(remote, &code) });
            }
            Some(reason) if attempt == TRIES_MAX || !reason.contains("stale info") => {
                let problem = Problem::new(format!("'{}' refused it: {reason}", remote.shown()));
                let hint = "ask whoever runs it to let history be replaced there, or to remove the run's ref";
                return Err(problem.hint(hint)).with_context(cannot);
            }
            Some(_) => pause(attempt),
        }
    }
    Err(Problem::new(format!("{}: it is being changed all the time", cannot())).hint("try again").into())
}

/// Sends the stone, from what was seen there; why it was refused, if it was.
fn send(
    tracker: &Tracker,
    id: &RunId,
    stone: &Oid,
    theirs: Option<Oid>,
    remote: &Remote,
    talk: &Talk<'_>,
) -> Result<Option<String>> {
    let sent = Sent { target: remote.run_ref(id), tip: stone.clone(), replaces: theirs };
    let answers = tracker.store.push_refs(remote, std::slice::from_ref(&sent), false, talk)?;
    Ok(match answers.refs.get(&sent.target) {
        Some(Answer::Landed) => None,
        Some(Answer::Refused(reason)) => Some(reason.clone()),
        // The next look tells.
        Some(Answer::Unknown) | None => Some("stale info".to_owned()),
    })
}

fn note(tracker: &Tracker, id: &RunId, stone: &Oid, remote: &Remote) -> Result<()> {
    match &remote.name {
        Some(name) => {
            let noted = BTreeMap::from([(id.clone(), stone.clone())]);
            note_tips(&tracker.store, name, &noted, &tracker.store.tracked(name)?)
        }
        None => Ok(()),
    }
}

fn remains(remote: &Remote, code: &[&Oid]) -> Vec<Remains> {
    let shown = remote.shown();
    let mut remains = Vec::new();
    if !code.is_empty() {
        let word = remote.name.clone().unwrap_or_else(|| shown.clone());
        let delete = |commit: &&Oid| format!("git push {word} --delete {}", remote.code_ref(commit));
        remains.push(Remains {
            what: format!("'{shown}' has code states that the run named, which its other runs may need"),
            commands: code.iter().map(delete).collect(),
        });
    }
    remains.push(Remains {
        what: format!(
            "in '{shown}' the objects stay until it collects garbage; a forge may show them by their ids, and in forks, \
             until then"
        ),
        commands: Vec::new(),
    });
    remains
}
