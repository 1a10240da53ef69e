//! Signals to the command, to its recorder and to both: how the run ended is recorded as it was, the exit code is passed
//! on, nobody is left behind, and what was logged is there.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use crate::reliability::logger::{self, kill};
use crate::reliability::{skip, trials};
use crate::support::Repo;
use crate::support::live::json;
use crate::support::repo::run;

/// Logs until a file named `stop` is there, and acknowledges each point. Its process id goes to `pid`.
const TRAINING: &str = r#"
place="$XTRACK_RUN_DIR/trainingtraining.jsonl"
printf '{"n":0,"begin":{"protocol":1}}\n' >> "$place"
echo $$ > pid
step=0
until [ -e stop ]; do
    step=$((step + 1))
    printf '{"n":%d,"step":%d,"points":{"loss":0.5}}\n' $step $step >> "$place" && echo $step >> ack
    sleep 0.01
done
"#;

/// Who gets the signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Command,
    Recorder,
    Group,
}

const SIGNALS: &[(&str, i32)] =
    &[("TERM", 15), ("INT", 2), ("HUP", 1), ("QUIT", 3), ("PIPE", 13), ("KILL", 9)];

fn repository() -> Repo {
    let repo = Repo::new();
    repo.write("train.sh", TRAINING);
    repo.write(".gitignore", "ack\npid\nstop\n");
    repo.commit("first");
    repo
}

/// The training under its recorder, once it logs; and its process id.
fn start(repo: &Repo, command: &[&str]) -> (Child, i32) {
    for name in ["ack", "pid", "stop"] {
        let _ = fs::remove_file(repo.path().join(name));
    }
    let recorder = logger::start(repo, &[&["record", "--no-snapshot", "--"], command].concat());
    logger::wait_for_first(&repo.path().join("ack"));
    (recorder, repo.read("pid").trim().parse().unwrap())
}

/// What a shell would say of how the program ended: 128 and the signal if that ended it.
fn code(recorder: &mut Child) -> i32 {
    let began = Instant::now();
    loop {
        if let Some(status) = recorder.try_wait().unwrap() {
            return status.code().unwrap_or_else(|| 1000 + status.signal().unwrap());
        }
        assert!(began.elapsed() < Duration::from_secs(30), "the recorder does not end");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Processes of the group that are there, dead or alive.
fn left_behind(group: u32) -> Vec<PathBuf> {
    let of_group = |process: &PathBuf| {
        let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().nth(2).map(str::to_owned));
        fields.flatten().is_some_and(|of| of == group.to_string())
    };
    fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()).filter(of_group).collect()
}

#[track_caller]
fn nobody_is_left(group: u32, about: &str) {
    let began = Instant::now();
    while !left_behind(group).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(10), "{about}: {:?} are left", left_behind(group));
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The newest run, which holds all that was acknowledged.
#[track_caller]
fn recorded(repo: &Repo, known: &[String], about: &str) -> serde_json::Value {
    let new = logger::recover(repo, known);
    assert_eq!(new.len(), 1, "{about}");
    let acknowledged = logger::acknowledged(&repo.path().join("ack"));
    let recorded = logger::recorded(repo, &new[0], "loss");
    assert!(acknowledged.is_subset(&recorded), "{about}: {acknowledged:?} {recorded:?}");
    json(repo, &["show", &new[0], "--json"])
}

fn trial(repo: &Repo, (signal, number): (&str, i32), target: Target) {
    let about = format!("SIG{signal} to {target:?}");
    let known = logger::runs(repo);
    let (mut recorder, command) = start(repo, &["sh", "train.sh"]);
    let group = recorder.id();
    match target {
        Target::Command => kill(signal, command),
        Target::Recorder => kill(signal, group as i32),
        Target::Group => kill(signal, -(group as i32)),
    }
    // A recorder that does not get the signal, or is gone with it, leaves the training to its end.
    let goes_on = target == Target::Recorder && matches!(signal, "PIPE" | "KILL");
    if goes_on {
        if signal == "KILL" {
            code(&mut recorder);
            assert_eq!(repo.xtrack(&["log"]).ok().code, 0);
            assert_eq!(logger::runs(repo), known, "{about}: the training still logs");
        }
        let before = logger::acknowledged(&repo.path().join("ack")).len();
        wait_for_more(&repo.path().join("ack"), before + 5);
        repo.write("stop", "");
    }
    let code = if goes_on && signal == "KILL" { 1009 } else { code(&mut recorder) };
    nobody_is_left(group, &about);
    let run = recorded(repo, &known, &about);
    let (status, exit) = match (target, signal) {
        (Target::Recorder, "PIPE") => ("finished", 0),
        (Target::Recorder | Target::Group, "KILL") => ("crashed", 1009),
        _ => ("killed", 128 + number),
    };
    assert_eq!((run["status"].as_str().unwrap(), code), (status, exit), "{about}");
    if status == "killed" {
        assert_eq!(run["signal"], format!("SIG{signal}"), "{about}");
    }
}

