//! `git xtrack verify`: whether runs are what they claim to be.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::choice::Choice;
use crate::cli::form::{Answer, Form};
use crate::cli::{Exit, Session, progress};
use crate::error::Problem;
use crate::ops::check::verify::{self, Standing};
use crate::view;

/// Tell whether runs are what they claim to be
///
/// Signatures are judged as `git verify-commit` judges them, with your own keys and settings (gpg or ssh). Each edit is
/// compared with the commit that brought it and with who signed that, the bytes of artifacts with their digests, the code
/// with the tree that is said to have run. The verdict is one of: verified; consistent, not all of it is here; consistent,
/// unsigned; not as claimed; damaged.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack verify quiet-otter
  git xtrack verify --signed --where 'tag = release'    Fail unless all of it is signed
  git xtrack verify @ --json | jq -r '.[0].verdict'

Exit codes: 0 nothing contradicts what is claimed, 1 something does; with --signed, 1 unless trusted keys signed all of it.")]
pub struct Args {
    #[command(flatten)]
    choice: Choice,

    /// Fail unless every commit with words of its own is signed by a key that is trusted here
    #[arg(long)]
    signed: bool,

    #[command(flatten)]
    form: Form,
}

/// Judges them.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    args.choice.wanted()?;
    let ids: Vec<_> = args.choice.ids(session, &tracker)?.into_iter().collect();
    if ids.is_empty() {
        return Err(Problem::new("no runs match").of(crate::error::Kind::NotFound).into());
    }
    let judged = verify::verify(&tracker, &ids, &progress::on_stderr("verifying runs"))?;
    let answer = Answer {
        report: view::check::verdicts(&judged),
        exact: Some(view::check::verdicts_table(&judged)),
        json: view::check::verdicts_json(&judged),
    };
    args.form.print(session, &tracker.store, &answer)?;
    let is_well = judged.iter().all(|one| match args.signed {
        true => one.standing <= Standing::Incomplete && one.tip.is_some(),
        false => one.standing <= Standing::Unsigned,
    });
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(Exit::Failed as u8) })
}
