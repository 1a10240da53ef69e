//! The code that ran: kept as it was, found again after its history was rewritten, and told apart from what it changed.
//!
//! Knows Git's commits and work tree; of runs only that a state of code belongs to one.

pub(in crate::store) mod history;
pub(in crate::store) mod patch_id;
pub(in crate::store) mod secrets;
pub(in crate::store) mod snapshot;
pub(in crate::store) mod status;
pub(in crate::store) mod untracked;
