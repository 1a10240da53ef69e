//! Remotes: which repository a word names, where runs and code lie in it, and what is there now.
//!
//! Knows git's configuration of remotes and the names of refs; what is fetched or pushed is decided above.

pub(in crate::store) mod address;
pub(in crate::store) mod fetch;
pub(in crate::store) mod promised;
pub(in crate::store) mod published;
pub(in crate::store) mod push;
pub(in crate::store) mod quarantine;
pub(in crate::store) mod refusals;
pub(in crate::store) mod transport;
pub(in crate::store) mod unsound;
pub(in crate::store) mod url;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::run::id::{RunId, is_hex};
use crate::store::refs::CODE_PREFIX;
use crate::store::remote::transport::Talk;
use crate::store::remote::url::without_credentials;
use crate::store::{Oid, Store, output_of};

/// How many refs of a remote are named that are below where runs lie and are none.
const STRANGE_MAX: usize = 20;

/// Another repository that runs are shared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Its name in git's configuration; a path or an address has none.
    pub name: Option<String>,
    /// What git is given to find it.
    pub(in crate::store) word: String,
    /// Its address, where pushes go elsewhere than `word` leads fetches.
    pub(in crate::store) place: Option<String>,
    /// Whether that is one of several.
    is_of_many: bool,
    /// Where runs lie there.
    runs: String,
    /// Where code refs lie there.
    code: String,
}

/// What a remote holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The runs and their tips.
    pub runs: BTreeMap<RunId, Oid>,
    /// The code states that refs keep there.
    pub code: BTreeSet<Oid>,
    /// Refs below where runs lie whose names are no run ids, as far as they are listed.
    pub strange: Vec<String>,
    /// How many there are.
    pub strange_count: usize,
    /// What all other refs point at: branches and tags.
    pub others: BTreeSet<Oid>,
}

impl Remote {
    /// The ref of a run there.
    pub fn run_ref(&self, id: &RunId) -> String {
        format!("{}{id}", self.runs)
    }

    /// The ref there that keeps a code state.
    pub fn code_ref(&self, commit: &Oid) -> String {
        format!("{}{commit}", self.code)
    }

    /// Its name, or the path or address without credentials.
    pub fn shown(&self) -> String {
        match self.place.as_ref().filter(|_| self.is_of_many) {
            Some(place) => format!("{} ({})", self.called(), without_credentials(place)),
            None => self.called(),
        }
    }

    /// What a person calls it.
    pub fn called(&self) -> String {
        self.name.clone().unwrap_or_else(|| without_credentials(&self.word))
    }

    /// The address that a pull must be given for what is there.
    pub fn pulled_as(&self) -> String {
        self.place.as_deref().map_or_else(|| self.called(), without_credentials)
    }

    /// Settings that git needs to take what it is given for this repository.
    pub(in crate::store) fn settings(&self) -> Vec<String> {
        // An address as git makes it of another is not to be made another again; an equals sign would end the key.
        let fixed = self.place.as_ref().filter(|place| !place.contains('='));
        let rules =
            fixed.map(|place| ["insteadOf", "pushInsteadOf"].map(|key| format!("url.{place}.{key}={place}")));
        rules.into_iter().flatten().collect()
    }

    /// The same remote, where it is pushed to.
    pub(in crate::store) fn at(&self, place: String, is_of_many: bool) -> Self {
        Self { place: Some(place), is_of_many, ..self.clone() }
    }

    /// What git is given to find it.
    pub(in crate::store) fn target(&self) -> &str {
        self.place.as_deref().unwrap_or(&self.word)
    }
}

impl Store {
    /// The remotes that git's configuration names, and under whose names refs can be kept, sorted.
    pub fn remote_names(&self) -> Vec<String> {
        self.configured_names().into_iter().filter(|name| check_name(name).is_ok()).collect()
    }

    fn configured_names(&self) -> BTreeSet<String> {
        let names = self.config_section("remote").into_iter().filter_map(|(key, _)| {
            let (name, key) = key.rsplit_once('.')?;
            ["url", "pushurl"].contains(&key).then(|| name.to_owned())
        });
        names.collect()
    }

    /// The remote of this name.
    pub fn remote_named(&self, name: &str) -> Result<Option<Remote>> {
        if !self.configured_names().contains(name) {
            return Ok(None);
        }
        check_word(name)?;
        check_name(name)?;
        self.remote(Some(name.to_owned()), name.to_owned()).map(Some)
    }

    /// The repository at a path or an address, which need not be there.
    pub fn remote_at(&self, word: &str) -> Result<Remote> {
        check_word(word)?;
        self.remote(None, word.to_owned())
    }

    fn remote(&self, name: Option<String>, word: String) -> Result<Remote> {
        let key = name.as_ref().map(|name| format!("remote.{name}.xtrackPrefix"));
        let Some(prefix) = key.as_ref().and_then(|key| self.config(key)) else {
            let (runs, code) = (self.runs_prefix.clone(), CODE_PREFIX.to_owned());
            return Ok(Remote { name, word, runs, code, place: None, is_of_many: false });
        };
        let below = crate::store::open::checked_prefix(&key.unwrap_or_default(), &prefix)?;
        let (runs, code) = (format!("{below}runs/"), format!("{below}code/"));
        Ok(Remote { name, word, runs, code, place: None, is_of_many: false })
    }

    /// Where the tips of a remote's runs are kept as last fetched.
    pub fn tracking_prefix(name: &str) -> String {
        format!("refs/xtrack/remotes/{name}/runs/")
    }

