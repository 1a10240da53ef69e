//! `git xtrack artifact add`: files that become artifacts of runs afterwards.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::batch::{self, Batch};
use crate::cli::choice::Choice;
use crate::cli::{Session, commands};
use crate::ops::edit::Words;

/// Add files to runs as artifacts
///
/// It is an edit like any other: it travels with the run, `git xtrack show RUN --history` says who added what, and
/// `git xtrack edit RUN --withdraw ID` takes it back.
#[derive(clap::Args)]
#[command(override_usage = "git xtrack artifact add [OPTIONS] RUN PATH...
       git xtrack artifact add [OPTIONS] --where QUERY PATH...")]
#[command(after_help = "\
Examples:
  git xtrack artifact add @ report.pdf
  git xtrack artifact add quiet-otter 'plots/*.png' --note 'drawn again with labels'")]
pub struct Args {
    /// The run, unless --where chooses; then files, folders or globs
    #[arg(value_name = "RUN|PATH", required = true)]
    words: Vec<String>,

    /// Add them to the runs that this holds of
    #[arg(long = "where", value_name = "QUERY")]
    query: Option<String>,

    /// Say something of them
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,

    #[command(flatten)]
    batch: Batch,
}

/// Adds them.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let (runs, paths) = commands::runs_and_words(args.words, args.query.is_some(), "artifact")?;
    let choice = Choice { runs, query: args.query };
    let artifacts = paths.into_iter().map(PathBuf::from).collect();
    batch::apply(session, &choice, &args.batch, &Words { artifacts, note: args.note, ..Words::default() })
}
