//! What fields are called, and which of them a word with `*` stands for.

use crate::error::Problem;
use crate::query::lex::is_word;
use crate::query::test::is_wild;
use crate::query::{Attribute, Field, Part, Vocabulary, name};
use crate::run::text;
use crate::run::value::Value;

/// What attributes are called: the name that is shown first, then others that are understood, MLflow's among them.
pub const ATTRIBUTES: &[(Attribute, &[&str])] = &[
    (Attribute::Id, &["id", "run_id"]),
    (Attribute::Name, &["name", "run_name", "run name"]),
    (Attribute::Experiment, &["experiment", "experiment_name"]),
    (Attribute::Status, &["status"]),
    (Attribute::Started, &["started", "start_time", "created"]),
    (Attribute::Ended, &["ended", "end_time"]),
    (Attribute::Duration, &["duration"]),
    (Attribute::ExitCode, &["exit_code"]),
    (Attribute::Signal, &["signal"]),
    (Attribute::User, &["user", "user_id"]),
    (Attribute::Host, &["host"]),
    (Attribute::Command, &["command"]),
    (Attribute::Note, &["note", "notes"]),
    (Attribute::Group, &["group"]),
    (Attribute::Parent, &["parent"]),
    (Attribute::Key, &["key"]),
    (Attribute::Deleted, &["deleted"]),
    (Attribute::CodeCommit, &["commit", "code.commit"]),
    (Attribute::CodeBranch, &["branch", "code.branch"]),
    (Attribute::CodeTree, &["tree", "code.tree"]),
    (Attribute::CodeDirty, &["dirty", "code.dirty"]),
    (Attribute::InputName, &["input", "inputs", "dataset.name"]),
    (Attribute::InputDigest, &["input.digest", "dataset.digest"]),
    (Attribute::Tags, &["tags", "tag"]),
];

/// What of a metric can be asked for by a word after its name.
pub const PARTS: &[(Part, &str)] = &[
    (Part::Last, "last"),
    (Part::Min, "min"),
    (Part::Max, "max"),
    (Part::Best, "best"),
    (Part::First, "first"),
    (Part::Mean, "mean"),
    (Part::Count, "count"),
    (Part::LastStep, "last_step"),
    (Part::MinStep, "min_step"),
    (Part::MaxStep, "max_step"),
    (Part::Nonfinite, "nonfinite"),
];

/// The attribute of this name, in any case.
pub fn attribute(name: &str) -> Option<Attribute> {
    let lower = name.to_lowercase();
    ATTRIBUTES.iter().find(|(_, names)| names.contains(&lower.as_str())).map(|(attribute, _)| *attribute)
}

/// The part of this name.
pub fn part(name: &str) -> Option<Part> {
    PARTS.iter().find(|(_, known)| *known == name).map(|(part, _)| part.clone())
}

pub(super) fn title(field: &Field) -> String {
    match field {
        Field::Attribute(attribute) => shown(*attribute).to_owned(),
        Field::Param(name) => name.clone(),
        Field::Metric(name, part) => format!("{name}{}", part_suffix(part)),
        Field::Tag(key) => format!("tags.{key}"),
    }
}

pub(super) fn full_name(field: &Field) -> String {
    match field {
        Field::Attribute(attribute) => format!("attributes.{}", shown(*attribute)),
        Field::Param(name) => {
            let segments: Vec<String> = name::segments(name).iter().map(|text| segment(text)).collect();
            format!("params.{}", segments.join("."))
        }
        Field::Metric(name, part) => format!("metrics.{}{}", segment(name), part_suffix(part)),
        Field::Tag(key) => format!("tags.{}", segment(key)),
    }
}

pub(super) fn matching(glob: &str, known: &Vocabulary) -> Result<Vec<Field>, Problem> {
    // A name that holds such a sign itself is taken for what it is.
    let parsed = Field::parse(glob, known);
    if !glob.contains(['*', '?']) || parsed.as_ref().is_ok_and(|field| name::is_known(field, known)) {
        return parsed.map(|field| vec![field]);
    }
    let fits = |name: &str| is_wild(name, glob, '*', '?');
    let is_wanted =
        |field: &Field| fits(&full_name(field)) || fits(&title(field)) || fits(&plain_name(field));
    Ok(all(glob, known).into_iter().filter(is_wanted).collect())
}

/// Every field that a glob can mean: parts of metrics only where it ends in one.
fn all(glob: &str, known: &Vocabulary) -> Vec<Field> {
    let part = glob.rsplit_once('.').and_then(|(_, last)| part(last)).unwrap_or(Part::Shown);
    let attributes = ATTRIBUTES.iter().map(|(attribute, _)| Field::Attribute(*attribute));
    let metrics = known.metrics.iter().map(|name| Field::Metric(name.clone(), part.clone()));
    let params = known.params.iter().cloned().map(Field::Param);
    let tags = known.tags.iter().cloned().map(Field::Tag);
    match glob {
        // Everything that was given and measured; what every run has is asked for by name.
        "*" => metrics.chain(params).collect(),
        _ => attributes.chain(metrics).chain(params).chain(tags).collect(),
    }
}

