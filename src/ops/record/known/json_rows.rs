//! Objects in JSON text that may be torn, damaged or joined to others: those that are whole.
//!
//! Knows brackets and strings; what an object says is read by the reader of params.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::human;
use crate::ops::record::files::json_text;
use crate::ops::record::known::csv;
use crate::run::attempt::Number;
use crate::run::value::{Table, Value};

/// The largest document that is read.
const DOCUMENT_MAX: u64 = 128 << 20;

/// The text of a document, what is no UTF-8 replaced.
pub fn text(path: &Path) -> Result<String> {
    let size = fs::metadata(path)?.len();
    if size > DOCUMENT_MAX {
        let (size, limit) = (human::size(size), human::size(DOCUMENT_MAX));
        return Err(Problem::new(format!("it has {size}: {limit} is the limit")).into());
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(DOCUMENT_MAX).read_to_end(&mut bytes).context("it cannot be read")?;
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The objects that stand in a text, one after the other or in a list, each with where it ends.
#[derive(Debug)]
pub struct Objects<'a> {
    text: &'a str,
    at: usize,
    is_one_list: bool,
    is_junk: bool,
    /// How many could not be read.
    pub unreadable: u64,
    /// How many bytes of an unfinished one stand at the end.
    pub torn: u64,
}

impl<'a> Objects<'a> {
    /// Those in `text`; of one list only, if `is_one_list`.
    pub fn new(text: &'a str, is_one_list: bool) -> Self {
        Self { text, at: 0, is_one_list, is_junk: false, unreadable: 0, torn: 0 }
    }
}

impl Iterator for Objects<'_> {
    type Item = (Table, u64);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        while self.at < bytes.len() {
            let start = self.at;
            self.at += 1;
            match bytes[start] {
                b'{' => match end(&bytes[start..]) {
                    End::At(length) => {
                        (self.at, self.is_junk) = (start + length, false);
                        match json_text::read(&self.text[start..self.at]) {
                            Ok(Value::Table(table)) => return Some((table, self.at as u64)),
                            _ => self.unreadable += 1,
                        }
                    }
                    End::Broken(length) => (self.at, self.unreadable) = (start + length, self.unreadable + 1),
                    End::Missing => (self.at, self.torn) = (bytes.len(), (bytes.len() - start) as u64),
                },
                b']' if self.is_one_list => self.at = bytes.len(),
                b'[' | b']' | b',' => self.is_junk = false,
                byte if byte.is_ascii_whitespace() => {}
                _ if !self.is_junk => (self.is_junk, self.unreadable) = (true, self.unreadable + 1),
                _ => {}
            }
        }
        None
    }
}

enum End {
    /// So many bytes long.
    At(usize),
    /// A string does not end on its line: so many bytes are no object.
    Broken(usize),
    /// The text ends first.
    Missing,
}

/// Where the object that begins here ends.
fn end(bytes: &[u8]) -> End {
    let (mut depth, mut is_string, mut is_escaped) = (0_usize, false, false);
    for (offset, byte) in bytes.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_string => is_escaped = true,
            b'"' => is_string = !is_string,
            b'\n' if is_string => return End::Broken(offset),
            _ if is_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return End::At(offset + 1);
        }
    }
    End::Missing
}

/// The number that a value is, spelt as text too (`"nan"`, as DVCLive writes it).
pub fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Text(text) if is_nonfinite(text) => csv::number(text),
        Value::Text(_) => None,
        value => Number::of(value),
    }
}

fn is_nonfinite(text: &str) -> bool {
    let word = text.trim_start_matches(['-', '+']).to_ascii_lowercase();
    matches!(word.as_str(), "nan" | "inf" | "infinity")
}

/// The numbers in `table`, nested ones joined by `joint`; all else is passed over.
pub fn flatten(table: &Table, joint: &str) -> Vec<(String, Number)> {
    let mut flat = Vec::new();
    add(table, "", joint, &mut flat);
    flat
}

fn add(table: &Table, prefix: &str, joint: &str, flat: &mut Vec<(String, Number)>) {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}{joint}{key}") };
        match value {
            Value::Table(nested) => add(nested, &name, joint, flat),
            value => flat.extend(number(value).map(|number| (name, number))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many objects, how many unreadable, how many bytes torn.
    fn counts(text: &str, is_one_list: bool) -> (usize, u64, u64) {
        let mut objects = Objects::new(text, is_one_list);
        (objects.by_ref().count(), objects.unreadable, objects.torn)
    }

    #[test]
    fn whole_objects_are_found_around_broken_ones() {
        let table = [
            ("", (0, 0, 0)),
            ("{} {\"a\": 1}\n[{}, {}]", (4, 0, 0)),
            ("{\"a\": \"}{\\\"\"}", (1, 0, 0)),
            ("{\"a\": 1}\n{\"a\": x}\n{\"a\": 2}", (2, 1, 0)),
            ("{\"a\": 1}\n{\"a\n{\"a\": 2}", (2, 1, 0)),
            ("{\"a\": 1}\n{\"a\": ", (1, 0, 6)),
            ("garbage {\"a\": 1} \u{0}\u{0}", (1, 2, 0)),
            ("]]}}", (0, 1, 0)),
        ];
        for (text, expected) in table {
            assert_eq!(counts(text, false), expected, "{text:?}");
        }
        assert_eq!(counts("{}, {}], \"more\": {}", true), (2, 0, 0));
    }
}
