//! Others' runs brought here and laid together with ours.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::ops::sync::fetch::{self, Fetched};
use crate::ops::sync::merge::{self, Outcome};
use crate::run::id::RunId;
use crate::store::{Oid, Remote, Talk};
use crate::tracker::Tracker;

/// What is wanted besides the runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Whether the code comes as well.
    pub code: bool,
    /// Whether runs go that were purged elsewhere.
    pub takes_purges: bool,
}

/// Fetches from the remote and merges what came.
pub fn pull(
    tracker: &Tracker,
    remote: &Remote,
    options: Options,
    talk: &Talk<'_>,
) -> Result<(Fetched, Outcome)> {
    let fetched = fetch::fetch(tracker, remote, options.code, talk)?;
    let known = merge::Options { checked: fetched.checked.clone(), takes_purges: options.takes_purges };
    let is_news = |(id, tip): &(&RunId, &Oid)| fetched.here.get(*id) != Some(*tip);
    let tips: BTreeMap<RunId, Oid> =
        fetched.tips.iter().filter(is_news).map(|(id, tip)| (id.clone(), tip.clone())).collect();
    let mut outcome = merge::merge(tracker, &tips, &known)?;
    outcome.current += fetched.tips.len() - tips.len();
    Ok((fetched, outcome))
}
