//! Runs sent to a remote, as it was planned: they go in one push, and what is refused is reported run by run.
//!
//! Nothing there is given up but what is named to be replaced, and a merge commit that says no more than ours.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, Result};

use crate::ops::sync::artifacts::{Destination, Needed};
use crate::ops::sync::plan::{Options, Plan, Planned, Standing, compare};
use crate::ops::sync::{Cause, Refused, fetch};
use crate::run::id::RunId;
use crate::store::{Answer, Interrupted, Oid, Remote, Sent, Talk, patiently, pause};
use crate::tracker::Tracker;

/// How often what others got in the way of is tried again.
const TRIES_MAX: u32 = 5;

/// What a push did.
#[derive(Debug, Default)]
pub struct Pushed {
    /// The runs that the remote now has as they are here.
    pub landed: Vec<Planned>,
    /// How many it had already.
    pub same: usize,
    /// Those of which it knows more.
    pub behind: Vec<RunId>,
    /// Runs that it does not have as they are here, and why.
    pub refused: Vec<Refused>,
    /// Code states that went along.
    pub code: Vec<Oid>,
    /// Code states that were refused, and why.
    pub code_refused: Vec<(Oid, String)>,
    /// How many code states did not go along, since they would make something public.
    pub code_withheld: usize,
    /// The artifacts of the runs that landed.
    pub artifacts: Vec<Needed>,
    /// What the server said for people to read, each once.
    pub remarks: Vec<String>,
    /// What went wrong besides.
    pub warnings: Vec<String>,
    /// What to do about refusals.
    pub advice: Vec<String>,
}

/// Does what was planned.
pub fn push(tracker: &Tracker, plan: Plan, options: &Options, talk: &Talk<'_>) -> Result<Pushed> {
    let mut pushed =
        Pushed { same: plan.same, behind: plan.behind, refused: plan.refused, ..Pushed::default() };
    let code: Vec<Oid> = match options.code {
        true => plan.code.free.iter().chain(&plan.code.private).cloned().collect(),
        false => plan.code.free.clone(),
    };
    pushed.code_withheld = if options.code { 0 } else { plan.code.private.len() };
    pushed.artifacts = plan.artifacts;
    let mut runs = plan.runs;
    if !options.dry_run {
        send_artifacts(tracker, &plan.destination, &mut runs, &mut pushed);
    }
    let mut cargo = Cargo { remote: &plan.remote, runs, code };
    let sent = cargo.send(tracker, options, &mut pushed, talk);
    sent.with_context(|| format!("cannot push to '{}'", plan.remote.shown()))?;
    pushed.refused.sort_by(|a, b| a.id.cmp(&b.id));
    pushed.landed.sort_by(|a, b| a.id.cmp(&b.id));
    if let Some(name) = plan.remote.name.as_ref().filter(|_| !options.dry_run) {
        let tips = pushed.landed.iter().map(|run| (run.id.clone(), run.tip.clone())).collect();
        let noted = tracker
            .store
            .tracked(name)
            .and_then(|known| fetch::note_tips(&tracker.store, name, &tips, &known));
        // What went is gone, whether it is noted or not.
        if let Err(error) = noted {
            pushed.warnings.push(format!("what '{name}' has now cannot be noted: {error:#}"));
        }
    }
    pushed.advise(&plan.remote);
    Ok(pushed)
}

/// Bytes go before the runs that name them; a run whose bytes do not arrive stays.
fn send_artifacts(
    tracker: &Tracker,
    destination: &Destination,
    runs: &mut Vec<Planned>,
    pushed: &mut Pushed,
) {
    let failed = destination.send(tracker, &pushed.artifacts);
    runs.retain(|run| !failed.contains_key(&run.id));
    pushed.artifacts.retain(|needed| !failed.contains_key(&needed.id));
    pushed.refused.extend(failed.into_iter().map(|(id, reason)| Refused::new(id, Cause::Artifacts, reason)));
}

/// What is still to be sent.
struct Cargo<'a> {
    remote: &'a Remote,
    runs: Vec<Planned>,
    code: Vec<Oid>,
}

