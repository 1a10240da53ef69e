//! The code that runs, kept as it is: a ref to HEAD's commit, or to a commit of what differs from it.
//!
//! Git builds that commit in an index and an object folder of its own, so that the user's index and work tree are only
//! read. Equal states make the same commit.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use gix::ObjectId;
use gix::objs::{Kind, TreeRefIter};

use crate::run::attempt::{Code, CodeFile, LeftOut};
use crate::run::value::Value;
use crate::store::code::patch_id::PatchId;
use crate::store::code::secrets::Secrets;
use crate::store::code::status::{Change, Entry, Status};
use crate::store::code::untracked::{Left, bytes};
use crate::store::commit::{Words, commit_data};
use crate::store::objects::Object;
use crate::store::platform::path_of;
use crate::store::remote::quarantine::Quarantine;
use crate::store::{SnapshotLimits, Store, object_id, output_of, output_with_input};

/// Who makes snapshots, whoever runs them: the same state is the same commit.
pub(in crate::store) const AUTHOR: &str = "git-xtrack <git-xtrack@localhost>";
/// What they say.
pub(in crate::store) const MESSAGE: &str = "Snapshot of the work tree";
/// Their date where there is no HEAD to take it from: the first second of 2000.
const UNBORN_SECONDS: i64 = 946_684_800;

/// A path, and what HEAD holds there.
type Reset = (Vec<u8>, Option<Entry>);

/// What a snapshot is made of.
#[derive(Default)]
struct Plan {
    /// Tracked files of which HEAD's version is kept, whatever the index says.
    reset: Vec<Reset>,
    /// Files whose state in the work tree is taken.
    update: Vec<Vec<u8>>,
    /// Tracked files that the snapshot holds otherwise than HEAD.
    changed: Vec<Vec<u8>>,
    /// Tracked files that differ from HEAD, taken or not.
    changed_count: u64,
    /// Untracked files that it holds.
    untracked: Vec<Vec<u8>>,
    /// What it does not hold.
    left_out: Vec<Left>,
    /// Where the index already differs from HEAD.
    is_staged: bool,
}

/// How often a snapshot is taken of which a collector took a part.
const TRIES_MAX: usize = 3;

impl Store {
    /// Takes the state of the code, and a ref that keeps it.
    pub fn snapshot(&self, limits: &SnapshotLimits) -> Result<Code> {
        for _ in 1..TRIES_MAX {
            let code = self.take_snapshot(limits).context("cannot take a snapshot of the code")?;
            let is_whole = match self.wait_for_collector() {
                true => self.is_connected(&code),
                false => self.is_kept_whole(&code),
            };
            if is_whole {
                return Ok(code);
            }
        }
        self.take_snapshot(limits).context("cannot take a snapshot of the code")
    }

    /// Whether the objects of a snapshot are there, which a collector may have taken before its ref was.
    fn is_kept_whole(&self, code: &Code) -> bool {
        let blobs = code.changed.iter().chain(&code.untracked).filter_map(|file| file.blob.as_deref());
        let own =
            code.snapshot.iter().flat_map(|commit| [Some(commit.as_str()), code.tree.as_deref()]).flatten();
        let ids: Vec<_> = own.chain(blobs).filter_map(|oid| object_id(self, oid).ok()).collect();
        code.snapshot.is_none() || self.missing(ids.iter()).is_ok_and(|missing| missing.is_empty())
    }

    /// Whether everything is there that a snapshot adds to the commit it is based on, folders within folders included.
    fn is_connected(&self, code: &Code) -> bool {
        let Some(snapshot) = &code.snapshot else {
            return true;
        };
        let mut git = self.git();
        git.args(["rev-list", "--objects", "--quiet", snapshot]);
        git.args(code.commit.iter().map(|base| format!("^{base}")));
        output_of(&mut git).is_ok()
    }

