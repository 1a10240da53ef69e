//! Artifacts of runs that are pushed: which bytes are needed elsewhere, which go along, and which stay or are missing here.
//!
//! They go to the store that is set, or into a repository on this machine, before any ref there names them. Without either
//! there is no place for them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};

use crate::artifact::{self, ArtifactStore, Content, Directory, Presence, Purpose};
use crate::ops::artifact::stores::Chosen;
use crate::ops::artifact::{moves, shown};
use crate::run::id::RunId;
use crate::run::pointer;
use crate::run::record::Place;
use crate::store::{Oid, Remote};
use crate::tracker::Tracker;

/// Where an artifact's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// In the remote.
    There,
    /// Here; they go along.
    Going,
    /// Here, and the remote has no place for them.
    Staying,
    /// Neither here nor, as far as can be told, there.
    Missing,
    /// The place for them cannot be used, or refuses them.
    Refused,
}

/// An artifact of a run that is pushed, whose bytes are not in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// The run.
    pub id: RunId,
    /// The artifact's path, as it is shown.
    pub path: String,
    /// The name of its bytes.
    pub content: Content,
    /// Where they are.
    pub whereabouts: Whereabouts,
    /// Why they cannot go, if they are refused.
    pub reason: Option<String>,
}

/// Where the bytes of artifacts go with a push.
pub struct Destination {
    place: Result<Option<Box<dyn ArtifactStore>>, String>,
}

impl Destination {
    /// The store that is set; else, and where a repository is named by its path, its own if it is on this machine.
    pub fn of(tracker: &Tracker, remote: &Remote, is_attended: bool) -> Self {
        let chosen = || match Chosen::set(tracker)? {
            Some(chosen) => chosen.open(tracker, is_attended).map(Some),
            None => Ok(None),
        };
        let own = || -> Option<Box<dyn ArtifactStore>> {
            let common_dir = tracker.store.local_remote(remote, true)?;
            Some(Box::new(Directory::of_clone(&common_dir, &remote.shown())))
        };
        let place = match tracker.config.store.url.is_some() && remote.name.is_some() {
            true => chosen(),
            false => own().map_or_else(chosen, |own| Ok(Some(own))),
        };
        Self { place: place.map_err(|error| format!("{error:#}")) }
    }

    /// The artifacts that a run's tip names and `theirs`, the remote's tip of it, does not; where they are is not looked at.
    pub fn needed(
        &self,
        tracker: &Tracker,
        id: &RunId,
        ours: &Oid,
        theirs: Option<&Oid>,
    ) -> Result<Vec<Needed>> {
        let known: BTreeSet<Oid> = match theirs {
            Some(theirs) => pointer_files(tracker, theirs)?.into_iter().collect(),
            None => BTreeSet::new(),
        };
        let mut needed = Vec::new();
        for file in pointer_files(tracker, ours)?.into_iter().filter(|file| !known.contains(file)) {
            let pointers =
                pointer::decode(&tracker.store.blob(&file)?).context("a list of artifacts is damaged")?;
            for pointer in pointers.into_iter().filter(|pointer| !pointer.inline) {
                needed.push(Needed {
                    id: id.clone(),
                    path: shown(&pointer.path),
                    content: Content { sha256: pointer.sha256, size: pointer.size },
                    whereabouts: Whereabouts::Missing,
                    reason: None,
                });
            }
        }
        Ok(needed)
    }

    /// Looks where all of these are; the destination is asked once.
    pub fn locate(&self, tracker: &Tracker, needed: &mut [&mut Needed]) {
        let contents: BTreeSet<Content> = needed.iter().map(|one| one.content.clone()).collect();
        let contents: Vec<Content> = contents.into_iter().collect();
        if contents.is_empty() {
            return;
        }
        let looked = match &self.place {
            Ok(Some(place)) => {
                let looked = artifact::look(place.as_ref(), &contents, Purpose::Send);
                looked.map_err(|error| format!("{error:#}")).map(Some)
            }
            Ok(None) => Ok(None),
            Err(why) => Err(why.clone()),
        };
        let found: Option<BTreeMap<&Content, Presence>> = match looked {
            Ok(found) => found.map(|found| contents.iter().zip(found).collect()),
            Err(why) => {
                Some(contents.iter().map(|content| (content, Presence::Refused(why.clone()))).collect())
            }
        };
        for one in needed {
            let is_here = tracker.artifacts.has(&one.content);
            one.whereabouts = match found.as_ref().map(|found| &found[&one.content]) {
                Some(Presence::There) => Whereabouts::There,
                Some(Presence::Absent) if is_here => Whereabouts::Going,
                None if is_here => Whereabouts::Staying,
                Some(Presence::Refused(why)) => {
                    one.reason = Some(why.clone());
                    Whereabouts::Refused
                }
                _ => Whereabouts::Missing,
            };
        }
    }

    /// Sends the bytes that go along, each once, checked on both sides; the runs of which some did not arrive, and why.
    pub fn send(&self, tracker: &Tracker, needed: &[Needed]) -> BTreeMap<RunId, String> {
        let Ok(Some(place)) = &self.place else {
            return BTreeMap::new();
        };
        let going = || needed.iter().filter(|one| one.whereabouts == Whereabouts::Going);
        let contents: BTreeSet<Content> = going().map(|one| one.content.clone()).collect();
        let contents: Vec<Content> = contents.into_iter().collect();
        let local = &tracker.artifacts;
        let store = place.as_ref();
        let sent: Vec<Result<()>> = match store.prepare(crate::ops::artifact::bytes_of(&contents)) {
            Ok(()) => moves::each(tracker, &contents, &|content, tally| {
                artifact::send(store, local, content, tally)
            }),
            Err(error) => contents.iter().map(|_| Err(anyhow::anyhow!("{error:#}"))).collect(),
        };
        let failed: BTreeMap<&Content, String> = contents
            .iter()
            .zip(sent)
            .filter_map(|(content, outcome)| Some((content, format!("{:#}", outcome.err()?))))
            .collect();
        let mut runs = BTreeMap::new();
        for one in going() {
            if let Some(why) = failed.get(&one.content) {
                runs.entry(one.id.clone()).or_insert_with(|| format!("its artifact '{}': {why}", one.path));
            }
        }
        runs
    }
}

/// The lists of artifacts in a record, by their blobs.
fn pointer_files(tracker: &Tracker, tip: &Oid) -> Result<Vec<Oid>> {
    let is_list =
        |path: &str| matches!(Place::parse(path), Ok(Place::AttemptArtifacts(_) | Place::EditArtifacts(_)));
    let blobs = tracker.store.blobs(tip)?;
    Ok(blobs.into_iter().filter(|(path, _)| is_list(path)).map(|(_, oid)| oid).collect())
}
