//! `git xtrack merge`: lays fetched runs together with ours.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::Value as Json;

use crate::cli::commands::pull;
use crate::cli::{Exit, Session};
use crate::ops::sync::merge;
use crate::view;

/// Lay fetched runs together with yours
///
/// Takes what a plain `git fetch` or `git xtrack fetch` brought. What two people said of one run is both kept: the later word
/// counts, and the history holds the other.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack merge          What was fetched from any remote
  git xtrack merge lab      What was fetched from 'lab'")]
pub struct Args {
    /// The remote, by its name in git; all if none is named
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,

    /// Answer yes to what would be asked
    #[arg(long, short = 'y')]
    yes: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Merges.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let fetched = merge::fetched(&tracker, args.remote.as_deref())?;
    if fetched.is_empty() && !args.json {
        session.note("nothing was fetched yet");
    }
    let (mut is_whole, mut answers) = (true, Vec::new());
    for (name, tips) in fetched {
        let options = merge::Options { takes_purges: args.yes, ..merge::Options::default() };
        let mut outcome = merge::merge(&tracker, &tips, &options)?;
        pull::ask_purges(session, &tracker, &tips, &mut outcome)?;
        answers.push(view::sync::merged_json(&outcome, &name));
        if !args.json {
            view::sync::merged(&outcome, &name).iter().for_each(|line| session.note(line));
        }
        is_whole &= pull::warn(session, None, &outcome, "merge");
    }
    if args.json {
        session.json(&Json::Array(answers))?;
    }
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(Exit::Failed as u8) })
}
