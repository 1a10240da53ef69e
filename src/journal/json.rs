//! What a line's JSON stands for: the keys that begin with `$`, and the words for numbers that JSON lacks.
//!
//! Knows nothing of events; what is JSON at all is `run::json`'s.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::journal::line::Malformed;
use crate::run::json::{self, Beyond};
use crate::run::value::{DEPTH_MAX, Table, Value};

/// Reads one JSON value, and nothing after it. Keys that begin with `$` stay as they are.
pub fn read(text: &str) -> Result<Value, Malformed> {
    json::read(text, Beyond::Nearest).map_err(|fault| Malformed::new(fault.why))
}

/// A value as it was given: what tables with a `$` key stand for, and what nests too deep as JSON text. `level` counts
/// the keys above it.
pub fn given(value: Value, level: usize) -> Value {
    match value {
        Value::Table(table) => match stands_for(&table) {
            Some(value) => value,
            None if level > DEPTH_MAX => Value::Json(text(&Value::Table(table), false)),
            None => Value::Table(given_table(table, level)),
        },
        Value::List(_) if level > DEPTH_MAX => Value::Json(text(&value, false)),
        Value::List(list) => Value::List(list.into_iter().map(|item| given(item, level + 1)).collect()),
        leaf => leaf,
    }
}

/// A dict as it was given: itself it stands for nothing else; `level` counts the keys above it.
pub fn given_table(table: Table, level: usize) -> Table {
    let entry = |(key, value): (String, Value)| {
        let key = match key.strip_prefix('$') {
            Some(rest) if rest.starts_with('$') => rest.to_owned(),
            _ => key,
        };
        (key, given(value, level + 1))
    };
    table.into_iter().map(entry).collect()
}

fn stands_for(table: &Table) -> Option<Value> {
    let (key, value) = table.first().filter(|_| table.len() == 1)?;
    match (key.as_str(), value) {
        ("$bytes", Value::Text(text)) => BASE64.decode(text).ok().map(Value::Bytes),
        ("$float", Value::Text(text)) => nonfinite(text).map(Value::Float),
        ("$int", Value::Text(text)) => whole(text),
        ("$json", Value::Text(text)) => Some(Value::Json(text.clone())),
        _ => None,
    }
}

fn whole(text: &str) -> Option<Value> {
    match read(text) {
        Ok(value @ (Value::Int(_) | Value::BigInt(_))) => Some(value),
        _ => None,
    }
}

/// The double that a word stands for where a number should be.
pub fn nonfinite(word: &str) -> Option<f64> {
    match word {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// The word for a double that JSON has no number for.
pub fn nonfinite_word(float: f64) -> &'static str {
    match float {
        _ if float.is_nan() => "NaN",
        _ if float > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}

/// Writes a value so that [`read`] and [`given`] give it back.
pub fn write(out: &mut String, value: &Value) {
    put(out, value, true);
}

/// Writes a dict so that [`read`] and [`given_table`] give it back.
pub fn write_table(out: &mut String, table: &Table) {
    put_table(out, table, true);
}

fn text(value: &Value, with_marks: bool) -> String {
    let mut out = String::new();
    put(&mut out, value, with_marks);
    out
}

/// Writes a value; with marks, what JSON lacks and keys that begin with `$` can be told from all else.
fn put(out: &mut String, value: &Value, with_marks: bool) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
        Value::Int(int) => out.push_str(&int.to_string()),
        Value::BigInt(digits) => out.push_str(digits),
        Value::Float(float) if float.is_finite() => out.push_str(&format!("{float:?}")),
        Value::Float(float) if with_marks => mark(out, "$float", nonfinite_word(*float)),
        Value::Float(float) => quote(out, nonfinite_word(*float)),
        Value::Text(text) => quote(out, text),
        Value::Bytes(bytes) => mark(out, "$bytes", &BASE64.encode(bytes)),
        Value::Json(json) => mark(out, "$json", json),
        Value::List(list) => put_list(out, list, with_marks),
        Value::Table(table) => put_table(out, table, with_marks),
    }
}

fn put_list(out: &mut String, list: &[Value], with_marks: bool) {
    out.push('[');
    for (index, item) in list.iter().enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        put(out, item, with_marks);
    }
    out.push(']');
}

fn put_table(out: &mut String, table: &Table, with_marks: bool) {
    out.push('{');
    for (index, (key, value)) in table.iter().enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        match with_marks && key.starts_with('$') {
            true => quote(out, &format!("${key}")),
            false => quote(out, key),
        }
        out.push(':');
        put(out, value, with_marks);
    }
    out.push('}');
}

fn mark(out: &mut String, key: &str, text: &str) {
    out.push_str(&format!("{{\"{key}\":"));
    quote(out, text);
    out.push('}');
}

/// Writes text in double quotes.
pub fn quote(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Some readers of lines take U+2028 and U+2029 for the end of one.
            '\0'..='\u{1f}' | '\u{7f}' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", character as u32));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_a_dollar_stand_for_what_json_lacks() {
        let value =
            read(r#"{"a":{"$bytes":"/w=="},"b":{"$float":"NaN"},"c":{"$int":"7"},"$$d":{"$ref":"x"}}"#)
                .unwrap();
        let Value::Table(table) = value else { panic!("a table") };
        let table = given_table(table, 0);
        assert_eq!(table["a"], Value::Bytes(vec![255]));
        assert!(matches!(table["b"], Value::Float(float) if float.is_nan()));
        assert_eq!(table["c"], Value::Int(7));
        assert!(table["$d"].as_table().unwrap().contains_key("$ref"));
    }

    #[test]
    fn what_nests_too_deep_is_kept_as_text() {
        let deep = format!("{}1{}", "[".repeat(70), "]".repeat(70));
        let mut value = &given(read(&deep).unwrap(), 1);
        let mut level = 1;
        while let Value::List(list) = value {
            (value, level) = (&list[0], level + 1);
        }
        assert_eq!((value, level), (&Value::Json("[[[[[[1]]]]]]".to_owned()), DEPTH_MAX + 1));
    }
}
