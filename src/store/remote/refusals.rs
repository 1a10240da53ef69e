//! Tips from elsewhere that could not be used: remembered, so that they are not fetched again each time, and do not hold up others.
//!
//! An id stands for all that a tip holds, so that what is wrong with it stays wrong; another version of this program looks again.
//! What a remote could not give is tried again, after the others. Nothing is lost with the file but fetches.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use crate::run::id::RunId;
use crate::store::{Oid, Store};

/// How large the file may become before it is begun anew.
const SIZE_MAX: u64 = 1 << 20;
/// Who found it: other versions may see it otherwise.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What stands before one that may be had another time.
const DOUBTFUL: char = '?';

/// By run and tip: why it could not be used.
pub type Refusals = HashMap<(RunId, Oid), Refusal>;

/// Why a tip could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In words.
    pub reason: String,
    /// Whether it will be the same another time.
    pub is_lasting: bool,
}

impl Store {
    /// What is remembered.
    pub fn refusals(&self) -> Refusals {
        let mut text = String::new();
        let read =
            File::open(self.refusals_path()).map(|file| file.take(2 * SIZE_MAX).read_to_string(&mut text));
        match read {
            Ok(Ok(_)) => text.lines().filter_map(|line| self.refusal(line)).collect(),
            _ => Refusals::new(),
        }
    }

    /// Remembers that a tip could not be used as this run's. That it cannot be noted is no harm.
    pub fn remember_refusal(&self, id: &RunId, tip: &Oid, refusal: &Refusal) {
        let path = self.refusals_path();
        let is_full = fs::metadata(&path).is_ok_and(|file| file.len() > SIZE_MAX);
        let plain = |each: char| if each.is_control() { ' ' } else { each };
        let reason: String = refusal.reason.chars().take(500).map(plain).collect();
        let doubt = if refusal.is_lasting { String::new() } else { DOUBTFUL.to_string() };
        let line = format!("{doubt}{VERSION}\t{id}\t{tip}\t{reason}\n");
        let opened =
            OpenOptions::new().create(true).append(!is_full).write(true).truncate(is_full).open(&path);
        if opened.and_then(|mut file| file.write_all(line.as_bytes())).is_ok() {
            let _ = self.sharing.apply(&path);
        }
    }

    fn refusal(&self, line: &str) -> Option<((RunId, Oid), Refusal)> {
        let mut parts = line.splitn(4, '\t');
        let (judge, id, tip, reason) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let sure = judge.strip_prefix(DOUBTFUL);
        let is_known = sure.unwrap_or(judge) == VERSION && self.is_oid(tip);
        let refusal = Refusal { reason: reason.to_owned(), is_lasting: sure.is_none() };
        Some(((RunId::parse(id).filter(|_| is_known)?, tip.to_owned()), refusal))
    }

    fn refusals_path(&self) -> PathBuf {
        self.state_dir().join("refused")
    }
}
