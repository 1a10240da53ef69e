//! Recording a command: its live folder is begun, the command runs, what it leaves is gathered and closed.
//!
//! Once the command may start, nothing of ours stops it, and its results are worth more than our record of them: what
//! goes wrong here is said, and the rest recorded. What cannot be committed stays in the live folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;

use crate::journal::event::{Begin, Body, Finish, PROTOCOL, RECORDER, Step};
use crate::journal::folder::LiveFolder;
use crate::journal::owner;
use crate::journal::write::JournalWriter;
use crate::ops::done;
use crate::ops::live::away;
use crate::ops::record::checkpoint::{Checkpoints, push};
use crate::ops::record::child::{self, Ended};
use crate::ops::record::close::{self, Closing, Revision};
use crate::ops::record::console::Capture;
use crate::ops::record::harvest::Harvest;
use crate::ops::record::heartbeat::Heartbeat;
use crate::ops::record::place::Places;
use crate::ops::record::system::{self, Sampler, Usage};
use crate::ops::record::{
    Draft, Options, Outcome, Remarks, gather, given, id_file, known, outcome, python, remember, summary,
    surroundings,
};
use crate::run::attempt::{Facts, Status};
use crate::run::id::RunId;
use crate::tracker::Tracker;

/// How long a variable of the environment may become: Linux starts nothing with one of more than 128 KiB.
const VARIABLE_MAX: usize = 100 << 10;

/// How long writers that outlive the command may take to end before the run is left to them.
const GRACE: Duration = Duration::from_secs(1);

/// Runs the command and records how it went.
pub fn accompany(
    tracker: &Tracker,
    options: &Options,
    places: &Places,
    mut draft: Draft,
    mut remarks: Remarks,
) -> Result<Outcome> {
    let harvested = known::wanted(&tracker.config.harvest, &options.harvest, places);
    let harvested = remarks.accept(harvested.map_err(anyhow::Error::from))?.unwrap_or_default();
    let live = remarks.accept(begin(tracker, &draft))?;
    if let Some(file) = &options.id_file {
        write_id(&places.here.join(file), &draft.facts.id, live.as_ref())?;
    }
    let heartbeat = live.as_ref().map(Heartbeat::start);
    let since = SystemTime::now();
    let accompanied =
        live.as_ref().map(|live| Accompanied::start(tracker, options, places, live, &draft, harvested));
    let exit = run(tracker, options, places, live.as_ref(), &mut draft.facts, &mut remarks);
    draft.facts.ended = Some(tracker.now());
    // From here on the results are there.
    remarks.tolerant = true;
    let mut usage = None;
    if let (Some(accompanied), Some(live)) = (accompanied, &live) {
        usage = Some(accompanied.stop(tracker, options, places, live, since, &mut remarks));
    }
    let finished = finish(tracker, options, places, live.as_ref(), &mut draft, since, &mut remarks);
    // Only now: a commit may take long, and who sees no heartbeat takes the run for dead.
    drop(heartbeat);
    let is_recorded = finished.is_ok();
    if let Err(error) = finished {
        remarks.fault(error)?;
        live.iter().filter(|live| live.is_there()).for_each(|live| remarks.note(kept_in(live)));
    }
    if is_recorded && options.push {
        remarks.accept(push(tracker, &draft.facts.id))?;
    }
    let exit = if options.strict && remarks.faults > 0 && exit == 0 { 1 } else { exit };
    let primary = tracker.config.primary.as_deref();
    if draft.facts.name.is_none() {
        // A resumed run has the name that its first attempt was given.
        draft.facts.name = tracker.load(&draft.facts.id).ok().and_then(|run| run.name);
    }
    let summary = is_recorded.then(|| {
        let closing = summary::closing(&draft.facts, primary, usage.as_ref().map(system::describe));
        std::iter::once(closing).chain(done::same_as(tracker, &draft.facts)).collect::<Vec<_>>().join(" · ")
    });
    Ok(outcome(tracker, draft.facts.id.clone(), exit, summary, remarks))
}

fn begin(tracker: &Tracker, draft: &Draft) -> Result<LiveFolder> {
    LiveFolder::begin(
        &tracker.state_dir(),
        &draft.facts,
        &draft.environment,
        owner::this_process(),
        &draft.wanted,
    )
}

/// Writes the id down for others; a run that ends here because that failed leaves nothing behind.
pub fn write_id(file: &Path, id: &RunId, live: Option<&LiveFolder>) -> Result<()> {
    let written = id_file::write_id(file, id);
    if let (Err(_), Some(live)) = (&written, live) {
        // The error that matters is the one above.
        let _ = live.clone().remove();
    }
    written
}

