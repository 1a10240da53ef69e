//! Refs: listing runs, reading tips, and moving a ref only from where it is expected to be.
//!
//! Files are read loose first and packed second, so that a ref that is packed meanwhile is never missed. Reftable, and
//! repositories with a hook that watches refs, go through git. The transactions of `gix` are not used: they look at packed
//! refs before they hold the lock, and wait for the lock of `packed-refs` without need.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use gix::ObjectId;
use gix::refs::packed;

use crate::error::Problem;
use crate::run::id::RunId;
use crate::store::operation::Move;
use crate::store::platform::{Stamp, is_same_file, sync_dir, sync_file};
use crate::store::{Moved, Oid, Store, failed, object_id, output_of, output_with_input, random_name};

/// Where the refs are that keep code alive.
pub(super) const CODE_PREFIX: &str = "refs/xtrack/code/";
/// How long another writer of the same ref is waited for.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How old a lock is when nobody can still be at work under it.
const STALE_AGE: Duration = Duration::from_secs(10);

/// The packed refs as they were when last read.
#[derive(Default)]
pub(super) struct PackedRefs {
    stamp: Option<Stamp>,
    buffer: Option<packed::Buffer>,
}

/// A ref's lock file; gone when it is dropped, unless it became the ref.
pub(super) struct Lock {
    /// The lock file, which becomes the ref by a rename.
    pub path: PathBuf,
    /// The same, open.
    pub file: File,
    /// Another name of the same file, which says whose lock it is.
    signature: Option<PathBuf>,
    /// Whether it became the ref.
    pub is_kept: bool,
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_file(&self.path);
        }
        // Last: who finds a lock must find its signature as well.
        self.signature.as_ref().map(fs::remove_file);
    }
}

/// How this process signs the locks it takes, so that they can be told from those of the living if it is killed.
pub(super) struct Signer {
    folder: PathBuf,
    mark: String,
}

/// The file that holds many refs at once, by its place in the git folder.
pub(super) const PACKED_REFS: &str = "packed-refs";

/// What the name of each signature begins with.
const SIGNATURE: &str = ".lock,";

impl Signer {
    /// A new file with a name that tells whose it is and which ref it is to lock.
    fn sign(&self, name: &str) -> std::io::Result<(PathBuf, File)> {
        let random = random_name()?;
        let path = self.folder.join(format!("{SIGNATURE}{},{random},{}", self.mark, escaped(name)));
        let file = fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok((path, file))
    }
}

/// A ref's name as a part of a file's name.
fn escaped(name: &str) -> String {
    name.replace('%', "%25").replace('/', "%2F")
}

/// The mark and the ref that the name of a signature tells.
fn signed(signature: &Path) -> Option<(&str, String)> {
    let rest = signature.file_name()?.to_str()?.strip_prefix(SIGNATURE)?;
    // A ref's name may hold commas, a mark holds four.
    let end = rest.match_indices(',').nth(4)?.0;
    let (_random, name) = rest[end + 1..].split_once(',')?;
    let name = name.replace("%2F", "/").replace("%25", "%");
    let is_ref = name.starts_with("refs/") || name == PACKED_REFS;
    let is_below = is_ref && name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    is_below.then_some((&rest[..end], name))
}

/// What became of one try to move a ref.
enum Try {
    Done,
    /// Somebody else holds the lock.
    Locked,
}

impl Store {
    /// The ref of a run.
    pub(super) fn run_ref(&self, id: &RunId) -> String {
        format!("{}{id}", self.runs_prefix)
    }

    /// Our runs and their tips, sorted by id.
    pub fn runs(&self) -> Result<Vec<(RunId, Oid)>> {
        let tips = self.run_tips()?.into_iter().filter(|tip| tip.remote.is_none());
        Ok(tips.map(|found| (found.id, found.tip)).collect())
    }

    /// The run's tip, if there is such a run.
    pub fn run_tip(&self, id: &RunId) -> Result<Option<Oid>> {
        Ok(self.ref_tip(&self.run_ref(id))?.map(|tip| tip.to_string()))
    }

    /// What a ref points at, whatever it is for.
    pub fn ref_target(&self, name: &str) -> Result<Option<Oid>> {
        Ok(self.ref_tip(name)?.map(|tip| tip.to_string()))
    }

