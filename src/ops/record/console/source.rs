//! Where a console's output goes: what is pumped, and which regular files it is appended to, to be read from there.
//!
//! Knows `console/source.toml` of a live folder, so that even a run whose recorder was killed is given its output.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::ops::record::console::collapse::{Collapse, boundary};
use crate::ops::record::console::look::{LIMIT, Look};
use crate::ops::record::console::veil::Veil;
use crate::ops::record::redact::Redactor;
use crate::run::text;
use crate::run::value::{Table, Value};

/// The file that says it.
const SOURCE: &str = "source.toml";
/// How much of the beginning of a file is looked at until the head is full: progress bars shrink to nothing.
const BEGINNING: u64 = 64 << 20;
/// How much of its end.
const ENDING: u64 = 4 * LIMIT as u64;

/// Where the output of one run goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// What the settings add to what is redacted.
    pub redact: Vec<String>,
    /// Regular files that the command writes to by itself.
    pub files: Vec<Part>,
    /// Whether anything goes through a pump, which then follows the files as well.
    pub is_pumped: bool,
}

/// A file that is being written to, from where it was when the command started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The stream: 0 is stdout, 1 stderr.
    pub stream: usize,
    /// Where it is.
    pub path: PathBuf,
    /// Its device and inode: another file may have its name by now.
    pub identity: (u64, u64),
    /// Where the command's output begins.
    pub offset: u64,
}

impl Source {
    /// Writes it down.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let list = |values: Vec<Value>| Value::List(values);
        let mut table = Table::new();
        table.insert("format".to_owned(), Value::Int(1));
        table.insert(
            "redact".to_owned(),
            list(self.redact.iter().map(|entry| entry.as_str().into()).collect()),
        );
        table.insert("pumped".to_owned(), Value::Bool(self.is_pumped));
        table.insert(
            "files".to_owned(),
            list(self.files.iter().map(|part| Value::Table(part.table())).collect()),
        );
        fs::write(folder.join("console").join(SOURCE), text::write(&table))
    }

    /// Reads it back; nothing if there is none that can be read.
    pub fn read(folder: &Path) -> Option<Self> {
        let table = text::read(&fs::read(folder.join("console").join(SOURCE)).ok()?).ok()?;
        let list = |key: &str| match table.get(key) {
            Some(Value::List(list)) => list.clone(),
            _ => Vec::new(),
        };
        let files = list("files");
        Some(Self {
            redact: list("redact").iter().filter_map(|entry| entry.as_text().map(str::to_owned)).collect(),
            files: files.iter().map(Part::of).collect::<Option<_>>()?,
            is_pumped: table.get("pumped") == Some(&Value::Bool(true)),
        })
    }

    /// Hides what the settings ask for; settings that are wrong were refused before anything started.
    pub fn redactor(&self) -> Redactor {
        Redactor::new(&self.redact).unwrap_or_default()
    }

    /// What the files hold of the run's output by now. `is_over`: nothing more comes, so that nothing stays pending.
    pub fn look(&self, is_over: bool) -> Look {
        let mut reading = Reading { redactor: self.redactor(), ..Reading::default() };
        for part in &self.files {
            // A file that cannot be read any more has nothing to say.
            let _ = reading.read(part);
        }
        reading.end(is_over)
    }
}

impl Part {
    /// The file, opened where the output begins, if it is still the one.
    pub fn open(&self) -> io::Result<File> {
        let mut file = File::open(&self.path)?;
        match identity(&file.metadata()?) == self.identity {
            true => file.seek(SeekFrom::Start(self.offset)).map(|_| file),
            false => Err(io::Error::other("another file has its name")),
        }
    }

    fn table(&self) -> Table {
        let bytes = self.path.as_os_str().as_encoded_bytes();
        let path = self.path.to_str().map_or_else(|| Value::Bytes(bytes.to_vec()), Value::from);
        let number = |number: u64| Value::Text(number.to_string());
        let pairs = [
            ("stream", number(self.stream as u64)),
            ("path", path),
            ("device", number(self.identity.0)),
            ("inode", number(self.identity.1)),
            ("offset", number(self.offset)),
        ];
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    fn of(value: &Value) -> Option<Self> {
        let Value::Table(table) = value else {
            return None;
        };
        let number = |key: &str| table.get(key)?.as_text()?.parse::<u64>().ok();
        let path = match table.get("path")? {
            Value::Text(path) => PathBuf::from(path),
            Value::Bytes(bytes) => path_of(bytes)?,
            _ => return None,
        };
        let stream = usize::try_from(number("stream")?).ok().filter(|stream| *stream < 2)?;
        Some(Self {
            stream,
            path,
            identity: (number("device")?, number("inode")?),
            offset: number("offset")?,
        })
    }
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
}

#[cfg(not(unix))]
fn path_of(_: &[u8]) -> Option<PathBuf> {
    None
}

/// The device and inode of a file.
#[cfg(unix)]
pub fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

/// The device and inode of a file.
#[cfg(not(unix))]
pub fn identity(_: &fs::Metadata) -> (u64, u64) {
    (0, 0)
}

/// Files read one after the other into one look.
#[derive(Default)]
struct Reading {
    redactor: Redactor,
    veil: Veil,
    collapse: Collapse,
    look: Look,
    is_head_full: bool,
    position: u64,
}

impl Reading {
    fn read(&mut self, part: &Part) -> io::Result<()> {
        let mut file = part.open()?;
        let mut buffer = vec![0; 64 << 10];
        let mut at = 0;
        loop {
            let left = file.metadata()?.len().saturating_sub(part.offset + at);
            if left > ENDING && (self.is_head_full || at >= BEGINNING) {
                self.lose(part.stream, left - ENDING);
                at += left - ENDING;
                file.seek(SeekFrom::Start(part.offset + at))?;
            }
            match file.read(&mut buffer)? {
                0 => return Ok(()),
                count => {
                    self.collapse.feed(part.stream, &buffer[..count]);
                    self.take_lines();
                    at += count as u64;
                }
            }
        }
    }

