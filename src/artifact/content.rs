//! Bytes by name: a sha256 and a size, taken while the bytes are read.
//!
//! Knows how bytes are counted and hashed; not where they lie.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};

use crate::run::id::hex;

/// How many bytes are read at a time.
const PIECE: usize = 256 * 1024;

/// The name of some bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Content {
    /// Their sha256, in lower-case hex.
    pub sha256: String,
    /// How many there are.
    pub size: u64,
}

impl Content {
    /// The name of a file's bytes.
    pub fn of(file: &Path) -> io::Result<Self> {
        Self::of_open(&mut File::open(file)?)
    }

    /// The name of the bytes from here to the file's end.
    pub fn of_open(file: &mut File) -> io::Result<Self> {
        let mut counted = Counted::new(io::sink());
        copy(file, &mut counted)?;
        Ok(counted.content())
    }

    /// Whether this is a name that bytes can have: it becomes part of paths and addresses.
    pub fn is_sound(&self) -> bool {
        self.sha256.len() == 64
            && self.sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            && self.size <= i64::MAX as u64
    }

    /// Where the bytes lie below a store: `<aa>/<sha256>`.
    pub fn place(&self) -> String {
        format!("{}/{}", self.sha256.get(..2).unwrap_or("00"), self.sha256)
    }
}

/// Copies in pieces of moderate size.
pub fn copy(source: &mut impl Read, target: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => target.write_all(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Takes the name of what is written through it.
pub struct Counted<W> {
    inner: W,
    hasher: Sha256,
    size: u64,
}

impl<W> Counted<W> {
    /// Nothing was written yet.
    pub fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256::new(), size: 0 }
    }

    /// How much was written.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The name of what was written.
    pub fn content(&self) -> Content {
        Content { sha256: hex(&self.hasher.clone().finalize()), size: self.size }
    }

    /// What it writes to.
    pub fn get_ref(&self) -> &W {
        &self.inner
    }

    /// Counts bytes that are there already.
    pub fn take_up(&mut self, source: &mut impl Read) -> io::Result<()> {
        let mut found = Counted { inner: io::sink(), hasher: self.hasher.clone(), size: self.size };
        copy(source, &mut found)?;
        (self.hasher, self.size) = (found.hasher, found.size);
        Ok(())
    }

    /// Counts from nothing.
    pub fn forget(&mut self) {
        (self.hasher, self.size) = (Sha256::new(), 0);
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.hasher.update(&buffer[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// How many bytes of a transfer are through: told by workers, asked by who shows it.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<AtomicU64>);

impl Tally {
    /// Adds some that are through.
    pub fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes some back that have to go again.
    pub fn take_back(&self, bytes: u64) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// How many are through.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A file that is sent. Its last piece is held back until all of it was hashed: what is damaged here never becomes whole
/// elsewhere.
pub struct Sending {
    file: File,
    content: Content,
    hasher: Sha256,
    sent: u64,
    tallies: [Tally; 2],
}

impl Sending {
    /// Opens the file, whose bytes must have this name; how much of it is through is told to both.
    pub fn open(file: &Path, content: &Content, tallies: [Tally; 2]) -> io::Result<Self> {
        let file = File::open(file)?;
        if file.metadata()?.len() != content.size {
            return Err(damaged());
        }
        Ok(Self { file, content: content.clone(), hasher: Sha256::new(), sent: 0, tallies })
    }
}

impl Read for Sending {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.content.size - self.sent;
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.file.read(&mut buffer[..wanted])?;
        if read == 0 {
            return Err(damaged());
        }
        self.hasher.update(&buffer[..read]);
        self.sent += read as u64;
        let is_last = self.sent == self.content.size;
        if is_last && hex(&self.hasher.clone().finalize()) != self.content.sha256 {
            return Err(damaged());
        }
        self.tallies.iter().for_each(|tally| tally.add(read as u64));
        Ok(read)
    }
}

/// What is said of bytes that are no longer those that were stored.
pub fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "it is damaged here: its bytes are no longer those that were recorded",
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::run::id::sha256;

    #[test]
    fn names_are_checked_before_they_become_paths() {
        let sound = Content { sha256: sha256(b"x"), size: 1 };
        assert!(sound.is_sound());
        for bad in ["", "../../etc", &"A".repeat(64), &format!("{}/", "a".repeat(63)), &"a".repeat(65)] {
            assert!(!Content { sha256: (*bad).to_owned(), size: 1 }.is_sound(), "{bad}");
        }
        assert!(!Content { size: u64::MAX, ..sound }.is_sound());
    }

    #[test]
    fn what_is_damaged_is_never_sent_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        std::fs::write(&file, vec![7; 600_000]).unwrap();
        let content = Content::of(&file).unwrap();
        let read = |content: &Content| {
            let tally = Tally::default();
            let outcome = Sending::open(&file, content, [tally.clone(), Tally::default()])
                .and_then(|mut sending| io::copy(&mut sending, &mut io::sink()));
            (outcome.is_ok(), tally.get())
        };
        assert_eq!(read(&content), (true, 600_000));
        let wrong = Content { sha256: sha256(b""), size: 600_000 };
        let (is_done, sent) = read(&wrong);
        assert!(!is_done && sent < 600_000, "{sent}");
        assert!(!read(&Content { size: 5, ..content }).0);
    }
}
