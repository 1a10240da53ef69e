//! Objects from a remote: they come into quarantine, are checked by git, and are let in once they are found good.
//!
//! Knows packs and objects; whether a record is one is decided above.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use gix::ObjectId;

use crate::human;
use crate::store::bases::Bases;
use crate::store::platform::{sync_dir, sync_file};
use crate::store::remote::Remote;
use crate::store::remote::quarantine::{LEFT_OVER_AGE, Quarantine, files_in};
use crate::store::remote::transport::Talk;
use crate::store::remote::unsound::Unsound;
use crate::store::{Oid, Store, object_id, output_with_input};

/// How many fetches are made to find out which of many runs a remote cannot give.
const FETCHES_MAX: usize = 400;
/// How many of those that could not be had before.
const SUSPECT_FETCHES_MAX: usize = 16;
/// How many fetches may turn out to bring too much.
const OVERSIZED_MAX: usize = 24;
/// How many bytes are taken at a time, unless `xtrack.fetchMax` says otherwise.
const SIZE_MAX: u64 = 1 << 30;
/// How much memory git may ask for at once: a pack may claim any size.
const MEMORY_MAX: &str = "1g";
/// What a file says that keeps git's collector from a pack of ours.
const KEEP: &str = "git-xtrack: until refs name it\n";
/// Faults of old code that harm nobody, in the words of `git fsck`.
const HARMLESS: &[&str] =
    &["zeroPaddedFilemode", "missingSpaceBeforeDate", "badTimezone", "missingNameBeforeEmail", "badTagName"];

/// What is to be fetched.
pub struct Wanted<'a> {
    /// What the remote's refs point at.
    pub tips: &'a [Oid],
    /// More of the same, which could not be had before: they are not to hold up the others.
    pub suspects: &'a [Oid],
    /// Commits that are here already and from which those may descend.
    pub known: &'a [Oid],
    /// Whether it is code: its history is long, and its old faults are forgiven.
    pub is_code: bool,
}

/// What came, in quarantine until it is let in.
pub struct Arrival {
    quarantine: Quarantine,
    /// What was wanted and cannot be had.
    pub faults: Vec<Fault>,
    /// What git finds wrong with objects that came all the same.
    pub unsound: Unsound,
    /// Whether there may be more in quarantine than what was wanted.
    is_mixed: bool,
}

/// Something that was wanted and cannot be had.
#[derive(Debug, Clone)]
pub struct Fault {
    /// What was wanted.
    pub tip: Oid,
    /// Why it cannot be had.
    pub reason: String,
    /// Whether the remote was asked for it alone and could not give it; else nobody knows.
    pub is_doubtful: bool,
}

/// Keeps what was let in until refs name it: git's collector leaves it alone as long as this lives.
#[derive(Default)]
pub struct Kept {
    keeps: Vec<PathBuf>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.keeps.iter().for_each(|keep| drop(fs::remove_file(keep)));
    }
}

impl Store {
    /// Fetches into quarantine. What git finds faulty, what the remote cannot give, and what would be too much is refused
    /// one by one; an error only if nothing can be had.
    pub fn fetch(&self, remote: &Remote, wanted: &Wanted<'_>, talk: &Talk<'_>) -> Result<Arrival> {
        // History of code is deep, and shared: what is wrong with one state is wrong with all.
        let check = if wanted.is_code { Check::Always } else { Check::Coming };
        let mut fetching = Fetching::new(self, remote, wanted, talk, check)?;
        fetching.all()?;
        if fetching.check == Check::Afterwards {
            match fetching.arrival.quarantine.unsound(self, MEMORY_MAX) {
                Ok(unsound) => fetching.arrival.unsound = unsound,
                Err(_) => {
                    fetching = Fetching::new(self, remote, wanted, talk, Check::Always)?;
                    fetching.all()?;
                }
            }
        }
        Ok(fetching.arrival)
    }

