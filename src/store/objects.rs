//! Objects written so that they outlive a crash: written, synced, renamed into place, their folders synced.
//!
//! Knows git's loose object files and nothing of what the objects mean.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use gix::ObjectId;
use gix::objs::{Exists, Kind};

use crate::store::platform::{create_read_only, sync_dir, sync_file};
use crate::store::{Store, failed, random_name};

/// How often it is tried again when something that was just made is gone.
const TRIES_MAX: usize = 10;

/// An object that may not be written yet.
#[derive(Debug, Clone)]
pub(super) struct Object {
    /// Its id.
    pub id: ObjectId,
    /// What it is.
    pub kind: Kind,
    /// Its bytes.
    pub data: Vec<u8>,
}

impl Object {
    /// The object of these bytes, in the repository's hash.
    pub fn new(hash: gix::hash::Kind, kind: Kind, data: Vec<u8>) -> Result<Self> {
        let id = gix::objs::compute_hash(hash, kind, &data);
        let id = id.map_err(|error| failed("cannot hash an object", error))?;
        Ok(Self { id, kind, data })
    }

    /// The loose object file's bytes.
    fn compressed(&self) -> Result<Vec<u8>> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        write!(encoder, "{} {}\0", self.kind, self.data.len())?;
        encoder.write_all(&self.data)?;
        Ok(encoder.finish()?)
    }

    /// Writes it below `objects` where git looks for it, synced or not being all the same: for a folder that goes again.
    pub fn write_fleeting(&self, objects: &Path) -> Result<()> {
        let path = loose_path(objects, &self.id);
        fs::create_dir_all(path.parent().expect("an object lies in a folder"))?;
        Ok(fs::write(path, self.compressed()?)?)
    }
}

/// Files that are renamed into place together, once they are all on disk.
struct Batch<'a> {
    store: &'a Store,
    objects: PathBuf,
    /// What is not in place yet, and where it goes.
    pending: Vec<(PathBuf, PathBuf)>,
    /// Folders whose entries are new.
    folders: BTreeSet<PathBuf>,
}

impl Store {
    /// Writes those of the objects that are not here; when it returns they are all on disk.
    pub(super) fn write_objects(&self, objects: &[Object]) -> Result<()> {
        for _ in 1..TRIES_MAX {
            match self.try_write_objects(objects) {
                // A collector that spares nothing removes what others are writing, and folders that are empty.
                Err(error) if is_not_found(&error) => drop(self.wait_for_collector()),
                written => return written,
            }
        }
        self.try_write_objects(objects)
    }

    fn try_write_objects(&self, objects: &[Object]) -> Result<()> {
        let mut batch = Batch::new(self);
        let mut known = self.repository.objects.clone();
        // A pack that came a moment ago is merely not used.
        known.refresh_never();
        let packs_are_lasting = !has_cruft(&batch.objects);
        for object in objects {
            let path = loose_path(&batch.objects, &object.id);
            if freshen(&path)? {
                batch.folders.extend(path.parent().map(Path::to_owned));
                continue;
            }
            // An empty file would count as the object.
            if packs_are_lasting && !path.exists() && known.exists(&object.id) {
                continue;
            }
            batch.add(object, path)?;
        }
        batch.finish()
    }

    /// Moves the loose objects below `quarantine` into the repository; when it returns they are on disk.
    pub(super) fn take_objects(&self, quarantine: &Path) -> Result<()> {
        let mut batch = Batch::new(self);
        for folder in fs::read_dir(quarantine).context("cannot read the new objects")? {
            let folder = folder?;
            let name = folder.file_name();
            let is_loose = name
                .to_str()
                .is_some_and(|name| name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit()));
            if !is_loose {
                continue;
            }
            for file in fs::read_dir(folder.path())? {
                let file = file?;
                let place = batch.objects.join(&name).join(file.file_name());
                if !freshen(&place)? {
                    batch.pending.push((file.path(), place));
                }
            }
        }
        batch.finish()
    }
}

impl<'a> Batch<'a> {
    fn new(store: &'a Store) -> Self {
        Self { store, objects: store.objects_dir(), pending: Vec::new(), folders: BTreeSet::new() }
    }