    /// What a ref points at.
    pub(super) fn ref_tip(&self, name: &str) -> Result<Option<ObjectId>> {
        if self.is_reftable {
            let lines = output_of(self.git().args(["for-each-ref", "--format=%(objectname)", name]))?;
            let text = String::from_utf8_lossy(&lines);
            return text.lines().next().map(|line| object_id(self, line)).transpose();
        }
        if let Some(tip) = self.loose_tip(name)? {
            return Ok(Some(tip));
        }
        self.with_packed_refs(|packed| match packed.try_find(name) {
            Ok(found) => Ok(found.map(|found| found.target())),
            Err(error) => Err(failed("cannot read packed-refs", error).into()),
        })
        .map(Option::flatten)
    }

    /// The ref that keeps a code state here.
    pub fn code_ref_name(commit: &Oid) -> String {
        format!("{CODE_PREFIX}{commit}")
    }

    /// Makes sure that a code ref keeps the commit.
    pub(super) fn keep_code(&self, commit: ObjectId) -> Result<()> {
        let name = format!("{CODE_PREFIX}{commit}");
        self.note_use(&name);
        match self.ref_tip(&name)? {
            Some(_) => Ok(()),
            None => match self.update_ref(&name, None, commit) {
                // Another run of the same code was faster.
                Err(error) if error.is::<Moved>() => Ok(()),
                other => other,
            },
        }
    }

    /// Whether a ref that is a file of its own was written within that time; of one that is packed nobody can tell.
    pub fn has_moved_within(&self, name: &str, time: Duration) -> bool {
        age(&self.common_dir.join(name)).is_some_and(|age| age < time)
    }

    /// Refuses with [`Moved`] unless the ref points where it is expected to.
    pub(super) fn check_ref(&self, name: &str, expected: Option<ObjectId>) -> Result<()> {
        if self.ref_tip(name)? == expected { Ok(()) } else { Err(Moved.into()) }
    }

    /// Moves a ref from `expected` (`None`: it must not exist) to `new`; on disk when it returns.
    pub(super) fn update_ref(&self, name: &str, expected: Option<ObjectId>, new: ObjectId) -> Result<()> {
        self.foretell(&[Move::of(name, expected, Some(new))]);
        let moved = self.move_ref(name, expected, new);
        if moved.is_err() {
            self.strike(&[name.to_owned()]);
        }
        moved
    }

    /// The same, without a word in the operation log: that is the caller's.
    pub(super) fn move_ref(&self, name: &str, expected: Option<ObjectId>, new: ObjectId) -> Result<()> {
        let by_git = self.moves_refs_by_git();
        let began = Instant::now();
        loop {
            let tried = match by_git {
                true => self.try_update_by_git(name, expected, new)?,
                false => self.try_update(name, expected, new)?,
            };
            if matches!(tried, Try::Done) {
                return Ok(());
            }
            let lock = self.lock_of(name);
            if age(&lock).is_some_and(|age| age > STALE_AGE) || began.elapsed() > WAIT_MAX {
                return Err(locked(name, &lock, self.holder_of(&lock)).into());
            }
            std::thread::sleep(jitter());
        }
    }

    /// Whether only git itself can move refs as this repository wants it.
    pub(super) fn moves_refs_by_git(&self) -> bool {
        self.is_reftable || self.has_ref_hook() || self.has_reflogs()
    }

    /// Does what git does with a ref that is a file: lock, look, write, rename; and syncs, which git does not by default.
    fn try_update(&self, name: &str, expected: Option<ObjectId>, new: ObjectId) -> Result<Try> {
        let path = self.common_dir.join(name);
        let Some((mut lock, new_folders)) = self.lock(name)? else {
            return Ok(Try::Locked);
        };
        // While the lock is held nobody else moves the ref, and who packs refs leaves the file.
        let tip = self.ref_tip(name)?;
        if tip != expected {
            return if tip == Some(new) { Ok(Try::Done) } else { Err(Moved.into()) };
        }
        let cannot = || format!("cannot write '{}'", path.display());
        lock.file.write_all(format!("{new}\n").as_bytes()).with_context(cannot)?;
        lock.file.sync_all().with_context(cannot)?;
        self.sharing.apply(&lock.path)?;
        fs::rename(&lock.path, &path).with_context(cannot)?;
        lock.is_kept = true;
        // A folder's own name is in its parent.
        let mut changed: BTreeSet<&Path> = new_folders.iter().filter_map(|folder| folder.parent()).collect();
        changed.extend(path.parent());
        self.sync_folders(changed)?;
        Ok(Try::Done)
    }

