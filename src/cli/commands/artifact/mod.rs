//! `git xtrack artifact`: the files that runs produced, and where their bytes lie.

mod add;
mod asked;
mod get;
mod list;
mod prune;
mod pull;
mod push;
mod told;
mod trust;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::cli::Session;
use crate::cli::choice::{self, Choice};
use crate::ops::artifact::{self, Held};
use crate::ops::select::{self, Wanted};
use crate::tracker::Tracker;

/// List, fetch, add and move the files that runs produced
///
/// Small artifacts are in the run itself. The bytes of large ones lie in this clone, by their sha256, and in the store that
/// `xtrack.store.url` names: a folder, the remote's Git LFS server, a bucket. docs/artifacts.md has examples of each.
#[derive(clap::Args)]
#[command(
    disable_help_subcommand = true,
    after_help = "\
Examples:
  git xtrack artifact ls @                         What the last run produced, and where it is
  git xtrack artifact get quiet-otter model.bin    A file of a run, taken from the store if need be
  git config xtrack.store.url /mnt/team/artifacts  Keep large ones in a folder, too
  git xtrack artifact push                         Send what the store does not have"
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List artifacts, and where their bytes are
    #[command(visible_alias = "list")]
    Ls(list::Args),
    /// Write artifacts of a run to files
    Get(get::Args),
    /// Add files to runs as artifacts
    Add(add::Args),
    /// Send artifacts to the store
    Push(push::Args),
    /// Take artifacts from the store
    Pull(pull::Args),
    /// Read artifacts again, and say which are damaged or missing
    Verify(verify::Args),
    /// Remove bytes here that the store has
    Prune(prune::Args),
    /// Allow that this clone speaks to the store that xtrack.toml names
    Trust(trust::Args),
}

/// Does what is asked.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    match args.action {
        Action::Ls(args) => list::run(args, session),
        Action::Get(args) => get::run(args, session),
        Action::Add(args) => add::run(args, session),
        Action::Push(args) => push::run(args, session),
        Action::Pull(args) => pull::run(args, session),
        Action::Verify(args) => verify::run(args, session),
        Action::Prune(args) => prune::run(args, session),
        Action::Trust(args) => trust::run(args, session),
    }
}

/// The artifacts of the runs that were chosen, or of all; runs that cannot be read are named.
fn of_chosen(session: &Session, tracker: &Tracker, choice: &Choice) -> Result<(Vec<Held>, bool)> {
    let wanted = match choice.is_given() {
        true => choice.wanted()?,
        false => Wanted::default(),
    };
    let selected = select::select(tracker, &wanted)?;
    choice::tell(session, &selected);
    let listed = artifact::of_each(tracker, &selected.loaded.runs);
    for damaged in &listed.damaged {
        session.warn(&format!("run '{}' is damaged: {:#}", damaged.id, damaged.error));
    }
    let is_whole = listed.damaged.is_empty() && selected.loaded.damaged.is_empty();
    Ok((listed.artifacts, is_whole))
}
