//! What `-p KEY=VALUE` and `-m NAME=NUMBER` mean: a path, a typed value, and where they go.
//!
//! A value is what TOML takes it for (number, boolean, quoted text, list, inline table), what Python writes (`True`,
//! `None`, `1.`, `.5`), and else text, dates included. Knows nothing of where such text came from.

use indexmap::IndexMap;
use indexmap::map::Entry;
use toml::de::DeValue;

use crate::error::{Problem, shorten};
use crate::ops::record::files::{limits, toml_text};
use crate::run::attempt::Number;
use crate::run::text;
use crate::run::value::{DEPTH_MAX, Table, Value};

/// Reads `a.b=1`: the path of keys, and the value.
pub fn parse_param(text: &str) -> Result<(Vec<String>, Value), Problem> {
    let (path, value) = split("param", text)?;
    if path.len() > DEPTH_MAX {
        return Err(Problem::usage(format!(
            "a param's key nests {} deep: {DEPTH_MAX} is the limit",
            path.len()
        )));
    }
    let value = limits::settle_value(&shown(&path), parse_value(value), path.len())?;
    Ok((path, value))
}

/// Reads `a.b=1`: the metric's name, `a.b`, and its number.
pub fn parse_metric(text: &str) -> Result<(String, Number), Problem> {
    let (path, value) = split("metric", text)?;
    let name = path.join(".");
    let number = match value.trim() {
        // As JSON and Python programs print them, and as `show --json` does.
        "NaN" => Number::Float(f64::NAN),
        "Infinity" | "+Infinity" => Number::Float(f64::INFINITY),
        "-Infinity" => Number::Float(f64::NEG_INFINITY),
        _ => metric_number(&name, &parse_value(value))?,
    };
    Ok((name, number))
}

/// The number that a metric's value is; anything else is refused.
pub fn metric_number(name: &str, value: &Value) -> Result<Number, Problem> {
    let is = match value {
        Value::Int(_) | Value::Float(_) | Value::BigInt(_) => match Number::of(value) {
            Some(number) => return Ok(number),
            None => "an integer beyond 128 bits",
        },
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Text(_) => "text",
        Value::Bytes(_) => "bytes",
        Value::List(_) => "a list",
        Value::Table(_) | Value::Json(_) => "a dict",
    };
    Err(Problem::usage(format!("the metric '{name}' is {is}: a metric is a number"))
        .hint("record what is no number as a param: `-p KEY=VALUE`"))
}

/// Adds a metric; a name that is there already is refused.
pub fn insert_metric(
    metrics: &mut IndexMap<String, Number>,
    name: String,
    number: Number,
) -> Result<(), Problem> {
    match metrics.entry(name) {
        Entry::Occupied(entry) => Err(Problem::usage(format!("the metric '{}' is given twice", entry.key()))),
        Entry::Vacant(entry) => {
            entry.insert(number);
            Ok(())
        }
    }
}

/// Adds a param; one that is there already, or that is a dict in one place and a value in another, is refused.
pub fn insert(params: &mut Table, path: &[String], value: Value) -> Result<(), Problem> {
    let (key, above) = path.split_last().ok_or_else(|| Problem::usage("a param has no key"))?;
    let mut table = params;
    for (depth, key) in above.iter().enumerate() {
        table = match table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new())) {
            Value::Table(nested) => nested,
            _ => return Err(value_and_dict(&path[..=depth])),
        };
    }
    match table.entry(key.clone()) {
        Entry::Vacant(entry) => {
            entry.insert(value);
            Ok(())
        }
        Entry::Occupied(mut entry) => match (entry.get_mut(), value) {
            (Value::Table(there), Value::Table(more)) => add_all(there, path, more),
            (Value::Table(_), _) | (_, Value::Table(_)) => Err(value_and_dict(path)),
            _ => Err(Problem::usage(format!("the param '{}' is given twice", shown(path)))),
        },
    }
}

