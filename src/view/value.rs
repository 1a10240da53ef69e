//! Values, numbers, names and moments as people read them, and values as JSON.
//!
//! Numbers are shortened to five digits where they are measured, and never where they were given.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value as Json};

use crate::human;
use crate::run::attempt::{Goal, Number};
use crate::run::id::{Time, is_deceptive};
use crate::run::value::{Table, Value, dotted, leaves};
use crate::run::{Run, text};

/// How many digits of a measured number are shown.
const DIGITS: i32 = 5;
/// How many characters of a value are shown.
const TEXT_MAX: usize = 500;

/// A measured number: integers whole, others with five digits.
pub fn number(number: Number) -> String {
    match number {
        Number::Int(int) => int.to_string(),
        Number::Float(float) => short_float(float),
    }
}

/// How far a number may be off, in two digits.
pub fn rough(float: f64) -> String {
    match float.is_finite() && float != 0.0 {
        true => short_float(format!("{float:.1e}").parse().unwrap_or(float)),
        false => short_float(float),
    }
}

fn short_float(float: f64) -> String {
    let magnitude = float.abs();
    match float {
        _ if !float.is_finite() => text::write_float(float),
        0.0 => "0".to_owned(),
        _ if !(1e-4..1e9).contains(&magnitude) => {
            let written = format!("{float:.*e}", DIGITS as usize - 1);
            let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
            format!("{}e{exponent}", without_zeros(digits))
        }
        _ => {
            let places = (DIGITS - 1 - magnitude.log10().floor() as i32).max(0);
            without_zeros(&format!("{float:.*}", places as usize)).to_owned()
        }
    }
}

fn without_zeros(digits: &str) -> &str {
    match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.'),
        false => digits,
    }
}

/// A number with its unit; bytes as people say them.
pub fn with_unit(given: Number, unit: Option<&str>) -> String {
    let bytes = || human::size(given.as_f64().max(0.0) as u64);
    match unit {
        Some("B") => bytes(),
        Some("B/s") => format!("{}/s", bytes()),
        Some("%") => format!("{}%", number(given)),
        Some(unit) => format!("{} {unit}", number(given)),
        None => number(given),
    }
}

/// A number with a sign, for differences.
pub fn signed(difference: Number) -> String {
    let text = number(difference);
    if text.starts_with('-') || difference.as_f64().is_nan() { text } else { format!("+{text}") }
}

/// A given value as people write it; text that could be taken for another type is quoted.
pub fn value(value: &Value) -> String {
    match value {
        Value::Text(text) if is_plain(text) => cut(text),
        other => bare(other),
    }
}

/// A given value where its type does not matter: text as it is.
pub fn bare(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::BigInt(digits) => digits.clone(),
        Value::Float(float) => text::write_float(*float),
        Value::Text(text) if is_plain(text) => cut(text),
        Value::Text(text) => format!("\"{}\"", cut(text)),
        Value::Bytes(bytes) => cut(&lossy(bytes)),
        Value::Json(json) => cut(json),
        Value::List(list) => {
            cut(&format!("[{}]", list.iter().map(self::value).collect::<Vec<_>>().join(", ")))
        }
        Value::Table(table) => cut(&inline_table(table)),
    }
}

/// A given value whole, for other programs.
pub fn exact(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) => text.clone(),
        Value::BigInt(digits) => digits.clone(),
        Value::Bytes(bytes) => lossy(bytes),
        Value::Json(json) => json.clone(),
        other => text::write_value(other),
    }
}

/// A number whole, for other programs.
pub fn exact_number(number: Number) -> String {
    match number {
        Number::Int(int) => int.to_string(),
        Number::Float(float) => text::write_float(float),
    }
}

fn inline_table(table: &Table) -> String {
    match table.is_empty() {
        true => "{}".to_owned(),
        false => {
            let entries: Vec<String> = leaves(table)
                .into_iter()
                .map(|(path, value)| format!("{} = {}", dotted(&path), self::value(value)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// Whether text cannot be taken for a value of another type, or for nothing.
fn is_plain(text: &str) -> bool {
    let is_word = matches!(text, "true" | "false" | "none" | "nan" | "inf" | "-inf");
    let is_list = text.starts_with(['[', '{', '"']);
    !(text.is_empty() || text.trim() != text || is_word || is_list || text.parse::<f64>().is_ok())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
    }
}

/// Bytes as text; those that are none by number.
fn lossy(bytes: &[u8]) -> String {
    let parts = bytes.utf8_chunks().map(|chunk| {
        let invalid: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")).collect();
        format!("{}{invalid}", chunk.valid())
    });
    parts.collect()
}

/// A path, or anything else that is text or bytes.
pub fn path(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => bare(other),
    }
}

/// Whether two values are the same, type and all; NaN is the same as NaN.
pub fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Float(one), Value::Float(other)) => {
            one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
        }
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Table(one), Value::Table(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| same(value, other)))
        }
        (one, other) => one == other,
    }
}

/// Whether two measured numbers are the same, whatever their type; NaN is the same as NaN.
pub fn same_number(one: Number, other: Number) -> bool {
    match (one, other) {
        (Number::Int(one), Number::Int(other)) => one == other,
        (one, other) => one.as_f64() == other.as_f64() || (one.as_f64().is_nan() && other.as_f64().is_nan()),
    }
}

/// A command line that a shell reads back as it was.
pub fn shell(command: &[Value]) -> String {
    command.iter().map(shell_word).collect::<Vec<_>>().join(" ")
}

