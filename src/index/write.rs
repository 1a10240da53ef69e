//! Putting runs into the tables and taking them out again.
//!
//! One writer at a time, in one transaction; which runs, and when, is its caller's.

use std::collections::HashMap;

use anyhow::Result;
use rusqlite::types::{ToSql, ToSqlOutput, Value as Sql, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Statement};

use crate::index::rows::{Cell, CodeRow, Content, Rows, lossy, oid_bytes, tag_parts};
use crate::run::id::RunId;
use crate::store::RunRef;

/// The kinds of names.
pub(super) const PARAM: i64 = 0;
pub(super) const METRIC: i64 = 1;
pub(super) const TAG: i64 = 2;

/// How many names or code states are kept in mind at once.
const KNOWN_MAX: usize = 50_000;

/// The number of the next run, if none is free.
const NEXT: &str =
    "SELECT max(coalesce((SELECT max(run) FROM run), 0), coalesce((SELECT max(run) FROM free), 0)) + 1";

/// What writes rows.
pub(super) struct Writer<'c> {
    connection: &'c Connection,
    /// Their numbers, and how many more runs use them than the table says.
    names: [HashMap<String, (i64, i64)>; 3],
    codes: HashMap<[u8; 32], (i64, i64)>,
    next: i64,
    /// Numbers that no run has any more.
    free: Vec<i64>,
    run: Statement<'c>,
    damaged: Statement<'c>,
    brief: Statement<'c>,
    param: Statement<'c>,
    metric: Statement<'c>,
    tag: Statement<'c>,
    note: Statement<'c>,
    input: Statement<'c>,
    reference: Statement<'c>,
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Cell::Null => ToSqlOutput::Owned(Sql::Null),
            Cell::Int(int) => ToSqlOutput::Owned(Sql::Integer(*int)),
            Cell::Real(real) => ToSqlOutput::Owned(Sql::Real(*real)),
            Cell::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

impl<'c> Writer<'c> {
    /// Writes into this database, whose tables are there.
    pub fn new(connection: &'c Connection) -> Result<Self> {
        let insert = |table: &str, columns: usize| {
            let slots = vec!["?"; columns].join(", ");
            connection.prepare(&format!("INSERT INTO {table} VALUES({slots})"))
        };
        let mut free = connection.prepare("SELECT run FROM free")?;
        Ok(Self {
            names: Default::default(),
            codes: HashMap::new(),
            next: connection.query_row(NEXT, [], |row| row.get(0))?,
            free: free.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?,
            run: insert("run", 22)?,
            damaged: insert("run(run, id, tip, remote, damage, is_lasting, deleted)", 7)?,
            brief: insert("brief", 5)?,
            param: insert("param", 5)?,
            metric: insert("metric", 12)?,
            tag: insert("tag", 4)?,
            note: insert("note", 6)?,
            input: insert("input", 9)?,
            reference: insert("ref", 4)?,
            connection,
        })
    }

    /// Puts in a run that is not there.
    pub fn add(&mut self, rows: &Rows) -> Result<()> {
        let run = self.number()?;
        match &rows.content {
            Ok(content) => self.add_content(run, rows, content),
            Err(damage) => {
                self.damaged.execute((
                    run,
                    rows.tip.id.as_str(),
                    oid_bytes(&rows.tip.tip),
                    &rows.tip.remote,
                    &damage.why,
                    damage.is_lasting,
                    false,
                ))?;
                Ok(())
            }
        }
    }

    /// A number that no run has: of one that has gone, so that there are no more numbers than there were runs.
    fn number(&mut self) -> Result<i64> {
        if let Some(run) = self.free.pop() {
            self.connection.prepare_cached("DELETE FROM free WHERE run = ?")?.execute([run])?;
            return Ok(run);
        }
        self.next += 1;
        Ok(self.next - 1)
    }

