//! `git xtrack fetch`: brings others' runs here, beside ours.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::{Exit, Session};
use crate::error::Problem;
use crate::ops::sync::{self, fetch};
use crate::view;

/// Bring others' runs here, beside yours; `merge` lays them together
///
/// They are checked, and kept under `refs/xtrack/remotes/REMOTE/`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack fetch
  git xtrack fetch lab && git xtrack merge lab    What `git xtrack pull lab` does")]
pub struct Args {
    /// The remote, by its name in git
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,

    /// Bring the code, too, that is kept for runs there
    #[arg(long)]
    code: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Fetches.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let remote = sync::remote(&tracker, args.remote.as_deref())?;
    let shown = remote.shown();
    if remote.name.is_none() {
        let problem = Problem::usage(format!("'{shown}' has no name to keep its runs under"));
        return Err(problem
            .hint("`git remote add NAME ADDRESS` names it; `git xtrack pull` needs no name")
            .into());
    }
    let talk = session.talk(args.json);
    let fetched = fetch::fetch(&tracker, &remote, args.code, &talk)?;
    match args.json {
        true => session.json(&view::sync::fetched_json(&fetched, &shown))?,
        false => view::sync::fetched(&fetched, &shown).iter().for_each(|line| session.note(line)),
    }
    view::sync::refusals(&fetched.refused).iter().for_each(|line| session.warn(line));
    fetched.code_refused.iter().for_each(|refused| session.warn(&view::sync::refused_code(refused)));
    Ok(if fetched.refused.is_empty() && fetched.code_refused.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(Exit::Failed as u8)
    })
}
