//! Artifact bytes taken away here: only those that the store has, as its answer of now says, or all of them read back.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::artifact::{self, ArtifactStore, Content, Presence, Purpose, Standing};
use crate::ops::artifact::verify::verify_there;
use crate::tracker::Tracker;

/// How a prune is done.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Whether the store's word is enough, and the bytes are not read back.
    pub by_size: bool,
}

/// What may be taken away, and what stays.
#[derive(Debug, Default)]
pub struct Plan {
    /// What the store has.
    pub going: Vec<Content>,
    /// What stays, and why.
    pub staying: BTreeMap<Content, String>,
}

/// Looks at what the store has of those that are here. Nothing is taken away.
pub fn plan(
    tracker: &Tracker,
    store: &dyn ArtifactStore,
    contents: &[Content],
    options: Options,
) -> Result<Plan> {
    let here: Vec<Content> =
        contents.iter().filter(|content| tracker.artifacts.has(content)).cloned().collect();
    let found: BTreeMap<Content, Result<Standing, String>> = match options.by_size {
        false => verify_there(tracker, &here, store)?,
        true => {
            let told = |presence| match presence {
                Presence::There => Ok(Standing::Whole),
                Presence::Absent => Ok(Standing::Absent),
                Presence::Refused(why) => Err(why),
            };
            let looked = artifact::look(store, &here, Purpose::Take)?.into_iter().map(told);
            here.iter().cloned().zip(looked).collect()
        }
    };
    let mut plan = Plan::default();
    for content in here {
        let why = match found.get(&content) {
            Some(Ok(Standing::Whole)) => {
                plan.going.push(content);
                continue;
            }
            Some(Ok(Standing::Damaged)) => "what the store has of it is damaged".to_owned(),
            Some(Err(why)) => why.clone(),
            Some(Ok(Standing::Absent)) | None => "the store does not have it".to_owned(),
        };
        plan.staying.insert(content, why);
    }
    Ok(plan)
}

/// Takes away what was planned.
pub fn prune(tracker: &Tracker, plan: &Plan) -> Result<()> {
    plan.going.iter().try_for_each(|content| tracker.artifacts.remove(&content.sha256))
}
