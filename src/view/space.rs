//! Space: what takes it, what can go, what went, and what a purge did; in reports, in lines, and as JSON.
//!
//! Knows how that reads; not how it was found or done.

use serde_json::{Value as Json, json};

use crate::human;
use crate::ops::space::gc::{Collected, Plan};
use crate::ops::space::purge::{Intent, Purged, Remains};
use crate::ops::space::usage::{Part, RunUsage, Usage};
use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Report, Table};
use crate::run::id::RunId;
use crate::view::value;

/// How many of a list are shown.
const SHOWN_MAX: usize = 10;

/// What takes the space.
pub fn usage(usage: &Usage, is_named: bool) -> Report {
    let mut report = Report::default();
    if !is_named {
        report.blocks.push(Block::Table(parts(usage)));
    }
    if usage.each.is_empty() {
        return report;
    }
    report.section("Runs", Block::Table(runs(usage)));
    if is_named {
        for one in usage.each.iter().filter(|one| !one.held.is_empty()) {
            report.section(&format!("Artifacts of {}", one.id.suffix()), Block::Table(held(one)));
        }
    }
    report
}

fn parts(usage: &Usage) -> Table {
    let mut table = Table::new(vec![
        Column::new("what"),
        Column::new("count").align(Align::Right),
        Column::new("size").align(Align::Right),
        Column::new("of it"),
    ]);
    let mut row = |what: &str, part: Part, note: String| {
        table.rows.push(vec![
            what.into(),
            human::grouped(part.count).into(),
            human::size(part.bytes).into(),
            Cell::of(Role::Dim, note),
        ]);
    };
    let several = |part: Part, what: &str| match part.count {
        0 => None,
        count => Some(format!("{} ({}) {what}", human::size(part.bytes), human::grouped(count))),
    };
    let notes: Vec<String> = [several(usage.shared, "of several runs"), several(usage.nameless, "of no run")]
        .into_iter()
        .flatten()
        .collect();
    row("runs", usage.runs, String::new());
    row("artifacts", usage.artifacts, notes.join(", "));
    row("code states", usage.code, "what branches and tags do not hold".to_owned());
    row("fetched runs", usage.fetched, "what yours do not hold".to_owned());
    row("to be undone", usage.kept, String::new());
    row("in progress", usage.live, String::new());
    row("index", Part { count: usize::from(usage.index > 0), bytes: usage.index }, String::new());
    row("other files", Part { count: usize::from(usage.others > 0), bytes: usage.others }, String::new());
    table
}

fn runs(usage: &Usage) -> Table {
    let number = |title: &str| Column::new(title).align(Align::Right);
    let mut table = Table::new(vec![
        Column::new("run"),
        Column::new("name").width_max(32).rank(1),
        number("own"),
        number("shared"),
        number("record").rank(2),
        number("artifacts").rank(2),
    ]);
    for one in &usage.each {
        let name = Cell::from(one.name.clone().unwrap_or_default());
        let name = if one.deleted { name.and(Role::Dim, " deleted") } else { name };
        table.rows.push(vec![
            Cell::of(Role::Id, one.id.suffix()),
            name,
            human::size(one.own()).into(),
            human::size(one.total() - one.own()).into(),
            human::size(one.record.own + one.record.shared).into(),
            human::size(one.artifacts.own + one.artifacts.shared).into(),
        ]);
    }
    table
}

fn held(one: &RunUsage) -> Table {
    let mut table = Table::new(vec![
        Column::new("sha256"),
        Column::new("size").align(Align::Right),
        Column::new("runs").align(Align::Right),
    ]);
    for (sha256, size, count) in &one.held {
        table.rows.push(vec![
            Cell::of(Role::Id, sha256.get(..16).unwrap_or(sha256)),
            human::size(*size).into(),
            human::grouped(*count).into(),
        ]);
    }
    table
}

/// What the runs take, in whole numbers.
pub fn usage_table(usage: &Usage) -> Report {
    let titles =
        ["id", "name", "deleted", "record_own", "record_shared", "artifacts_own", "artifacts_shared"];
    let mut table = Table::new(titles.into_iter().map(Column::new).collect());
    for one in &usage.each {
        let numbers = [one.record.own, one.record.shared, one.artifacts.own, one.artifacts.shared];
        let words = [one.id.to_string(), one.name.clone().unwrap_or_default(), one.deleted.to_string()];
        let cells = words.into_iter().chain(numbers.map(|number| number.to_string()));
        table.rows.push(cells.map(Cell::from).collect());
    }
    Report { blocks: vec![Block::Table(table)] }
}

