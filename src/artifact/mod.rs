//! Artifact bytes: files kept by the sha256 of their content in `<common git dir>/xtrack/objects/<aa>/<sha256>`.
//!
//! Knows digests and bytes; not what a run is, nor which artifact belongs to whom.

mod local;

pub use crate::artifact::local::{Artifacts, Stored};
