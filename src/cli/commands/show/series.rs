//! `git xtrack show --series`: the points of one metric.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::ops::series::{self, Wanted};
use crate::run::Run;
use crate::tracker::Tracker;
use crate::view::series::{Options, columns, csv, json};

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Columns,
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
}

/// Shows the points of a metric; what keeps them from being all there is goes to stderr.
pub fn show(
    tracker: &Tracker,
    run: &Run,
    wanted: &Wanted,
    form: Form,
    session: &Session,
) -> Result<ExitCode> {
    let answer = series::of_run(tracker, run, wanted)?;
    for note in &answer.notes {
        session.warn(note);
    }
    let options = Options { all: wanted.all, is_cut: io::stdout().is_terminal() };
    match form {
        Form::Json => session.out(&json(&answer.series, options))?,
        Form::Csv => session.out(&csv(&answer.series, options))?,
        Form::Columns => session.page(&tracker.store, &columns(&answer.series, options))?,
    }
    Ok(ExitCode::SUCCESS)
}
