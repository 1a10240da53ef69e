//! Values as TOML text and back: one way to write each, so that the same facts are the same bytes.
//!
//! The encoder is our own because the bytes are the format; reading is the `toml` crate's. What does not
//! re-encode to the same bytes is refused as damaged. Layout: plain keys first, then `[section]`s and
//! `[[lists of tables]]` in the order of the table. In `[params]` nested dicts are dotted keys, which keeps
//! long configurations readable; in all other sections they are inline tables.

mod quick;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::Problem;
use crate::run::value::{Table, Value};

pub use crate::series::number::write_float;

/// The section whose nested dicts are written as dotted keys.
const DOTTED: &str = "params";

/// Writes a document.
pub fn write(document: &Table) -> String {
    let mut out = String::new();
    let (plain, sections): (Vec<_>, Vec<_>) = document.iter().partition(|(_, value)| !is_section(value));
    for (key, value) in plain {
        write_entry(&mut out, key, value);
    }
    for (key, value) in sections {
        write_section(&mut out, key, value);
    }
    out
}

/// Reads a document; anything that [`write()`] would not have written in the same bytes is refused.
pub fn read(bytes: &[u8]) -> Result<Table, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| Problem::new("is not UTF-8"))?;
    if let Some(table) = quick::read(text).filter(|table| write(table) == text) {
        return Ok(table);
    }
    read_patiently(text)
}

/// Reads by all the rules of TOML, which tell what is wrong.
fn read_patiently(text: &str) -> Result<Table, Problem> {
    let document: toml::Table = toml::from_str(text)
        .map_err(|error| Problem::new(format!("is not TOML: {}", first_line(error.message()))))?;
    let table = from_toml_table(document)?;
    match write(&table) == text {
        true => Ok(table),
        false => Err(Problem::new("is not written as git-xtrack writes it")),
    }
}

/// Writes one value as it stands after a `key = `, inline.
pub fn write_value(value: &Value) -> String {
    let mut out = String::new();
    inline(&mut out, value);
    out
}

/// Writes one key: bare where TOML allows it, else quoted.
pub fn write_key(key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    match !key.is_empty() && key.bytes().all(bare) {
        true => key.to_owned(),
        false => quoted(key),
    }
}

fn is_section(value: &Value) -> bool {
    match value {
        Value::Table(_) => true,
        Value::List(list) => is_list_of_tables(list),
        _ => false,
    }
}

fn is_list_of_tables(list: &[Value]) -> bool {
    !list.is_empty() && list.iter().all(|value| matches!(value, Value::Table(_)))
}

fn write_section(out: &mut String, name: &str, value: &Value) {
    let name_written = write_key(&escape_dollar(name));
    match value {
        Value::Table(table) => {
            separate(out);
            out.push_str(&format!("[{name_written}]\n"));
            match name == DOTTED {
                true => write_dotted(out, "", table),
                false => write_entries(out, table),
            }
        }
        Value::List(list) => {
            for table in list.iter().filter_map(Value::as_table) {
                separate(out);
                out.push_str(&format!("[[{name_written}]]\n"));
                write_entries(out, table);
            }
        }
        _ => {}
    }
}

fn separate(out: &mut String) {
    if !out.is_empty() {
        out.push('\n');
    }
}

fn write_entries(out: &mut String, table: &Table) {
    for (key, value) in table {
        write_entry(out, key, value);
    }
}

fn write_dotted(out: &mut String, prefix: &str, table: &Table) {
    for (key, value) in table {
        let path = format!("{prefix}{}", write_key(&escape_dollar(key)));
        match value {
            Value::Table(nested) if !nested.is_empty() => write_dotted(out, &format!("{path}."), nested),
            leaf => {
                out.push_str(&path);
                out.push_str(" = ");
                inline(out, leaf);
                out.push('\n');
            }
        }
    }
}

fn write_entry(out: &mut String, key: &str, value: &Value) {
    out.push_str(&write_key(&escape_dollar(key)));
    out.push_str(" = ");
    match value {
        // One a line, so that a list of files can be read and its differences seen.
        Value::List(list) if is_list_of_tables(list) => {
            out.push_str("[\n");
            for item in list {
                out.push_str("  ");
                inline(out, item);
                out.push_str(",\n");
            }
            out.push(']');
        }
        value => inline(out, value),
    }
    out.push('\n');
}

fn inline(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("{ \"$null\" = true }"),
        Value::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
        Value::Int(int) => out.push_str(&int.to_string()),
        Value::BigInt(digits) => out.push_str(&format!("{{ \"$int\" = {} }}", quoted(digits))),
        Value::Float(float) => out.push_str(&write_float(*float)),
        Value::Text(text) => out.push_str(&quoted(text)),
        Value::Bytes(bytes) => out.push_str(&format!("{{ \"$bytes\" = {} }}", quoted(&BASE64.encode(bytes)))),
        Value::Json(json) => out.push_str(&format!("{{ \"$json\" = {} }}", quoted(json))),
        Value::List(list) => inline_list(out, list),
        Value::Table(table) if table.is_empty() => out.push_str("{}"),
        Value::Table(table) => inline_table(out, table),
    }
}

fn inline_list(out: &mut String, list: &[Value]) {
    out.push('[');
    for (index, value) in list.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        inline(out, value);
    }
    out.push(']');
}

fn inline_table(out: &mut String, table: &Table) {
    out.push_str("{ ");
    for (index, (key, value)) in table.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        out.push_str(&write_key(&escape_dollar(key)));
        out.push_str(" = ");
        inline(out, value);
    }
    out.push_str(" }");
}

