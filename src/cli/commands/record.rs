//! `git xtrack record`: what may be typed, and what is said when the run is recorded.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::ValueHint;

use crate::cli::Session;
use crate::cli::commands::given::{Care, Given, Produced};
use crate::ops::record::{self, Options, Outcome, checkpoint, surroundings};
use crate::tracker::Tracker;
use crate::view;

/// Record a run: of a command, or of what is given
///
/// The command runs as it would without us: its input, output, signals and exit code are its own. When it
/// ends, however it ends, its code, params, metrics and artifacts are recorded. Without a command, what is given is
/// recorded and the run's id printed.
///
/// What is not typed comes from XTRACK_NAME, XTRACK_EXPERIMENT, XTRACK_GROUP, XTRACK_TAGS (with commas between them),
/// XTRACK_NOTES and XTRACK_RUN_KEY; the command does not inherit these.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    given: Given,

    #[command(flatten)]
    produced: Produced,

    #[command(flatten)]
    care: Care,

    /// Do not keep the output of the command
    #[arg(long, help_heading = LIVE)]
    no_console: bool,

    /// Do not watch what the command takes of the machine
    #[arg(long, help_heading = LIVE)]
    no_system: bool,

    /// Commit the run every TIME while it lasts: '5m', '1h'
    #[arg(long, value_name = "TIME", value_parser = checkpoint::parse_every, help_heading = LIVE)]
    checkpoint: Option<Duration>,

    /// Push the run at each checkpoint, and at its end
    #[arg(long, help_heading = LIVE)]
    push: bool,

    /// Make what the command writes for other tools the run's series: 'tensorboard', 'dvclive', …, or a path
    #[arg(long, value_name = "KIND|PATH", help_heading = LIVE)]
    harvest: Vec<String>,

    /// Do not run the command if a finished run had the same code, command, params and inputs
    #[arg(long, requires = "command", conflicts_with_all = ["resume", "run_key"])]
    skip_if_done: bool,

    /// Print the whole run as JSON instead of its id
    #[arg(long, conflicts_with = "command")]
    json: bool,

    /// The command to run, after `--`
    #[arg(last = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
}

/// Under which heading the help lists what concerns a command only.
const LIVE: &str = "While the command runs";

const EXAMPLES: &str = "\
Examples:
  git xtrack record -- python3 train.py --lr 0.1
  git xtrack record -p model.depth=3 --metrics metrics.json -a 'plots/*.png' -- make train
  git xtrack record --name baseline -p lr=0.1 -m accuracy=0.93 -a model.bin
  git xtrack record --resume quiet-otter -- python3 train.py --from checkpoint.pt
  git xtrack record --skip-if-done -- python3 train.py --lr 0.1
  git xtrack record --checkpoint 5m --push -- sbatch --wait train.sh";

/// Records the run and says what was recorded.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let json = args.json;
    let mut options = options(args)?;
    surroundings::complete(&mut options);
    let tracker = session.tracker()?;
    let outcome = record::record(&tracker, &options)?;
    say(&outcome, &options, session);
    if options.command.is_empty() {
        session.out(&answer(&tracker, &outcome, json)?)?;
    }
    Ok(ExitCode::from(outcome.exit))
}

fn options(args: Args) -> Result<Options> {
    let mut options = Options {
        no_console: args.no_console,
        no_system: args.no_system,
        checkpoint: args.checkpoint,
        push: args.push,
        harvest: args.harvest,
        skip_if_done: args.skip_if_done,
        command: args.command,
        ..Options::default()
    };
    args.given.add_to(&mut options)?;
    args.produced.add_to(&mut options)?;
    args.care.add_to(&mut options);
    Ok(options)
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
    for hint in &outcome.hints {
        session.note(&format!("hint: {hint}"));
    }
}

fn answer(tracker: &Tracker, outcome: &Outcome, json: bool) -> Result<String> {
    if !json {
        return Ok(format!("{}\n", outcome.id));
    }
    let run = tracker.load(&outcome.id)?;
    Ok(format!("{:#}\n", view::run::to_json(&run)))
}
