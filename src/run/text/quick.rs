//! A quick look at text that is as the program writes it, which nearly all is that it reads: many times as fast as a
//! parser that knows all of TOML.
//!
//! Whatever is not plainly so is left to that parser, which also says what is wrong with it. The caller writes what was
//! read again and compares, so that nothing is believed here.

use super::{is_big_int, is_special};
use crate::run::value::{Table, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// How deep values nest here at most: no deeper than the other parser goes.
const DEPTH_MAX: usize = 48;

/// The document, unless it is better left to a patient reader.
pub(super) fn read(text: &str) -> Option<Table> {
    let mut cursor = Cursor { rest: text };
    let mut document = Table::new();
    while !cursor.rest.is_empty() && !cursor.rest.starts_with(['[', '\n']) {
        let (key, value) = cursor.entry()?;
        insert(&mut document, key, value)?;
    }
    while !cursor.rest.is_empty() {
        // A blank line stands before each section but one at the very beginning.
        cursor.take("\n");
        match cursor.take("[[") {
            true => {
                let name = cursor.key()?;
                cursor.expect("]]\n")?;
                let table = Value::Table(cursor.entries()?);
                match document.entry(name).or_insert_with(|| Value::List(Vec::new())) {
                    Value::List(list) => list.push(table),
                    _ => return None,
                }
            }
            false => {
                cursor.expect("[")?;
                let name = cursor.key()?;
                cursor.expect("]\n")?;
                let table = if name == super::DOTTED { cursor.dotted()? } else { cursor.entries()? };
                insert(&mut document, name, Value::Table(table))?;
            }
        }
    }
    Some(document)
}

fn insert(table: &mut Table, key: String, value: Value) -> Option<()> {
    table.insert(key, value).is_none().then_some(())
}

/// What is left to read.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// Whether the word stood there; then it is passed.
    fn take(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, word: &str) -> Option<()> {
        self.take(word).then_some(())
    }

    fn is_at_section(&self) -> bool {
        self.rest.is_empty() || self.rest.starts_with(['\n', '['])
    }

    fn entries(&mut self) -> Option<Table> {
        let mut table = Table::new();
        while !self.is_at_section() {
            let (key, value) = self.entry()?;
            insert(&mut table, key, value)?;
        }
        Some(table)
    }

    /// `a.b = value`, nested.
    fn dotted(&mut self) -> Option<Table> {
        let mut table = Table::new();
        while !self.is_at_section() {
            let mut inner = &mut table;
            let mut key = self.key()?;
            let mut depth = 0;
            while self.take(".") {
                depth += 1;
                let Value::Table(nested) = inner.entry(key).or_insert_with(|| Value::Table(Table::new()))
                else {
                    return None;
                };
                inner = nested;
                key = self.key()?;
            }
            self.expect(" = ")?;
            let value = self.value(depth)?;
            self.expect("\n")?;
            insert(inner, key, value)?;
        }
        Some(table)
    }

    fn entry(&mut self) -> Option<(String, Value)> {
        let key = self.key()?;
        self.expect(" = ")?;
        let value = match self.take("[\n") {
            true => self.tables()?,
            false => self.value(0)?,
        };
        self.expect("\n")?;
        Some((key, value))
    }

    /// Dicts, one a line.
    fn tables(&mut self) -> Option<Value> {
        let mut list = Vec::new();
        while self.take("  ") {
            list.push(self.value(1)?);
            self.expect(",\n")?;
        }
        self.expect("]")?;
        Some(Value::List(list))
    }

    /// A key with its dollars as they were given.
    fn key(&mut self) -> Option<String> {
        let key = self.raw_key()?;
        match key.strip_prefix('$') {
            None => Some(key),
            Some(rest) => rest.starts_with('$').then(|| rest.to_owned()),
        }
    }

    fn raw_key(&mut self) -> Option<String> {
        if self.rest.starts_with('"') {
            return self.quoted();
        }
        let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let end = self.rest.bytes().position(|byte| !bare(byte))?;
        let (key, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!key.is_empty()).then(|| key.to_owned())
    }

    fn quoted(&mut self) -> Option<String> {
        self.expect("\"")?;
        let end = self.rest.find(['"', '\\', '\n'])?;
        let (plain, rest) = self.rest.split_at(end);
        let mut text = plain.to_owned();
        self.rest = rest;
        loop {
            let next = self.rest.chars().next()?;
            self.rest = &self.rest[next.len_utf8()..];
            match next {
                '"' => return Some(text),
                '\\' => text.push(self.escaped()?),
                '\n' => return None,
                other => text.push(other),
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        let letter = self.rest.chars().next()?;
        self.rest = &self.rest[letter.len_utf8()..];
        Some(match letter {
            '"' => '"',
            '\\' => '\\',
            'b' => '\u{8}',
            't' => '\t',
            'n' => '\n',
            'f' => '\u{c}',
            'r' => '\r',
            'u' => {
                let digits = self.rest.get(..4)?;
                self.rest = &self.rest[4..];
                char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
            }
            _ => return None,
        })
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH_MAX {
            return None;
        }
        match self.rest.as_bytes().first()? {
            b'"' => self.quoted().map(Value::Text),
            b'[' => self.list(depth),
            b'{' => self.dict(depth),
            _ => self.word(),
        }
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        self.expect("[")?;
        let mut list = Vec::new();
        if self.take("]") {
            return Some(Value::List(list));
        }
        loop {
            list.push(self.value(depth + 1)?);
            if self.take("]") {
                return Some(Value::List(list));
            }
            self.expect(", ")?;
        }
    }

    fn dict(&mut self, depth: usize) -> Option<Value> {
        if self.take("{}") {
            return Some(Value::Table(Table::new()));
        }
        self.expect("{ ")?;
        let mut table = Table::new();
        let mut special = None;
        loop {
            let key = self.raw_key()?;
            self.expect(" = ")?;
            let value = self.value(depth + 1)?;
            match key.strip_prefix('$') {
                Some(_) if is_special(&key) => {
                    special = Some(self::special(&key, value).filter(|_| table.is_empty())?);
                }
                Some(rest) => insert(&mut table, rest.to_owned(), value)?,
                None => insert(&mut table, key, value)?,
            }
            if self.take(" }") {
                return match special {
                    Some(value) => table.is_empty().then_some(value),
                    None => Some(Value::Table(table)),
                };
            }
            // What TOML lacks stands alone.
            special.is_none().then_some(())?;
            self.expect(", ")?;
        }
    }

    /// A number or a boolean.
    fn word(&mut self) -> Option<Value> {
        let end = self.rest.find([',', ']', ' ', '\n'])?;
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "nan" => Some(Value::Float(f64::NAN)),
            "inf" => Some(Value::Float(f64::INFINITY)),
            "-inf" => Some(Value::Float(f64::NEG_INFINITY)),
            _ if !word.bytes().all(|byte| byte.is_ascii_digit() || b"+-.e".contains(&byte)) => None,
            _ if word.contains(['.', 'e']) => word.parse().ok().map(Value::Float),
            _ => word.parse().ok().map(Value::Int),
        }
    }
}

/// What TOML lacks.
fn special(key: &str, value: Value) -> Option<Value> {
    match (key, value) {
        ("$null", Value::Bool(true)) => Some(Value::Null),
        ("$int", Value::Text(digits)) if is_big_int(&digits) => Some(Value::BigInt(digits)),
        ("$bytes", Value::Text(text)) => BASE64.decode(text).ok().map(Value::Bytes),
        ("$json", Value::Text(json)) => Some(Value::Json(json)),
        _ => None,
    }
}