    fn lose(&mut self, stream: usize, bytes: u64) {
        let cut = self.collapse.cut(stream);
        self.take_lines();
        self.is_head_full = true;
        self.position += bytes + cut as u64;
        self.look.pieces.push((self.position, String::new()));
    }

    fn take_lines(&mut self) {
        for line in self.collapse.lines() {
            let line = self.veil.hide(&self.redactor, &line);
            self.is_head_full |= self.look.head.len() + line.len() >= LIMIT;
            let text = match (self.is_head_full, self.look.pieces.last_mut()) {
                (false, _) => &mut self.look.head,
                (true, Some((_, text))) => text,
                (true, None) => {
                    self.look.pieces.push((self.position, String::new()));
                    &mut self.look.pieces.last_mut().expect("it was just pushed").1
                }
            };
            text.push_str(&line);
            text.push('\n');
            self.position += line.len() as u64 + 1;
        }
        self.forget();
    }

    /// Takes away what no tail will hold.
    fn forget(&mut self) {
        if let Some((start, text)) = self.look.pieces.last_mut()
            && text.len() > 4 * LIMIT
        {
            let cut = boundary(text, text.len() - LIMIT - (64 << 10));
            let cut = text[cut..].find('\n').map_or(cut, |line| cut + line + 1);
            text.drain(..cut);
            *start += cut as u64;
        }
    }

    fn end(mut self, is_over: bool) -> Look {
        if is_over {
            self.collapse.finish();
            self.take_lines();
        }
        let (lines, open) = self.collapse.pending();
        self.look.pending = lines.iter().map(|line| self.veil.hide(&self.redactor, line)).collect();
        self.look.open = open;
        self.look
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn part(path: &Path, offset: u64) -> Part {
        Part { stream: 0, path: path.to_owned(), identity: identity(&fs::metadata(path).unwrap()), offset }
    }

    #[test]
    fn what_is_written_down_reads_the_same() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("console")).unwrap();
        let odd = path_of(b"/a\xff\nb").unwrap();
        let file = Part { stream: 1, path: odd, identity: (u64::MAX, 2), offset: 3 };
        let source = Source { redact: vec!["a-b".into(), r"x\d".into()], files: vec![file], is_pumped: true };
        assert_eq!(Source::read(folder.path()), None);
        source.write(folder.path()).unwrap();
        assert_eq!(Source::read(folder.path()), Some(source));
    }

    #[test]
    fn a_file_is_read_from_where_the_command_began() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slurm.out");
        fs::write(&path, "earlier\n").unwrap();
        let source = Source { files: vec![part(&path, 8)], ..Source::default() };
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"1%\r2%\nHF_TOKEN=abcdef\nopen").unwrap();
        let look = source.look(false);
        assert_eq!((look.head.as_str(), look.pending.len(), look.open), ("", 3, 1));
        assert_eq!(source.look(true).head, "2%\nHF_TOKEN=[redacted]\nopen\n");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another file of that name\n").unwrap();
        assert!(source.look(true).head.len() <= 30);
        assert!(part(Path::new("/"), 0).open().is_ok_and(|mut file| file.read(&mut [0]).is_err()));
    }

    #[test]
    fn a_longer_file_only_adds_to_the_head() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        fs::write(&path, "").unwrap();
        let source = Source { files: vec![part(&path, 0)], ..Source::default() };
        let mut file = File::options().append(true).open(&path).unwrap();
        let (mut before, mut total) = (String::new(), 0);
        for round in 0..5 {
            let text: String = (0..40_000).map(|line| format!("round {round} line {line}\n")).collect();
            total += text.len();
            file.write_all(text.as_bytes()).unwrap();
            let look = source.look(false);
            assert!(look.head.starts_with(&before));
            before = look.head;
        }
        let look = source.look(true);
        let tail = look.tail().unwrap();
        assert!(before == look.head && tail.text.ends_with("round 4 line 39999\n"));
        // But for the half line after what is not read.
        let counted = look.head.len() + tail.left_out as usize + tail.text.len();
        assert!(counted <= total && counted > total - 25, "{counted} of {total}");
    }
}