impl Cargo<'_> {
    fn send(
        &mut self,
        tracker: &Tracker,
        options: &Options,
        pushed: &mut Pushed,
        talk: &Talk<'_>,
    ) -> Result<()> {
        let mut is_answered = false;
        for attempt in 1.. {
            if self.runs.is_empty() && self.code.is_empty() {
                return Ok(());
            }
            let is_last = attempt == TRIES_MAX;
            match tracker.store.push_refs(self.remote, &self.sent(), options.dry_run, talk) {
                Ok(answers) => {
                    is_answered = true;
                    for remark in answers.remarks {
                        if !pushed.remarks.contains(&remark) {
                            pushed.remarks.push(remark);
                        }
                    }
                    self.settle(&answers.refs, is_last, pushed);
                }
                Err(error) if error.is::<Interrupted>() && !is_last => {}
                Err(error) if is_answered => return self.give_up(&error, pushed),
                Err(error) => return Err(error),
            }
            if is_last || (self.runs.is_empty() && self.code.is_empty()) {
                return Ok(());
            }
            pause(attempt);
            match self.look_again(tracker, options, pushed, talk) {
                Err(error) if is_answered => return self.give_up(&error, pushed),
                other => other?,
            }
        }
        Ok(())
    }

    /// Leaves what is still to be sent, so that what was answered by then is told.
    fn give_up(&mut self, error: &anyhow::Error, pushed: &mut Pushed) -> Result<()> {
        let why = format!("{error:#}");
        let runs = std::mem::take(&mut self.runs).into_iter();
        pushed.refused.extend(runs.map(|run| Refused::new(run.id, Cause::Remote, &why)));
        let code = std::mem::take(&mut self.code).into_iter();
        pushed.code_refused.extend(code.map(|commit| (commit, why.clone())));
        Ok(())
    }

    fn sent(&self) -> Vec<Sent> {
        let run = |run: &Planned| Sent {
            target: self.remote.run_ref(&run.id),
            tip: run.tip.clone(),
            replaces: match run.standing {
                Standing::Replaced | Standing::Settled => run.theirs.clone(),
                _ => None,
            },
        };
        let code =
            |commit: &Oid| Sent { target: self.remote.code_ref(commit), tip: commit.clone(), replaces: None };
        self.runs.iter().map(run).chain(self.code.iter().map(code)).collect()
    }

    /// Takes the answers; what somebody merely was in the way of stays to be sent again.
    fn settle(&mut self, answers: &BTreeMap<String, Answer>, is_last: bool, pushed: &mut Pushed) {
        let unknown = "the connection broke off before it was answered";
        let mut left = Vec::new();
        for run in std::mem::take(&mut self.runs) {
            match answers.get(&self.remote.run_ref(&run.id)).unwrap_or(&Answer::Unknown) {
                Answer::Landed => pushed.landed.push(run),
                Answer::Refused(reason) if is_last || !is_race(reason) => match run.standing {
                    // The remote takes back nothing; what it has says the same.
                    Standing::Settled => pushed.behind.push(run.id),
                    _ => pushed.refused.push(Refused::new(run.id, Cause::Remote, told(reason, self.remote))),
                },
                Answer::Unknown if is_last => {
                    pushed.refused.push(Refused::new(run.id, Cause::Remote, unknown));
                }
                _ => left.push(run),
            }
        }
        self.runs = left;
        let mut left = Vec::new();
        for commit in std::mem::take(&mut self.code) {
            match answers.get(&self.remote.code_ref(&commit)).unwrap_or(&Answer::Unknown) {
                Answer::Landed => pushed.code.push(commit),
                Answer::Refused(reason) if is_last || !is_race(reason) => {
                    pushed.code_refused.push((commit, told(reason, self.remote)));
                }
                Answer::Unknown if is_last => pushed.code_refused.push((commit, unknown.to_owned())),
                _ => left.push(commit),
            }
        }
        self.code = left;
    }

    /// Sees what became of what is left: some of it may have landed unheard, some been overtaken.
    fn look_again(
        &mut self,
        tracker: &Tracker,
        options: &Options,
        pushed: &mut Pushed,
        talk: &Talk<'_>,
    ) -> Result<()> {
        let listing = patiently(|| tracker.store.list_remote(self.remote, talk))?;
        let was: HashMap<RunId, Standing> =
            self.runs.iter().map(|run| (run.id.clone(), run.standing.clone())).collect();
        let tips: Vec<(RunId, Oid)> = self.runs.iter().map(|run| (run.id.clone(), run.tip.clone())).collect();
        let compared = compare(tracker, self.remote, &tips, &listing, options, talk)?;
        self.runs.clear();
        for run in compared {
            match &run.standing {
                Standing::Same => {
                    let standing = was.get(&run.id).cloned().unwrap_or(Standing::New);
                    pushed.landed.push(Planned { standing, ..run });
                }
                Standing::Behind => pushed.behind.push(run.id),
                Standing::Blocked(cause, reason) => pushed.refused.push(Refused::new(run.id, *cause, reason)),
                _ => self.runs.push(run),
            }
        }
        let (landed, left) =
            std::mem::take(&mut self.code).into_iter().partition(|commit| listing.code.contains(commit));
        self.code = left;
        pushed.code.extend::<Vec<Oid>>(landed);
        Ok(())
    }
}