fn escape_dollar(key: &str) -> String {
    match key.starts_with('$') {
        true => format!("${key}"),
        false => key.to_owned(),
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            // DEL and the C1 controls too: a terminal may act on them.
            control if control.is_control() => out.push_str(&format!("\\u{:04X}", control as u32)),
            plain => out.push(plain),
        }
    }
    out.push('"');
    out
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn from_toml_table(document: toml::Table) -> Result<Table, Problem> {
    document.into_iter().map(|(key, value)| Ok((unescape_dollar(key)?, from_toml(value)?))).collect()
}

fn from_toml(value: toml::Value) -> Result<Value, Problem> {
    Ok(match value {
        toml::Value::String(text) => Value::Text(text),
        toml::Value::Integer(int) => Value::Int(int),
        toml::Value::Float(float) => Value::Float(float),
        toml::Value::Boolean(bool) => Value::Bool(bool),
        toml::Value::Datetime(time) => return Err(Problem::new(format!("holds the bare date {time}"))),
        toml::Value::Array(list) => Value::List(list.into_iter().map(from_toml).collect::<Result<_, _>>()?),
        toml::Value::Table(table) => match special(&table)? {
            Some(value) => value,
            None => Value::Table(from_toml_table(table)?),
        },
    })
}

fn special(table: &toml::Table) -> Result<Option<Value>, Problem> {
    let Some((key, value)) = table.iter().next().filter(|(key, _)| table.len() == 1 && is_special(key))
    else {
        return Ok(None);
    };
    let bad = || Problem::new(format!("holds a malformed {key}"));
    Ok(Some(match (key.as_str(), value) {
        ("$null", toml::Value::Boolean(true)) => Value::Null,
        ("$int", toml::Value::String(digits)) if is_big_int(digits) => Value::BigInt(digits.clone()),
        ("$bytes", toml::Value::String(text)) => Value::Bytes(BASE64.decode(text).map_err(|_| bad())?),
        ("$json", toml::Value::String(json)) => Value::Json(json.clone()),
        _ => return Err(bad()),
    }))
}

fn is_special(key: &str) -> bool {
    key.starts_with('$') && !key.starts_with("$$")
}

/// Whether these are the digits of an integer that 64 bits cannot hold, written in the one way.
fn is_big_int(digits: &str) -> bool {
    let magnitude = digits.strip_prefix('-').unwrap_or(digits);
    let plain = !magnitude.is_empty() && magnitude.bytes().all(|byte| byte.is_ascii_digit());
    plain && !magnitude.starts_with('0') && digits.parse::<i64>().is_err()
}

fn unescape_dollar(key: String) -> Result<String, Problem> {
    match key.strip_prefix('$') {
        None => Ok(key),
        Some(rest) if rest.starts_with('$') => Ok(rest.to_owned()),
        Some(_) => Err(Problem::new(format!("holds the reserved key {key:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            Just(Value::BigInt("18446744073709551616".into())),
            any::<f64>().prop_filter("one NaN", |float| !float.is_nan()).prop_map(Value::Float),
            any::<String>().prop_map(Value::Text),
            prop::collection::vec(any::<u8>(), 0..9).prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                table_of(inner).prop_map(Value::Table),
            ]
        })
    }

    fn table_of(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Table> {
        let key = prop_oneof!["[a-z_.$ ]{0,4}", any::<String>()];
        prop::collection::vec((key, value), 0..5).prop_map(|pairs| pairs.into_iter().collect())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(params in table_of(value()), other in table_of(value())) {
            let document: Table = [
                ("format".to_owned(), Value::Int(1)),
                ("params".to_owned(), Value::Table(params)),
                ("other".to_owned(), Value::Table(other)),
            ].into_iter().collect();
            let text = write(&document);
            prop_assert_eq!(read(text.as_bytes()).map_err(|p| format!("{p}\n{text}")), Ok(document));
            prop_assert_eq!(read_patiently(&text), read(text.as_bytes()), "both readers agree");
        }

        #[test]
        fn both_readers_agree_on_what_is_amiss(
            params in table_of(value()),
            place in any::<prop::sample::Index>(),
            put in prop_oneof!["", "[\\[\\]{}\"\\\\=\n., $a01e-]{1,3}"],
            length in 0..3usize,
        ) {
            let document: Table = [
                ("a".to_owned(), Value::Int(1)),
                ("params".to_owned(), Value::Table(params.clone())),
                ("list".to_owned(), Value::List(vec![Value::Table(params)])),
            ].into_iter().collect();
            let mut characters: Vec<char> = write(&document).chars().collect();
            let start = place.index(characters.len());
            let end = (start + length).min(characters.len());
            characters.splice(start..end, put.chars());
            let text: String = characters.into_iter().collect();
            prop_assert_eq!(format!("{:?}", read(text.as_bytes())), format!("{:?}", read_patiently(&text)));
        }
    }

    #[test]
    fn floats_keep_their_point() {
        let written: Vec<_> =
            [1.0, 0.1, -0.0, 1e300, 1e-7, f64::NAN, f64::NEG_INFINITY].map(write_float).into();
        assert_eq!(written, ["1.0", "0.1", "-0.0", "1e300", "1e-7", "nan", "-inf"]);
    }

    #[test]
    fn another_way_to_write_the_same_is_damage() {
        for text in
            ["a=1\n", "a = 1", "a = 0x1\n", "a = 'x'\n", "[a]\nb.c = 1\n", "a = 2026-01-01\n", "\"$x\" = 1\n"]
        {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
