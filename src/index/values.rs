//! What runs have in a field, value by value, from the tables.
//!
//! A table holds what the run holds, or tells that the run must be looked at. Which values are wanted may narrow what is
//! read, never what is right: each value is tested again by the query language itself.

use std::collections::HashMap;

use anyhow::Result;
use indexmap::IndexMap;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, ToSql, params_from_iter};

use crate::index::count;
use crate::index::rows::{Own, ParamType, Shown, TEXT_MAX};
use crate::index::write::{METRIC, PARAM, TAG};
use crate::query::{Attribute, Comparison, Field, Literal, Part, Test};
use crate::run::attempt::{Definition, Goal};
use crate::run::id::Time;
use crate::run::value::Value;

/// What the settings say of metrics of which a run says nothing itself.
pub(super) type Definitions = IndexMap<String, Definition>;

/// Reads the values of fields.
pub(super) struct Values<'a> {
    pub connection: &'a Connection,
    pub definitions: &'a Definitions,
    /// Whether moments are wanted as microseconds, to be sorted, instead of as text.
    pub as_micros: bool,
}

/// Is given a run and a value that it has; no value: the run itself must be looked at.
pub(super) type Visit<'a> = &'a mut dyn FnMut(i64, Option<&Value>);

/// What a row is narrowed by: `(SQL after AND, its values)`.
type Narrowing = Vec<(&'static str, Vec<Value>)>;

impl Values<'_> {
    /// Gives each run that has something there, with each value; those whose values cannot pass the test may be missing.
    pub fn each(&self, field: &Field, test: Option<&Test>, visit: Visit<'_>) -> Result<()> {
        match field {
            Field::Param(name) => self.params(name, test, visit),
            Field::Metric(name, part) => self.metrics(name, part, test, visit),
            Field::Tag(key) => self.tag(key, visit),
            Field::Attribute(attribute) => self.attribute(*attribute, test, visit),
        }
    }

    /// The number of a name, if any run uses it.
    pub fn name(&self, kind: i64, text: &str) -> Result<Option<i64>> {
        let mut statement =
            self.connection.prepare_cached("SELECT name FROM name WHERE kind = ? AND text = ?")?;
        Ok(statement.query_row((kind, text), |row| row.get(0)).optional()?)
    }

    fn params(&self, name: &str, test: Option<&Test>, visit: Visit<'_>) -> Result<()> {
        let Some(name) = self.name(PARAM, name)? else { return Ok(()) };
        for (narrowing, values) in narrowed(test, true) {
            let query = format!("SELECT run, type, value FROM param WHERE name = ? {narrowing}");
            self.rows(&query, params_from_iter(with(name, &values)), |row| {
                let value = param(row.get(1)?, row.get_ref(2)?);
                visit(row.get(0)?, value.as_ref());
                Ok(())
            })?;
        }
        Ok(())
    }

    fn metrics(&self, name: &str, part: &Part, test: Option<&Test>, visit: Visit<'_>) -> Result<()> {
        let definition = self.definitions.get(name);
        let Some(number) = self.name(METRIC, name)? else { return Ok(()) };
        // Where neither the run nor the settings say otherwise the last is shown, as the column has it.
        let is_as_shown =
            *part == Part::Shown && definition.is_none_or(|said| Shown::of(said) == Shown::Last);
        let narrowing = if is_as_shown { narrowed(test, false) } else { vec![("", Vec::new())] };
        let is_narrowed = narrowing.iter().all(|(sql, _)| !sql.is_empty());
        let column = match part {
            Part::LastStep => "last_step",
            Part::MinStep => "min_step",
            Part::MaxStep => "max_step",
            Part::Count => "count",
            Part::Nonfinite => "nonfinite",
            _ => "NULL",
        };
        for (narrowing, values) in narrowing {
            let narrowing = narrowing.replace("value", "shown");
            let query = format!(
                "SELECT run, own, shown, last, min, max, {column} FROM metric WHERE name = ? {narrowing}"
            );
            self.rows(&query, params_from_iter(with(number, &values)), |row| {
                let own = Own::from_number(row.get(1)?);
                if own.is_rough {
                    visit(row.get(0)?, None);
                    return Ok(());
                }
                let shown = own.shown.or(definition.map(Shown::of)).unwrap_or(Shown::Last);
                let goal = match own.shown {
                    Some(_) => own.goal,
                    None => definition.and_then(|definition| definition.goal),
                };
                let column = match (part, shown, goal) {
                    (Part::Last, ..) | (Part::Shown, Shown::Last, _) => 3,
                    (Part::Min, ..) | (Part::Shown, Shown::Min, _) | (Part::Best, _, Some(Goal::Min)) => 4,
                    (Part::Max, ..) | (Part::Shown, Shown::Max, _) | (Part::Best, _, Some(Goal::Max)) => 5,
                    (Part::Best, _, None) => return Ok(()),
                    _ => 6,
                };
                let value = match (row.get_ref(column)?, column) {
                    (ValueRef::Integer(int), _) => Value::Int(int),
                    (ValueRef::Real(real), _) => Value::Float(real),
                    // A metric without steps has none; its numbers are always there, if only as NaN.
                    (_, 6) => return Ok(()),
                    _ => Value::Float(f64::NAN),
                };
                visit(row.get(0)?, Some(&value));
                Ok(())
            })?;
        }
        if is_narrowed {
            let rough = "SELECT run FROM metric INDEXED BY metric_rough WHERE name = ? AND own & 4";
            self.rows(rough, [number], |row| {
                visit(row.get(0)?, None);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The value of `key=value`; of a bare tag, empty text.
    fn tag(&self, key: &str, visit: Visit<'_>) -> Result<()> {
        let Some(name) = self.name(TAG, key)? else { return Ok(()) };
        let mut found: HashMap<i64, Option<String>> = HashMap::new();
        self.rows("SELECT run, value FROM tag WHERE name = ?", [name], |row| {
            let value: Option<String> = row.get(1)?;
            let known = found.entry(row.get(0)?).or_default();
            *known = value.or(known.take());
            Ok(())
        })?;
        for (run, value) in found {
            visit(run, Some(&Value::Text(value.unwrap_or_default())));
        }
        Ok(())
    }

    fn attribute(&self, attribute: Attribute, test: Option<&Test>, visit: Visit<'_>) -> Result<()> {
        match attribute {
            Attribute::Id => self.texts("id", test, visit),
            Attribute::Name => self.texts("name", test, visit),
            Attribute::Experiment => self.texts("experiment", test, visit),
            Attribute::Status => self.texts("status", test, visit),
            Attribute::Signal => self.texts("signal", test, visit),
            Attribute::User => self.texts("user", test, visit),
            Attribute::Host => self.texts("host", test, visit),
            Attribute::Command => self.texts("command", test, visit),
            Attribute::Group => self.texts("run_group", test, visit),
            Attribute::Parent => self.texts("parent", test, visit),
            Attribute::Key => self.texts("key", test, visit),
            Attribute::Started => self.moments("started", visit),
            Attribute::Ended => self.moments("ended", visit),
            Attribute::Duration => {
                let query =
                    "SELECT run, started, ended FROM run WHERE started IS NOT NULL AND ended IS NOT NULL";
                self.each_row(query, visit, |row| {
                    let (started, ended): (i64, i64) = (row.get(1)?, row.get(2)?);
                    Ok(Value::Float((ended - started) as f64 / 1e6))
                })
            }
            Attribute::ExitCode => {
                let query = "SELECT run, exit_code FROM run WHERE exit_code IS NOT NULL";
                self.each_row(query, visit, |row| Ok(Value::Int(row.get(1)?)))
            }
            Attribute::Deleted => {
                let query = "SELECT run, deleted FROM run WHERE damage IS NULL";
                self.each_row(query, visit, |row| Ok(Value::Bool(row.get(1)?)))
            }
            Attribute::CodeCommit => self.code("commit_id", visit),
            Attribute::CodeBranch => self.code("branch", visit),
            Attribute::CodeTree => self.code("tree", visit),
            Attribute::CodeDirty => self.code("dirty", visit),
            Attribute::Note => self.notes(visit),
            Attribute::InputName => {
                self.each_row("SELECT run, name FROM input", visit, |row| Ok(Value::Text(row.get(1)?)))
            }
            Attribute::InputDigest => ["sha256", "digest"].iter().try_for_each(|column| {
                let query = format!("SELECT run, {column} FROM input WHERE {column} IS NOT NULL");
                self.each_row(&query, visit, |row| Ok(Value::Text(row.get(1)?)))
            }),
            Attribute::Tags => {
                let query = "SELECT run, text, value FROM tag JOIN name USING (name)";
                self.each_row(query, visit, |row| {
                    let (key, value): (String, Option<String>) = (row.get(1)?, row.get(2)?);
                    Ok(Value::Text(value.map_or(key.clone(), |value| format!("{key}={value}"))))
                })
            }
        }
    }

    fn texts(&self, column: &str, test: Option<&Test>, visit: Visit<'_>) -> Result<()> {
        let wanted = match test {
            Some(Test::Compare(
                Comparison::Equal,
                Literal::Typed(Value::Text(text)) | Literal::Quoted(text),
            )) => Some(text),
            _ => None,
        };
        let query = match wanted {
            Some(_) => format!("SELECT run, {column} FROM run WHERE {column} = ? AND damage IS NULL"),
            None => format!("SELECT run, {column} FROM run WHERE {column} IS NOT NULL AND damage IS NULL"),
        };
        let values: Vec<&dyn ToSql> = wanted.iter().map(|text| *text as &dyn ToSql).collect();
        self.rows(&query, params_from_iter(values), |row| {
            visit(row.get(0)?, Some(&Value::Text(row.get(1)?)));
            Ok(())
        })
    }

    fn moments(&self, column: &str, visit: Visit<'_>) -> Result<()> {
        let query = format!("SELECT run, {column} FROM run WHERE {column} IS NOT NULL");
        self.each_row(&query, visit, |row| {
            let micros: i64 = row.get(1)?;
            Ok(if self.as_micros { Value::Int(micros) } else { Value::Text(Time(micros).to_string()) })
        })
    }

    fn code(&self, column: &str, visit: Visit<'_>) -> Result<()> {
        let mut known: HashMap<i64, Value> = HashMap::new();
        self.rows(&format!("SELECT code, {column} FROM code WHERE {column} IS NOT NULL"), [], |row| {
            let value = match column {
                "dirty" => Value::Bool(row.get(1)?),
                _ => Value::Text(row.get(1)?),
            };
            known.insert(row.get(0)?, value);
            Ok(())
        })?;
        self.rows("SELECT run, code FROM run WHERE code IS NOT NULL", [], |row| {
            if let Some(value) = known.get(&row.get(1)?) {
                visit(row.get(0)?, Some(value));
            }
            Ok(())
        })
    }

    fn notes(&self, visit: Visit<'_>) -> Result<()> {
        let mut notes: IndexMap<i64, String> = IndexMap::new();
        self.rows("SELECT run, text FROM note ORDER BY run, position", [], |row| {
            let text: String = row.get(1)?;
            let known = notes.entry(row.get(0)?);
            known.and_modify(|known| *known = format!("{known}\n{text}")).or_insert(text);
            Ok(())
        })?;
        notes.into_iter().for_each(|(run, text)| visit(run, Some(&Value::Text(text))));
        Ok(())
    }

    fn each_row(
        &self,
        query: &str,
        visit: Visit<'_>,
        value: impl Fn(&Row<'_>) -> rusqlite::Result<Value>,
    ) -> Result<()> {
        self.rows(query, [], |row| {
            visit(row.get(0)?, Some(&value(row)?));
            Ok(())
        })
    }

    /// Goes over the rows of a query.
    pub fn rows(
        &self,
        query: &str,
        values: impl Params,
        mut each: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let mut statement = self.connection.prepare_cached(query)?;
        let mut rows = statement.query(values)?;
        let mut looked = 0;
        while let Some(row) = rows.next()? {
            looked += 1;
            each(row)?;
        }
        count::add(looked);
        Ok(())
    }
}

/// A param's value from its row; nothing if only the run tells.
fn param(kind: i64, value: ValueRef<'_>) -> Option<Value> {
    Some(match (ParamType::from_number(kind)?, value) {
        (ParamType::Int, ValueRef::Integer(int)) => Value::Int(int),
        (ParamType::Int, ValueRef::Text(digits)) if digits.len() < TEXT_MAX => {
            Value::BigInt(std::str::from_utf8(digits).ok()?.to_owned())
        }
        (ParamType::Float, ValueRef::Real(real)) => Value::Float(real),
        (ParamType::Float, _) => Value::Float(f64::NAN),
        (ParamType::Text, ValueRef::Text(text)) => Value::Text(std::str::from_utf8(text).ok()?.to_owned()),
        (ParamType::Bool, ValueRef::Text(text)) => Value::Bool(text == b"true"),
        (ParamType::Null, _) => Value::Null,
        _ => return None,
    })
}

/// The rows among which those that pass the test are, if fewer than all: each part by an index. With `params` what is
/// neither number nor text is looked at as well, as far as it may pass.
fn narrowed(test: Option<&Test>, params: bool) -> Narrowing {
    let all = || vec![("", Vec::new())];
    let Some(Test::Compare(comparison, Literal::Typed(literal))) = test else { return all() };
    let number = match literal {
        Value::Int(_) => literal.clone(),
        Value::Float(float) if !float.is_nan() => literal.clone(),
        Value::Text(text) if params && *comparison == Comparison::Equal && text.len() <= TEXT_MAX => {
            return vec![("AND value = ?", vec![literal.clone()])];
        }
        _ => return all(),
    };
    // Numbers come before all text.
    let range = match comparison {
        Comparison::Equal => "AND value = ?",
        Comparison::Less => "AND value < ?",
        Comparison::LessOrEqual => "AND value <= ?",
        Comparison::Greater => "AND value > ? AND value < ''",
        Comparison::GreaterOrEqual => "AND value >= ? AND value < ''",
        Comparison::Unequal => return all(),
    };
    let mut parts = vec![(range, vec![number])];
    if params {
        // Integers that SQLite lacks.
        parts.push(("AND value >= '' AND type = 0", Vec::new()));
    }
    parts
}

fn with<'a>(name: i64, values: &'a [Value]) -> Vec<Box<dyn ToSql + 'a>> {
    let mut all: Vec<Box<dyn ToSql + 'a>> = vec![Box::new(name)];
    for value in values {
        all.push(match value {
            Value::Int(int) => Box::new(*int),
            Value::Float(float) => Box::new(*float),
            Value::Text(text) => Box::new(text.as_str()),
            _ => Box::new(rusqlite::types::Null),
        });
    }
    all
}