    /// How many bytes a fetch takes.
    fn fetch_max(&self) -> u64 {
        let set = self.repository.config_snapshot().integer("xtrack.fetchMax");
        set.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0).unwrap_or(SIZE_MAX)
    }

    /// Lets in what is needed of what came: all of it, or only what the good tips need where something was refused.
    pub fn let_in(&self, arrival: &Arrival, good: &[Oid], all: bool) -> Result<Kept> {
        remove_left_over(&self.objects_dir().join("pack"));
        if good.is_empty() {
            return Ok(Kept::default());
        }
        if all && !arrival.is_mixed {
            return self.take_packs(&arrival.quarantine.packs());
        }
        let chosen = arrival.quarantine.folder().join("chosen");
        fs::create_dir_all(&chosen).with_context(|| format!("cannot make '{}'", chosen.display()))?;
        let mut git = self.git();
        arrival.quarantine.confine(&mut git);
        // Only what is not here yet: `--local` leaves out what alternates hold.
        git.args(["pack-objects", "--quiet", "--revs", "--local", "--delta-base-offset"]);
        git.arg(chosen.join("pack"));
        let lines: String = good.iter().map(|tip| format!("{tip}\n")).collect();
        output_with_input(&mut git, lines.as_bytes()).context("cannot take the good runs")?;
        self.take_packs(&chosen)
    }

    /// Moves the packs in a folder into the repository; when it returns they are on disk.
    fn take_packs(&self, from: &Path) -> Result<Kept> {
        let to = self.objects_dir().join("pack");
        let cannot = || format!("cannot write to '{}'", to.display());
        fs::create_dir_all(&to).with_context(cannot)?;
        let mut kept = Kept::default();
        let files: Vec<PathBuf> =
            fs::read_dir(from).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        let has = |path: &&PathBuf, extension: &str| path.extension() == Some(OsStr::new(extension));
        for pack in files.iter().filter(|path| has(path, "pack")) {
            let index = pack.with_extension("idx");
            let place = |path: &Path| to.join(path.file_name().unwrap_or_default());
            if !index.exists() || place(&index).exists() {
                continue;
            }
            let keep = place(&pack.with_extension("keep"));
            fs::write(&keep, KEEP).with_context(cannot)?;
            kept.keeps.push(keep);
            let is_part = |path: &&PathBuf| path.file_stem() == pack.file_stem();
            let mut parts: Vec<_> =
                files.iter().filter(is_part).filter(|path| !has(path, "keep") && !has(path, "idx")).collect();
            // Last: a pack is looked for by its index.
            parts.push(&index);
            for part in parts {
                sync_file(part).with_context(cannot)?;
                self.sharing.apply(part).with_context(cannot)?;
                fs::rename(part, place(part)).with_context(cannot)?;
            }
        }
        sync_dir(&to).with_context(cannot)?;
        Ok(kept)
    }

    /// The same repository with other objects: those in a folder that names this one's as its alternate.
    pub(in crate::store) fn with_objects(&self, objects: &Path) -> Result<Store> {
        let mut repository = self.repository.clone();
        let handle = gix::odb::at(objects, self.hash_kind()).context("cannot look at what came")?;
        repository.objects = gix::odb::memory::Proxy::new(handle, self.hash_kind());
        repository.objects.set_pack_cache(|| Box::new(Bases::default()));
        Ok(Store {
            repository,
            git_dir: self.git_dir.clone(),
            common_dir: self.common_dir.clone(),
            work_tree: self.work_tree.clone(),
            is_reftable: self.is_reftable,
            // Whatever is missing is not fetched to look at it.
            has_promisor: false,
            sharing: self.sharing,
            runs_prefix: self.runs_prefix.clone(),
            packed_refs: Default::default(),
            signer: None,
            warnings: Default::default(),
            current: Default::default(),
        })
    }

    /// Makes sure that refs keep these code states.
    pub fn keep_code_states(&self, commits: &[Oid]) -> Result<()> {
        for commit in commits {
            self.keep_code(object_id(self, commit)?)?;
        }
        Ok(())
    }

    /// Those of the objects that are not here.
    pub fn absent(&self, oids: &[Oid]) -> Vec<Oid> {
        let is_here =
            |oid: &Oid| ObjectId::from_hex(oid.as_bytes()).is_ok_and(|id| self.repository.has_object(id));
        oids.iter().filter(|oid| !is_here(oid)).cloned().collect()
    }
}

/// When git checks objects that come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    /// As they come; the first that is found unsound means that the others are looked at afterwards, all at once.
    Coming,
    /// As they come, whatever is found.
    Always,
    /// Once they lie in quarantine.
    Afterwards,
}

/// A fetch in progress: in as many parts as it takes until what cannot be had stands alone.
struct Fetching<'a> {
    store: &'a Store,
    remote: &'a Remote,
    wanted: &'a Wanted<'a>,
    talk: &'a Talk<'a>,
    arrival: Arrival,
    check: Check,
    size_max: u64,
    /// How many parts turned out to be too large.
    oversized: usize,
}

