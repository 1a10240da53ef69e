//! `git xtrack finish`: ends a run that `begin` began, and records it.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::cli::commands::given::Produced;
use crate::error::Problem;
use crate::ops::live::begin::{self, Ending};
use crate::ops::record::Options;
use crate::run::attempt::Status;
use crate::view;

/// Finish a run that `begin` began, and record it
///
/// Without RUN it is the run that this process belongs to, by XTRACK_RUN_DIR, or else the only one that was begun here.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack finish
  git xtrack finish --exit-code $?
  git xtrack finish quiet-otter --status failed -m accuracy=0.1")]
pub struct Args {
    /// The run, or its folder
    #[arg(value_name = "RUN|FOLDER")]
    run: Option<String>,

    /// How it ended: finished, failed or killed [default: what its exit code or its processes say]
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,

    /// Its exit code
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    exit_code: Option<i64>,

    #[command(flatten)]
    produced: Produced,

    /// Print the whole run as JSON
    #[arg(long)]
    json: bool,
}

/// Finishes the run.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let json = args.json;
    let ending = ending(args)?;
    // Not one that recovers on the way: the run may be the very one whose owner is just gone.
    let tracker = session.tracker_as_it_is()?;
    let finished = begin::finish(&tracker, &ending)?;
    finished.warnings.iter().for_each(|warning| session.warn(warning));
    finished.notes.iter().for_each(|note| session.note(&format!("xtrack: {note}")));
    session.note(&format!("xtrack: {}", finished.summary));
    if json {
        session.json(&view::run::to_json(&tracker.load(&finished.id)?))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn ending(args: Args) -> Result<Ending> {
    let status = |word: String| {
        let status = Status::parse(&word.to_lowercase()).filter(|status| status.is_final());
        status.ok_or_else(|| {
            Problem::usage(format!("a run cannot finish as {word:?}"))
                .hint("use one of finished, failed, killed")
        })
    };
    let mut given = Options::default();
    args.produced.add_to(&mut given)?;
    Ok(Ending {
        run: args.run,
        status: args.status.map(status).transpose()?,
        exit_code: args.exit_code,
        given,
    })
}
