//! How many rows were looked at, for tests that count work instead of time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static ROWS: AtomicU64 = AtomicU64::new(0);

/// How many rows the index gave since the process began.
pub fn rows() -> u64 {
    ROWS.load(Relaxed)
}

pub(super) fn add(rows: u64) {
    ROWS.fetch_add(rows, Relaxed);
}