fn shell_word(word: &Value) -> String {
    match word {
        Value::Text(text) if text.chars().any(is_deceptive) => {
            format!("$'{}'", text.chars().map(ansi_c).collect::<String>())
        }
        Value::Text(text) => shell_words::quote(text).into_owned(),
        Value::Bytes(bytes) => {
            let parts = bytes.utf8_chunks().map(|chunk| {
                let invalid: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")).collect();
                format!("{}{invalid}", chunk.valid().chars().map(ansi_c).collect::<String>())
            });
            format!("$'{}'", parts.collect::<String>())
        }
        // What was redacted or cut from a command is kept as another value.
        other => bare(other),
    }
}

/// A character within `$'…'`.
fn ansi_c(character: char) -> String {
    match character {
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        '\r' => "\\r".to_owned(),
        '\'' => "\\'".to_owned(),
        '\\' => "\\\\".to_owned(),
        control if control.is_ascii_control() => format!("\\x{:02x}", control as u32),
        deceptive if is_deceptive(deceptive) => format!("\\u{:04x}", deceptive as u32),
        plain => plain.to_string(),
    }
}

/// A moment as people read it, in UTC.
pub fn time(time: Time) -> String {
    let text = time.to_string();
    format!("{} {} UTC", &text[..10], &text[11..19])
}

/// The beginning of an object's id or a digest, by which people tell it apart.
pub fn short_oid(oid: &str) -> &str {
    oid.get(..10).unwrap_or(oid)
}

/// The seconds that passed between two moments.
pub fn seconds_between(from: Time, to: Time) -> f64 {
    (to.0 - from.0) as f64 / 1e6
}

/// What a run is called where there is room for one word: its name, or what it is known by.
pub fn called(run: &Run) -> &str {
    run.name.as_deref().unwrap_or(run.id.suffix())
}

/// The arrow that points where a metric is to go.
pub fn goal_arrow(goal: Option<Goal>) -> &'static str {
    match goal {
        None => "",
        Some(Goal::Min) => " ↓",
        Some(Goal::Max) => " ↑",
    }
}

/// A value as JSON.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(bool) => Json::Bool(*bool),
        Value::Int(int) => Json::from(*int),
        Value::BigInt(digits) => integer_json(digits),
        Value::Float(float) => float_json(*float),
        Value::Text(text) => Json::from(text.as_str()),
        Value::Bytes(bytes) => single("$bytes", BASE64.encode(bytes)),
        // What nests deeper than JSON readers go stays text.
        Value::Json(text) => serde_json::from_str(text).unwrap_or_else(|_| single("$json", text.clone())),
        Value::List(list) => list.iter().map(to_json).collect(),
        Value::Table(table) => table_json(table),
    }
}

/// A nested dict as JSON.
pub fn table_json(table: &Table) -> Json {
    Json::Object(table.iter().map(|(key, value)| (key.clone(), to_json(value))).collect())
}

/// A number as JSON: NaN and infinities as the strings `NaN`, `Infinity`, `-Infinity`.
pub fn number_json(number: Number) -> Json {
    match number {
        Number::Int(int) => integer_json(&int.to_string()),
        Number::Float(float) => float_json(float),
    }
}

fn integer_json(digits: &str) -> Json {
    serde_json::from_str(digits).unwrap_or_else(|_| Json::from(digits))
}

fn float_json(float: f64) -> Json {
    match serde_json::Number::from_f64(float) {
        Some(number) => Json::Number(number),
        None if float.is_nan() => Json::from("NaN"),
        None if float > 0.0 => Json::from("Infinity"),
        None => Json::from("-Infinity"),
    }
}

fn single(key: &str, text: String) -> Json {
    Json::Object(Map::from_iter([(key.to_owned(), Json::String(text))]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_numbers_are_short() {
        let floats =
            [0.0, 1.0, 0.975, 1.0 / 3.0, 123_456.7, 1e-7, -2.5e12, 0.000_123_456, 12_345.678, f64::NAN];
        let written: Vec<String> = floats.into_iter().map(|float| number(Number::Float(float))).collect();
        assert_eq!(
            written,
            ["0", "1", "0.975", "0.33333", "123457", "1e-7", "-2.5e12", "0.00012346", "12346", "nan"]
        );
        assert_eq!([0.012_345, 123.4, 0.0, f64::NAN].map(rough), ["0.012", "120", "0", "nan"]);
        assert_eq!(signed(Number::Int(3)), "+3");
        assert_eq!(signed(Number::Float(-0.5)), "-0.5");
    }

    #[test]
    fn text_that_looks_like_another_type_is_quoted() {
        let values = ["adam", "0.1", "", "none", " a", "[1]"].map(Value::from);
        assert_eq!(
            values.each_ref().map(value),
            ["adam", "\"0.1\"", "\"\"", "\"none\"", "\" a\"", "\"[1]\""]
        );
        assert_eq!(value(&Value::Float(0.1)), "0.1");
        assert_eq!(value(&Value::Float(1.0)), "1.0");
    }

    #[test]
    fn commands_can_be_run_again() {
        let command =
            ["python3".into(), "a b".into(), "x\u{1b}'".into(), Value::Bytes(vec![b'a', 0xff]), "".into()];
        assert_eq!(shell(&command), "python3 'a b' $'x\\x1b\\'' $'a\\xff' ''");
    }

    #[test]
    fn json_keeps_every_value() {
        let list = Value::List(vec![
            Value::BigInt("18446744073709551616".into()),
            Value::Float(f64::NAN),
            Value::Float(f64::NEG_INFINITY),
            Value::Float(1.0),
            Value::Float(1e300),
            Value::Bytes(vec![255]),
            Value::Json("{\"a\": [1]}".into()),
            Value::Null,
        ]);
        assert_eq!(
            to_json(&list).to_string(),
            r#"[18446744073709551616,"NaN","-Infinity",1.0,1e+300,{"$bytes":"/w=="},{"a":[1]},null]"#
        );
    }
}
