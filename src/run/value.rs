//! What a param, a config value or a fact can hold: TOML's values, and the few things TOML lacks.
//!
//! Knows nothing of bytes; `text` writes and reads these as TOML.

use indexmap::IndexMap;

use crate::run::text;

/// Keys and values in the order given.
pub type Table = IndexMap<String, Value>;

/// How deep values may nest before they are kept as JSON text ([`Value::Json`]).
pub const DEPTH_MAX: usize = 64;

/// How deep a text may nest to be read at all; between this and [`DEPTH_MAX`] values are kept as JSON text.
pub const NESTING_MAX: usize = 128;

/// The most digits an integer may have: as in Python, whose programs write what is read.
pub const DIGITS_MAX: usize = 4300;

/// A typed value, as it was given.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Explicitly nothing (`None`, `null`); in TOML `{ "$null" = true }`.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer that TOML can hold.
    Int(i64),
    /// An integer beyond 64 bits signed, as its decimal digits; in TOML `{ "$int" = "…" }`.
    BigInt(String),
    /// A double; NaN and infinities included.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes that are no UTF-8; in TOML `{ "$bytes" = "<base64>" }`.
    Bytes(Vec<u8>),
    /// A list, of mixed types if need be.
    List(Vec<Value>),
    /// A nested dict.
    Table(Table),
    /// What nests deeper than [`DEPTH_MAX`], as JSON text; in TOML `{ "$json" = "…" }`.
    Json(String),
}

impl Value {
    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one that fits.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(int) => Some(*int),
            _ => None,
        }
    }

    /// The number as a double, if it is a number; a large integer loses precision.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Int(int) => Some(*int as f64),
            Value::BigInt(digits) => digits.parse().ok(),
            Value::Float(float) => Some(*float),
            _ => None,
        }
    }

    /// The nested dict, if it is one.
    pub fn as_table(&self) -> Option<&Table> {
        match self {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(bool) => Some(*bool),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Value::Int(int)
    }
}

impl From<f64> for Value {
    fn from(float: f64) -> Self {
        Value::Float(float)
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Value::Bool(bool)
    }
}

/// Lays `upper` over `lower`, leaf by leaf: what both hold becomes the upper's.
pub fn overlay(lower: &mut Table, upper: &Table) {
    for (key, value) in upper {
        match (lower.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) if !above.is_empty() => overlay(below, above),
            _ => {
                lower.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The leaves of a nested dict with their paths, in order; an empty dict and a list are leaves.
pub fn leaves(table: &Table) -> Vec<(Vec<&str>, &Value)> {
    let mut found = Vec::new();
    walk(table, &mut Vec::new(), &mut found);
    found
}

fn walk<'a>(table: &'a Table, path: &mut Vec<&'a str>, found: &mut Vec<(Vec<&'a str>, &'a Value)>) {
    for (key, value) in table {
        path.push(key);
        match value {
            Value::Table(nested) if !nested.is_empty() => walk(nested, path, found),
            leaf => found.push((path.clone(), leaf)),
        }
        path.pop();
    }
}

/// The name of a nested value: segments parted by dots, those that hold a dot quoted.
pub fn dotted(path: &[&str]) -> String {
    let needs_quotes = |segment: &str| {
        segment.is_empty()
            || segment.contains(['.', '"', '=', '\\'])
            || segment.chars().any(|character| character.is_whitespace() || character.is_control())
    };
    let segments = path.iter().map(|segment| match needs_quotes(segment) {
        true => text::write_value(&Value::from(*segment)),
        false => (*segment).to_owned(),
    });
    segments.collect::<Vec<_>>().join(".")
}

/// The leaves of nested params by their dotted names, in order.
pub fn named_leaves(params: &Table) -> Vec<(String, &Value)> {
    leaves(params).into_iter().map(|(path, value)| (dotted(&path), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_dots_apart() {
        assert_eq!(dotted(&["model", "act.fn", "été"]), "model.\"act.fn\".été");
    }
}
