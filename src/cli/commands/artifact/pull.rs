//! `git xtrack artifact pull`: bytes that are not here are taken from the store.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::commands::artifact::asked::Moving;
use crate::cli::commands::artifact::of_chosen;
use crate::cli::commands::artifact::told::Told;
use crate::cli::{Session, trust};
use crate::ops::artifact::{distinct, moves};
use crate::view::artifact::Way;

/// Take artifacts from the store
///
/// Of the runs that are named, or with --all of every run: what is here is not taken again. What arrived before a connection
/// broke is gone on with. `git xtrack pull` brings runs without their large artifacts; this brings those. What is here and
/// damaged, `git xtrack artifact verify --repair` takes again.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack artifact pull quiet-otter
  git xtrack artifact pull --where 'experiment = digits' --dry-run
  git xtrack artifact pull --all")]
pub struct Args {
    #[command(flatten)]
    moving: Moving,

    /// Take those of every run
    #[arg(long)]
    all: bool,
}

/// Moves them.
pub fn run(Args { moving, all }: Args, session: &Session) -> Result<ExitCode> {
    let mut tracker = session.tracker()?;
    if !all {
        moving.choice.wanted().map_err(|error| error.context("which artifacts are to come is not said"))?;
    }
    let store = trust::open_store(session, &mut tracker)?;
    let (artifacts, is_whole) = of_chosen(session, &tracker, &moving.choice)?;
    let contents = distinct(artifacts.iter());
    let shown = store.shown();
    let plan = moves::plan_take(&tracker, store.as_ref(), &contents)?;
    let told = Told { session, artifacts: &artifacts, shown: &shown, way: Way::In, json: moving.json };
    if moving.dry_run {
        return told.plan(&plan);
    }
    told.moved(&moves::take(&tracker, store.as_ref(), plan)?, is_whole)
}
