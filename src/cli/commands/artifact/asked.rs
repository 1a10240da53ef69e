//! What several commands of `artifact` are asked in the same words: which artifacts, and how it is told.

use crate::cli::choice::Choice;
use crate::cli::form::Form;

/// What is asked of a command that moves bytes.
#[derive(clap::Args)]
pub(super) struct Moving {
    #[command(flatten)]
    pub choice: Choice,

    /// Only say what would be done
    #[arg(long, short = 'n')]
    pub dry_run: bool,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What is asked of a command that looks where bytes are, and how they are.
#[derive(clap::Args)]
pub(super) struct Looking {
    #[command(flatten)]
    pub choice: Choice,

    /// Look in the store, too
    #[arg(long)]
    pub remote: bool,

    #[command(flatten)]
    pub form: Form,
}
