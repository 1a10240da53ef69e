//! Whether the index holds what it should: another one is built and the two are compared, table by table.

use anyhow::Result;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Row, Rows};

use crate::index::feed::Reading;
use crate::index::{Index, build};
use crate::store::Store;

/// How many differences are told.
const TOLD_MAX: usize = 20;

/// What holds the same rows in the same order whatever the order in which runs came.
const CONTENT: &[(&str, &str)] = &[
    (
        "runs",
        "SELECT run.id, tip, remote, damage, is_lasting, deleted, status, started, ended, exit_code, digest, fingerprint, name,
         experiment, user, host, signal, parent, run_group, key, command FROM run LEFT JOIN code USING (code)
         ORDER BY run.id",
    ),
    ("whole runs", "SELECT id, digest, brief.tip, brief.remote, brief.bytes FROM run JOIN brief USING (run)
         LEFT JOIN code ON code.code = brief.code ORDER BY id"),
    (
        "params",
        "SELECT id, text, type, value, whole FROM param JOIN name USING (name) JOIN run USING (run) ORDER BY id, text",
    ),
    (
        "metrics",
        "SELECT id, text, own, shown, last, min, max, last_step, min_step, max_step, count, nonfinite
         FROM metric JOIN name USING (name) JOIN run USING (run) ORDER BY id, text",
    ),
    (
        "tags",
        "SELECT id, position, text, value FROM tag JOIN name USING (name) JOIN run USING (run) ORDER BY id, position",
    ),
    (
        "notes",
        "SELECT run.id, position, note.id, text, author, at FROM note JOIN run USING (run) ORDER BY run.id, position",
    ),
    (
        "inputs",
        "SELECT id, position, input.name, path, kind, sha256, digest, size, files
         FROM input JOIN run USING (run) ORDER BY id, position",
    ),
    ("code", "SELECT digest, uses, commit_id, tree, branch, patch_id, dirty, bytes FROM code ORDER BY digest"),
    ("names", "SELECT kind, text, uses FROM name ORDER BY kind, text"),
    ("refs", "SELECT id, place, packed, loose FROM ref ORDER BY id, place"),
];

impl Index {
    /// Compares the index with all runs, read anew; what differs, if anything does.
    pub fn verify(store: &Store, reading: &Reading<'_>) -> Result<Vec<String>> {
        let differences = Self::differences(store, reading)?;
        if differences.is_empty() {
            return Ok(differences);
        }
        // A ref may have moved between the two.
        Self::differences(store, reading)
    }

    fn differences(store: &Store, reading: &Reading<'_>) -> Result<Vec<String>> {
        let index = Self::open(store, reading)?;
        let mut differences = unsound(&index.connection)?;
        build::beside(store, reading, &index.place, |other| {
            for (what, query) in CONTENT {
                if let Some(row) = first_difference(&index.connection, other, query)? {
                    differences.push(format!("{what}: {row}"));
                }
            }
            Ok(())
        })?;
        differences.truncate(TOLD_MAX);
        Ok(differences)
    }
}

/// What SQLite itself finds wrong.
fn unsound(connection: &Connection) -> Result<Vec<String>> {
    let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
    let said: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(said.into_iter().filter(|line| line != "ok").collect())
}

/// The first row of a query that is not the same in both.
fn first_difference(one: &Connection, other: &Connection, query: &str) -> Result<Option<String>> {
    let (mut one, mut other) = (one.prepare(query)?, other.prepare(query)?);
    let width = one.column_count();
    let (mut ours, mut theirs) = (one.query([])?, other.query([])?);
    loop {
        let (our, their) = (next(&mut ours, width)?, next(&mut theirs, width)?);
        match (our, their) {
            (None, None) => return Ok(None),
            (our, their) if our == their => {}
            (our, their) => return Ok(Some(told(our.or(their)))),
        }
    }
}

fn next(rows: &mut Rows<'_>, width: usize) -> Result<Option<Vec<Sql>>> {
    let read = |row: &Row<'_>| (0..width).map(|index| row.get(index)).collect::<Result<Vec<Sql>, _>>();
    Ok(rows.next()?.map(read).transpose()?)
}

/// By what a row is known.
fn told(row: Option<Vec<Sql>>) -> String {
    let words = row.into_iter().flatten().take(3).map(|value| match value {
        Sql::Null => "-".to_owned(),
        Sql::Integer(int) => int.to_string(),
        Sql::Real(real) => real.to_string(),
        Sql::Text(text) => crate::error::shorten(&text),
        Sql::Blob(bytes) => crate::error::shorten(&crate::run::id::hex(&bytes)),
    });
    words.collect::<Vec<_>>().join(" ")
}
