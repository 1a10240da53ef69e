//! Lines: one event as the bytes of one line, and back.
//!
//! Lines of points, as our writers write them, are read without building JSON first. Knows nothing of files: which lines
//! are missing is `read`'s, what events come to is `replay`'s.

use indexmap::IndexMap;

use crate::journal::event::{Begin, Body, Event, Finish, LoggedFile, Step, Thing};
use crate::journal::json::{self, given, given_table, quote};
use crate::run::attempt::{Definition, Goal, Input, Number};
use crate::run::id::is_hex;
use crate::run::value::{Table, Value};

/// The longest line that is read, in bytes; longer ones are skipped and counted.
pub const LINE_MAX: usize = 16 << 20;

/// What can stand for a metric in tables.
const SUMMARIES: [&str; 3] = ["last", "min", "max"];

/// What stands before a line's checksum.
const CRC: &str = ",\"crc\":";

/// Why a line is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub String);

impl Malformed {
    /// With this reason.
    pub fn new(why: impl Into<String>) -> Self {
        Malformed(why.into())
    }
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

/// An event, and what of its line was not understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Understood {
    /// The event, as far as it was understood.
    pub event: Event,
    /// What was passed over, if something was.
    pub odd: Option<String>,
}

/// Reads a line; what of it is not understood is passed over.
pub fn decode(line: &[u8]) -> Result<Event, Malformed> {
    understand(line).map(|understood| understood.event)
}

/// Reads a line, and tells what of it was not understood.
pub fn understand(line: &[u8]) -> Result<Understood, Malformed> {
    let mut row = Row::default();
    match row.read(line) {
        Some(Place { number, time, step }) => {
            let event = Event { number, time, step, body: Body::Points(row.values) };
            Ok(Understood { event, odd: None })
        }
        None => understand_any(line),
    }
}

/// Reads a line of any kind; of points in any spelling.
pub fn understand_any(line: &[u8]) -> Result<Understood, Malformed> {
    let line = line.trim_ascii();
    let is_checked = check(line)?;
    let text = std::str::from_utf8(line).map_err(|_| Malformed::new("it is not UTF-8"))?;
    let Value::Table(table) = json::read(text)? else {
        return Err(Malformed::new("it is no JSON object"));
    };
    let mut fields = Fields { table, odd: None };
    if fields.table.shift_remove("crc").is_some() && !is_checked {
        return Err(Malformed::new("its crc does not stand at its end as `,\"crc\":<digits>}`"));
    }
    let number = match fields.table.shift_remove("n") {
        Some(Value::Int(int)) if int >= 0 => int as u64,
        _ => return Err(Malformed::new("it has no 'n' that is its place in the file")),
    };
    let time = fields.finite("t");
    let step = match fields.table.shift_remove("step") {
        None => Step::Next,
        Some(Value::Null) => Step::Nowhere,
        Some(value) => number_of(&value).map_or_else(
            || {
                fields.odd("its step is no number");
                Step::Nowhere
            },
            Step::At,
        ),
    };
    let body = fields.body();
    fields.nothing_left();
    Ok(Understood { event: Event { number, time, step, body }, odd: fields.odd })
}

/// Whether the line has a checksum at its end; one that does not match is refused.
fn check(line: &[u8]) -> Result<bool, Malformed> {
    let Some((before, crc)) = split_crc(line) else {
        return Ok(false);
    };
    match crc == Some(crc32fast::hash(before)) {
        true => Ok(true),
        false => Err(Malformed::new("its crc does not match: it is damaged")),
    }
}

/// A line that ends in a checksum: what the sum is of, and the sum, if it is one.
fn split_crc(line: &[u8]) -> Option<(&[u8], Option<u32>)> {
    let inside = line.strip_suffix(b"}")?;
    let digits = inside.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (before, digits) = inside.split_at(inside.len() - digits);
    let before = before.strip_suffix(CRC.as_bytes())?;
    Some((before, std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok())))
}

/// Whether the line ends in a checksum.
pub fn has_crc(line: &[u8]) -> bool {
    split_crc(line.trim_ascii()).is_some()
}

/// Where an event stands: in its file, in time and in the training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Its place in the file.
    pub number: u64,
    /// When it was written.
    pub time: Option<Number>,
    /// Where in the training it belongs.
    pub step: Step,
}

