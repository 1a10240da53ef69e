//! Operations: what commands did to refs, and what became of taking one back; in reports, in lines, and as JSON.
//!
//! Knows how that reads; not how it was done.

use serde_json::{Value as Json, json};

use crate::human;
use crate::ops::operation::undo::{Left, Undone, Why};
use crate::ops::operation::{Operation, Tally};
use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Report, Table};
use crate::run::id::Time;
use crate::store::Store;
use crate::view::value;

/// How many runs or commits of a list are shown.
const SHOWN_MAX: usize = 10;

/// The operations as a list, the latest first.
pub fn list(operations: &[Operation], store: &Store, now: Time) -> Report {
    let mut table = Table::new(vec![
        Column::new("n").align(Align::Right).rank(3),
        Column::new("operation"),
        Column::new("when"),
        Column::new("command"),
        Column::new("what").width_max(70),
        Column::new("who").rank(1).width_max(32),
    ]);
    for (index, operation) in operations.iter().enumerate() {
        table.rows.push(vec![
            Cell::of(Role::Dim, (index + 1).to_string()),
            Cell::of(Role::Id, operation.id.as_str()),
            Cell::from(format!("{} ago", human::age(now.seconds() - operation.at.seconds()))),
            Cell::from(operation.command.as_str()),
            Cell::from(told(operation, &operation.tally(store))),
            Cell::from(operation.user.as_str()),
        ]);
    }
    Report { blocks: vec![Block::Table(table)] }
}

/// One operation, ref by ref.
pub fn one(operation: &Operation, store: &Store) -> Report {
    let mut report = Report::default();
    report.title(
        Cell::of(Role::Heading, operation.command.as_str())
            .and(Role::Plain, "  ")
            .and(Role::Id, operation.id.as_str()),
    );
    report.blocks.push(Block::Fields(vec![
        ("when".to_owned(), value::time(operation.at).into()),
        ("who".to_owned(), operation.user.as_str().into()),
        ("what".to_owned(), told(operation, &operation.tally(store)).into()),
    ]));
    let mut table = Table::new(vec![Column::new("ref"), Column::new("before"), Column::new("after")]);
    let short = |oid: &Option<String>| match oid {
        Some(oid) => Cell::of(Role::Id, value::short_oid(oid)),
        None => Cell::of(Role::Dim, "-"),
    };
    for moved in &operation.moves {
        table.rows.push(vec![moved.name.as_str().into(), short(&moved.before), short(&moved.after)]);
    }
    report.section("Refs", Block::Table(table));
    report
}

/// What an operation did, in a few words.
pub fn told(operation: &Operation, tally: &Tally) -> String {
    let mut parts = Vec::new();
    parts.extend(operation.undoes.iter().map(|other| format!("took back {other}")));
    let runs = |ids: &std::collections::BTreeSet<crate::run::id::RunId>, word: &str| {
        let only = ids.iter().next().filter(|_| ids.len() == 1);
        match only {
            Some(id) => Some(format!("{} {word}", id.suffix())),
            None => (!ids.is_empty()).then(|| format!("{} {word}", human::count(ids.len(), "run"))),
        }
    };
    parts.extend(runs(&tally.new, "new"));
    parts.extend(runs(&tally.changed, "changed"));
    parts.extend(runs(&tally.gone, "gone"));
    parts.extend(runs(&tally.hidden, "hidden here"));
    parts.extend(runs(&tally.shown, "no longer hidden"));
    let noted = tally.noted.iter();
    parts.extend(noted.map(|(remote, count)| format!("{} of '{remote}' noted", human::count(*count, "tip"))));
    let mut count = |count: usize, one: &str, word: &str| {
        parts.extend((count > 0).then(|| format!("{}{word}", human::count(count, one))));
    };
    count(tally.code, "code state", " kept");
    count(tally.code_gone, "code state", " let go");
    count(tally.expired, "operation", " can no longer be taken back");
    count(tally.others, "other ref", "");
    parts.join(", ")
}

/// What became of taking an operation back.
pub fn undone(undone: &Undone, store: &Store) -> Vec<String> {
    let operation = &undone.operation;
    let which =
        format!("{} {} ({})", operation.command, operation.id, told(operation, &operation.tally(store)));
    let of_refs = (!undone.back.is_empty()).then(|| human::count(undone.back.len(), "ref"));
    let hidden = human::count(undone.hiding.len(), "hidden run");
    let of_hiding = (!undone.hiding.is_empty()).then_some(hidden);
    let refs = of_refs.into_iter().chain(of_hiding).collect::<Vec<_>>().join(", ");
    let mut lines = vec![match (undone.back.len() + undone.hiding.len(), &undone.by) {
        (0, _) if undone.left.is_empty() => format!("nothing to do: all is as it was before {which}"),
        (0, _) => format!("took nothing back of {which}"),
        (_, None) => format!("would take back {which}: {refs}"),
        (_, Some(_)) => format!("took back {which}: {refs}"),
    }];
    if let Some(by) = &undone.by {
        lines.push(format!("hint: `git xtrack undo {by}` takes this back in turn"));
    }
    lines
}

