//! Many objects as one pack, which git itself indexes and puts into place: a few syncs instead of one for each object.
//!
//! Knows git's pack format as far as whole objects need it (`gitformat-pack(5)`).

use std::io::Write as _;

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use gix::objs::Kind;

use crate::store::objects::Object;
use crate::store::platform::sync_dir;
use crate::store::{Store, failed, output_with_input};

impl Store {
    /// Writes the objects as a pack; when it returns they are on disk.
    pub(super) fn write_pack(&self, objects: &[Object]) -> Result<()> {
        let pack = packed(self.hash_kind(), objects)?;
        let mut git = self.git();
        git.args(["-c", "core.fsync=all", "index-pack", "--stdin"]);
        output_with_input(&mut git, &pack).context("cannot write the objects")?;
        // Git syncs the files, and not the folder that holds their names.
        let folder = self.objects_dir().join("pack");
        sync_dir(&folder).with_context(|| format!("cannot sync '{}'", folder.display()))
    }
}

/// The bytes of the pack.
fn packed(hash: gix::hash::Kind, objects: &[Object]) -> Result<Vec<u8>> {
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    pack.extend(u32::try_from(objects.len())?.to_be_bytes());
    for object in objects {
        pack.extend(head(object.kind, object.data.len()));
        let mut encoder = ZlibEncoder::new(pack, Compression::fast());
        encoder.write_all(&object.data)?;
        pack = encoder.finish()?;
    }
    let mut hasher = gix::hash::hasher(hash);
    hasher.update(&pack);
    let digest = hasher.try_finalize().map_err(|error| failed("cannot hash a pack", error))?;
    pack.extend_from_slice(digest.as_slice());
    Ok(pack)
}

/// What stands before an object: its kind and size, the lowest four bits first, then seven a byte.
fn head(kind: Kind, size: usize) -> Vec<u8> {
    let kind = match kind {
        Kind::Commit => 1,
        Kind::Tree => 2,
        Kind::Blob => 3,
        Kind::Tag => 4,
    };
    let mut bytes = vec![kind << 4 | (size & 0x0f) as u8];
    let mut rest = size >> 4;
    while rest > 0 {
        *bytes.last_mut().expect("there is the first byte") |= 0x80;
        bytes.push((rest & 0x7f) as u8);
        rest >>= 7;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_git_reads_them() {
        assert_eq!(head(Kind::Blob, 0), [0x30]);
        assert_eq!(head(Kind::Blob, 15), [0x3f]);
        assert_eq!(head(Kind::Commit, 16), [0x90, 0x01]);
        assert_eq!(head(Kind::Tree, 1 << 11), [0xa0, 0x80, 0x01]);
    }
}