fn wait_for_more(ack: &Path, count: usize) {
    let began = Instant::now();
    while logger::acknowledged(ack).len() < count {
        assert!(began.elapsed() < Duration::from_secs(10), "the training was disturbed");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn every_signal_to_everyone() {
    let repo = repository();
    let count = trials(1);
    for _ in 0..count {
        for target in [Target::Command, Target::Recorder, Target::Group] {
            SIGNALS.iter().for_each(|signal| trial(&repo, *signal, target));
        }
    }
    repo.git(&["fsck", "--strict", "--full", "--no-dangling", "--no-progress"]);
    eprintln!("{} signals x 3 targets x {count}: each ended as it should", SIGNALS.len());
}

#[test]
fn a_recorder_in_a_container_hears_of_what_is_outside() {
    // Its session, and its group, belong to processes outside, which have no number inside.
    let inside = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"];
    let can = std::process::Command::new("unshare").args(inside).arg("true").status();
    if !can.is_ok_and(|status| status.success()) {
        return skip("unshare --pid");
    }
    let repo = repository();
    let script = r#"
        "$0" record --no-snapshot -- sh -c 'trap "exit 5" HUP; touch pid; until [ -e stop ]; do sleep 0.01; done' &
        until [ -e pid ]; do sleep 0.01; done
        kill -HUP $!
        wait $!
    "#;
    let mut command = repo.command("unshare");
    command.args(inside).args(["sh", "-c", script, env!("CARGO_BIN_EXE_git-xtrack")]);
    let output = run(&mut command);
    repo.write("stop", "");
    assert_eq!(output.code, 5, "{}", output.stderr);
    let recorded = json(&repo, &["show", "@", "--json"]);
    assert_eq!((&recorded["status"], &recorded["exit_code"]), (&"killed".into(), &5.into()));
}

#[test]
fn who_insists_ends_a_training_that_catches_the_first() {
    let mut repo = repository();
    let training = TRAINING.replace("step=0\n", "trap 'echo caught; trap \"exit 7\" INT' INT\nstep=0\n");
    repo.write("train.sh", training);
    repo.set("PS4", "");
    let known = logger::runs(&repo);
    let (mut recorder, _) = start(&repo, &["sh", "train.sh"]);
    let pid = recorder.id();
    kill("INT", pid as i32);
    let before = logger::acknowledged(&repo.path().join("ack")).len();
    wait_for_more(&repo.path().join("ack"), before + 10);
    kill("INT", pid as i32);
    assert_eq!(code(&mut recorder), 7);
    nobody_is_left(pid, "two interrupts");
    let run = recorded(&repo, &known, "two interrupts");
    assert_eq!((&run["status"], &run["exit_code"]), (&"killed".into(), &7.into()));
}

#[test]
fn a_training_that_runs_out_of_memory_is_recorded_as_killed() {
    let repo = repository();
    let group = PathBuf::from(format!("/sys/fs/cgroup/memory/xtrack-{}", std::process::id()));
    let unified = PathBuf::from(format!("/sys/fs/cgroup/xtrack-{}", std::process::id()));
    let made =
        [(group, "memory.limit_in_bytes"), (unified, "memory.max")].into_iter().find(|(group, limit)| {
            let is_made = fs::create_dir(group).is_ok() && fs::write(group.join(limit), "67108864").is_ok();
            if !is_made {
                let _ = fs::remove_dir(group);
            }
            is_made
        });
    let eat = "data = []\nwhile True: data.append(bytearray(1 << 20))";
    repo.write(
        "eat.py",
        format!("import xtrack\nfor i in range(100): xtrack.log({{'loss': i}}, step=i)\n{eat}"),
    );
    let script = match &made {
        Some((group, _)) => format!("echo $$ > {}/cgroup.procs; exec python3 eat.py", group.display()),
        // Without groups the process is refused memory instead, which ends it as well, by an error of its own.
        None => "ulimit -v 400000; exec python3 eat.py".to_owned(),
    };
    let output = repo.xtrack(&["record", "--no-snapshot", "--", "sh", "-c", &script]);
    if let Some((group, _)) = &made {
        let _ = fs::remove_dir(group);
    }
    let run = json(&repo, &["show", "@", "--json"]);
    let expected = if made.is_some() { ("killed", 137) } else { ("failed", 1) };
    assert_eq!((run["status"].as_str().unwrap(), output.code), expected, "{}", output.stderr);
    assert_eq!(run["metrics"]["loss"]["count"], 100);
}

#[test]
fn a_training_that_has_not_logged_yet_outlives_its_recorder_and_is_heard() {
    let repo = repository();
    repo.write("train.sh", format!("touch begun\nuntil [ -e go ]; do sleep 0.01; done\n{TRAINING}"));
    repo.write(".gitignore", "ack\npid\nstop\ngo\nbegun\n");
    for name in ["ack", "pid", "stop"] {
        let _ = fs::remove_file(repo.path().join(name));
    }
    let mut recorder = logger::start(&repo, &["record", "--no-snapshot", "--", "sh", "train.sh"]);
    let group = recorder.id();
    logger::wait_until(|| repo.path().join("begun").exists());
    kill("KILL", group as i32);
    code(&mut recorder);
    repo.xtrack(&["recover"]).ok();
    repo.xtrack(&["log"]).ok();
    assert_eq!(logger::runs(&repo), Vec::<String>::new(), "its command lives");
    repo.write("go", "");
    wait_for_more(&repo.path().join("ack"), 5);
    repo.write("stop", "");
    nobody_is_left(group, "a late logger");
    assert_eq!(recorded(&repo, &[], "a late logger")["status"], "crashed");
}
