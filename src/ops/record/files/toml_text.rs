//! TOML that people write, as values: integers of any size are kept exactly, dates as the text they are.
//!
//! Not the format that git-xtrack itself writes: that is `run::text`, which takes only its own bytes.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::Problem;
use crate::ops::record::files::limits;
use crate::run::value::{NESTING_MAX, Table, Value};

/// Reads a document.
pub fn read(text: &str) -> Result<Table, Problem> {
    let document = DeTable::parse(text).map_err(|error| malformed(text, &error))?;
    table(document.get_ref(), text, 0)
}

/// The line, counted from 1, on which the byte at `offset` lies.
pub fn line(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// What is wrong with a document, and on which line.
pub fn malformed(text: &str, error: &toml::de::Error) -> Problem {
    let reason = error.message().lines().next().unwrap_or_default();
    match error.span() {
        Some(span) => Problem::usage(format!("line {}: {reason}", line(text, span.start))),
        None => Problem::usage(reason),
    }
}

/// The value that a piece of `text` was parsed to.
pub fn value(parsed: &Spanned<DeValue<'_>>, text: &str, depth: usize) -> Result<Value, Problem> {
    if depth > NESTING_MAX {
        return Err(Problem::usage(format!("it nests deeper than {NESTING_MAX}")));
    }
    let at = |problem: Problem| {
        Problem::usage(format!("line {}: {}", line(text, parsed.span().start), problem.message))
    };
    Ok(match parsed.get_ref() {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(integer) => limits::integer(integer.as_str(), integer.radix()).map_err(at)?,
        DeValue::Float(float) => limits::float(float.as_str()).map_err(at)?,
        DeValue::Boolean(bool) => Value::Bool(*bool),
        DeValue::Datetime(time) => {
            Value::Text(text.get(parsed.span()).map_or_else(|| time.to_string(), str::to_owned))
        }
        DeValue::Array(list) => {
            Value::List(list.iter().map(|item| value(item, text, depth + 1)).collect::<Result<_, _>>()?)
        }
        DeValue::Table(nested) => Value::Table(table(nested, text, depth)?),
    })
}

fn table(parsed: &DeTable<'_>, text: &str, depth: usize) -> Result<Table, Problem> {
    let entry = |(key, item): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let key: &std::borrow::Cow<'_, str> = key.get_ref();
        Ok((key.clone().into_owned(), value(item, text, depth + 1)?))
    };
    parsed.iter().map(entry).collect()
}
