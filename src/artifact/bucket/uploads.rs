//! Large files on their way to a bucket: which parts went, so that a broken transfer goes on with the next.
//!
//! One small file for each, beside what is on its way here. Losing it costs sending the file again.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use object_store::multipart::PartId;

use crate::artifact::content::Content;
use crate::artifact::local::create_folder;
use crate::run::id::sha256;

/// A file on its way.
pub struct Upload {
    /// What the bucket calls it.
    pub id: String,
    path: PathBuf,
    log: File,
    size: u64,
    part: u64,
    parts: Vec<Option<String>>,
}

impl Upload {
    /// Begins to remember.
    pub fn begin(folder: &Path, name: &str, content: &Content, part: u64, id: String) -> io::Result<Self> {
        create_folder(folder)?;
        let path = place(folder, name);
        fs::write(&path, format!("{} {part} {id}\n", content.size))?;
        Self::open(path, content, part, id)
    }

    /// What is remembered, if it is of the same file, parted alike.
    pub fn resume(folder: &Path, name: &str, content: &Content, part: u64) -> Option<Self> {
        let path = place(folder, name);
        let text = fs::read_to_string(&path).ok()?;
        let mut lines = text.lines();
        let id = lines.next()?.strip_prefix(&format!("{} {part} ", content.size))?.to_owned();
        let mut upload = Self::open(path, content, part, id).ok()?;
        for line in lines {
            let (index, part) = line.split_once(' ')?;
            *upload.parts.get_mut(index.parse::<usize>().ok()?)? = Some(part.to_owned());
        }
        Some(upload)
    }

    fn open(path: PathBuf, content: &Content, part: u64, id: String) -> io::Result<Self> {
        let log = File::options().append(true).open(&path)?;
        let count = usize::try_from(content.size.div_ceil(part)).map_err(io::Error::other)?;
        Ok(Self { id, path, log, size: content.size, part, parts: vec![None; count] })
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

    /// Whether it went.
    pub fn has(&self, index: usize) -> bool {
        self.parts[index].is_some()
    }

    /// Remembers that a part went, and what the bucket calls it.
    pub fn note(&mut self, index: usize, part: String) -> io::Result<()> {
        // One write of one line; a torn one is not understood, and the file goes again.
        self.log.write_all(format!("{index} {part}\n").as_bytes())?;
        self.parts[index] = Some(part);
        Ok(())
    }

    /// The parts in their order, once all went.
    pub fn parts(&self) -> Vec<PartId> {
        self.parts.iter().flatten().map(|part| PartId { content_id: part.clone() }).collect()
    }

    /// Remembers nothing of it any more.
    pub fn forget(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn place(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("upload-{}", &sha256(name.as_bytes())[..32]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_went_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let content = Content { sha256: sha256(b"x"), size: 25 };
        let mut upload = Upload::begin(folder.path(), "s3://b k", &content, 10, "the id".into()).unwrap();
        assert_eq!((upload.count(), upload.size_of(0), upload.size_of(2)), (3, 10, 5));
        upload.note(1, "\"etag\"".into()).unwrap();
        let upload = Upload::resume(folder.path(), "s3://b k", &content, 10).unwrap();
        assert_eq!(upload.id, "the id");
        assert_eq!([0, 1, 2].map(|index| upload.has(index)), [false, true, false]);
        assert!(Upload::resume(folder.path(), "s3://other k", &content, 10).is_none());
        assert!(Upload::resume(folder.path(), "s3://b k", &content, 20).is_none());
        upload.forget();
        assert!(Upload::resume(folder.path(), "s3://b k", &content, 10).is_none());
    }
}
