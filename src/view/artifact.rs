//! Artifacts and where their bytes lie, and what became of those that were moved: for people, and as JSON.
//!
//! Knows how that reads; not how bytes travel.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::artifact::{Content, Presence, Standing};
use crate::human;
use crate::ops::artifact::get::Got;
use crate::ops::artifact::moves::{Moved, Plan};
use crate::ops::artifact::repair::Repaired;
use crate::ops::artifact::verify::Verdict;
use crate::ops::artifact::{Held, Whereabouts, bytes_of, prune};
use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Keep, Report, Table};
use crate::view::run::short_digest;
use crate::view::value;

/// Which way bytes went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the store.
    Out,
    /// From the store.
    In,
}

/// Artifacts as a table.
pub fn list(artifacts: &[Held], places: &[Whereabouts]) -> Report {
    let mut table = Table::new(vec![
        Column::new("run"),
        Column::new("path").keep(Keep::End),
        Column::new("size").align(Align::Right),
        Column::new("where"),
        Column::new("sha256").rank(1),
        Column::new("id").rank(2),
    ]);
    let row = |(held, place): (&Held, &Whereabouts)| {
        vec![
            Cell::of(Role::Id, held.run.suffix()),
            path(held).into(),
            human::size(held.content.size).into(),
            whereabouts(place),
            Cell::of(Role::Dim, short_digest(&held.content.sha256)),
            Cell::of(Role::Dim, held.id.as_str()),
        ]
    };
    table.rows = artifacts.iter().zip(places).map(row).collect();
    let mut report = Report::default();
    match table.rows.is_empty() {
        true => report.prose("no artifacts"),
        false => report.blocks.push(Block::Table(table)),
    }
    report
}

/// `here, store`.
fn whereabouts(place: &Whereabouts) -> Cell {
    let there = match &place.store {
        Some(Presence::There) => Some("store"),
        Some(Presence::Refused(_)) => Some("refused"),
        Some(Presence::Absent) | None => None,
    };
    match (place.inline, place.here, there) {
        (true, ..) => "inline".into(),
        (_, true, None) => "here".into(),
        (_, true, Some(there)) => format!("here, {there}").into(),
        (_, false, Some(there)) => there.into(),
        (_, false, None) if place.store.is_some() => Cell::of(Role::Bad, "nowhere"),
        (_, false, None) => Cell::of(Role::Dim, "not here"),
    }
}

/// `plots/loss.png`, with the step it was logged at.
fn path(held: &Held) -> String {
    match held.step {
        Some(step) => format!("{} (step {})", value::path(&held.path), value::number(step)),
        None => value::path(&held.path),
    }
}

/// Artifacts as JSON.
pub fn list_json(artifacts: &[Held], places: &[Whereabouts]) -> Json {
    let element = |(held, place): (&Held, &Whereabouts)| {
        let mut element = held_json(held);
        element["inline"] = place.inline.into();
        element["here"] = place.here.into();
        element["store"] = match &place.store {
            None => Json::Null,
            Some(presence) => (*presence == Presence::There).into(),
        };
        element
    };
    artifacts.iter().zip(places).map(element).collect()
}

fn held_json(held: &Held) -> Json {
    json!({
        "run": held.run.as_str(),
        "id": held.id,
        "path": value::to_json(&held.path),
        "step": held.step.map(|step| value::to_json(&step.value())),
        "key": held.key,
        "sha256": held.content.sha256,
        "size": held.content.size,
    })
}

/// What a transfer did, in lines.
pub fn moved(moved: &Moved, store: &str, way: Way) -> Vec<String> {
    let (done, there) = words(way);
    // Where something failed there was something to do.
    let is_idle = moved.arrived.is_empty() && moved.failed.is_empty() && moved.missing.is_empty();
    match (is_idle, moved.there.is_empty()) {
        (true, true) => return vec!["nothing to do".to_owned()],
        (true, false) => return vec![format!("nothing to do: {} {there} already", sum(&moved.there))],
        _ => {}
    }
    let what = if moved.arrived.is_empty() { "nothing".to_owned() } else { sum(&moved.arrived) };
    let mut lines = vec![format!("{done} {what} {} '{store}'", direction(way))];
    if !moved.there.is_empty() {
        lines.push(format!("{} {there} already", sum(&moved.there)));
    }
    lines
}

