//! Which store keeps this clone's artifacts outside of it, whose word that is, and whether it may be spoken to.
//!
//! What `xtrack.toml` or `.lfsconfig` names came with the code, perhaps from a stranger: nothing goes there, and nothing is
//! asked there, before somebody said in this clone that it may. The git remote's own host needs no leave: it has the runs.

mod lfs;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};

use crate::artifact::{
    ArtifactStore, Bucket, BucketPlace, Credentials, Directory, Lfs, LfsPlace, Settings, Url, Web,
};
use crate::config::Said;
use crate::error::Problem;
use crate::ops::sync;
use crate::store::{Helper, Login};
use crate::tracker::Tracker;

/// The setting of git's that keeps which stores are trusted.
const TRUSTED: &str = "xtrack.store.trusted";

/// Schemes of buckets.
const BUCKETS: &[&str] = &["s3", "s3a", "gs", "gcs", "az", "azure", "adl", "abfs", "abfss"];

/// The store that is set, or that goes without saying.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// What it is called, without credentials.
    pub shown: String,
    /// What somebody has to trust before it is spoken to; nothing where the user set it.
    proposal: Option<String>,
    kind: Kind,
}

/// What a store is made of.
#[derive(Debug, Clone)]
enum Kind {
    /// A folder.
    Directory(PathBuf),
    /// The own store of a clone on this machine.
    Clone(PathBuf),
    /// A Git LFS server.
    Lfs(LfsPlace),
    /// A bucket.
    Bucket(BucketPlace),
    /// A web server.
    Web(Url),
}

impl Chosen {
    /// The store that the settings name, else the usual remote's own if that is a repository on this machine.
    pub fn of(tracker: &Tracker) -> Result<Option<Self>> {
        match Self::set(tracker)? {
            None => Ok(Self::of_usual_remote(tracker)),
            chosen => Ok(chosen),
        }
    }

    /// The store that the settings name; nothing else goes for one.
    pub fn set(tracker: &Tracker) -> Result<Option<Self>> {
        let chosen = tracker.config.store.url.as_ref().map(|said| Self::named(tracker, said));
        chosen.transpose().context("cannot use the artifact store")
    }

    fn named(tracker: &Tracker, said: &Said) -> Result<Self> {
        let text = said.text.as_str();
        let proposal = (!said.is_own).then(|| text.to_owned());
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        let plain = |kind| Self { shown: text.to_owned(), proposal: proposal.clone(), kind };
        Ok(match scheme.as_deref() {
            None if text == "lfs" || text.starts_with("lfs:") => {
                lfs::of_remote(tracker, text.strip_prefix("lfs:"))?
            }
            None => plain(Kind::Directory(folder(tracker, text))),
            Some("file") => plain(Kind::Directory(PathBuf::from(of_this_machine(text)?))),
            Some("lfs+http" | "lfs+https") => lfs::at(tracker, &text["lfs+".len()..], said.is_own)?,
            Some("http" | "https") => {
                let url = Url::parse(text).map_err(|_| Problem::usage(format!("{text:?} is no address")))?;
                Self { shown: lfs::without_credentials(&url), proposal, kind: Kind::Web(url) }
            }
            Some(scheme) if BUCKETS.contains(&scheme) => bucket(tracker, said),
            Some(_) => return Err(unknown(text).into()),
        })
    }

    fn of_usual_remote(tracker: &Tracker) -> Option<Self> {
        let remote = sync::usual_remote(tracker).ok()?;
        let common_dir = tracker.store.local_remote(&remote, false)?;
        // A clone may be its own remote; it keeps nothing outside of itself.
        if common_dir == tracker.store.common_dir() {
            return None;
        }
        Some(Self { shown: remote.shown(), proposal: None, kind: Kind::Clone(common_dir) })
    }

    /// What is proposed, as a sentence.
    pub fn proposed(&self) -> String {
        format!("this repository names '{}' as the place for artifacts.", self.shown)
    }

    /// Whether it may be spoken to.
    pub fn is_trusted(&self, tracker: &Tracker) -> bool {
        self.proposal.as_ref().is_none_or(|proposal| tracker.config.store.trusted.contains(proposal))
    }

    /// Remembers in this clone that it may be spoken to.
    pub fn trust(&self, tracker: &mut Tracker) -> Result<()> {
        if let Some(proposal) = self.proposal.as_ref().filter(|_| !self.is_trusted(tracker)) {
            tracker.store.add_config(TRUSTED, proposal)?;
            tracker.config.store.trusted.push(proposal.clone());
        }
        Ok(())
    }

