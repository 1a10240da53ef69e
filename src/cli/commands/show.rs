//! `git xtrack show`: everything of one run.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::ops::code;
use crate::run::id::RunId;
use crate::tracker::Tracker;
use crate::view;
use crate::view::history::Commit;

/// Show everything of one run
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack show @                 The latest run started in this clone
  git xtrack show quiet-otter       By name
  git xtrack show k7f3              By the beginning of its short id
  git xtrack show @ --code          With the uncommitted changes that ran
  git xtrack show @ --json          For programs")]
pub struct Args {
    /// The run: id, short id, name, a unique prefix, `@`, `@~N`, `@all~N`
    #[arg(value_name = "RUN", default_value = "@")]
    run: String,

    /// Print JSON
    #[arg(long, conflicts_with_all = ["code", "history"])]
    json: bool,

    /// Show the uncommitted changes that ran
    #[arg(long)]
    code: bool,

    /// Show who changed what, and when
    #[arg(long)]
    history: bool,
}

/// Shows the run.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let id = tracker.resolve(&args.run)?;
    let run = tracker.load(&id)?;
    if args.json {
        session.json(&view::run::to_json(&run))?;
        return Ok(ExitCode::SUCCESS);
    }
    let colour = session.takes_colour(&tracker.store);
    let code = args.code.then(|| code::of_run(&tracker, &run, colour)).transpose()?;
    let options = view::run::ShowOptions {
        now: tracker.now(),
        history: args.history,
        commits: commits(&tracker, &id)?,
        code,
    };
    session.show(&tracker.store, &view::run::show(&run, &options))?;
    Ok(ExitCode::SUCCESS)
}

/// The commits of the run's record, as the history tells them.
fn commits(tracker: &Tracker, id: &RunId) -> Result<Vec<Commit>> {
    let Some(tip) = tracker.store.run_tip(id)? else {
        return Ok(Vec::new());
    };
    let commits = tracker.store.log_of(&tip)?.into_iter();
    Ok(commits
        .map(|info| Commit { oid: info.oid, author: info.author, at: info.at, subject: info.subject })
        .collect())
}
