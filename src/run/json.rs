//! JSON text, as Python writes it too, as values.
//!
//! Our own reader, since integers must keep their digits, `NaN` and `Infinity`, which Python's `json` writes and JSON
//! lacks, must be read, and a key given twice must be refused. Knows nothing of what keys and values stand for.

use indexmap::map::Entry;

use crate::error::shorten;
use crate::run::value::{DIGITS_MAX, NESTING_MAX, Table, Value};

/// What becomes of what JSON can say and no value can hold: half of a surrogate pair, a number beyond a double.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// The text is refused.
    Refused,
    /// It becomes the nearest that can be held: U+FFFD, an infinity.
    Nearest,
}

/// Why a text is no value, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Why.
    pub why: String,
    /// How many bytes were read until it showed.
    pub at: usize,
}

impl Fault {
    /// The line of `text` that it is on, from 1.
    pub fn line(&self, text: &str) -> usize {
        1 + text.bytes().take(self.at).filter(|byte| *byte == b'\n').count()
    }
}

/// Reads one JSON value, and nothing after it.
pub fn read(text: &str, beyond: Beyond) -> Result<Value, Fault> {
    let mut reader = Reader { text, at: 0, beyond };
    reader.document().map_err(|why| Fault { why, at: reader.at })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    beyond: Beyond,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Value, String> {
        let value = self.value(0)?;
        self.space();
        match self.peek() {
            None => Ok(value),
            Some(_) => Err("there is more after the end".to_owned()),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > NESTING_MAX {
            return Err(format!("it nests deeper than {NESTING_MAX}"));
        }
        self.space();
        match self.peek() {
            None => Err("it ends where a value should be".to_owned()),
            Some(b'{') => self.table(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') if !self.rest().starts_with("-Infinity") => self.number(),
            Some(_) => self.word(),
        }
    }

    fn table(&mut self, depth: usize) -> Result<Value, String> {
        let mut table = Table::new();
        self.at += 1;
        self.space();
        if self.take(b'}') {
            return Ok(Value::Table(table));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err("a key should be here, in double quotes".to_owned());
            }
            let key = self.string()?;
            self.space();
            if !self.take(b':') {
                return Err(format!("there is no ':' after the key {:?}", shorten(&key)));
            }
            let value = self.value(depth + 1)?;
            match table.entry(key) {
                Entry::Vacant(place) => place.insert(value),
                Entry::Occupied(place) => {
                    return Err(format!("the key {:?} is there twice", shorten(place.key())));
                }
            };
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err("a ',' or '}' should be here".to_owned()),
            }
        }
        self.at += 1;
        Ok(Value::Table(table))
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        let mut list = Vec::new();
        self.at += 1;
        self.space();
        if self.take(b']') {
            return Ok(Value::List(list));
        }
        loop {
            list.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err("a ',' or ']' should be here".to_owned()),
            }
        }
        self.at += 1;
        Ok(Value::List(list))
    }

    fn word(&mut self) -> Result<Value, String> {
        let words = [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("NaN", Value::Float(f64::NAN)),
            ("Infinity", Value::Float(f64::INFINITY)),
            ("-Infinity", Value::Float(f64::NEG_INFINITY)),
        ];
        for (word, value) in words {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err("a value should be here".to_owned())
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        let mut is_integer = true;
        if self.take(b'.') {
            is_integer = false;
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            is_integer = false;
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        match is_integer {
            true => integer(text),
            false => self.float(text),
        }
    }

    fn float(&self, text: &str) -> Result<Value, String> {
        match text.parse::<f64>() {
            Ok(float) if float.is_infinite() && self.beyond == Beyond::Refused => {
                Err(format!("the number {} is beyond what a double holds", shorten(text)))
            }
            Ok(float) => Ok(Value::Float(float)),
            Err(_) => Err(format!("{:?} is no number", shorten(text))),
        }
    }

    fn digits(&mut self) -> Result<(), String> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        match self.at > start {
            true => Ok(()),
            false => Err("a digit should be here".to_owned()),
        }
    }

    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let bytes = &self.text.as_bytes()[self.at..];
            let Some(plain) = bytes.iter().position(|&byte| matches!(byte, b'"' | b'\\' | ..0x20)) else {
                return Err("a text has no end".to_owned());
            };
            out.push_str(&self.text[self.at..self.at + plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => out.push(self.escape()?),
                _ => return Err("a text holds a bare control character".to_owned()),
            }
        }
        self.at += 1;
        Ok(out)
    }

    fn escape(&mut self) -> Result<char, String> {
        let letter = self.text.as_bytes().get(self.at + 1).copied();
        let plain = match letter {
            Some(plain @ (b'"' | b'\\' | b'/')) => plain.into(),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err("a text holds an unknown '\\' escape".to_owned()),
        };
        self.at += 2;
        Ok(plain)
    }

    /// A character as one `\u` escape, or as a pair of them.
    fn unicode(&mut self) -> Result<char, String> {
        let first = self.hex()?;
        if (0xD800..0xDC00).contains(&first) && self.rest().starts_with("\\u") {
            let before = self.at;
            let second = self.hex()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            // The second stands for itself.
            self.at = before;
        }
        match (char::from_u32(first), self.beyond) {
            (Some(character), _) => Ok(character),
            // As Python writes bytes of a file name.
            (None, Beyond::Nearest) => Ok(char::REPLACEMENT_CHARACTER),
            (None, Beyond::Refused) => {
                Err("a text holds half of a surrogate pair, which is no character".to_owned())
            }
        }
    }

    /// The number that a `\u` escape holds.
    fn hex(&mut self) -> Result<u32, String> {
        let digits = self.text.get(self.at + 2..self.at + 6);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or("four hex digits should follow '\\u'")?;
        self.at += 6;
        Ok(code)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }
}

