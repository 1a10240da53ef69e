//! Large files on their way to a bucket: which parts went, so that a broken transfer goes on with the next.
//!
//! One small file for each, beside what is on its way here, and one process at a time that goes on with it. Losing it costs
//! sending the file again.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use object_store::multipart::PartId;

use crate::artifact::content::Content;
use crate::artifact::local::{create_folder, is_at};
use crate::run::id::sha256;

/// A file on its way; nobody else here sends it meanwhile.
pub struct Upload {
    /// What the bucket calls it; nothing, if it is not begun.
    pub id: Option<String>,
    /// Whether another process was at it until just now.
    pub was_busy: bool,
    path: PathBuf,
    log: File,
    size: u64,
    part: u64,
    parts: Vec<Option<Part>>,
}

/// A part that went.
#[derive(Clone)]
struct Part {
    /// What the bucket calls it.
    id: String,
    /// What it was: a file that was mended since has other parts.
    digest: String,
}

impl Upload {
    /// What is remembered of a file that is parted so; nothing yet, if that is of another.
    pub fn open(folder: &Path, name: &str, content: &Content, part: u64) -> io::Result<Self> {
        create_folder(folder)?;
        let path = folder.join(format!("upload-{}", &sha256(name.as_bytes())[..32]));
        let mut was_busy = false;
        loop {
            let log = File::options().read(true).append(true).create(true).open(&path)?;
            if log.try_lock().is_err() {
                was_busy = true;
                // Where a file system has no locks, the part that comes last counts.
                let _ = log.lock();
            }
            // Who had it may have come to the end of it.
            if !is_at(&log, &path) {
                continue;
            }
            let count = usize::try_from(content.size.div_ceil(part)).map_err(io::Error::other)?;
            let parts = vec![None; count];
            let mut upload = Self { id: None, was_busy, path, log, size: content.size, part, parts };
            upload.take_up()?;
            return Ok(upload);
        }
    }

    /// Reads what is remembered. A line that is not whole was torn by a kill, and is none.
    fn take_up(&mut self) -> io::Result<()> {
        let mut text = String::new();
        if self.log.read_to_string(&mut text).is_err() {
            return Ok(());
        }
        let mut lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        let first = format!("{} {} ", self.size, self.part);
        let Some(id) = lines.next().and_then(|line| line.strip_prefix(&first)) else {
            return Ok(());
        };
        self.id = Some(id.to_owned());
        for line in lines {
            let mut words = line.splitn(3, ' ');
            let words =
                (words.next().and_then(|index| index.parse::<usize>().ok()), words.next(), words.next());
            if let (Some(index), Some(digest), Some(id)) = words
                && let Some(part) = self.parts.get_mut(index)
            {
                *part = Some(Part { id: id.to_owned(), digest: digest.to_owned() });
            }
        }
        Ok(())
    }

    /// Begins to remember.
    pub fn begin(&mut self, id: String) -> io::Result<()> {
        self.log.set_len(0)?;
        self.log.write_all(format!("{} {} {id}\n", self.size, self.part).as_bytes())?;
        self.parts.fill(None);
        self.id = Some(id);
        Ok(())
    }

    /// How many parts there are.
    pub fn count(&self) -> usize {
        self.parts.len()
    }

    /// How large one of them is.
    pub fn size_of(&self, index: usize) -> usize {
        let left = self.size - self.part * index as u64;
        usize::try_from(left.min(self.part)).unwrap_or(usize::MAX)
    }

    /// Whether it went, with these bytes.
    pub fn has(&self, index: usize, bytes: &[u8]) -> bool {
        self.parts[index].as_ref().is_some_and(|part| part.digest == sha256(bytes))
    }

    /// Remembers that a part went, and what the bucket calls it.
    pub fn note(&mut self, index: usize, digest: String, id: String) -> io::Result<()> {
        // One write of one line.
        self.log.write_all(format!("{index} {digest} {id}\n").as_bytes())?;
        self.parts[index] = Some(Part { id, digest });
        Ok(())
    }

    /// The parts in their order, once all went.
    pub fn parts(&self) -> Vec<PartId> {
        self.parts.iter().flatten().map(|part| PartId { content_id: part.id.clone() }).collect()
    }

    /// Remembers nothing of it any more.
    pub fn forget(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_went_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let content = Content { sha256: sha256(b"x"), size: 25 };
        let open = |name: &str, part: u64| Upload::open(folder.path(), name, &content, part).unwrap();
        let mut upload = open("s3://b k", 10);
        assert_eq!((upload.id.clone(), upload.was_busy), (None, false));
        upload.begin("the id".into()).unwrap();
        assert_eq!((upload.count(), upload.size_of(0), upload.size_of(2)), (3, 10, 5));
        upload.note(1, sha256(b"one"), "\"an etag\"".into()).unwrap();
        drop(upload);
        let upload = open("s3://b k", 10);
        assert_eq!(upload.id.as_deref(), Some("the id"));
        assert_eq!([0, 1, 2].map(|index| upload.has(index, b"one")), [false, true, false]);
        assert!(!upload.has(1, b"mended since"));
        assert_eq!(upload.parts()[0].content_id, "\"an etag\"");
        drop(upload);
        assert_eq!(open("s3://other k", 10).id, None);
        assert_eq!(open("s3://b k", 20).id, None);
        open("s3://b k", 10).forget();
        assert_eq!(open("s3://b k", 10).id, None);
    }

    #[test]
    fn what_a_kill_tore_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let content = Content { sha256: sha256(b"x"), size: 25 };
        let mut upload = Upload::open(folder.path(), "n", &content, 10).unwrap();
        upload.begin("id".into()).unwrap();
        upload.note(0, sha256(b"a"), "etag".into()).unwrap();
        let path = upload.path.clone();
        drop(upload);
        let whole = fs::read(&path).unwrap();
        for end in 0..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            let upload = Upload::open(folder.path(), "n", &content, 10).unwrap();
            assert!(!upload.has(0, b"a"), "{end}");
            assert!(upload.id.is_none_or(|id| id == "id"), "{end}");
        }
    }
}
