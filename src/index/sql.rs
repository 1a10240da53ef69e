//! Questions in SQL over the views of the index, for people and their scripts.
//!
//! Nothing but reading is possible: the database is opened to be read, none can be attached, and only what begins as a
//! question is run.

use anyhow::Result;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error};

use crate::error::Problem;
use crate::index::{Index, count};
use crate::run::value::Value;

/// The largest text or blob that a question may make, in bytes.
const LENGTH_MAX: i32 = 256 << 20;
/// What a question begins with.
const BEGINNINGS: [&str; 4] = ["select", "with", "values", "explain"];

/// The answer to a question in SQL.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SqlAnswer {
    /// What the columns are called.
    pub columns: Vec<String>,
    /// A value for each column, row by row.
    pub rows: Vec<Vec<Value>>,
}

impl Index {
    /// Answers a question in SQL.
    pub fn sql(&self, question: &str) -> Result<SqlAnswer> {
        answer(&self.connection, question)
    }

    /// The views and their columns.
    pub fn views(&self) -> Result<Vec<(String, Vec<String>)>> {
        let views =
            answer(&self.connection, "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY rowid")?;
        let names = views.rows.into_iter().flatten();
        let names = names.filter_map(|name| name.as_text().map(str::to_owned));
        let columns = |view: String| -> Result<(String, Vec<String>)> {
            let statement = self.connection.prepare(&format!("SELECT * FROM {view}"))?;
            Ok((view, statement.column_names().map(str::to_owned).collect()))
        };
        names.map(columns).collect()
    }
}

fn answer(connection: &Connection, question: &str) -> Result<SqlAnswer> {
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LENGTH_MAX)?;
    let mut statement = connection.prepare(question).map_err(refused)?;
    if !is_question(question) || !statement.readonly() {
        return Err(Problem::usage("cannot run that SQL: only questions are answered, nothing is changed")
            .hint("begin it with SELECT, WITH or VALUES")
            .into());
    }
    let columns = distinct(statement.column_names());
    let mut rows = statement.query([]).map_err(refused)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(refused)? {
        let value = |index| Ok(value(row.get_ref(index)?));
        found.push((0..columns.len()).map(value).collect::<Result<Vec<_>, Error>>()?);
    }
    count::add(found.len() as u64);
    Ok(SqlAnswer { columns, rows: found })
}

/// Whether the first word, comments aside, is one of a question.
fn is_question(question: &str) -> bool {
    let mut rest =
        question.trim_start_matches(|character: char| character.is_whitespace() || character == ';');
    loop {
        let after = match () {
            () if rest.starts_with("--") => rest.split_once('\n').map_or("", |(_, after)| after),
            () if rest.starts_with("/*") => rest.split_once("*/").map_or("", |(_, after)| after),
            () => break,
        };
        rest = after.trim_start_matches(|character: char| character.is_whitespace() || character == ';');
    }
    let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    BEGINNINGS.iter().any(|beginning| word.eq_ignore_ascii_case(beginning))
}

/// The names, each once: the second `run` is `run_2`.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for name in names {
        let more = (2..).map(|number| format!("{name}_{number}"));
        let free = std::iter::once(name.to_owned()).chain(more).find(|name| !columns.contains(name));
        columns.extend(free);
    }
    columns
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(int) => Value::Int(int),
        ValueRef::Real(real) => Value::Float(real),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Value::from(text),
            Err(_) => Value::Bytes(text.to_vec()),
        },
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

/// What SQLite says of a question; what it says of the file is passed on as it is.
fn refused(error: Error) -> anyhow::Error {
    use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseCorrupt, NotADatabase, SystemIoFailure};
    let is_of_file = error.sqlite_error_code().is_some_and(|code| {
        [CannotOpen, DatabaseBusy, DatabaseCorrupt, NotADatabase, SystemIoFailure].contains(&code)
    });
    if is_of_file {
        return error.into();
    }
    let message = match &error {
        Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    };
    let problem = Problem::usage(format!("cannot run that SQL: {message}"));
    problem.hint("`git xtrack sql` without a question lists the views and their columns").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(question: &str) -> Result<SqlAnswer, String> {
        let connection = Connection::open_in_memory().map_err(|error| error.to_string())?;
        answer(&connection, question).map_err(|error| error.to_string())
    }

    #[test]
    fn questions_are_answered() {
        let found =
            ask("-- one\nSELECT 1 AS a, 'x' AS a, 1.5, NULL, x'00'; -- done").expect("it is a question");
        assert_eq!(found.columns, ["a", "a_2", "1.5", "NULL", "x'00'"]);
        let row = [1.into(), "x".into(), 1.5.into(), Value::Null, Value::Bytes(vec![0])];
        assert_eq!(found.rows, [row.to_vec()]);
    }

    #[test]
    fn nothing_else_is_done() {
        for statement in [
            "CREATE TABLE t(x)",
            "ATTACH 'other.sqlite' AS other",
            "PRAGMA journal_mode = WAL",
            "VACUUM INTO 'other.sqlite'",
            "WITH x AS (SELECT 1) DELETE FROM sqlite_schema",
            "SELECT 1; SELECT 2",
            "/* SELECT */ BEGIN",
            "SELECT load_extension('x')",
            "SELECT zeroblob(1000000000)",
            "SELECT nothing",
            "",
        ] {
            assert!(ask(statement).is_err(), "{statement}");
        }
        assert!(!std::path::Path::new("other.sqlite").exists());
    }
}
