//! Which runs there are, ours and those fetched from remotes, where their refs point; and how it is told at little cost
//! that none has moved.
//!
//! Whoever moves a ref that is a file renames it into its folder, and so touches that folder; whoever packs refs replaces
//! `packed-refs`. The stamps of those few files and folders therefore tell whether any ref moved, once they are old
//! enough that nothing can still happen within the same tick of the clock. With reftable it is the list of its tables,
//! each of which has a name of its own.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};
use gix::bstr::{BString, ByteSlice as _};

use crate::run::id::RunId;
use crate::store::platform::Stamp;
use crate::store::refs::CODE_PREFIX;
use crate::store::{Moved, Oid, Store, count, failed, object_id};

/// Below this lie the refs that were fetched from remotes: `<remote>/runs/<id>`, or `<remote>/<id>`.
const REMOTES: &str = "refs/xtrack/remotes/";
/// How deep folders of remotes are looked into: a remote's name may hold slashes.
const DEPTH_MAX: usize = 8;
/// What stands in place of a stamp that says nothing yet.
const YOUNG: &str = "?";
/// What stands for a file or folder that is not there.
const ABSENT: &str = "-";

/// A ref that names a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunRef {
    /// The run.
    pub id: RunId,
    /// Empty if it is ours; else where below the refs of remotes it lies, `origin/runs`.
    pub place: String,
    /// What it points at.
    pub tip: Oid,
}

/// What a ref's name says that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// The tip of a run of ours.
    Run(RunId),
    /// The tip of a run as it was fetched.
    Tracked {
        /// From which remote.
        remote: String,
        /// Which.
        id: RunId,
    },
    /// It keeps a code state.
    Code(Oid),
    /// It keeps what an operation dropped.
    Undo,
    /// Something else.
    Other,
}

/// A run, by the one of its refs that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunTip {
    /// The run.
    pub id: RunId,
    /// Where its record chain ends.
    pub tip: Oid,
    /// The remote it was fetched from, if we have none of our own.
    pub remote: Option<String>,
}

/// How the refs of runs stand, compared with how they once stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// None has moved.
    Same,
    /// Some that are files of their own may have moved.
    LooseMoved,
    /// Any may have moved.
    Moved,
}

/// The refs of runs that are files, or all of them where none is.
#[derive(Debug, Default)]
pub struct LooseRuns {
    /// In no order.
    pub refs: Vec<RunRef>,
    /// Whether some could not be read: then they must be looked at again each time.
    pub is_partial: bool,
}

/// The remote that refs at a place were fetched from; none for ours.
pub fn remote_of(place: &str) -> Option<&str> {
    (!place.is_empty()).then(|| place.strip_suffix("/runs").unwrap_or(place))
}

/// Of all refs of each run the one that counts, sorted by run: ours, else that of the first remote.
pub fn effective(mut refs: Vec<RunRef>) -> Vec<RunTip> {
    refs.sort();
    refs.dedup_by(|later, first| later.id == first.id);
    let tip = |found: RunRef| RunTip {
        remote: remote_of(&found.place).map(str::to_owned),
        id: found.id,
        tip: found.tip,
    };
    refs.into_iter().map(tip).collect()
}

/// A run that a remote has otherwise than we do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// The run.
    pub id: RunId,
    /// Where our chain of it ends.
    pub tip: Oid,
    /// The remote.
    pub remote: String,
    /// Where its chain ended when it was last fetched.
    pub remote_tip: Oid,
}

/// Of all refs of runs those that differ from ours.
pub fn strays(mut refs: Vec<RunRef>) -> Vec<Stray> {
    refs.sort();
    let mut found = Vec::new();
    let mut ours: Option<RunRef> = None;
    for one in refs {
        let known = ours.as_ref().filter(|ours| ours.id == one.id);
        match (remote_of(&one.place), known) {
            (None, _) => ours = Some(one),
            (Some(remote), Some(known)) if known.tip != one.tip => found.push(Stray {
                tip: known.tip.clone(),
                remote: remote.to_owned(),
                id: one.id.clone(),
                remote_tip: one.tip,
            }),
            _ => {}
        }
    }
    found
}

impl Store {
    /// Below which prefix the refs of our runs lie.
    pub fn runs_prefix(&self) -> &str {
        &self.runs_prefix
    }

    /// Every run, ours or fetched, sorted by id.
    pub fn run_tips(&self) -> Result<Vec<RunTip>> {
        Ok(effective(self.run_refs()?))
    }