/// What a transfer would do, in lines.
pub fn planned(plan: &Plan, store: &str, way: Way) -> Vec<String> {
    let (_, there) = words(way);
    let verb = if way == Way::Out { "would send" } else { "would take" };
    let mut lines = vec![format!("{verb} {} {} '{store}'", sum(&plan.going), direction(way))];
    if !plan.there.is_empty() {
        lines.push(format!("{} {there} already", sum(&plan.there)));
    }
    lines
}

fn words(way: Way) -> (&'static str, &'static str) {
    match way {
        Way::Out => ("sent", "there"),
        Way::In => ("took", "here"),
    }
}

fn direction(way: Way) -> &'static str {
    if way == Way::Out { "to" } else { "from" }
}

/// `3 artifacts (1.2 MiB)`.
pub fn sum(contents: &[Content]) -> String {
    format!("{} ({})", human::count(contents.len(), "artifact"), human::size(bytes_of(contents)))
}

/// What is wrong with contents, each told by an artifact that has it.
pub fn faults(artifacts: &[Held], missing: &[Content], failed: &BTreeMap<Content, String>) -> Vec<String> {
    let named = |content: &Content| {
        let held = artifacts.iter().find(|held| held.content == *content);
        held.map_or_else(
            || format!("'{}'", short_digest(&content.sha256)),
            |held| format!("artifact '{}' of run '{}'", path(held), held.run),
        )
    };
    let missing = missing.iter().map(|content| format!("{} is neither here nor there", named(content)));
    let failed = failed.iter().map(|(content, why)| format!("{}: {why}", named(content)));
    missing.chain(failed).collect()
}

/// What a transfer did as JSON: each artifact with its state.
pub fn moved_json(artifacts: &[Held], moved: &Moved, store: &str, way: Way) -> Json {
    let (done, there) = words(way);
    let states =
        States::new([(&moved.arrived, if way == Way::Out { done } else { "taken" }), (&moved.there, there)]);
    states.json(artifacts, &moved.missing, &moved.failed, store, false)
}

/// What a transfer would do as JSON.
pub fn planned_json(artifacts: &[Held], plan: &Plan, store: &str, way: Way) -> Json {
    let states = States::new([(&plan.going, "going"), (&plan.there, words(way).1)]);
    states.json(artifacts, &plan.missing, &plan.refused, store, true)
}

struct States<'a>(BTreeMap<&'a Content, &'static str>);

impl<'a> States<'a> {
    fn new(lists: [(&'a Vec<Content>, &'static str); 2]) -> Self {
        Self(
            lists
                .into_iter()
                .flat_map(|(list, state)| list.iter().map(move |content| (content, state)))
                .collect(),
        )
    }

    fn json(
        &self,
        artifacts: &[Held],
        missing: &[Content],
        failed: &BTreeMap<Content, String>,
        store: &str,
        is_dry: bool,
    ) -> Json {
        let missing: BTreeSet<&Content> = missing.iter().collect();
        let state = |held: &Held| match (&held.inline, self.0.get(&held.content)) {
            (Some(_), _) => "inline",
            (None, Some(state)) => state,
            (None, None) if missing.contains(&held.content) => "missing",
            (None, None) => "failed",
        };
        let element = |held: &Held| {
            let mut element = held_json(held);
            element["state"] = state(held).into();
            element["reason"] = failed.get(&held.content).filter(|_| held.inline.is_none()).cloned().into();
            element
        };
        json!({
            "store": store,
            "dry_run": is_dry,
            "artifacts": artifacts.iter().map(element).collect::<Json>(),
        })
    }
}

/// What was written, in lines.
pub fn got(got: &[Got], is_dry: bool) -> Vec<String> {
    let verb = if is_dry { "would write" } else { "wrote" };
    let line = |got: &Got| {
        let was =
            if got.is_renamed { format!(" (recorded as '{}')", path(&got.held)) } else { String::new() };
        format!("{verb} '{}', {}{was}", got.file.display(), human::size(got.held.content.size))
    };
    got.iter().filter(|got| got.outcome.is_ok()).map(line).collect()
}

