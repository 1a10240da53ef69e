//! Captured lines on their way to a live folder, so that whoever is killed loses next to nothing.
//!
//! Knows how much is kept and that a disk may be full: what cannot be written is counted, nothing else happens.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::ops::record::console::collapse::Collapse;
use crate::ops::record::console::look::{HEAD, LIMIT, MARK, SCREEN, SEGMENTS, screen};
use crate::ops::record::console::veil::Veil;
use crate::ops::record::redact::Redactor;

/// Takes output, and writes down what is kept of it.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    redactor: Redactor,
    veil: Veil,
    collapse: Collapse,
    /// Lines that are not yet written.
    fresh: Vec<String>,
    fresh_length: usize,
    /// The position of the first of them.
    position: u64,
    head: Growing,
    is_head_full: bool,
    tail: Growing,
    segment: usize,
    /// Whether what comes next is not what follows in the segment.
    has_gap: bool,
    screen: String,
}

/// A file that is only appended to, as far as that works.
#[derive(Debug, Default)]
struct Growing {
    file: Option<File>,
    length: usize,
}

impl Spool {
    /// A spool into `console/` of a live folder.
    pub fn new(folder: &Path, redactor: Redactor) -> Self {
        Self {
            folder: folder.join("console"),
            redactor,
            veil: Veil::default(),
            collapse: Collapse::default(),
            fresh: Vec::new(),
            fresh_length: 0,
            position: 0,
            head: Growing::default(),
            is_head_full: false,
            tail: Growing::default(),
            segment: 1,
            has_gap: true,
            screen: String::new(),
        }
    }

    /// Takes output of a stream.
    pub fn feed(&mut self, stream: usize, bytes: &[u8]) {
        self.collapse.feed(stream, bytes);
        self.take_lines();
    }

    /// Notes that output of a stream was lost here.
    pub fn lose(&mut self, stream: usize, bytes: u64) {
        let cut = self.collapse.cut(stream);
        self.take_lines();
        self.write_lines();
        self.skip(bytes + cut as u64);
    }

    /// Writes down everything, the pending lines as they are.
    pub fn write(&mut self) {
        self.write_lines();
        let (lines, open) = self.collapse.pending();
        let mut veil = self.veil.clone();
        let lines: Vec<_> = lines.iter().map(|line| veil.hide(&self.redactor, line)).collect();
        self.write_screen(screen(self.position, &lines, open));
    }

    /// Writes down everything, and that nothing more comes.
    pub fn finish(&mut self) {
        self.collapse.finish();
        self.take_lines();
        self.write_lines();
        let lost = if self.has_gap && self.position > 0 {
            format!("{MARK}{} 0\n", self.position)
        } else {
            String::new()
        };
        self.write_screen(lost);
    }

    fn take_lines(&mut self) {
        let lines = self.collapse.lines();
        self.fresh_length += lines.iter().map(|line| line.len() + 1).sum::<usize>();
        self.fresh.extend(lines);
        if self.fresh_length <= 2 * LIMIT {
            return;
        }
        if !self.is_head_full {
            self.write_lines();
            return;
        }
        // More than the tail will hold has come since it was last written: the first of that need not be looked at.
        let mut over = self.fresh_length - LIMIT;
        let mut left_out = 0;
        let count = self.fresh.iter().take_while(|line| {
            let is_over = over > 0;
            over = over.saturating_sub(line.len() + 1);
            is_over
        });
        let count = count.count();
        for line in self.fresh.drain(..count) {
            self.veil.pass(&line);
            left_out += line.len() + 1;
        }
        self.fresh_length -= left_out;
        self.skip(left_out as u64);
    }

    fn skip(&mut self, bytes: u64) {
        self.position += bytes;
        self.is_head_full = true;
        self.has_gap = true;
    }

    fn write_lines(&mut self) {
        self.fresh_length = 0;
        let (mut head, mut tail) = (String::new(), String::new());
        for line in std::mem::take(&mut self.fresh) {
            let line = self.veil.hide(&self.redactor, &line);
            self.is_head_full |= self.head.length + head.len() + line.len() >= LIMIT;
            let text = if self.is_head_full { &mut tail } else { &mut head };
            text.push_str(&line);
            text.push('\n');
        }
        self.write_head(&head);
        self.write_tail(&tail);
    }

    fn write_head(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let path = self.folder.join(HEAD);
        match self.head.append(&path, text) {
            Ok(()) => self.position += text.len() as u64,
            Err(_) => self.skip(text.len() as u64),
        }
    }