    fn take_snapshot(&self, limits: &SnapshotLimits) -> Result<Code> {
        let Some(top) = self.work_tree() else {
            let head = self.head()?;
            return self.code_of_head(head.commit.as_deref(), head.branch);
        };
        // The patch id is computed while git looks at the files.
        let early = if self.is_reftable { None } else { self.head().ok().and_then(|head| head.commit) };
        let pending =
            early.as_ref().map(|commit| object_id(self, commit).map(|id| self.patch_id(id))).transpose()?;
        let status = self.status()?;
        let mut code = Code { tree: self.head_tree(status.commit.as_deref())?, ..Code::default() };
        code.commit.clone_from(&status.commit);
        code.branch.clone_from(&status.branch);
        code.remote = self.remote_url(status.branch.as_deref());
        let is_clean = status.changes.is_empty() && status.untracked.is_empty();
        if !is_clean {
            self.add_changes(&mut code, top, &status, limits)?;
        }
        let kept = code.snapshot.as_ref().or(code.commit.as_ref());
        if let Some(kept) = kept {
            self.keep_code(object_id(self, kept)?)?;
        }
        // HEAD moved between the two looks at it only if somebody commits at this very moment.
        code.patch_id = match pending {
            Some(pending) if early == code.commit => pending.wait(),
            other => {
                other.map(PatchId::wait);
                let commit = code.commit.as_ref().map(|commit| object_id(self, commit)).transpose()?;
                commit.and_then(|commit| self.patch_id(commit).wait())
            }
        };
        Ok(code)
    }

    fn code_of_head(&self, commit: Option<&str>, branch: Option<String>) -> Result<Code> {
        let id = commit.map(|commit| object_id(self, commit)).transpose()?;
        let pending = id.map(|id| self.patch_id(id));
        id.map(|id| self.keep_code(id)).transpose()?;
        Ok(Code {
            commit: commit.map(str::to_owned),
            tree: self.head_tree(commit)?,
            remote: self.remote_url(branch.as_deref()),
            branch,
            patch_id: pending.and_then(PatchId::wait),
            ..Code::default()
        })
    }

    fn head_tree(&self, commit: Option<&str>) -> Result<Option<String>> {
        let commit = commit.map(|commit| object_id(self, commit)).transpose()?;
        Ok(commit.map(|commit| self.tree_of(commit)).transpose()?.map(|tree| tree.to_string()))
    }

    /// Fills in what differs from HEAD, and makes the commit that holds it.
    fn add_changes(
        &self,
        code: &mut Code,
        top: &Path,
        status: &Status,
        limits: &SnapshotLimits,
    ) -> Result<()> {
        let plan = self.plan(top, status, limits)?;
        code.changed_count = plan.changed_count;
        code.left_out_count = plan.left_out.len() as u64;
        code.left_out = plan.left_out.iter().take(Code::LISTED_MAX).map(left_out).collect();
        if !limits.enabled {
            code.tree = code.tree.take().filter(|_| plan.changed_count == 0);
            code.changed = self.hashed(top, &plan.changed)?;
            return Ok(());
        }
        if !plan.is_empty() {
            let tree = self.snapshot_tree(&plan)?;
            let head_tree = code.tree.as_ref().map(|tree| object_id(self, tree)).transpose()?;
            if head_tree != Some(tree) {
                code.tree = Some(tree.to_string());
                code.snapshot = Some(self.snapshot_commit(tree, status.commit.as_deref())?.to_string());
            }
            code.changed = self.listed(tree, &plan.changed)?;
            code.untracked = self.listed(tree, &plan.untracked)?;
        }
        code.untracked_count = plan.untracked.len() as u64;
        Ok(())
    }

    fn plan(&self, top: &Path, status: &Status, limits: &SnapshotLimits) -> Result<Plan> {
        let secrets = Secrets::new(&limits.secrets)?;
        let mut plan = Plan::default();
        for change in &status.changes {
            plan.add(top, change, limits, &secrets);
        }
        let options = SnapshotLimits { untracked: limits.untracked && limits.enabled, ..limits.clone() };
        let untracked = self.choose_untracked(top, &status.untracked, &options, &secrets)?;
        plan.update.extend(untracked.taken.iter().cloned());
        plan.untracked = untracked.taken;
        plan.left_out.extend(untracked.left_out);
        Ok(plan)
    }

