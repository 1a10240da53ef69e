//! YAML as values: one document, the 1.2 core schema, anchors and `<<` merges within limits.
//!
//! Built from the parser's events, so that keys given twice are seen, integers keep their digits, and what aliases
//! multiply is counted before it is made. Tags never make anything but a value: `!!str` and its like are
//! followed, a program's own tags are passed over. `yes` and `on` are text, as YAML has had it since 2009.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use crate::error::{Problem, shorten};
use crate::ops::record::files::limits::{self, FILE_MAX};
use crate::ops::record::key_value;
use crate::run::value::{NESTING_MAX, Table, Value};

/// Reads the one document; an empty one is `null`.
pub fn read(text: &str) -> Result<Value, Problem> {
    let mut reader =
        Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), copied: 0, line: 1 };
    reader.document().map_err(|problem| Problem::usage(format!("line {}: {}", reader.line, problem.message)))
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Value>,
    /// How many bytes anchors and aliases have copied, which a few lines can make astronomical.
    copied: usize,
    line: usize,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Value, Problem> {
        let mut document = None;
        loop {
            match self.next()? {
                Event::StreamEnd => return Ok(document.unwrap_or(Value::Null)),
                Event::DocumentStart(..) if document.is_some() => {
                    return Err(Problem::usage("a second document begins: one a file is read"));
                }
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => document = Some(self.node(event, 0)?),
            }
        }
    }

    /// The next event that is no presentation.
    fn next(&mut self) -> Result<Event<'a>, Problem> {
        loop {
            let (event, span): (Event<'a>, Span) = match self.parser.next_event() {
                None => return Ok(Event::StreamEnd),
                Some(Ok(next)) => next,
                Some(Err(error)) => {
                    self.line = error.marker().line();
                    return Err(Problem::usage(error.info()));
                }
            };
            // The end of the stream lies on no line that could be shown.
            self.line = if matches!(event, Event::StreamEnd) { self.line } else { span.start.line() };
            if event.is_node() || is_structure(&event) {
                return Ok(event);
            }
        }
    }

    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Value, Problem> {
        if depth > NESTING_MAX {
            return Err(Problem::usage(format!("it nests deeper than {NESTING_MAX}")));
        }
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => (anchor, scalar(&text, style, tag.as_deref())?),
            Event::SequenceStart(_, anchor, _) => (anchor, self.list(depth)?),
            Event::MappingStart(_, anchor, _) => (anchor, self.table(depth)?),
            Event::Alias(anchor) => return self.alias(anchor),
            _ => return Err(Problem::usage("a value should be here")),
        };
        if anchor != 0 {
            self.copy(&value)?;
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn list(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut list = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(Value::List(list)),
                event => list.push(self.node(event, depth + 1)?),
            }
        }
    }

    fn table(&mut self, depth: usize) -> Result<Value, Problem> {
        let (mut table, mut merged) = (Table::new(), Table::new());
        loop {
            let event = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.key(event)?;
            let line = self.line;
            let event = self.next()?;
            let value = self.node(event, depth + 1)?;
            if is_merge {
                merge(&mut merged, value)?;
            } else if table.contains_key(&key) {
                self.line = line;
                return Err(Problem::usage(format!("the key {:?} is there twice", shorten(&key))));
            } else {
                table.insert(key, value);
            }
        }
        if merged.is_empty() {
            return Ok(Value::Table(table));
        }
        // What is merged comes first; what is said here is over it.
        merged.extend(table);
        Ok(Value::Table(merged))
    }

    /// A key as text: a number or a boolean as it is written.
    fn key(&mut self, event: Event<'a>) -> Result<String, Problem> {
        match event {
            Event::Scalar(text, _, anchor, _) => {
                if anchor != 0 {
                    self.anchors.insert(anchor, Value::Text(text.clone().into_owned()));
                }
                Ok(text.into_owned())
            }
            Event::Alias(anchor) => match self.alias(anchor)? {
                Value::Text(text) => Ok(text),
                _ => Err(Problem::usage("an alias that is no text cannot be a key")),
            },
            _ => Err(Problem::usage("a list or a dict cannot be a key")),
        }
    }

    fn alias(&mut self, anchor: usize) -> Result<Value, Problem> {
        let Some(value) = self.anchors.get(&anchor).cloned() else {
            return Err(Problem::usage("an alias stands within what it names"));
        };
        self.copy(&value)?;
        Ok(value)
    }

    fn copy(&mut self, value: &Value) -> Result<(), Problem> {
        self.copied += 1 + limits::weight(value);
        match self.copied > FILE_MAX {
            true => Err(Problem::usage("its aliases multiply it beyond what is read")),
            false => Ok(()),
        }
    }
}

fn is_structure(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd
    )
}

fn merge(merged: &mut Table, value: Value) -> Result<(), Problem> {
    match value {
        Value::Table(table) => {
            // Of several merges the earlier wins.
            for (key, value) in table {
                merged.entry(key).or_insert(value);
            }
            Ok(())
        }
        Value::List(list) => list.into_iter().try_for_each(|item| match item {
            Value::Table(_) => merge(merged, item),
            _ => Err(Problem::usage("'<<' takes dicts")),
        }),
        _ => Err(Problem::usage("'<<' takes a dict or a list of dicts")),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, Problem> {
    let named = tag.and_then(|tag| tag.suffix_in_namespace("tag:yaml.org,2002:"));
    let mismatch = |kind: &str| Problem::usage(format!("{:?} is no {kind}", shorten(text)));
    match named.as_deref() {
        Some("null") => match plain(text)? {
            Value::Null => Ok(Value::Null),
            _ => Err(mismatch("null")),
        },
        Some("bool") => match plain(text)? {
            value @ Value::Bool(_) => Ok(value),
            _ => Err(mismatch("boolean")),
        },
        Some("int") => match plain(text)? {
            value @ (Value::Int(_) | Value::BigInt(_)) => Ok(value),
            _ => Err(mismatch("integer")),
        },
        Some("float") => match plain(text)? {
            value @ Value::Float(_) => Ok(value),
            Value::Int(_) | Value::BigInt(_) => limits::float(&text.replace('_', "")),
            _ => Err(mismatch("number")),
        },
        Some("binary") => {
            let packed: String = text.split_whitespace().collect();
            BASE64.decode(packed).map(Value::Bytes).map_err(|_| mismatch("base64"))
        }
        _ if style != ScalarStyle::Plain || tag.is_some() => Ok(Value::Text(text.to_owned())),
        _ => plain(text),
    }
}

/// What a plain scalar is. An integer with a leading zero is text: YAML 1.1 and 1.2 take it for two different numbers.
fn plain(text: &str) -> Result<Value, Problem> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Value::Float(f64::NEG_INFINITY),
        _ if text.bytes().any(|byte| byte.is_ascii_digit()) => match key_value::number(text) {
            Some(number) => number?,
            None => Value::Text(text.to_owned()),
        },
        _ => Value::Text(text.to_owned()),
    })
}
