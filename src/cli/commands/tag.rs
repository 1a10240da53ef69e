//! `git xtrack tag`: a short form of `edit --tag`.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::batch::{self, Batch};
use crate::cli::choice::Choice;
use crate::cli::{Session, commands};
use crate::ops::edit::Words;

/// Add and remove tags; `pin` keeps a run on top of `log`
#[derive(clap::Args)]
#[command(override_usage = "git xtrack tag [OPTIONS] RUN [+|-]TAG...
       git xtrack tag [OPTIONS] --where QUERY [+|-]TAG...")]
#[command(after_help = "\
Examples:
  git xtrack tag @ +paper -draft
  git xtrack tag @ stage=final
  git xtrack tag quiet-otter +pin                  Keep it on top of `log`
  git xtrack tag --where 'accuracy > 0.9' +good    Every run that it holds of")]
pub struct Args {
    /// The run, unless --where chooses; then tags to add (`+x` or `x`) or to remove (`-x`)
    #[arg(value_name = "RUN|TAG", required = true, allow_hyphen_values = true)]
    words: Vec<String>,

    /// Tag the runs that this holds of
    #[arg(long = "where", value_name = "QUERY")]
    query: Option<String>,

    #[command(flatten)]
    batch: Batch,
}

/// Tags the runs.
pub fn run(mut args: Args, session: &Session) -> Result<ExitCode> {
    args.batch.take_from(&mut args.words)?;
    let (runs, tags) = commands::runs_and_words(args.words, args.query.is_some(), "tag")?;
    let choice = Choice { runs, query: args.query };
    batch::apply(session, &choice, &args.batch, &Words { tags, ..Words::default() })
}
