//! `git xtrack leaderboard`: the best runs, ranked.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::Value as Json;

use crate::cli::form::{Form, Shape};
use crate::cli::{Session, choice};
use crate::human;
use crate::ops::ranking;
use crate::ops::select::{self, Wanted};
use crate::query::Field;
use crate::view::columns::Around;
use crate::view::leaderboard;

/// Rank the best runs by the primary metric
///
/// Runs with the same number share a rank; those that have none are not ranked.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack leaderboard                        All runs
  git xtrack leaderboard digits -n 3            The three best of an experiment
  git xtrack leaderboard --metric loss.min --where 'started > 7 days ago'
  git xtrack leaderboard --md                   For a pull request")]
pub struct Args {
    /// Keep runs of this experiment
    #[arg(value_name = "EXPERIMENT")]
    experiment: Option<String>,

    /// Keep runs that this holds of
    #[arg(long = "where", value_name = "QUERY")]
    query: Option<String>,

    /// Rank by this metric instead of the primary one
    #[arg(long, short = 'm', value_name = "METRIC")]
    metric: Option<String>,

    /// Show at most N runs; 0 shows all
    #[arg(short = 'n', long = "max-count", value_name = "N", default_value_t = 20)]
    count: usize,

    #[command(flatten)]
    form: Form,
}

/// Ranks the runs.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let ranking = ranking::by(&tracker, args.metric.as_deref())?;
    let wanted = Wanted {
        query: args.query.clone(),
        experiment: args.experiment.clone(),
        sort: vec![ranking.sort()],
        count: Some(args.count).filter(|count| *count > 0),
        listed: matches!(args.form.shape(), Shape::Report | Shape::Table),
        ..Wanted::default()
    };
    let selected = select::select(&tracker, &wanted)?;
    choice::tell(session, &selected);
    let board = leaderboard::ranked(&selected.loaded.runs, &ranking.metric);
    if board.is_empty() && args.form.shape() != Shape::Json {
        let metric = ranking.metric.title();
        session.note(&match selected.total {
            0 => "no runs match".to_owned(),
            total => format!("none of {} has the metric '{metric}'", human::count(total, "run")),
        });
        return Ok(ExitCode::SUCCESS);
    }
    let primary = match &ranking.metric {
        Field::Metric(name, _) => Some(name.clone()),
        _ => None,
    };
    let marks = selected.marks.clone();
    let around = Around { primary, marks, ..Around::plain(tracker.now()) };
    match args.form.shape() {
        Shape::Report => {
            let report = leaderboard::report(&board, &ranking.metric, &around);
            args.form.print_report(session, &tracker.store, &report)?;
        }
        Shape::Table => {
            args.form.print_table(session, &leaderboard::exact(&board, &ranking.metric, &around))?;
        }
        Shape::Json => args.form.print_json(session, &leaderboard::to_json(&board, &ranking.metric))?,
        Shape::Elements => {
            if let Json::Array(entries) = leaderboard::to_json(&board, &ranking.metric) {
                args.form.print_elements(session, entries.into_iter().map(Ok))?;
            }
        }
    }
    let without = selected.loaded.runs.len() - board.len();
    if session.is_attended() && without > 0 && args.form.is_for_terminal() {
        session.note(&format!("not ranked: {} without a number", human::count(without, "run")));
    }
    Ok(ExitCode::SUCCESS)
}