/// The values of one line of points. Lines that follow each other mostly name the same metrics in the same order, so
/// one of these is read into again and again, and its names are allocated once.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// The values by name, in the order of the line.
    pub values: IndexMap<String, Number>,
    /// Grows whenever the names, or their order, have changed.
    pub layout: u64,
}

impl Row {
    /// Reads a line of points as our writers write it; none for any other line, and then the values are of no use.
    pub fn read(&mut self, line: &[u8]) -> Option<Place> {
        let mut cursor = Cursor { line: line.trim_ascii_end(), at: 0 };
        cursor.expect(b"{\"n\":")?;
        let number = cursor.unsigned().filter(|number| i64::try_from(*number).is_ok())?;
        let time = match cursor.take(b",\"t\":") {
            true => Some(cursor.plain_number().filter(|time| time.as_f64().is_finite())?),
            false => None,
        };
        let step = match cursor.take(b",\"step\":") {
            false => Step::Next,
            true if cursor.take(b"null") => Step::Nowhere,
            true => Step::At(cursor.number()?),
        };
        cursor.expect(b",\"points\":{")?;
        self.read_values(&mut cursor)?;
        let end = cursor.at;
        if cursor.take(CRC.as_bytes())
            && cursor.unsigned()? != u64::from(crc32fast::hash(&cursor.line[..end]))
        {
            return None;
        }
        cursor.expect(b"}")?;
        (cursor.at == cursor.line.len()).then_some(Place { number, time, step })
    }

    fn read_values(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let mut count = 0;
        let mut is_open = !cursor.take(b"}");
        while is_open {
            let name = cursor.name()?;
            cursor.expect(b":")?;
            let value = cursor.number()?;
            match self.values.get_index_mut(count) {
                Some((known, slot)) if known.as_bytes() == name => *slot = value,
                _ => self.rename(count, name, value)?,
            }
            count += 1;
            is_open = cursor.take(b",");
            if !is_open {
                cursor.expect(b"}")?;
            }
        }
        if count < self.values.len() {
            self.layout += 1;
            self.values.truncate(count);
        }
        Some(())
    }

    /// Lets this name be the one at `index`, and forgets what stood there and after it.
    fn rename(&mut self, index: usize, name: &[u8], value: Number) -> Option<()> {
        self.layout += 1;
        self.values.truncate(index);
        let name = std::str::from_utf8(name).ok()?;
        self.values.insert(name.to_owned(), value).is_none().then_some(())
    }
}

/// Reads bytes one after the other; `None` wherever the line is not as our writers write it.
struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, text: &[u8]) -> bool {
        let is_there = self.line[self.at..].starts_with(text);
        self.at += if is_there { text.len() } else { 0 };
        is_there
    }

    fn expect(&mut self, text: &[u8]) -> Option<()> {
        self.take(text).then_some(())
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    /// A text without escapes.
    fn name(&mut self) -> Option<&'a [u8]> {
        self.expect(b"\"")?;
        let rest = &self.line[self.at..];
        let length = rest.iter().position(|&byte| matches!(byte, b'"' | b'\\' | ..0x20))?;
        self.at += length + 1;
        (rest[length] == b'"').then(|| &rest[..length])
    }

    fn unsigned(&mut self) -> Option<u64> {
        let digits = self.digits()?;
        if digits.len() > 1 && digits[0] == b'0' {
            return None;
        }
        digits
            .iter()
            .try_fold(0u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
    }

    fn digits(&mut self) -> Option<&'a [u8]> {
        let rest = &self.line[self.at..];
        let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        self.at += length;
        (length > 0).then(|| &rest[..length])
    }

    fn number(&mut self) -> Option<Number> {
        match self.peek()? {
            b'"' => {
                let word = std::str::from_utf8(self.name()?).ok()?;
                json::nonfinite(word).map(Number::Float)
            }
            _ => self.plain_number(),
        }
    }

    fn plain_number(&mut self) -> Option<Number> {
        let start = self.at;
        let is_negative = self.take(b"-");
        let digits = self.digits()?;
        if digits.len() > 1 && digits[0] == b'0' {
            return None;
        }
        match self.peek() {
            Some(b'.' | b'e' | b'E') => {}
            _ if digits.len() < 19 => {
                let magnitude = digits.iter().fold(0i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
                return Some(Number::Int(if is_negative { -magnitude } else { magnitude }.into()));
            }
            // Long integers are rare.
            _ => return None,
        }
        if self.take(b".") {
            self.digits()?;
        }
        if self.take(b"e") || self.take(b"E") {
            let _sign = self.take(b"+") || self.take(b"-");
            self.digits()?;
        }
        let text = std::str::from_utf8(&self.line[start..self.at]).ok()?;
        text.parse().ok().map(Number::Float)
    }
}

