//! `git xtrack fsck`: looks for what is wrong, and puts right what can be put right without guessing.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::choice::Choice;
use crate::cli::form::{Form, Shape};
use crate::cli::{Exit, Session, progress};
use crate::ops::check::mend::{self, Answer};
use crate::ops::check::{self, Mend, Options};
use crate::view;

/// Look for what is wrong with runs and what belongs to them
///
/// Refs, objects, records and their history, the code and the artifacts that runs name, runs in progress, what killed
/// processes left, git's settings, the index. Each fault is told with where it is and what to do about it. Nothing is
/// fetched and, without `--repair`, nothing is changed.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack fsck
  git xtrack fsck --artifacts              Compare the bytes of artifacts with their digests too
  git xtrack fsck --repair --dry-run       What would be put right
  git xtrack fsck --repair
  git xtrack fsck --where 'age < 7d' --json | jq '.faults[].message'

Exit codes: 0 all is sound, 1 something is wrong. Notes, such as code that nobody pushed, are no faults.")]
pub struct Args {
    #[command(flatten)]
    choice: Choice,

    /// Read every byte: series, consoles and artifacts too
    #[arg(long)]
    full: bool,

    /// Compare the bytes of artifacts with their digests
    #[arg(long)]
    artifacts: bool,

    /// Put right what can be put right without guessing; nothing that holds a word is taken away
    #[arg(long)]
    repair: bool,

    /// With --repair, say what would be put right, and change nothing
    #[arg(long, requires = "repair")]
    dry_run: bool,

    /// Answer yes to what would be asked
    #[arg(long, short = 'y')]
    yes: bool,

    #[command(flatten)]
    form: Form,
}

/// Looks.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    // What killed processes left is to be told, not recorded on the way.
    let tracker = session.tracker_as_it_is()?;
    let runs = match args.choice.is_given() {
        false => None,
        true => Some(args.choice.ids(session, &tracker)?),
    };
    let options = Options { runs, artifacts: args.artifacts, full: args.full };
    let mut report = check::check(&tracker, &options, &progress::on_stderr("checking runs"))?;
    if args.repair {
        match args.dry_run {
            true => {
                let would = report.faults.iter().filter(|fault| fault.mend.is_some()).count();
                session.note(&format!("{would} of {} would be put right", report.faults.len()));
            }
            false => mend::repair(&tracker, &mut report, &|question| match (args.yes, session.can_ask()) {
                (true, _) => Ok(Answer::Yes),
                (false, false) => Ok(Answer::Nobody),
                (false, true) => Ok(if session.confirm(question)? { Answer::Yes } else { Answer::No }),
            })?,
        }
    } else if report
        .faults
        .iter()
        .any(|fault| matches!(fault.mend, Some(ref mend) if !matches!(mend, Mend::Artifact(..))))
    {
        session.note("hint: `git xtrack fsck --repair` puts right what can be put right without guessing");
    }
    match args.form.shape() {
        Shape::Json => args.form.print_json(session, &view::check::faults_json(&report))?,
        Shape::Elements => {
            args.form.print_elements(session, report.faults.iter().map(view::check::fault_json).map(Ok))?;
        }
        Shape::Table => args.form.print_table(session, &view::check::faults_table(&report))?,
        Shape::Report => args.form.print_report(session, &tracker.store, &view::check::faults(&report))?,
    }
    session.note(&view::check::summary(&report));
    tracker.store.warnings().iter().for_each(|warning| session.warn(warning));
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(Exit::Failed as u8) })
}