/// Adds a param unless it, a value above it, or anything below it is there already; says whether it did.
pub fn insert_absent(params: &mut Table, path: &[String], value: Value) -> bool {
    let Some((key, above)) = path.split_last() else {
        return false;
    };
    let mut table = params;
    for key in above {
        table = match table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new())) {
            Value::Table(nested) => nested,
            _ => return false,
        };
    }
    match table.entry(key.clone()) {
        Entry::Vacant(entry) => {
            entry.insert(value);
            true
        }
        Entry::Occupied(_) => false,
    }
}

/// A typed value, as it stands after the `=`.
pub fn parse_value(given: &str) -> Value {
    typed(given.trim()).unwrap_or_else(|| Value::Text(given.to_owned()))
}

/// The number that a bare word is, if it is one: TOML's, and `1.`, `.5` as Python prints them.
pub fn number(word: &str) -> Option<Result<Value, Problem>> {
    let first = word.trim_start_matches(['+', '-']);
    let is_number = first.starts_with(|character: char| character.is_ascii_digit() || character == '.')
        || matches!(first, "inf" | "nan");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_');
    if !is_number || !word.bytes().all(plain) {
        return None;
    }
    match DeValue::parse(word).map(|parsed| parsed.into_inner()) {
        Ok(DeValue::Integer(integer)) => Some(limits::integer(integer.as_str(), integer.radix())),
        Ok(DeValue::Float(float)) => Some(limits::float(float.as_str())),
        Ok(_) => None,
        Err(_) => is_short_float(first).then(|| limits::float(word)),
    }
}

/// `1.`, `.5`, `1.e3`: a point with digits on one side only, which TOML does not take.
fn is_short_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_mantissa = match mantissa.split_once('.') {
        Some((whole, "")) => is_digits(whole),
        Some(("", part)) => is_digits(part),
        _ => false,
    };
    is_mantissa && is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
}

fn typed(word: &str) -> Option<Value> {
    match word {
        "true" | "True" => return Some(Value::Bool(true)),
        "false" | "False" => return Some(Value::Bool(false)),
        "none" | "None" | "null" => return Some(Value::Null),
        _ => {}
    }
    match word.bytes().next()? {
        b'[' | b'{' | b'"' | b'\'' => {
            let parsed = DeValue::parse(word).ok()?;
            // What follows the value, a comment too, makes all of it text.
            let is_whole = parsed.span() == (0..word.len());
            is_whole.then(|| toml_text::value(&parsed, word, 0).ok()).flatten().map(unescape)
        }
        _ => number(word)?.ok(),
    }
}

/// Takes what the record writes for the things TOML lacks (`{ "$null" = true }`), so that a value can be copied from it.
fn unescape(value: Value) -> Value {
    match value {
        Value::List(list) => Value::List(list.into_iter().map(unescape).collect()),
        Value::Table(table) => special(&table).unwrap_or_else(|| {
            let plain = |key: String| if key.starts_with("$$") { key[1..].to_owned() } else { key };
            Value::Table(table.into_iter().map(|(key, value)| (plain(key), unescape(value))).collect())
        }),
        leaf => leaf,
    }
}

fn special(table: &Table) -> Option<Value> {
    let key = table.keys().next().filter(|key| key.starts_with('$') && table.len() == 1)?;
    let document =
        format!("x = {}\n", text::write_value(&Value::Table(table.clone())).replacen("\"$$", "\"$", 1));
    let read = text::read(document.as_bytes()).ok()?;
    read.get("x").filter(|value| !key.starts_with("$$") && value.as_table().is_none()).cloned()
}

/// The path before the first `=` outside quotes, and the text after it.
fn split<'a>(what: &str, text: &'a str) -> Result<(Vec<String>, &'a str), Problem> {
    let refuse = |reason: &str| {
        let shown = shorten(text);
        Problem::usage(format!("{shown:?} is no {what}: {reason}"))
            .hint(format!("write it as {}", form(what)))
    };
    let mut path = Vec::new();
    let mut rest = text;
    loop {
        let (key, after) = segment(rest).map_err(|reason| refuse(&reason))?;
        limits::check_key(&key).map_err(|problem| refuse(&problem.message))?;
        path.push(key);
        if let Some(value) = after.strip_prefix('=') {
            return Ok((path, value));
        }
        rest = after.strip_prefix('.').ok_or_else(|| refuse("it has no '='"))?;
    }
}

