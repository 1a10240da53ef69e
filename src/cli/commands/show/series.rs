//! `git xtrack show --series`: the points of one metric.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::cli::form::{Form, Shape};
use crate::ops::series::{self, Wanted};
use crate::run::Run;
use crate::tracker::Tracker;
use crate::view::series::{Options, columns, csv, elements, json, lines, report, tsv};

/// Shows the points of a metric; what keeps them from being all there is goes to stderr.
pub fn show(
    tracker: &Tracker,
    run: &Run,
    wanted: &Wanted,
    form: &Form,
    session: &Session,
) -> Result<ExitCode> {
    let answer = series::of_run(tracker, run, wanted)?;
    for note in &answer.notes {
        session.warn(note);
    }
    let options = Options { all: wanted.all, is_cut: io::stdout().is_terminal() };
    let series = &answer.series;
    match form.shape() {
        Shape::Json => session.out(&json(series, options))?,
        Shape::Elements if form.ndjson => session.out(&lines(series, options))?,
        Shape::Elements => form.print_elements(session, elements(series, options).map(Ok))?,
        Shape::Table if form.tsv => session.out(&tsv(series, options))?,
        Shape::Table => session.out(&csv(series, options))?,
        Shape::Report if form.is_for_terminal() => session.page(&tracker.store, &columns(series, options))?,
        Shape::Report => {
            form.print_report(session, &tracker.store, &report(run, &wanted.metric, series, options))?
        }
    }
    Ok(ExitCode::SUCCESS)
}
