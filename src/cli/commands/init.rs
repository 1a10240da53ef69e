//! `git xtrack init`: sets up a clone; never required.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::ops::init;

/// Set up this clone, so that a plain `git fetch` brings others' runs; never required
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack init
  git xtrack init --example     Also write an example xtrack.toml")]
pub struct Args {
    /// The remote that runs are shared through
    #[arg(value_name = "REMOTE", default_value = "origin")]
    remote: String,

    /// Write an example xtrack.toml
    #[arg(long)]
    example: bool,
}

/// Sets up the clone.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let done = init::init(&tracker, &init::Options { remote: args.remote, example: args.example })?;
    done.iter().for_each(|line| session.note(line));
    Ok(ExitCode::SUCCESS)
}