    fn add(&mut self, object: &Object, place: PathBuf) -> Result<()> {
        // Git's own name for such files, so that its gc removes what a killed process leaves.
        let temporary = self.objects.join(format!("tmp_obj_{}", random_name()?));
        let cannot = || format!("cannot write an object to '{}'", self.objects.display());
        let mut file = create_read_only(&temporary).with_context(cannot)?;
        self.pending.push((temporary, place));
        file.write_all(&object.compressed()?).with_context(cannot)
    }

    /// Syncs, renames, syncs the folders.
    fn finish(mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let result = self.settle(&pending);
        if result.is_err() {
            pending.iter().for_each(|(temporary, _)| drop(fs::remove_file(temporary)));
        }
        result
    }

    fn settle(&mut self, pending: &[(PathBuf, PathBuf)]) -> Result<()> {
        each_in_parallel(pending.iter().map(|(temporary, _)| temporary.as_path()), sync_file)?;
        for (temporary, place) in pending {
            let folder = place.parent().expect("an object lies in a folder");
            self.store.sharing.apply(temporary)?;
            self.put(temporary, place).with_context(|| format!("cannot write '{}'", place.display()))?;
            self.folders.insert(folder.to_owned());
        }
        each_in_parallel(self.folders.iter().map(PathBuf::as_path), sync_dir)
    }

    /// Renames a file to where git looks for it, in a folder that is made if need be.
    fn put(&mut self, temporary: &Path, place: &Path) -> Result<()> {
        let folder = place.parent().expect("an object lies in a folder");
        for _ in 1..TRIES_MAX {
            self.make_folder(folder)?;
            match fs::rename(temporary, place) {
                // A collector has removed the folder, which was empty.
                Err(error) if error.kind() == ErrorKind::NotFound && temporary.exists() => {}
                renamed => return Ok(renamed?),
            }
        }
        Ok(fs::rename(temporary, place)?)
    }

    fn make_folder(&mut self, folder: &Path) -> Result<()> {
        match fs::create_dir(folder) {
            Ok(()) => self.folders.insert(self.objects.clone()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
            Err(error) => return Err(error).with_context(|| format!("cannot make '{}'", folder.display())),
        };
        Ok(self.store.sharing.apply(folder)?)
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.pending.iter().for_each(|(temporary, _)| drop(fs::remove_file(temporary)));
    }
}

/// Does `work` for each path, several at a time: the disk settles syncs that wait together in one go.
pub(super) fn each_in_parallel<'a>(
    paths: impl Iterator<Item = &'a Path>,
    work: fn(&Path) -> std::io::Result<()>,
) -> Result<()> {
    let paths: Vec<&Path> = paths.collect();
    let one = |path: &Path| work(path).with_context(|| format!("cannot sync '{}'", path.display()));
    if paths.len() < 3 {
        return paths.iter().try_for_each(|path| one(path));
    }
    let chunk = paths.len().div_ceil(8);
    std::thread::scope(|scope| {
        let work = |paths: &[&Path]| paths.iter().try_for_each(|path| one(path));
        let workers: Vec<_> = paths.chunks(chunk).map(|paths| scope.spawn(move || work(paths))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a sync does not panic"))
    })
}

fn is_not_found(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|cause| cause.kind() == ErrorKind::NotFound)
}

/// Whether the object's file is there and whole; then it is as good as new, so that a gc does not take it for old.
fn freshen(path: &Path) -> Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("cannot read '{}'", path.display())),
    };
    // A crash of a writer that does not sync leaves an empty file; it is replaced.
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    // Another user's object cannot be touched, but then neither is it ours to keep.
    let _ = file.set_modified(SystemTime::now());
    file.sync_all().with_context(|| format!("cannot sync '{}'", path.display()))?;
    Ok(true)
}

/// Whether some pack holds objects that are to go; what is in it cannot be relied on.
fn has_cruft(objects: &Path) -> bool {
    let entries = fs::read_dir(objects.join("pack")).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.path().extension().is_some_and(|extension| extension == "mtimes"))
}

/// Where git looks for a loose object.
pub(super) fn loose_path(objects: &Path, id: &ObjectId) -> PathBuf {
    let hex = id.to_string();
    objects.join(&hex[..2]).join(&hex[2..])
}
