//! How much was read, for tests that count work instead of time.
//!
//! Counts for the whole process: readers at work side by side each have a store of their own.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static OBJECTS: AtomicU64 = AtomicU64::new(0);
static REFS: AtomicU64 = AtomicU64::new(0);

/// What was read of a repository since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Objects.
    pub objects: u64,
    /// Refs: files of one each, and lines of packed refs.
    pub refs: u64,
}

/// What was read so far.
pub fn counts() -> Counts {
    Counts { objects: OBJECTS.load(Relaxed), refs: REFS.load(Relaxed) }
}

pub(super) fn object() {
    OBJECTS.fetch_add(1, Relaxed);
}

pub(super) fn refs(count: usize) {
    REFS.fetch_add(count as u64, Relaxed);
}
