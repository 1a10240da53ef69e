//! Who changed what of a run, and when: its attempts and edits in the order in which they count.
//!
//! Knows nothing of signatures; who made an edit is what the edit claims.

use crate::render::style::Role;
use crate::render::{Block, Cell, Column, Report, Table};
use crate::run::Run;
use crate::run::attempt::Facts;
use crate::run::edit::Edit;
use crate::run::id::Time;
use crate::run::value::named_leaves;
use crate::view::value;

/// A commit of the run's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id in hex.
    pub oid: String,
    /// Who made it.
    pub author: String,
    /// When.
    pub at: Time,
    /// Its first line.
    pub subject: String,
}

/// The whole history of a run.
pub fn history(run: &Run, commits: &[Commit]) -> Report {
    let mut report = Report::default();
    report.title(
        Cell::of(Role::Heading, value::called(run)).and(Role::Plain, "  ").and(Role::Id, run.id.as_str()),
    );
    report.blocks.extend(blocks(run, commits));
    report
}

/// The parts of it, each under its heading.
pub fn blocks(run: &Run, commits: &[Commit]) -> Vec<Block> {
    let mut report = Report::default();
    report.section("History", Block::Table(words(run)));
    if !commits.is_empty() {
        report.section("Commits of the record", Block::Table(commits_table(commits)));
    }
    report.blocks
}

fn words(run: &Run) -> Table {
    let mut table = Table::new(vec![
        Column::new("when"),
        Column::new("who").width_max(32),
        Column::new("what"),
        Column::new("edit").rank(1),
    ]);
    table.rows.extend(run.attempts.iter().map(attempt_row));
    for (id, edit) in &run.edits {
        let told = sentences(edit);
        let said: Vec<Cell> = match edit.understood {
            true if told.is_empty() => vec![Cell::of(Role::Dim, "said nothing")],
            true => told,
            false => vec![Cell::of(Role::Warning, "not understood: written by a newer version")],
        };
        for (index, what) in said.into_iter().enumerate() {
            table.rows.push(match index {
                0 => vec![
                    value::time(edit.at).into(),
                    edit.by.as_str().into(),
                    what,
                    Cell::of(Role::Id, id.as_str()),
                ],
                _ => vec![Cell::default(), Cell::default(), what, Cell::default()],
            });
        }
    }
    table
}

fn attempt_row(facts: &Facts) -> Vec<Cell> {
    let name = facts.attempt.as_ref().map(ToString::to_string).unwrap_or_default();
    vec![
        facts.started.map(value::time).unwrap_or_default().into(),
        facts.user.clone().unwrap_or_default().into(),
        Cell::from("attempt ").and(Role::Id, name).and(Role::Plain, format!(": {}", facts.status.as_str())),
        Cell::default(),
    ]
}

/// What an edit says, one sentence each.
fn sentences(edit: &Edit) -> Vec<Cell> {
    let mut said: Vec<String> = Vec::new();
    said.extend(edit.name.iter().map(|name| format!("name: {name}")));
    said.extend(edit.experiment.iter().map(|experiment| format!("experiment: {experiment}")));
    said.extend(edit.tags_added.iter().map(|tag| format!("tag added: {tag}")));
    said.extend(edit.tags_removed.iter().map(|tag| format!("tag removed: {tag}")));
    said.extend(edit.note.iter().map(|note| format!("note: {note}")));
    said.extend(edit.withdrawn.iter().map(|thing| format!("withdrawn: {thing}")));
    said.extend(edit.reinstated.iter().map(|thing| format!("withdrawal taken back: {thing}")));
    said.extend(edit.verdict.iter().map(|verdict| {
        let attempts: Vec<&str> = verdict.attempts.iter().map(|id| id.as_str()).collect();
        format!("status: {} (attempt {})", verdict.status.as_str(), attempts.join(", "))
    }));
    said.extend(
        edit.metrics
            .iter()
            .map(|(name, number)| format!("metric set: {name} = {}", value::exact_number(*number))),
    );
    said.extend(edit.metrics_hidden.iter().map(|name| format!("metric hidden: {name}")));
    let params = named_leaves(&edit.params).into_iter();
    said.extend(params.map(|(name, given)| format!("param corrected: {name} = {}", value::value(given))));
    said.extend(edit.deleted.iter().map(|deleted| match deleted {
        true => "deleted".to_owned(),
        false => "restored".to_owned(),
    }));
    said.extend(edit.artifacts.iter().map(|_| "artifacts added".to_owned()));
    said.into_iter().map(Cell::from).collect()
}

fn commits_table(commits: &[Commit]) -> Table {
    let mut table = Table::new(vec![
        Column::new("commit"),
        Column::new("when"),
        Column::new("who").width_max(32),
        Column::new("what"),
    ]);
    table.rows.extend(commits.iter().map(|commit| {
        vec![
            Cell::of(Role::Id, value::short_oid(&commit.oid)),
            value::time(commit.at).into(),
            commit.author.as_str().into(),
            commit.subject.as_str().into(),
        ]
    }));
    table
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::render::terminal::{Terminal, write};
    use crate::run::attempt::{Number, Status};
    use crate::run::edit::Verdict;
    use crate::run::value::Table as Params;
    use crate::view::sample::{at, plain, table, whole};

    #[test]
    fn edits_are_told_in_the_order_that_counts() {
        let facts = plain(1);
        let mut first = Edit::new("Ana <ana@example.org>".into(), at(9000), Vec::new());
        first.tags_added = vec!["best".into()];
        first.note = Some("two\nlines".into());
        first.verdict =
            Some(Verdict { status: Status::Failed, attempts: vec![facts.attempt.clone().unwrap()] });
        let mut second = Edit::new("Bo".into(), at(8000), vec![first.encode().0]);
        second.metrics.insert("f1".into(), Number::Float(0.5));
        second.params = table([("lr", 0.1.into())]);
        second.deleted = Some(true);
        let run = whole(facts, Params::new(), &[second, first]);
        let commits = [Commit {
            oid: "c".repeat(40),
            author: "Ana".into(),
            at: at(9100),
            subject: "edit quiet-otter".into(),
        }];
        let text = write(&history(&run, &commits), &Terminal { width: 120, colour: false });
        insta::assert_snapshot!(text, @r#"
        quiet-otter-1  20260102-130000-b1111111

        History
          when                     who                    what                               edit
          2026-01-02 13:00:00 UTC                         attempt nbbbbbbb: finished
          2026-01-02 14:30:00 UTC  Ana <ana@example.org>  tag added: best                    20260102-143000-98893fed9e4be4aa
                                                          note: two\nlines
                                                          status: failed (attempt nbbbbbbb)
          2026-01-02 14:13:20 UTC  Bo                     metric set: f1 = 0.5               20260102-141320-cd714e8263c82756
                                                          param corrected: lr = 0.1
                                                          deleted

        Commits of the record
          commit      when                     who  what
          cccccccccc  2026-01-02 14:31:40 UTC  Ana  edit quiet-otter
        "#);
    }
}
