//! What a failure says: the message at its cause, and the hints that tell what to do next.
//!
//! Knows nothing of exit codes or terminals; `cli` prints what [`describe`] returns.

use std::fmt;

/// A failure whose cause is known well enough to say what to do next.
///
/// It travels inside `anyhow::Error`; context is added around it by callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What happened, to what: lower case, no full stop, subjects in 'single quotes'.
    pub message: String,
    /// What it is about, line by line as it is shown under the message: a question, and marks under a word of it.
    pub excerpt: Vec<String>,
    /// What the person can do next, one sentence each.
    pub hints: Vec<String>,
    /// Which sort of failure it is, where a caller or the exit code depends on it.
    pub kind: Kind,
}

/// The sorts of failure that callers and exit codes tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Anything that went wrong while doing what was asked.
    #[default]
    Failed,
    /// What was asked cannot be meant: a bad value, an unknown name, an ambiguous run.
    Usage,
    /// There is no repository here, or it cannot be opened.
    NoRepository,
    /// No run has that name.
    NotFound,
    /// Something that is named is not here.
    Absent,
}

impl Problem {
    /// A failure with a message and no hint yet.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), excerpt: Vec::new(), hints: Vec::new(), kind: Kind::Failed }
    }

    /// A failure of what was asked, rather than of doing it.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, ..Self::new(message) }
    }

    /// The same failure, told apart as `kind`.
    pub fn of(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

/// The beginning of `text`, fit for a message.
pub fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The sort of failure `error` is, from the first [`Problem`] in its chain.
pub fn kind(error: &anyhow::Error) -> Kind {
    problem(error).map_or(Kind::Failed, |problem| problem.kind)
}

/// The lines that tell a person about `error`: `outer: inner`, then its hints.
pub fn describe(error: &anyhow::Error) -> (String, Vec<String>) {
    let hints = problem(error).map(|problem| problem.hints.clone()).unwrap_or_default();
    (format!("{error:#}"), hints)
}

/// The lines that [`Problem::excerpt`] shows under the message.
pub fn excerpt(error: &anyhow::Error) -> &[String] {
    problem(error).map_or(&[], |problem| &problem.excerpt)
}

fn problem(error: &anyhow::Error) -> Option<&Problem> {
    error.chain().find_map(|cause| cause.downcast_ref::<Problem>())
}
