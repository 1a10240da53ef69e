//! `git xtrack begin` and `finish`: a run of a script that nobody wraps.
#![cfg(target_os = "linux")]

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use crate::support::Repo;
use crate::support::live::*;
use crate::support::repo::run;

fn repo() -> Repo {
    let repo = Repo::new();
    repo.write("train.py", "print('training')\n");
    repo.commit("first");
    repo
}

/// Runs a script in which `xt` is the program.
fn script(repo: &Repo, text: &str) -> crate::support::Output {
    let text = format!("xt() {{ '{}' \"$@\"; }}\n{text}", env!("CARGO_BIN_EXE_git-xtrack"));
    run(repo.command("sh").args(["-c", &text]))
}

#[test]
fn a_script_begins_logs_and_finishes() {
    let repo = repo();
    let text = r#"
        set -e
        export XTRACK_RUN_DIR=$(xt begin --name baseline -e digits -p lr=0.1 -t first --note n -- train.sh --depth 3)
        test -f "$XTRACK_RUN_DIR/start.toml"
        printf '{"n":0,"begin":{"protocol":1}}\n{"n":1,"step":0,"points":{"loss":0.5}}\n' > "$XTRACK_RUN_DIR/aaaaaaaaaaaaaaaa.jsonl"
        xt log --oneline
        echo plot > plot.txt
        xt finish --exit-code 0 -m accuracy=0.9 -a plot.txt
        test ! -e "$XTRACK_RUN_DIR"
    "#;
    let output = script(&repo, text).ok();
    assert!(output.stderr.contains("xtrack: recorded baseline ("), "{}", output.stderr);
    let shown = json(&repo, &["show", "@", "--json"]);
    assert_eq!((&shown["status"], &shown["exit_code"]), (&"finished".into(), &0.into()));
    assert_eq!(
        (&shown["metrics"]["loss"]["last"], &shown["metrics"]["accuracy"]["last"]),
        (&0.5.into(), &0.9.into())
    );
    assert_eq!((&shown["params"]["lr"], &shown["experiment"]), (&0.1.into(), &"digits".into()));
    assert_eq!(
        (&shown["command"][0], &shown["artifacts"][0]["path"]),
        (&"train.sh".into(), &"plot.txt".into())
    );
    assert!(shown["code"]["commit"].is_string());
    assert_eq!(live(&repo), Vec::<String>::new());
    repo.assert_sound();
}

#[test]
fn the_answer_as_json_is_what_a_client_needs() {
    let repo = repo();
    let owner = Sleeper::new();
    let begun = json(&repo, &["begin", "--owner", &owner.0.id().to_string(), "--json"]);
    for key in ["id", "attempt", "folder", "name"] {
        assert!(begun[key].is_string(), "{begun}");
    }
    let text = fs::read_to_string(format!("{}/start.toml", begun["folder"].as_str().unwrap())).unwrap();
    assert!(text.contains(&format!("pid = {}\n", owner.0.id())), "{text}");
    assert!(text.contains("status = \"running\"\n"));
    let shown = json(&repo, &["finish", "--status", "failed", "--exit-code", "3", "--json"]);
    assert_eq!(
        (&shown["id"], &shown["status"], &shown["exit_code"]),
        (&begun["id"], &"failed".into(), &3.into())
    );
}

/// The shell, whichever way it calls; not git, not a subshell.
#[test]
fn the_run_belongs_to_the_script_that_began_it() {
    let repo = repo();
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_git-xtrack")).parent().unwrap();
    let path = format!("PATH={}:\"$PATH\"\n", bin.display());
    for call in ["xt begin", "git xtrack begin", "echo $(git xtrack begin | cat)", "(xt begin | cat) | cat"] {
        let output = script(&repo, &format!("{path}{call} > folder; echo $$; grep '^pid = ' $(cat folder)/start.toml; xt status --json | grep state")).ok();
        let lines: Vec<_> = output.stdout.lines().collect();
        assert_eq!(format!("pid = {}", lines[0]), lines[1], "{call}");
        assert!(lines[2].contains("running"), "{call}: {}", output.stdout);
        repo.xtrack(&["recover"]).ok();
        assert_eq!(live(&repo), Vec::<String>::new(), "{call}");
    }
}

#[test]
fn kill_9_of_the_script_loses_nothing() {
    let repo = repo();
    let text = format!(
        "d=$('{}' begin --name killed) && printf '{{\"n\":0,\"begin\":{{\"protocol\":1}}}}\\n' > $d/aaaaaaaaaaaaaaaa.jsonl; \
         i=0; while :; do i=$((i+1)); echo \"{{\\\"n\\\":$i,\\\"points\\\":{{\\\"loss\\\":$i}}}}\" >> $d/aaaaaaaaaaaaaaaa.jsonl; echo $i; done",
        env!("CARGO_BIN_EXE_git-xtrack")
    );
    let mut child = repo.command("sh").args(["-c", &text]).stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    child.kill().unwrap();
    let acknowledged =
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().lines().count() as u64;
    assert!(acknowledged > 0);
    let output = repo.xtrack(&["log", "--json"]).ok();
    assert!(output.stderr.contains("recovered killed "), "{}", output.stderr);
    let kept = json(&repo, &["show", "killed", "--json"])["metrics"]["loss"]["count"].as_u64().unwrap();
    assert!(kept >= acknowledged, "{kept} of {acknowledged}");
}