    /// The tips of a remote's runs as last fetched.
    pub fn tracked(&self, name: &str) -> Result<BTreeMap<RunId, Oid>> {
        Ok(self.tips_beside(Some(name))?.1)
    }

    /// The tips of our runs, and of a remote's as last fetched, in one look.
    pub fn tips_beside(&self, name: Option<&str>) -> Result<(BTreeMap<RunId, Oid>, BTreeMap<RunId, Oid>)> {
        let place = name.map(|name| format!("{name}/runs"));
        let (mut ours, mut theirs) = (BTreeMap::new(), BTreeMap::new());
        for found in self.run_refs()? {
            if found.place.is_empty() {
                ours.insert(found.id, found.tip);
            } else if place.as_ref() == Some(&found.place) {
                theirs.insert(found.id, found.tip);
            }
        }
        Ok((ours, theirs))
    }

    /// The code states that refs keep here.
    pub fn code_states(&self) -> Result<BTreeSet<Oid>> {
        let lines = output_of(self.git().args(["for-each-ref", "--format=%(refname)", CODE_PREFIX]))?;
        let text = String::from_utf8_lossy(&lines);
        let names = text.lines().filter_map(|name| name.strip_prefix(CODE_PREFIX));
        Ok(names.filter(|name| self.is_oid(name)).map(str::to_owned).collect())
    }

    /// What the remote holds now.
    pub fn list_remote(&self, remote: &Remote, talk: &Talk<'_>) -> Result<Listing> {
        let mut git = self.git();
        for setting in remote.settings() {
            git.args(["-c", &setting]);
        }
        git.args(["ls-remote", "--quiet", "--refs", "--", remote.target()]);
        let said = talk.run(&mut git, b"")?;
        if !said.is_done {
            return Err(said.failure());
        }
        let text = String::from_utf8_lossy(&said.stdout);
        let mut listing = Listing::default();
        for (tip, name) in text.lines().filter_map(|line| line.split_once('\t')) {
            match self.is_oid(tip) {
                true => listing.take(remote, tip, name),
                // Git lists it, and could take nothing from it.
                false if is_hex(tip, 40) || is_hex(tip, 64) => return Err(self.foreign_hash(remote).into()),
                false => {}
            }
        }
        Ok(listing)
    }

    /// The common git folder of the remote, if it is a repository on this machine.
    pub fn local_remote(&self, remote: &Remote, is_push: bool) -> Option<PathBuf> {
        let address = self.address(remote, is_push);
        let path = address.strip_prefix("file://").unwrap_or(&address);
        // Where git runs, from which it takes a relative path.
        let path = self.work_tree().unwrap_or(&self.git_dir).join(path);
        common_dir_of(&path)
    }

    fn foreign_hash(&self, remote: &Remote) -> Problem {
        let (ours, shown) = (self.hash_kind(), remote.shown());
        Problem::new(format!(
            "'{shown}' names objects by another hash than this repository, which does by {ours}"
        ))
        .hint("runs travel only between repositories of one object format")
    }

    pub(in crate::store) fn is_oid(&self, text: &str) -> bool {
        is_hex(text, self.hash_kind().len_in_hex())
    }
}

impl Listing {
    fn take(&mut self, remote: &Remote, tip: &str, name: &str) {
        if let Some(id) = name.strip_prefix(&remote.runs) {
            match RunId::parse(id) {
                Some(id) => drop(self.runs.insert(id, tip.to_owned())),
                // Reserved for many records in one ref.
                None if id.starts_with("archive/") => {}
                None => {
                    self.strange_count += 1;
                    if self.strange.len() < STRANGE_MAX {
                        self.strange.push(name.to_owned());
                    }
                }
            }
        } else if let Some(commit) = name.strip_prefix(&remote.code) {
            // One that points elsewhere than it says keeps nothing that anybody looks for.
            if commit == tip {
                self.code.insert(tip.to_owned());
            }
        } else {
            self.others.insert(tip.to_owned());
        }
    }
}

/// Refuses what git might take for an option.
fn check_word(word: &str) -> Result<(), Problem> {
    if word.starts_with('-') || word.is_empty() || word.contains(['\n', '\0']) {
        return Err(Problem::usage(format!("{word:?} is no remote, path or address"))
            .hint("`git remote -v` lists the remotes"));
    }
    Ok(())
}

/// Refuses a remote whose name cannot be a part of the names of refs, which git does not make either.
fn check_name(name: &str) -> Result<(), Problem> {
    match gix::refs::FullName::try_from(format!("{}x", Store::tracking_prefix(name)).as_str()) {
        Ok(_) => Ok(()),
        Err(_) => {
            let problem =
                Problem::usage(format!("the remote {name:?} has a name that no ref can be kept under"));
            Err(problem.hint("give it another in git's configuration; its address will do as well"))
        }
    }
}

/// The common git folder of the repository at exactly this path, if there is one that git trusts.
fn common_dir_of(path: &Path) -> Option<PathBuf> {
    let parent = path.canonicalize().ok()?.parent()?.to_owned();
    let mut git = Command::new("git");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_INDEX_FILE"] {
        git.env_remove(name);
    }
    git.env("GIT_CEILING_DIRECTORIES", parent).env("LC_ALL", "C").current_dir(path).stdin(Stdio::null());
    git.args(["rev-parse", "--path-format=absolute", "--git-common-dir"]);
    let said = output_of(&mut git).context("no repository").ok()?;
    let text = String::from_utf8(said).ok()?;
    Some(PathBuf::from(text.trim_end_matches('\n')))
}
