//! Whether a run is what it claims to be: who signed its record, who brought which words, whether the artifacts and the code
//! are the ones that it names.
//!
//! What is claimed and what can be proved are told apart; what is not here to be looked at is neither.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;

use crate::ops::check::{artifacts, record};
use crate::ops::sync::check::check_files;
use crate::run::attempt::Code;
use crate::run::id::{EditId, RunId};
use crate::run::record::{Place, edit_path};
use crate::run::{Run, fold, join};
use crate::store::{Chain, Lack, Link, Oid, Signed, Store, Verdict};
use crate::tracker::Tracker;

/// What it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// All of it is here, agrees, and is signed by keys that are trusted here.
    Verified,
    /// What is here agrees and is signed; not all of it is here.
    Incomplete,
    /// All that is here agrees; not all of it is signed.
    Unsigned,
    /// Something is not as it is claimed.
    Mismatch,
    /// It cannot be read.
    Damaged,
}

/// What a reason says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Something cannot be read.
    Damaged,
    /// Something is not as it is claimed.
    Mismatch,
    /// Something is not signed by a key that is trusted here.
    Unsigned,
    /// Something is not here to be looked at.
    Absent,
    /// Nothing is wrong; it is well to know.
    Told,
}

/// Why a verdict is what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Which sort of reason it is.
    pub kind: Kind,
    /// What it is about: a commit, a path, a code state.
    pub place: String,
    /// What is to be said.
    pub message: String,
}

/// A commit of the record, and who stands for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// Its id.
    pub commit: Oid,
    /// Who says to have made it.
    pub author: String,
    /// How it is signed.
    pub signed: Signed,
    /// Whether it joins two others and says nothing of its own.
    pub is_merge: bool,
    /// The files that it brought or changed.
    pub files: Vec<String>,
}

/// The verdict on a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The run.
    pub id: RunId,
    /// Its name.
    pub name: Option<String>,
    /// Where its record ends.
    pub tip: Option<Oid>,
    /// What it comes to.
    pub standing: Standing,
    /// Why, the gravest first.
    pub reasons: Vec<Reason>,
    /// Its commits, the newest first.
    pub commits: Vec<Brought>,
    /// How many artifacts were compared with their digests.
    pub artifacts: usize,
    /// How many code states were compared with what the run names.
    pub states: usize,
}

/// Judges each of the runs.
pub fn verify(tracker: &Tracker, ids: &[RunId], progress: &dyn Fn(usize, usize)) -> Result<Vec<Judged>> {
    let store = &tracker.store;
    let mut chains = Vec::new();
    for id in ids {
        let tip = tracker.tip(id)?;
        let chain = tip.as_ref().map(|tip| store.chain(tip, &|_| true)).transpose()?;
        chains.push((id, tip, chain.unwrap_or_default()));
    }
    let signed = chains.iter().flat_map(|(_, _, chain)| &chain.links).filter(|link| link.is_signed);
    let signatures = store.signatures(&signed.map(|link| link.commit.clone()).collect::<Vec<_>>())?;
    let mut judged = Vec::new();
    for (index, (id, tip, chain)) in chains.into_iter().enumerate() {
        judged.push(judge(tracker, id, tip, &chain, &signatures));
        progress(index + 1, ids.len());
    }
    Ok(judged)
}

/// What is found out about one run on the way.
struct Inquiry<'a> {
    tracker: &'a Tracker,
    store: &'a Store,
    chain: &'a Chain,
    links: HashMap<&'a str, &'a Link>,
    reasons: Vec<Reason>,
    commits: Vec<Brought>,
    artifacts: usize,
    states: usize,
}

