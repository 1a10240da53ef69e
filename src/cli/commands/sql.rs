//! `git xtrack sql`: questions in SQL.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::cli::form::{Answer, Form};
use crate::view;

/// Ask in SQL: of the views runs, params, metrics, tags, notes, inputs
///
/// Nothing can be changed. Without a question the views and their columns are listed; docs/sql.md describes them. Runs in
/// progress are there once they are recorded.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack sql 'SELECT name, value FROM metrics GROUP BY name ORDER BY max(value) DESC'
  git xtrack sql \"SELECT run, value FROM params WHERE name = 'lr' AND value < 0.01\" --csv
  git xtrack sql 'SELECT experiment, count(*) AS runs FROM runs GROUP BY experiment' --json")]
pub struct Args {
    /// The question
    #[arg(value_name = "QUESTION")]
    question: Option<String>,

    #[command(flatten)]
    form: Form,
}

/// Answers it.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let index = tracker.whole_index()?;
    let live = tracker.live().len();
    if live > 0 {
        session.note(&format!("{live} in progress: as SQL has them, runs are what was recorded of them"));
    }
    let answer = match &args.question {
        None => {
            let views = index.views()?;
            Answer { report: view::index::views(&views), exact: None, json: view::index::views_json(&views) }
        }
        Some(question) => {
            let answer = index.sql(question)?;
            Answer {
                report: view::index::rows(&answer),
                exact: Some(view::index::exact_rows(&answer)),
                json: view::index::rows_json(&answer),
            }
        }
    };
    args.form.print(session, &tracker.store, &answer)?;
    Ok(ExitCode::SUCCESS)
}
