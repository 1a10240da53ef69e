//! `git xtrack edit`: what people say of runs afterwards. `tag`, `note`, `rm` and `restore` are short forms of it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::cli::batch::{self, Batch};
use crate::cli::choice::Choice;
use crate::ops::edit::Words;

/// Say something of runs afterwards; every word is added to the run's history, none is lost
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack edit @ --name baseline --tag +paper
  git xtrack edit quiet-otter --correct lr=0.1 --note 'the log said 0.01'
  git xtrack edit @ -m test/accuracy=0.97        A value found later
  git xtrack edit @ --status killed
  git xtrack edit --where 'experiment = digits' --experiment mnist    Rename an experiment
  git xtrack show @ --history                    Who said what")]
pub struct Args {
    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    batch: Batch,

    /// Add a tag (`+x` or `x`) or remove one (`-x`)
    #[arg(long = "tag", short = 't', value_name = "[+|-]TAG", allow_hyphen_values = true)]
    tags: Vec<String>,

    /// Add a note
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,

    /// Withdraw a note or an artifact, by its id as `show` prints it
    #[arg(long = "withdraw", value_name = "ID")]
    withdrawn: Vec<String>,

    /// Take a withdrawal back
    #[arg(long = "reinstate", value_name = "ID")]
    reinstated: Vec<String>,

    /// Rename
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Move to another experiment
    #[arg(long, short = 'e', value_name = "NAME")]
    experiment: Option<String>,

    /// Set a metric
    #[arg(long = "metric", short = 'm', value_name = "K=V")]
    metrics: Vec<String>,

    /// Hide a metric
    #[arg(long = "hide-metric", value_name = "METRIC")]
    metrics_hidden: Vec<String>,

    /// Correct a param
    #[arg(long = "correct", value_name = "K=V")]
    params: Vec<String>,

    /// Add artifacts: files, folders or globs
    #[arg(long = "artifact", short = 'a', value_name = "PATH")]
    artifacts: Vec<PathBuf>,

    /// Set the status
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
}

/// Edits the runs.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let words = Words {
        tags: args.tags,
        note: args.note,
        withdrawn: args.withdrawn,
        reinstated: args.reinstated,
        name: args.name,
        experiment: args.experiment,
        metrics: args.metrics,
        metrics_hidden: args.metrics_hidden,
        params: args.params,
        artifacts: args.artifacts,
        status: args.status,
        deleted: None,
    };
    batch::apply(session, &args.choice, &args.batch, &words)
}
