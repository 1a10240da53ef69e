//! What a push, a pull, a fetch or a merge did: in lines for people, and as JSON.
//!
//! Knows how that reads; not how it was done.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::human;
use crate::ops::sync::artifacts::{Needed, Whereabouts};
use crate::ops::sync::code::{Publication, Snapshot};
use crate::ops::sync::fetch::Fetched;
use crate::ops::sync::merge::{Changed, How, Outcome, Purge};
use crate::ops::sync::plan::{Planned, Standing};
use crate::ops::sync::push::Pushed;
use crate::ops::sync::{Cause, Refused};
use crate::run::id::RunId;
use crate::store::{CommitLine, Oid};

/// How many of a list are shown.
const SHOWN_MAX: usize = 10;
/// How many runs are named that are left as they are for one reason.
const ALIKE_MAX: usize = 20;

/// What a push did, or would do.
pub fn pushed(pushed: &Pushed, remote: &str, is_dry: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let count =
        |standings: &[Standing]| pushed.landed.iter().filter(|run| standings.contains(&run.standing)).count();
    let parts = [
        (count(&[Standing::New]), "new"),
        (count(&[Standing::Updated, Standing::Settled]), "updated"),
        (count(&[Standing::Replaced]), "replaced"),
    ];
    let runs = human::count(pushed.landed.len(), "run");
    lines.push(match (pushed.landed.is_empty(), is_dry) {
        (true, _) if pushed.refused.is_empty() && pushed.behind.is_empty() => match pushed.same {
            0 => "there are no runs here to push".to_owned(),
            _ => format!("'{remote}' has all of it already"),
        },
        (true, _) => format!("nothing went to '{remote}'"),
        (false, true) => format!("would push {runs} to '{remote}': {}", listed(&parts)),
        (false, false) => format!("pushed {runs} to '{remote}': {}", listed(&parts)),
    });
    let word = if is_dry { "would go" } else { "went" };
    let stay = |count: usize| match (is_dry, count) {
        (true, _) => "would stay",
        (false, 1) => "stays",
        (false, _) => "stay",
    };
    if !pushed.code.is_empty() {
        lines.push(format!("{} of code {word} along", human::count(pushed.code.len(), "state")));
    }
    if pushed.code_withheld > 0 && !pushed.landed.is_empty() {
        let states = human::count(pushed.code_withheld, "state");
        lines.push(format!(
            "{states} of code {} here: '{remote}' does not have the commits; `--code` sends them",
            stay(pushed.code_withheld)
        ));
    }
    lines.extend(artifacts(&pushed.artifacts, Whereabouts::Going).map(|what| format!("{what} {word} along")));
    let mut left = |whereabouts, why: &str| {
        let count = pushed.artifacts.iter().filter(|one| one.whereabouts == whereabouts).count();
        let what = artifacts(&pushed.artifacts, whereabouts);
        lines.extend(what.map(|what| format!("{what} {} here: {why}", stay(count))));
    };
    left(Whereabouts::Staying, "no artifact store is set (docs/artifacts.md)");
    left(Whereabouts::Refused, "the artifact store does not take that");
    let missing = artifacts(&pushed.artifacts, Whereabouts::Missing);
    lines.extend(missing.map(|what| format!("not here, and not gone along: {what}")));
    if !pushed.behind.is_empty() {
        let runs = human::count(pushed.behind.len(), "run");
        lines.push(format!("'{remote}' is further on with {runs}: `git xtrack pull` brings that here"));
    }
    lines
}

/// `3 artifacts (1.2 MiB) of 2 runs`.
fn artifacts(needed: &[Needed], whereabouts: Whereabouts) -> Option<String> {
    let those: Vec<&Needed> = needed.iter().filter(|one| one.whereabouts == whereabouts).collect();
    let runs: BTreeSet<&RunId> = those.iter().map(|one| &one.id).collect();
    let bytes = those.iter().map(|one| one.content.size).sum();
    let count = human::count(those.len(), "artifact");
    (!those.is_empty())
        .then(|| format!("{count} ({}) of {}", human::size(bytes), human::count(runs.len(), "run")))
}

/// `2 new, 1 updated`.
fn listed(parts: &[(usize, &str)]) -> String {
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    parts.join(", ")
}

/// What the code makes public.
pub fn publication(public: &Publication, remote: &str) -> Vec<String> {
    let mut lines = vec![format!("with the code, '{remote}' gets what it does not have:")];
    if !public.commits.is_empty() {
        lines.push(format!("  {}", human::count(public.commits.len(), "commit")));
        let commit = |line: &CommitLine| format!("    {} {}", short(&line.commit), line.subject);
        lines.extend(public.commits.iter().take(SHOWN_MAX).map(commit));
        lines.extend(more(public.commits.len()));
    }
    if !public.snapshots.is_empty() {
        lines.push(format!("  {}", human::count(public.snapshots.len(), "uncommitted state")));
        lines.extend(public.snapshots.iter().take(SHOWN_MAX).flat_map(snapshot));
        lines.extend(more(public.snapshots.len()));
    }
    lines
}

