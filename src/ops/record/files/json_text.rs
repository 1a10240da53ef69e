//! Files of JSON, as values: what cannot be kept exactly is refused, with its line.

use crate::error::Problem;
use crate::run::json::{self, Beyond};
use crate::run::value::Value;

/// Reads one JSON value, and nothing after it.
pub fn read(text: &str) -> Result<Value, Problem> {
    json::read(text, Beyond::Refused)
        .map_err(|fault| Problem::usage(format!("line {}: {}", fault.line(text), fault.why)))
}