    /// Writes the tree of the plan, durably.
    fn snapshot_tree(&self, plan: &Plan) -> Result<ObjectId> {
        let quarantine = Quarantine::new(self)?;
        let index = quarantine.folder().join("index");
        copy_index(&self.repository.index_path(), &index)?;
        let git = || {
            let mut git: Command = self.git();
            quarantine.confine(&mut git);
            git.env("GIT_INDEX_FILE", &index);
            git.args([
                "-c",
                "core.splitIndex=false",
                "-c",
                "core.safecrlf=false",
                "-c",
                "core.bigFileThreshold=512m",
            ]);
            git
        };
        if !plan.update.is_empty() {
            let mut paths = plan.update.join(&0);
            paths.push(0);
            let mut git = git();
            git.args(["update-index", "--add", "--remove", "--replace", "-z", "--stdin"]);
            output_with_input(&mut git, &paths).context("cannot take the changed files")?;
        }
        if !plan.reset.is_empty() {
            let lines = self.reset_lines(&plan.reset);
            output_with_input(git().args(["update-index", "-z", "--index-info"]), &lines)
                .context("cannot leave files out")?;
        }
        let written =
            output_of(git().args(["write-tree", "--missing-ok"])).context("cannot write the tree")?;
        let tree = object_id(self, String::from_utf8_lossy(&written).trim())?;
        self.take_objects(&quarantine.objects())?;
        Ok(tree)
    }

    /// What `update-index --index-info` reads: first the path goes, with all its stages, then HEAD's version comes back.
    fn reset_lines(&self, reset: &[Reset]) -> Vec<u8> {
        let null = ObjectId::null(self.hash_kind());
        let mut lines = Vec::new();
        for (path, before) in reset {
            let gone = format!("0 {null}\t");
            lines.extend([gone.as_bytes(), path, b"\0"].concat());
            if let Some((mode, blob)) = before {
                lines.extend([format!("{mode} {blob}\t").as_bytes(), path, b"\0"].concat());
            }
        }
        lines
    }

    fn snapshot_commit(&self, tree: ObjectId, head: Option<&str>) -> Result<ObjectId> {
        let parent = head.map(|head| object_id(self, head)).transpose()?;
        let seconds = parent.map_or(Ok(UNBORN_SECONDS), |parent| self.seconds_of(parent))?;
        let parents: Vec<ObjectId> = parent.into_iter().collect();
        let words =
            Words { parents: &parents, by: AUTHOR.to_owned(), seconds: seconds.max(0), message: MESSAGE };
        let commit = Object::new(self.hash_kind(), Kind::Commit, commit_data(&tree, &words)?)?;
        self.write_objects(std::slice::from_ref(&commit))?;
        Ok(commit.id)
    }

    /// The first of the files, with their blobs in the tree.
    fn listed(&self, tree: ObjectId, paths: &[Vec<u8>]) -> Result<Vec<CodeFile>> {
        let blob = |path: &[u8]| self.entry_of(tree, path).map(|id| id.map(|id| id.to_string()));
        let file = |path: &Vec<u8>| Ok(CodeFile { path: path_value(path), blob: blob(path)? });
        paths.iter().take(Code::LISTED_MAX).map(file).collect()
    }

    fn entry_of(&self, tree: ObjectId, path: &[u8]) -> Result<Option<ObjectId>> {
        let (name, rest) = match path.iter().position(|byte| *byte == b'/') {
            Some(slash) => (&path[..slash], Some(&path[slash + 1..])),
            None => (path, None),
        };
        let data = self.object(tree, Kind::Tree)?;
        let mut entries = TreeRefIter::from_bytes(&data, self.hash_kind()).flatten();
        let entry = entries
            .find(|entry| entry.filename == name)
            .map(|entry| (entry.oid.to_owned(), entry.mode.is_tree()));
        match (entry, rest) {
            (Some((id, true)), Some(rest)) => self.entry_of(id, rest),
            (Some((id, false)), None) => Ok(Some(id)),
            _ => Ok(None),
        }
    }

