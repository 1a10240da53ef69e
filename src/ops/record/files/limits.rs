//! What a param may be, wherever it comes from: how large, how deep, and which keys are refused.
//!
//! Knows values and no notation; the readers beside it and `key_value` share it.

use crate::error::{Problem, shorten};
use crate::human;
use crate::run::id::is_deceptive;
use crate::run::value::{DEPTH_MAX, DIGITS_MAX, Table, Value};

/// The largest file of params or metrics that is read.
pub const FILE_MAX: usize = 10 << 20;

/// The largest value of one param; what is larger is an artifact.
pub const VALUE_MAX: usize = 1 << 20;

/// The longest key, in bytes.
pub const KEY_MAX: usize = 1024;

/// Refuses a key that could not be told from another one on a screen: empty, too long, or with control characters.
pub fn check_key(key: &str) -> Result<(), Problem> {
    if key.is_empty() {
        return Err(Problem::usage("a key is empty"));
    }
    if key.len() > KEY_MAX {
        return Err(Problem::usage(format!("a key has {} bytes: {KEY_MAX} is the limit", key.len())));
    }
    match key.chars().find(|&character| is_deceptive(character)) {
        Some(character) => {
            let code = character as u32;
            Err(Problem::usage(format!("the key {key:?} holds the unprintable character U+{code:04X}")))
        }
        None => Ok(()),
    }
}

/// Checks the keys and sizes in `params`, and keeps what nests too deep as JSON text.
pub fn settle(params: Table) -> Result<Table, Problem> {
    let settle = |(key, value): (String, Value)| {
        check_key(&key)?;
        let value = settle_value(&key, value, 1)?;
        Ok((key, value))
    };
    params.into_iter().map(settle).collect()
}

/// Checks one value that stands under `name`, `level` keys deep.
pub fn settle_value(name: &str, value: Value, level: usize) -> Result<Value, Problem> {
    check_keys(&value)?;
    check_size(name, &value)?;
    Ok(fold(value, level))
}

/// Refuses a leaf above [`VALUE_MAX`]; a dict's leaves are checked one by one.
fn check_size(name: &str, value: &Value) -> Result<(), Problem> {
    if let Value::Table(table) = value {
        return table.iter().try_for_each(|(key, value)| check_size(key, value));
    }
    match weight(value) {
        bytes if bytes > VALUE_MAX => {
            let (bytes, limit) = (human::size(bytes as u64), human::size(VALUE_MAX as u64));
            Err(Problem::usage(format!("the value of '{name}' has {bytes}: a param holds at most {limit}"))
                .hint("keep it in a file and record the file: `-a FILE`, or `--input FILE`"))
        }
        _ => Ok(()),
    }
}

fn check_keys(value: &Value) -> Result<(), Problem> {
    match value {
        Value::List(list) => list.iter().try_for_each(check_keys),
        Value::Table(table) => table.iter().try_for_each(|(key, value)| {
            check_key(key)?;
            check_keys(value)
        }),
        _ => Ok(()),
    }
}

