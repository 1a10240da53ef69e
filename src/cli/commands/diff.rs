//! `git xtrack diff`: what differs between two runs.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::ops::code;
use crate::render::markdown;
use crate::view;

/// Compare two runs: params, metrics, environment, inputs, code
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack diff @~1 @                  The last two
  git xtrack diff quiet-otter @ --code   With the difference of their code
  git xtrack diff @~1 @ --md             For a pull request")]
pub struct Args {
    /// The run to compare with
    #[arg(value_name = "A")]
    before: String,

    /// The run to compare
    #[arg(value_name = "B", default_value = "@")]
    after: String,

    /// Print JSON
    #[arg(long, group = "format")]
    json: bool,

    /// Print Markdown
    #[arg(long, group = "format")]
    md: bool,

    /// Leave out what is the same
    #[arg(long)]
    only_changed: bool,

    /// Show the difference of the code
    #[arg(long)]
    code: bool,

    /// Show which files of the code differ, and by how much
    #[arg(long)]
    stat: bool,
}

/// Compares the runs.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let before = tracker.load(&tracker.resolve(&args.before)?)?;
    let after = tracker.load(&tracker.resolve(&args.after)?)?;
    if args.json {
        session.json(&view::diff::to_json(&before, &after))?;
        return Ok(ExitCode::SUCCESS);
    }
    let colour = !args.md && session.takes_colour(&tracker.store);
    let code = args.code.then(|| code::between(&tracker, &before, &after, false, colour)).transpose()?;
    let code_stat = args.stat.then(|| code::between(&tracker, &before, &after, true, colour)).transpose()?;
    let options = view::diff::DiffOptions { only_changed: args.only_changed, code, code_stat };
    let report = view::diff::diff(&before, &after, &options);
    match args.md {
        true => session.out(&markdown::write(&report))?,
        false => session.show(&tracker.store, &report)?,
    }
    Ok(ExitCode::SUCCESS)
}