    /// The first of the files, with the blobs they would be; nothing is written.
    fn hashed(&self, top: &Path, paths: &[Vec<u8>]) -> Result<Vec<CodeFile>> {
        let listed: Vec<&Vec<u8>> = paths.iter().take(Code::LISTED_MAX).collect();
        let is_plain = |path: &[u8]| {
            !path.contains(&b'\n')
                && top.join(path_of(path)).symlink_metadata().is_ok_and(|file| file.is_file())
        };
        let plain: Vec<&[u8]> =
            listed.iter().map(|path| path.as_slice()).filter(|path| is_plain(path)).collect();
        let mut input = plain.join(&b'\n');
        input.push(b'\n');
        let hashed = match plain.is_empty() {
            true => Vec::new(),
            false => output_with_input(self.git().args(["hash-object", "--stdin-paths"]), &input)?,
        };
        let mut hashed =
            String::from_utf8_lossy(&hashed).lines().map(str::to_owned).collect::<Vec<_>>().into_iter();
        let file = |path: &&Vec<u8>| CodeFile {
            path: path_value(path),
            blob: plain.contains(&path.as_slice()).then(|| hashed.next()).flatten(),
        };
        Ok(listed.iter().map(file).collect())
    }
}

impl Plan {
    fn add(&mut self, top: &Path, change: &Change, limits: &SnapshotLimits, secrets: &Secrets) {
        self.changed_count += 1;
        let path = change.path.clone();
        if change.is_dirty_submodule {
            self.left_out.push((path.clone(), "a submodule with changes of its own".to_owned(), None));
        }
        if let Some((reason, size)) = reason_to_leave(top, change, limits, secrets) {
            self.left_out.push((path.clone(), reason, size));
            if change.is_staged {
                self.reset.push((path, change.before.clone()));
            }
            return;
        }
        self.is_staged |= change.is_staged;
        if change.is_unstaged {
            self.update.push(path.clone());
        }
        self.changed.push(path);
    }

    /// Whether the snapshot would be HEAD's tree.
    fn is_empty(&self) -> bool {
        self.update.is_empty() && !self.is_staged
    }
}

/// Why a change of a tracked file is not taken, and the file's size.
fn reason_to_leave(
    top: &Path,
    change: &Change,
    limits: &SnapshotLimits,
    secrets: &Secrets,
) -> Option<(String, Option<u64>)> {
    let file = top.join(path_of(&change.path));
    let metadata = fs::symlink_metadata(&file).ok();
    let size = metadata.as_ref().filter(|metadata| metadata.is_file()).map(fs::Metadata::len);
    if secrets.has(&change.path) {
        return Some(("looks like a secret; as in HEAD".to_owned(), size));
    }
    if !change.is_unstaged || size.is_none() {
        return None;
    }
    if size > Some(limits.total_max) {
        return Some((format!("larger than {}; as in HEAD", bytes(limits.total_max)), size));
    }
    let error = File::open(&file).err()?;
    Some((format!("cannot be read: {error}; as in HEAD"), size))
}

/// Copies the index with its time: git takes files that are as young as the index for possibly changed.
fn copy_index(index: &Path, copy: &Path) -> Result<()> {
    let metadata = match fs::metadata(index) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).context("cannot read the index"),
    };
    fs::write(copy, fs::read(index)?).context("cannot copy the index")?;
    File::options().write(true).open(copy)?.set_modified(metadata.modified()?)?;
    Ok(())
}

fn left_out((path, reason, size): &Left) -> LeftOut {
    LeftOut { path: path_value(path), reason: reason.clone(), size: *size }
}

fn path_value(path: &[u8]) -> Value {
    match std::str::from_utf8(path) {
        Ok(text) => Value::Text(text.to_owned()),
        Err(_) => Value::Bytes(path.to_vec()),
    }
}