    /// Waits until refs that were just written are on disk. Where a folder of theirs is gone, `git pack-refs` has put them
    /// into the file of packed refs meanwhile.
    pub(super) fn sync_folders<'a>(&self, folders: impl IntoIterator<Item = &'a Path>) -> Result<()> {
        let packed = self.common_dir.join(PACKED_REFS);
        let sync = |folder: &Path| match sync_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                sync_file(&packed).and_then(|()| sync_dir(&self.common_dir))
            }
            other => other,
        };
        folders.into_iter().try_for_each(sync).context("cannot sync the folders of refs")
    }

    /// The ref's lock and the folders made for it; `None` if somebody else holds it.
    pub(super) fn lock(&self, name: &str) -> Result<Option<(Lock, Vec<PathBuf>)>> {
        let path = self.lock_of(name);
        let cannot = || format!("cannot write '{}'", path.display());
        let folder = path.parent().expect("a ref lies in a folder");
        let mut new_folders = BTreeSet::new();
        // Who packs refs removes folders that are empty, perhaps the one that was just made.
        for _ in 0..100 {
            match self.create_lock(&path, name) {
                Ok((file, signature)) => {
                    return Ok(Some((
                        Lock { path, file, signature, is_kept: false },
                        new_folders.into_iter().collect(),
                    )));
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).with_context(cannot),
                Err(_) => {}
            }
            let missing = missing_folders(&path);
            fs::create_dir_all(folder).with_context(cannot)?;
            // One that goes again at once needs no mode.
            missing.iter().for_each(|folder| drop(self.sharing.apply(folder)));
            new_folders.extend(missing);
        }
        Err(Problem::new(format!("cannot make the folder '{}'", folder.display())).into())
    }

    /// A new lock file, signed where the file system can.
    fn create_lock(&self, path: &Path, name: &str) -> std::io::Result<(File, Option<PathBuf>)> {
        if let Some((signature, file)) = self.sign(name) {
            let linked = fs::hard_link(&signature, path);
            match &linked {
                Ok(()) => return Ok((file, Some(signature))),
                Err(_) => drop(fs::remove_file(&signature)),
            }
            if let Err(error) = linked
                && matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound)
            {
                return Err(error);
            }
        }
        Ok((fs::OpenOptions::new().write(true).create_new(true).open(path)?, None))
    }

    /// A signature that is to become a lock of the ref; nothing where none can be written.
    fn sign(&self, name: &str) -> Option<(PathBuf, File)> {
        let signer = self.signer.as_ref()?;
        signer.sign(name).ok().or_else(|| {
            let missing = missing_folders(&signer.folder.join("_"));
            fs::create_dir_all(&signer.folder).ok()?;
            missing.iter().for_each(|folder| drop(self.sharing.apply(folder)));
            signer.sign(name).ok()
        })
    }

    /// Signs the locks that are taken from now on: `mark` tells this process from all others, and has four commas;
    /// signatures are put into `folder`.
    pub fn sign_locks(&mut self, folder: PathBuf, mark: String) {
        self.signer = Some(Signer { folder, mark });
    }

    /// Removes what a killed process left of taking a lock, if `signature` is that: the file in the folder of
    /// signatures. `is_dead` tells from a mark whether its process is gone. Whether anything was removed.
    pub fn remove_dead_lock(&self, signature: &Path, is_dead: &dyn Fn(&str) -> bool) -> Result<bool> {
        let dead = signed(signature).filter(|(mark, _)| is_dead(mark));
        let Some(((_, name), signer)) = dead.zip(self.signer.as_ref()) else {
            return Ok(false);
        };
        // Of all who find it one takes it over, under its own name: only that one may remove the lock, so that nobody
        // removes the next one by mistake.
        let (own, _) = signer.sign(&name)?;
        match fs::rename(signature, &own) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::remove_file(&own)?;
                return Ok(false);
            }
            other => other.with_context(|| format!("cannot remove '{}'", signature.display()))?,
        }
        let lock = self.lock_of(&name);
        if is_same_file(&lock, &own) {
            fs::remove_file(&lock).with_context(|| format!("cannot remove '{}'", lock.display()))?;
        }
        fs::remove_file(&own).with_context(|| format!("cannot remove '{}'", own.display()))?;
        Ok(true)
    }

    /// Who holds a lock, if it is signed.
    fn holder_of(&self, lock: &Path) -> Option<String> {
        let signatures =
            fs::read_dir(&self.signer.as_ref()?.folder).ok()?.flatten().map(|entry| entry.path());
        let mut held = signatures.filter(|path| signed(path).is_some() && is_same_file(lock, path));
        let signature = held.next()?;
        let mut parts = signed(&signature)?.0.split(',');
        Some(format!("process {} on '{}'", parts.next()?, parts.next_back()?))
    }

    fn try_update_by_git(&self, name: &str, expected: Option<ObjectId>, new: ObjectId) -> Result<Try> {
        let command = match expected {
            Some(old) => format!("update {name} {new} {old}\n"),
            None => format!("create {name} {new}\n"),
        };
        let mut git = self.git();
        git.args(["-c", "core.fsync=all", "update-ref", "--no-deref", "-m", "xtrack", "--stdin"]);
        let Err(error) = output_with_input(&mut git, command.as_bytes()) else {
            return Ok(Try::Done);
        };
        let tip = self.ref_tip(name)?;
        if tip == Some(new) {
            return Ok(Try::Done);
        }
        if tip != expected {
            return Err(Moved.into());
        }
        let is_locked =
            error.to_string().contains("File exists") || error.to_string().contains("data is locked");
        if is_locked { Ok(Try::Locked) } else { Err(error.context(format!("cannot write '{name}'"))) }
    }

    pub(super) fn refs_by_git(&self, prefix: &str) -> Result<BTreeMap<String, Oid>> {
        let lines =
            output_of(self.git().args(["for-each-ref", "--format=%(objectname) %(refname)", prefix]))?;
        let text = String::from_utf8_lossy(&lines);
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        Ok(pairs
            .filter_map(|(tip, name)| Some((name.strip_prefix(prefix)?.to_owned(), tip.to_owned())))
            .collect())
    }

    pub(super) fn loose_tip(&self, name: &str) -> Result<Option<ObjectId>> {
        let path = self.common_dir.join(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::IsADirectory | ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read '{}'", path.display())),
        };
        let id = ObjectId::from_hex(text.trim_ascii()).ok().filter(|id| id.kind() == self.hash_kind());
        let damaged = || {
            Problem::new(format!("the ref '{name}' is damaged")).hint(format!(
                "`git update-ref -d {name}` removes it; fetch the run again from where it is whole"
            ))
        };
        Ok(Some(id.ok_or_else(damaged)?))
    }

    /// Does `work` with the packed refs as they now are; `None` if there are none.
    pub(super) fn with_packed_refs<T>(
        &self,
        work: impl FnOnce(&packed::Buffer) -> Result<T>,
    ) -> Result<Option<T>> {
        let path = self.common_dir.join("packed-refs");
        let mut packed = self.packed_refs.borrow_mut();
        let stamp = Stamp::of(&path);
        if stamp.is_none() || stamp != packed.stamp {
            // A stamp taken before the file is opened is never newer than what is read.
            let buffer = stamp.map(|_| packed::Buffer::open(path, 32 * 1024, self.hash_kind()));
            packed.buffer = buffer.transpose().map_err(|error| failed("cannot read packed-refs", error))?;
            // The next file may be written within the same tick of the clock, as long, and get the same inode.
            packed.stamp = stamp.filter(|stamp| !stamp.is_young());
        }
        packed.buffer.as_ref().map(work).transpose()
    }

    fn has_ref_hook(&self) -> bool {
        let configured = self.repository.config_snapshot().trusted_path("core.hooksPath");
        let folder = match configured {
            Ok(Some(path)) => self.work_tree().unwrap_or(&self.git_dir).join(path),
            _ => self.common_dir.join("hooks"),
        };
        folder.join("reference-transaction").exists()
    }

    /// Whether git keeps a log of every ref, not just of branches.
    fn has_reflogs(&self) -> bool {
        self.config("core.logAllRefUpdates").is_some_and(|value| value.eq_ignore_ascii_case("always"))
    }

    fn lock_of(&self, name: &str) -> PathBuf {
        self.common_dir.join(format!("{name}.lock"))
    }
}

/// The folders above `path` that are not there, outermost first.
fn missing_folders(path: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> =
        path.ancestors().skip(1).take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
    missing.reverse();
    missing
}

fn locked(name: &str, lock: &Path, holder: Option<String>) -> Problem {
    let problem = Problem::new(format!("cannot write '{name}': '{}' is in the way", lock.display()));
    problem.hint(match holder {
        Some(holder) => format!("{holder} writes it now; if that is gone for good, remove the file"),
        None => {
            "another process writes it now; if none does, one was killed at it: remove that file".to_owned()
        }
    })
}

fn age(path: &Path) -> Option<Duration> {
    fs::metadata(path).ok()?.modified().ok()?.elapsed().ok()
}

/// A short wait of a length that differs between processes.
pub(super) fn jitter() -> Duration {
    let mut random = [0; 1];
    // Without randomness the wait is merely the same for all.
    let _ = getrandom::fill(&mut random);
    Duration::from_millis(5 + u64::from(random[0]) / 8)
}
