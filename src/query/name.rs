//! Which fields a name means, among those that runs have.
//!
//! Knows prefixes and their other spellings, parts of metrics, and when two readings of a name are one too many.

use crate::error::Problem;
use crate::human;
use crate::query::column::{self, ATTRIBUTES};
use crate::query::lex::Cursor;
use crate::query::parse::shown;
use crate::query::syntax::{Name, Segment, joined};
use crate::query::{Attribute, Field, Part, Vocabulary, parse, place, written};
use crate::run::value::{Value, dotted};

/// What a name means.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The fields: several where params of different nesting read the same, none where no run can have it.
    pub fields: Vec<Field>,
    /// What a person should know if no run has it.
    pub note: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prefix {
    Metrics,
    Params,
    Tags,
    Attributes,
    Inputs,
}

/// How prefixes are spelled: ours first, then MLflow's others.
const PREFIXES: &[(&str, Prefix)] = &[
    ("metrics", Prefix::Metrics),
    ("metric", Prefix::Metrics),
    ("params", Prefix::Params),
    ("param", Prefix::Params),
    ("parameters", Prefix::Params),
    ("parameter", Prefix::Params),
    ("tags", Prefix::Tags),
    ("tag", Prefix::Tags),
    ("attributes", Prefix::Attributes),
    ("attribute", Prefix::Attributes),
    ("attr", Prefix::Attributes),
    ("run", Prefix::Attributes),
    ("dataset", Prefix::Inputs),
    ("datasets", Prefix::Inputs),
    ("inputs", Prefix::Inputs),
    ("input", Prefix::Inputs),
];

/// Tags that MLflow sets itself, and what says the same here.
const MLFLOW_TAGS: &[(&str, Attribute)] = &[
    ("mlflow.runName", Attribute::Name),
    ("mlflow.user", Attribute::User),
    ("mlflow.note.content", Attribute::Note),
    ("mlflow.parentRunId", Attribute::Parent),
    ("mlflow.source.git.commit", Attribute::CodeCommit),
    ("mlflow.source.git.branch", Attribute::CodeBranch),
];

/// Reads and resolves the name of one field.
pub fn field(source: &str, known: &Vocabulary) -> Result<Field, Problem> {
    let name = parse::name(source)?;
    // All of it is one name: there is no place to point at.
    let resolved =
        resolve(source, &name, known).map_err(|problem| Problem { excerpt: Vec::new(), ..problem })?;
    let nothing = || Problem::usage(resolved.note.unwrap_or_default());
    resolved.fields.into_iter().next().ok_or_else(nothing)
}

/// Whether the name may mean more than one thing.
pub fn is_ambiguous(name: &Name, known: &Vocabulary) -> bool {
    prefix(name).is_none() && readings(name, known).len() > 1
}

/// Whether some run has the field, as far as the vocabulary tells.
pub fn is_known(field: &Field, known: &Vocabulary) -> bool {
    match field {
        Field::Attribute(_) => true,
        Field::Param(name) => known.params.contains(name),
        Field::Metric(name, _) => known.metrics.contains(name),
        Field::Tag(key) => known.tags.contains(key),
    }
}

/// The fields that a name means.
pub fn resolve(source: &str, name: &Name, known: &Vocabulary) -> Result<Resolved, Problem> {
    let resolved = match prefix(name) {
        Some(prefix) => under_prefix(prefix, &name.segments[1..], known),
        None => return at_step(source, name, bare(source, name, known)?),
    };
    // A nested param may be called like a prefix: `run.seed`.
    let is_nothing = resolved.note.is_some();
    let resolved = match is_nothing.then(|| readings(name, known)).filter(|readings| readings.len() == 1) {
        Some(mut only) => Resolved { fields: only.remove(0), note: None },
        None => resolved,
    };
    at_step(source, name, resolved)
}

fn prefix(name: &Name) -> Option<Prefix> {
    let first = name.segments.first().filter(|_| name.segments.len() > 1)?;
    PREFIXES.iter().find(|(known, _)| first.text.eq_ignore_ascii_case(known)).map(|(_, prefix)| *prefix)
}

