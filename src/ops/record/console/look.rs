//! What was captured of a console, wherever it lies: the first of it, the last, and how much between is left out.
//!
//! Knows the files of `console/` in a live folder and in a record. Positions count the bytes of the collapsed and redacted
//! output, and those that were lost before they could be.

use std::fs;
use std::path::Path;

use crate::run::id::AttemptId;
use crate::run::record::Files;

/// The most bytes of a head, and of a tail.
pub const LIMIT: usize = 512 << 10;

/// Begins a line of a live folder's files that says at which position the text after it begins; no output holds it.
pub const MARK: char = '\u{1}';

/// The first output in a live folder.
pub const HEAD: &str = "head.log";
/// The last output in a live folder: two segments that are written in turn.
pub const SEGMENTS: [&str; 2] = ["tail.0.log", "tail.1.log"];
/// The lines that may still be redrawn.
pub const SCREEN: &str = "screen.log";

/// What was captured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// The first output, from position 0.
    pub head: String,
    /// Later output, each piece with its position.
    pub pieces: Vec<(u64, String)>,
    /// The lines after that, which may still be redrawn.
    pub pending: Vec<String>,
    /// How many of those at the end have not ended.
    pub open: usize,
}

/// The end of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// How many bytes between the head and this are left out.
    pub left_out: u64,
    /// The position at which it begins.
    pub start: u64,
    /// Its text.
    pub text: String,
}

impl Look {
    /// The position after everything but the pending lines.
    pub fn end(&self) -> u64 {
        self.pieces.last().map_or(self.head.len() as u64, |(start, text)| start + text.len() as u64)
    }

    /// What follows the head, pending lines included, no longer than a tail may be.
    pub fn tail(&self) -> Option<Tail> {
        let head_end = self.head.len() as u64;
        let mut pending = self.pending.join("\n");
        if !pending.is_empty() {
            pending.push('\n');
        }
        let pending = (self.end(), pending);
        let (mut text, mut end) = (String::new(), head_end);
        // Where in the text a piece begins, and its position.
        let mut pieces = vec![(0, head_end)];
        for (start, piece) in self.pieces.iter().chain([&pending]) {
            let missing = start.saturating_sub(end);
            if missing > 0 && !text.is_empty() {
                text.push_str(&format!("[xtrack: {missing} bytes left out]\n"));
            }
            pieces.push((text.len(), *start));
            text.push_str(piece);
            end = start + piece.len() as u64;
        }
        let over = text.len().saturating_sub(LIMIT);
        let line = text.as_bytes()[over..].iter().position(|byte| *byte == b'\n' && over > 0);
        let cut = line.map_or(over, |line| over + line + 1);
        text.drain(..cut);
        let (offset, position) = pieces.into_iter().rfind(|(offset, _)| *offset <= cut).unwrap_or_default();
        let start = position + (cut - offset) as u64;
        (start > head_end || !text.is_empty()).then(|| Tail { left_out: start - head_end, start, text })
    }

    /// The files of a record that hold this.
    pub fn files(&self, attempt: &AttemptId, revision: u64) -> Files {
        let mut files = Files::new();
        if !self.head.is_empty() {
            files.insert(format!("console/{attempt}-head.log"), self.head.clone().into_bytes());
        }
        if let Some(Tail { left_out, start, text }) = self.tail() {
            let text = format!("[xtrack: {left_out} bytes left out before byte {start}]\n{text}");
            files.insert(format!("console/{attempt}-tail-{revision}.log"), text.into_bytes());
        }
        files
    }

    /// What a record holds of an attempt's console; nothing if there is none.
    pub fn of_record(files: &Files, attempt: &AttemptId) -> Option<Self> {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        let head = files.get(&format!("console/{attempt}-head.log")).map(text);
        let prefix = format!("console/{attempt}-tail-");
        let revision = |path: &str| path.strip_prefix(&prefix)?.strip_suffix(".log")?.parse::<u64>().ok();
        let tails = files.iter().filter_map(|(path, bytes)| Some((revision(path)?, bytes)));
        let tail = tails.max_by_key(|(revision, _)| *revision).map(|(_, bytes)| text(bytes));
        if head.is_none() && tail.is_none() {
            return None;
        }
        let head = head.unwrap_or_default();
        let end = head.len() as u64;
        let tail = tail.map(|tail| {
            match tail.split_once('\n').and_then(|(line, text)| Some((position(line)?, text))) {
                Some((start, text)) => (start, text.to_owned()),
                None => (end, tail),
            }
        });
        // What a checkpoint held as the tail has since gone into the head.
        let pieces = tail.filter(|(start, _)| *start >= end).into_iter().collect();
        Some(Self { head, pieces, ..Self::default() })
    }

