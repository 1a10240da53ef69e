//! A store that is a folder: a shared disk, a mounted network share, or the own store of another clone.
//!
//! Laid out as the store of a clone is: `<aa>/<sha256>`, read-only files that appear by one rename.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::artifact::content::{Content, Tally};
use crate::artifact::local::Artifacts;
use crate::artifact::stores::{ArtifactStore, Body, Presence, Purpose};
use crate::error::Problem;

/// A folder that keeps artifact bytes.
pub struct Directory {
    artifacts: Artifacts,
    shown: String,
}

impl Directory {
    /// The store in this folder; the folder itself must be there, so that a disk that is not mounted is noticed.
    pub fn open(folder: &Path, shown: &str) -> Result<Self> {
        if folder.is_dir() {
            return Ok(Self { artifacts: Artifacts::at(folder), shown: shown.to_owned() });
        }
        let problem = Problem::new(format!("the artifact store '{shown}' is not there"));
        Err(problem.hint("create the folder, or mount the disk that it is on").into())
    }

    /// The own store of another clone, which may have none yet.
    pub fn of_clone(common_dir: &Path, shown: &str) -> Self {
        Self { artifacts: Artifacts::new(common_dir), shown: shown.to_owned() }
    }
}

impl ArtifactStore for Directory {
    fn shown(&self) -> String {
        self.shown.clone()
    }

    fn look(&self, contents: &[Content], _: Purpose) -> Result<Vec<Presence>> {
        let look = |content: &Content| match self.artifacts.has(content) {
            true => Presence::There,
            false => Presence::Absent,
        };
        Ok(contents.iter().map(look).collect())
    }

    fn send(&self, content: &Content, file: &Path, tally: &Tally) -> Result<()> {
        self.artifacts.add_known(file, content, tally)
    }

    fn open(&self, content: &Content, offset: u64) -> Result<Body> {
        let path = self.artifacts.path(&content.sha256);
        let mut file = File::open(&path).with_context(|| format!("cannot read '{}'", path.display()))?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Body { offset, reader: Box::new(file) })
    }

    fn check_room(&self, wanted: u64) -> Result<()> {
        self.artifacts.check_room(wanted)
    }
}
