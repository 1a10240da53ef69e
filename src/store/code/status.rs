//! What `git status` says of the work tree, parsed.

use anyhow::{Context, Result};

use crate::store::{Store, output_of};

/// HEAD, what differs from it, and what git does not track.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Status {
    /// HEAD's commit; absent on an unborn branch.
    pub commit: Option<String>,
    /// The branch; absent when detached.
    pub branch: Option<String>,
    /// Tracked files that differ from HEAD.
    pub changes: Vec<Change>,
    /// Untracked files; a folder with nothing but such ends in a slash.
    pub untracked: Vec<Vec<u8>>,
}

/// A file's mode and blob, as git spells them.
pub(in crate::store) type Entry = (String, String);

/// A tracked file that differs from HEAD.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) struct Change {
    /// Its path from the top.
    pub path: Vec<u8>,
    /// The index holds something else than HEAD, or several versions.
    pub is_staged: bool,
    /// The work tree holds something else than the index.
    pub is_unstaged: bool,
    /// It is a submodule whose own files changed.
    pub is_dirty_submodule: bool,
    /// What HEAD holds; absent if HEAD has no such file.
    pub before: Option<Entry>,
}

impl Store {
    /// The state of the work tree; one git process, which writes nothing.
    pub(in crate::store) fn status(&self) -> Result<Status> {
        let mut git = self.git();
        git.args([
            "-c",
            "status.showStash=false",
            "--no-optional-locks",
            "status",
            "--porcelain=v2",
            "-z",
            "--branch",
        ]);
        git.args(["--untracked-files=normal", "--no-ahead-behind", "--no-renames", "--ignored=no"]);
        let text = output_of(&mut git).context("cannot see what changed")?;
        parse(&text).context("cannot read what 'git status' says")
    }
}

fn parse(text: &[u8]) -> Option<Status> {
    let mut status = Status::default();
    for record in text.split(|byte| *byte == 0).filter(|record| !record.is_empty()) {
        match record[0] {
            b'#' => header(&mut status, &String::from_utf8_lossy(record)),
            b'1' => status.changes.push(change(record, 8)?),
            b'u' => status.changes.push(change(record, 10)?),
            b'?' => status.untracked.push(record.get(2..)?.to_vec()),
            _ => {}
        }
    }
    Some(status)
}

fn header(status: &mut Status, line: &str) {
    if let Some(oid) = line.strip_prefix("# branch.oid ").filter(|oid| *oid != "(initial)") {
        status.commit = Some(oid.to_owned());
    }
    if let Some(branch) = line.strip_prefix("# branch.head ").filter(|branch| *branch != "(detached)") {
        status.branch = Some(branch.to_owned());
    }
}

/// `1 XY sub mH mI mW hH hI path`, or `u XY sub m1 m2 m3 mW h1 h2 h3 path`.
fn change(record: &[u8], fields: usize) -> Option<Change> {
    let mut parts = record.splitn(fields + 1, |byte| *byte == b' ');
    let head: Vec<String> =
        parts.by_ref().take(fields).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    let path = parts.next()?.to_vec();
    let is_unmerged = fields == 10;
    let (mode, blob) = if is_unmerged { (&head[4], &head[8]) } else { (&head[3], &head[6]) };
    let existed = blob.bytes().any(|byte| byte != b'0');
    let states: Vec<char> = head[1].chars().collect();
    let submodule = head[2].as_bytes();
    Some(Change {
        path,
        is_staged: is_unmerged || states.first() != Some(&'.'),
        is_unstaged: is_unmerged || states.get(1) != Some(&'.'),
        is_dirty_submodule: submodule.first() == Some(&b'S')
            && (submodule.contains(&b'M') || submodule.contains(&b'U')),
        before: existed.then(|| (mode.clone(), blob.clone())),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_is_read() {
        let text = b"# branch.oid abc\0# branch.head main\x001 .M N... 100644 100644 100644 aa aa a b\0\
            1 A. N... 000000 100644 100644 00 bb new\x001 .M S.M. 160000 160000 160000 cc cc sub\0\
            u UU N... 100644 100644 100644 100644 11 22 33 torn\0? un tracked\0? dir/\0";
        let status = parse(text).unwrap();
        assert_eq!((status.commit.as_deref(), status.branch.as_deref()), (Some("abc"), Some("main")));
        let paths: Vec<_> = status.changes.iter().map(|change| change.path.as_slice()).collect();
        assert_eq!(paths, [b"a b".as_slice(), b"new", b"sub", b"torn"]);
        assert!(status.changes[0].is_unstaged && !status.changes[0].is_staged);
        assert!(status.changes[1].is_staged && status.changes[1].before.is_none());
        assert!(status.changes[2].is_dirty_submodule);
        assert_eq!(status.changes[3].before, Some(("100644".to_owned(), "22".to_owned())));
        assert_eq!(status.untracked, [b"un tracked".to_vec(), b"dir/".to_vec()]);
        assert_eq!(parse(b"1 .M N...\0"), None);
    }
}
