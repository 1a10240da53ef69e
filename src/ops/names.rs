//! The names that a person may be about to type: those of runs, and of what runs hold.
//!
//! Made for completion: it writes nothing, says nothing of runs it cannot read, and asks the index as it lies there.
//! Without one it reads the runs, unless there are many.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow};

use crate::index::Index;
pub use crate::index::{Held, Named};
use crate::query::Vocabulary;
use crate::run::Run;
use crate::tracker::Tracker;

/// How many runs are read where there is no index.
const READ_MAX: usize = 2000;

/// The runs whose id, short id or name begins so, the newest first, at most `count_max`: the deleted and hidden ones, or
/// the others.
pub fn runs(tracker: &Tracker, begins: &str, deleted: bool, count_max: usize) -> Result<Vec<Named>> {
    let hidden = tracker.hidden();
    let room = count_max + hidden.len();
    let mut found = match glance(tracker)? {
        Known::Index(index) if deleted => {
            let others = index.named(begins, false, usize::MAX >> 1)?.into_iter();
            let hidden = others.filter(|named| hidden.contains(&named.id));
            hidden.chain(index.named(begins, true, room)?).collect()
        }
        Known::Index(index) => index.named(begins, false, room)?,
        Known::Runs(runs) => {
            let is_wanted = |run: &&Run| run.deleted == deleted || (deleted && hidden.contains(&run.id));
            runs.iter().filter(is_wanted).map(Named::of).filter(|named| named.begins(begins)).collect()
        }
    };
    found.retain(|named| deleted || !hidden.contains(&named.id));
    found.sort_by(|a, b| (b.started, &b.id).cmp(&(a.started, &a.id)));
    found.truncate(count_max);
    Ok(found)
}

/// What runs hold of it.
pub fn held(tracker: &Tracker, held: Held) -> Result<BTreeSet<String>> {
    Ok(match glance(tracker)? {
        Known::Index(index) => index.held(held)?,
        Known::Runs(runs) => runs.iter().flat_map(|run| held.of(run)).collect(),
    })
}

/// The params, metrics and keys of tags that runs use.
pub fn vocabulary(tracker: &Tracker) -> Result<Vocabulary> {
    Ok(match glance(tracker)? {
        Known::Index(index) => index.vocabulary()?,
        Known::Runs(runs) => Vocabulary::of(&runs),
    })
}

/// What is known of runs without waiting.
enum Known {
    Index(Box<Index>),
    Runs(Vec<Run>),
}

fn glance(tracker: &Tracker) -> Result<Known> {
    if let Some(index) = tracker.index_at_a_glance() {
        return Ok(Known::Index(Box::new(index)));
    }
    match tracker.store.run_tips()?.len() <= READ_MAX {
        true => Ok(Known::Runs(tracker.load_all()?.runs)),
        false => Err(anyhow!("there is no index")),
    }
}