fn snapshot(snapshot: &Snapshot) -> Vec<String> {
    let files = |is_new: bool| -> Vec<&str> {
        snapshot.files.iter().filter(|file| file.is_new == is_new).map(|file| file.path.as_str()).collect()
    };
    let line = |what: &str, files: Vec<&str>| {
        let shown = files.iter().take(SHOWN_MAX).copied().collect::<Vec<_>>().join(", ");
        let rest = files.len().saturating_sub(SHOWN_MAX);
        let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        (!files.is_empty()).then(|| format!("    {} {what}: {shown}{rest}", short(&snapshot.commit)))
    };
    [line("changes", files(false)), line("holds files that are in no commit", files(true))]
        .into_iter()
        .flatten()
        .collect()
}

fn more(count: usize) -> Option<String> {
    (count > SHOWN_MAX).then(|| format!("    … and {} more", count - SHOWN_MAX))
}

fn short(oid: &str) -> &str {
    oid.get(..10).unwrap_or(oid)
}

/// What a fetch brought.
pub fn fetched(fetched: &Fetched, remote: &str) -> Vec<String> {
    let parts = [(fetched.new.len(), "new"), (fetched.updated.len(), "updated")];
    let runs = fetched.new.len() + fetched.updated.len();
    let mut lines = vec![match runs {
        0 => format!("nothing new in '{remote}'"),
        _ => format!("fetched {} from '{remote}': {}", human::count(runs, "run"), listed(&parts)),
    }];
    lines.extend(besides(fetched, remote));
    lines
}

/// What came besides runs, and what was left alone.
pub fn besides(fetched: &Fetched, remote: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if !fetched.code.is_empty() {
        lines.push(format!("{} of code came along", human::count(fetched.code.len(), "state")));
    }
    let strange = &fetched.listing;
    if strange.strange_count > 0 {
        let shown =
            strange.strange.iter().take(3).map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        let refs = human::count(strange.strange_count, "ref");
        lines.push(format!("{refs} of '{remote}' that name no run are left alone: {shown}"));
    }
    lines
}

/// What a merge did, the runs that came from `remote`.
pub fn merged(outcome: &Outcome, remote: &str) -> Vec<String> {
    let count = |hows: &[How]| outcome.changed.iter().filter(|run| hows.contains(&run.how)).count();
    let parts = [
        (count(&[How::New]), "new"),
        (count(&[How::Followed, How::Settled]), "updated"),
        (count(&[How::Joined]), "merged"),
        (count(&[How::Purged]), "purged"),
    ];
    let mut lines = vec![match outcome.changed.len() {
        0 => format!("nothing new from '{remote}'"),
        runs => format!("{} from '{remote}': {}", human::count(runs, "run"), listed(&parts)),
    }];
    if !outcome.newer.is_empty() {
        let runs = human::count(outcome.newer.len(), "run");
        let stay = if outcome.newer.len() == 1 { "stays" } else { "stay" };
        lines.push(format!("{runs} of a newer git-xtrack {stay} unmerged"));
    }
    lines
}

/// Why runs are left as they are: each by itself, unless very many are so for one reason.
pub fn refusals<'a>(refused: impl IntoIterator<Item = &'a Refused>) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut lines = Vec::new();
    for one in refused {
        let count = counts.entry(without_ids(&one.reason)).or_default();
        *count += 1;
        if *count <= ALIKE_MAX {
            lines.push(self::refused(one));
        }
    }
    let many = counts.into_iter().filter(|(_, count)| *count > ALIKE_MAX);
    lines.extend(many.map(|(reason, count)| {
        format!("{} more: {reason} (`--json` names them)", human::count(count - ALIKE_MAX, "run"))
    }));
    lines
}

