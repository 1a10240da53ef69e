//! Setting up a clone: others' runs arrive with a plain `git fetch`, in a place where no prune reaches ours.

use std::fs;
use std::io::Write as _;

use anyhow::{Context as _, Result};

use crate::config;
use crate::error::Problem;
use crate::tracker::{SETTINGS, Tracker};

/// What is to be set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The remote that runs are shared through.
    pub remote: String,
    /// Whether to write an example `xtrack.toml`.
    pub example: bool,
}

/// Sets up the clone and says what was done, a line each. What is set already stays as it is.
pub fn init(tracker: &Tracker, options: &Options) -> Result<Vec<String>> {
    let mut done = Vec::new();
    match tracker.store.config(&format!("remote.{}.url", options.remote)) {
        Some(_) => done.push(map_remote(tracker, &options.remote)?),
        None if options.remote == "origin" => {
            done.push(
                "there is no remote 'origin' yet: run `git xtrack init` again once there is".to_owned(),
            );
        }
        None => return Err(no_remote(&options.remote).into()),
    }
    if options.example {
        done.push(write_example(tracker)?);
    }
    Ok(done)
}

fn no_remote(remote: &str) -> Problem {
    Problem::usage(format!("there is no remote '{remote}'")).hint("`git remote -v` lists the remotes")
}

fn map_remote(tracker: &Tracker, remote: &str) -> Result<String> {
    let key = format!("remote.{remote}.fetch");
    let known = output(tracker, &["config", "--local", "--get-all", &key])?;
    let mut added = 0;
    for kind in ["runs", "models"] {
        let refspec = format!("+refs/{kind}/*:refs/xtrack/remotes/{remote}/{kind}/*");
        if !known.lines().any(|line| line == refspec) {
            output(tracker, &["config", "--local", "--add", &key, &refspec])?;
            added += 1;
        }
    }
    Ok(match added {
        0 => format!("`git fetch {remote}` brings others' runs already"),
        _ => format!("`git fetch {remote}` now brings others' runs, into refs/xtrack/remotes/{remote}/"),
    })
}

fn output(tracker: &Tracker, arguments: &[&str]) -> Result<String> {
    let output = tracker.store.git().args(arguments).output().context("cannot run git")?;
    // `git config --get-all` says 1 where there is nothing.
    if !output.status.success() && output.status.code() != Some(1) {
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Problem::new(format!("git {} failed: {message}", arguments[0])).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn write_example(tracker: &Tracker) -> Result<String> {
    let top = tracker
        .store
        .work_tree()
        .ok_or_else(|| Problem::usage("a bare repository has no place for 'xtrack.toml'"))?;
    let path = top.join(SETTINGS);
    match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut file) => file
            .write_all(config::EXAMPLE.as_bytes())
            .with_context(|| format!("cannot write '{SETTINGS}'"))?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Ok(format!("'{SETTINGS}' is there already and stays as it is"));
        }
        Err(error) => return Err(error).with_context(|| format!("cannot write '{SETTINGS}'")),
    }
    Ok(format!("wrote an example '{SETTINGS}': edit and commit it"))
}
