//! Artifact bytes: files kept by the sha256 of their content in `<common git dir>/xtrack/objects/<aa>/<sha256>`, and in
//! stores elsewhere.
//!
//! Knows digests, bytes and how stores are spoken to; not what a run is, nor which artifact belongs to whom.

mod bucket;
mod connection;
mod content;
mod directory;
mod guard;
mod http;
mod lfs;
mod local;
mod pace;
mod partial;
mod stores;
mod sweep;
mod transfer;
mod web;

pub use reqwest::Url;

pub use crate::artifact::bucket::{Bucket, BucketPlace};
pub use crate::artifact::content::{Content, Tally};
pub use crate::artifact::directory::Directory;
pub use crate::artifact::lfs::{Lfs, LfsPlace, Ssh};
pub use crate::artifact::local::{Artifacts, Standing};
pub use crate::artifact::stores::{ArtifactStore, Credentials, Passing, Presence, Purpose, Settings};
pub use crate::artifact::sweep::{Held, LeftOver};
pub use crate::artifact::transfer::{is_sound_there, look, patiently, send, send_again, side_by_side, take};
pub use crate::artifact::web::Web;
