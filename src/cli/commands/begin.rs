//! `git xtrack begin`: begins a run for a script or a client that is not started by `record`.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use crate::cli::Session;
use crate::cli::commands::given::{Care, Given};
use crate::ops::live::begin;
use crate::ops::record::{Options, surroundings};

/// Begin a run; `finish` ends it
///
/// Takes the snapshot of the code and prints the folder in which the run's processes log. Those find it in
/// XTRACK_RUN_DIR. The run belongs to the process that called this command: should that end without `finish`, the
/// run is recorded as crashed. What is not typed comes from the same variables as for `record`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  export XTRACK_RUN_DIR=$(git xtrack begin --name baseline -p lr=0.1)
  python3 train.py
  git xtrack finish --exit-code $?")]
pub struct Args {
    #[command(flatten)]
    given: Given,

    #[command(flatten)]
    care: Care,

    /// The process that the run belongs to [default: the one that calls this command]
    #[arg(long, value_name = "PID")]
    owner: Option<u32>,

    /// Print JSON: the id, the attempt, the folder and the name
    #[arg(long)]
    json: bool,

    /// The command that the run is recorded as, after `--`; it is not run
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Begins the run.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let (json, owner) = (args.json, args.owner);
    let mut options = options(args)?;
    surroundings::complete(&mut options);
    let begun = begin::begin(&session.tracker()?, &options, owner)?;
    begun.warnings.iter().for_each(|warning| session.warn(warning));
    begun.notes.iter().for_each(|note| session.note(&format!("xtrack: {note}")));
    let folder = begun.folder.display().to_string();
    match json {
        true => session.json(&json!({
            "id": begun.id.as_str(),
            "attempt": begun.attempt.as_str(),
            "folder": folder,
            "name": begun.name,
        }))?,
        false => session.out(&format!("{folder}\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn options(args: Args) -> Result<Options> {
    let mut options = Options { command: args.command, ..Options::default() };
    args.given.add_to(&mut options)?;
    args.care.add_to(&mut options);
    Ok(options)
}
