//! The artifact store that a command speaks to, and the question that comes before the first word to one that the code
//! names.

use anyhow::Result;

use crate::artifact::ArtifactStore;
use crate::cli::Session;
use crate::ops::artifact::stores::{self, Chosen};
use crate::tracker::Tracker;

/// Opens the store; asks first, if nobody said yet that the one which xtrack.toml names may be spoken to.
pub fn open_store(session: &Session, tracker: &mut Tracker) -> Result<Box<dyn ArtifactStore>> {
    let chosen = Chosen::of(tracker)?.ok_or_else(stores::none)?;
    settle(session, tracker, &chosen)?;
    chosen.open(tracker, session.is_attended())
}

/// Asks whether the store that the settings name may be spoken to, if that is open and somebody is here to say.
pub fn settle_set(session: &Session, tracker: &mut Tracker) -> Result<()> {
    // A store that cannot be made out is told of where something was to go there.
    match Chosen::set(tracker) {
        Ok(Some(chosen)) => settle(session, tracker, &chosen),
        _ => Ok(()),
    }
}

fn settle(session: &Session, tracker: &mut Tracker, chosen: &Chosen) -> Result<()> {
    if chosen.is_trusted(tracker) || !session.can_ask() {
        return Ok(());
    }
    let question = format!("{} Trust it in this clone?", chosen.proposed());
    if session.confirm(&question)? {
        chosen.trust(tracker)?;
    }
    Ok(())
}
