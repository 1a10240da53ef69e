//! JSON as Python writes it, as values.
//!
//! Our own reader, since a document must be refused for a key given twice, integers must keep their digits, and
//! `NaN` and `Infinity`, which Python's `json` writes and JSON lacks, must be read.

use crate::error::Problem;
use crate::ops::record::files::limits::{self, NESTING_MAX};
use crate::run::value::{Table, Value};

/// Reads one JSON value, and nothing after it.
pub fn read(text: &str) -> Result<Value, Problem> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0).and_then(|value| {
        reader.space();
        match reader.peek() {
            None => Ok(value),
            Some(_) => Err(Problem::usage("there is more after the end of the document")),
        }
    });
    value.map_err(|problem| Problem::usage(format!("line {}: {}", reader.line(), problem.message)))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, Problem> {
        if depth > NESTING_MAX {
            return Err(Problem::usage(format!("it nests deeper than {NESTING_MAX}")));
        }
        self.space();
        match self.peek() {
            None => Err(Problem::usage("the document ends where a value should be")),
            Some(b'{') => self.table(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') if !self.rest().starts_with("-Infinity") => self.number(),
            Some(_) => self.word(),
        }
    }

    fn table(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut table = Table::new();
        self.at += 1;
        self.space();
        if self.take(b'}') {
            return Ok(Value::Table(table));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(Problem::usage("a key should be here, in double quotes"));
            }
            let key = self.string()?;
            self.space();
            if !self.take(b':') {
                return Err(Problem::usage(format!(
                    "there is no ':' after the key {:?}",
                    limits::shorten(&key)
                )));
            }
            let value = self.value(depth + 1)?;
            if table.contains_key(&key) {
                return Err(Problem::usage(format!("the key {:?} is there twice", limits::shorten(&key))));
            }
            table.insert(key, value);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(Problem::usage("a ',' or '}' should be here")),
            }
        }
        self.at += 1;
        Ok(Value::Table(table))
    }

    fn list(&mut self, depth: usize) -> Result<Value, Problem> {
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
                _ => return Err(Problem::usage("a ',' or ']' should be here")),
            }
        }
        self.at += 1;
        Ok(Value::List(list))
    }

    fn word(&mut self) -> Result<Value, Problem> {
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
        Err(Problem::usage("a value should be here"))
    }

    fn number(&mut self) -> Result<Value, Problem> {
        let start = self.at;
        self.take(b'-');
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
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
            true => limits::integer(text, 10),
            false => limits::float(text),
        }
    }

    fn digits(&mut self) -> Result<(), Problem> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        match self.at > start {
            true => Ok(()),
            false => Err(Problem::usage("a digit should be here")),
        }
    }

    fn string(&mut self) -> Result<String, Problem> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let plain = self.rest().find(|character: char| matches!(character, '"' | '\\' | '\0'..='\u{1f}'));
            let Some(plain) = plain else {
                return Err(Problem::usage("a text has no end"));
            };
            out.push_str(&self.text[self.at..self.at + plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => out.push(self.escape()?),
                _ => return Err(Problem::usage("a text holds a bare control character")),
            }
        }
        self.at += 1;
        Ok(out)
    }

    fn escape(&mut self) -> Result<char, Problem> {
        let letter = self.text.as_bytes().get(self.at + 1).copied();
        self.at += 2;
        Ok(match letter {
            Some(plain @ (b'"' | b'\\' | b'/')) => plain.into(),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => self.unicode()?,
            _ => {
                // The letter may be the first byte of a longer character.
                self.at -= 1;
                return Err(Problem::usage("a text holds an unknown '\\' escape"));
            }
        })
    }

    fn unicode(&mut self) -> Result<char, Problem> {
        let lone = || Problem::usage("a text holds half of a surrogate pair, which is no character");
        let first = self.hex4()?;
        let code = match first {
            0xD800..=0xDBFF => {
                if !self.rest().starts_with("\\u") {
                    return Err(lone());
                }
                self.at += 2;
                match self.hex4()? {
                    second @ 0xDC00..=0xDFFF => 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00),
                    _ => return Err(lone()),
                }
            }
            code => code,
        };
        char::from_u32(code).ok_or_else(lone)
    }

    fn hex4(&mut self) -> Result<u32, Problem> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += if code.is_some() { 4 } else { 0 };
        code.ok_or_else(|| Problem::usage("four hex digits should follow '\\u'"))
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn line(&self) -> usize {
        1 + self.text.bytes().take(self.at).filter(|byte| *byte == b'\n').count()
    }
}
