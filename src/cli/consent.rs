//! Whether what cannot be taken back is done: only looked at, asked about, or agreed to beforehand.

use anyhow::Result;

use crate::cli::Session;

/// The options of commands that take something away for good.
#[derive(clap::Args, Default, Debug, Clone)]
pub struct Consent {
    /// Only say what would go
    #[arg(long, short = 'n')]
    pub dry_run: bool,

    /// Answer yes to what would be asked
    #[arg(long, short = 'y')]
    pub yes: bool,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl Consent {
    /// Whether it is to be done: agreed to beforehand, or now; where nobody can answer, it is refused.
    pub fn is_given(&self, session: &Session, question: &str) -> Result<bool> {
        Ok(self.yes || session.confirm(question)?)
    }
}
