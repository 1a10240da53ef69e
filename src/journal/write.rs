//! The writer in Rust: one file of its own, one write for each event.
//!
//! Knows the file; what to do when an event cannot be written is the caller's to say.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::journal::event::{Begin, Body, PROTOCOL, Step};
use crate::journal::line::{self, Place};
use crate::journal::name::random_name;
use crate::run::attempt::Number;

/// Appends events to a file of its own in a live folder.
#[derive(Debug)]
pub struct JournalWriter {
    file: File,
    path: PathBuf,
    number: u64,
    /// Whether the last write came back short, so that the file ends within a line.
    is_torn: bool,
}

impl JournalWriter {
    /// Begins a file with a random name; `begin` says who writes.
    pub fn create(folder: &Path, begin: Begin) -> io::Result<Self> {
        let path = folder.join(format!("{}.jsonl", random_name()?));
        let file = File::options().append(true).create_new(true).open(&path)?;
        let mut writer = Self { file, path, number: 0, is_torn: false };
        let protocol = if begin.protocol == 0 { PROTOCOL } else { begin.protocol };
        let begun = writer.append(Step::Next, &Body::Begin(Begin { protocol, ..begin }));
        if begun.is_err() {
            // An empty one would pass for that of a process that is about to write.
            let _ = std::fs::remove_file(&writer.path);
        }
        begun.map(|()| writer)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one event, with one write. An event that could not be written leaves a gap in the numbers, so that
    /// readers count it as lost.
    pub fn append(&mut self, step: Step, body: &Body) -> io::Result<()> {
        let mut bytes = line::write(Place { number: self.number, time: now(), step }, body);
        self.number += 1;
        if self.is_torn {
            bytes.insert(0, b'\n');
        }
        let length = loop {
            match self.file.write(&bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => break written?,
            }
        };
        self.is_torn = length < bytes.len() && (length > 0 || self.is_torn);
        match length < bytes.len() {
            true => Err(io::Error::new(io::ErrorKind::WriteZero, "the disk took a part of the line only")),
            false => Ok(()),
        }
    }

    /// Waits until the disk has everything.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Unix seconds, as precise as microseconds.
fn now() -> Option<Number> {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_micros();
    Some(Number::Float(micros as f64 / 1e6))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::journal::event::Event;
    use crate::journal::read::Lines;

    #[test]
    fn what_is_appended_is_read_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let begin = Begin { rank: Some(3), ..Begin::default() };
        let mut writer = JournalWriter::create(folder.path(), begin).unwrap();
        writer.append(Step::At(Number::Int(7)), &Body::Note("ok".to_owned())).unwrap();
        writer.sync().unwrap();
        let name = writer.path().file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(
            name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        );
        let mut lines = Lines::open(writer.path()).unwrap();
        let events: Vec<Event> = lines.by_ref().map(Result::unwrap).collect();
        assert!(matches!(&events[0].body, Body::Begin(Begin { protocol: 1, rank: Some(3), .. })));
        assert_eq!((events[1].number, events[1].step), (1, Step::At(Number::Int(7))));
        assert_eq!(events[1].body, Body::Note("ok".to_owned()));
        assert!(lines.loss().is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_and_counted() {
        let file = File::options().append(true).open("/dev/full").unwrap();
        let mut writer = JournalWriter { file, path: PathBuf::new(), number: 4, is_torn: false };
        assert!(writer.append(Step::Next, &Body::Note(String::new())).is_err());
        assert_eq!((writer.number, writer.is_torn), (5, false));
    }
}