/// The number that stands where one should be: a word for what is not finite, also `null`, which JavaScript writes for
/// NaN, and a boolean as 0 or 1.
fn number_of(value: &Value) -> Option<Number> {
    match value {
        Value::Text(word) => json::nonfinite(word).map(Number::Float),
        Value::Null => Some(Number::Float(f64::NAN)),
        Value::Bool(bool) => Some(Number::Int((*bool).into())),
        // Beyond 128 bits an integer becomes the nearest double.
        Value::BigInt(digits) => Number::of(value).or_else(|| digits.parse().ok().map(Number::Float)),
        other => Number::of(other),
    }
}

/// The keys of an object that were not yet taken out of it.
struct Fields {
    table: Table,
    odd: Option<String>,
}

impl Fields {
    fn of(value: Value) -> Option<Self> {
        match value {
            Value::Table(table) => Some(Self { table, odd: None }),
            _ => None,
        }
    }

    /// Notes the first thing that is not understood.
    fn odd(&mut self, what: impl Into<String>) {
        self.odd.get_or_insert_with(|| what.into());
    }

    fn nothing_left(&mut self) {
        if let Some(key) = self.table.keys().next() {
            let key = key.chars().take(40).collect::<String>();
            self.odd(format!("its key {key:?} is not known"));
        }
    }

    /// What `read` makes of the value under `key`; absent if that is null, and noted if it makes nothing of it.
    fn get<T>(&mut self, key: &str, read: impl FnOnce(Value) -> Option<T>) -> Option<T> {
        let value = self.table.shift_remove(key).filter(|value| *value != Value::Null)?;
        let found = read(value);
        if found.is_none() {
            self.odd(format!("its {key:?} is not what it should be"));
        }
        found
    }

    fn text(&mut self, key: &str) -> Option<String> {
        self.get(key, text)
    }

    fn count(&mut self, key: &str) -> Option<u64> {
        self.get(key, |value| value.as_int().and_then(|int| u64::try_from(int).ok()))
    }

    fn finite(&mut self, key: &str) -> Option<Number> {
        self.get(key, |value| Number::of(&value)).filter(|number| number.as_f64().is_finite())
    }

    fn table(&mut self, key: &str) -> Option<Table> {
        self.get(key, |value| Some(given_table(Fields::of(value)?.table, 0)))
    }

    /// What the line says; each line says one thing.
    fn body(&mut self) -> Body {
        let kinds: Vec<&Kind> = KINDS.iter().filter(|(kind, _)| self.table.contains_key(*kind)).collect();
        let &[&(kind, read)] = kinds.as_slice() else {
            self.odd(if kinds.is_empty() {
                "it says nothing that is known"
            } else {
                "it says more than one thing"
            });
            self.table.clear();
            return Body::Unknown;
        };
        let value = self.table.shift_remove(kind).unwrap_or(Value::Null);
        let mut odd = None;
        let body = read(value, &mut odd);
        if let Some(what) = odd {
            self.odd(format!("{kind}: {what}"));
        }
        body.unwrap_or_else(|| {
            self.odd(format!("its {kind:?} is not what it should be"));
            Body::Unknown
        })
    }
}