    fn write_tail(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.tail.file.is_none() || self.tail.length >= LIMIT {
            self.segment = 1 - self.segment;
            self.tail = Growing::default();
            self.has_gap = true;
        }
        let path = self.folder.join(SEGMENTS[self.segment]);
        let mark = if self.has_gap { format!("{MARK}{}\n", self.position) } else { String::new() };
        match self.tail.append(&path, &(mark + text)) {
            Ok(()) => {
                self.position += text.len() as u64;
                self.has_gap = false;
            }
            Err(_) => self.skip(text.len() as u64),
        }
    }

    /// The file is whole whenever it is there.
    fn write_screen(&mut self, text: String) {
        if text == self.screen {
            return;
        }
        let (path, temporary) = (self.folder.join(SCREEN), self.folder.join("screen.tmp"));
        let written = match text.is_empty() {
            true => fs::remove_file(&path),
            false => fs::write(&temporary, &text).and_then(|()| fs::rename(&temporary, &path)),
        };
        if written.is_ok() {
            self.screen = text;
        }
    }
}

impl Growing {
    /// Appends all of it or nothing.
    fn append(&mut self, path: &Path, text: &str) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = File::options().create(true).append(true).open(path)?;
                file.set_len(0)?;
                self.file.insert(file)
            }
        };
        if let Err(error) = file.write_all(text.as_bytes()) {
            // A full disk took some of it.
            let _ = file.set_len(self.length as u64);
            return Err(error);
        }
        self.length += text.len();
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ops::record::console::look::Look;

    fn spool() -> (tempfile::TempDir, Spool) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("console")).unwrap();
        let spool = Spool::new(folder.path(), Redactor::default());
        (folder, spool)
    }

    #[test]
    fn little_output_is_all_head() {
        let (folder, mut spool) = spool();
        spool.feed(0, b"a\nb token=abcdefgh\nc");
        spool.write();
        let look = Look::of_folder(folder.path());
        assert_eq!(
            (look.head.as_str(), look.pending.join("|").as_str(), look.open),
            ("", "a|b token=[redacted]|c", 1)
        );
        spool.finish();
        let look = Look::of_folder(folder.path());
        assert_eq!(look, Look { head: "a\nb token=[redacted]\nc\n".into(), ..Look::default() });
    }

    #[test]
    fn a_secret_is_hidden_wherever_two_reads_part_it() {
        let line = "login with ghp_0123456789abcdefghij and password=hunter22 now\n";
        for at in 0..=line.len() {
            let (folder, mut spool) = spool();
            spool.feed(0, &line.as_bytes()[..at]);
            spool.feed(0, &line.as_bytes()[at..]);
            spool.finish();
            let head = Look::of_folder(folder.path()).head;
            assert_eq!(head, "login with [redacted] and password=[redacted] now\n", "{at}");
        }
    }

    #[test]
    fn of_much_output_the_first_and_the_last_are_kept() {
        for lines_a_write in [1, 1000, 1_000_000] {
            let (folder, mut spool) = spool();
            let total = 130_000;
            let mut expected = 0;
            for line in 0..total {
                let text = format!("line {line}\n");
                expected += text.len();
                spool.feed(line % 2, text.as_bytes());
                if line % lines_a_write == 0 {
                    spool.write_lines();
                }
            }
            spool.finish();
            let look = Look::of_folder(folder.path());
            let tail = look.tail().unwrap();
            assert!(
                look.head.starts_with("line 0\n") && look.head.len() <= LIMIT && look.head.len() > LIMIT - 20
            );
            assert!(
                tail.text.ends_with("line 129999\n") && tail.text.len() > LIMIT - 20,
                "{}",
                tail.text.len()
            );
            assert_eq!(look.head.len() + tail.left_out as usize + tail.text.len(), expected);
            let size =
                |name| fs::metadata(folder.path().join("console").join(name)).map_or(0, |file| file.len());
            assert!(SEGMENTS.iter().map(|name| size(*name)).sum::<u64>() < 4 * LIMIT as u64);
        }
    }

    #[test]
    fn what_was_lost_is_counted_where_it_was_lost() {
        let (folder, mut spool) = spool();
        spool.feed(0, b"before\nha");
        spool.lose(0, 100);
        spool.feed(0, b"lf\nafter\n");
        spool.lose(1, 7);
        spool.finish();
        let look = Look::of_folder(folder.path());
        assert_eq!(look.head, "before\n");
        let tail = look.tail().unwrap();
        assert_eq!((tail.left_out, tail.text.as_str()), (102, "after\n[xtrack: 7 bytes left out]\n"));
    }

    #[test]
    fn a_folder_that_went_is_no_error() {
        let (folder, mut spool) = spool();
        spool.feed(0, b"a\n");
        fs::remove_dir_all(folder.path()).unwrap();
        spool.write();
        spool.finish();
        assert_eq!(spool.position, 2);
    }
}
