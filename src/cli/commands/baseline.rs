//! `git xtrack baseline`: names the run that the others of its experiment are measured by, and tells it.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::cli::form::{Answer, Form};
use crate::error::Problem;
use crate::ops::baseline::{self, Baseline};
use crate::run::Run;
use crate::tracker::Tracker;
use crate::view;

/// Name the run that the others of its experiment are measured by, or tell it
///
/// An experiment has one. Naming it is an edit, the tag `baseline`, and travels with the run; where two people named
/// different runs, the later word counts. `log --against baseline` shows the differences to it.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack baseline quiet-otter      The baseline of its experiment from now on
  git xtrack baseline                  Which runs are baselines
  git xtrack log --against baseline    The differences to it
  git xtrack baseline --remove -e digits")]
pub struct Args {
    /// The run
    #[arg(value_name = "RUN", conflicts_with = "experiment")]
    run: Option<String>,

    /// The experiment whose baseline is meant
    #[arg(long, short = 'e', value_name = "NAME")]
    experiment: Option<String>,

    /// Take it back: the experiment has none then
    #[arg(long, conflicts_with = "form")]
    remove: bool,

    #[command(flatten)]
    form: Form,
}

/// Names, removes or tells.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    match (&args.run, args.remove) {
        (Some(name), false) => set(&tracker, session, name)?,
        (_, true) => remove(&tracker, session, &args)?,
        (None, false) => tell(&tracker, session, &args)?,
    }
    tracker.store.warnings().iter().for_each(|warning| session.warn(warning));
    Ok(ExitCode::SUCCESS)
}

fn set(tracker: &Tracker, session: &Session, name: &str) -> Result<()> {
    let id = tracker.resolve(name)?;
    let others = baseline::name(tracker, &id)?;
    let run = tracker.load(&id)?;
    let instead: Vec<String> = others.iter().map(called).collect();
    let instead =
        if instead.is_empty() { String::new() } else { format!(", instead of {}", instead.join(", ")) };
    session.note(&format!("{} is the baseline of {}{instead}", called(&run), of_experiment(&run)));
    Ok(())
}

fn remove(tracker: &Tracker, session: &Session, args: &Args) -> Result<()> {
    let baseline = match &args.run {
        Some(name) => baseline::of_run(tracker, &tracker.resolve(name)?)?,
        None => only(tracker, args.experiment.as_deref())?,
    };
    baseline::remove(tracker, &baseline)?;
    session.note(&format!(
        "{} is the baseline of {} no longer",
        called(&baseline.run),
        of_experiment(&baseline.run)
    ));
    Ok(())
}

fn tell(tracker: &Tracker, session: &Session, args: &Args) -> Result<()> {
    let baselines: Vec<Baseline> =
        baseline::all(tracker, args.experiment.as_deref())?.into_values().collect();
    if baselines.is_empty() && !args.form.json {
        session.note("no baseline is named: `git xtrack baseline RUN` does that");
        return Ok(());
    }
    let answer = Answer {
        report: view::baseline::report(&baselines, tracker.now()),
        exact: Some(view::baseline::exact(&baselines)),
        json: view::baseline::to_json(&baselines),
    };
    args.form.print(session, &tracker.store, &answer)
}

/// The one baseline there is.
fn only(tracker: &Tracker, experiment: Option<&str>) -> Result<Baseline> {
    let mut baselines: Vec<Baseline> = baseline::all(tracker, experiment)?.into_values().collect();
    match baselines.len() {
        1 => Ok(baselines.remove(0)),
        0 => Err(Problem::new("no baseline is named")
            .hint("`git xtrack baseline RUN` names one")
            .of(crate::error::Kind::NotFound)
            .into()),
        _ => Err(Problem::usage("there are several baselines, and one is to be removed")
            .hint("name its run, or the experiment with -e; `git xtrack baseline` lists them")
            .into()),
    }
}

fn called(run: &Run) -> String {
    match &run.name {
        Some(name) => format!("{} ({name})", run.id.suffix()),
        None => run.id.suffix().to_owned(),
    }
}

fn of_experiment(run: &Run) -> String {
    match &run.experiment {
        Some(experiment) => format!("experiment '{experiment}'"),
        None => "the runs without an experiment".to_owned(),
    }
}
