//! Runs in progress that are not, or not any more, in the hands of their recorder: begun by others, watched, recovered,
//! adopted, put away.
//!
//! Knows whose hands a run is in; how its record is made is `record::close`'s.

pub mod adopt;
pub mod away;
pub mod begin;
pub mod portable;
pub mod recover;
pub mod status;
pub mod verdict;
pub mod watch;
