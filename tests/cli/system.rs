//! What a run does to the machine: system metrics, the closing line, the cost, and nothing of it where nobody asked.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::Repo;

/// Two processes at work, for long enough to be measured.
const BUSY: &str =
    "(timeout 1.6 sh -c 'while :; do :; done' &) ; timeout 1.6 sh -c 'while :; do :; done'; true";

fn repo() -> Repo {
    let repo = Repo::new();
    repo.git(&["config", "xtrack.system.interval", "200ms"]);
    repo
}

/// The only run there is, as `show --json` gives it.
#[track_caller]
fn only_run(repo: &Repo) -> Value {
    let refs = repo.refs("refs/runs");
    assert_eq!(refs.len(), 1, "{refs:?}");
    let id = refs[0].trim_start_matches("refs/runs/");
    serde_json::from_str(&repo.xtrack(&["show", id, "--json"]).ok().stdout).unwrap()
}

/// The names of the metrics that we measured.
fn measured(run: &Value) -> Vec<&str> {
    let names = run["metrics"].as_object().unwrap().keys().map(String::as_str);
    names.filter(|name| name.starts_with("system/")).collect()
}

#[test]
fn the_whole_tree_is_measured() {
    let repo = repo();
    let output = repo.xtrack(&["record", "--", "sh", "-c", BUSY]).ok();
    let run = only_run(&repo);
    let metric = |name: &str, what: &str| run["metrics"][name][what].as_f64().unwrap_or_default();
    assert!(metric("system/cpu", "max") > 1.0, "{run:#}");
    assert!(metric("system/memory", "max") > 100_000.0, "{run:#}");
    // The command, and two that time out with a loop each.
    assert!(metric("system/threads", "max") >= 4.0, "{run:#}");
    assert!(metric("system/machine_memory", "last") > 0.0, "{run:#}");
    assert!(output.stderr.contains(" cpu · ") && output.stderr.contains(" peak"), "{}", output.stderr);
    repo.assert_sound();
}

#[test]
fn a_short_run_and_one_that_nobody_wants_measured_have_none() {
    let repo = repo();
    repo.xtrack(&["record", "--", "true"]).ok();
    assert_eq!(measured(&only_run(&repo)), [""; 0]);
    for (arguments, setting) in [(&["--no-system"] as &[_], "true"), (&[], "false")] {
        let repo = self::repo();
        repo.git(&["config", "xtrack.system.enabled", setting]);
        repo.xtrack(&[&["record"], arguments, &["--", "sleep", "1.3"]].concat()).ok();
        assert_eq!(measured(&only_run(&repo)), [""; 0], "{arguments:?} {setting}");
    }
}

#[test]
fn gpus_are_told_by_the_drivers_program_where_its_library_is_not() {
    if fs::exists("/proc/driver/nvidia").unwrap() {
        eprintln!("this machine has GPUs of its own: nothing to pretend");
        return;
    }
    let mut repo = repo();
    let folder = repo.home().join("bin");
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join("nvidia-smi");
    let answer = "0, GPU-a, Pretended 80GB, 535.104.05, 81920, 1024, 73, 312.53, 54\n\
                  1, GPU-b, Pretended 80GB, 535.104.05, 81920, 0, 0, [N/A], 30";
    fs::write(&program, format!("#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    repo.set("PATH", &path);
    repo.set("CUDA_VISIBLE_DEVICES", "0");
    let output = repo.xtrack(&["record", "--", "sleep", "1.8"]).ok();
    let run = only_run(&repo);
    let last = |name: &str| run["metrics"][format!("system/gpu.{name}")]["last"].clone();
    assert_eq!(last("0.utilisation"), json!(73.0));
    assert_eq!(last("0.memory"), json!(1_u64 << 30));
    assert_eq!(last("0.power"), json!(312.5));
    assert_eq!(last("1.memory"), Value::Null, "another GPU is not the run's");
    let gpu = json!({"name": "Pretended 80GB", "memory": 85_899_345_920_u64});
    assert_eq!(run["environment"]["gpus"], json!([gpu, gpu]));
    assert_eq!(run["environment"]["gpu_driver"], "535.104.05");
    assert!(output.stderr.contains("gpu 73%"), "{}", output.stderr);
}

#[test]
fn an_hour_has_a_price() {
    let repo = repo();
    repo.write("xtrack.toml", "record.cost_per_hour = 36000\nrecord.currency = 'EUR'\n");
    repo.xtrack(&["record", "--", "sleep", "0.2"]).ok();
    let cost = only_run(&repo)["metrics"]["system/cost"]["last"].as_f64().unwrap();
    assert!((2.0..600.0).contains(&cost), "{cost}");
    assert!(repo.xtrack(&["show", "@"]).ok().stdout.contains(" EUR"));
}