/// What takes the space, as JSON.
pub fn usage_json(usage: &Usage) -> Json {
    let part = |part: Part| json!({ "count": part.count, "bytes": part.bytes });
    let run = |one: &RunUsage| {
        let held = one.held.iter();
        json!({
            "id": one.id.as_str(),
            "name": one.name,
            "deleted": one.deleted,
            "record": { "own": one.record.own, "shared": one.record.shared },
            "artifacts": { "own": one.artifacts.own, "shared": one.artifacts.shared },
            "held": held.map(|(sha256, size, runs)| json!({ "sha256": sha256, "size": size, "runs": runs })).collect::<Json>(),
        })
    };
    json!({
        "format": 1,
        "runs": part(usage.runs),
        "fetched": part(usage.fetched),
        "code": part(usage.code),
        "undo": part(usage.kept),
        "artifacts": part(usage.artifacts),
        "artifacts_shared": part(usage.shared),
        "artifacts_nameless": part(usage.nameless),
        "live": part(usage.live),
        "index": usage.index,
        "others": usage.others,
        "loose_refs": usage.loose_refs,
        "remotes": usage.remotes,
        "each": usage.each.iter().map(run).collect::<Json>(),
    })
}

/// What can go.
pub fn plan(plan: &Plan, is_dry: bool) -> Vec<String> {
    if plan.is_empty() {
        return vec!["there is nothing that nobody needs".to_owned()];
    }
    let word = if is_dry { "would go" } else { "goes" };
    let sum = |list: &[(String, u64)]| list.iter().map(|(_, size)| size).sum::<u64>();
    let mut lines = Vec::new();
    let mut say = |count: usize, one: &str, size: Option<u64>, what: &str| {
        let size = size.map(|size| format!(" ({})", human::size(size))).unwrap_or_default();
        lines.extend((count > 0).then(|| format!("{word}: {}{size}{what}", human::count(count, one))));
    };
    say(plan.nameless.len(), "artifact", Some(sum(&plan.nameless)), " that no run names");
    let runs = human::count(plan.deleted_runs.len(), "run");
    say(plan.deleted.len(), "artifact", Some(sum(&plan.deleted)), &format!(" of {runs} deleted long ago"));
    say(plan.code.len(), "code state", Some(plan.code_bytes), " that no run names; it can be undone");
    say(
        plan.expired.len(),
        "operation",
        Some(plan.expired_bytes),
        " past its time: it can no longer be taken back",
    );
    let left_over = plan.left_over.iter().map(|one| one.size).sum();
    say(plan.left_over.len(), "temporary file or folder", Some(left_over), " of killed processes");
    say(plan.hidden.len(), "hidden run", None, " that is not here any more");
    say(plan.purges.len(), "purge", None, " that was killed is finished");
    lines
}

/// What can go, as JSON.
pub fn plan_json(plan: &Plan) -> Json {
    let artifacts = |list: &[(String, u64)]| {
        list.iter().map(|(sha256, size)| json!({ "sha256": sha256, "size": size })).collect::<Json>()
    };
    let left_over = plan.left_over.iter();
    json!({
        "format": 1,
        "dry_run": true,
        "artifacts_nameless": artifacts(&plan.nameless),
        "artifacts_deleted": artifacts(&plan.deleted),
        "deleted_runs": plan.deleted_runs.iter().map(RunId::as_str).collect::<Vec<_>>(),
        "code": plan.code,
        "code_bytes": plan.code_bytes,
        "operations": plan.expired.iter().map(|keep| keep.operation.clone()).collect::<Vec<_>>(),
        "operation_bytes": plan.expired_bytes,
        "left_over": left_over.map(|one| json!({ "name": one.name, "size": one.size })).collect::<Json>(),
        "hidden": plan.hidden.iter().map(RunId::as_str).collect::<Vec<_>>(),
        "purges": plan.purges.iter().map(RunId::as_str).collect::<Vec<_>>(),
        "held_back": plan.held_back,
    })
}

/// What went.
pub fn collected(collected: &Collected) -> Vec<String> {
    if collected.artifacts + collected.code + collected.expired + collected.left_over == 0 {
        return Vec::new();
    }
    let mut lines =
        vec![format!("freed {}", human::size(collected.artifact_bytes + collected.left_over_bytes))];
    if collected.code + collected.expired > 0 {
        let hint = "hint: `git gc` frees what git held of it, once git takes it for old; a clone that borrows objects from \
                    here (--shared, --reference) loses it then";
        lines.push(hint.to_owned());
    }
    lines
}

