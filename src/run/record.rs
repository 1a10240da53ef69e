//! The record: the files of one run, and which path may hold what.
//!
//! Knows every path of the layout and its kind; not what the bytes say, nor where they come from.

use std::collections::BTreeMap;

use crate::error::Problem;
use crate::run::id::{AttemptId, EditId, is_hex};

/// The files of a run's record: path to bytes.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Where the first attempt's facts lie.
pub const RUN: &str = "run.toml";
/// Where the first attempt's environment lies.
pub const ENVIRONMENT: &str = "environment.toml";
/// What stands alone in the record of a purged run.
pub const TOMBSTONE: &str = "tombstone.toml";

/// What a path of the record holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `run.toml`: the first attempt's facts, or a keyed run's identity.
    Run,
    /// `attempts/<aid>.toml`.
    Attempt(AttemptId),
    /// `environment.toml`, `attempts/<aid>.environment.toml`.
    Environment(Option<AttemptId>),
    /// A segment of a series.
    Metrics,
    /// A segment of events.
    Events,
    /// The pointers that an attempt's facts name; the digest of them is in the facts.
    AttemptArtifacts(AttemptId),
    /// The pointers that an edit names.
    EditArtifacts(EditId),
    /// The bytes of a small artifact.
    Inline,
    /// The first bytes of the console.
    ConsoleHead,
    /// The last bytes of the console.
    ConsoleTail,
    /// An edit.
    Edit(EditId),
    /// The tombstone of a purged run.
    Tombstone,
    /// The losing side of two different blobs for one path.
    Disputed {
        /// The sha256 of its bytes.
        sha256: String,
        /// The path both were for.
        path: String,
    },
}

/// How the blobs of one path may differ between honest copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Facts: replaced by a higher revision.
    Revised,
    /// Only appended to.
    Growing,
    /// Never another.
    Once,
}

impl Place {
    /// Reads a path; what is not of the layout is refused.
    pub fn parse(path: &str) -> Result<Self, Problem> {
        place(path)
            .ok_or_else(|| Problem::new(format!("holds the path {path:?}, which is not of the layout")))
    }

    /// How its blobs may differ.
    pub fn change(&self) -> Change {
        match self {
            Place::Run | Place::Attempt(_) => Change::Revised,
            Place::Metrics | Place::Events | Place::ConsoleHead => Change::Growing,
            _ => Change::Once,
        }
    }
}

/// The path of an edit.
pub fn edit_path(id: &EditId) -> String {
    format!("edits/{id}.toml")
}

fn place(path: &str) -> Option<Place> {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        [RUN] => Some(Place::Run),
        [ENVIRONMENT] => Some(Place::Environment(None)),
        [TOMBSTONE] => Some(Place::Tombstone),
        ["attempts", name] => match name.strip_suffix(".environment.toml") {
            Some(id) => AttemptId::parse(id).map(|id| Place::Environment(Some(id))),
            None => AttemptId::parse(name.strip_suffix(".toml")?).map(Place::Attempt),
        },
        ["metrics", name] => is_segment(name.strip_suffix(".tsv")?, true).then_some(Place::Metrics),
        ["events", name] => is_segment(name.strip_suffix(".jsonl")?, false).then_some(Place::Events),
        ["artifacts", name] => pointers(name.strip_suffix(".toml")?),
        ["artifacts", owner, name] => (is_owner(owner) && is_inline(name)).then_some(Place::Inline),
        ["console", name] => console(name.strip_suffix(".log")?),
        ["edits", name] => EditId::parse(name.strip_suffix(".toml")?).map(Place::Edit),
        ["disputed", sha256, rest @ ..] => disputed(sha256, &rest.join("/")),
        _ => None,
    }
}

fn disputed(sha256: &str, path: &str) -> Option<Place> {
    let inner = place(path)?;
    let allowed = is_hex(sha256, 64) && !matches!(inner, Place::Disputed { .. } | Place::Tombstone);
    allowed.then(|| Place::Disputed { sha256: sha256.to_owned(), path: path.to_owned() })
}

/// `<aid>-<revision>` or `<edit id>`.
fn pointers(name: &str) -> Option<Place> {
    if let Some(id) = EditId::parse(name) {
        return Some(Place::EditArtifacts(id));
    }
    let (attempt, revision) = name.split_once('-')?;
    is_number(revision).then_some(())?;
    AttemptId::parse(attempt).map(Place::AttemptArtifacts)
}

/// `<aid>-<writer>-<table>-<segment>`, or without the table; `…-sampled-<revision>` for a series.
fn is_segment(name: &str, has_table: bool) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let digits =
        |text: &str, width: usize| text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
    match parts.as_slice() {
        [attempt, writer, table, "sampled", revision] if has_table => {
            AttemptId::parse(attempt).is_some()
                && is_number(writer)
                && digits(table, 2)
                && is_number(revision)
        }
        [attempt, writer, table, segment] if has_table => {
            AttemptId::parse(attempt).is_some() && is_number(writer) && digits(table, 2) && digits(segment, 4)
        }
        [attempt, writer, segment] if !has_table => {
            AttemptId::parse(attempt).is_some() && is_number(writer) && digits(segment, 4)
        }
        _ => false,
    }
}

fn console(name: &str) -> Option<Place> {
    let (attempt, rest) = name.split_once('-')?;
    AttemptId::parse(attempt)?;
    match rest.strip_prefix("tail-") {
        Some(revision) => is_number(revision).then_some(Place::ConsoleTail),
        None => (rest == "head").then_some(Place::ConsoleHead),
    }
}

fn is_owner(owner: &str) -> bool {
    AttemptId::parse(owner).is_some() || EditId::parse(owner).is_some()
}

/// `<16 hex>-<slug>`.
fn is_inline(name: &str) -> bool {
    let Some((digest, slug)) = name.split_once('-') else {
        return false;
    };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    is_hex(digest, 16)
        && !slug.is_empty()
        && slug.len() <= 60
        && slug.bytes().all(plain)
        && !slug.ends_with('.')
}

/// A number without padding.
fn is_number(text: &str) -> bool {
    text == "0"
        || (!text.starts_with('0')
            && !text.is_empty()
            && text.len() < 19
            && text.bytes().all(|byte| byte.is_ascii_digit()))
}
