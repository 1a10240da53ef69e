//! `record --checkpoint --push`: a run in progress is there for others to read, and grows.

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Repo;

/// Logs a step every twentieth of a second until it finds the file `enough`.
const SCRIPT: &str = "
import os, time, xtrack
xtrack.init(config={'lr': 0.1})
step = 0
while not os.path.exists('enough'):
    xtrack.log({'loss': 1 / (step + 1)}, step=step)
    step += 1
    time.sleep(0.05)
";

fn start(repo: &Repo, options: &[&str]) -> Child {
    repo.write("train.py", SCRIPT);
    repo.write(".gitignore", "enough\n");
    repo.commit("the training");
    let mut command = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
    command.arg("record").args(["--name", "long"]).args(options).args(["--", "python3", "train.py"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What a check comes to, once it comes to something.
#[track_caller]
fn eventually<T>(check: impl Fn() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "it does not come");
        thread::sleep(Duration::from_millis(50));
    }
}

fn points(repo: &Repo) -> usize {
    let output = repo.xtrack(&["show", "@all", "--series", "loss", "--json"]);
    let points: Vec<Value> = serde_json::from_str(&output.stdout).unwrap_or_default();
    points.len()
}

#[test]
fn a_colleague_reads_a_run_while_it_goes_on() {
    let remote = Repo::with(&["--bare"], "shared.git");
    let repo = Repo::new();
    repo.git(&["remote", "add", "origin", remote.path().to_str().unwrap()]);
    let recorder = start(&repo, &["--checkpoint", "1s", "--push"]);
    let colleague = Repo::new();
    let shared = || {
        let refspec = "+refs/runs/*:refs/runs/*";
        colleague.git(&["fetch", "-q", remote.path().to_str().unwrap(), refspec]);
        let runs: Vec<Value> =
            serde_json::from_str(&colleague.xtrack(&["log", "--json"]).ok().stdout).unwrap();
        runs.into_iter().next()
    };
    // The first checkpoint may come before the training has said anything.
    let first = eventually(|| shared().filter(|run| !run["params"]["lr"].is_null()));
    assert_eq!((&first["status"], &first["params"]["lr"]), (&"running".into(), &serde_json::json!(0.1)));
    let seen = points(&colleague);
    eventually(|| shared().filter(|_| points(&colleague) > seen));
    repo.write("enough", "");
    let output = recorder.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("warning"), "{said}");
    let last = shared().unwrap();
    assert_eq!(last["status"], "finished");
    assert_eq!(points(&colleague), points(&repo));
    let tip = |repo: &Repo| repo.git(&["for-each-ref", "--format=%(objectname)", "refs/runs"]);
    assert_eq!(tip(&repo), tip(&colleague));
    repo.assert_sound();
}

#[test]
fn a_checkpoint_survives_what_ends_the_run() {
    let repo = Repo::new();
    let mut recorder = start(&repo, &["--checkpoint", "1s"]);
    eventually(|| (!repo.refs("refs/runs").is_empty()).then_some(()));
    // Said while it runs, once there is a record and while a next one is being made.
    repo.xtrack(&["tag", "long", "+promising"]).ok();
    recorder.kill().unwrap();
    recorder.wait().unwrap();
    repo.write("enough", "");
    let run = eventually(|| {
        repo.xtrack(&["recover"]).ok();
        let run: Value = serde_json::from_str(&repo.xtrack(&["show", "long", "--json"]).stdout).ok()?;
        (run["status"] != "running").then_some(run)
    });
    // The training itself came to its end and said so.
    assert_eq!(run["status"], "finished");
    assert_eq!(run["tags"], serde_json::json!(["promising"]));
    assert_eq!(run["metrics"]["loss"]["count"].as_u64(), Some(points(&repo) as u64));
    repo.assert_sound();
}

#[test]
fn a_remote_that_is_none_costs_a_warning() {
    let repo = Repo::new();
    repo.commit("first");
    let output = repo.xtrack(&["record", "--push", "--", "true"]).ok();
    assert!(output.stderr.contains("cannot push: there is no remote 'origin'"), "{}", output.stderr);
    assert_eq!(repo.refs("refs/runs").len(), 1);
}