/// What was written as JSON.
pub fn got_json(got: &[Got]) -> Json {
    let element = |got: &Got| {
        let mut element = held_json(&got.held);
        element["file"] = got.file.to_string_lossy().into_owned().into();
        element["reason"] = got.outcome.as_ref().err().map(|error| format!("{error:#}")).into();
        element
    };
    got.iter().map(element).collect()
}

/// Why an artifact was not written.
pub fn not_got(got: &Got) -> Option<String> {
    let error = got.outcome.as_ref().err()?;
    Some(format!("artifact '{}' is not written to '{}': {error:#}", path(&got.held), got.file.display()))
}

/// What was found of bytes, as a table.
pub fn verdicts(artifacts: &[Held], verdicts: &[Verdict]) -> Report {
    let is_asked = verdicts.iter().any(|verdict| verdict.store.is_some());
    let mut columns = vec![
        Column::new("run"),
        Column::new("path").keep(Keep::End),
        Column::new("size").align(Align::Right),
        Column::new("here"),
    ];
    columns.extend(is_asked.then(|| Column::new("store")));
    let mut table = Table::new(columns);
    let row = |(held, verdict): (&Held, &Verdict)| {
        let here = match (&held.inline, &verdict.here) {
            (Some(_), Ok(Standing::Whole)) => "inline".into(),
            (_, standing) => standing_cell(standing),
        };
        let there = verdict.store.as_ref().map(standing_cell).unwrap_or_default();
        let cells =
            [held.run.suffix().into(), path(held).into(), human::size(held.content.size).into(), here];
        cells.into_iter().chain(is_asked.then_some(there)).collect()
    };
    table.rows = artifacts.iter().zip(verdicts).map(row).collect();
    let mut report = Report::default();
    match table.rows.is_empty() {
        true => report.prose("no artifacts"),
        false => report.blocks.push(Block::Table(table)),
    }
    report
}

fn standing_cell(standing: &Result<Standing, String>) -> Cell {
    let role = match standing {
        Ok(Standing::Whole) => Role::Good,
        Ok(Standing::Absent) => Role::Dim,
        Ok(Standing::Damaged) => Role::Bad,
        Err(_) => Role::Warning,
    };
    Cell::of(role, standing_word(standing))
}

fn standing_word(standing: &Result<Standing, String>) -> &'static str {
    match standing {
        Ok(Standing::Whole) => "whole",
        Ok(Standing::Absent) => "absent",
        Ok(Standing::Damaged) => "damaged",
        Err(_) => "unknown",
    }
}

/// What a repair did, in lines.
pub fn repaired(repaired: &Repaired, store: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if !repaired.here.is_empty() {
        lines.push(format!("took {} from '{store}' again", sum(&repaired.here)));
        lines.push(
            "the damaged bytes are kept for two weeks, in 'xtrack/objects/tmp' of the git folder".to_owned(),
        );
    }
    if !repaired.there.is_empty() {
        lines.push(format!("sent {} to '{store}' again", sum(&repaired.there)));
    }
    if lines.is_empty() && repaired.failed.is_empty() {
        lines.push("nothing to repair".to_owned());
    }
    lines
}

/// What was found of bytes, as JSON.
pub fn verdicts_json(artifacts: &[Held], verdicts: &[Verdict]) -> Json {
    let element = |(held, verdict): (&Held, &Verdict)| {
        let mut element = held_json(held);
        element["inline"] = held.inline.is_some().into();
        element["here"] = standing_word(&verdict.here).into();
        element["store"] = verdict.store.as_ref().map(standing_word).into();
        let reasons = [Some(&verdict.here), verdict.store.as_ref()].into_iter().flatten();
        element["reason"] = reasons.filter_map(|standing| standing.as_ref().err()).next().cloned().into();
        element
    };
    artifacts.iter().zip(verdicts).map(element).collect()
}

/// What a prune did or would do, as JSON.
pub fn pruned_json(plan: &prune::Plan, store: &str, is_dry: bool) -> Json {
    let named = |content: &Content| json!({ "sha256": content.sha256, "size": content.size });
    let staying = plan.staying.iter().map(|(content, why)| {
        let mut element = named(content);
        element["reason"] = why.as_str().into();
        element
    });
    json!({
        "store": store,
        "dry_run": is_dry,
        "pruned": plan.going.iter().map(named).collect::<Json>(),
        "bytes": bytes_of(&plan.going),
        "kept": staying.collect::<Json>(),
    })
}
