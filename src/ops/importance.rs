//! Which params mattered for a result, over many runs.
//!
//! Knows which runs count and what of a param is a number and what a word; the weighing is `statistics`'.

use std::collections::HashMap;

use indexmap::IndexSet;

use crate::query::Field;
use crate::run::Run;
use crate::run::attempt::{Goal, Number, Status};
use crate::run::text;
use crate::run::value::{Value, named_leaves};
use crate::statistics::importance::{Input, Study, study};

/// What came of it, in the words of runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Studied {
    /// What the result is called.
    pub result: String,
    /// Where it is to go, if that is known.
    pub goal: Option<Goal>,
    /// The names of the params, as the study numbers them.
    pub params: Vec<String>,
    /// The words of each, as the study numbers them.
    pub words: Vec<Vec<Value>>,
    /// How many runs have a finite result.
    pub runs: usize,
    /// How many have none.
    pub without: usize,
    /// How many have one that is NaN or infinite.
    pub nonfinite: usize,
    /// How many are still running, and not counted.
    pub running: usize,
    /// The study.
    pub study: Study,
}

/// Weighs the params of the runs for a result: a metric, or another number.
pub fn weigh(runs: &[Run], result: &Field) -> Studied {
    let (ended, running): (Vec<&Run>, Vec<&Run>) = runs.iter().partition(|run| run.status != Status::Running);
    let number = |run: &Run| result.get(run).as_ref().and_then(Value::as_number);
    let with: Vec<(&Run, f64)> = ended.iter().filter_map(|run| Some((*run, number(run)?))).collect();
    let finite: Vec<(&Run, f64)> = with.iter().copied().filter(|(_, number)| number.is_finite()).collect();
    let counted: Vec<&Run> = finite.iter().map(|(run, _)| *run).collect();
    let numbers: Vec<f64> = finite.iter().map(|(_, number)| *number).collect();
    let (params, inputs, words) = inputs(&counted);
    Studied {
        result: result.title(),
        goal: match result {
            Field::Metric(name, _) => runs.iter().find_map(|run| run.goal(name)),
            _ => None,
        },
        params,
        words,
        runs: counted.len(),
        without: ended.len() - with.len(),
        nonfinite: with.len() - finite.len(),
        running: running.len(),
        study: study(&inputs, &numbers),
    }
}

/// The params by name, each with its values, and with what its words stand for.
fn inputs(runs: &[&Run]) -> (Vec<String>, Vec<Input>, Vec<Vec<Value>>) {
    let leaves: Vec<HashMap<String, &Value>> =
        runs.iter().map(|run| named_leaves(&run.params).into_iter().collect()).collect();
    let in_order = runs.iter().flat_map(|run| named_leaves(&run.params)).map(|(name, _)| name);
    let names: IndexSet<String> = in_order.collect();
    let (mut inputs, mut words) = (Vec::new(), Vec::new());
    for name in &names {
        // Nothing, said or not, is no value.
        let values: Vec<Option<&Value>> =
            leaves.iter().map(|run| run.get(name).copied().filter(|value| **value != Value::Null)).collect();
        match numbers(&values) {
            Some(numbers) => {
                inputs.push(Input::Numbers(numbers));
                words.push(Vec::new());
            }
            None => {
                let (numbered, known) = numbered(&values);
                inputs.push(Input::Words(numbered));
                words.push(known);
            }
        }
    }
    (names.into_iter().collect(), inputs, words)
}

/// The values as numbers, if all are; a boolean is 0 or 1, and NaN is none.
fn numbers(values: &[Option<&Value>]) -> Option<Vec<Option<f64>>> {
    let number = |value: &Value| match value {
        Value::Bool(bool) => Some(f64::from(*bool)),
        other => Number::of(other).map(Number::as_f64),
    };
    let numbers = values.iter().map(|value| match value {
        None => Some(None),
        Some(value) => number(value).map(|number| Some(number).filter(|number| number.is_finite())),
    });
    numbers.collect()
}

/// The values by number, equal ones by one, and what each number stands for.
fn numbered(values: &[Option<&Value>]) -> (Vec<Option<usize>>, Vec<Value>) {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut known = Vec::new();
    let numbered = values
        .iter()
        .map(|value| {
            value.map(|value| {
                *places.entry(text::write_value(value)).or_insert_with(|| {
                    known.push(value.clone());
                    known.len() - 1
                })
            })
        })
        .collect();
    (numbered, known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Part;
    use crate::run::attempt::{Facts, Summary};
    use crate::run::fold::fold;
    use crate::run::id::{AttemptId, RunId, Time};
    use crate::run::record::{Files, RUN};
    use crate::statistics::importance::{Reason, Trust};

    fn run(number: u8, params: &[(&str, Value)], result: Option<f64>, status: Status) -> Run {
        let mut facts = Facts::new(RunId::new(Time(0), [number; 8]), AttemptId::new([2; 8]), Time(0));
        facts.params = params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        facts.status = status;
        if let Some(result) = result {
            facts.metrics.insert("loss".to_owned(), Summary::plain(Number::Float(result)));
        }
        let files = Files::from([(RUN.to_owned(), text::write(&facts.to_table()).into_bytes())]);
        fold(&facts.id, &files).expect("the facts are whole")
    }

    #[test]
    fn what_is_a_number_and_which_runs_count() {
        let params = |rate: Value, kind: &str| [("lr", rate), ("kind", kind.into()), ("epochs", 3.into())];
        let runs = [
            run(1, &params(0.1.into(), "a"), Some(1.0), Status::Finished),
            run(2, &params(true.into(), "b"), Some(2.0), Status::Failed),
            run(3, &params(Value::Null, "a"), Some(3.0), Status::Finished),
            run(4, &params(0.1.into(), "a"), Some(f64::NAN), Status::Finished),
            run(5, &params(0.1.into(), "a"), None, Status::Finished),
            run(6, &params(0.1.into(), "a"), Some(9.0), Status::Running),
        ];
        let counted: Vec<&Run> = runs[..3].iter().collect();
        let (names, found, words) = inputs(&counted);
        assert_eq!(names, ["lr", "kind", "epochs"]);
        assert_eq!(found[0], Input::Numbers(vec![Some(0.1), Some(1.0), None]));
        assert_eq!(found[1], Input::Words(vec![Some(0), Some(1), Some(0)]));
        assert_eq!(words[1], ["a".into(), "b".into()]);
        let studied = weigh(&runs, &Field::Metric("loss".to_owned(), Part::Shown));
        assert_eq!((studied.runs, studied.without, studied.nonfinite, studied.running), (3, 1, 1, 1));
        assert_eq!(studied.study.trust, Trust::TooFew);
        assert_eq!(studied.study.left_out, [(2, Reason::Constant)]);
    }
}
