//! Which runs a condition holds of, by the tables: surely, or perhaps.
//!
//! What the tables leave open (the points of series, values too long for a row) makes a run one of which the condition
//! perhaps holds: it is decided by the run itself. `not` turns the two around, so that nothing is lost.

use std::collections::HashMap;

use anyhow::Result;

use crate::index::rows::tag_parts;
use crate::index::set::Set;
use crate::index::values::Values;
use crate::index::write::{METRIC, TAG};
use crate::query::{Attribute, CodeTerm, Comparison, Condition, Field, Literal, Test};
use crate::run::value::Value;

/// Of which runs a condition holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// Surely.
    pub sure: Set,
    /// Perhaps; those of which it surely holds among them.
    pub maybe: Set,
}

/// Finds runs.
pub(super) struct Finder<'a> {
    pub values: Values<'a>,
    /// All runs that count.
    pub all: Set,
    /// Whether a term holds of a code state, which it is asked once for each.
    pub code: &'a mut dyn FnMut(&CodeTerm, i64) -> Result<bool>,
}

impl Finder<'_> {
    /// The runs of which the condition holds.
    pub fn find(&mut self, condition: &Condition) -> Result<Found> {
        let found = self.look(condition)?;
        Ok(Found { sure: found.sure.and(&self.all), maybe: found.maybe.and(&self.all) })
    }

    fn look(&mut self, condition: &Condition) -> Result<Found> {
        match condition {
            Condition::All(parts) => {
                let mut all = Found { sure: self.all.clone(), maybe: self.all.clone() };
                for part in parts {
                    let part = self.look(part)?;
                    all = Found { sure: all.sure.and(&part.sure), maybe: all.maybe.and(&part.maybe) };
                }
                Ok(all)
            }
            Condition::Any(parts) => {
                let mut any = Found::default();
                for part in parts {
                    let part = self.look(part)?;
                    any = Found { sure: any.sure.or(&part.sure), maybe: any.maybe.or(&part.maybe) };
                }
                Ok(any)
            }
            Condition::Not(part) => {
                let part = self.look(part)?;
                let sure = self.all.clone().without(&part.maybe);
                Ok(Found { sure, maybe: self.all.clone().without(&part.sure) })
            }
            Condition::Test(Field::Metric(name, part), _) if part.is_of_series() => {
                Ok(Found { sure: Set::default(), maybe: self.of_metric(name)? })
            }
            Condition::Test(field, test) => self.test(field, test),
            Condition::HasTag(tag) => self.has_tag(tag).map(certain),
            Condition::Code(term) => self.of_code(term).map(certain),
        }
    }

    fn test(&self, field: &Field, test: &Test) -> Result<Found> {
        if let Some(found) = self.moment(field, test)? {
            return Ok(certain(found));
        }
        let mut found = Found::default();
        // Rows come sorted by their values as far as an index has them so.
        let mut last: Option<(Value, bool)> = None;
        self.values.each(field, Some(test), &mut |run, value| {
            let Some(value) = value else { return found.maybe.insert(run) };
            let known = last.as_ref().filter(|(known, _)| is_same(known, value)).map(|(_, passes)| *passes);
            let passes = known.unwrap_or_else(|| {
                let passes = test.passes(value);
                last = Some((value.clone(), passes));
                passes
            });
            if passes {
                found.sure.insert(run);
            }
        })?;
        found.maybe = found.maybe.or(&found.sure);
        Ok(found)
    }

    /// Moments compared with a moment, without the text between.
    fn moment(&self, field: &Field, test: &Test) -> Result<Option<Set>> {
        let column = match field {
            Field::Attribute(Attribute::Started) => "started",
            Field::Attribute(Attribute::Ended) => "ended",
            _ => return Ok(None),
        };
        let Test::Compare(comparison, Literal::Moment(moment)) = test else { return Ok(None) };
        let sign = match comparison {
            Comparison::Equal => "=",
            Comparison::Unequal => "<>",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        };
        self.set(&format!("SELECT run FROM run WHERE {column} {sign} ?"), [moment.0]).map(Some)
    }

    fn of_metric(&self, name: &str) -> Result<Set> {
        match self.values.name(METRIC, name)? {
            Some(name) => self.set("SELECT run FROM metric WHERE name = ?", [name]),
            None => Ok(Set::default()),
        }
    }

    fn has_tag(&self, tag: &str) -> Result<Set> {
        let (key, value) = tag_parts(tag);
        let Some(name) = self.values.name(TAG, key)? else { return Ok(Set::default()) };
        match value {
            None => self.set("SELECT run FROM tag WHERE name = ?", [name]),
            Some(value) => self.set("SELECT run FROM tag WHERE name = ? AND value = ?", (name, value)),
        }
    }

    fn of_code(&mut self, term: &CodeTerm) -> Result<Set> {
        let mut users: HashMap<i64, Vec<i64>> = HashMap::new();
        self.values.rows("SELECT run, code FROM run WHERE code IS NOT NULL", [], |row| {
            users.entry(row.get(1)?).or_default().push(row.get(0)?);
            Ok(())
        })?;
        let mut found = Set::default();
        for (_, users) in users {
            // Of masked runs nothing is asked.
            let Some(first) = users.iter().find(|run| self.all.has(**run)) else { continue };
            if (self.code)(term, *first)? {
                users.iter().for_each(|run| found.insert(*run));
            }
        }
        Ok(found)
    }

    /// The runs that a query gives.
    pub fn set(&self, query: &str, values: impl rusqlite::Params) -> Result<Set> {
        let mut found = Set::default();
        self.values.rows(query, values, |row| {
            found.insert(row.get(0)?);
            Ok(())
        })?;
        Ok(found)
    }
}

fn certain(found: Set) -> Found {
    Found { sure: found.clone(), maybe: found }
}

/// Whether two values are one for every test: a float that equals another may be written otherwise.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Float(one), Value::Float(other)) => one.to_bits() == other.to_bits(),
        (one, other) => one == other,
    }
}