    fn add_content(&mut self, run: i64, rows: &Rows, content: &Content) -> Result<()> {
        let code = content.code.as_ref().map(|code| self.code(code)).transpose()?;
        let tip = oid_bytes(&rows.tip.tip);
        let texts = &content.texts;
        bind(
            &mut self.run,
            &[
                &run,
                &rows.tip.id.as_str(),
                &tip,
                &rows.tip.remote,
                &None::<String>,
                &None::<bool>,
                &content.deleted,
                &content.status,
                &content.started,
                &content.ended,
                &content.exit_code,
                &code,
                &content.fingerprint,
                &texts[0],
                &texts[1],
                &texts[2],
                &texts[3],
                &texts[4],
                &texts[5],
                &texts[6],
                &texts[7],
                &texts[8],
            ],
        )?;
        bind(&mut self.brief, &[&run, &code, &tip, &rows.tip.remote, &content.brief])?;
        for row in &content.params {
            let name = self.name(PARAM, &row.name)?;
            bind(&mut self.param, &[&run, &name, &(row.kind as i64), &row.value, &row.whole])?;
        }
        for row in &content.metrics {
            let name = self.name(METRIC, &row.name)?;
            let [last, min, max, last_step, min_step, max_step] = &row.numbers;
            bind(
                &mut self.metric,
                &[
                    &run,
                    &name,
                    &row.own,
                    &row.shown,
                    last,
                    min,
                    max,
                    last_step,
                    min_step,
                    max_step,
                    &row.count,
                    &row.nonfinite,
                ],
            )?;
        }
        let mut keys: Vec<&str> = Vec::new();
        for (position, tag) in content.tags.iter().enumerate() {
            let (key, value) = tag_parts(tag);
            let is_first = !keys.contains(&key);
            keys.push(key);
            let name = self.use_name(TAG, key, i64::from(is_first))?;
            bind(&mut self.tag, &[&run, &(position as i64), &name, &value])?;
        }
        for (position, note) in content.notes.iter().enumerate() {
            let at = note.at.map(|at| at.0);
            bind(&mut self.note, &[&run, &(position as i64), &note.id, &note.text, &note.by, &at])?;
        }
        for (position, input) in content.inputs.iter().enumerate() {
            let count = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok());
            bind(
                &mut self.input,
                &[
                    &run,
                    &(position as i64),
                    &input.name,
                    &lossy(&input.path),
                    &input.kind,
                    &input.sha256,
                    &input.digest,
                    &count(input.size),
                    &count(input.files),
                ],
            )?;
        }
        Ok(())
    }

    /// Takes out a run, if it is there.
    pub fn remove(&mut self, id: &RunId) -> Result<()> {
        let found: Option<(i64, Option<i64>)> = self
            .connection
            .prepare_cached("SELECT run, code FROM run WHERE id = ?")?
            .query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((run, code)) = found else {
            return Ok(());
        };
        for table in ["param", "metric", "tag"] {
            let users = format!("SELECT DISTINCT name FROM {table} WHERE run = ?");
            let mut users = self.connection.prepare_cached(&users)?;
            let names: Vec<i64> = users.query_map([run], |row| row.get(0))?.collect::<Result<_, _>>()?;
            for name in names {
                self.connection
                    .prepare_cached("UPDATE name SET uses = uses - 1 WHERE name = ?")?
                    .execute([name])?;
            }
        }
        self.connection.prepare_cached("UPDATE code SET uses = uses - 1 WHERE code = ?")?.execute([code])?;
        self.connection.prepare_cached("INSERT INTO free VALUES(?)")?.execute([run])?;
        self.free.push(run);
        for table in ["run", "brief", "param", "metric", "tag", "note", "input"] {
            self.connection.prepare_cached(&format!("DELETE FROM {table} WHERE run = ?"))?.execute([run])?;
        }
        Ok(())
    }

    /// Puts in a ref, or replaces what was known of it; without a target it is taken out.
    pub fn put_ref(&mut self, found: &RefRow) -> Result<()> {
        self.connection
            .prepare_cached("DELETE FROM ref WHERE id = ? AND place = ?")?
            .execute([found.id.as_str(), &found.place])?;
        if found.packed.is_some() || found.loose.is_some() {
            self.add_ref(found)?;
        }
        Ok(())
    }

    /// Puts in a ref that is not there.
    pub fn add_ref(&mut self, found: &RefRow) -> Result<()> {
        let bytes = |oid: &Option<String>| oid.as_ref().map(|oid| oid_bytes(oid));
        bind(
            &mut self.reference,
            &[&found.id.as_str(), &found.place, &bytes(&found.packed), &bytes(&found.loose)],
        )
    }

    /// Writes down what was kept in mind. What nobody uses any more goes.
    pub fn finish(mut self) -> Result<()> {
        self.settle_names()?;
        self.settle_codes()?;
        self.connection
            .execute_batch("DELETE FROM name WHERE uses <= 0; DELETE FROM code WHERE uses <= 0")?;
        Ok(())
    }

    fn name(&mut self, kind: i64, text: &str) -> Result<i64> {
        self.use_name(kind, text, 1)
    }

    fn use_name(&mut self, kind: i64, text: &str, uses: i64) -> Result<i64> {
        if let Some((number, more)) = self.names[kind as usize].get_mut(text) {
            *more += uses;
            return Ok(*number);
        }
        if self.names[kind as usize].len() >= KNOWN_MAX {
            self.settle_names()?;
        }
        let known: Option<i64> = self
            .connection
            .prepare_cached("SELECT name FROM name WHERE kind = ? AND text = ?")?
            .query_row((kind, text), |row| row.get(0))
            .optional()?;
        let number = match known {
            Some(number) => number,
            None => self
                .connection
                .prepare_cached("INSERT INTO name(kind, text, uses) VALUES(?, ?, 0)")?
                .insert((kind, text))?,
        };
        self.names[kind as usize].insert(text.to_owned(), (number, uses));
        Ok(number)
    }

    fn code(&mut self, row: &CodeRow) -> Result<i64> {
        if let Some((number, more)) = self.codes.get_mut(&row.digest) {
            *more += 1;
            return Ok(*number);
        }
        if self.codes.len() >= KNOWN_MAX {
            self.settle_codes()?;
        }
        let known: Option<i64> = self
            .connection
            .prepare_cached("SELECT code FROM code WHERE digest = ?")?
            .query_row([&row.digest[..]], |row| row.get(0))
            .optional()?;
        let number = match known {
            Some(number) => number,
            None => self
                .connection
                .prepare_cached(
                    "INSERT INTO code(uses, digest, commit_id, tree, branch, patch_id, dirty, bytes)
                     VALUES(0, ?, ?, ?, ?, ?, ?, ?)",
                )?
                .insert((
                    &row.digest[..],
                    &row.texts[0],
                    &row.texts[1],
                    &row.texts[2],
                    &row.texts[3],
                    row.is_dirty,
                    &row.bytes,
                ))?,
        };
        self.codes.insert(row.digest, (number, 1));
        Ok(number)
    }

    fn settle_names(&mut self) -> Result<()> {
        let mut more = self.connection.prepare_cached("UPDATE name SET uses = uses + ? WHERE name = ?")?;
        for (number, uses) in self.names.iter_mut().flat_map(HashMap::drain).map(|(_, known)| known) {
            more.execute([uses, number])?;
        }
        Ok(())
    }

    fn settle_codes(&mut self) -> Result<()> {
        let mut more = self.connection.prepare_cached("UPDATE code SET uses = uses + ? WHERE code = ?")?;
        for (number, uses) in self.codes.drain().map(|(_, known)| known) {
            more.execute([uses, number])?;
        }
        Ok(())
    }
}

/// A ref of a run as the table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RefRow {
    pub id: RunId,
    pub place: String,
    pub packed: Option<String>,
    pub loose: Option<String>,
}

impl RefRow {
    /// What it points at, if it is there.
    pub fn target(&self) -> Option<RunRef> {
        let tip = self.loose.clone().or_else(|| self.packed.clone())?;
        Some(RunRef { id: self.id.clone(), place: self.place.clone(), tip })
    }
}

fn bind(statement: &mut Statement<'_>, values: &[&dyn ToSql]) -> Result<()> {
    for (index, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, value)?;
    }
    statement.raw_execute()?;
    Ok(())
}
