//! `git xtrack du`: what takes the space.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::cli::choice::Choice;
use crate::cli::form::{Answer, Form};
use crate::ops::space::usage::{self, Wanted};
use crate::view;

/// Tell what takes the space: runs, code, artifacts, in sum and by run
///
/// Sizes are those on the disk. `own` goes when the run goes; `shared` is held by others, too. Named runs are told of with their
/// artifacts.
///
/// A remote lists all its refs to everybody who pushes to it: 96 bytes a run, 9.6 MB at 100,000. Archive old runs before that hurts:
///   git bundle create 2025.bundle --glob='refs/runs/2025*'     keep that file; `git xtrack pull 2025.bundle` brings them back
///   git bundle list-heads 2025.bundle | sort > archived
///   git ls-remote origin 'refs/runs/2025*' | tr '\t' ' ' | sort | comm -12 - archived | cut -d' ' -f2 | xargs -n 1000 git push origin --delete
///   sed 's/^\([^ ]*\) \(.*\)/delete \2 \1/' archived | git update-ref --stdin
/// Their artifacts and code are not in it, and go with the next `git xtrack gc`: docs/space.md tells how to keep them.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  git xtrack du
  git xtrack du -n 50 --csv
  git xtrack du quiet-otter
  git xtrack du --where 'experiment = digits' --json"
)]
pub struct Args {
    #[command(flatten)]
    choice: Choice,

    /// How many runs to list, those that take most first
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 10)]
    count: usize,

    #[command(flatten)]
    form: Form,
}

/// Tells.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let runs = match args.choice.is_given() {
        true => {
            let selected = args.choice.select(session, &tracker)?;
            Some(selected.loaded.runs.into_iter().map(|run| run.id).collect())
        }
        false => None,
    };
    let is_named = !args.choice.runs.is_empty();
    let wanted = Wanted { runs, count: if is_named { usize::MAX } else { args.count } };
    let usage = usage::usage(&tracker, &wanted)?;
    usage.unreadable.iter().for_each(|what| session.warn(what));
    let answer = Answer {
        report: view::space::usage(&usage, is_named),
        exact: Some(view::space::usage_table(&usage)),
        json: view::space::usage_json(&usage),
    };
    args.form.print(session, &tracker.store, &answer)?;
    if args.form.is_for_terminal() {
        usage::advice(&usage).iter().for_each(|advice| session.note(&format!("hint: {advice}")));
    }
    Ok(ExitCode::SUCCESS)
}
