//! Whether artifact bytes are what their names say: in records, in this clone, and in the store if it is asked.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::artifact::{self, ArtifactStore, Content, Presence, Purpose, Standing};
use crate::ops::artifact::{Held, distinct, moves};
use crate::run::id::sha256;
use crate::tracker::Tracker;

/// What was found of an artifact's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How they lie here, be it in the record; or why that is not known.
    pub here: Result<Standing, String>,
    /// How they lie in the store, if it was asked; or why that is not known.
    pub store: Option<Result<Standing, String>>,
}

impl Verdict {
    /// Whether bytes were found that are not what their name says.
    pub fn is_damaged(&self) -> bool {
        self.here == Ok(Standing::Damaged) || self.store == Some(Ok(Standing::Damaged))
    }

    /// Whether what is here, if anything, is what its name says.
    pub fn here_is_sound(&self) -> bool {
        matches!(self.here, Ok(Standing::Whole | Standing::Absent))
    }

    /// Whether no whole copy was found, where it was looked.
    pub fn is_missing(&self) -> bool {
        self.here != Ok(Standing::Whole) && self.store != Some(Ok(Standing::Whole))
    }
}

/// Reads the bytes of each; the store's are read back as well if it is given.
pub fn verify(
    tracker: &Tracker,
    artifacts: &[Held],
    store: Option<&dyn ArtifactStore>,
) -> Result<Vec<Verdict>> {
    let contents = distinct(artifacts.iter());
    let local = &tracker.artifacts;
    let standings = moves::each(tracker, &contents, &|content, tally| {
        let standing = local.standing(content);
        tally.add(content.size);
        Ok(standing?)
    });
    // One that cannot be read does not hide the others.
    let told = |standing: Result<Standing>| standing.map_err(|error| format!("{error:#}"));
    let here: BTreeMap<&Content, Result<Standing, String>> =
        contents.iter().zip(standings.into_iter().map(told)).collect();
    let there = match store {
        Some(store) => verify_there(tracker, &contents, store)?,
        None => BTreeMap::new(),
    };
    let of = |held: &Held| -> Result<Verdict> {
        Ok(match &held.inline {
            Some(place) => Verdict { here: Ok(inline(tracker, held, place)?), store: None },
            None => Verdict {
                here: here.get(&held.content).cloned().unwrap_or(Ok(Standing::Absent)),
                store: there.get(&held.content).cloned(),
            },
        })
    };
    artifacts.iter().map(of).collect()
}

/// Reads what the store has of these back.
pub fn verify_there(
    tracker: &Tracker,
    contents: &[Content],
    store: &dyn ArtifactStore,
) -> Result<BTreeMap<Content, Result<Standing, String>>> {
    let mut found = BTreeMap::new();
    let mut present = Vec::new();
    for (content, presence) in contents.iter().zip(artifact::look(store, contents, Purpose::Take)?) {
        match presence {
            Presence::There => present.push(content.clone()),
            Presence::Absent => drop(found.insert(content.clone(), Ok(Standing::Absent))),
            Presence::Refused(why) => drop(found.insert(content.clone(), Err(why))),
        }
    }
    let read =
        moves::each(tracker, &present, &|content, tally| artifact::is_sound_there(store, content, tally));
    for (content, outcome) in present.into_iter().zip(read) {
        let standing = match outcome {
            Ok(true) => Ok(Standing::Whole),
            Ok(false) => Ok(Standing::Damaged),
            Err(error) => Err(format!("{error:#}")),
        };
        found.insert(content, standing);
    }
    Ok(found)
}

fn inline(tracker: &Tracker, held: &Held, place: &str) -> Result<Standing> {
    Ok(match inline_bytes(tracker, held, place)? {
        None => Standing::Absent,
        Some(bytes) if bytes.len() as u64 == held.content.size && sha256(&bytes) == held.content.sha256 => {
            Standing::Whole
        }
        Some(_) => Standing::Damaged,
    })
}

/// The bytes of an artifact that lie in the record; they are not looked at.
pub fn inline_bytes(tracker: &Tracker, held: &Held, place: &str) -> Result<Option<Vec<u8>>> {
    let Some(tip) = tracker.tip(&held.run)? else {
        // In progress: what was said of it waits in its folder.
        let live = tracker.live_of(&held.run);
        return Ok(live.iter().find_map(|folder| folder.edits().ok()?.remove(place)));
    };
    Ok(tracker.store.read(&tip, &|path| path == place)?.remove(place))
}
