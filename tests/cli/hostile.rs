//! What a recorded command may do to the folder of its own run: whatever it is, the command goes on, and all that can be
//! told of it is recorded.
#![cfg(target_os = "linux")]

use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::Repo;
use crate::support::live::*;

fn show(repo: &Repo, run: &str) -> Value {
    json(repo, &["show", run, "--json"])
}

/// What the first lines of a shell script do that writes a journal by hand.
const WRITER: &str = r#"cd "$XTRACK_RUN_DIR"; say() { printf '%s\n' "$1" >> aaaaaaaaaaaaaaaa.jsonl; }
say '{"n":0,"begin":{"protocol":1}}'; "#;

#[test]
fn a_run_whose_folder_is_taken_away_is_recorded_as_far_as_it_is_known() {
    let repo = Repo::new();
    let script = "rm -rf \"$XTRACK_RUN_DIR\"; exit 3";
    let output = repo.xtrack(&["record", "--name", "a", "-m", "x=1", "--", "sh", "-c", script]);
    assert_eq!(output.code, 3);
    assert!(output.stderr.contains("the folder of the run in progress is gone"), "{}", output.stderr);
    assert!(!output.stderr.contains("recover"), "{}", output.stderr);
    let run = show(&repo, "a");
    assert_eq!((&run["status"], &run["metrics"]["x"]["last"]), (&"failed".into(), &1.into()));
    repo.assert_sound();
}

#[test]
fn a_start_that_is_overwritten_meanwhile_stops_nothing() {
    let repo = Repo::new();
    let script = format!(r#"{WRITER} say '{{"n":1,"points":{{"loss":1}}}}'; echo = > start.toml; exit 3"#);
    let output = repo.xtrack(&["record", "--name", "a", "--", "sh", "-c", &script]);
    assert_eq!(output.code, 3);
    let run = show(&repo, "a");
    assert_eq!((&run["status"], &run["metrics"]["loss"]["last"]), (&"failed".into(), &1.into()));
}

#[test]
fn what_a_writer_says_of_itself_moves_no_one() {
    let repo = Repo::new();
    let script = format!(
        r#"{} say '{{"n":1,"step":1,"points":{{"loss":1}}}}'; sleep 1.5; say '{{"n":2,"step":2,"points":{{"loss":2}}}}'"#,
        WRITER.replace("\"protocol\":1", r#""protocol":1,"number":7,"name":"evil","events":-1,"lost":3"#)
    );
    repo.xtrack(&["record", "--name", "a", "--no-system", "--checkpoint", "1s", "--", "sh", "-c", &script])
        .ok();
    let facts = repo.git(&["show", &format!("{}:run.toml", repo.refs("refs/runs")[0])]);
    assert!(facts.ends_with("[[writers]]\nnumber = 0\nname = \"aaaaaaaaaaaaaaaa\"\nevents = 3"), "{facts}");
    let series = repo.xtrack(&["show", "a", "--series", "loss", "--json"]).ok().stdout;
    let points: Value = serde_json::from_str(&series).unwrap();
    assert_eq!(points.as_array().map(Vec::len), Some(2), "{series}");
}

#[test]
fn params_found_in_files_count_less_than_those_given_or_logged() {
    let repo = Repo::new();
    let script = format!(
        r#"{WRITER} say '{{"n":1,"params":{{"a":"said"}}}}'
        printf '%s\n' '{{"n":0,"begin":{{"protocol":1,"role":"harvest"}}}}' '{{"n":1,"params":{{"a":"found","b":"found","c":"found"}}}}' > bbbbbbbbbbbbbbbb.jsonl"#
    );
    repo.xtrack(&["record", "--name", "x", "-p", "b=given", "--", "sh", "-c", &script]).ok();
    assert_eq!(show(&repo, "x")["params"], serde_json::json!({"a": "said", "b": "given", "c": "found"}));
}

#[test]
fn a_process_left_behind_loses_nothing_that_the_recorder_knew() {
    let repo = Repo::new();
    repo.write("model.bin", "weights");
    let script = "import os, time, xtrack
if os.fork() == 0:
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1), os.dup2(null, 2)
    xtrack.log({'loss': 1.0}, step=0)
    time.sleep(2.5)
    xtrack.log({'loss': 0.5}, step=1)
    xtrack.finish()
    os._exit(0)
time.sleep(0.5)
";
    repo.write("d.py", script);
    fs::File::options()
        .append(true)
        .open(repo.path().join("model.bin"))
        .unwrap()
        .set_modified(SystemTime::now() - Duration::from_secs(100_000))
        .unwrap();
    let output = repo
        .xtrack(&["record", "--name", "a", "-m", "given=1", "-a", "model.bin", "--", "python3", "d.py"])
        .ok();
    assert!(output.stderr.contains("still logs"), "{}", output.stderr);
    let look = |run: &Value| {
        (
            run["status"].as_str().unwrap().to_owned(),
            run["metrics"]["given"]["last"].clone(),
            run["artifacts"][0]["path"].clone(),
        )
    };
    assert_eq!(look(&show(&repo, "a")), ("running".to_owned(), 1.into(), "model.bin".into()));
    std::thread::sleep(Duration::from_secs(4));
    let run = show(&repo, "a");
    assert_eq!(look(&run), ("finished".to_owned(), 1.into(), "model.bin".into()));
    assert_eq!(run["metrics"]["loss"]["last"], 0.5);
    repo.assert_sound();
}

#[test]
fn pipes_and_folders_among_the_journals_hold_up_nobody() {
    let repo = Repo::new();
    let folder = begin_dead(&repo, &["--name", "a"]);
    journal(&folder, "w", &lines("{}", 3, None));
    age(&folder, 120);
    for name in ["bbbbbbbbbbbbbbbb.jsonl", "heartbeat", "recovered"] {
        assert!(std::process::Command::new("mkfifo").arg(folder.join(name)).status().unwrap().success());
    }
    fs::create_dir(folder.join("cccccccccccccccc.jsonl")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.join("dddddddddddddddd.jsonl")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.join("environment.toml")).unwrap_err();
    let output = repo.xtrack(&["log"]).ok();
    assert!(output.stderr.contains("recovered a"), "{}", output.stderr);
    assert_eq!(show(&repo, "a")["metrics"]["loss"]["count"], 3);
}

#[test]
fn a_start_that_is_a_pipe_is_no_run() {
    let repo = Repo::new();
    let folder = begin_dead(&repo, &["--name", "a"]);
    fs::remove_file(folder.join("start.toml")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(folder.join("start.toml")).status().unwrap().success());
    repo.xtrack(&["log"]).ok();
    repo.xtrack(&["watch", "--once"]);
    repo.xtrack(&["status"]).ok();
    assert_eq!(repo.xtrack(&["recover"]).code, 1);
}
