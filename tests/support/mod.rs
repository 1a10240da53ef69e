//! What tests stand on: a hermetic repository, and the program run in it.
//!
//! Knows nothing of the machine it runs on but PATH.
#![allow(clippy::unwrap_used, dead_code, unused_imports)]

pub mod alone;
pub mod live;
pub mod repo;
pub mod signals;

pub use alone::alone;
pub use repo::{Output, Repo};
