//! Completion: what may come next on a command line, for bash, zsh and fish.
//!
//! The shells' scripts are small and ask the program itself ([`complete`]), so that runs, metrics and experiments
//! complete as they now are. Whatever goes wrong, nothing is offered and nothing is said: a person is typing.

mod candidates;
mod line;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap_complete::engine::{self, CompletionCandidate};

use crate::cli::definition;
use crate::run::id::is_deceptive;

/// The script of bash.
pub const BASH: &str = include_str!("git-xtrack.bash");
/// The script of zsh.
pub const ZSH: &str = include_str!("git-xtrack.zsh");
/// The script of fish.
pub const FISH: &str = include_str!("git-xtrack.fish");

/// How long anybody waits for a completion. What takes longer offers nothing.
const PATIENCE: Duration = Duration::from_millis(1500);

/// What may come next, and a word on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The whole word, as the program is to get it.
    pub word: String,
    /// What it is.
    pub about: String,
}

impl Candidate {
    /// A line for the shells that show what a word is.
    pub fn line(&self) -> String {
        format!("{}\t{}\n", self.word, self.about)
    }
}

/// What may stand in the place of the last of the words, which is empty where nothing is typed yet.
pub fn complete(directory: PathBuf, words: Vec<OsString>) -> Vec<Candidate> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(candidates(directory, words)));
    receiver.recv_timeout(PATIENCE).unwrap_or_default()
}

/// What bash is to put in the place of what it takes for the word: `line` is what is typed of the command line, and
/// `word` what bash has cut off its end.
pub fn complete_bash(directory: PathBuf, line: &str, word: &str) -> Vec<String> {
    let typed = line::Line::read(line);
    let candidates = complete(directory, typed.words.iter().map(OsString::from).collect());
    candidates.iter().filter_map(|candidate| typed.replacement(&candidate.word, word)).collect()
}

fn candidates(directory: PathBuf, words: Vec<OsString>) -> Vec<Candidate> {
    let words = line::of_program(words);
    let directory = line::directory(directory, &words);
    let current = words.last().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let mut command = candidates::attach(definition(), &directory);
    let index = words.len().saturating_sub(1);
    let found = engine::complete(&mut command, words, index, Some(&directory)).unwrap_or_default();
    let mut found: Vec<Candidate> = found.iter().filter_map(candidate).collect();
    // Options are offered to who begins one, or where there is nothing else.
    if !current.starts_with('-') && found.iter().any(|one| !one.word.starts_with('-')) {
        found.retain(|one| !one.word.starts_with('-'));
    }
    found
}

/// The candidate, unless it holds what a terminal would act on.
fn candidate(found: &CompletionCandidate) -> Option<Candidate> {
    let word = found.get_value().to_str().filter(|word| !word.contains(is_deceptive))?;
    let about = found.get_help().map(|help| help.to_string()).unwrap_or_default();
    let about = about.lines().next().unwrap_or_default().replace(is_deceptive, " ");
    Some(Candidate { word: word.to_owned(), about })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_offered_that_a_terminal_would_act_on() {
        let offered =
            |word: &str| candidate(&CompletionCandidate::new(word).help(Some("a\tb\u{202e}c\nd".into())));
        assert_eq!(offered("a\u{1b}[2J"), None);
        assert_eq!(offered("a\nb"), None);
        assert_eq!(offered("a\u{202e}b"), None);
        assert_eq!(offered("a b").map(|one| one.line()), Some("a b\ta b c\n".to_owned()));
    }
}
