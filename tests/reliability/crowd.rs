//! Many runs at once, in one repository that is packed, collected and read meanwhile.

use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::reliability::logger::{self, recorded};
use crate::reliability::trials;
use crate::support::Repo;

/// How many runs are alive at once.
const RUNS: usize = 64;

/// Waits for all of them; each must end well and say nothing of an error.
#[track_caller]
fn all_end_well(repo: &Repo, recorders: &mut [Child]) {
    for recorder in recorders {
        let status = recorder.wait().unwrap();
        assert!(status.success(), "{status}: {}", logger::said(repo));
    }
    let said = logger::said(repo);
    let bad =
        said.lines().find(|line| ["warning:", "error:", "panicked"].iter().any(|word| line.contains(word)));
    assert_eq!(bad, None, "{said}");
}

/// Does `work` again and again until `done`; how often.
fn again_and_again(done: &AtomicBool, work: impl Fn()) -> usize {
    let mut rounds = 0;
    while !done.load(Ordering::Relaxed) || rounds == 0 {
        work();
        rounds += 1;
    }
    rounds
}

fn list(repo: &Repo) {
    let output = repo.xtrack(&["log", "--json"]).ok();
    assert!(!output.stderr.contains("warning"), "{}", output.stderr);
}

/// What people and schedulers run beside: packing, and a collector that spares nothing, however young.
fn keep_house(repo: &Repo, collector: &[&str]) {
    for arguments in [collector, &["pack-refs", "--all"]] {
        // Plain git may find a lock that one of us holds, and says so; that is its own affair.
        let _ = repo.try_git(arguments);
    }
}

/// `RUNS` runs of `steps` steps beside that housekeeping and a reader; all of them must be there in the end.
fn crowd(collector: &[&str], steps: u64) {
    let repo = logger::repository();
    let done = AtomicBool::new(false);
    let (git, log) = thread::scope(|scope| {
        let git = scope.spawn(|| again_and_again(&done, || keep_house(&repo, collector)));
        let log = scope.spawn(|| again_and_again(&done, || list(&repo)));
        let mut recorders: Vec<_> =
            (0..RUNS).map(|number| logger::record(&repo, &[], &format!("ack{number}"), (0, steps))).collect();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            all_end_well(&repo, &mut recorders);
        }));
        done.store(true, Ordering::Relaxed);
        let rounds = (git.join().unwrap(), log.join().unwrap());
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        rounds
    });
    repo.git(&["fsck", "--strict", "--full", "--no-dangling", "--no-progress", "--connectivity-only"]);
    let runs = logger::runs(&repo);
    assert_eq!(runs.len(), RUNS);
    for run in &runs {
        assert_eq!(recorded(&repo, run, "loss").len() as u64, steps, "{run}");
    }
    let statuses = repo.xtrack(&["log", "--json"]).ok().stdout;
    assert_eq!(statuses.matches("\"status\": \"finished\"").count(), 2 * RUNS, "the run's and its attempt's");
    repo.git(&["fsck", "--strict", "--full", "--no-dangling", "--no-progress"]);
    eprintln!(
        "{RUNS} runs of {steps} steps beside {git} rounds of {collector:?} and {log} of log: all complete"
    );
}

#[test]
fn sixty_four_live_runs_survive_gc_packing_and_readers() {
    for round in 0..trials(1) {
        // In turn: as people run it, and harsher than they do.
        let collector: &[&str] = if round % 2 == 0 { &["gc", "-q", "--prune=now"] } else { &["gc", "-q"] };
        crowd(collector, 50);
    }
}

#[test]
fn sixty_four_first_runs_of_a_repository_are_all_there() {
    for _ in 0..trials(1) {
        let repo = Repo::new();
        repo.commit("first");
        let first = |number| match number % 2 {
            0 => logger::start(&repo, &["record", "-p", "lr=0.1"]),
            _ => logger::start(&repo, &["record", "--", "true"]),
        };
        let mut recorders: Vec<_> = (0..RUNS).map(first).collect();
        all_end_well(&repo, &mut recorders);
        assert_eq!(logger::runs(&repo).len(), RUNS);
        list(&repo);
        repo.git(&["fsck", "--strict", "--full", "--no-dangling", "--no-progress"]);
    }
}
