//! The framing of event files: length, its checksum, bytes, their checksum.
//!
//! Knows nothing of what the bytes say. The framing has no marks to find one's way by, but a length with a right
//! checksum before bytes with a right one is no accident (1 in 2^64): after damage the next such place is searched for, and the
//! records from there on are kept.

use std::io::{self, Read};

/// The largest record that is read.
const RECORD_MAX: u64 = 64 << 20;

/// How many bytes are checked in vain, before the rest is given up.
const WASTED_MAX: u64 = 1 << 30;

const HEAD: usize = 12;
const CHUNK: usize = 64 << 10;

/// The records of a file.
pub struct Records<R> {
    source: R,
    buffer: Vec<u8>,
    at: usize,
    /// How many bytes came before the buffer.
    passed: u64,
    is_ended: bool,
    gap: Option<u64>,
    wasted: u64,
    loss: Loss,
}

/// What could not be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loss {
    /// How many places in the middle.
    pub gaps: u64,
    /// How many bytes at the end.
    pub torn: u64,
}

impl<R: Read> Records<R> {
    /// Those of `source`.
    pub fn new(source: R) -> Self {
        let (buffer, loss) = (Vec::new(), Loss::default());
        Self { source, buffer, at: 0, passed: 0, is_ended: false, gap: None, wasted: 0, loss }
    }

    /// Where the last record ended.
    pub fn offset(&self) -> u64 {
        self.passed + self.at as u64
    }

    /// What could not be read so far.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// The bytes of the next record that is whole.
    pub fn next(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            if !self.fill(HEAD)? || self.wasted > WASTED_MAX {
                self.end()?;
                return Ok(None);
            }
            if let Some(length) = self.whole()? {
                self.loss.gaps += u64::from(self.gap.take().is_some());
                let start = self.at + HEAD;
                self.at = start + length + 4;
                return Ok(Some(&self.buffer[start..start + length]));
            }
            self.gap.get_or_insert(self.passed + self.at as u64);
            self.at += 1;
        }
    }

    /// The length of the record that begins here, if one does.
    fn whole(&mut self) -> io::Result<Option<usize>> {
        let head = &self.buffer[self.at..self.at + HEAD];
        let length = u64::from_le_bytes(head[..8].try_into().expect("8 bytes were taken"));
        if !is_checksum(&head[8..], &head[..8]) || length > RECORD_MAX {
            return Ok(None);
        }
        let length = length as usize;
        if !self.fill(HEAD + length + 4)? {
            return Ok(None);
        }
        let start = self.at + HEAD;
        let (bytes, checksum) = self.buffer[start..start + length + 4].split_at(length);
        let is_right = is_checksum(checksum, bytes);
        self.wasted += if is_right { 0 } else { length as u64 };
        Ok(is_right.then_some(length))
    }

    /// Everything is read; what was not understood is torn.
    fn end(&mut self) -> io::Result<()> {
        let end = self.passed + self.buffer.len() as u64 + io::copy(&mut self.source, &mut io::sink())?;
        let start = self.gap.take().unwrap_or(self.passed + self.at as u64);
        self.loss.torn += end - start;
        (self.at, self.passed) = (self.buffer.len(), end - self.buffer.len() as u64);
        Ok(())
    }

    /// Whether so many bytes lie ahead; never asks for memory that the file does not fill.
    fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        if self.at > (1 << 20) && self.at > self.buffer.len() / 2 {
            self.buffer.drain(..self.at);
            self.passed += self.at as u64;
            self.at = 0;
        }
        while self.buffer.len() - self.at < wanted && !self.is_ended {
            let read = self.source.by_ref().take(CHUNK as u64).read_to_end(&mut self.buffer)?;
            self.is_ended = read == 0;
        }
        Ok(self.buffer.len() - self.at >= wanted)
    }
}

fn is_checksum(given: &[u8], bytes: &[u8]) -> bool {
    given == masked(bytes).to_le_bytes()
}

/// CRC-32C, turned and moved so that checksums of checksums are none.
pub fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}
