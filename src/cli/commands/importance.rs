//! `git xtrack importance`: which params mattered for a metric.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::cli::choice::{self, Choice};
use crate::cli::form::{Answer, Form};
use crate::error::Problem;
use crate::ops::importance;
use crate::ops::select::{self, Wanted};
use crate::query::order::refuse_of_series;
use crate::query::{Field, Vocabulary};
use crate::view;

/// Say which params mattered for a metric, over many runs
///
/// A random forest learns from the runs to foretell the metric; a param matters as much as less is foretold once its
/// values are shuffled, in runs that the forest has not seen. Beside it stands how each goes with the metric by itself.
/// How far that can be trusted at this many runs is said first; where it cannot, there are no weights.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack importance accuracy
  git xtrack importance loss.min --where 'experiment = sweep'
  git xtrack importance duration              What made runs slow
  git xtrack importance accuracy --json")]
pub struct Args {
    /// The metric, or another number that runs have: `loss`, `loss.min`, `duration`
    #[arg(value_name = "METRIC")]
    metric: String,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    form: Form,
}

/// Weighs the params.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    // Without a choice all runs count: the more there are, the more can be told.
    let wanted = if args.choice.is_given() { args.choice.wanted()? } else { Wanted::default() };
    let wanted = Wanted { listed: true, ..wanted };
    let selected = select::select(&tracker, &wanted)?;
    choice::tell(session, &selected);
    let result = result(&args.metric, &selected.known)?;
    let studied = importance::weigh(&selected.loaded.runs, &result);
    let answer = Answer {
        report: view::importance::importance(&studied),
        exact: Some(view::importance::exact(&studied)),
        json: view::importance::to_json(&studied),
    };
    args.form.print(session, &tracker.store, &answer)?;
    Ok(ExitCode::SUCCESS)
}

/// What is to be explained: a metric where a name could be more than one thing.
fn result(name: &str, known: &Vocabulary) -> Result<Field> {
    let field = match known.metrics.contains(name) {
        true => Field::Metric(name.to_owned(), crate::query::Part::Shown),
        false => Field::parse(name, known)?,
    };
    match &field {
        Field::Param(param) => {
            Err(Problem::usage(format!("'{param}' is a param: name the metric it is to explain")).into())
        }
        _ => {
            refuse_of_series(&field)?;
            Ok(field)
        }
    }
}
