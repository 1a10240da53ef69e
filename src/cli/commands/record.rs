//! `git xtrack record`: what may be typed, and what is said when the run is recorded.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueHint;

use crate::cli::Session;
use crate::ops::record::{self, Options, Outcome, key_value};
use crate::tracker::Tracker;
use crate::view;

/// Record a run: of a command, or of what is given
///
/// The command runs as it would without us: its input, output, signals and exit code are its own. When it
/// ends, however it ends, its code, params, metrics and artifacts are recorded. Without a command, what is given is
/// recorded and the run's id printed.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Name the run; one is made up otherwise
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// The experiment it belongs to
    #[arg(short = 'e', long, value_name = "NAME")]
    experiment: Option<String>,

    /// A param; dots nest, values are typed
    #[arg(short = 'p', long = "param", value_name = "KEY=VALUE", allow_hyphen_values = true)]
    param: Vec<String>,

    /// A TOML, YAML or JSON file of params
    #[arg(long = "params", value_name = "FILE", value_hint = ValueHint::FilePath)]
    params: Vec<PathBuf>,

    /// A metric
    #[arg(short = 'm', long = "metric", value_name = "KEY=VALUE", allow_hyphen_values = true)]
    metric: Vec<String>,

    /// A TOML, YAML or JSON file of metrics, read when the command has ended
    #[arg(long = "metrics", value_name = "FILE", value_hint = ValueHint::FilePath)]
    metrics: Vec<PathBuf>,

    /// A file, folder or glob that the run produces
    #[arg(short = 'a', long = "artifact", value_name = "PATH|GLOB", value_hint = ValueHint::AnyPath)]
    artifact: Vec<PathBuf>,

    /// A file or folder that the run reads, kept by digest
    #[arg(long, value_name = "[NAME=]PATH", value_hint = ValueHint::AnyPath)]
    input: Vec<OsString>,

    /// A tag, bare or key=value
    #[arg(short = 't', long, value_name = "TAG")]
    tag: Vec<String>,

    /// A note
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    note: Vec<String>,

    /// The run that this one belongs under
    #[arg(long, value_name = "RUN")]
    parent: Option<String>,

    /// The group it belongs to
    #[arg(long, value_name = "NAME")]
    group: Option<String>,

    /// Add an attempt to the run with this key, the same in every clone
    #[arg(long, value_name = "KEY")]
    run_key: Option<String>,

    /// Write the run's id to FILE before the command starts
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    id_file: Option<PathBuf>,

    /// Fail if anything cannot be recorded as asked
    #[arg(long)]
    strict: bool,

    /// Take no snapshot of changed code
    #[arg(long)]
    no_snapshot: bool,

    /// Leave untracked files out of the snapshot
    #[arg(long)]
    no_untracked: bool,

    /// Print the whole run as JSON instead of its id
    #[arg(long, conflicts_with = "command")]
    json: bool,

    /// The command to run, after `--`
    #[arg(last = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  git xtrack record -- python3 train.py --lr 0.1
  git xtrack record -p model.depth=3 --metrics metrics.json -a 'plots/*.png' -- make train
  git xtrack record --name baseline -p lr=0.1 -m accuracy=0.93 -a model.bin";

/// Records the run and says what was recorded.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let json = args.json;
    let options = options(args)?;
    let tracker = session.tracker()?;
    let outcome = record::record(&tracker, &options)?;
    say(&outcome, &options, session);
    if options.command.is_empty() {
        session.out(&answer(&tracker, &outcome, json)?)?;
    }
    Ok(ExitCode::from(outcome.exit))
}

fn options(args: Args) -> Result<Options> {
    Ok(Options {
        name: args.name,
        experiment: args.experiment,
        params: args.param.iter().map(|text| key_value::parse_param(text)).collect::<Result<_, _>>()?,
        params_files: args.params,
        metrics: args.metric.iter().map(|text| key_value::parse_metric(text)).collect::<Result<_, _>>()?,
        metrics_files: args.metrics,
        artifacts: args.artifact,
        inputs: args.input,
        tags: args.tag,
        notes: args.note,
        parent: args.parent,
        group: args.group,
        key: args.run_key,
        id_file: args.id_file,
        strict: args.strict,
        no_snapshot: args.no_snapshot,
        no_untracked: args.no_untracked,
        command: args.command,
    })
}

fn say(outcome: &Outcome, options: &Options, session: &Session) {
    for warning in &outcome.warnings {
        session.warn(warning);
    }
    for note in &outcome.notes {
        session.note(&format!("xtrack: {note}"));
    }
    let summary = outcome.summary.as_ref().filter(|_| !options.command.is_empty());
    if let Some(summary) = summary {
        session.note(&format!("xtrack: {summary}"));
    }
}

fn answer(tracker: &Tracker, outcome: &Outcome, json: bool) -> Result<String> {
    if !json {
        return Ok(format!("{}\n", outcome.id));
    }
    let run = tracker.load(&outcome.id)?;
    Ok(format!("{:#}\n", view::run::to_json(&run)))
}