    /// What a live folder holds; nothing if nothing was captured yet.
    pub fn of_folder(folder: &Path) -> Self {
        let folder = folder.join("console");
        let read = |name: &str| {
            fs::read(folder.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        // The screen first: what moves from it into the others meanwhile is then seen twice, and passed over below.
        let screen = read(SCREEN).unwrap_or_default();
        let mut look = Self { head: read(HEAD).unwrap_or_default(), ..Self::default() };
        let mut pieces: Vec<_> =
            SEGMENTS.iter().flat_map(|name| marked(&read(name).unwrap_or_default())).collect();
        pieces.sort();
        let mut end = look.head.len() as u64;
        for (start, text) in pieces {
            if start >= end {
                end = start + text.len() as u64;
                look.pieces.push((start, text));
            }
        }
        look.add_screen(&screen);
        look
    }

    fn add_screen(&mut self, screen: &str) {
        let Some((line, text)) = screen.split_once('\n') else {
            return;
        };
        let mut numbers =
            line.trim_start_matches(MARK).split(' ').map_while(|number| number.parse::<u64>().ok());
        let (Some(start), Some(open)) = (numbers.next(), numbers.next()) else {
            return;
        };
        let end = self.end();
        if start > end {
            // Lost at the end.
            self.pieces.push((start, String::new()));
        }
        let overlap = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
        let said = self.pieces.last().map_or(&self.head, |(_, text)| text);
        if overlap == 0 || text.get(..overlap).is_some_and(|again| said.ends_with(again)) {
            self.pending = text[overlap..].lines().map(str::to_owned).collect();
            self.open = usize::try_from(open).unwrap_or_default().min(self.pending.len());
        }
    }

    /// Puts this into a live folder in place of what is there; of the head, what is there stays.
    pub fn store(mut self, folder: &Path) -> std::io::Result<()> {
        let folder = folder.join("console");
        let before = fs::read_to_string(folder.join(HEAD)).unwrap_or_default();
        match self.head.strip_prefix(&before) {
            Some("") => {}
            Some(_) => fs::write(folder.join(HEAD), &self.head)?,
            // The file changed behind our back: what a record may hold already is kept, and all of the new beside it.
            None => {
                self.pieces.insert(0, (before.len() as u64, std::mem::take(&mut self.head)));
            }
        }
        let mut tail = String::new();
        for (start, text) in &self.pieces {
            tail.push_str(&format!("{MARK}{start}\n{text}"));
        }
        let screen = screen(self.end(), &self.pending, self.open);
        for (name, text) in [(SEGMENTS[0], tail), (SEGMENTS[1], String::new()), (SCREEN, screen)] {
            match text.is_empty() {
                true => drop(fs::remove_file(folder.join(name))),
                false => fs::write(folder.join(name), text)?,
            }
        }
        Ok(())
    }
}

/// The text of the file of pending lines; empty if there are none.
pub fn screen(position: u64, pending: &[String], open: usize) -> String {
    match pending.is_empty() {
        true => String::new(),
        false => format!("{MARK}{position} {open}\n{}\n", pending.join("\n")),
    }
}

/// The pieces of a segment.
fn marked(text: &str) -> Vec<(u64, String)> {
    let parts = text.split(MARK).skip(1);
    let piece = |part: &str| {
        let (start, text) = part.split_once('\n')?;
        Some((start.parse().ok()?, text.to_owned()))
    };
    parts.filter_map(piece).collect()
}

/// The position in the first line of a record's tail.
fn position(line: &str) -> Option<u64> {
    let numbers = line.strip_prefix("[xtrack: ")?.strip_suffix(']')?;
    numbers.split_once(" bytes left out before byte ")?.1.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn attempt() -> AttemptId {
        AttemptId::new([2; 8])
    }

    #[test]
    fn a_record_holds_head_and_tail() {
        let mut look = Look { head: "a\n".into(), ..Look::default() };
        let files = look.files(&attempt(), 1);
        assert_eq!(files.len(), 1);
        assert_eq!(Look::of_record(&files, &attempt()).unwrap(), look);
        look.pieces = vec![(12, "b\n".into()), (20, "c\n".into())];
        look.pending = vec!["d".into()];
        let files = look.files(&attempt(), 3);
        let tail = String::from_utf8(files.values().last().unwrap().clone()).unwrap();
        assert_eq!(tail, "[xtrack: 10 bytes left out before byte 12]\nb\n[xtrack: 6 bytes left out]\nc\nd\n");
        let read = Look::of_record(&files, &attempt()).unwrap();
        assert_eq!(read.pieces, [(12, tail.split_once('\n').unwrap().1.to_owned())]);
        assert_eq!(read.tail().unwrap().left_out, 10);
        assert_eq!(Look::of_record(&Files::new(), &attempt()), None);
    }

    #[test]
    fn a_tail_that_a_checkpoint_left_is_passed_over() {
        let early = Look { head: "a\n".into(), pending: vec!["b".into()], open: 1, ..Look::default() };
        let late = Look { head: "a\nb\nc\n".into(), ..Look::default() };
        let mut files = early.files(&attempt(), 1);
        files.extend(late.files(&attempt(), 2));
        assert_eq!(files.len(), 2);
        assert_eq!(Look::of_record(&files, &attempt()).unwrap(), late);
    }

    #[test]
    fn a_long_tail_loses_its_beginning() {
        let line = "0123456\n";
        let look = Look { pieces: vec![(0, line.repeat(LIMIT / 4))], ..Look::default() };
        let tail = look.tail().unwrap();
        assert!(tail.text.len() <= LIMIT && tail.text.len() > LIMIT - 10 && tail.text.starts_with(line));
        assert_eq!(tail.left_out, (LIMIT * 2 - tail.text.len()) as u64);
        assert_eq!(tail.start, tail.left_out);
    }

    #[test]
    fn a_live_folder_is_read_even_between_two_writes() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| fs::write(folder.path().join("console").join(name), text).unwrap();
        fs::create_dir(folder.path().join("console")).unwrap();
        assert_eq!(Look::of_folder(folder.path()), Look::default());
        write(HEAD, "one\n");
        write(SCREEN, "\u{1}0 1\none\ntwo\nthr\n");
        let look = Look::of_folder(folder.path());
        assert_eq!((look.pending.len(), look.open, look.end()), (2, 1, 4));
        write(SEGMENTS[0], "\u{1}8\nlater\n\u{1}20\nmore\n");
        write(SEGMENTS[1], "\u{1}4\ntwo\n");
        write(SCREEN, "\u{1}25 0\nend\n");
        let look = Look::of_folder(folder.path());
        let starts: Vec<_> = look.pieces.iter().map(|(start, _)| *start).collect();
        assert_eq!((starts, look.pending.join("")), (vec![4, 8, 20], "end".to_owned()));
        write(SCREEN, "\u{1}12 0\nother\n");
        assert!(Look::of_folder(folder.path()).pending.is_empty());
    }

    #[test]
    fn a_stored_look_reads_the_same_and_its_head_only_grows() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("console")).unwrap();
        let mut look = Look { head: "a\n".into(), pending: vec!["b".into()], open: 1, ..Look::default() };
        look.clone().store(folder.path()).unwrap();
        assert_eq!(Look::of_folder(folder.path()), look);
        look.head = "a\nb\n".into();
        look.pending.clear();
        look.open = 0;
        look.clone().store(folder.path()).unwrap();
        assert_eq!(Look::of_folder(folder.path()), look);
        Look { head: "other\n".into(), ..Look::default() }.store(folder.path()).unwrap();
        let read = Look::of_folder(folder.path());
        assert_eq!((read.head.as_str(), read.pieces), ("a\nb\n", vec![(4, "other\n".to_owned())]));
    }
}
