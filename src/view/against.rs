//! Runs beside the one they are compared with: by how much their metrics differ, and which of their params.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use crate::query::Field;
use crate::render::Cell;
use crate::render::style::Role;
use crate::run::Run;
use crate::run::attempt::{Goal, Number};
use crate::run::id::RunId;
use crate::run::value::named_leaves;
use crate::view::value;

/// What runs are compared with.
#[derive(Debug, Clone)]
pub enum Against {
    /// One run.
    Run(Box<Run>),
    /// The baseline of each run's experiment.
    Baselines(HashMap<Option<String>, Run>),
}

/// By how much a number differs from the one it is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// What is to be added to that one.
    pub number: Number,
    /// Whether it is better; unknown where no goal is known, or nothing differs.
    pub better: Option<bool>,
}

impl Difference {
    /// Whether it went well.
    pub fn role(self) -> Role {
        match self.better {
            Some(true) => Role::Good,
            Some(false) => Role::Bad,
            None => Role::Dim,
        }
    }
}

impl Against {
    /// What this run is compared with.
    pub fn reference(&self, run: &Run) -> Option<&Run> {
        match self {
            Against::Run(reference) => Some(reference),
            Against::Baselines(baselines) => baselines.get(&run.experiment),
        }
    }

    /// Whether others are compared with this one.
    pub fn is_reference(&self, id: &RunId) -> bool {
        match self {
            Against::Run(reference) => reference.id == *id,
            Against::Baselines(baselines) => baselines.values().any(|baseline| baseline.id == *id),
        }
    }

    /// By how much a metric differs; nothing for the run that it is compared with.
    pub fn difference(&self, run: &Run, field: &Field) -> Option<Difference> {
        let Field::Metric(name, _) = field else { return None };
        let reference = self.reference(run).filter(|reference| reference.id != run.id)?;
        let number = |run: &Run| field.get(run).as_ref().and_then(Number::of);
        let number = difference(number(reference)?, number(run)?)?;
        let goal = run.goal(name).or_else(|| reference.goal(name));
        Some(Difference { number, better: goal.and_then(|goal| is_better(number, goal)) })
    }

    /// Whether a param is not as in the run that it is compared with.
    pub fn differs(&self, run: &Run, param: &str) -> bool {
        let Some(reference) = self.reference(run) else { return false };
        match (reference.param(param), run.param(param)) {
            (Some(before), Some(now)) => !value::same(before, now),
            (before, now) => before.is_some() != now.is_some(),
        }
    }

    /// What a person must know to read it.
    pub fn legend(&self) -> Cell {
        let mark = "; * a param that differs";
        match self {
            Against::Run(reference) => Cell::from("in brackets the difference to ")
                .and(Role::Strong, value::called(reference))
                .and(Role::Plain, " (")
                .and(Role::Id, reference.id.suffix())
                .and(Role::Plain, format!("){mark}")),
            Against::Baselines(_) => {
                format!("in brackets the difference to the baseline of the run's experiment{mark}").into()
            }
        }
    }

    /// What differs, as `log --json` tells it.
    pub fn to_json(&self, run: &Run) -> Json {
        let Some(reference) = self.reference(run) else { return Json::Null };
        let metric = |name: &String| {
            let field = Field::Metric(name.clone(), crate::query::Part::Shown);
            let difference = self.difference(run, &field)?;
            let told = json!({
                "difference": value::number_json(difference.number),
                "better": difference.better,
            });
            Some((name.clone(), told))
        };
        let metrics: Map<String, Json> = run.metrics.keys().filter_map(metric).collect();
        let both = [reference, run].map(|run| named_leaves(&run.params));
        let mut params: Vec<String> = both.into_iter().flatten().map(|(name, _)| name).collect();
        params.sort();
        params.dedup();
        params.retain(|name| self.differs(run, name));
        json!({ "id": reference.id.as_str(), "name": reference.name, "metrics": metrics, "params": params })
    }
}

/// What is to be added to the first for the second; of what is not finite there is none.
fn difference(before: Number, now: Number) -> Option<Number> {
    match (before, now) {
        (Number::Int(before), Number::Int(now)) => now.checked_sub(before).map(Number::Int),
        (before, now) => {
            Some(Number::Float(now.as_f64() - before.as_f64())).filter(|number| number.as_f64().is_finite())
        }
    }
}

fn is_better(difference: Number, goal: Goal) -> Option<bool> {
    let difference = difference.as_f64();
    (difference != 0.0).then_some(match goal {
        Goal::Max => difference > 0.0,
        Goal::Min => difference < 0.0,
    })
}
