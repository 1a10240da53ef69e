//! The facts of a run that no program of ours began, as its writers give them.
//!
//! Anybody may have written them: what is no fact, or not theirs to say, is dropped, and what lies is refused.

use anyhow::Result;

use crate::error::Problem;
use crate::journal::replay::Replay;
use crate::run::attempt::{Facts, Status};
use crate::run::id::{RunId, check_name};
use crate::run::value::{Table, Value};

/// What to do where a folder is none of a run.
pub const HINT: &str = "name the folder that the client wrote, which holds '*.jsonl' files, or one that holds such folders: \
                    by default 'xtrack-runs'";

/// What a start may say of a run. How it ended is what the journals tell; where it was imported from nobody but an
/// importer says.
const START_KEYS: &[&str] = &[
    "format",
    "id",
    "key",
    "name",
    "experiment",
    "attempt",
    "after",
    "started",
    "command",
    "cwd",
    "user",
    "host",
    "xtrack",
    "parent",
    "group",
    "tags",
    "notes",
    "code",
    "params",
    "inputs",
    "scheduler",
    "ci",
];

/// The facts that the writers of a folder say of their run, checked.
pub fn facts(glimpse: &Replay) -> Result<Facts> {
    let problem = || Problem::new("no writer says which run it is of").hint(HINT);
    checked(glimpse.start.as_ref().ok_or_else(problem)?)
}

/// Facts from a table that anybody may have written.
pub fn checked(start: &Table) -> Result<Facts> {
    let wanted = start.iter().filter(|(key, _)| START_KEYS.contains(&key.as_str()));
    let mut table: Table = wanted.map(|(key, value)| (key.clone(), value.clone())).collect();
    table.insert("revision".to_owned(), Value::Int(1));
    table.insert("status".to_owned(), Status::Running.as_str().into());
    let facts = Facts::from_table(&table).map_err(|problem| Problem {
        message: format!("what it says of its start {}", problem.message),
        ..problem
    })?;
    if facts.key.as_deref().is_some_and(|key| RunId::keyed(key) != facts.id) {
        return Err(Problem::new("its id is not the one of its run key").into());
    }
    let named = [
        ("a run's name", &facts.name),
        ("an experiment", &facts.experiment),
        ("a group", &facts.group),
        ("a run key", &facts.key),
    ];
    for (what, name) in named {
        name.as_ref().map_or(Ok(()), |name| check_name(what, name))?;
    }
    facts.tags.iter().try_for_each(|tag| check_name("a tag", tag))?;
    Ok(facts)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn start(more: &[(&str, Value)]) -> Table {
        let known = [
            ("format", Value::Int(1)),
            ("id", "20260101-000000-abcdefgh".into()),
            ("attempt", "bcdefghj".into()),
        ];
        known.iter().chain(more).map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }

    #[test]
    fn a_start_says_what_it_may_and_nothing_else() {
        let more = [
            ("name", "n".into()),
            ("status", "finished".into()),
            ("revision", Value::Int(999)),
            ("imported", Value::Table(Table::new())),
            ("metrics", Value::Table(Table::from([("loss".to_owned(), Value::Int(1))]))),
            ("unknown", Value::Int(1)),
        ];
        let facts = checked(&start(&more)).unwrap();
        assert_eq!((facts.name.as_deref(), facts.status, facts.revision), (Some("n"), Status::Running, 1));
        assert!(facts.imported.is_none() && facts.metrics.is_empty());
    }

    #[test]
    fn a_start_that_lies_is_refused() {
        for (key, value) in [
            ("id", Value::from("../../../etc/passwd")),
            ("attempt", "../x".into()),
            ("key", "k".into()),
            ("name", "a\u{202e}b".into()),
            ("name", Value::Int(1)),
            ("tags", Value::List(vec!["a\u{1b}[0m".into()])),
            ("started", "yesterday".into()),
        ] {
            assert!(checked(&start(&[(key, value.clone())])).is_err(), "{key} = {value:?}");
        }
    }
}
