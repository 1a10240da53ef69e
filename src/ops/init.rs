//! Setting up a clone: others' runs arrive with a plain `git fetch`, in a place where no prune reaches ours.

use std::fs;
use std::io::Write as _;

use anyhow::{Context as _, Result};

use crate::config;
use crate::error::Problem;
use crate::ops::sync::no_remote;
use crate::tracker::{SETTINGS, Tracker};

/// What is to be set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The remote that runs are shared through; the usual one if none is named.
    pub remote: Option<String>,
    /// Where its refs lie in the remote, if not at their own names.
    pub prefix: Option<String>,
    /// Whether to write an example `xtrack.toml`.
    pub example: bool,
}

/// Sets up the clone and says what was done, a line each. What is set already stays as it is.
pub fn init(tracker: &Tracker, options: &Options) -> Result<Vec<String>> {
    let mut done = Vec::new();
    let usual = tracker.config.remote.as_deref().unwrap_or("origin");
    let name = options.remote.as_deref().unwrap_or(usual);
    match tracker.store.remote_named(name)? {
        Some(_) => {
            if let Some(prefix) = &options.prefix {
                done.push(map_prefix(tracker, name, prefix)?);
            }
            done.push(match is_mirror(tracker, name) {
                true => spare_runs(tracker, name)?,
                false => map_remote(tracker, name)?,
            });
            if options.remote.is_some() {
                done.extend(choose(tracker, name, usual)?);
            }
        }
        None if options.remote.is_none() && name == "origin" => {
            done.push(
                "there is no remote 'origin' yet: run `git xtrack init` again once there is".to_owned(),
            );
        }
        None => return Err(no_remote(tracker, name).into()),
    }
    if options.example {
        done.push(write_example(tracker)?);
    }
    Ok(done)
}

fn map_remote(tracker: &Tracker, remote: &str) -> Result<String> {
    let key = format!("remote.{remote}.fetch");
    let known = output(tracker, &["config", "--local", "--get-all", &key])?;
    let place = match prefix_of(tracker, remote) {
        Some(prefix) => prefix.trim_end_matches('/').to_owned(),
        None => "refs".to_owned(),
    };
    let mut added = 0;
    for kind in ["runs", "models"] {
        let refspec = format!("+{place}/{kind}/*:refs/xtrack/remotes/{remote}/{kind}/*");
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

/// Makes the remote the usual one, unless another is.
fn choose(tracker: &Tracker, name: &str, usual: &str) -> Result<Option<String>> {
    if name == usual {
        return Ok(None);
    }
    if tracker.config.remote.is_some() {
        return Ok(Some(format!(
            "`git xtrack push` and `pull` still use '{usual}': `git config xtrack.remote {name}` changes that"
        )));
    }
    output(tracker, &["config", "--local", "xtrack.remote", name])?;
    Ok(Some(format!("`git xtrack push` and `pull` now use '{name}'")))
}

fn prefix_of(tracker: &Tracker, remote: &str) -> Option<String> {
    // Read anew: it may have been set a moment ago.
    let said = output(tracker, &["config", "--get", &format!("remote.{remote}.xtrackPrefix")]).ok()?;
    Some(said.trim_end().to_owned()).filter(|prefix| !prefix.is_empty())
}

fn map_prefix(tracker: &Tracker, remote: &str, prefix: &str) -> Result<String> {
    let place = prefix.trim_end_matches('/');
    let mut git = tracker.store.git();
    let is_name = git
        .args(["check-ref-format", &format!("{place}/runs/x")])
        .status()
        .is_ok_and(|status| status.success());
    let is_valid = is_name
        && place.starts_with("refs/")
        && !["refs/runs", "refs/xtrack", "refs/heads", "refs/tags"].contains(&place);
    if !is_valid {
        let problem = Problem::usage(format!("{prefix:?} is no place for refs in a remote"));
        return Err(problem.hint("name one as 'refs/heads/xtrack'").into());
    }
    output(tracker, &["config", "--local", &format!("remote.{remote}.xtrackPrefix"), place])?;
    Ok(format!("runs lie in '{remote}' below '{place}/runs/'"))
}

/// Whether every fetch makes all refs here those of the remote, which would take away runs that are only here.
fn is_mirror(tracker: &Tracker, remote: &str) -> bool {
    let specs =
        output(tracker, &["config", "--get-all", &format!("remote.{remote}.fetch")]).unwrap_or_default();
    specs.lines().any(|spec| spec.trim_start_matches('+').ends_with(":refs/*"))
}

/// Keeps a mirror's fetches from the runs.
fn spare_runs(tracker: &Tracker, remote: &str) -> Result<String> {
    let key = format!("remote.{remote}.fetch");
    let known = output(tracker, &["config", "--local", "--get-all", &key])?;
    for spared in ["^refs/runs/*", "^refs/xtrack/*"] {
        if !known.lines().any(|line| line == spared) {
            output(tracker, &["config", "--local", "--add", &key, spared])?;
        }
    }
    Ok(format!(
        "this clone mirrors '{remote}': `git fetch` leaves runs alone now, and `git xtrack pull` brings others'"
    ))
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
