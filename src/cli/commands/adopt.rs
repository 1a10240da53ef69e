//! `git xtrack adopt`: takes in runs that were written without a repository.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueHint;

use crate::cli::{Exit, Session};
use crate::ops::live::adopt::{self, Options};
use crate::view;

/// Take in runs that were written without a repository, or on another machine
///
/// A client that finds no repository, or none that it can write, writes a folder for each run, below `xtrack-runs` by
/// default. Adopt it as often as you like: each run is taken in once, one that had not finished is recorded as crashed,
/// and what it wrote later arrives with the next adopt. Nothing is written into the folder.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack adopt xtrack-runs
  git xtrack adopt /mnt/container/xtrack-runs/20260102-130000-k7f3q2ab")]
pub struct Args {
    /// Folders, each of one run or of several
    #[arg(value_name = "DIR", required = true, value_hint = ValueHint::DirPath)]
    folders: Vec<PathBuf>,

    /// Read files that were logged by their path alone, if you wrote the folder on this machine
    #[arg(long)]
    with_files: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Adopts them.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let outcome = adopt::adopt(&tracker, &args.folders, &Options { with_files: args.with_files })?;
    if args.json {
        session.json(&view::status::adopted_json(&outcome))?;
    } else {
        outcome.adopted.iter().for_each(|run| session.note(&view::status::adopted(run)));
    }
    for (folder, error) in &outcome.failed {
        session.warn(&format!("cannot adopt '{}': {error:#}", folder.display()));
    }
    tracker.store.warnings().iter().for_each(|warning| session.warn(warning));
    Ok(if outcome.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(Exit::Failed as u8) })
}
