//! The heartbeat of a run: from its begin to the end of its commit its folder is touched now and then.
//!
//! Who shares the folder from another machine sees by it that the recorder lives, and nothing else: whether it does is
//! `journal::owner`'s to tell here. Knows when; a folder that cannot be touched is no fault of the run's.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::journal::folder::LiveFolder;

/// How often the folder is touched.
const EVERY: Duration = Duration::from_secs(15);

/// Beats until it is dropped.
#[derive(Debug)]
pub struct Heartbeat {
    /// Its thread ends when this is gone; nobody waits for that, since a network file system may hang.
    _end: Sender<()>,
}

impl Heartbeat {
    /// Begins to touch the folder.
    pub fn start(folder: &LiveFolder) -> Self {
        Self::every(EVERY, folder)
    }

    fn every(interval: Duration, folder: &LiveFolder) -> Self {
        let (end, ended) = mpsc::channel::<()>();
        let folder = folder.clone();
        let beat = move || {
            while ended.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                // A full disk, or a folder that is gone.
                let _ = folder.heartbeat();
            }
        };
        // Without a thread others see the journals change all the same.
        let _ = thread::Builder::new().name("heartbeat".to_owned()).spawn(beat);
        Self { _end: end }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn it_beats_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let heartbeat = folder.path().join("heartbeat");
        let beating = Heartbeat::every(Duration::from_millis(5), &LiveFolder::open(folder.path()));
        while !heartbeat.exists() {
            thread::sleep(Duration::from_millis(1));
        }
        drop(beating);
        thread::sleep(Duration::from_millis(100));
        std::fs::remove_file(&heartbeat).unwrap();
        thread::sleep(Duration::from_millis(100));
        assert!(!heartbeat.exists());
    }
}
