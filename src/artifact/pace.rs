//! Whether a line moves: one that stands, or only drips, is given up after a while, and tried again by who asked.

use std::io::{self, Read};
use std::time::{Duration, Instant};

/// What a line has to move, over as long as one is patient.
const BYTES_PER_SECOND_MIN: u64 = 1 << 10;

/// Looks how a line moves.
pub struct Pace {
    patience: Duration,
    since: Instant,
    through: u64,
}

impl Pace {
    /// Begins to look.
    pub fn new(patience: Duration) -> Self {
        Self { patience, since: Instant::now(), through: 0 }
    }

    /// Whether it hardly moved for as long as one is patient, so many bytes being through by now.
    pub fn is_stalled(&mut self, through: u64) -> bool {
        let elapsed = self.since.elapsed();
        if elapsed < self.patience {
            return false;
        }
        let moved = through.saturating_sub(self.through);
        (self.since, self.through) = (Instant::now(), through);
        moved < BYTES_PER_SECOND_MIN.saturating_mul(self.patience.as_secs().max(1))
    }
}

/// The longest that so many bytes may take.
pub fn longest(bytes: u64, patience: Duration) -> Duration {
    patience * 6 + Duration::from_secs(bytes / BYTES_PER_SECOND_MIN)
}

/// What comes over a line, for as long as it moves.
pub struct Paced<R> {
    inner: R,
    pace: Pace,
    through: u64,
}

impl<R> Paced<R> {
    /// Reads from a line.
    pub fn new(inner: R, patience: Duration) -> Self {
        Self { inner, pace: Pace::new(patience), through: 0 }
    }
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.through += read as u64;
        match read > 0 && self.pace.is_stalled(self.through) {
            true => Err(io::Error::new(io::ErrorKind::TimedOut, "it came too slowly")),
            false => Ok(read),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_drips_is_given_up_and_what_runs_is_not() {
        let mut pace = Pace::new(Duration::from_millis(1));
        assert!(!Pace::new(Duration::from_secs(60)).is_stalled(0), "it may still begin");
        std::thread::sleep(Duration::from_millis(2));
        assert!(!pace.is_stalled(1 << 20));
        std::thread::sleep(Duration::from_millis(2));
        assert!(pace.is_stalled((1 << 20) + 10));
        let mut dripping = Paced::new(io::repeat(0), Duration::from_millis(1));
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(dripping.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