fn form(what: &str) -> &'static str {
    match what {
        "metric" => "NAME=NUMBER, as `-m accuracy=0.93`",
        _ => "KEY=VALUE, as `-p lr=0.1`; a key that holds '.' or '=' in quotes, as `-p '\"a.b\"=1'`",
    }
}

/// One key at the beginning of `text`, and what follows it: a `.`, a `=`, or nothing.
fn segment(text: &str) -> Result<(String, &str), String> {
    let text = text.trim_start();
    let Some(quote) = text.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        let end = text.find(['.', '=']).unwrap_or(text.len());
        let (key, after) = text.split_at(end);
        return match key.contains(['"', '\'']) {
            true => Err("a quote stands within a key; quote the whole of it".to_owned()),
            false => Ok((key.trim_end().to_owned(), after)),
        };
    };
    let end = closing(text, quote).ok_or("a quote is not closed")?;
    let (quoted, after) = text.split_at(end);
    let after = after.trim_start();
    if !after.is_empty() && !after.starts_with(['.', '=']) {
        return Err("something follows the closing quote of a key".to_owned());
    }
    match DeValue::parse(quoted).map(|parsed| parsed.into_inner()) {
        Ok(DeValue::String(key)) => Ok((key.into_owned(), after)),
        _ => Err("a quoted key is malformed".to_owned()),
    }
}

/// The end of the quoted text at the beginning of `text`; a double quote can be escaped in one.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if quote == '"' => is_escaped = true,
            _ if character == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Adds the leaves of a dict to one that is there; what clashes is refused.
fn add_all(there: &mut Table, path: &[String], more: Table) -> Result<(), Problem> {
    more.into_iter().try_for_each(|(key, value)| {
        insert(there, std::slice::from_ref(&key), value).map_err(|problem| Problem {
            message: format!("under '{}': {}", shown(path), problem.message),
            ..problem
        })
    })
}

fn value_and_dict(path: &[String]) -> Problem {
    Problem::usage(format!("the param '{}' is given both as a value and as a dict", shown(path)))
}