/// The name with its prefix and without quotes, as it would be typed with a `*`.
fn plain_name(field: &Field) -> String {
    match field {
        Field::Metric(name, part) => format!("metrics.{name}{}", part_suffix(part)),
        Field::Param(name) => format!("params.{}", name::plain(name)),
        Field::Tag(key) => format!("tags.{key}"),
        Field::Attribute(_) => full_name(field),
    }
}

fn shown(attribute: Attribute) -> &'static str {
    let names = ATTRIBUTES.iter().find(|(known, _)| *known == attribute).map(|(_, names)| names[0]);
    names.expect("every attribute has a name")
}

fn part_suffix(part: &Part) -> String {
    match part {
        Part::Shown => String::new(),
        Part::At(step) => format!(" at {}", step.write()),
        part => {
            let name = PARTS.iter().find(|(known, _)| known == part).map(|(_, name)| *name);
            format!(".{}", name.expect("every part but these has a name"))
        }
    }
}

/// A part of a name, quoted unless it reads as it is.
fn segment(text: &str) -> String {
    let is_plain = !text.is_empty() && text.chars().all(|character| is_word(character) && character != '.');
    match is_plain {
        true => text.to_owned(),
        false => text::write_value(&Value::from(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::sample::runs;
    use crate::run::tests::cases;
    use proptest::prelude::*;

    fn named(glob: &str) -> Vec<String> {
        let fields = Field::matching(glob, &Vocabulary::of(&runs())).expect("it can be read");
        fields.iter().map(full_name).collect()
    }

    #[test]
    fn a_star_stands_for_any_text() {
        assert_eq!(
            named("metrics.*"),
            ["metrics.acc", "metrics.images", "metrics.loss", "metrics.\"loss.min\"", "metrics.\"val loss\""]
        );
        assert_eq!(named("metrics.*.max").len(), 5);
        assert_eq!(named("metrics.a*.best"), ["metrics.acc.best"]);
        assert_eq!(
            named("params.mod*"),
            ["params.\"model.depth\"", "params.model.\"act.fn\"", "params.model.depth"]
        );
        assert_eq!(named("o*"), ["params.optimizer"]);
        assert_eq!(named("l?"), ["params.lr"]);
        assert_eq!(named("*loss*"), ["metrics.loss", "metrics.\"loss.min\"", "metrics.\"val loss\""]);
        assert_eq!(named("tags.*").len(), 5);
        assert_eq!(named("nothing*"), [""; 0]);
        assert_eq!(named("attributes.s*"), ["attributes.status", "attributes.started", "attributes.signal"]);
        assert_eq!(named("acc at 3"), ["metrics.acc at 3"]);
        assert_eq!(named("*").len(), 5 + 11);
    }

    #[test]
    fn a_word_without_one_is_one_field() {
        let known = Vocabulary::of(&runs());
        assert_eq!(named("loss"), ["metrics.loss"]);
        assert_eq!(named("metrics.future"), ["metrics.future"]);
        let problem = Field::matching("acurracy", &known).expect_err("nothing is called so");
        assert_eq!(problem.message, "'acurracy' is no param, metric or attribute here");
    }

    #[test]
    fn titles_are_short() {
        let known = Vocabulary::of(&runs());
        let table = [
            ("metrics.loss", "loss"),
            ("metrics.acc.min", "acc.min"),
            ("acc at 3", "acc at 3"),
            ("params.model.depth", "model.depth"),
            ("start_time", "started"),
            ("code.dirty", "dirty"),
            ("tags.stage", "tags.stage"),
        ];
        for (name, wanted) in table {
            assert_eq!(Field::parse(name, &known).map(|field| field.title()).as_deref(), Ok(wanted));
        }
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn a_full_name_is_read_back(name in any::<String>(), kind in 0..3, part in prop::sample::select(PARTS)) {
            let mut known = Vocabulary::of(&runs());
            let field = match kind {
                0 => Field::Metric(name.clone(), part.0.clone()),
                1 => Field::Param(crate::run::value::dotted(&[&name, "depth"])),
                _ => Field::Tag(name.clone()),
            };
            prop_assert_eq!(Field::parse(&full_name(&field), &known), Ok(field.clone()));
            known.metrics.insert(name.clone());
            known.tags.insert(name);
            prop_assert_eq!(Field::parse(&full_name(&field), &known), Ok(field));
        }
    }
}