impl<'a> Fetching<'a> {
    fn new(
        store: &'a Store,
        remote: &'a Remote,
        wanted: &'a Wanted<'a>,
        talk: &'a Talk<'a>,
        check: Check,
    ) -> Result<Self> {
        let quarantine = Quarantine::new(store)?;
        if !wanted.is_code {
            let numbered = wanted.known.iter().enumerate();
            let known: Vec<_> =
                numbered.map(|(number, tip)| (format!("refs/known/{number}"), tip.clone())).collect();
            quarantine.become_repository(store, &known)?;
        }
        let arrival =
            Arrival { quarantine, faults: Vec::new(), unsound: Unsound::default(), is_mixed: false };
        Ok(Self { store, remote, wanted, talk, arrival, check, size_max: store.fetch_max(), oversized: 0 })
    }

    fn all(&mut self) -> Result<()> {
        self.group(self.wanted.tips, FETCHES_MAX)?;
        self.group(self.wanted.suspects, SUSPECT_FETCHES_MAX)
    }

    /// Fetches these, in at most so many parts.
    fn group(&mut self, tips: &[Oid], fetches_max: usize) -> Result<()> {
        let mut open = vec![tips.to_vec()];
        let mut fetches = 0;
        while let Some(tips) = open.pop().filter(|tips| !tips.is_empty()) {
            let left = self.size_max.saturating_sub(self.arrival.size());
            let is_full = left < self.size_max / 2 && self.oversized > 0;
            if self.oversized == OVERSIZED_MAX || is_full {
                let size = limit(self.size_max);
                let reason = format!("not fetched this time: all of it is more than {size}");
                self.arrival.refuse(tips, &reason, false);
                continue;
            }
            if fetches == fetches_max {
                self.arrival.refuse(tips, "not tried: too many others cannot be had", false);
                continue;
            }
            fetches += 1;
            let Err(error) = self.part(&tips, left) else { continue };
            let Some(faulty) = error.downcast_ref::<Faulty>() else { return Err(error) };
            match faulty {
                Faulty::Oversized => self.oversized += 1,
                Faulty::Unsound { .. } => self.arrival.is_mixed = true,
            }
            match (tips.len(), faulty) {
                // The same once more, to find all that is wrong, however much that is, and with what: a pack may hold more than
                // was asked for.
                (_, Faulty::Unsound { is_by_check: true, .. }) if self.check == Check::Coming => {
                    self.check = Check::Afterwards;
                    open.push(tips);
                }
                // Some of them are good: each half by itself, until the faulty ones stand alone.
                (2.., _) => open.extend(tips.chunks(tips.len().div_ceil(2)).map(<[Oid]>::to_vec).rev()),
                (_, Faulty::Oversized) => {
                    self.arrival.refuse(tips, &format!("it is larger than {}", limit(left)), false);
                }
                (_, Faulty::Unsound { what, .. }) => self.arrival.refuse(tips, what, true),
            }
        }
        Ok(())
    }

