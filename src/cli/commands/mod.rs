//! The commands, one file each: what may be typed, then one short function that opens, calls and shows.

mod adopt;
mod artifact;
mod baseline;
mod begin;
mod compare;
mod complete;
mod completions;
mod demo;
mod diff;
mod du;
mod edit;
mod experiments;
mod fetch;
mod finish;
mod fsck;
mod gc;
mod given;
mod help;
mod importance;
mod index;
mod init;
mod leaderboard;
mod log;
mod man;
mod merge;
mod note;
mod oplog;
mod plot;
mod pull;
pub mod pump;
mod purge;
mod push;
mod record;
mod recover;
mod restore;
mod rm;
mod show;
mod sql;
mod status;
mod tag;
mod undo;
mod verify;
mod watch;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::cli::Session;
pub use crate::cli::commands::help::unknown;
use crate::error::Problem;

/// Every command.
#[derive(Subcommand)]
pub enum Command {
    /// Record a run: of a command, or of what is given
    #[command(visible_alias = "run")]
    Record(record::Args),
    /// Begin a run; `finish` ends it
    Begin(begin::Args),
    /// Finish a run that `begin` began, and record it
    Finish(finish::Args),
    /// Show the runs in progress, and what was recovered lately
    Status(status::Args),
    /// Record what killed runs left behind
    Recover(recover::Args),
    /// Take in runs that were written without a repository, or on another machine
    Adopt(adopt::Args),
    /// List runs, the newest first
    #[command(visible_alias = "ls")]
    Log(log::Args),
    /// Rank the best runs by the primary metric
    Leaderboard(leaderboard::Args),
    /// List the experiments: their runs, the best and the latest of them
    Experiments(experiments::Args),
    /// Name the run that the others of its experiment are measured by, or tell it
    Baseline(baseline::Args),
    /// Follow runs in progress
    Watch(watch::Args),
    /// Show everything of one run
    Show(show::Args),
    /// Compare runs with one, or groups of runs
    Diff(diff::Args),
    /// Show runs side by side
    Compare(compare::Args),
    /// Say which params mattered for a metric
    Importance(importance::Args),
    /// Draw metrics and params of runs: in the terminal, as SVG, PNG or a page
    Plot(plot::Args),
    /// Say something of runs afterwards: rename, tag, correct, judge
    Edit(edit::Args),
    /// Add and remove tags
    Tag(tag::Args),
    /// Add a note
    Note(note::Args),
    /// Delete runs; `restore` brings them back
    Rm(rm::Args),
    /// Bring deleted runs back
    Restore(restore::Args),
    /// Tell what takes the space: runs, code, artifacts
    Du(du::Args),
    /// Let go of what no run needs any more
    Gc(gc::Args),
    /// Take runs out for good, because they hold a secret
    Purge(purge::Args),
    /// List what commands did to refs, the latest first
    Oplog(oplog::Args),
    /// Take an operation back
    Undo(undo::Args),
    /// Ask in SQL: of the views runs, params, metrics, tags, notes, inputs
    Sql(sql::Args),
    /// Tell about the index of runs, which makes questions fast; build it anew, or verify it
    Index(index::Args),
    /// Set up this clone, so that `git fetch` brings others' runs
    Init(init::Args),
    /// Send runs to a remote
    Push(push::Args),
    /// Bring others' runs here, and lay them together with yours
    Pull(pull::Args),
    /// Bring others' runs here, beside yours
    Fetch(fetch::Args),
    /// Lay fetched runs together with yours
    Merge(merge::Args),
    /// Look for what is wrong with runs and what belongs to them
    Fsck(fsck::Args),
    /// Tell whether runs are what they claim to be
    Verify(verify::Args),
    /// List, fetch, add and move the files that runs produced
    Artifact(artifact::Args),
    /// Try it all out: seven recorded trainings in a new repository
    Demo(demo::Args),
    /// Print or install the man pages and completions
    Man(man::Args),
    /// Print the completion script of a shell
    Completions(completions::Args),
    /// Print what may come next on a command line, for the shells
    #[command(hide = true)]
    Complete(complete::Args),
    /// Explain a command
    Help(help::Args),
}

/// Runs the command; none is `log`.
pub fn run(command: Option<Command>, session: &Session) -> Result<ExitCode> {
    match command {
        None => log::run(log::Args::default(), session),
        Some(Command::Record(args)) => record::run(args, session),
        Some(Command::Begin(args)) => begin::run(args, session),
        Some(Command::Finish(args)) => finish::run(args, session),
        Some(Command::Status(args)) => status::run(args, session),
        Some(Command::Recover(args)) => recover::run(args, session),
        Some(Command::Adopt(args)) => adopt::run(args, session),
        Some(Command::Log(args)) => log::run(args, session),
        Some(Command::Leaderboard(args)) => leaderboard::run(args, session),
        Some(Command::Experiments(args)) => experiments::run(args, session),
        Some(Command::Baseline(args)) => baseline::run(args, session),
        Some(Command::Watch(args)) => watch::run(args, session),
        Some(Command::Show(args)) => show::run(args, session),
        Some(Command::Diff(args)) => diff::run(args, session),
        Some(Command::Compare(args)) => compare::run(args, session),
        Some(Command::Importance(args)) => importance::run(args, session),
        Some(Command::Plot(args)) => plot::run(args, session),
        Some(Command::Edit(args)) => edit::run(args, session),
        Some(Command::Tag(args)) => tag::run(args, session),
        Some(Command::Note(args)) => note::run(args, session),
        Some(Command::Rm(args)) => rm::run(args, session),
        Some(Command::Restore(args)) => restore::run(args, session),
        Some(Command::Du(args)) => du::run(args, session),
        Some(Command::Gc(args)) => gc::run(args, session),
        Some(Command::Purge(args)) => purge::run(args, session),
        Some(Command::Oplog(args)) => oplog::run(args, session),
        Some(Command::Undo(args)) => undo::run(args, session),
        Some(Command::Sql(args)) => sql::run(args, session),
        Some(Command::Index(args)) => index::run(args, session),
        Some(Command::Init(args)) => init::run(args, session),
        Some(Command::Push(args)) => push::run(args, session),
        Some(Command::Pull(args)) => pull::run(args, session),
        Some(Command::Fetch(args)) => fetch::run(args, session),
        Some(Command::Merge(args)) => merge::run(args, session),
        Some(Command::Fsck(args)) => fsck::run(args, session),
        Some(Command::Verify(args)) => verify::run(args, session),
        Some(Command::Artifact(args)) => artifact::run(args, session),
        Some(Command::Demo(args)) => demo::run(args, session),
        Some(Command::Man(args)) => man::run(args, session),
        Some(Command::Completions(args)) => completions::run(args, session),
        Some(Command::Complete(args)) => complete::run(args, session),
        Some(Command::Help(args)) => help::run(args, session),
    }
}

/// The runs that are named and the words said of them, where the first word names a run unless a question chooses.
fn runs_and_words(
    mut words: Vec<String>,
    is_chosen: bool,
    command: &str,
) -> Result<(Vec<String>, Vec<String>)> {
    let runs = if is_chosen { Vec::new() } else { vec![words.remove(0)] };
    match words.is_empty() {
        false => Ok((runs, words)),
        true => Err(Problem::usage("there is nothing to say")
            .hint(format!("`git xtrack help {command}` shows how"))
            .into()),
    }
}