/// About how many bytes a value takes.
pub fn weight(value: &Value) -> usize {
    match value {
        Value::Text(text) | Value::BigInt(text) | Value::Json(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.iter().map(|item| 2 + weight(item)).sum(),
        Value::Table(table) => table.iter().map(|(key, value)| 4 + key.len() + weight(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 8,
    }
}

/// Keeps lists and dicts beyond [`DEPTH_MAX`] as JSON text; `level` counts the keys above `value`.
fn fold(value: Value, level: usize) -> Value {
    match value {
        Value::List(_) | Value::Table(_) if level > DEPTH_MAX => Value::Json(json(&value)),
        Value::List(list) => Value::List(list.into_iter().map(|item| fold(item, level + 1)).collect()),
        Value::Table(table) => {
            Value::Table(table.into_iter().map(|(key, value)| (key, fold(value, level + 1))).collect())
        }
        leaf => leaf,
    }
}

/// A value as JSON text; what JSON lacks becomes the text of it.
fn json(value: &Value) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::BigInt(digits) => digits.clone(),
        Value::Float(float) if float.is_finite() => format!("{float:?}"),
        Value::Float(float) if float.is_nan() => quoted("NaN"),
        Value::Float(float) => quoted(if *float > 0.0 { "Infinity" } else { "-Infinity" }),
        Value::Text(text) => quoted(text),
        Value::Bytes(bytes) => quoted(&String::from_utf8_lossy(bytes)),
        Value::Json(json) => json.clone(),
        Value::List(list) => format!("[{}]", list.iter().map(json).collect::<Vec<_>>().join(",")),
        Value::Table(table) => {
            let entry = |(key, value): (&String, &Value)| format!("{}:{}", quoted(key), json(value));
            format!("{{{}}}", table.iter().map(entry).collect::<Vec<_>>().join(","))
        }
    }
}

/// The integer that `digits`, with an optional sign, are to the base `radix`: exact, whatever its size.
pub fn integer(digits: &str, radix: u32) -> Result<Value, Problem> {
    if let Ok(int) = i64::from_str_radix(digits, radix) {
        return Ok(Value::Int(int));
    }
    let is_negative = digits.starts_with('-');
    let magnitude = digits.trim_start_matches(['+', '-']);
    if magnitude.is_empty() {
        return Err(Problem::usage("an integer has no digits"));
    }
    let magnitude = magnitude.trim_start_matches('0');
    if magnitude.len() > DIGITS_MAX {
        let count = magnitude.len();
        return Err(Problem::usage(format!("an integer has {count} digits: {DIGITS_MAX} is the limit")));
    }
    if !magnitude.chars().all(|character| character.is_digit(radix)) {
        return Err(Problem::usage("an integer has a character that is no digit"));
    }
    let decimal = if radix == 10 { magnitude.to_owned() } else { to_decimal(magnitude, radix) };
    let sign = if is_negative { "-" } else { "" };
    match decimal.is_empty() {
        true => Ok(Value::Int(0)),
        false => Ok(Value::BigInt(format!("{sign}{decimal}"))),
    }
}

fn to_decimal(digits: &str, radix: u32) -> String {
    // Decimal digits, the last first.
    let mut decimal: Vec<u32> = Vec::new();
    for mut carry in digits.chars().filter_map(|character| character.to_digit(radix)) {
        for digit in &mut decimal {
            let sum = *digit * radix + carry;
            (*digit, carry) = (sum % 10, sum / 10);
        }
        while carry > 0 {
            decimal.push(carry % 10);
            carry /= 10;
        }
    }
    decimal.iter().rev().filter_map(|digit| char::from_digit(*digit, 10)).collect()
}

/// The double that `text` is; one that no double can hold is refused rather than made infinite.
pub fn float(text: &str) -> Result<Value, Problem> {
    match text.parse::<f64>() {
        Ok(float) if float.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) => {
            Err(Problem::usage(format!("the number {} is beyond what a double holds", shorten(text))))
        }
        Ok(float) => Ok(Value::Float(float)),
        Err(_) => Err(Problem::usage(format!("{:?} is no number", shorten(text)))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact_at_any_size() {
        let integers = [
            ("42", 10, Value::Int(42)),
            ("-0", 10, Value::Int(0)),
            ("+9223372036854775807", 10, Value::Int(i64::MAX)),
            ("9223372036854775808", 10, Value::BigInt("9223372036854775808".into())),
            ("-00018446744073709551616", 10, Value::BigInt("-18446744073709551616".into())),
            ("ffffffffffffffffffff", 16, Value::BigInt("1208925819614629174706175".into())),
            ("FF", 16, Value::Int(255)),
        ];
        for (digits, radix, value) in integers {
            assert_eq!(integer(digits, radix), Ok(value), "{digits}");
        }
        assert!(integer(&"9".repeat(5000), 10).is_err());
        assert!(integer("", 16).is_err() && integer("-", 10).is_err());
        assert!(float("1e999").is_err());
        assert_eq!(float("-inf"), Ok(Value::Float(f64::NEG_INFINITY)));
    }

    #[test]
    fn what_nests_too_deep_is_json_text_that_reads_back() {
        let mut value = Value::Text("deep \"down\"".into());
        for _ in 0..100 {
            value = Value::List(vec![value]);
        }
        let params = settle([("a".to_owned(), value)].into_iter().collect()).unwrap();
        let document: Table = [("params".to_owned(), Value::Table(params.clone()))].into_iter().collect();
        let written = crate::run::text::write(&document);
        assert!(written.contains("$json"));
        assert_eq!(crate::run::text::read(written.as_bytes()), Ok(document));
    }

    #[test]
    fn keys_that_lie_are_refused() {
        for key in ["", "a\nb", "\u{1b}[31m", "a\u{202e}b", &"x".repeat(4096)] {
            assert!(check_key(key).is_err(), "{key:?}");
        }
        for key in ["a", "a.b", "größe", "..", "a b", "$x"] {
            assert_eq!(check_key(key), Ok(()), "{key:?}");
        }
    }
}