fn under_prefix(prefix: Prefix, rest: &[Segment], known: &Vocabulary) -> Resolved {
    let text = joined(rest);
    match prefix {
        Prefix::Metrics => {
            let field = known_metric(rest, known);
            let note = || unknown("metric", &metric_name(rest), known.metrics.iter().map(String::as_str));
            let absent = || match split_part(rest) {
                Some((name, part)) => Field::Metric(name, part),
                None => Field::Metric(joined(rest), Part::Shown),
            };
            one(field.clone().unwrap_or_else(absent), field.is_none().then(note))
        }
        Prefix::Params => {
            let fields = known_params(rest, known);
            match fields.is_empty() {
                false => Resolved { fields, note: None },
                true => {
                    let names = known.params.iter().map(String::as_str);
                    one(Field::Param(spelled(rest)), Some(unknown("param", &spelled(rest), names)))
                }
            }
        }
        Prefix::Tags => {
            let mlflow = MLFLOW_TAGS.iter().find(|(tag, _)| *tag == text).map(|(_, attribute)| *attribute);
            match (known.tags.contains(&text), mlflow) {
                (false, Some(attribute)) => one(Field::Attribute(attribute), None),
                (true, _) => one(Field::Tag(text), None),
                (false, None) => {
                    let note = unknown("tag", &text, known.tags.iter().map(String::as_str));
                    one(Field::Tag(text), Some(note))
                }
            }
        }
        Prefix::Attributes => attribute(&text),
        Prefix::Inputs => attribute(&format!("dataset.{text}")),
    }
}

fn one(field: Field, note: Option<String>) -> Resolved {
    Resolved { fields: vec![field], note }
}

fn attribute(name: &str) -> Resolved {
    match column::attribute(name) {
        Some(attribute) => one(Field::Attribute(attribute), None),
        None => Resolved { fields: Vec::new(), note: Some(unknown("attribute", name, attribute_names())) },
    }
}

fn attribute_names<'a>() -> impl Iterator<Item = &'a str> {
    ATTRIBUTES.iter().flat_map(|(_, names)| names.iter().copied())
}

fn unknown<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a str>) -> String {
    match human::nearest(name, names) {
        Some(nearest) => format!("no run has the {what} '{}': did you mean '{nearest}'?", shown(name)),
        None => format!("no run has the {what} '{}'", shown(name)),
    }
}

/// The metric that these segments name, if some run has it: its whole name first, then a name and a part; the other way
/// where the name is quoted.
fn known_metric(rest: &[Segment], known: &Vocabulary) -> Option<Field> {
    let is_known = |name: &String| known.metrics.contains(name);
    let whole = Some(joined(rest)).filter(is_known).map(|name| Field::Metric(name, Part::Shown));
    let part =
        split_part(rest).filter(|(name, _)| is_known(name)).map(|(name, part)| Field::Metric(name, part));
    match rest.iter().any(|segment| segment.is_quoted) {
        true => part.or(whole),
        false => whole.or(part),
    }
}

fn split_part(rest: &[Segment]) -> Option<(String, Part)> {
    let (last, name) = rest.split_last().filter(|(last, name)| !name.is_empty() && !last.is_quoted)?;
    Some((joined(name), column::part(&last.text)?))
}

/// What an unknown metric was meant to be called.
fn metric_name(rest: &[Segment]) -> String {
    split_part(rest).map_or_else(|| joined(rest), |(name, _)| name)
}

/// The params that these segments name: exactly so where one is quoted, else all that read the same, nested or with
/// dots in their keys; the most nested first.
fn known_params(rest: &[Segment], known: &Vocabulary) -> Vec<Field> {
    let spelled = spelled(rest);
    let mut names: Vec<String> = known.params.get(&spelled).cloned().into_iter().collect();
    if rest.iter().all(|segment| !segment.is_quoted) && rest.len() > 1 {
        let text = joined(rest);
        let reads_the_same = |name: &&String| name.contains('"') && plain(name) == text;
        names.extend(known.params.iter().filter(reads_the_same).cloned());
    }
    names.into_iter().map(Field::Param).collect()
}

