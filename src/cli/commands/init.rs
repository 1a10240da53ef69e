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
  git xtrack init lab           Share runs through the remote 'lab', apart from the code
  git xtrack init --example     Also write an example xtrack.toml")]
pub struct Args {
    /// The remote that runs are shared through, if it is not `origin`
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,

    /// Where runs lie in the remote, if it takes only branches and tags: refs/heads/xtrack
    #[arg(long, value_name = "REFS")]
    prefix: Option<String>,

    /// Write an example xtrack.toml
    #[arg(long)]
    example: bool,
}

/// Sets up the clone.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let options = init::Options { remote: args.remote, prefix: args.prefix, example: args.example };
    let done = init::init(&tracker, &options)?;
    done.iter().for_each(|line| session.note(line));
    Ok(ExitCode::SUCCESS)
}
