//! `git xtrack complete`: what may come next on a command line, for the shells' scripts.
//!
//! Not for people: it is not listed, never fails and says nothing on stderr.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::{Session, completion};

/// Print what may stand in the place of the last word
#[derive(clap::Args)]
pub struct Args {
    /// For bash: what is typed before the cursor
    #[arg(long, requires = "word", allow_hyphen_values = true)]
    line: Option<String>,

    /// For bash: the word that it has cut off the line's end
    #[arg(long, allow_hyphen_values = true)]
    word: Option<String>,

    /// For the other shells: the words, that of the program first
    #[arg(last = true)]
    words: Vec<OsString>,
}

/// Prints the candidates, a line each.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let directory = std::path::absolute(&session.directory).unwrap_or_else(|_| session.directory.clone());
    let lines: Vec<String> = match (&args.line, &args.word) {
        (Some(line), Some(word)) => {
            let words = completion::complete_bash(directory, line, word);
            words.iter().map(|word| format!("{word}\n")).collect()
        }
        _ => completion::complete(directory, args.words).iter().map(completion::Candidate::line).collect(),
    };
    // The shell may have gone on.
    let _ = session.out(&lines.concat());
    Ok(ExitCode::SUCCESS)
}
