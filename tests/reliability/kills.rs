//! Kill -9 at random moments: of the logger, of its recorder, of both, of one rank of four.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::reliability::logger::{self, acknowledged, kill, recorded};
use crate::reliability::{Dice, trials};
use crate::support::Repo;

/// Far more steps than are logged before the kill.
const ENDLESS: u64 = 10_000_000;

/// Who is killed.
#[derive(Debug, Clone, Copy)]
enum Target {
    /// The process that logs.
    Logger,
    /// `git xtrack record`; the logger goes on.
    Recorder,
    /// The whole process group at once.
    Both,
}

/// Lets a logger run for a random while and kills; everything acknowledged must be recorded. How many events that were.
fn trial(repo: &Repo, target: Target, dice: &mut Dice) -> usize {
    let ack = repo.path().join("ack");
    let _ = std::fs::remove_file(&ack);
    let known = logger::runs(repo);
    let mut recorder = logger::record(repo, &["--no-snapshot"], "ack", (0, ENDLESS));
    logger::wait_for_first(&ack);
    thread::sleep(Duration::from_micros(dice.below(150_000)));
    let group = -i32::try_from(recorder.id()).unwrap();
    match target {
        Target::Logger => logger::loggers(repo).into_iter().for_each(|process| kill("KILL", process)),
        Target::Recorder => {
            kill("KILL", -group);
            thread::sleep(Duration::from_micros(dice.below(50_000)));
            assert!(!logger::loggers(repo).is_empty(), "the logger died with its recorder");
            logger::loggers(repo).into_iter().for_each(|process| kill("KILL", process));
        }
        Target::Both => kill("KILL", group),
    }
    recorder.wait().unwrap();
    logger::wait_for_end(repo);
    let new = logger::recover(repo, &known);
    let acknowledged = acknowledged(&ack);
    assert_eq!(new.len(), 1, "{target:?}: {new:?}");
    let recorded = recorded(repo, &new[0], "loss");
    let lost: Vec<_> = acknowledged.difference(&recorded).collect();
    assert!(lost.is_empty(), "{target:?}: lost {lost:?} of {}", acknowledged.len());
    let run: Value = serde_json::from_str(&repo.xtrack(&["show", &new[0], "--json"]).ok().stdout).unwrap();
    let status = match target {
        Target::Logger => "killed",
        Target::Recorder | Target::Both => "crashed",
    };
    assert_eq!(run["status"], status, "{target:?}");
    assert_eq!(run["metrics"]["loss"]["count"].as_u64(), Some(recorded.len() as u64));
    acknowledged.len()
}

fn every_trial(target: Target, quick: usize) {
    let (repo, mut dice) = (logger::repository(), Dice::new());
    let count = trials(quick);
    let events: usize = (0..count).map(|_| trial(&repo, target, &mut dice)).sum();
    repo.assert_sound();
    eprintln!("{target:?}: {count} kills, {events} acknowledged events, none lost");
}

#[test]
fn a_killed_logger_loses_nothing() {
    every_trial(Target::Logger, 8);
}

#[test]
fn a_killed_recorder_loses_nothing_and_takes_nobody_along() {
    every_trial(Target::Recorder, 8);
}

#[test]
fn a_killed_group_loses_nothing() {
    every_trial(Target::Both, 8);
}

#[test]
fn one_killed_rank_of_four_loses_nothing() {
    let (repo, mut dice) = (logger::repository(), Dice::new());
    let ranks =
        "for rank in 0 1 2 3; do RANK=$rank WORLD_SIZE=4 python3 logger.py ack$rank 0 4000 & done; wait";
    let count = trials(3);
    let mut events = 0;
    for _ in 0..count {
        let known = logger::runs(&repo);
        let acks: Vec<_> = (0..4).map(|rank| repo.path().join(format!("ack{rank}"))).collect();
        acks.iter().for_each(|ack| drop(std::fs::remove_file(ack)));
        let mut recorder = logger::start(&repo, &["record", "--no-snapshot", "--", "sh", "-c", ranks]);
        acks.iter().for_each(|ack| logger::wait_for_first(ack));
        thread::sleep(Duration::from_micros(dice.below(100_000)));
        let victims = logger::loggers(&repo);
        kill("KILL", victims[dice.below(victims.len() as u64) as usize]);
        recorder.wait().unwrap();
        let new: Vec<_> = logger::runs(&repo).into_iter().filter(|id| !known.contains(id)).collect();
        let output = repo.xtrack(&["show", &new[0], "--series", "loss", "--json", "--all"]).ok();
        let points: Vec<Value> = serde_json::from_str(&output.stdout).unwrap();
        let writers: std::collections::BTreeSet<_> =
            points.iter().map(|point| point["writer"].as_u64().unwrap()).collect();
        assert_eq!(writers, [0, 1, 2, 3].into());
        for (rank, ack) in (0..).zip(&acks) {
            let of_rank = points.iter().filter(|point| point["writer"] == rank);
            let steps: std::collections::BTreeSet<_> =
                of_rank.map(|point| point["step"].as_u64().unwrap()).collect();
            let acknowledged = acknowledged(ack);
            assert!(acknowledged.is_subset(&steps), "rank {rank} lost events");
            events += acknowledged.len();
        }
    }
    repo.assert_sound();
    eprintln!("one rank of four: {count} kills, {events} acknowledged events, none lost");
}

#[test]
fn what_a_killed_shell_logged_is_there_too() {
    // The protocol without a client of ours: each line is one write.
    let repo = Repo::new();
    let script = r#"printf '{"n":0,"begin":{"protocol":1}}\n' > "$XTRACK_RUN_DIR/shellshellshell1.jsonl"
        printf '{"n":1,"step":1,"points":{"loss":0.5}}\n' >> "$XTRACK_RUN_DIR/shellshellshell1.jsonl"
        kill -KILL $$"#;
    repo.xtrack(&["record", "--", "sh", "-c", script]);
    assert_eq!(recorded(&repo, &logger::runs(&repo)[0], "loss"), [1].into());
}
