//! The journal: what a run in progress leaves on disk, so that nothing a call returned from is lost.
//!
//! Knows the live folder, the lines that writers append to it and what they come to; nothing of records, refs or commits.
//! `docs/protocol.md` is its specification. Readers trust no line: a torn or damaged one is counted and passed over.

pub mod event;
pub mod folder;
pub mod json;
pub mod line;
pub mod name;
pub mod owner;
pub mod read;
pub mod replay;
pub mod write;
