//! `git xtrack tag`: a short form of `edit --tag`.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::cli::commands::edit;
use crate::ops::edit::Words;

/// Add and remove tags
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack tag @ +paper -draft
  git xtrack tag @ stage=final")]
pub struct Args {
    /// The run
    #[arg(value_name = "RUN")]
    run: String,

    /// Tags to add (`+x` or `x`) or to remove (`-x`)
    #[arg(value_name = "[+|-]TAG", required = true, allow_hyphen_values = true)]
    tags: Vec<String>,
}

/// Tags the run.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    edit::apply(session, &[args.run], &Words { tags: args.tags, ..Words::default() })
}