#[test]
fn the_only_run_begun_here_needs_no_name() {
    let repo = repo();
    let output = repo.xtrack(&["finish"]);
    assert_eq!(output.code, 4);
    assert!(output.stderr.contains("no run was begun here"), "{}", output.stderr);
    let owner = Sleeper::new();
    begin(&repo, &owner, &["--name", "a"]);
    begin(&repo, &owner, &["--name", "b"]);
    let output = repo.xtrack(&["finish"]);
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains("2 runs were begun here"), "{}", output.stderr);
    repo.xtrack(&["finish", "a"]).ok();
    repo.xtrack(&["finish"]).ok();
    for (name, code) in [("a", 4), ("nobody", 4)] {
        assert_eq!(repo.xtrack(&["finish", name]).code, code, "{name}");
    }
    assert_eq!(repo.refs("refs/runs").len(), 2);
}

#[test]
fn what_the_writers_say_counts_where_nothing_else_is_said() {
    let repo = repo();
    let owner = Sleeper::new();
    for (name, ending, status) in [("a", Some("failed"), "failed"), ("b", None, "finished")] {
        let folder = begin(&repo, &owner, &["--name", name]);
        journal(&folder, "w", &lines("{}", 2, ending));
        repo.xtrack(&["finish", folder.to_str().unwrap()]).ok();
        assert_eq!(json(&repo, &["show", name, "--json"])["status"], status);
    }
}

#[test]
fn a_run_that_record_records_is_left_to_it() {
    let repo = repo();
    let text = format!("'{}' finish", env!("CARGO_BIN_EXE_git-xtrack"));
    let output = repo.xtrack(&["record", "--", "sh", "-c", &text]);
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains("is being recorded by process "), "{}", output.stderr);
    assert_eq!(repo.refs("refs/runs").len(), 1);
}

#[test]
fn nonsense_is_refused() {
    let repo = repo();
    for (arguments, reason) in [
        (&["begin", "--owner", "4194999"][..], "there is no process 4194999"),
        (&["begin", "--name", ""], "it is empty"),
        (&["finish", "--status", "running"], "cannot finish as \"running\""),
        (&["finish", "/no/such/folder"], "no run is in progress in"),
    ] {
        let output = repo.xtrack(arguments);
        assert!(output.code != 0 && output.stderr.contains(reason), "{arguments:?}: {}", output.stderr);
    }
    assert_eq!(live(&repo), Vec::<String>::new());
}

#[test]
fn a_folder_that_is_called_as_the_run_is_in_nobodys_way() {
    let repo = repo();
    let owner = Sleeper::new();
    begin(&repo, &owner, &["--name", "baseline"]);
    fs::create_dir(repo.path().join("baseline")).unwrap();
    repo.xtrack(&["finish", "baseline"]).ok();
    assert_eq!(json(&repo, &["show", "baseline", "--json"])["status"], "finished");
}

#[test]
fn two_who_finish_one_run_at_once_both_succeed() {
    let repo = repo();
    for _ in 0..5 {
        let owner = Sleeper::new();
        let folder = begin(&repo, &owner, &[]);
        journal(&folder, "w", &lines("{}", 200, None));
        let finish = || {
            let mut command = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
            command
                .args(["finish", &id_of(&folder)])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let both = [finish(), finish()].map(|child| child.wait_with_output().unwrap());
        for output in both {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            // Who comes after all is done is told so.
            assert!(
                output.status.success()
                    || said.contains("is not in progress")
                    || said.contains("finished by another process"),
                "{said}"
            );
        }
        assert_eq!(
            json(&repo, &["show", &id_of(&folder), "--json"])["attempts"].as_array().unwrap().len(),
            1
        );
    }
    assert_eq!(live(&repo), Vec::<String>::new());
}

#[test]
fn a_run_is_finished_from_another_work_tree() {
    let repo = repo();
    let owner = Sleeper::new();
    begin(&repo, &owner, &["--name", "a"]);
    repo.git(&["worktree", "add", "-q", "../second"]);
    let there = repo.at("../second");
    assert!(there.xtrack(&["status"]).ok().stdout.contains('a'));
    there.xtrack(&["finish", "a", "-m", "x=1"]).ok();
    assert_eq!(json(&repo, &["show", "a", "--json"])["metrics"]["x"]["last"], 1);
    assert_eq!(live(&repo), Vec::<String>::new());
}
