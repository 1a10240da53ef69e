//! Signing commits, by git, with what the user configured.
//!
//! A signer that fails costs the signature and a warning, never the run.

use std::fs::{self, File};
use std::io::{IsTerminal, Read};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use flate2::read::ZlibDecoder;
use gix::ObjectId;

use crate::error::Problem;
use crate::store::commit::Words;
use crate::store::objects::{Object, loose_path};
use crate::store::remote::quarantine::Quarantine;
use crate::store::{Store, cannot_run_git, object_id, platform, said};

/// How long a signer may take where nobody can answer it.
const UNATTENDED_MAX: Duration = Duration::from_secs(10);

impl Store {
    /// The bytes of the signed commit of the tree `root`; `None`, and a warning, if it cannot be signed.
    pub(super) fn signed(&self, root: &ObjectId, objects: &[Object], words: &Words<'_>) -> Option<Vec<u8>> {
        match self.try_signed(root, objects, words) {
            Ok(data) => Some(data),
            Err(error) => {
                self.warn(format!("the run's commit is not signed: {error:#}"));
                None
            }
        }
    }

    fn try_signed(&self, root: &ObjectId, objects: &[Object], words: &Words<'_>) -> Result<Vec<u8>> {
        let quarantine = Quarantine::new(self)?;
        // The root may be the tip's own tree; then it is in the repository.
        if let Some(tree) = objects.iter().find(|object| object.id == *root) {
            tree.write_fleeting(&quarantine.objects())?;
        }
        let message = quarantine.folder().join("message");
        fs::write(&message, format!("{}\n", words.message.trim_end_matches('\n')))?;
        let mut git = self.git();
        quarantine.confine(&mut git);
        let (name, mail) = words.by.split_once(" <").context("an identity has an address")?;
        let date = format!("{} +0000", words.seconds);
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), name)
                .env(format!("GIT_{who}_EMAIL"), mail.trim_end_matches('>'));
            git.env(format!("GIT_{who}_DATE"), &date);
        }
        git.args(["-c", "i18n.commitEncoding=UTF-8", "commit-tree", "-S"])
            .arg(root.to_string())
            .arg("-F")
            .arg(message);
        git.args(words.parents.iter().flat_map(|parent| ["-p".to_owned(), parent.to_string()]));
        let id = object_id(self, run(&mut git, &quarantine)?.trim())?;
        read_loose(&quarantine, &id)
    }
}

/// Runs git to its end, but not for ever where no terminal is there to ask at; what it printed.
fn run(git: &mut Command, quarantine: &Quarantine) -> Result<String> {
    let (out, err) = (quarantine.folder().join("out"), quarantine.folder().join("err"));
    git.stdout(File::create(&out)?).stderr(File::create(&err)?);
    let is_attended = std::io::stdin().is_terminal() || std::io::stderr().is_terminal();
    if !is_attended {
        platform::in_own_group(git);
    }
    let mut child = git.spawn().map_err(cannot_run_git)?;
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if !is_attended && began.elapsed() > UNATTENDED_MAX {
            platform::kill_group(&mut child);
            return Err(Problem::new("the signer did not answer").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    if !status.success() {
        return Err(said(&fs::read(err)?).into());
    }
    Ok(fs::read_to_string(out)?)
}

fn read_loose(quarantine: &Quarantine, id: &ObjectId) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ZlibDecoder::new(File::open(loose_path(&quarantine.objects(), id))?).read_to_end(&mut bytes)?;
    let header = bytes.iter().position(|byte| *byte == 0).context("git wrote no object")?;
    Ok(bytes.split_off(header + 1))
}
