//! `git xtrack note`: a short form of `edit --note`.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::cli::commands::edit;
use crate::ops::edit::Words;

/// Add a note
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack note @ 'diverges after epoch 3'")]
pub struct Args {
    /// The run
    #[arg(value_name = "RUN")]
    run: String,

    /// What to say
    #[arg(value_name = "TEXT")]
    text: String,
}

/// Adds the note.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    edit::apply(session, &[args.run], &Words { note: Some(args.text), ..Words::default() })
}
