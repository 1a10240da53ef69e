//! `git xtrack undo`: takes an operation back.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::{Exit, Session};
use crate::error::Problem;
use crate::ops::operation::{self, undo};
use crate::view;

/// Take an operation back
///
/// Every ref that is still where the operation left it goes to where it was before; what has gone on since is named and left as
/// it is. Without an operation it is the latest that said or brought something; recordings are taken back only by name. An undo is
/// an operation too, and can be taken back.
///
/// What was pushed is in the remote, and stays there: the next pull brings it back.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack undo               The latest edit, pull, rm, restore, merge, gc …
  git xtrack undo --dry-run     What it would do
  git xtrack undo k7f3q2ab      That one, as `git xtrack oplog` lists it
  git xtrack undo 3             The third of that list")]
pub struct Args {
    /// An operation: its id, the beginning of it, or its number in `git xtrack oplog`
    #[arg(value_name = "OPERATION")]
    operation: Option<String>,

    /// Only say what would go back
    #[arg(long)]
    dry_run: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Takes it back.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let operations = operation::list(&tracker)?;
    let found = match &args.operation {
        Some(word) => operation::find(&operations, word)?,
        None => {
            let latest = operation::latest(&tracker.store, &operations);
            let (found, newer) = latest.ok_or_else(|| {
                Problem::new("there is nothing to take back").hint("`git xtrack oplog` lists what was done")
            })?;
            if newer > 0 {
                let newer = crate::human::count(newer, "newer operation");
                session.note(&format!("{newer} that recorded runs, or moved none, left alone"));
            }
            found
        }
    };
    let undone = undo::undo(&tracker, found, args.dry_run)?;
    tracker.store.warnings().iter().for_each(|warning| session.warn(warning));
    if args.json {
        session.json(&view::operation::undone_json(&undone, &tracker.store))?;
    } else {
        view::operation::undone(&undone, &tracker.store).iter().for_each(|line| session.note(line));
    }
    undone.left.iter().for_each(|left| {
        let lines = view::operation::left(left);
        lines.iter().take(1).for_each(|line| session.warn(line));
        lines.iter().skip(1).for_each(|line| session.note(line));
    });
    if !undone.back.is_empty() {
        view::operation::known(&undone).iter().for_each(|line| session.warn(line));
    }
    Ok(if undone.left.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(Exit::Failed as u8) })
}