    /// One fetch, of at most so many bytes.
    fn part(&self, tips: &[Oid], size_max: u64) -> Result<()> {
        let (remote, is_code, quarantine) = (self.remote, self.wanted.is_code, &self.arrival.quarantine);
        let mut git = self.store.git();
        if !is_code {
            quarantine.enter(self.store, &mut git);
            git.env("GIT_ALLOC_LIMIT", MEMORY_MAX);
        }
        quarantine.confine(&mut git);
        let is_checked = self.check != Check::Afterwards;
        let settings = [
            &format!("fetch.fsckObjects={is_checked}"),
            &format!("transfer.fsckObjects={is_checked}"),
            // Packs, however small, which can be kept from the collector.
            "fetch.unpackLimit=1",
            "transfer.unpackLimit=1",
            // The repository is seen as an alternate of the quarantine: its refs need not be listed.
            "core.alternateRefsPrefixes=refs/xtrack/none",
            "fetch.writeCommitGraph=false",
            "fetch.recurseSubmodules=false",
        ];
        let mut settings: Vec<String> = settings.map(str::to_owned).to_vec();
        match (is_code, &remote.name) {
            (true, _) => settings.extend(HARMLESS.iter().map(|fault| format!("fetch.fsck.{fault}=ignore"))),
            // A run comes whole, whatever is left out of the code.
            (false, Some(name)) => settings.push(format!("remote.{name}.promisor=false")),
            (false, None) => {}
        }
        for setting in settings.iter().chain(&remote.settings()) {
            git.args(["-c", setting]);
        }
        git.args(["fetch", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--refmap="]);
        git.args(["--no-auto-maintenance", "--no-prune", "--stdin"]);
        git.args((!is_code).then_some("--no-filter"));
        git.arg(if self.talk.progress.is_some() { "--progress" } else { "--no-progress" });
        git.args(["--", remote.target()]);
        let lines: String = tips.iter().map(|tip| format!("{tip}\n")).collect();
        let said = self.talk.run_within(&mut git, lines.as_bytes(), Some(size_max))?;
        if said.is_done {
            return Ok(());
        }
        let largest = quarantine.remove_unfinished();
        match fault_of(&said.stderr) {
            _ if largest >= size_max => Err(Faulty::Oversized.into()),
            Some(what) => {
                let is_by_check = said.stderr.contains("fsck error");
                Err(Faulty::Unsound { what, is_by_check }.into())
            }
            None => Err(said.failure()),
        }
    }
}

impl Arrival {
    fn refuse(&mut self, tips: Vec<Oid>, reason: &str, is_doubtful: bool) {
        let fault = |tip| Fault { tip, reason: reason.to_owned(), is_doubtful };
        self.faults.extend(tips.into_iter().map(fault));
    }

    /// How many bytes are in quarantine.
    fn size(&self) -> u64 {
        files_in(&self.quarantine.packs()).map(|(_, size)| size).sum()
    }

    /// The repository as it would be with what came.
    pub fn seen_by(&self, store: &Store) -> Result<Store> {
        self.quarantine.seen_by(store)
    }
}

/// What the remote gives cannot be used.
#[derive(Debug)]
enum Faulty {
    /// Git finds fault with it.
    Unsound {
        /// Which.
        what: String,
        /// Whether it is an object that it finds against the rules.
        is_by_check: bool,
    },
    /// It is more than is taken.
    Oversized,
}

impl std::fmt::Display for Faulty {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unsound { what, .. } => formatter.write_str(what),
            Self::Oversized => formatter.write_str("it is too large"),
        }
    }
}

impl std::error::Error for Faulty {}

fn limit(size: u64) -> String {
    format!("{} (`git config xtrack.fetchMax SIZE` takes more)", human::size(size))
}

/// What git found wrong with what came, if it was that.
fn fault_of(stderr: &str) -> Option<String> {
    const SIGNS: &[&str] = &[
        "fsck error",
        "not our ref",
        "bad object",
        "bad tree object",
        "unable to read",
        "unadvertised object",
        "did not send all necessary objects",
        "missing blob",
        "missing tree",
        "missing commit",
        "inflate returned",
        "unresolved deltas",
        "could not parse",
        "sha1 collision",
        "hash mismatch",
        "pack is corrupted",
        "pack has bad object",
        "remote did not send",
        // What the remote has cannot be read, or not be walked through, by its own git.
        "exceeded maximum allowed tree depth",
        // More memory than it was given.
        "attempting to allocate",
    ];
    const LAST_WORDS: &[&str] = &["possible repository corruption"];
    let named = |line: &&str| {
        let rest = line.strip_prefix("error: object ").or_else(|| line.strip_prefix("fatal: object "));
        rest.is_some_and(|rest| rest.contains(": "))
    };
    let plain = |line: &str| {
        let line = line.strip_prefix("remote: ").unwrap_or(line);
        line.trim_start_matches("fatal: ").trim_start_matches("error: ").trim().to_owned()
    };
    let told = stderr.lines().find(named);
    let has = |signs: &'static [&str]| {
        stderr.lines().find(|line| signs.iter().any(|sign| line.to_lowercase().contains(sign)))
    };
    // Who is at an end with it comes last, whoever is heard first.
    told.or_else(|| has(SIGNS)).or_else(|| has(LAST_WORDS)).map(plain)
}

/// Removes what keeps packs of which a killed process forgot to say that refs name them now.
fn remove_left_over(packs: &Path) {
    for entry in fs::read_dir(packs).into_iter().flatten().flatten() {
        let path = entry.path();
        let age = entry.metadata().ok().and_then(|metadata| metadata.modified().ok()?.elapsed().ok());
        let is_old = age.is_some_and(|age| age > LEFT_OVER_AGE);
        if is_old
            && path.extension() == Some(OsStr::new("keep"))
            && fs::read(&path).is_ok_and(|text| text == KEEP.as_bytes())
        {
            let _ = fs::remove_file(path);
        }
    }
}
