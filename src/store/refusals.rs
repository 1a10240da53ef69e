//! Tips from elsewhere that were found unusable: remembered, so that they are not fetched again each time.
//!
//! An id stands for all that a tip holds, so that what is wrong with it stays wrong; another version of this program looks
//! again. Nothing is lost with the file but a fetch.

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

/// By run and tip: why it cannot be used.
pub type Refusals = HashMap<(RunId, Oid), String>;

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

    /// Remembers that a tip cannot be used as this run's. That it cannot be noted is no harm.
    pub fn remember_refusal(&self, id: &RunId, tip: &Oid, reason: &str) {
        let path = self.refusals_path();
        let is_full = fs::metadata(&path).is_ok_and(|file| file.len() > SIZE_MAX);
        let reason: String =
            reason.chars().take(500).map(|each| if each.is_control() { ' ' } else { each }).collect();
        let line = format!("{VERSION}\t{id}\t{tip}\t{reason}\n");
        let opened =
            OpenOptions::new().create(true).append(!is_full).write(true).truncate(is_full).open(&path);
        if opened.and_then(|mut file| file.write_all(line.as_bytes())).is_ok() {
            let _ = self.sharing.apply(&path);
        }
    }

    fn refusal(&self, line: &str) -> Option<((RunId, Oid), String)> {
        let mut parts = line.splitn(4, '\t');
        let (version, id, tip, reason) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_known = version == VERSION && self.is_oid(tip);
        Some(((RunId::parse(id).filter(|_| is_known)?, tip.to_owned()), reason.to_owned()))
    }

    fn refusals_path(&self) -> PathBuf {
        self.state_dir().join("refused")
    }
}