/// Whether a refusal means that somebody else was faster.
fn is_race(reason: &str) -> bool {
    const SIGNS: &[&str] = &[
        "stale info",
        "fetch first",
        "non-fast-forward",
        "cannot lock ref",
        "failed to update ref",
        "reference already exists",
        "incorrect old value",
        "failed to lock",
        "unable to migrate objects",
        "try again",
    ];
    SIGNS.iter().any(|sign| reason.contains(sign))
}

/// A refusal in words that say whose it is.
fn told(reason: &str, remote: &Remote) -> String {
    format!("'{}' refused it: {reason}", remote.shown())
}

impl Pushed {
    /// What can be done about what was refused.
    fn advise(&mut self, remote: &Remote) {
        let called = remote.called();
        let has = |cause: Cause| self.refused.iter().any(|refused| refused.cause == cause);
        let mut advice = Vec::new();
        if has(Cause::Artifacts) {
            advice.push(
                "fetch the artifacts from where they are, or push the runs without by `--incomplete`"
                    .to_owned(),
            );
        }
        if has(Cause::Diverged) {
            advice.push(format!("`git xtrack pull {}` brings them; then push again", remote.pulled_as()));
        }
        if has(Cause::Unsound) || has(Cause::Purged) {
            advice.push(format!("`git xtrack push {called} --replace RUN` puts what is here in its place"));
        }
        if has(Cause::Remote) || !self.code_refused.is_empty() {
            let name = remote.name.as_deref().unwrap_or("NAME");
            advice.extend(self.limits().iter().map(|advice| advice.replace("NAME", name)));
        }
        self.advice = advice;
    }

    /// What to do about the limits of forges that its words tell of.
    fn limits(&self) -> Vec<&'static str> {
        const LIMITS: &[(&str, &[&str])] = &[
            (
                "if it takes only branches and tags: `git config remote.NAME.xtrackPrefix refs/heads/xtrack`",
                &[
                    "hidden ref",
                    "funny refname",
                    "invalid ref",
                    "not allowed",
                    "prohibited",
                    "refs/heads",
                    "declined",
                ],
            ),
            (
                "another process writes there, or one was killed at it: in that case remove the lock that is named above",
                &["file exists", "failed to lock"],
            ),
            (
                "it limits the size of files or pushes: keep fewer artifacts inline, or push some runs at a time",
                &["size limit", "larger than", "too large", "exceeds", "maximum"],
            ),
            (
                "it limits how often one may push: wait a minute, and push many runs at once, not one by one",
                &["rate limit", "too many requests", "429", "slow down"],
            ),
        ];
        let reasons = self.refused.iter().map(|refused| &refused.reason);
        let reasons = reasons.chain(self.code_refused.iter().map(|(_, reason)| reason)).chain(&self.remarks);
        let said: Vec<String> = reasons.map(|reason| reason.to_lowercase()).collect();
        let is_said = |signs: &[&str]| said.iter().any(|said| signs.iter().any(|sign| said.contains(sign)));
        LIMITS.iter().filter(|(_, signs)| is_said(signs)).map(|(advice, _)| *advice).collect()
    }
}
