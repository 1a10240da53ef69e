//! `git xtrack show`: everything of one run.

mod series;

use std::process::ExitCode;
use std::{slice, thread};

use anyhow::Result;

use crate::cli::form::{Form, Shape};
use crate::cli::{Session, choice};
use crate::ops::series::Wanted;
use crate::ops::{artifact, code, console};
use crate::run::Run;
use crate::run::id::RunId;
use crate::tracker::Tracker;
use crate::view;
use crate::view::columns::Around;
use crate::view::history::Commit;

/// Show everything of one run
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack show @                 The latest run started in this clone
  git xtrack show quiet-otter       By name
  git xtrack show k7f3              By the beginning of its short id
  git xtrack show @ --code          With the uncommitted changes that ran
  git xtrack show @ --series loss   The points of a metric
  git xtrack show @ --console       What it printed
  git xtrack show --where 'accuracy > 0.97 and lr = 0.1'
  git xtrack show @ --html > run.html
  git xtrack show @ --format '{{ status }} {{ metrics.loss.last }}'")]
pub struct Args {
    /// The run: id, short id, name, a unique prefix, `@`, `@~N`, `@all~N`
    #[arg(value_name = "RUN", default_value = "@")]
    run: String,

    /// Show the one run that this holds of
    #[arg(long = "where", value_name = "QUERY", conflicts_with = "run")]
    query: Option<String>,

    #[command(flatten)]
    form: Form,

    /// Show the uncommitted changes that ran
    #[arg(long, conflicts_with_all = WITHOUT_PARTS)]
    code: bool,

    /// Show who changed what, and when
    #[arg(long, conflicts_with_all = WITHOUT_PARTS)]
    history: bool,

    /// Show the points of a metric: step, time, value
    #[arg(long, value_name = "METRIC", conflicts_with_all = ["code", "history"])]
    series: Option<String>,

    /// With --series: every point of every attempt and writer, those that a resumed run logged again too
    #[arg(long, requires = "series")]
    all: bool,

    /// Show what the command printed: the first of it, the last, and how much is left out
    #[arg(long, conflicts_with_all = ["form", "code", "history", "series"])]
    console: bool,

    /// Go on as it prints more, until the run ends
    #[arg(long, requires = "console")]
    follow: bool,
}

/// The forms that are always of the whole run.
const WITHOUT_PARTS: [&str; 5] = ["json", "ndjson", "csv", "tsv", "format"];

/// Shows the run.
pub fn run(mut args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    if let Some(question) = &args.query {
        args.run = choice::only(session, &tracker, question)?.id.to_string();
    }
    if args.console {
        return console(&tracker, &args, session);
    }
    let id = tracker.resolve(&args.run)?;
    let run = tracker.load(&id)?;
    if let Some(metric) = &args.series {
        let wanted = Wanted { metric: metric.clone(), all: args.all };
        return series::show(&tracker, &run, &wanted, &args.form, session);
    }
    match args.form.shape() {
        Shape::Json => args.form.print_json(session, &view::run::to_json(&run))?,
        Shape::Elements => args.form.print_elements(session, [Ok(view::run::to_json(&run))])?,
        Shape::Table => {
            let primary = tracker.config.primary.clone();
            let around = Around { primary, ..Around::plain(tracker.now()) };
            args.form.print_table(session, &view::log::exact(slice::from_ref(&run), None, &around).0)?;
        }
        Shape::Report => report(&tracker, &args, &run, session)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn report(tracker: &Tracker, args: &Args, run: &Run, session: &Session) -> Result<()> {
    let colour = args.form.is_for_terminal() && session.takes_colour(&tracker.store);
    let code = args.code.then(|| code::of_run(tracker, run, colour)).transpose()?;
    let held = artifact::of_run(run).into_iter().filter(|held| tracker.artifacts.has(&held.content));
    let options = view::run::ShowOptions {
        here: held.map(|held| held.content.sha256).collect(),
        now: tracker.now(),
        history: args.history,
        commits: commits(tracker, &run.id)?,
        code,
    };
    args.form.print_report(session, &tracker.store, &view::run::show(run, &options))
}

/// What the run's command printed; of a run in progress what it prints, if it is to be followed.
fn console(tracker: &Tracker, args: &Args, session: &Session) -> Result<ExitCode> {
    let mut consoles = console::of_run(tracker, &args.run)?;
    let last = consoles.pop_if(|console| args.follow && console.live.is_some());
    let text = view::console::show(&consoles);
    let Some(followed) = last else {
        session.page(&tracker.store, &text)?;
        return Ok(ExitCode::SUCCESS);
    };
    session.out(&text)?;
    let mut follow = console::Follow::default();
    loop {
        let (look, is_over) = console::again(tracker, &followed)?;
        let (missing, lines) = follow.news(&look);
        session.out(&view::console::news(missing, &lines))?;
        if is_over {
            session.out(&view::console::news(0, &follow.rest(&look)))?;
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(console::POLL);
    }
}

/// The commits of the run's record, as the history tells them.
fn commits(tracker: &Tracker, id: &RunId) -> Result<Vec<Commit>> {
    let Some(tip) = tracker.tip(id)? else {
        return Ok(Vec::new());
    };
    let commits = tracker.store.log_of(&tip)?.into_iter();
    Ok(commits
        .map(|info| Commit { oid: info.oid, author: info.author, at: info.at, subject: info.subject })
        .collect())
}
