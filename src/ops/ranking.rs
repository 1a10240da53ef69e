//! Which metric runs are ranked by, and whether less or more of it is better.

use anyhow::Result;

use crate::error::Problem;
use crate::human;
use crate::ops::select::{self, Wanted};
use crate::query::order::refuse_of_series;
use crate::query::{Field, Part, Vocabulary};
use crate::run::Run;
use crate::run::attempt::Goal;
use crate::tracker::Tracker;

/// In how many of the newest runs it is looked up what is better.
const RUNS_ASKED: usize = 100;

/// What runs are ranked by.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// The metric.
    pub metric: Field,
    /// What is better.
    pub goal: Goal,
}

impl Ranking {
    /// The order that has the best first, as it is typed.
    pub fn sort(&self) -> String {
        let sign = if self.goal == Goal::Max { "-" } else { "" };
        format!("{sign}{}", self.metric.full_name())
    }
}

/// The ranking by this metric, or by the one that matters most.
pub fn by(tracker: &Tracker, metric: Option<&str>) -> Result<Ranking> {
    let name = metric.or(tracker.config.primary.as_deref()).ok_or_else(no_primary)?;
    let wanted = Wanted { count: Some(1), listed: true, ..Wanted::default() };
    let known = select::select(tracker, &wanted)?.known;
    let metric = metric_named(name, &known)?;
    refuse_of_series(&metric)?;
    let goal = goal(tracker, &metric)?;
    match goal {
        Some(goal) => Ok(Ranking { metric, goal }),
        // Of nothing anything is the best.
        None if known.metrics.is_empty() => Ok(Ranking { metric, goal: Goal::Max }),
        None => Err(no_goal(&metric).into()),
    }
}

/// Whether less or more of a metric is better: as the settings say, or the newest runs that do.
pub fn goal(tracker: &Tracker, metric: &Field) -> Result<Option<Goal>> {
    let Field::Metric(name, _) = metric else { return Ok(None) };
    if let Some(goal) = tracker.config.definitions.get(name).and_then(|definition| definition.goal) {
        return Ok(Some(goal));
    }
    let query = Some(format!("has {}", Field::Metric(name.clone(), Part::Shown).full_name()));
    let wanted = Wanted { query, count: Some(RUNS_ASKED), listed: true, ..Wanted::default() };
    let runs: Vec<Run> = select::select(tracker, &wanted)?.loaded.runs;
    Ok(runs.iter().find_map(|run| run.goal(name)))
}

fn metric_named(name: &str, known: &Vocabulary) -> Result<Field, Problem> {
    let literal = || Field::Metric(name.to_owned(), Part::Shown);
    if known.metrics.contains(name) || known.metrics.is_empty() {
        return Ok(literal());
    }
    let parse = |name: &str| Field::parse(name, known).ok();
    let is_known = |field: &Field| match field {
        Field::Metric(name, _) => known.metrics.contains(name),
        _ => false,
    };
    let found = parse(name).filter(is_known).or_else(|| parse(&format!("metrics.{name}")).filter(is_known));
    found.ok_or_else(|| {
        let problem = Problem::usage(format!("no run here has the metric '{name}'"));
        match human::nearest(name, known.metrics.iter().map(String::as_str)) {
            Some(nearest) => problem.hint(format!("did you mean '{nearest}'?")),
            None => problem,
        }
    })
}

fn no_primary() -> Problem {
    Problem::usage("which metric matters most is not known")
        .hint("say so in this clone: `git config xtrack.primary METRIC`")
        .hint("or in xtrack.toml, for everyone: `primary = \"METRIC\"`")
}

fn no_goal(metric: &Field) -> Problem {
    let Field::Metric(name, _) = metric else { return no_primary() };
    Problem::usage(format!("whether less or more of '{name}' is better is not known"))
        .hint(format!("say so: `git config xtrack.metric.{name}.goal max`, or `min`"))
        .hint(format!("or sort by it: `git xtrack log --sort -{name}`"))
}