    /// Every ref of a run, in no order.
    pub fn run_refs(&self) -> Result<Vec<RunRef>> {
        // Loose first, so that a ref that is packed meanwhile is not missed.
        let mut refs = self.loose_runs()?.refs;
        let loose: HashSet<(RunId, String)> =
            refs.iter().map(|found| (found.id.clone(), found.place.clone())).collect();
        let packed = self.packed_runs()?.into_iter();
        refs.extend(packed.filter(|found| !loose.contains(&(found.id.clone(), found.place.clone()))));
        Ok(refs)
    }

    /// The tip of a run that is not ours, and the remote it was fetched from.
    pub fn fetched_tip(&self, id: &RunId) -> Result<Option<(Oid, String)>> {
        let fetched = self.run_refs()?.into_iter().filter(|found| found.id == *id && !found.place.is_empty());
        Ok(fetched.min().map(|found| {
            let remote = remote_of(&found.place).unwrap_or_default().to_owned();
            (found.tip, remote)
        }))
    }

    /// Makes a run that was fetched one of ours, as it was fetched; whether there is such a one.
    pub fn take_fetched(&self, id: &RunId) -> Result<bool> {
        let Some((tip, _)) = self.fetched_tip(id)? else { return Ok(false) };
        match self.update_ref(&self.run_ref(id), None, object_id(self, &tip)?) {
            // Another process was faster.
            Err(error) if error.is::<Moved>() => Ok(true),
            taken => taken.map(|()| true),
        }
    }

    /// How the refs stand, to be kept and given to [`Store::moved_since`]. Taken before they are read, it never hides a
    /// move.
    pub fn standing(&self) -> String {
        if self.is_reftable {
            return format!("reftable\n{}", self.tables().unwrap_or_else(|| YOUNG.to_owned()));
        }
        let mut standing = format!("packed-refs {}\n", word(&self.common_dir.join("packed-refs")));
        for folder in self.run_folders() {
            let _ = writeln!(standing, "{folder} {}", word(&self.common_dir.join(&folder)));
        }
        standing
    }

    /// Which refs may have moved since they stood so.
    pub fn moved_since(&self, standing: &str) -> Standing {
        if let Some(tables) = standing.strip_prefix("reftable\n") {
            let is_same = self.is_reftable && self.tables().is_some_and(|now| now == tables);
            return if is_same { Standing::Same } else { Standing::Moved };
        }
        let mut moved = Standing::Same;
        let mut lines = standing.lines().filter_map(|line| line.rsplit_once(' '));
        let is_same = |name: &str, known: &str| {
            known != YOUNG && written(Stamp::of(&self.common_dir.join(name))) == known
        };
        match lines.next() {
            Some(("packed-refs", known)) if !self.is_reftable => {
                if !is_same("packed-refs", known) {
                    return Standing::Moved;
                }
            }
            _ => return Standing::Moved,
        }
        for (folder, known) in lines {
            if !is_same(folder, known) {
                moved = Standing::LooseMoved;
            }
        }
        moved
    }

    /// The refs of runs that are files of their own; with reftable, all.
    pub fn loose_runs(&self) -> Result<LooseRuns> {
        let mut found = LooseRuns::default();
        if self.is_reftable {
            found.refs = self.runs_by_git()?;
            return Ok(found);
        }
        for folder in self.run_folders() {
            self.loose_in(&folder, &mut found)?;
        }
        count::refs(found.refs.len());
        Ok(found)
    }