fn spelled(rest: &[Segment]) -> String {
    dotted(&rest.iter().map(|segment| segment.text.as_str()).collect::<Vec<_>>())
}

/// A dotted name without its quotes.
pub fn plain(name: &str) -> String {
    segments(name).join(".")
}

/// The parts of a dotted name ([`dotted`]), in which only what needs it is quoted.
pub fn segments(name: &str) -> Vec<String> {
    let mut cursor = Cursor::new(name);
    let mut segments = Vec::new();
    loop {
        segments.push(match cursor.peek() {
            Some('"') => cursor.escaped().unwrap_or_else(|_| name.to_owned()),
            _ => cursor.until_dot().to_owned(),
        });
        if !cursor.take('.') {
            return segments;
        }
    }
}

/// What a name without a prefix means.
fn bare(source: &str, name: &Name, known: &Vocabulary) -> Result<Resolved, Problem> {
    let mut readings = readings(name, known);
    match readings.len() {
        1 => Ok(Resolved { fields: readings.remove(0), note: None }),
        0 => Err(nothing(source, name, known)),
        _ => {
            let names: Vec<String> =
                readings.iter().flatten().map(|field| format!("'{}'", field.full_name())).collect();
            let message = format!("'{}' is ambiguous: it may be {}", shown(&name.text()), names.join(" or "));
            Err(place::problem(source, &name.span, message).hint("write which of them is meant"))
        }
    }
}

/// All that a name without a prefix may mean.
fn readings(name: &Name, known: &Vocabulary) -> Vec<Vec<Field>> {
    let attribute = column::attribute(&name.text()).filter(|_| name.step.is_none());
    let metric = known_metric(&name.segments, known);
    let params = known_params(&name.segments, known);
    let params = Some(params).filter(|params| !params.is_empty() && name.step.is_none());
    let fields = attribute.map(Field::Attribute).into_iter().chain(metric).map(|field| vec![field]);
    fields.chain(params).collect()
}

fn nothing(source: &str, name: &Name, known: &Vocabulary) -> Problem {
    let text = name.text();
    let what = if name.step.is_some() { "metric" } else { "param, metric or attribute" };
    let problem = place::problem(source, &name.span, format!("'{}' is no {what} here", shown(&text)));
    if known.tags.contains(&text) {
        return problem.hint(format!("there is a tag of that name: has tag {}", quote(&text)));
    }
    if written::number(&text).is_some() {
        return problem.hint("the name comes first: metrics.accuracy > 0.9");
    }
    let mut names: Vec<&str> = known.metrics.iter().map(String::as_str).collect();
    if name.step.is_none() {
        names.extend(attribute_names().chain(known.params.iter().map(String::as_str)));
    }
    let nearest = |text: &str| human::nearest(text, names.iter().copied());
    match nearest(&text).or_else(|| nearest(&metric_name(&name.segments))) {
        Some(nearest) => problem.hint(format!("did you mean '{nearest}'?")),
        None => problem.hint(
            "under a prefix a name may be one that no run has yet: metrics.NAME, params.NAME, tags.NAME",
        ),
    }
}

fn quote(text: &str) -> String {
    match text.chars().all(crate::query::lex::is_word) {
        true => text.to_owned(),
        false => crate::run::text::write_value(&Value::from(text)),
    }
}

/// Adds the step, which only a metric can have.
fn at_step(source: &str, name: &Name, mut resolved: Resolved) -> Result<Resolved, Problem> {
    let Some(step) = name.step else { return Ok(resolved) };
    for field in &mut resolved.fields {
        match field {
            Field::Metric(_, part @ Part::Shown) => *part = Part::At(step),
            _ => {
                let message = format!("'{}' has no steps", shown(&name.text()));
                return Err(place::problem(source, &name.span, message)
                    .hint("only a metric has a value at a step: metrics.loss at 100"));
            }
        }
    }
    Ok(resolved)
}
