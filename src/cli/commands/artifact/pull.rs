//! `git xtrack artifact pull`: bytes that are not here are taken from the store.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::choice::Choice;
use crate::cli::commands::artifact::of_chosen;
use crate::cli::commands::artifact::told::Told;
use crate::cli::{Session, trust};
use crate::ops::artifact::{distinct, moves};
use crate::view::artifact::Way;

/// Take artifacts from the store
///
/// Of the runs that are named, or with --all of every run: what is here is not taken again. What arrived before a connection
/// broke is gone on with. `git xtrack pull` brings runs without their large artifacts; this brings those.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack artifact pull quiet-otter
  git xtrack artifact pull --where 'experiment = digits' --dry-run
  git xtrack artifact pull --all")]
pub struct Args {
    #[command(flatten)]
    choice: Choice,

    /// Take those of every run
    #[arg(long)]
    all: bool,

    /// Only say what would come
    #[arg(long, short = 'n')]
    dry_run: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Moves them.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let mut tracker = session.tracker()?;
    if !args.all {
        args.choice.wanted().map_err(|error| error.context("which artifacts are to come is not said"))?;
    }
    let store = trust::open_store(session, &mut tracker)?;
    let (artifacts, is_whole) = of_chosen(session, &tracker, &args.choice)?;
    let contents = distinct(artifacts.iter());
    let shown = store.shown();
    let plan = moves::plan_take(&tracker, store.as_ref(), &contents)?;
    let told = Told { session, artifacts: &artifacts, shown: &shown, way: Way::In, json: args.json };
    if args.dry_run {
        return told.plan(&plan);
    }
    told.moved(&moves::take(&tracker, store.as_ref(), plan)?, is_whole)
}