fn judge(
    tracker: &Tracker,
    id: &RunId,
    tip: Option<Oid>,
    chain: &Chain,
    signatures: &HashMap<Oid, Signed>,
) -> Judged {
    let links = chain.links.iter().map(|link| (link.commit.as_str(), link)).collect();
    let (store, reasons, commits) = (&tracker.store, Vec::new(), Vec::new());
    let mut inquiry = Inquiry { tracker, store, chain, links, reasons, commits, artifacts: 0, states: 0 };
    let mut name = None;
    match &tip {
        None => inquiry.say(Kind::Absent, id.as_str(), "it is in progress, and has no record yet"),
        Some(tip) => match inquiry.run(id, tip, signatures) {
            Ok(run) => name = run.name,
            Err(error) => inquiry.say(Kind::Damaged, tip, &format!("it {error:#}")),
        },
    }
    let Inquiry { mut reasons, commits, artifacts, states, .. } = inquiry;
    reasons.sort_by_key(|reason| reason.kind);
    let standing = match reasons.first().map(|reason| reason.kind) {
        Some(Kind::Damaged) => Standing::Damaged,
        Some(Kind::Mismatch) => Standing::Mismatch,
        Some(Kind::Unsigned) => Standing::Unsigned,
        Some(Kind::Absent) => Standing::Incomplete,
        Some(Kind::Told) | None => Standing::Verified,
    };
    Judged { id: id.clone(), name, tip, standing, reasons, commits, artifacts, states }
}

