//! `git xtrack demo`: shows each step as it would be typed, then does it.
//!
//! Knows how the story is told; what the steps are is `ops::demo`'s.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::ops::demo::{Demo, STEPS, Step, shown};

/// Try it all out: a small repository, seven recorded trainings, and what can be asked of them
///
/// Makes a git repository in DIR, trains a softmax classifier on handwritten digits a few times through
/// `git xtrack record`, then shows `log` and `diff`. It needs git and python3, no git identity, takes less
/// than half a minute, and touches nothing outside DIR.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack demo          in a new temporary folder, which is kept
  git xtrack demo tour     in ./tour, which must be new or empty")]
pub struct Args {
    /// Where to make the repository [default: a new temporary folder]
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    folder: Option<PathBuf>,
}

/// Runs the demo.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let directory = args.folder.map(|folder| session.directory.join(folder));
    let demo = Demo::prepare(directory.as_deref())?;
    session.out(&format!("# A git repository with a training script, in {}\n", demo.directory.display()))?;
    for step in STEPS {
        let space = if matches!(step, Step::Say(_)) { "\n" } else { "" };
        session.out(&format!("{space}{}\n", shown(step)))?;
        demo.perform(step)?;
    }
    session.out(&where_to_go_on(&demo)?)?;
    Ok(ExitCode::SUCCESS)
}

fn where_to_go_on(demo: &Demo) -> Result<String> {
    let run = demo.latest_ref()?;
    let directory = demo.directory.display().to_string();
    let mut text =
        String::from("\n# Every run is a commit that plain git can read, keep and push. Go on there:\n\n");
    text += &format!("  cd {}\n", shell_words::quote(&directory));
    if let Some(folder) = demo.missing_from_path() {
        let folder = folder.display().to_string();
        text += &format!("  export PATH={}:\"$PATH\"\n", shell_words::quote(&folder));
    }
    text += "  git xtrack show small-batch\n";
    text += &format!("  git show {run}:run.toml\n  git log -p {run}\n");
    text += "  git push REMOTE 'refs/runs/*'\n";
    text += "  git xtrack help\n";
    Ok(text)
}
