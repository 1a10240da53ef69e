//! What is logged over steps and is no number, as lines of JSON in a record.
//!
//! Lines are only ever added: what a longer journal comes to begins with what a shorter one comes to, limits included.
//! Knows nothing of what the kinds mean.

use std::collections::BTreeMap;

use crate::human;
use crate::journal::event::Thing;
use crate::journal::json;
use crate::run::attempt::Number;
use crate::run::record::Files;
use crate::run::value::{Table, Value};

/// A segment that holds this many bytes takes no further line.
const SEGMENT_MAX: usize = 1 << 20;
/// The longest line.
const EVENT_MAX: usize = 1 << 20;
/// How many bytes the first writer's events may have.
const FIRST_MAX: usize = 16 << 20;
/// How many bytes each other writer's may have: a limit of its own, so that nobody's events depend on another's.
const OTHER_MAX: usize = 1 << 20;

/// The events of one attempt.
#[derive(Debug, Default)]
pub struct Events {
    writers: BTreeMap<u64, Lines>,
    left_out: u64,
}

#[derive(Debug, Default)]
struct Lines {
    segments: Vec<String>,
    size: usize,
    is_closed: bool,
}

impl Events {
    /// Takes the next that a writer logged.
    pub fn push(&mut self, writer: u64, step: Option<Number>, time: Option<Number>, thing: &Thing) {
        let lines = self.writers.entry(writer).or_default();
        let size_max = if writer == 0 { FIRST_MAX } else { OTHER_MAX };
        if lines.is_closed {
            self.left_out += 1;
            return;
        }
        let mut line = line(Some(&thing.name), &thing.kind, step, time, &thing.value);
        if line.len() > EVENT_MAX {
            self.left_out += 1;
            let why = format!("{} of {}, more than one event may have", thing.kind, size(line.len()));
            line = self::line(Some(&thing.name), "left_out", step, time, &why.into());
        }
        if lines.size + line.len() > size_max {
            self.left_out += 1;
            lines.is_closed = true;
            let why = format!("all from here on, since a writer's events may have {}", size(size_max));
            line = self::line(None, "left_out", step, time, &why.into());
        }
        lines.push(&line);
    }

    /// The files that hold them, as the record of `attempt` names them.
    pub fn files(self, attempt: &str) -> Files {
        let mut files = Files::new();
        for (writer, lines) in self.writers {
            for (segment, text) in lines.segments.into_iter().enumerate() {
                files.insert(format!("events/{attempt}-{writer}-{segment:04}.jsonl"), text.into_bytes());
            }
        }
        files
    }

    /// How many were left out.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

impl Lines {
    fn push(&mut self, line: &str) {
        if self.segments.last().is_none_or(|open| open.len() >= SEGMENT_MAX) {
            self.segments.push(String::new());
        }
        if let Some(open) = self.segments.last_mut() {
            open.push_str(line);
        }
        self.size += line.len();
    }
}

fn line(name: Option<&str>, kind: &str, step: Option<Number>, time: Option<Number>, value: &Value) -> String {
    let optional = |number: Option<Number>| number.map_or(Value::Null, Number::value);
    let entries = [
        ("name", name.map_or(Value::Null, Value::from)),
        ("kind", kind.into()),
        ("step", optional(step)),
        ("time", optional(time)),
        ("value", value.clone()),
    ];
    let table: Table = entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let mut line = String::new();
    json::write_table(&mut line, &table);
    line.push('\n');
    line
}

fn size(bytes: usize) -> String {
    human::size(bytes as u64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn text(value: impl Into<Value>) -> Thing {
        Thing { name: "samples".into(), kind: "text".into(), value: value.into() }
    }

    fn texts(files: &Files, path: &str) -> String {
        String::from_utf8(files[path].clone()).unwrap()
    }

    #[test]
    fn a_line_says_all_of_a_thing() {
        let mut events = Events::default();
        events.push(3, Some(Number::Int(7)), Some(Number::Float(1.5)), &text("a\nb"));
        events.push(3, None, None, &text(f64::NAN));
        let files = events.files("k7f3q2ab");
        assert_eq!(
            texts(&files, "events/k7f3q2ab-3-0000.jsonl"),
            "{\"name\":\"samples\",\"kind\":\"text\",\"step\":7,\"time\":1.5,\"value\":\"a\\nb\"}\n\
             {\"name\":\"samples\",\"kind\":\"text\",\"step\":null,\"time\":null,\"value\":{\"$float\":\"NaN\"}}\n"
        );
    }

    #[test]
    fn limits_are_said_where_they_are_met_and_files_only_grow() {
        let things: Vec<Thing> =
            (0..60).map(|index| text("x".repeat(if index == 3 { EVENT_MAX } else { 400_000 }))).collect();
        let files = |count: usize| {
            let mut events = Events::default();
            for (thing, step) in things[..count].iter().zip(0..) {
                events.push(0, Some(Number::Int(step)), None, thing);
                events.push(1, Some(Number::Int(step)), None, thing);
            }
            let left_out = events.left_out();
            (events.files("k7f3q2ab"), left_out)
        };
        let (whole, left_out) = files(60);
        for count in [1, 3, 4, 30, 45, 59] {
            for (path, bytes) in files(count).0 {
                assert!(whole[&path].starts_with(&bytes), "{path}");
            }
        }
        let lines: Vec<String> = whole
            .values()
            .flat_map(|bytes| {
                String::from_utf8(bytes.clone()).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        let said: Vec<&String> = lines.iter().filter(|line| line.contains("left_out")).collect();
        assert_eq!(
            said,
            [
                "{\"name\":\"samples\",\"kind\":\"left_out\",\"step\":3,\"time\":null,\"value\":\"text of 1.0 MiB, more than one event may have\"}",
                "{\"name\":null,\"kind\":\"left_out\",\"step\":42,\"time\":null,\"value\":\"all from here on, since a writer's events may have 16.0 MiB\"}",
                "{\"name\":null,\"kind\":\"left_out\",\"step\":2,\"time\":null,\"value\":\"all from here on, since a writer's events may have 1.0 MiB\"}",
            ]
        );
        assert_eq!(left_out, 1 + 18 + 58);
        assert!(whole.values().all(|bytes| bytes.len() < SEGMENT_MAX + EVENT_MAX));
    }
}