impl Inquiry<'_> {
    fn say(&mut self, kind: Kind, place: &str, message: &str) {
        self.reasons.push(Reason { kind, place: place.to_owned(), message: message.to_owned() });
    }

    fn run(&mut self, id: &RunId, tip: &Oid, signatures: &HashMap<Oid, Signed>) -> Result<Run> {
        for trouble in &self.chain.troubles {
            let kind = if trouble.lack == Lack::Promised { Kind::Absent } else { Kind::Damaged };
            self.say(kind, &trouble.object, &format!("{} {}", trouble.role, record::told(&trouble.lack)));
        }
        if self.chain.is_cut {
            self.say(Kind::Absent, tip, "its beginning is not in this shallow clone");
        }
        self.signatures(signatures);
        let Some(last) = self.chain.links.first().filter(|link| link.commit == *tip) else {
            anyhow::bail!("cannot be read");
        };
        last.files.keys().try_for_each(|path| Place::parse(path).map(|_| ()))?;
        let files = record::load(self.store, &last.files, &|_| false)?;
        check_files(id, &files)?;
        let run = fold::fold(id, &join::normalise(&files)?)?;
        self.words(&run)?;
        self.artifacts(&run, last);
        self.code(&run);
        Ok(run)
    }

    /// Who made and signed each commit, and what it brought.
    fn signatures(&mut self, signatures: &HashMap<Oid, Signed>) {
        for link in &self.chain.links {
            let none = Signed { verdict: Verdict::Unsigned, signer: None, key: None };
            let signed = signatures.get(&link.commit).cloned().unwrap_or(none);
            let files = self.brought(link);
            let is_merge = link.is_merge && self.joins(link);
            if link.is_merge && !is_merge {
                let message = "it claims to join two others, and says what neither of them does";
                self.say(Kind::Mismatch, &link.commit, message);
            }
            if !is_merge {
                self.signature(link, &signed);
            }
            let (commit, author) = (link.commit.clone(), link.author.clone());
            self.commits.push(Brought { commit, author, signed, is_merge, files });
        }
    }

    fn signature(&mut self, link: &Link, signed: &Signed) {
        let key = signed.key.as_deref().unwrap_or("no key");
        match signed.verdict {
            Verdict::Unsigned => self.say(
                Kind::Unsigned,
                &link.commit,
                &format!("it is not signed; its author is said to be {}", link.author),
            ),
            Verdict::Bad => self.say(Kind::Mismatch, &link.commit, "its signature is of something else"),
            Verdict::Stale => {
                self.say(
                    Kind::Unsigned,
                    &link.commit,
                    &format!("the key that signed it ({key}) has expired or was revoked"),
                );
            }
            Verdict::Unknown => {
                self.say(
                    Kind::Unsigned,
                    &link.commit,
                    &format!("it is signed with a key that is not known or not trusted here ({key})"),
                );
            }
            Verdict::Good => {
                // A list of allowed signers may name people otherwise than by their address.
                let is_other = signed.signer.as_ref().is_some_and(|signer| {
                    signer.contains('@') && !mail(&link.author).eq_ignore_ascii_case(mail(signer))
                });
                if is_other {
                    let signer = signed.signer.clone().unwrap_or_default();
                    let message = format!("it claims to be by {}, and is signed by {signer}", link.author);
                    self.say(Kind::Mismatch, &link.commit, &message);
                }
            }
        }
    }

    /// The files that none of a commit's parents has so.
    fn brought(&self, link: &Link) -> Vec<String> {
        let parents: Vec<&Link> =
            link.parents.iter().filter_map(|parent| self.links.get(parent.as_str()).copied()).collect();
        let is_new = |(path, oid): &(&String, &Oid)| {
            !parents.iter().any(|parent| parent.files.get(*path) == Some(*oid))
        };
        link.files.iter().filter(is_new).map(|(path, _)| path.clone()).collect()
    }

    /// Whether a commit is what its two parents come to.
    fn joins(&self, link: &Link) -> bool {
        let parents: Vec<&Link> =
            link.parents.iter().filter_map(|parent| self.links.get(parent.as_str()).copied()).collect();
        let [one, other] = parents.as_slice() else {
            // Beyond a shallow clone's edge nobody can tell.
            return self.chain.is_cut;
        };
        let joined = record::joined(self.store, &one.files, &other.files);
        // What it holds was read with other files in doubt: by their blobs they are the same.
        joined.is_ok_and(|(joined, _)| {
            let same = |(path, bytes): (&String, &Vec<u8>)| {
                link.files.get(path).is_some_and(|oid| {
                    *bytes == crate::ops::sync::check::unread(oid)
                        || self.store.whole_blob(oid).is_ok_and(|held| held == *bytes)
                })
            };
            joined.len() == link.files.len() && joined.iter().all(same)
        })
    }

    /// Whether each edit was brought by the one who is said to have made it, and nothing was taken back from what was said.
    fn words(&mut self, run: &Run) -> Result<()> {
        let edits: Vec<(EditId, String)> =
            run.edits.iter().map(|(id, edit)| (id.clone(), edit.by.clone())).collect();
        for (id, by) in edits {
            let path = edit_path(&id);
            // The oldest: a copy of it may have come again by another way.
            let brought =
                self.commits.iter().rev().find(|commit| !commit.is_merge && commit.files.contains(&path));
            match brought.map(|commit| (commit.commit.clone(), commit.author.clone())) {
                Some((_, author)) if mail(&author).eq_ignore_ascii_case(mail(&by)) => {}
                Some((commit, author)) => {
                    let message =
                        format!("it claims to be by {by}, and was brought by {author} in commit {commit}");
                    self.say(Kind::Mismatch, &path, &message);
                }
                None if self.chain.is_cut => {}
                None => self.say(Kind::Mismatch, &path, "no commit of the record brought it"),
            }
        }
        let brought = |commits: &[Brought], path: &str| {
            let brought = commits
                .iter()
                .rev()
                .find(|commit| !commit.is_merge && commit.files.iter().any(|file| file == path));
            brought.map(|commit| commit.author.clone())
        };
        for facts in &run.attempts {
            let own = facts.attempt.as_ref().map(|id| format!("attempts/{id}.toml"));
            let path = own
                .filter(|path| self.chain.links[0].files.contains_key(path))
                .unwrap_or_else(|| "run.toml".to_owned());
            let (Some(user), Some(author)) = (&facts.user, brought(&self.commits, &path)) else { continue };
            if !mail(&author).eq_ignore_ascii_case(mail(user)) {
                // Whoever adopts or recovers a run records it for another.
                let message = format!("its user is said to be {user}; it was recorded by {author}");
                self.say(Kind::Told, &path, &message);
            }
        }
        for (commit, paths) in record::lost_words(self.store, self.chain)? {
            let message =
                format!("the record does not say any more what this commit said: '{}'", paths.join("', '"));
            self.say(Kind::Mismatch, &commit, &message);
        }
        for path in &run.disputed {
            self.say(
                Kind::Mismatch,
                path,
                "there are two different copies of it, of which one must be forged or damaged",
            );
        }
        if run.tombstone.is_some() && self.chain.links.len() > 1 {
            let tip = self.chain.links[0].commit.clone();
            self.say(
                Kind::Mismatch,
                &tip,
                "it was purged, and the commits behind its tombstone still hold what was to go",
            );
        }
        Ok(())
    }

    /// Whether the bytes of each artifact are those that the record names.
    fn artifacts(&mut self, run: &Run, tip: &Link) {
        let digests: BTreeMap<String, bool> = tip
            .files
            .keys()
            .filter(|path| {
                matches!(Place::parse(path), Ok(Place::AttemptArtifacts(_) | Place::EditArtifacts(_)))
            })
            .filter_map(|path| {
                let bytes = self.store.whole_blob(&tip.files[path]).ok()?;
                Some((crate::run::id::sha256(&bytes), true))
            })
            .collect();
        let by_attempts =
            run.attempts.iter().filter_map(|facts| Some(facts.artifacts.as_ref()?.sha256.clone()));
        let by_edits = run.edits.iter().filter_map(|(_, edit)| edit.artifacts.clone());
        for digest in by_attempts.chain(by_edits).filter(|digest| !digests.contains_key(digest)) {
            self.say(
                Kind::Mismatch,
                &format!("sha256:{digest}"),
                "the list of artifacts that it names is not in the record, or is another",
            );
        }
        for artifact in &run.artifacts {
            let path = artifacts::shown(&artifact.pointer.path);
            if artifact.pointer.inline {
                match artifacts::check_inline(self.store, tip, artifact, true) {
                    Ok(()) => self.artifacts += 1,
                    Err(why) => self.say(Kind::Mismatch, &path, &format!("the artifact {why}")),
                }
                continue;
            }
            let (digest, size) = (&artifact.pointer.sha256, artifact.pointer.size);
            let stored = &self.tracker.artifacts;
            match stored.path(digest).metadata() {
                Ok(file) if file.len() == size && stored.open_checked(digest).is_ok() => self.artifacts += 1,
                Ok(_) => self.say(
                    Kind::Mismatch,
                    &path,
                    &format!("the artifact is not what its digest says (sha256 {digest})"),
                ),
                Err(_) => {
                    self.say(Kind::Absent, &path, &format!("the artifact is not here (sha256 {digest})"))
                }
            }
        }
    }

    /// Whether the code that it names is the tree that it says ran.
    fn code(&mut self, run: &Run) {
        for code in run.attempts.iter().filter_map(|facts| facts.code.clone()) {
            let Some(state) = code.snapshot.as_ref().or(code.commit.as_ref()) else { continue };
            match self.store.tree_at(state) {
                Err(Lack::Missing | Lack::Promised) => {
                    self.say(Kind::Absent, state, "the code that it ran is not here")
                }
                Err(Lack::Damaged(why)) => {
                    self.say(Kind::Damaged, state, &format!("the code that it ran is damaged: {why}"))
                }
                Ok(tree) => match self.compare(&code, state, &tree) {
                    Some(message) => self.say(Kind::Mismatch, state, &message),
                    None => self.states += 1,
                },
            }
        }
    }

    fn compare(&self, code: &Code, state: &Oid, tree: &Oid) -> Option<String> {
        // Where changes were not kept, nothing says what ran.
        let is_named = |named: &String| named != tree;
        if let Some(named) = code.tree.as_ref().filter(|named| is_named(named)) {
            return Some(format!("the tree that it says ran is {named}, and this commit's is {tree}"));
        }
        let commit = code.snapshot.as_ref().and(code.commit.as_ref())?;
        match self.store.first_parent(state) {
            Ok(Some(parent)) if parent == *commit => None,
            _ => Some(format!("it says to be changes over {commit}, and is not")),
        }
    }
}

/// The address in `Name <mail>`; the whole where there is none.
fn mail(identity: &str) -> &str {
    identity.rsplit_once('<').map_or(identity, |(_, mail)| mail.trim_end_matches('>')).trim()
}

#[cfg(test)]
mod tests {
    use super::mail;

    #[test]
    fn people_are_told_apart_by_their_addresses() {
        assert_eq!(mail("Ada L <ada@example.com>"), "ada@example.com");
        assert_eq!(mail("ada@example.com"), "ada@example.com");
        assert_eq!(mail("A <B> <c@d>"), "c@d");
    }
}
