//! What every store of artifact bytes does: it says what it has, takes bytes, and gives them back.
//!
//! A store is asked and told from several threads at once, and blocks. It neither tries again nor believes what it gives:
//! that is `transfer`'s.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::artifact::content::{Content, Tally};

/// A place outside of this clone where artifact bytes lie by their sha256.
pub trait ArtifactStore: Send + Sync {
    /// What it is called, without credentials.
    fn shown(&self) -> String;

    /// What it has of these, one answer each, in their order. Why it is asked decides whom it asks for leave.
    fn look(&self, contents: &[Content], purpose: Purpose) -> Result<Vec<Presence>>;

    /// Takes a file's bytes, which are visible there only once they are whole and what their name says.
    fn send(&self, content: &Content, file: &Path, tally: &Tally) -> Result<()>;

    /// Gives the bytes from `offset` on, or from an earlier byte if it cannot begin there.
    fn open(&self, content: &Content, offset: u64) -> Result<Body>;

    /// How long it is waited for: until it says or takes more, and at most before it is tried again.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// Makes ready to take so many bytes, or refuses where it can be seen that there is no room for them.
    fn prepare(&self, _: u64) -> Result<()> {
        Ok(())
    }
}

/// Why a store is asked what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To send what it lacks.
    Send,
    /// To take what it has.
    Take,
}

/// What a store says that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// Bytes of that name and size.
    There,
    /// Nothing of that name.
    Absent,
    /// It cannot give or take them, for this reason.
    Refused(String),
}

/// The bytes that a store gives, as they come.
pub struct Body {
    /// Which byte is the first.
    pub offset: u64,
    /// Where they come from.
    pub reader: Box<dyn Read>,
}

/// Who may come in, as git knows it.
pub trait Credentials: Send + Sync {
    /// A name and a password for an address, if there is one.
    fn fill(&self, address: &str) -> Result<Option<(String, String)>>;

    /// Is told whether they were taken.
    fn judge(&self, address: &str, login: &(String, String), is_good: bool);

    /// Git's own settings `http.*` that hold for an address.
    fn settings(&self, address: &str) -> Settings;
}

/// Settings of one section of git's, by their last word in lower case.
pub type Settings = BTreeMap<String, String>;

/// A failure that the next try may mend: the connection broke, or the other side is busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passing {
    /// How long the other side asks to wait.
    pub after: Option<Duration>,
}

impl std::fmt::Display for Passing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("it did not work just now")
    }
}

impl std::error::Error for Passing {}