    /// Opens it, if it may be spoken to; a password may be asked for if somebody is there.
    pub fn open(&self, tracker: &Tracker, is_attended: bool) -> Result<Box<dyn ArtifactStore>> {
        if !self.is_trusted(tracker) {
            return Err(untrusted(&self.shown).into());
        }
        let credentials =
            || -> Arc<dyn Credentials> { Arc::new(ByGit(tracker.store.credential_helper(is_attended))) };
        let patience = tracker.config.store.patience;
        Ok(match &self.kind {
            Kind::Directory(folder) => {
                Box::new(self.elsewhere(tracker, Directory::open(folder, &self.shown)?)?)
            }
            Kind::Clone(common_dir) => {
                Box::new(self.elsewhere(tracker, Directory::of_clone(common_dir, &self.shown))?)
            }
            Kind::Lfs(place) => Box::new(Lfs::new(place.clone(), credentials(), patience)),
            Kind::Bucket(place) => {
                Box::new(Bucket::open(place.clone(), &tracker.artifacts.temporary_folder())?)
            }
            Kind::Web(url) => Box::new(Web::new(url.clone(), self.shown.clone(), credentials(), patience)?),
        })
    }

    /// Refuses the folder in which this clone itself keeps bytes: what `prune` takes away here would be gone there, too.
    fn elsewhere(&self, tracker: &Tracker, store: Directory) -> Result<Directory> {
        match tracker.artifacts.is_at(store.folder()) {
            true => Err(Problem::usage(format!(
                "the artifact store '{}' is the folder in which this clone keeps artifacts itself",
                self.shown
            ))
            .hint("another one keeps a copy: `git config xtrack.store.url PATH`")
            .into()),
            false => Ok(store),
        }
    }
}

fn bucket(tracker: &Tracker, said: &Said) -> Chosen {
    let store = &tracker.config.store;
    let text = |said: &Option<Said>| said.as_ref().map(|said| said.text.clone());
    let place =
        BucketPlace { url: said.text.clone(), endpoint: text(&store.endpoint), region: text(&store.region) };
    let shown = match &place.endpoint {
        Some(endpoint) => format!("{} at {endpoint}", place.url),
        None => place.url.clone(),
    };
    // Where the bucket is, is said by all three.
    let is_own =
        said.is_own && [&store.endpoint, &store.region].into_iter().flatten().all(|said| said.is_own);
    Chosen { proposal: (!is_own).then(|| shown.clone()), shown, kind: Kind::Bucket(place) }
}

/// The path in an address `file://`, which may name this machine.
fn of_this_machine(text: &str) -> Result<&str, Problem> {
    let rest = text.get("file://".len()..).unwrap_or_default();
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    match path.starts_with('/') {
        true => Ok(path),
        false => Err(Problem::usage(format!("{text:?} names a folder of another machine"))
            .hint("mount it here, and name the folder; `file:///path` is one of this machine")),
    }
}

/// A folder as settings name it: from the top of the work tree, or from the user's home.
fn folder(tracker: &Tracker, text: &str) -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    if let (Some(rest), Some(home)) = (text.strip_prefix("~/"), home()) {
        return home.join(rest);
    }
    let top = tracker.store.work_tree().unwrap_or_else(|| tracker.store.common_dir());
    top.join(Path::new(text))
}

/// Git's credential helpers, for stores that are servers.
struct ByGit(Helper);

impl Credentials for ByGit {
    fn fill(&self, address: &str) -> Result<Option<(String, String)>> {
        // A helper that fails has none.
        let login = self.0.fill(address).unwrap_or_default();
        Ok(login.map(|login| (login.user, login.password)))
    }

    fn judge(&self, address: &str, (user, password): &(String, String), is_good: bool) {
        let login = Login { user: user.clone(), password: password.clone() };
        // One that cannot remember costs a question the next time.
        let _ = self.0.judge(address, &login, is_good);
    }

    fn settings(&self, address: &str) -> Settings {
        self.0.settings(address)
    }
}

/// What is said where no store is set.
pub fn none() -> Problem {
    Problem::usage("no artifact store is set")
        .hint("`git config xtrack.store.url PATH` makes a folder one, `lfs` the remote's Git LFS server, `s3://…` a bucket")
        .hint("`url` of [store] in xtrack.toml proposes one to everybody")
}

fn untrusted(shown: &str) -> Problem {
    Problem::new(format!(
        "'{shown}', which this repository names as the artifact store, is not trusted in this clone"
    ))
    .hint("`git xtrack artifact trust` trusts it; until then nothing goes there, and nothing is asked there")
}

fn unknown(text: &str) -> Problem {
    Problem::usage(format!("{text:?} is no artifact store"))
        .hint("name a folder, `lfs`, `lfs+https://…`, `s3://…`, `gs://…`, `az://…`, or `https://…`")
}
