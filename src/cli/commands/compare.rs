//! `git xtrack compare`: runs side by side.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::choice::{self, Choice};
use crate::cli::form::{Answer, Form};
use crate::cli::{Session, commands};
use crate::error::Problem;
use crate::ops::select;
use crate::run::id::RunId;
use crate::tracker::Tracker;
use crate::view::compare::{self, CompareOptions, groups};

/// Show runs side by side: what differs, and which is best
///
/// Params that differ come first, then metrics with the best one marked, the code and the inputs. Few runs have a column
/// each, many a row each. With --group-by, groups of runs stand side by side, as over seeds: the mean of each metric with
/// its 95 % confidence interval.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack compare @ @~1 @~2                    The last three
  git xtrack compare --where 'experiment = digits' --sort -accuracy -n 5
  git xtrack compare quiet-otter bold-lynx --all  What is the same too
  git xtrack compare --where 'tags.sweep = a' --group-by lr
  git xtrack compare @ @~1 --md                   For a pull request")]
pub struct Args {
    #[command(flatten)]
    choice: Choice,

    /// Sort by this field; `-FIELD` the largest first. Without it RUNs stay in their order
    #[arg(long, value_name = "[-]FIELD", allow_hyphen_values = true, value_delimiter = ',')]
    sort: Vec<String>,

    /// Take at most N runs
    #[arg(short = 'n', long = "max-count", value_name = "N")]
    count: Option<usize>,

    /// Compare groups of runs that have the same here, by their means
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    group_by: Vec<String>,

    /// Show what is the same in all runs too, and what tells of the machine
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    form: Form,
}

/// Shows the runs side by side.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let mut wanted = args.choice.wanted()?;
    (wanted.sort, wanted.count) = (args.sort.clone(), args.count);
    let mut selected = select::select(&tracker, &wanted)?;
    choice::tell(session, &selected);
    if args.sort.is_empty() && !args.choice.runs.is_empty() {
        let named = tracker.resolve_all(&args.choice.runs)?;
        let place = |id: &RunId| named.iter().position(|known| known == id).unwrap_or(named.len());
        selected.loaded.runs.sort_by_key(|run| place(&run.id));
    }
    let options = args.options(session, &tracker);
    let runs = std::mem::take(&mut selected.loaded.runs);
    if runs.is_empty() {
        session.note("no runs match");
    }
    let answer = match args.group_by.is_empty() {
        true if runs.len() == 1 => {
            return Err(Problem::usage("one run is nothing to compare")
                .hint("`git xtrack show` shows it")
                .into());
        }
        true => Answer {
            report: compare::compare(&runs, &options),
            exact: Some(compare::exact::exact(&runs, &options)),
            json: compare::exact::to_json(&runs, &options),
        },
        false => {
            let by = commands::diff::fields(&args.group_by, &selected.known)?;
            let groups = groups::split(runs, &by);
            Answer {
                report: groups::compare(&groups, &options),
                exact: Some(groups::exact(&groups, &options)),
                json: groups::to_json(&groups, &options),
            }
        }
    };
    args.form.print(session, &tracker.store, &answer)?;
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn options(&self, session: &Session, tracker: &Tracker) -> CompareOptions {
        CompareOptions {
            now: tracker.now(),
            primary: tracker.config.primary.clone(),
            all: self.all,
            width: if self.form.is_for_terminal() { session.width } else { usize::MAX },
            with_first: false,
        }
    }
}