/// The integer that decimal digits are, exact.
fn integer(digits: &str) -> Result<Value, String> {
    if let Ok(int) = digits.parse() {
        return Ok(Value::Int(int));
    }
    match digits.trim_start_matches('-').len() {
        count if count > DIGITS_MAX => {
            Err(format!("an integer has {count} digits: {DIGITS_MAX} is the limit"))
        }
        _ => Ok(Value::BigInt(digits.to_owned())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn python_and_any_integer_are_read() {
        let text = r#"[NaN, -Infinity, 1e3, -0, 18446744073709551616, 1.0, "\ud83d\ude00é"]"#;
        for beyond in [Beyond::Refused, Beyond::Nearest] {
            assert_eq!(
                format!("{:?}", read(text, beyond).unwrap()),
                r#"List([Float(NaN), Float(-inf), Float(1000.0), Int(0), BigInt("18446744073709551616"), Float(1.0), Text("😀é")])"#
            );
        }
    }

    #[test]
    fn what_no_value_holds_is_refused_or_becomes_the_nearest() {
        for (text, nearest) in [
            (r#""\udc80é""#, Value::from("\u{fffd}é")),
            (r#""\ud83d""#, Value::from("\u{fffd}")),
            (r#""\ud83d\u0041""#, Value::from("\u{fffd}A")),
            (r#""\ud83d\ud83d\ude00""#, Value::from("\u{fffd}😀")),
            ("1e999", Value::Float(f64::INFINITY)),
            ("-1e999", Value::Float(f64::NEG_INFINITY)),
        ] {
            assert_eq!(read(text, Beyond::Nearest), Ok(nearest), "{text}");
            assert!(read(text, Beyond::Refused).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let deep = "[".repeat(200);
        let long = "9".repeat(5000);
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "01",
            "1.",
            "+1",
            ".5",
            "\"a",
            "\"\t\"",
            "\"\\x\"",
            "\"\\é\"",
            "\"\\u12\"",
            "\"\\u12é4\"",
            "\"\\",
            "nul",
            "1 2",
            "{\"a\":1,\"a\":1}",
            "\"\\ud83d\\u00",
            &deep,
            &long,
        ] {
            for beyond in [Beyond::Refused, Beyond::Nearest] {
                assert!(read(text, beyond).is_err(), "{text:?}");
            }
        }
    }

    #[test]
    fn a_fault_knows_its_line() {
        let text = "{\"a\": 1,\n \"b\": }\n";
        let fault = read(text, Beyond::Refused).unwrap_err();
        assert_eq!((fault.line(text), fault.why.as_str()), (2, "a value should be here"));
    }
}
