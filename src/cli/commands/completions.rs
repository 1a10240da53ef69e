//! `git xtrack completions`: a shell's completion script on stdout.

use std::process::ExitCode;

use anyhow::Result;
use clap_complete::Shell;

use crate::cli::{Session, definition, reference};

/// Print the completion script of a shell
///
/// `git xtrack man --install` puts the scripts of bash, zsh and fish where these shells look for them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  source <(git xtrack completions bash)     in this shell, for `git xtrack` and `git-xtrack`")]
pub struct Args {
    /// Which shell's
    shell: Shell,
}

/// Prints the script.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    session.out(&reference::completions(args.shell, definition())?)?;
    Ok(ExitCode::SUCCESS)
}
