//! `git xtrack watch`, and runs in progress in `log`.

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::Repo;

/// Appends a point by the protocol alone, waits for `go`, appends another.
const SCRIPT: &str = r#"
journal="$XTRACK_RUN_DIR/abcdefghjkmnpqrs.jsonl"
printf '{"n":0,"begin":{"protocol":1}}\n{"n":1,"params":{"max_steps":10}}\n' > "$journal"
printf '{"n":2,"step":3,"points":{"loss":0.5}}\n{"n":3,"step":4,"points":{"loss":0.25}}\n' >> "$journal"
until test -e go; do sleep 0.05; done
printf '{"n":4,"step":9,"points":{"loss":0.125}}\n' >> "$journal"
"#;

fn start(repo: &Repo) -> Child {
    repo.commit("first");
    let mut command = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
    command.args(["record", "--name", "slow", "--no-system", "--", "sh", "-c", SCRIPT]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[track_caller]
fn wait_for_points(repo: &Repo) {
    let begin = Instant::now();
    while !repo.xtrack(&["watch", "--once"]).stdout.contains("0.25") {
        assert!(begin.elapsed() < Duration::from_secs(30), "nothing is logged");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_run_in_progress_is_shown_as_it_goes() {
    let repo = Repo::new();
    let mut recorder = start(&repo);
    wait_for_points(&repo);
    let frame = repo.xtrack(&["watch", "slow", "--once"]).ok().stdout;
    assert!(frame.starts_with("slow "), "{frame}");
    assert!(frame.contains("running") && frame.contains("step 4 of 10 (50%)"), "{frame}");
    assert!(frame.contains("loss") && frame.contains("█▁"), "{frame}");
    let log = repo.xtrack(&["log"]).ok().stdout;
    assert!(log.contains("slow") && log.contains("running") && log.contains("0.25"), "{log}");

    let mut watch = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
    let watch = watch.args(["watch", "--every", "50ms"]).stdout(Stdio::piped()).spawn().unwrap();
    repo.write("go", "");
    assert!(recorder.wait().unwrap().success());
    let output = watch.wait_with_output().unwrap();
    let frames = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && frames.contains("finished"), "it ends with the run: {frames}");
}

#[test]
fn nothing_in_progress_is_an_error_with_a_hint() {
    let repo = Repo::new();
    let output = repo.xtrack(&["watch"]);
    assert_eq!(output.code, 1);
    insta::assert_snapshot!(output.stderr, @r"
    error: no run is in progress in this clone
    hint: `git xtrack record -- COMMAND` starts one; `git xtrack log` lists those that ended
    ");
}
