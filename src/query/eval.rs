//! Whether a question holds of a run, and what its fields are.

use anyhow::Result;

use crate::query::test::passes;
use crate::query::{Attribute, Condition, Field, Outside, Part};
use crate::run::Run;
use crate::run::attempt::{Goal, Number};
use crate::run::text;
use crate::run::value::Value;

pub(super) fn holds(condition: &Condition, run: &Run, outside: &mut dyn Outside) -> Result<bool> {
    Ok(match condition {
        Condition::All(parts) => {
            for part in parts {
                if !holds(part, run, outside)? {
                    return Ok(false);
                }
            }
            true
        }
        Condition::Any(parts) => {
            for part in parts {
                if holds(part, run, outside)? {
                    return Ok(true);
                }
            }
            false
        }
        Condition::Not(part) => !holds(part, run, outside)?,
        Condition::Test(Field::Param(name), test) => run.param(name).is_some_and(|value| passes(test, value)),
        Condition::Test(Field::Metric(name, part), test) if part.is_of_series() => {
            outside.point(name, part, run)?.is_some_and(|number| passes(test, &number.value()))
        }
        Condition::Test(field, test) => values(field, run).iter().any(|value| passes(test, value)),
        Condition::HasTag(tag) => has_tag(run, tag),
        Condition::Code(term) => outside.code(term, run)?,
    })
}

/// Whether the run has the tag, whole or as the key of a `key=value`.
pub fn has_tag(run: &Run, tag: &str) -> bool {
    let is_key = |known: &String| known.split_once('=').is_some_and(|(key, _)| key == tag);
    run.tags.iter().any(|known| known == tag || is_key(known))
}

pub(super) fn get(field: &Field, run: &Run) -> Option<Value> {
    let mut values = values(field, run);
    match values.len() {
        0 | 1 => values.pop(),
        _ => {
            let texts: Vec<&str> = values.iter().filter_map(Value::as_text).collect();
            Some(Value::Text(texts.join(", ")))
        }
    }
}

/// What the run has there: mostly one value or none; of inputs and tags any number.
fn values(field: &Field, run: &Run) -> Vec<Value> {
    match field {
        Field::Attribute(Attribute::InputName) => {
            run.inputs.iter().map(|input| Value::from(input.name.as_str())).collect()
        }
        Field::Attribute(Attribute::InputDigest) => {
            let digests = run.inputs.iter().flat_map(|input| [&input.sha256, &input.digest]);
            digests.flatten().map(|digest| Value::from(digest.as_str())).collect()
        }
        Field::Attribute(Attribute::Tags) => run.tags.iter().map(|tag| Value::from(tag.as_str())).collect(),
        Field::Attribute(attribute) => attribute_of(*attribute, run).into_iter().collect(),
        Field::Param(name) => run.param(name).cloned().into_iter().collect(),
        Field::Metric(name, part) => metric(name, part, run).map(Number::value).into_iter().collect(),
        Field::Tag(key) => tag(key, run).into_iter().collect(),
    }
}

fn attribute_of(attribute: Attribute, run: &Run) -> Option<Value> {
    let text = |text: &Option<String>| text.clone().map(Value::Text);
    let code = run.code.as_ref();
    match attribute {
        Attribute::Id => Some(Value::from(run.id.as_str())),
        Attribute::Name => text(&run.name),
        Attribute::Experiment => text(&run.experiment),
        Attribute::Status => Some(Value::from(run.status.as_str())),
        Attribute::Started => run.started.map(|time| Value::Text(time.to_string())),
        Attribute::Ended => run.ended.map(|time| Value::Text(time.to_string())),
        Attribute::Duration => run.duration().map(Value::Float),
        Attribute::ExitCode => run.exit_code.map(Value::Int),
        Attribute::Signal => text(&run.signal),
        Attribute::User => text(&run.user),
        Attribute::Host => text(&run.host),
        Attribute::Command => (!run.command.is_empty()).then(|| Value::Text(command(&run.command))),
        Attribute::Note => (!run.notes.is_empty()).then(|| {
            let notes: Vec<&str> = run.notes.iter().map(|note| note.text.as_str()).collect();
            Value::Text(notes.join("\n"))
        }),
        Attribute::Group => text(&run.group),
        Attribute::Parent => text(&run.parent),
        Attribute::Key => text(&run.key),
        Attribute::Deleted => Some(Value::Bool(run.deleted)),
        Attribute::CodeCommit => text(&code?.commit),
        Attribute::CodeBranch => text(&code?.branch),
        Attribute::CodeTree => text(&code?.tree),
        Attribute::CodeDirty => Some(Value::Bool(code?.is_dirty())),
        Attribute::InputName | Attribute::InputDigest | Attribute::Tags => None,
    }
}

/// The command as a shell reads it; bytes that are no text as near as text comes.
fn command(words: &[Value]) -> String {
    let word = |word: &Value| match word {
        Value::Text(text) => shell_words::quote(text).into_owned(),
        Value::Bytes(bytes) => shell_words::quote(&String::from_utf8_lossy(bytes)).into_owned(),
        other => text::write_value(other),
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn metric(name: &str, part: &Part, run: &Run) -> Option<Number> {
    let summary = run.metrics.get(name)?;
    let count = |count: u64| Some(Number::Int(count.into()));
    match part {
        Part::Shown => run.metric(name),
        Part::Last => Some(summary.last),
        Part::Min => Some(summary.min),
        Part::Max => Some(summary.max),
        Part::Best => match run.goal(name)? {
            Goal::Min => Some(summary.min),
            Goal::Max => Some(summary.max),
        },
        Part::LastStep => summary.last_step,
        Part::MinStep => summary.min_step,
        Part::MaxStep => summary.max_step,
        Part::Count => count(summary.count),
        Part::Nonfinite => count(summary.nonfinite),
        Part::First | Part::Mean | Part::At(_) => None,
    }
}

/// The value of `key=value`; of a bare tag, nothing but that it is there.
fn tag(key: &str, run: &Run) -> Option<Value> {
    let value = |tag: &String| {
        let (known, value) = tag.split_once('=')?;
        (known == key).then(|| Value::from(value))
    };
    run.tags.iter().find_map(value).or_else(|| run.tags.iter().any(|tag| tag == key).then(|| Value::from("")))
}