/// What went, as JSON.
pub fn collected_json(collected: &Collected) -> Json {
    json!({
        "format": 1,
        "dry_run": false,
        "artifacts": collected.artifacts,
        "artifact_bytes": collected.artifact_bytes,
        "code": collected.code,
        "operations": collected.expired,
        "left_over": collected.left_over,
        "left_over_bytes": collected.left_over_bytes,
        "hidden": collected.hidden,
        "purges": collected.purges,
        "failed": collected.failed,
    })
}

/// What a purge would take away.
pub fn intent(intent: &Intent) -> Vec<String> {
    let mut parts = vec!["its record and whatever was said of it".to_owned()];
    let size = intent.artifacts.values().sum();
    let artifacts = human::count(intent.artifacts.len(), "artifact");
    parts.extend((!intent.artifacts.is_empty()).then(|| format!("{artifacts} ({})", human::size(size))));
    parts.extend((!intent.code.is_empty()).then(|| human::count(intent.code.len(), "code state")));
    vec![format!("of run '{}' would go for good: {}", intent.id, parts.join(", "))]
}

/// The same, as JSON.
pub fn intent_json(intent: &Intent) -> Json {
    let artifacts = intent.artifacts.iter();
    json!({
        "id": intent.id.as_str(),
        "dry_run": true,
        "code": intent.code,
        "artifacts": artifacts.map(|(sha256, size)| json!({ "sha256": sha256, "size": size })).collect::<Json>(),
    })
}

/// What a purge did.
pub fn purged(id: &RunId, purged: &Purged, reached: &[String]) -> Vec<String> {
    let went = &purged.went;
    let mut parts = Vec::new();
    let size = went.artifacts.iter().map(|(_, size)| size).sum();
    let artifacts = human::count(went.artifacts.len(), "artifact");
    parts.extend((!went.artifacts.is_empty()).then(|| format!("{artifacts} ({})", human::size(size))));
    parts.extend((!went.code.is_empty()).then(|| human::count(went.code.len(), "code state")));
    let with = if parts.is_empty() { String::new() } else { format!(", with {}", parts.join(" and ")) };
    let mut lines =
        vec![format!("purged run '{id}'{with}; a stone says so ({})", value::short_oid(&purged.stone))];
    lines.extend(reached.iter().map(|remote| format!("the stone is in '{remote}'")));
    lines.push("not reached:".to_owned());
    for Remains { what, commands } in &purged.remains {
        lines.push(format!("  {what}"));
        lines.extend(commands.iter().take(SHOWN_MAX).map(|command| format!("    {command}")));
    }
    lines
}

/// What no purge reaches, and what to do about the remotes that this one did not go to.
pub fn beyond(id: &RunId, remotes: &[String], reached: &[String]) -> Vec<Remains> {
    let mut remains = Vec::new();
    let missing: Vec<&String> = remotes.iter().filter(|remote| !reached.contains(remote)).collect();
    if !missing.is_empty() {
        remains.push(Remains {
            what: "remotes that it was pushed to".to_owned(),
            commands: missing
                .iter()
                .map(|remote| format!("git xtrack purge {} --remote {remote}", id.suffix()))
                .collect(),
        });
    }
    remains.push(Remains {
        what: "other clones, until they pull the stone and say yes; forks, bundles, backups, and artifacts copied elsewhere: \
               change the secret. A clone that borrows objects from here (--shared, --reference) and has the run is \
               broken by `git gc` here: purge it there first"
            .to_owned(),
        commands: Vec::new(),
    });
    remains
}

/// What a purge did, as JSON.
pub fn purged_json(id: &RunId, purged: &Purged, reached: &[String]) -> Json {
    let went = &purged.went;
    let remains = purged.remains.iter();
    json!({
        "id": id.as_str(),
        "dry_run": false,
        "stone": purged.stone,
        "remotes": reached,
        "code": went.code,
        "artifacts": went.artifacts.iter().map(|(sha256, size)| json!({ "sha256": sha256, "size": size })).collect::<Json>(),
        "failed": went.failed,
        "not_reached": remains.map(|one| json!({ "what": one.what, "commands": one.commands })).collect::<Json>(),
    })
}