/// What a remote has of what was taken back here.
pub fn known(undone: &Undone) -> Vec<String> {
    let one = |(remote, count): (&String, &usize)| {
        format!(
            "'{remote}' has {} as that operation left it, and the next `git xtrack pull` brings that back; to take it \
             back for all, say the opposite (`git xtrack edit`, `rm`, `restore`) and push",
            human::count(*count, "run")
        )
    };
    undone.known.iter().map(one).collect()
}

/// Why refs are left where they are, and what to do instead.
pub fn left(left: &Left) -> Vec<String> {
    let what = match &left.run {
        Some(id) => format!("run '{id}'"),
        None => format!("'{}'", left.name),
    };
    match &left.why {
        Why::Gone => vec![format!("{what} is gone since, and stays gone")],
        Why::Lost => vec![format!("{what} cannot go back: what it was is not kept any more")],
        Why::Purged => vec![format!("{what} was purged, and stays purged")],
        Why::Failed(error) => vec![format!("{what}: {error:#}")],
        Why::GoneOn { since, instead } => {
            let mut lines = vec![format!("{what} has gone on since, and is left as it is")];
            let lost = since.iter().take(SHOWN_MAX);
            lines.extend(
                lost.map(|commit| format!("  going back would lose: {} ({})", commit.subject, commit.author)),
            );
            let more = since.len().saturating_sub(SHOWN_MAX);
            lines.extend((more > 0).then(|| format!("  and {more} more")));
            lines.extend(instead.iter().map(|command| format!("  instead: {command}")));
            lines
        }
    }
}

/// Operations, as JSON.
pub fn list_json(operations: &[Operation], store: &Store) -> Json {
    operations.iter().map(|operation| json(operation, store)).collect()
}

/// An operation, as JSON.
pub fn json(operation: &Operation, store: &Store) -> Json {
    let tally = operation.tally(store);
    let ids = |ids: &std::collections::BTreeSet<crate::run::id::RunId>| {
        ids.iter().map(|id| Json::from(id.as_str())).collect::<Json>()
    };
    let moved = operation.moves.iter();
    json!({
        "id": operation.id,
        "at": operation.at.to_string(),
        "command": operation.command,
        "user": operation.user,
        "undoes": operation.undoes,
        "can_be_undone": operation.can_be_undone(store),
        "new": ids(&tally.new),
        "changed": ids(&tally.changed),
        "gone": ids(&tally.gone),
        "hidden": ids(&tally.hidden),
        "shown": ids(&tally.shown),
        "refs": moved.map(|one| json!({ "name": one.name, "before": one.before, "after": one.after })).collect::<Json>(),
    })
}

/// What became of taking an operation back, as JSON.
pub fn undone_json(undone: &Undone, store: &Store) -> Json {
    let moved = undone.back.iter();
    json!({
        "format": 1,
        "undone": json(&undone.operation, store),
        "by": undone.by,
        "refs": moved.map(|one| json!({ "name": one.name, "before": one.before, "after": one.after })).collect::<Json>(),
        "hidden": undone.hiding.iter().filter(|(_, hidden)| **hidden).map(|(id, _)| id.as_str()).collect::<Json>(),
        "shown": undone.hiding.iter().filter(|(_, hidden)| !**hidden).map(|(id, _)| id.as_str()).collect::<Json>(),
        "already": undone.already,
        "left": undone.left.iter().map(left_json).collect::<Json>(),
        "known": undone.known,
    })
}

fn left_json(left: &Left) -> Json {
    let cause = match &left.why {
        Why::GoneOn { .. } => "gone_on",
        Why::Gone => "gone",
        Why::Lost => "lost",
        Why::Purged => "purged",
        Why::Failed(_) => "failed",
    };
    let (since, instead) = match &left.why {
        Why::GoneOn { since, instead } => {
            (since.iter().map(|commit| commit.oid.clone()).collect(), instead.clone())
        }
        _ => (Vec::new(), Vec::new()),
    };
    json!({
        "ref": left.name,
        "run": left.run.as_ref().map(|id| id.as_str()),
        "cause": cause,
        "since": since,
        "instead": instead,
    })
}
