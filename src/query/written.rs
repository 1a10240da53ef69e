//! Values as text, and text as values: what a quoted literal may equal, and what an unquoted one is.

use crate::run::text;
use crate::run::value::{DIGITS_MAX, Table, Value};

/// The value that unquoted text stands for: a boolean, nothing, a number, else text.
pub fn read(text: &str) -> Value {
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" | "none" => Value::Null,
        _ => number(&lower).unwrap_or_else(|| Value::from(text)),
    }
}

/// The number that the text is, if it is one; integers of any size stay exact.
pub fn number(text: &str) -> Option<Value> {
    let lower = text.to_ascii_lowercase();
    let unsigned = lower.strip_prefix(['+', '-']).unwrap_or(&lower);
    match unsigned {
        "nan" => return Some(Value::Float(f64::NAN)),
        "inf" | "infinity" => {
            return Some(Value::Float(if lower.starts_with('-') {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            }));
        }
        _ => {}
    }
    // As in TOML and Python, digits may be parted by single underscores.
    let is_parted = unsigned
        .split('_')
        .all(|part| part.starts_with(|first: char| first.is_ascii_digit()) || part.starts_with('.'));
    if lower.len() > DIGITS_MAX || !is_parted {
        return None;
    }
    let plain: String = lower.chars().filter(|character| *character != '_').collect();
    let digits = plain.trim_start_matches(['+', '-']);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(integer(plain.starts_with('-'), digits));
    }
    plain.parse().ok().map(Value::Float)
}

fn integer(is_negative: bool, digits: &str) -> Value {
    let magnitude = match digits.trim_start_matches('0') {
        "" => "0",
        magnitude => magnitude,
    };
    let written = format!("{}{magnitude}", if is_negative { "-" } else { "" });
    written.parse().map_or(Value::BigInt(written), Value::Int)
}

/// Whether the text is the value as TOML, JSON or Python writes it.
pub fn is_written(value: &Value, text: &str) -> bool {
    match value {
        Value::Text(known) => known == text,
        Value::Bool(true) => matches!(text, "true" | "True"),
        Value::Bool(false) => matches!(text, "false" | "False"),
        Value::Int(int) => int.to_string() == text,
        Value::BigInt(digits) => digits == text,
        other => texts(other).iter().any(|written| written == text),
    }
}

/// The value's texts, each once: text is its own only one.
pub fn texts(value: &Value) -> Vec<String> {
    let all = match value {
        Value::Text(text) => vec![text.clone()],
        Value::Int(int) => vec![int.to_string()],
        Value::BigInt(digits) => vec![digits.clone()],
        Value::Json(json) => vec![json.clone()],
        Value::Bytes(bytes) => vec![String::from_utf8_lossy(bytes).into_owned()],
        Value::Null => ["null", "None"].map(str::to_owned).to_vec(),
        Value::Bool(true) => ["true", "True"].map(str::to_owned).to_vec(),
        Value::Bool(false) => ["false", "False"].map(str::to_owned).to_vec(),
        Value::Float(float) => [text::write_float(*float), json_float(*float), python_float(*float)].to_vec(),
        Value::List(_) | Value::Table(_) => {
            vec![text::write_value(value), json(value, ""), json(value, " "), python(value)]
        }
    };
    let mut once: Vec<String> = Vec::with_capacity(all.len());
    for text in all {
        if !once.contains(&text) {
            once.push(text);
        }
    }
    once
}

/// As JSON, with `space` after commas and colons.
fn json(value: &Value, space: &str) -> String {
    match value {
        Value::Float(float) => json_float(*float),
        Value::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        Value::List(list) => {
            let items: Vec<String> = list.iter().map(|item| json(item, space)).collect();
            format!("[{}]", items.join(&format!(",{space}")))
        }
        Value::Table(table) => {
            let key = |key: &str| serde_json::Value::from(key).to_string();
            format!("{{{}}}", entries(table, key, |value| json(value, space), space))
        }
        other => first(other),
    }
}

/// As Python's `str` writes it.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(bool) => if *bool { "True" } else { "False" }.to_owned(),
        Value::Float(float) => python_float(*float),
        Value::Text(text) => python_text(text),
        Value::List(list) => format!("[{}]", list.iter().map(python).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => format!("{{{}}}", entries(table, python_text, python, " ")),
        other => first(other),
    }
}

fn entries(
    table: &Table,
    key_text: impl Fn(&str) -> String,
    value_text: impl Fn(&Value) -> String,
    space: &str,
) -> String {
    let entries: Vec<String> =
        table.iter().map(|(key, value)| format!("{}:{space}{}", key_text(key), value_text(value))).collect();
    entries.join(&format!(",{space}"))
}

fn first(value: &Value) -> String {
    texts(value).into_iter().next().unwrap_or_default()
}

/// As Python's `json` writes it.
fn json_float(float: f64) -> String {
    match float {
        _ if float.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        _ => python_float(float),
    }
}

/// As Python's `repr` writes it: the digits that TOML has, an exponent of two digits at least and with its sign.
fn python_float(float: f64) -> String {
    if !float.is_finite() || float == 0.0 {
        return text::write_float(float);
    }
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    match (-4..16).contains(&exponent) {
        true => {
            let plain = format!("{float}");
            if plain.contains('.') { plain } else { plain + ".0" }
        }
        false => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
    }
}

fn python_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            character if character == quote => out.extend(['\\', quote]),
            control if control.is_ascii_control() => out.push_str(&format!("\\x{:02x}", control as u32)),
            plain => out.push(plain),
        }
    }
    out.push(quote);
    out
}