fn kept_in(live: &LiveFolder) -> String {
    format!("all of it is in '{}'; `git xtrack recover` tries again", live.path.display())
}

/// What goes on beside the command.
struct Accompanied {
    sampler: Sampler,
    checkpoints: Option<Checkpoints>,
    watch: known::Watch,
}

impl Accompanied {
    fn start(
        tracker: &Tracker,
        options: &Options,
        places: &Places,
        live: &LiveFolder,
        draft: &Draft,
        harvested: Vec<known::Wanted>,
    ) -> Self {
        let config = &tracker.config;
        let samples = config.system.enabled && !options.no_system;
        let every = options.checkpoint.or(config.checkpoint);
        Self {
            // The recorder's own tree: what it runs, and what that runs.
            sampler: Sampler::start(
                &live.path,
                std::process::id(),
                samples.then_some(config.system.interval),
            ),
            checkpoints: every.map(|every| Checkpoints::start(tracker, live, draft, every, options.push)),
            watch: known::begin(&places.top, &harvested),
        }
    }

    /// Ends it; what the command wrote for other tools becomes part of the journal.
    fn stop(
        mut self,
        tracker: &Tracker,
        options: &Options,
        places: &Places,
        live: &LiveFolder,
        since: SystemTime,
        remarks: &mut Remarks,
    ) -> Usage {
        let usage = self.sampler.stop();
        if let Some(checkpoints) = self.checkpoints {
            checkpoints.stop().into_iter().for_each(|warning| remarks.warn(warning));
        }
        let read = given::metrics_files(tracker, options, places);
        self.watch.read_elsewhere(read.into_iter().map(|file| file.path));
        let gathered = self.watch.gather(&live.path, since);
        gathered.notes.into_iter().for_each(|note| remarks.warn(note));
        gathered.hints.into_iter().for_each(|hint| remarks.hint(hint));
        usage
    }
}

/// Runs the command; how it ended goes into the facts.
fn run(
    tracker: &Tracker,
    options: &Options,
    places: &Places,
    live: Option<&LiveFolder>,
    facts: &mut Facts,
    remarks: &mut Remarks,
) -> u8 {
    let mut command = Command::new(&options.command[0]);
    command.args(&options.command[1..]).current_dir(&places.here).env("XTRACK_RUN_ID", facts.id.as_str());
    match live {
        Some(live) => command.env("XTRACK_RUN_DIR", &live.path),
        None => command.env_remove("XTRACK_RUN_DIR"),
    };
    // Said once, of this run: what it starts in turn is not to say it again, nor to be taken for another attempt of it.
    for variable in surroundings::VARIABLES {
        command.env_remove(variable);
    }
    let mut fleeting = None;
    let client = python::client(&tracker.state_dir()).or_else(|error| {
        // The first error is the one to be said.
        let made = fleeting.insert(python::Fleeting::new().map_err(|_| error)?);
        Ok::<_, anyhow::Error>(made.folder.clone())
    });
    match client.map(first_on_path) {
        Ok(Some(path)) => {
            command.env("PYTHONPATH", path);
        }
        Ok(None) => {}
        Err(error) => remarks.warn(format!("{error:#}")),
    }
    let captures = tracker.config.console && !options.no_console;
    let capture = live
        .filter(|_| captures)
        .map(|live| Capture { folder: live.path.clone(), redact: tracker.config.redact.clone() });
    match child::run(&mut command, capture.as_ref()) {
        Ok(ended) => {
            judge(facts, &ended);
            child::exit_code(&ended)
        }
        Err(not_started) => {
            let program = options.command[0].to_string_lossy();
            remarks.warn(format!("cannot run '{program}': {}", not_started.reason));
            facts.status = Status::Failed;
            facts.exit_code = Some(not_started.code.into());
            not_started.code as u8
        }
    }
}

/// `PYTHONPATH` with the client before what it holds already; nothing if the system would then refuse to start anything.
fn first_on_path(client: PathBuf) -> Option<OsString> {
    let known = std::env::var_os("PYTHONPATH").filter(|known| !known.is_empty());
    let folders = known.iter().flat_map(std::env::split_paths).collect::<Vec<_>>();
    let joined = std::env::join_paths(std::iter::once(client.clone()).chain(folders));
    let joined = joined.unwrap_or_else(|_| client.into_os_string());
    (joined.len() < VARIABLE_MAX).then_some(joined)
}