    /// The refs of runs in `packed-refs`.
    pub fn packed_runs(&self) -> Result<Vec<RunRef>> {
        if self.is_reftable {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        self.with_packed_refs(|packed| {
            for prefix in [self.runs_prefix.as_str(), REMOTES] {
                let refs = packed.iter_prefixed(BString::from(prefix));
                for packed in refs.map_err(|error| failed("cannot read packed-refs", error))? {
                    let packed = packed.map_err(|error| failed("cannot read packed-refs", error))?;
                    let name = packed.name.as_bstr().to_str().ok();
                    if let Some((id, place)) = name.and_then(|name| self.parse_run_ref(name)) {
                        found.push(RunRef { id, place, tip: packed.target().to_string() });
                    }
                }
            }
            Ok(())
        })?;
        count::refs(found.len());
        Ok(found)
    }

    fn runs_by_git(&self) -> Result<Vec<RunRef>> {
        let mut found = Vec::new();
        for prefix in [self.runs_prefix.as_str(), REMOTES] {
            for (rest, tip) in self.refs_by_git(prefix)? {
                if let Some((id, place)) = self.parse_run_ref(&format!("{prefix}{rest}")) {
                    found.push(RunRef { id, place, tip });
                }
            }
        }
        count::refs(found.len());
        Ok(found)
    }

    /// The run that a ref's whole name names, and its place.
    fn parse_run_ref(&self, name: &str) -> Option<(RunId, String)> {
        if let Some(id) = name.strip_prefix(&self.runs_prefix).and_then(RunId::parse) {
            return Some((id, String::new()));
        }
        let (place, id) = name.strip_prefix(REMOTES)?.rsplit_once('/')?;
        RunId::parse(id).map(|id| (id, place.to_owned()))
    }

    /// The whole name of a run's ref.
    pub fn ref_name_of(&self, found: &RunRef) -> String {
        match found.place.is_empty() {
            true => self.run_ref(&found.id),
            false => format!("{REMOTES}{}/{}", found.place, found.id),
        }
    }

    /// What a ref is for.
    pub fn purpose_of(&self, name: &str) -> Purpose {
        if Self::is_undo_ref(name) {
            return Purpose::Undo;
        }
        if let Some(commit) = name.strip_prefix(CODE_PREFIX) {
            return Purpose::Code(commit.to_owned());
        }
        match self.parse_run_ref(name) {
            Some((id, place)) => match remote_of(&place) {
                Some(remote) => Purpose::Tracked { remote: remote.to_owned(), id },
                None => Purpose::Run(id),
            },
            None => Purpose::Other,
        }
    }

    /// The folders that loose refs of runs may lie in, from the common git folder; there or not.
    fn run_folders(&self) -> Vec<String> {
        let mut folders = vec![self.runs_prefix.trim_end_matches('/').to_owned()];
        let mut open = vec![(REMOTES.trim_end_matches('/').to_owned(), 0)];
        while let Some((folder, depth)) = open.pop() {
            if depth < DEPTH_MAX {
                let entries = fs::read_dir(self.common_dir.join(&folder)).into_iter().flatten().flatten();
                let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
                let names =
                    entries.filter(is_folder).filter_map(|entry| entry.file_name().into_string().ok());
                open.extend(names.map(|name| (format!("{folder}/{name}"), depth + 1)));
            }
            folders.push(folder);
        }
        folders
    }

    fn loose_in(&self, folder: &str, found: &mut LooseRuns) -> Result<()> {
        let path = self.common_dir.join(folder);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(());
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read '{}'", path.display())),
        };
        for entry in entries {
            let name = entry?.file_name();
            let full = name.to_str().map(|name| format!("{folder}/{name}"));
            let Some((full, (id, place))) =
                full.and_then(|full| Some((full.clone(), self.parse_run_ref(&full)?)))
            else {
                continue;
            };
            match self.loose_tip(&full) {
                Ok(Some(tip)) => found.refs.push(RunRef { id, place, tip: tip.to_string() }),
                // Packed meanwhile, or deleted.
                Ok(None) => {}
                Err(error) => {
                    self.warn(format!("{error:#}"));
                    found.is_partial = true;
                }
            }
        }
        Ok(())
    }

    /// The list of tables; each has a name that no other ever had.
    fn tables(&self) -> Option<String> {
        fs::read_to_string(self.common_dir.join("reftable/tables.list")).ok()
    }
}

/// The same standing, but for the refs that are files, which are to be looked at again.
pub fn doubt_loose(standing: &str) -> String {
    let doubt = |line: &str| match line.rsplit_once(' ') {
        Some((folder, _)) if folder != "packed-refs" => format!("{folder} {YOUNG}\n"),
        _ => format!("{line}\n"),
    };
    if standing.starts_with("reftable\n") { String::new() } else { standing.lines().map(doubt).collect() }
}

/// The stamp of a file or folder as a word, if it says anything yet.
fn word(path: &Path) -> String {
    match Stamp::of(path) {
        Some(stamp) if stamp.is_young() => YOUNG.to_owned(),
        stamp => written(stamp),
    }
}

fn written(stamp: Option<Stamp>) -> String {
    stamp.map_or_else(|| ABSENT.to_owned(), |stamp| stamp.to_string())
}