type Odd = Option<String>;
/// A kind of event, and what reads its value.
type Kind = (&'static str, fn(Value, &mut Odd) -> Option<Body>);

const KINDS: &[Kind] = &[
    ("begin", |value, odd| inside(value, odd, begin).map(Body::Begin)),
    ("points", |value, odd| numbers(value, odd).map(Body::Points)),
    ("params", |value, _| Some(Body::Params(given_table(Fields::of(value)?.table, 0)))),
    ("tags", |value, odd| tags(value, odd).map(Body::Tags)),
    ("note", |value, _| text(value).map(Body::Note)),
    ("name", |value, _| text(value).map(Body::Name)),
    ("experiment", |value, _| text(value).map(Body::Experiment)),
    ("group", |value, _| text(value).map(Body::Group)),
    ("summary", |value, odd| numbers(value, odd).map(Body::Summary)),
    ("define", |value, odd| definitions(value, odd).map(Body::Define)),
    ("artifact", |value, odd| inside(value, odd, file).map(Body::Artifact)),
    ("input", |value, odd| inside(value, odd, input).map(Body::Input)),
    ("thing", |value, odd| inside(value, odd, thing).map(Body::Thing)),
    ("environment", |value, _| Some(Body::Environment(given_table(Fields::of(value)?.table, 0)))),
    ("code", |value, odd| inside(value, odd, file).map(Body::Code)),
    ("finish", |value, odd| inside(value, odd, finish).map(Body::Finish)),
];

/// Reads an object whose keys are all known.
fn inside<T>(value: Value, odd: &mut Odd, read: impl FnOnce(&mut Fields) -> Option<T>) -> Option<T> {
    let mut fields = Fields::of(value)?;
    let found = read(&mut fields)?;
    fields.nothing_left();
    *odd = fields.odd;
    Some(found)
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn begin(fields: &mut Fields) -> Option<Begin> {
    let begin = Begin {
        protocol: fields.get("protocol", |value| value.as_int()).unwrap_or_default(),
        owner: fields.table("owner").unwrap_or_default(),
        rank: fields.count("rank"),
        role: fields.text("role"),
        start: fields.table("start"),
        facts: Table::new(),
    };
    let mut facts = given_table(std::mem::take(&mut fields.table), 0);
    facts.retain(|_, value| *value != Value::Null);
    Some(Begin { facts, ..begin })
}

fn numbers(value: Value, odd: &mut Odd) -> Option<IndexMap<String, Number>> {
    let mut numbers = IndexMap::new();
    for (name, value) in Fields::of(value)?.table {
        match number_of(&value) {
            Some(number) => drop(numbers.insert(name, number)),
            None => *odd = Some(format!("the value of {name:?} is no number")),
        }
    }
    Some(numbers)
}

fn tags(value: Value, odd: &mut Odd) -> Option<Vec<String>> {
    match value {
        Value::Text(tag) => Some(vec![tag]),
        Value::List(list) => {
            let count = list.len();
            let tags: Vec<String> = list.into_iter().filter_map(text).collect();
            if tags.len() < count {
                *odd = Some("a tag is no text".to_owned());
            }
            Some(tags)
        }
        _ => None,
    }
}

fn definitions(value: Value, odd: &mut Odd) -> Option<IndexMap<String, Definition>> {
    let mut definitions = IndexMap::new();
    for (name, value) in Fields::of(value)?.table {
        let mut of_one = None;
        if let Some(definition) = inside(value, &mut of_one, |fields| Some(definition(fields))) {
            definitions.insert(name, definition);
        } else {
            of_one = Some(format!("what is said of {name:?} is no object"));
        }
        *odd = odd.take().or(of_one);
    }
    Some(definitions)
}

fn definition(fields: &mut Fields) -> Definition {
    Definition {
        goal: fields.get("goal", |value| Goal::parse(value.as_text()?)),
        unit: fields.text("unit"),
        x: fields.text("x"),
        summary: fields
            .get("summary", |value| text(value).filter(|which| SUMMARIES.contains(&which.as_str()))),
    }
}

fn file(fields: &mut Fields) -> Option<LoggedFile> {
    Some(LoggedFile {
        path: fields.text("path")?,
        file: fields.text("file"),
        source: fields.text("source"),
        media_type: fields.text("type"),
        key: fields.text("key"),
    })
}

fn input(fields: &mut Fields) -> Option<Input> {
    let path = fields.get("path", |value| match given(value, 1) {
        path @ (Value::Text(_) | Value::Bytes(_)) => Some(path),
        _ => None,
    });
    let name = fields.text("name").or_else(|| path.as_ref()?.as_text().map(str::to_owned))?;
    Some(Input {
        path: path.unwrap_or_else(|| Value::Text(name.clone())),
        kind: fields
            .get("kind", |value| text(value).filter(|kind| ["file", "dir"].contains(&kind.as_str())))
            .unwrap_or_else(|| "file".to_owned()),
        sha256: fields.get("sha256", |value| text(value).filter(|digest| is_hex(digest, 64))),
        digest: fields.text("digest"),
        size: fields.count("size"),
        files: fields.count("files"),
        name,
    })
}

fn thing(fields: &mut Fields) -> Option<Thing> {
    Some(Thing {
        name: fields.text("name")?,
        kind: fields.text("kind")?,
        value: given(fields.table.shift_remove("value")?, 1),
    })
}

fn finish(fields: &mut Fields) -> Option<Finish> {
    let is_known = |status: &String| ["finished", "failed", "killed"].contains(&status.as_str());
    Some(Finish {
        status: fields.text("status").filter(is_known)?,
        exit_code: fields.get("exit_code", |value| value.as_int()),
        error: fields.text("error"),
    })
}

/// Writes an event: one line, with its checksum and the LF.
pub fn encode(event: &Event) -> Vec<u8> {
    write(Place { number: event.number, time: event.time, step: event.step }, &event.body)
}

/// Writes what an event says at its place: one line, with its checksum and the LF.
pub fn write(place: Place, body: &Body) -> Vec<u8> {
    let mut out = format!("{{\"n\":{}", place.number);
    if let Some(time) = place.time {
        put_field(&mut out, "t", |out| put_number(out, time));
    }
    match place.step {
        Step::Next => {}
        Step::Nowhere => out.push_str(",\"step\":null"),
        Step::At(step) => put_field(&mut out, "step", |out| put_number(out, step)),
    }
    put_body(&mut out, body);
    out.push_str(&format!("{CRC}{}}}\n", crc32fast::hash(out.as_bytes())));
    out.into_bytes()
}

fn put_body(out: &mut String, body: &Body) {
    match body {
        Body::Begin(begin) => put_field(out, "begin", |out| put_begin(out, begin)),
        Body::Points(values) => put_field(out, "points", |out| put_numbers(out, values)),
        Body::Params(params) => put_field(out, "params", |out| json::write_table(out, params)),
        Body::Tags(tags) => put_field(out, "tags", |out| {
            json::write(out, &Value::List(tags.iter().cloned().map(Value::Text).collect()));
        }),
        Body::Note(text) => put_field(out, "note", |out| quote(out, text)),
        Body::Name(text) => put_field(out, "name", |out| quote(out, text)),
        Body::Experiment(text) => put_field(out, "experiment", |out| quote(out, text)),
        Body::Group(text) => put_field(out, "group", |out| quote(out, text)),
        Body::Summary(values) => put_field(out, "summary", |out| put_numbers(out, values)),
        Body::Define(definitions) => put_field(out, "define", |out| put_definitions(out, definitions)),
        Body::Artifact(file) => put_field(out, "artifact", |out| put_file(out, file)),
        Body::Input(input) => put_field(out, "input", |out| put_input(out, input)),
        Body::Thing(thing) => put_field(out, "thing", |out| {
            let entries = [("name", text_value(&thing.name)), ("kind", text_value(&thing.kind))];
            put_object(out, entries.into_iter().chain([("value", Some(thing.value.clone()))]));
        }),
        Body::Environment(table) => put_field(out, "environment", |out| json::write_table(out, table)),
        Body::Code(file) => put_field(out, "code", |out| put_file(out, file)),
        Body::Finish(finish) => put_field(out, "finish", |out| {
            let error = finish.error.clone().map(Value::Text);
            let exit_code = finish.exit_code.map(Value::Int);
            put_object(
                out,
                [("status", text_value(&finish.status)), ("exit_code", exit_code), ("error", error)],
            );
        }),
        Body::Unknown => {}
    }
}

fn put_begin(out: &mut String, begin: &Begin) {
    let known = [
        ("protocol", Some(Value::Int(begin.protocol))),
        ("owner", Some(Value::Table(begin.owner.clone())).filter(|_| !begin.owner.is_empty())),
        ("rank", begin.rank.map(|rank| Number::Int(rank.into()).value())),
        ("role", begin.role.clone().map(Value::Text)),
    ];
    let facts = begin.facts.iter().map(|(key, value)| (key.as_str(), Some(value.clone())));
    let start = begin.start.clone().map(Value::Table);
    put_object(out, known.into_iter().chain(facts).chain([("start", start)]));
}

fn put_definitions(out: &mut String, definitions: &IndexMap<String, Definition>) {
    out.push('{');
    for (index, (name, definition)) in definitions.iter().enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        quote(out, name);
        out.push(':');
        put_object(
            out,
            [
                ("goal", definition.goal.map(|goal| Value::from(goal.as_str()))),
                ("unit", definition.unit.clone().map(Value::Text)),
                ("x", definition.x.clone().map(Value::Text)),
                ("summary", definition.summary.clone().map(Value::Text)),
            ],
        );
    }
    out.push('}');
}

fn put_file(out: &mut String, file: &LoggedFile) {
    put_object(
        out,
        [
            ("path", text_value(&file.path)),
            ("file", file.file.clone().map(Value::Text)),
            ("source", file.source.clone().map(Value::Text)),
            ("type", file.media_type.clone().map(Value::Text)),
            ("key", file.key.clone().map(Value::Text)),
        ],
    );
}

fn put_input(out: &mut String, input: &Input) {
    let count = |count: Option<u64>| count.map(|count| Number::Int(count.into()).value());
    put_object(
        out,
        [
            ("name", text_value(&input.name)),
            ("path", Some(input.path.clone())),
            ("kind", text_value(&input.kind)),
            ("sha256", input.sha256.clone().map(Value::Text)),
            ("digest", input.digest.clone().map(Value::Text)),
            ("size", count(input.size)),
            ("files", count(input.files)),
        ],
    );
}

fn text_value(text: &str) -> Option<Value> {
    Some(Value::from(text))
}

/// Writes those entries that are there.
fn put_object<'a>(out: &mut String, entries: impl IntoIterator<Item = (&'a str, Option<Value>)>) {
    let there = entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    json::write_table(out, &there.collect());
}

