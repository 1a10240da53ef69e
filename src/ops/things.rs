//! What a run logged that is no number: tables, histograms, curves, confusion matrices, from its record and from its
//! live folder.
//!
//! Knows where they lie; what they mean is `view::plot::things`'s.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use indexmap::IndexMap;

use crate::journal::event::Thing;
use crate::journal::json;
use crate::journal::replay::{self, Sink};
use crate::run::attempt::Number;
use crate::run::record::Place;
use crate::run::value::{Table, Value};
use crate::run::{Run, join};
use crate::tracker::Tracker;

/// Something that was logged, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// What, in the shape that its kind has.
    pub thing: Thing,
    /// At which step, if at one.
    pub step: Option<Number>,
}

/// All that a run logged, in the order of its attempts; lines that cannot be read are passed over.
pub fn of_run(tracker: &Tracker, run: &Run) -> Result<Vec<Logged>> {
    let folders = tracker.live_of(&run.id);
    let mut live = Collected::default();
    let mut attempts_live = BTreeSet::new();
    for folder in folders.iter().filter(|folder| !folder.is_recovered()) {
        // It may end just now: then all of it is in the record.
        if replay::replay(&folder.path, &[], &mut live).is_ok() {
            attempts_live.extend(folder.start().ok().flatten().and_then(|start| start.facts.attempt));
        }
    }
    let mut logged = Vec::new();
    if let Some(tip) = tracker.tip(&run.id)? {
        let is_wanted = |path: &str| match Place::parse(path) {
            Ok(Place::Events) => true,
            Ok(Place::Disputed { path, .. }) => matches!(Place::parse(&path), Ok(Place::Events)),
            _ => false,
        };
        let cannot_read = || format!("cannot read what run '{}' logged", run.id);
        let files = tracker.store.read(&tip, &is_wanted).with_context(cannot_read)?;
        let files = join::normalise(&files).with_context(cannot_read)?;
        let attempts = run.attempts.iter().filter_map(|facts| facts.attempt.as_ref());
        for attempt in attempts.filter(|attempt| !attempts_live.contains(*attempt)) {
            let prefix = format!("events/{attempt}-");
            for (_, bytes) in files.iter().filter(|(path, _)| path.starts_with(&prefix)) {
                logged.extend(String::from_utf8_lossy(bytes).lines().filter_map(read_line));
            }
        }
    }
    logged.extend(live.0);
    Ok(logged)
}

fn read_line(line: &str) -> Option<Logged> {
    let Value::Table(mut table) = json::read(line).ok()? else { return None };
    let name = table.get("name")?.as_text()?.to_owned();
    let kind = table.get("kind")?.as_text()?.to_owned();
    let step = table.get("step").and_then(Number::of);
    let value = json::given(table.swap_remove("value")?, 1);
    let thing = Thing { name, kind, value };
    thing.has_shape().then_some(Logged { thing, step })
}

/// Takes the things out of journals.
#[derive(Default)]
struct Collected(Vec<Logged>);

impl Sink for Collected {
    fn row(
        &mut self,
        _: u64,
        _: Option<Number>,
        _: Option<Number>,
        _: &IndexMap<String, Number>,
    ) -> Result<()> {
        Ok(())
    }

    fn thing(&mut self, _: u64, step: Option<Number>, _: Option<Number>, thing: &Thing) -> Result<()> {
        self.0.push(Logged { thing: thing.clone(), step });
        Ok(())
    }
}

/// The number that a value of a thing is, words for those that JSON lacks included; NaN if it is none.
pub fn number(value: &Value) -> f64 {
    let word = || json::nonfinite(value.as_text()?);
    value.as_number().or_else(word).unwrap_or(f64::NAN)
}

/// A list of numbers in a thing's value.
pub fn numbers(table: &Table, key: &str) -> Vec<f64> {
    table.get(key).and_then(Value::as_list).unwrap_or_default().iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_those_of_another_shape_passed_over() {
        let line = r#"{"name":"roc","kind":"curve","step":3,"time":1.5,"value":{"kind":"roc","x":[0,1.0],"y":[0,{"$float":"NaN"}]}}"#;
        let logged = read_line(line);
        let Some(Logged { thing, step }) = logged else { panic!("{logged:?}") };
        assert_eq!((thing.name.as_str(), step), ("roc", Some(Number::Int(3))));
        let y = numbers(thing.value.as_table().expect("a table"), "y");
        assert!(y[0] == 0.0 && y[1].is_nan());
        for line in [
            "",
            "{}",
            r#"{"name":"roc","kind":"curve","value":{"x":[0],"y":[0,1]}}"#,
            "{\"name\":\"a\",\"kind",
        ] {
            assert_eq!(read_line(line), None, "{line}");
        }
    }
}