/// A reason, whichever object it speaks of.
fn without_ids(reason: &str) -> String {
    let is_id = |word: &str| word.len() >= 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = reason.split(' ').map(|word| match word.trim_end_matches([':', ',']) {
        bare if is_id(bare) => word.replace(bare, "…"),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Why a run is left as it is.
fn refused(refused: &Refused) -> String {
    format!("run '{}': {}", refused.id, refused.reason)
}

/// Why a code state did not come or go.
pub fn refused_code((commit, reason): &(Oid, String)) -> String {
    format!("code '{commit}': {reason}")
}

/// What became disputed of a run.
pub fn disputed(changed: &Changed) -> Option<String> {
    let paths = changed.disputed.join("', '");
    (!changed.disputed.is_empty()).then(|| {
        format!("run '{}': two different copies of '{paths}', of which one must be forged or damaged; both are kept", changed.id)
    })
}

/// What is said of a run that was purged elsewhere and is here.
pub fn purge(purge: &Purge) -> String {
    let stone = &purge.stone;
    format!("run '{}' was purged by {}: {}", purge.id, stone.by, stone.why)
}

/// What a push did, as JSON.
pub fn pushed_json(pushed: &Pushed, remote: &str, is_dry: bool) -> Json {
    json!({
        "format": 1,
        "remote": remote,
        "dry_run": is_dry,
        "pushed": pushed.landed.iter().map(planned_json).collect::<Json>(),
        "already_there": pushed.same,
        "behind": ids(&pushed.behind),
        "refused": pushed.refused.iter().map(refused_json).collect::<Json>(),
        "code": pushed.code,
        "code_refused": refused_code_json(&pushed.code_refused),
        "code_withheld": pushed.code_withheld,
        "artifacts": pushed.artifacts.iter().map(artifact_json).collect::<Json>(),
        "remarks": pushed.remarks,
    })
}

/// The answers for all places that a push went to: the first, and in it the others.
pub fn pushed_places_json(answers: Vec<Json>) -> Json {
    let mut answers = answers.into_iter();
    let mut first = answers.next().unwrap_or_default();
    let others: Vec<Json> = answers.collect();
    if !others.is_empty() {
        first["also"] = others.into();
    }
    first
}

fn planned_json(run: &Planned) -> Json {
    let change = match run.standing {
        Standing::New => "new",
        Standing::Replaced => "replaced",
        _ => "updated",
    };
    json!({ "id": run.id.as_str(), "change": change, "before": run.theirs, "tip": run.tip })
}

fn refused_json(refused: &Refused) -> Json {
    let cause = match refused.cause {
        Cause::Artifacts => "artifacts",
        Cause::Diverged => "diverged",
        Cause::Purged => "purged",
        Cause::Unsound => "unsound",
        Cause::Remote => "remote",
        Cause::Here => "here",
    };
    json!({ "id": refused.id.as_str(), "cause": cause, "reason": refused.reason })
}

fn refused_code_json(refused: &[(Oid, String)]) -> Json {
    refused.iter().map(|(commit, reason)| json!({ "commit": commit, "reason": reason })).collect()
}

fn artifact_json(needed: &Needed) -> Json {
    let state = match needed.whereabouts {
        Whereabouts::There => "there",
        Whereabouts::Going => "sent",
        Whereabouts::Staying => "kept",
        Whereabouts::Missing => "missing",
        Whereabouts::Refused => "refused",
    };
    json!({ "run": needed.id.as_str(), "path": needed.path, "sha256": needed.content.sha256, "size": needed.content.size, "state": state })
}

/// What a fetch brought, as JSON.
pub fn fetched_json(fetched: &Fetched, remote: &str) -> Json {
    json!({
        "format": 1,
        "remote": remote,
        "new": ids(&fetched.new),
        "updated": ids(&fetched.updated),
        "refused": fetched.refused.iter().map(refused_json).collect::<Json>(),
        "code": fetched.code,
        "code_refused": refused_code_json(&fetched.code_refused),
        "strange_refs": fetched.listing.strange,
    })
}

/// What a merge did, as JSON.
pub fn merged_json(outcome: &Outcome, remote: &str) -> Json {
    json!({
        "format": 1,
        "remote": remote,
        "changed": outcome.changed.iter().map(changed_json).collect::<Json>(),
        "unchanged": outcome.current,
        "refused": outcome.refused.iter().map(refused_json).collect::<Json>(),
        "purged_elsewhere": outcome.purges.iter().map(purge_json).collect::<Json>(),
        "newer": ids(&outcome.newer),
    })
}

fn changed_json(changed: &Changed) -> Json {
    let how = match changed.how {
        How::New => "new",
        How::Followed => "followed",
        How::Joined => "merged",
        How::Settled => "settled",
        How::Purged => "purged",
    };
    json!({ "id": changed.id.as_str(), "how": how, "before": changed.before, "tip": changed.tip, "disputed": changed.disputed })
}

fn purge_json(purge: &Purge) -> Json {
    let stone = &purge.stone;
    json!({ "id": purge.id.as_str(), "by": stone.by, "at": stone.at.to_string(), "why": stone.why })
}

fn ids(ids: &[RunId]) -> Json {
    ids.iter().map(|id| Json::from(id.as_str())).collect()
}
