//! `git xtrack note`: a short form of `edit --note`.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::batch::{self, Batch};
use crate::cli::choice::Choice;
use crate::cli::{Session, commands};
use crate::error::Problem;
use crate::ops::edit::Words;

/// Add a note
#[derive(clap::Args)]
#[command(override_usage = "git xtrack note [OPTIONS] RUN TEXT
       git xtrack note [OPTIONS] --where QUERY TEXT")]
#[command(after_help = "\
Examples:
  git xtrack note @ 'diverges after epoch 3'
  git xtrack note --where 'data = v1' 'the old split'")]
pub struct Args {
    /// The run, unless --where chooses; then what to say
    #[arg(value_name = "RUN|TEXT", required = true)]
    words: Vec<String>,

    /// Note it of the runs that this holds of
    #[arg(long = "where", value_name = "QUERY")]
    query: Option<String>,

    #[command(flatten)]
    batch: Batch,
}

/// Adds the note.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let (runs, mut texts) = commands::runs_and_words(args.words, args.query.is_some(), "note")?;
    let note = texts.pop();
    if !texts.is_empty() {
        return Err(Problem::usage("a note is one text").hint("put it into quotes").into());
    }
    let choice = Choice { runs, query: args.query };
    batch::apply(session, &choice, &args.batch, &Words { note, ..Words::default() })
}