/// What the end of the command says of the attempt.
fn judge(facts: &mut Facts, ended: &Ended) {
    facts.exit_code = ended.code.map(i64::from);
    facts.signal = ended.signal.map(child::signal_name);
    facts.status = match (ended.code, ended.signal) {
        (Some(0), _) => Status::Finished,
        (_, Some(_)) => Status::Killed,
        // It was asked to stop and did so in its own way.
        _ if ended.interrupted.is_some() => Status::Killed,
        _ => Status::Failed,
    };
}

/// Records the attempt: what its folder holds, or, where that is gone or could never be made, what is known without it.
fn finish(
    tracker: &Tracker,
    options: &Options,
    places: &Places,
    live: Option<&LiveFolder>,
    draft: &mut Draft,
    since: SystemTime,
    remarks: &mut Remarks,
) -> Result<()> {
    let live = live.filter(|live| live.is_there());
    // First of all, so that a recorder killed from here on is recovered with what it knew. Where it cannot be written
    // the commit is worth a try all the same.
    let _ = live.map(|live| say_verdict(live, &draft.facts));
    let harvest = gather(tracker, options, places, draft, since, remarks)?;
    let closed = live.map(|live| close(tracker, live, draft, harvest.clone(), remarks));
    match closed {
        Some(Err(error)) if live.is_some_and(LiveFolder::is_there) => return Err(error),
        Some(Ok(())) => {}
        None | Some(Err(_)) => {
            remarks.warn("the folder of the run in progress is gone, and what was logged to it".to_owned());
            close::set_down(tracker, &mut draft.facts, &draft.environment, &harvest)?;
        }
    }
    remember(tracker, &draft.facts.id, remarks);
    Ok(())
}

/// Closes the attempt. While processes that it started still log, it is left to them.
fn close(
    tracker: &Tracker,
    live: &LiveFolder,
    draft: &mut Draft,
    harvest: Harvest,
    remarks: &mut Remarks,
) -> Result<()> {
    let goes_on = outlast(live);
    let mut facts = draft.facts.clone();
    if goes_on {
        (facts.status, facts.ended) = (Status::Running, None);
        remarks.note(
            "a process that the command started still logs: the run counts as running until it ends"
                .to_owned(),
        );
    }
    let closing = Closing {
        folder: live,
        facts,
        environment: draft.environment.clone(),
        harvest,
        revision: Revision::Next,
        reads_sources: true,
    };
    let closed = close::close(tracker, &closing)?;
    closed.remarks.into_iter().for_each(|remark| remarks.warn(remark));
    draft.facts = closed.facts;
    if !goes_on {
        remarks.accept(away::put_away(tracker, live))?;
    }
    Ok(())
}

/// Writes down how the command ended, for those who find the folder if this process ends before the commit.
fn say_verdict(live: &LiveFolder, facts: &Facts) -> std::io::Result<()> {
    live.make_room();
    let owner = owner::this_process();
    let begin = Begin { protocol: PROTOCOL, owner, role: Some(RECORDER.to_owned()), ..Begin::default() };
    let mut journal = JournalWriter::create(&live.path, begin)?;
    journal.append(
        Step::Nowhere,
        &Body::Finish(Finish {
            status: facts.status.as_str().to_owned(),
            exit_code: facts.exit_code,
            error: facts.signal.clone(),
        }),
    )
}

/// Waits a moment for processes that outlive the command; whether any is left.
fn outlast(live: &LiveFolder) -> bool {
    let begun = Instant::now();
    // Of a folder that cannot be read nobody can tell: then the command's end is the run's.
    while away::has_others(live).unwrap_or_default() {
        if begun.elapsed() > GRACE {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::id::{AttemptId, Time};

    fn judged(ended: Ended) -> Facts {
        let mut facts = Facts::new(RunId::new(Time(0), [1; 8]), AttemptId::new([2; 8]), Time(0));
        judge(&mut facts, &ended);
        facts
    }

    #[test]
    fn the_end_of_the_command_is_the_status() {
        assert_eq!(judged(Ended { code: Some(0), ..Ended::default() }).status, Status::Finished);
        assert_eq!(judged(Ended { code: Some(2), ..Ended::default() }).status, Status::Failed);
        let killed = judged(Ended { signal: Some(9), ..Ended::default() });
        assert_eq!((killed.status, killed.exit_code), (Status::Killed, None));
        let interrupted = judged(Ended { code: Some(130), interrupted: Some(2), ..Ended::default() });
        assert_eq!((interrupted.status, interrupted.exit_code), (Status::Killed, Some(130)));
    }
}
