//! The file that tells a run's id to who started it.
//!
//! Knows that its reader may look at any moment; not what the id is for.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::run::id::RunId;

/// Writes the id to `file`, which is whole whenever it is there.
pub fn write_id(file: &Path, id: &RunId) -> Result<()> {
    let line = format!("{id}\n");
    let is_special = fs::metadata(file).is_ok_and(|metadata| !metadata.is_file());
    let written = match is_special {
        // A pipe or `/dev/stdout` is written to, not replaced.
        true => File::options().write(true).open(file).and_then(|mut file| file.write_all(line.as_bytes())),
        false => {
            let mut temporary = file.as_os_str().to_owned();
            temporary.push(format!(".tmp-{}", std::process::id()));
            let renamed = fs::write(&temporary, line).and_then(|()| fs::rename(&temporary, file));
            if renamed.is_err() {
                // The error that matters is the one above.
                let _ = fs::remove_file(&temporary);
            }
            renamed
        }
    };
    written.with_context(|| format!("cannot write the id file '{}'", file.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::run::id::Time;

    #[test]
    fn the_id_file_is_replaced_whole() {
        let id = RunId::new(Time(0), [1; 8]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("id");
        fs::write(&file, "older and longer than the new text, by far").unwrap();
        write_id(&file, &id).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("{id}\n"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_id(&folder.path().join("no/id"), &id).is_err());
    }
}