fn shown(path: &[String]) -> String {
    path.iter().map(|key| text::write_key(key)).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> String {
        match parse_param(text) {
            Ok((path, value)) => format!("{} = {}", shown(&path), text::write_value(&value)),
            Err(problem) => format!("refused: {problem}"),
        }
    }

    #[test]
    fn values_are_typed() {
        let table = [
            ("1", "1"),
            ("-17", "-17"),
            ("+1", "1"),
            ("1_000", "1000"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("0b101", "5"),
            ("1.5", "1.5"),
            ("1e-3", "0.001"),
            ("1E5", "100000.0"),
            ("-0.0", "-0.0"),
            ("1.", "1.0"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("1.e3", "1000.0"),
            ("inf", "inf"),
            ("-inf", "-inf"),
            ("nan", "nan"),
            ("+inf", "inf"),
            ("9223372036854775808", "{ \"$int\" = \"9223372036854775808\" }"),
            ("true", "true"),
            ("True", "true"),
            ("false", "false"),
            ("False", "false"),
            ("TRUE", "\"TRUE\""),
            ("none", "{ \"$null\" = true }"),
            ("None", "{ \"$null\" = true }"),
            ("null", "{ \"$null\" = true }"),
            ("[1, 2.5, 'x']", "[1, 2.5, \"x\"]"),
            ("[]", "[]"),
            ("{a = 1, b.c = 2}", "{ a = 1, b = { c = 2 } }"),
            ("{}", "{}"),
            ("[1, 2", "\"[1, 2\""),
            ("[a, b]", "\"[a, b]\""),
            ("[1] # x", "\"[1] # x\""),
            ("[2026-01-01]", "[\"2026-01-01\"]"),
            ("\"1\"", "\"1\""),
            ("'true'", "\"true\""),
            ("\"a\\nb\"", "\"a\\nb\""),
            ("\"open", "\"\\\"open\""),
            ("2026-01-02", "\"2026-01-02\""),
            ("2026-01-02T03:04:05Z", "\"2026-01-02T03:04:05Z\""),
            ("07:32:00", "\"07:32:00\""),
            ("007", "\"007\""),
            ("1__0", "\"1__0\""),
            ("1e999", "\"1e999\""),
            ("0x", "\"0x\""),
            ("1 2", "\"1 2\""),
            ("Infinity", "\"Infinity\""),
            ("adam", "\"adam\""),
            ("", "\"\""),
            ("a=b", "\"a=b\""),
            ("data/x.csv", "\"data/x.csv\""),
            ("./1", "\"./1\""),
            (" x ", "\" x \""),
            (" 1 ", "1"),
            ("-", "\"-\""),
            (".", "\".\""),
            ("1.2.3", "\"1.2.3\""),
            ("~", "\"~\""),
            ("{ \"$null\" = true }", "{ \"$null\" = true }"),
            ("{ \"$x\" = 1 }", "{ \"$$x\" = 1 }"),
            ("1 # one", "\"1 # one\""),
        ];
        for (given, expected) in table {
            assert_eq!(read(&format!("k={given}")), format!("k = {expected}"), "{given}");
        }
    }

    #[test]
    fn keys_end_at_the_first_equals_sign_outside_quotes() {
        let table = [
            ("a=1", "a = 1"),
            ("a.b.c=1", "a.b.c = 1"),
            ("\"a.b\"=1", "\"a.b\" = 1"),
            ("a.'x=y'.b=1", "a.\"x=y\".b = 1"),
            ("\"a\\\"=b\"=1", "\"a\\\"=b\" = 1"),
            ("a==1", "a = \"=1\""),
            (" a . b = 1", "a.b = 1"),
            ("größe=1", "\"größe\" = 1"),
            ("lr/decay=1", "\"lr/decay\" = 1"),
            ("n-layers=2", "n-layers = 2"),
        ];
        for (given, expected) in table {
            assert_eq!(read(given), expected, "{given}");
        }
        let long = format!("{}=1", "k".repeat(4096));
        let deep = format!("{}a=1", "a.".repeat(64));
        let large = format!("a={}", "x".repeat(10 << 20));
        let refused = [
            ("", "a key is empty"),
            ("a", "it has no '='"),
            ("=1", "a key is empty"),
            ("a..b=1", "a key is empty"),
            ("a.=1", "a key is empty"),
            ("\"\"=1", "a key is empty"),
            ("\"a=1", "a quote is not closed"),
            ("a\"b\"=1", "a quote stands within a key"),
            ("\"a\"b=1", "something follows"),
            ("'a\\'=1", "\\\\"),
            ("a\nb=1", "U+000A"),
            ("\"a\\u001b\"=1", "U+001B"),
            ("\u{202e}a=1", "U+202E"),
            (&long, "4096 bytes"),
            (&deep, "64 is the limit"),
            (&large, "has 10.0 MiB: a param holds at most 1.0 MiB"),
        ];
        for (given, expected) in refused {
            let got = read(given);
            let shown = shorten(given);
            match expected {
                // A literal text keeps its backslash.
                "\\\\" => assert_eq!(got, "\"a\\\\\" = 1"),
                _ => assert!(got.starts_with("refused") && got.contains(expected), "{shown}: {got}"),
            }
            assert!(got.len() < 500, "{shown}");
        }
    }

    #[test]
    fn metrics_are_flat_numbers() {
        let good = [
            ("acc=0.5", "acc", Number::Float(0.5)),
            ("a.b=1", "a.b", Number::Int(1)),
            ("\"a.b\"=1e3", "a.b", Number::Float(1000.0)),
            ("n=18446744073709551616", "n", Number::Int(1 << 64)),
            ("x=-Infinity", "x", Number::Float(f64::NEG_INFINITY)),
        ];
        for (given, name, number) in good {
            assert_eq!(parse_metric(given), Ok((name.to_owned(), number)), "{given}");
        }
        for given in ["a=high", "a=true", "a=[1]", "a={b=1}", "a=none", "a='1'", "a=", "a", "=1", "a\t=1\tb"]
        {
            assert!(parse_metric(given).is_err(), "{given}");
        }
        let mut metrics = IndexMap::new();
        insert_metric(&mut metrics, "a.b".into(), Number::Int(1)).unwrap();
        assert_eq!(
            insert_metric(&mut metrics, "a.b".into(), Number::Int(1)).unwrap_err().message,
            "the metric 'a.b' is given twice"
        );
    }

    #[test]
    fn params_nest_and_do_not_clash() {
        let insert_all = |given: &[&str]| {
            let mut params = Table::new();
            for text in given {
                let (path, value) = parse_param(text).unwrap();
                if let Err(problem) = insert(&mut params, &path, value) {
                    return problem.message;
                }
            }
            text::write_value(&Value::Table(params))
        };
        let table: [(&[&str], &str); 8] = [
            (&["a.b=1", "a.c=2", "d=3"], "{ a = { b = 1, c = 2 }, d = 3 }"),
            (&["a={x=1}", "a.y=2"], "{ a = { x = 1, y = 2 } }"),
            (&["a.y=2", "a={x=1}"], "{ a = { y = 2, x = 1 } }"),
            (&["a=1", "a=1"], "the param 'a' is given twice"),
            (&["a=1", "a.b=1"], "the param 'a' is given both as a value and as a dict"),
            (&["a.b=1", "a=1"], "the param 'a' is given both as a value and as a dict"),
            (&["a.b=1", "a={b=2}"], "under 'a': the param 'b' is given twice"),
            (&["a.b=1", "'a.b'=2"], "{ a = { b = 1 }, \"a.b\" = 2 }"),
        ];
        for (given, expected) in table {
            assert_eq!(insert_all(given), expected, "{given:?}");
        }
        let mut params: Table = [("a".to_owned(), Value::Int(1))].into_iter().collect();
        assert!(!insert_absent(&mut params, &["a".into()], Value::Int(2)));
        assert!(!insert_absent(&mut params, &["a".into(), "b".into()], Value::Int(2)));
        assert!(insert_absent(&mut params, &["c".into(), "d".into()], Value::Int(2)));
        assert_eq!(text::write_value(&Value::Table(params)), "{ a = 1, c = { d = 2 } }");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            Just(Value::BigInt("-18446744073709551616".into())),
            any::<f64>().prop_filter("one NaN", |float| !float.is_nan()).prop_map(Value::Float),
            any::<String>().prop_map(Value::Text),
            prop::collection::vec(any::<u8>(), 0..5).prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::vec(("[a-z$. =\"']{1,4}", inner), 0..4)
                    .prop_map(|pairs| Value::Table(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_as_written_reads_back(value in value(), key in "[^\\p{C}\u{200B}-\u{200F}\u{2028}\u{2029}\u{2060}-\u{2069}\u{61C}\u{FEFF}]{1,8}") {
            let written = format!("{}={}", text::write_key(&key), text::write_value(&value));
            prop_assert_eq!(parse_param(&written), Ok((vec![key], value)), "{}", written);
        }

        #[test]
        fn no_text_panics(given in any::<String>(), marks in "[\\[\\]{}\"'=.,$a1_#\\\\ +-]{0,30}") {
            for text in [given, marks] {
                let _ = parse_param(&text);
                let _ = parse_metric(&text);
                parse_value(&text);
            }
        }
    }
}
