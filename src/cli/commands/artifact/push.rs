//! `git xtrack artifact push`: bytes that the store lacks are sent there.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::commands::artifact::asked::Moving;
use crate::cli::commands::artifact::of_chosen;
use crate::cli::commands::artifact::told::Told;
use crate::cli::{Session, trust};
use crate::ops::artifact::{distinct, moves};
use crate::view::artifact::Way;

/// Send artifacts to the store
///
/// Of the runs that are named, or of all: what the store has is not sent again, and equal bytes go once. `git xtrack push`
/// does this by itself, before the runs.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack artifact push                       All that is here
  git xtrack artifact push --where 'tag = paper'
  git xtrack artifact push --dry-run")]
pub struct Args {
    #[command(flatten)]
    moving: Moving,
}

/// Moves them.
pub fn run(Args { moving }: Args, session: &Session) -> Result<ExitCode> {
    let mut tracker = session.tracker()?;
    let store = trust::open_store(session, &mut tracker)?;
    let (artifacts, is_whole) = of_chosen(session, &tracker, &moving.choice)?;
    let contents = distinct(artifacts.iter());
    let shown = store.shown();
    let plan = moves::plan_send(&tracker, store.as_ref(), &contents)?;
    let told = Told { session, artifacts: &artifacts, shown: &shown, way: Way::Out, json: moving.json };
    if moving.dry_run {
        return told.plan(&plan);
    }
    told.moved(&moves::send(&tracker, store.as_ref(), plan)?, is_whole)
}
