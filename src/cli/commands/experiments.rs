//! `git xtrack experiments`: what is being tried, and how far it is.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::form::{Answer, Form};
use crate::cli::{Session, choice};
use crate::ops::baseline;
use crate::ops::select::{self, Wanted};
use crate::view::experiments::{self, Told};

/// List the experiments: their runs, the best and the latest of them
///
/// What an experiment is about stands in xtrack.toml, under `[experiments]`; the best is by the primary metric. An
/// experiment is renamed by `git xtrack edit --where 'experiment = OLD' --experiment NEW`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack experiments
  git xtrack experiments --where 'started > 30 days ago'
  git xtrack experiments --json")]
pub struct Args {
    /// Count the runs that this holds of
    #[arg(long = "where", value_name = "QUERY")]
    query: Option<String>,

    #[command(flatten)]
    form: Form,
}

/// Lists the experiments.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let wanted = Wanted { query: args.query.clone(), listed: true, ..Wanted::default() };
    let selected = select::select(&tracker, &wanted)?;
    choice::tell(session, &selected);
    let runs = &selected.loaded.runs;
    // Of those that are asked for, if a question asks.
    let descriptions = match args.query {
        None => tracker.config.experiments.clone(),
        Some(_) => tracker
            .config
            .experiments
            .iter()
            .filter(|(name, _)| runs.iter().any(|run| run.experiment.as_ref() == Some(name)))
            .map(|(name, description)| (name.clone(), description.clone()))
            .collect(),
    };
    let baselines = baseline::all(&tracker, None)?.into_iter();
    let told = Told {
        descriptions,
        primary: tracker.config.primary.clone(),
        baselines: baselines.map(|(experiment, baseline)| (experiment, baseline.run.id)).collect(),
    };
    let found = experiments::experiments(runs, &told);
    if found.is_empty() && !args.form.json {
        session.note(match args.query {
            Some(_) => "no runs of experiments match",
            None => "no experiments yet: `git xtrack record --experiment NAME -- …` begins one",
        });
        return Ok(ExitCode::SUCCESS);
    }
    let answer = Answer {
        report: experiments::report(&found, runs, &told, tracker.now()),
        exact: Some(experiments::exact(&found, runs, &told)),
        json: experiments::to_json(&found, runs, &told),
    };
    args.form.print(session, &tracker.store, &answer)?;
    Ok(ExitCode::SUCCESS)
}