fn put_numbers(out: &mut String, values: &IndexMap<String, Number>) {
    out.push('{');
    for (index, (name, value)) in values.iter().enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        quote(out, name);
        out.push(':');
        put_number(out, *value);
    }
    out.push('}');
}

fn put_field(out: &mut String, key: &str, put: impl FnOnce(&mut String)) {
    out.push_str(",\"");
    out.push_str(key);
    out.push_str("\":");
    put(out);
}

fn put_number(out: &mut String, number: Number) {
    match number {
        Number::Float(float) if !float.is_finite() => quote(out, json::nonfinite_word(float)),
        finite => out.push_str(&finite.write()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cases(default: u32) -> ProptestConfig {
        let asked = std::env::var("XTRACK_PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
        ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(asked.unwrap_or(default)) }
    }

    fn number() -> impl Strategy<Value = Number> {
        prop_oneof![
            any::<i128>().prop_map(Number::Int),
            any::<i16>().prop_map(|int| Number::Int(int.into())),
            any::<u64>().prop_map(|bits| Number::Float(f64::from_bits(bits))),
            prop::sample::select(vec![
                0.0,
                -0.0,
                1.0,
                1e16,
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                5e-324
            ])
            .prop_map(Number::Float),
        ]
    }

    fn finite() -> impl Strategy<Value = Number> {
        number().prop_filter("times are finite", |number| number.as_f64().is_finite())
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            number().prop_map(Number::value),
            any::<String>().prop_map(Value::Text),
            prop::collection::vec(any::<u8>(), 0..4).prop_map(Value::Bytes),
            "[0-9]{1,2}".prop_map(Value::Json),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::vec((key(), inner), 0..4)
                    .prop_map(|entries| Value::Table(entries.into_iter().collect())),
            ]
        })
    }

    fn key() -> impl Strategy<Value = String> {
        prop_oneof!["[$]{0,2}(bytes|float|a)", any::<String>()]
    }

    fn table() -> impl Strategy<Value = Table> {
        prop::collection::vec((key(), value()), 0..4).prop_map(|entries| entries.into_iter().collect())
    }

    fn numbers() -> impl Strategy<Value = IndexMap<String, Number>> {
        let name = prop_oneof!["[a-z/]{1,8}", any::<String>()];
        prop::collection::vec((name, number()), 0..6).prop_map(|entries| entries.into_iter().collect())
    }

    fn some_text() -> impl Strategy<Value = Option<String>> {
        prop::option::of(any::<String>())
    }

    fn count() -> impl Strategy<Value = u64> {
        any::<i64>().prop_map(i64::unsigned_abs).prop_filter("fits", |count| *count <= i64::MAX as u64)
    }

    fn begin() -> impl Strategy<Value = Body> {
        let facts = table().prop_map(|mut facts| {
            facts.retain(|_, value| *value != Value::Null);
            facts
        });
        (any::<i64>(), table(), prop::option::of(count()), some_text(), facts, prop::option::of(table()))
            .prop_map(|(protocol, owner, rank, role, facts, start)| {
                Body::Begin(Begin { protocol, owner, rank, role, facts, start })
            })
    }

    fn file() -> impl Strategy<Value = LoggedFile> {
        (any::<String>(), some_text(), some_text(), some_text(), some_text()).prop_map(
            |(path, file, source, media_type, key)| LoggedFile { path, file, source, media_type, key },
        )
    }

    fn definition() -> impl Strategy<Value = Definition> {
        let goal = prop::option::of(prop::sample::select(vec![Goal::Min, Goal::Max]));
        let summary = prop::option::of(prop::sample::select(SUMMARIES.map(str::to_owned).to_vec()));
        (goal, some_text(), some_text(), summary).prop_map(|(goal, unit, x, summary)| Definition {
            goal,
            unit,
            x,
            summary,
        })
    }

    fn input() -> impl Strategy<Value = Input> {
        let path = prop_oneof![
            any::<String>().prop_map(Value::Text),
            prop::collection::vec(any::<u8>(), 0..4).prop_map(Value::Bytes)
        ];
        let kind = prop::sample::select(vec!["file".to_owned(), "dir".to_owned()]);
        let sha256 = prop::option::of("[0-9a-f]{64}");
        (
            any::<String>(),
            path,
            kind,
            sha256,
            some_text(),
            prop::option::of(count()),
            prop::option::of(count()),
        )
            .prop_map(|(name, path, kind, sha256, digest, size, files)| Input {
                name,
                path,
                kind,
                sha256,
                digest,
                size,
                files,
            })
    }

    fn body() -> impl Strategy<Value = Body> {
        let status = prop::sample::select(vec!["finished", "failed", "killed"]);
        prop_oneof![
            begin(),
            numbers().prop_map(Body::Points),
            numbers().prop_map(Body::Summary),
            table().prop_map(Body::Params),
            table().prop_map(Body::Environment),
            prop::collection::vec(any::<String>(), 0..3).prop_map(Body::Tags),
            any::<String>().prop_map(Body::Note),
            any::<String>().prop_map(Body::Name),
            any::<String>().prop_map(Body::Experiment),
            any::<String>().prop_map(Body::Group),
            prop::collection::vec((any::<String>(), definition()), 0..3)
                .prop_map(|definitions| Body::Define(definitions.into_iter().collect())),
            file().prop_map(Body::Artifact),
            file().prop_map(Body::Code),
            input().prop_map(Body::Input),
            (any::<String>(), any::<String>(), value()).prop_map(|(name, kind, value)| Body::Thing(Thing {
                name,
                kind,
                value
            })),
            (status, prop::option::of(any::<i64>()), some_text()).prop_map(|(status, exit_code, error)| {
                Body::Finish(Finish { status: status.to_owned(), exit_code, error })
            }),
        ]
    }

    fn event() -> impl Strategy<Value = Event> {
        let step = prop_oneof![Just(Step::Next), Just(Step::Nowhere), number().prop_map(Step::At)];
        (count(), prop::option::of(finite()), step, body()).prop_map(|(number, time, step, body)| Event {
            number,
            time,
            step,
            body,
        })
    }

    /// As text, since NaN is not equal to itself.
    fn shown(what: &impl std::fmt::Debug) -> String {
        format!("{what:?}").replace("-NaN", "NaN")
    }

    proptest! {
        #![proptest_config(cases(500))]

        #[test]
        fn what_is_written_is_read_back(event in event()) {
            let line = encode(&event);
            prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            let understood = understand(&line).unwrap();
            prop_assert_eq!(shown(&understood), shown(&Understood { event, odd: None }));
        }

        #[test]
        fn the_fast_path_reads_what_the_slow_one_reads(event in event(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut line = encode(&event);
            let end = line.windows(7).rposition(|window| window == b",\"crc\":").unwrap();
            for without_crc in [false, true] {
                if without_crc {
                    line.splice(end.., *b"}");
                    let at = at.index(line.len());
                    line[at] = byte;
                }
                let mut row = Row::default();
                if let Some(place) = row.read(&line) {
                    let Place { number, time, step } = place;
                    let event = Event { number, time, step, body: Body::Points(row.values) };
                    let slow = understand_any(&line);
                    prop_assert_eq!(shown(&slow), shown(&Ok::<_, Malformed>(Understood { event, odd: None })));
                }
            }
        }

        #[test]
        fn rows_that_follow_each_other_do_not_mix(rows in prop::collection::vec(numbers(), 1..8)) {
            let mut row = Row::default();
            for values in rows {
                let place = Place { number: 0, time: None, step: Step::Next };
                let before = (row.layout, row.values.keys().cloned().collect::<Vec<_>>());
                if row.read(&write(place, &Body::Points(values.clone()))).is_some() {
                    prop_assert_eq!(shown(&row.values), shown(&values));
                    let is_same = before.1 == row.values.keys().cloned().collect::<Vec<_>>();
                    prop_assert!(is_same || before.0 != row.layout);
                }
            }
        }

        #[test]
        fn nothing_makes_it_panic(text in "[{}\\[\\],:\"n0-9e.tpoinscr$\\\\ -]{0,40}") {
            let _ = decode(text.as_bytes());
        }
    }

    fn points(line: &str) -> Vec<(String, Number)> {
        match decode(line.as_bytes()).unwrap().body {
            Body::Points(values) => values.into_iter().collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_are_exact() {
        let line = r#"{"n":1,"points":{"a":0.1,"b":9007199254740993,"c":-170141183460469231731687303715884105728,"d":1e400,"e":123456789012345678901234567890123456789012}}"#;
        let values: Vec<Number> = points(line).into_iter().map(|(_, value)| value).collect();
        assert_eq!(
            values,
            [
                Number::Float(0.1),
                Number::Int(9_007_199_254_740_993),
                Number::Int(i128::MIN),
                Number::Float(f64::INFINITY),
                Number::Float(1.234_567_890_123_456_8e41),
            ]
        );
    }

    #[test]
    fn other_languages_are_read() {
        for line in [
            r#"{"n":1,"points":{"a":NaN}}"#,
            r#" { "points" : { "a" : "NaN" } , "n" : 1 } "#,
            r#"{"n":1,"points":{"a":null}}"#,
        ] {
            assert!(points(line)[0].1.as_f64().is_nan(), "{line}");
        }
        assert_eq!(points("{\"n\":1,\"points\":{\"a\":true}}\r\n")[0].1, Number::Int(1));
    }

    #[test]
    fn what_is_not_understood_is_passed_over_and_said() {
        for (line, what) in [
            (r#"{"n":1,"x":1,"note":"a"}"#, "its key \"x\" is not known"),
            (r#"{"n":1,"dance":1}"#, "it says nothing that is known"),
            (r#"{"n":1,"note":"a","name":"b"}"#, "it says more than one thing"),
            (r#"{"n":1,"note":5}"#, "its \"note\" is not what it should be"),
            (r#"{"n":1,"points":{"a":"x","b":1}}"#, "points: the value of \"a\" is no number"),
            (r#"{"n":1,"step":"x","note":"a"}"#, "its step is no number"),
            (r#"{"n":1,"t":"x","note":"a"}"#, "its \"t\" is not what it should be"),
            (
                r#"{"n":1,"define":{"a":{"goal":"up","unit":"m"}}}"#,
                "define: its \"goal\" is not what it should be",
            ),
            (r#"{"n":1,"finish":{"status":"well"}}"#, "its \"finish\" is not what it should be"),
            (r#"{"n":1,"artifact":{"file":"files/x"}}"#, "its \"artifact\" is not what it should be"),
        ] {
            assert_eq!(understand(line.as_bytes()).unwrap().odd.as_deref(), Some(what), "{line}");
        }
        assert_eq!(points(r#"{"n":1,"points":{"a":"x","b":1}}"#), [("b".to_owned(), Number::Int(1))]);
    }

    #[test]
    fn damaged_lines_are_refused() {
        for line in [
            "",
            "null",
            "{}",
            r#"{"n":-1,"note":"a"}"#,
            r#"{"n":1.0,"note":"a"}"#,
            r#"{"n":1,"note":"a""#,
            r#"{"n":1,"note":"a"} x"#,
            r#"{"n":1,"points":{"a":1,"a":2}}"#,
            r#"{"n":1,"note":"a","crc":1}"#,
            r#"{"n":1,"crc":1,"note":"a"}"#,
            r#"{"n":1,"points":{"a":01}}"#,
        ] {
            assert!(decode(line.as_bytes()).is_err(), "{line}");
        }
        assert!(decode(b"{\"n\":1,\"note\":\"\xff\"}").is_err());
    }
}
