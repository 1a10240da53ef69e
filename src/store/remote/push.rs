//! Refs sent to a remote, by the git program: credentials, transports and server hooks are its own.
//!
//! Knows refs and what a server answers to each; which are sent, and when, is decided above.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::Result;

use crate::run::id::RunId;
use crate::store::remote::Remote;
use crate::store::remote::quarantine::Quarantine;
use crate::store::remote::transport::Talk;
use crate::store::{Oid, Store, output_of};

/// An ssh that asks nothing and notices when the other side has gone.
const SSH: &str = "ssh -oBatchMode=yes -oConnectTimeout=30 -oServerAliveInterval=15 -oServerAliveCountMax=4";

/// How many refs are named to git by arguments, whose length has limits.
const FORCED_MAX: usize = 1000;

/// A ref that is to point at something in a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The ref there.
    pub target: String,
    /// What it is to point at.
    pub tip: Oid,
    /// What it must point at now for what it points at to be given up; otherwise only a descendant takes its place.
    pub replaces: Option<Oid>,
}

/// What became of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is there.
    Landed,
    /// It is not there, for this reason.
    Refused(String),
    /// Nobody knows: the connection broke off.
    Unknown,
}

/// What a remote answered.
#[derive(Debug, Default)]
pub struct Answers {
    /// By the ref there.
    pub refs: BTreeMap<String, Answer>,
    /// What the server said for people to read.
    pub remarks: Vec<String>,
}

impl Store {
    /// Sends all of it in one go; what is refused does not hold up the rest. An error only if nothing was answered.
    pub fn push_refs(
        &self,
        remote: &Remote,
        sent: &[Sent],
        is_dry: bool,
        talk: &Talk<'_>,
    ) -> Result<Answers> {
        let (forced, plain): (Vec<_>, Vec<_>) = sent.iter().partition(|one| one.replaces.is_some());
        let (first, more) = forced.split_at(forced.len().min(FORCED_MAX));
        let mut answers = Answers::default();
        self.push_some(remote, &plain, first, is_dry, talk, &mut answers)?;
        for forced in more.chunks(FORCED_MAX) {
            // What was answered by then counts.
            if self.push_some(remote, &[], forced, is_dry, talk, &mut answers).is_err() {
                break;
            }
        }
        for one in sent {
            answers.refs.entry(one.target.clone()).or_insert(Answer::Unknown);
        }
        Ok(answers)
    }

    fn push_some(
        &self,
        remote: &Remote,
        plain: &[&Sent],
        forced: &[&Sent],
        is_dry: bool,
        talk: &Talk<'_>,
        answers: &mut Answers,
    ) -> Result<()> {
        // In a repository that holds nothing else, git need not look through all refs here for each that is sent.
        let scratch = Quarantine::new(self)?;
        let refs: Vec<_> = plain.iter().map(|one| (one.target.clone(), one.tip.clone())).collect();
        scratch.become_repository(self, &refs)?;
        let mut git = self.git();
        scratch.enter(self, &mut git);
        push_only(&mut git, remote);
        git.arg("--porcelain");
        // What is there already is answered for as well.
        git.arg("--verbose");
        git.args(is_dry.then_some("--dry-run"));
        git.arg(if talk.progress.is_some() { "--progress" } else { "--no-progress" });
        for one in forced {
            let old = one.replaces.as_deref().unwrap_or_default();
            git.arg(format!("--force-with-lease={}:{old}", one.target));
        }
        // `--` keeps a path from being an option.
        git.args(["--", remote.target()]);
        git.args((!plain.is_empty()).then_some("refs/*:refs/*"));
        git.args(forced.iter().map(|one| format!("{}:{}", one.tip, one.target)));
        let said = talk.run(&mut git, b"")?;
        answers.remarks.extend(said.remarks());
        let text = String::from_utf8_lossy(&said.stdout);
        let told: Vec<_> = text.lines().filter_map(answer_of).collect();
        if told.is_empty() && !said.is_done {
            return Err(said.failure());
        }
        answers.refs.extend(told);
        Ok(())
    }

    /// Pushes the run to the remote; one that has words we lack is left as it is, which is an error.
    pub fn push_run(&self, remote: &Remote, id: &RunId) -> Result<()> {
        let mut git = self.git();
        // Nobody may be there to answer, and the terminal is the command's that is being recorded.
        let is_set = |name: &str| std::env::var_os(name).is_some();
        if !is_set("GIT_SSH_COMMAND") && !is_set("GIT_SSH") && self.config("core.sshCommand").is_none() {
            git.env("GIT_SSH_COMMAND", SSH);
        }
        git.env("SSH_ASKPASS_REQUIRE", "never");
        // A network that has gone must not hold up the end of a run.
        git.args(["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60"]);
        push_only(&mut git, remote);
        let refspec = format!("{}:{}", self.run_ref(id), remote.run_ref(id));
        // `--` keeps a remote's name from being an option.
        git.args(["--quiet", "--", remote.target(), &refspec]);
        output_of(&mut git).map(|_| ())
    }
}

/// Begins a push that takes nothing along but what it is told to, whatever is set for other pushes.
fn push_only(git: &mut Command, remote: &Remote) {
    let mirror = remote.name.iter().map(|name| format!("remote.{name}.mirror=false"));
    for setting in mirror.chain(remote.settings()) {
        git.args(["-c", &setting]);
    }
    // The hook of a push is for branches: it may run tests for minutes.
    git.args(["push", "--no-verify", "--no-follow-tags", "--recurse-submodules=no"]);
}

/// Reads a line of `git push --porcelain`: `<flag> TAB <from>:<to> TAB <summary> (<reason>)`.
fn answer_of(line: &str) -> Option<(String, Answer)> {
    let mut parts = line.splitn(3, '\t');
    let (flag, refs, summary) = (parts.next()?, parts.next()?, parts.next()?);
    let target = refs.rsplit_once(':')?.1.to_owned();
    let answer = match flag {
        " " | "+" | "*" | "=" => Answer::Landed,
        "!" if summary.contains("failed to report status") => Answer::Unknown,
        "!" => Answer::Refused(reason_of(summary)),
        _ => return None,
    };
    Some((target, answer))
}

/// `[remote rejected] (hook declined)` gives `hook declined`.
fn reason_of(summary: &str) -> String {
    match summary.split_once(" (") {
        Some((_, reason)) => reason.strip_suffix(')').unwrap_or(reason).to_owned(),
        None => summary.trim_matches(['[', ']']).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ref_has_its_answer() {
        let target = "refs/runs/x".to_owned();
        let refused = |reason: &str| Some((target.clone(), Answer::Refused(reason.to_owned())));
        assert_eq!(
            answer_of("*\trefs/runs/x:refs/runs/x\t[new reference]"),
            Some((target.clone(), Answer::Landed))
        );
        assert_eq!(answer_of(" \t1234:refs/runs/x\t12..34"), Some((target.clone(), Answer::Landed)));
        assert_eq!(
            answer_of("!\trefs/runs/x:refs/runs/x\t[remote rejected] (hook (ours) declined)"),
            refused("hook (ours) declined")
        );
        assert_eq!(answer_of("!\ta:refs/runs/x\t[rejected] (stale info)"), refused("stale info"));
        assert_eq!(
            answer_of("!\ta:refs/runs/x\t[remote failure] (remote failed to report status)"),
            Some((target.clone(), Answer::Unknown))
        );
        assert_eq!(answer_of("To file:///somewhere"), None);
        assert_eq!(answer_of("Done"), None);
    }
}
