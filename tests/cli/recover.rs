//! `git xtrack recover`: what killed processes left becomes a record, once, whatever happens meanwhile.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
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

fn program(repo: &Repo, arguments: &[&str]) -> Command {
    let mut command = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A repository with this one's bytes, in which the same is to happen.
fn twin(repo: &Repo) -> Repo {
    let twin = Repo::folder("work");
    let copied =
        Command::new("cp").arg("-a").arg(format!("{}/.", repo.path().display())).arg(twin.path()).status();
    assert!(copied.unwrap().success());
    twin
}

fn tips(repo: &Repo) -> String {
    repo.git(&["for-each-ref", "refs/runs"])
}

#[test]
fn the_next_command_recovers_a_killed_run() {
    let mut repo = repo();
    repo.set("XTRACK_TEST_NOW", "2026-07-01T09:14:00Z");
    let owner = Sleeper::new();
    let folder = begin(&repo, &owner, &["--name", "quiet-otter", "-p", "lr=0.1"]);
    journal(&folder, "w", &lines("{}", 3, None));
    assert_eq!(repo.refs("refs/runs"), Vec::<String>::new());
    assert_eq!(repo.xtrack(&["log", "--json"]).ok().stderr, "", "its owner lives");
    owner.kill();
    let output = repo.xtrack(&["log", "--json"]).ok();
    let id = id_of(&folder);
    let said = format!(
        "xtrack: recovered quiet-otter ({}): crashed after 1m 04s, 4 events, nothing lost\n",
        &id[16..]
    );
    assert_eq!(output.stderr, said);
    assert_eq!(live(&repo), Vec::<String>::new());
    let shown = json(&repo, &["show", "@", "--json"]);
    assert_eq!((&shown["id"], &shown["status"]), (&id.clone().into(), &"crashed".into()));
    assert_eq!(shown["ended"], "2026-07-01T09:15:03.500000Z");
    assert_eq!(shown["metrics"]["loss"]["count"], 3);
    assert_eq!(shown["params"]["lr"], 0.1);
    assert_eq!(repo.xtrack(&["log", "--json"]).ok().stderr, "");
    assert_eq!(json(&repo, &["status", "--json"])["recovered"][0]["id"], *id);
    repo.assert_sound();
}

#[test]
fn a_zombie_is_dead() {
    let repo = repo();
    let mut owner = Sleeper::new();
    begin(&repo, &owner, &[]);
    owner.kill_only();
    assert!(repo.xtrack(&["recover"]).ok().stderr.starts_with("recovered "));
    assert_eq!(live(&repo), Vec::<String>::new());
}

#[test]
fn a_writer_that_said_how_it_ended_is_believed() {
    let repo = repo();
    for (ending, status) in
        [("finished", "finished"), ("failed", "failed"), ("killed", "killed"), ("odd", "crashed")]
    {
        let folder = begin_dead(&repo, &["--name", ending]);
        journal(&folder, "w", &lines("{}", 2, Some(ending)));
        repo.xtrack(&["recover"]).ok();
        assert_eq!(json(&repo, &["show", ending, "--json"])["status"], status);
    }
}

#[test]
fn a_run_lives_while_any_of_its_writers_does() {
    let repo = repo();
    let writer = Sleeper::new();
    let owner_of_writer = begin(&repo, &writer, &[]);
    let text = fs::read_to_string(owner_of_writer.join("start.toml")).unwrap();
    let toml: toml::Table = text.parse().unwrap();
    let owner = serde_json::to_string(&toml["owner"]).unwrap();
    fs::remove_dir_all(owner_of_writer).unwrap();
    let folder = begin_dead(&repo, &[]);
    journal(&folder, "w", &lines(&owner, 2, None));
    assert_eq!(repo.xtrack(&["recover"]).ok().stderr, "there is nothing to recover\n");
    let id = id_of(&folder);
    assert!(repo.xtrack(&["recover", &id]).ok().stderr.contains(" is in progress: "));
    writer.kill();
    assert!(repo.xtrack(&["recover"]).ok().stderr.starts_with("recovered "));
}

/// What is said of owners that cannot be seen from here.
#[test]
fn nothing_is_taken_from_who_may_live_elsewhere() {
    let cases: &[(&[(&str, &str)], bool)] = &[
        (&[("start_ticks = ", "1")], true),
        (&[("boot = ", "\"another\"")], true),
        (&[("boot = ", "\"another\""), ("host = ", "\"node7\"")], false),
        (&[("pid_namespace = ", "7")], false),
        (&[("boot = ", "")], false),
        (&[("pid = ", "")], false),
    ];
    let repo = repo();
    for (edits, is_dead) in cases {
        let owner = Sleeper::new();
        let folder = begin(&repo, &owner, &[]);
        // Only what follows `[owner]` is the owner's.
        let text = fs::read_to_string(folder.join("start.toml")).unwrap();
        let (facts, owners) = text.split_once("[owner]").unwrap();
        fs::write(folder.join("start.toml"), format!("[owner]{owners}")).unwrap();
        edits.iter().for_each(|(key, value)| replace(&folder, key, value));
        let owners = fs::read_to_string(folder.join("start.toml")).unwrap();
        fs::write(folder.join("start.toml"), format!("{facts}{owners}")).unwrap();
        repo.xtrack(&["log"]).ok();
        assert_eq!(!folder.exists(), *is_dead, "{edits:?}");
        if !is_dead {
            assert!(
                repo.xtrack(&["recover", "--force"]).ok().stderr.contains("nothing to recover"),
                "{edits:?}"
            );
            age(&folder, 600);
            assert_eq!(repo.xtrack(&["recover"]).ok().stderr, "there is nothing to recover\n");
            assert_eq!(json(&repo, &["status", "--json"])["runs"][0]["state"], "stale", "{edits:?}");
            let output = repo.xtrack(&["recover", "--force"]).ok();
            assert!(output.stderr.starts_with("recovered "), "{edits:?}: {}", output.stderr);
            assert_eq!(json(&repo, &["status", "--json"])["runs"][0]["state"], "recovered");
            fs::remove_dir_all(&folder).unwrap();
        }
    }
}

#[test]
fn who_comes_back_after_a_forced_recovery_is_heard() {
    let repo = repo();
    let owner = Sleeper::new();
    let folder = begin(&repo, &owner, &["--name", "far"]);
    replace(&folder, "pid_namespace = ", "7");
    journal(&folder, "w", &lines("{}", 2, None));
    age(&folder, 600);
    repo.xtrack(&["recover", "--force"]).ok();
    assert_eq!(json(&repo, &["show", "far", "--json"])["status"], "crashed");
    assert_eq!(repo.xtrack(&["recover", "--force"]).ok().stderr, "there is nothing to recover\n");
    // While it writes it is in progress; once it has finished that counts.
    journal(&folder, "w", &lines("{}", 5, None));
    assert_eq!(repo.xtrack(&["log", "--json"]).ok().stderr, "");
    let shown = json(&repo, &["show", "far", "--json"]);
    assert_eq!((&shown["status"], &shown["metrics"]["loss"]["count"]), (&"running".into(), &5.into()));
    assert_eq!(json(&repo, &["status", "--json"])["runs"][0]["state"], "running");
    journal(&folder, "w", &lines("{}", 5, Some("finished")));
    assert!(repo.xtrack(&["log", "--json"]).ok().stderr.contains("recovered far "));
    assert_eq!(repo.xtrack(&["log", "--json"]).ok().stderr, "");
    let shown = json(&repo, &["show", "far", "--json"]);
    assert_eq!((&shown["status"], &shown["metrics"]["loss"]["count"]), (&"finished".into(), &5.into()));
    assert!(folder.exists());
    age(&folder, 31 * 24 * 3600);
    repo.xtrack(&["log"]).ok();
    assert!(!folder.exists());
    assert_eq!(repo.git(&["rev-list", "--count", &repo.refs("refs/runs")[0]]), "2");
}

#[test]
fn two_at_once_both_succeed_and_agree() {
    let repo = repo();
    for number in 0..12 {
        let folder = begin_dead(&repo, &[]);
        journal(&folder, "w", &lines("{}", 200 + number, None));
    }
    let twin = twin(&repo);
    let children: Vec<_> = (0..6).map(|_| program(&repo, &["recover"]).spawn().unwrap()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && !said.contains("warning") && !said.contains("error"), "{said}");
    }
    twin.xtrack(&["recover"]).ok();
    assert_eq!(tips(&repo), tips(&twin));
    assert_eq!(repo.refs("refs/runs").len(), 12);
    for name in repo.refs("refs/runs") {
        assert_eq!(repo.git(&["rev-list", "--count", &name]), "1");
    }
    assert_eq!(live(&repo), Vec::<String>::new());
    repo.xtrack(&["log"]).ok();
}

#[test]
fn a_recovery_that_is_killed_is_recovered_from() {
    let repo = repo();
    for number in 0..4 {
        let folder = begin_dead(&repo, &[]);
        journal(&folder, "w", &lines("{}", 5_000 + number, None));
    }
    let twin = twin(&repo);
    twin.xtrack(&["recover"]).ok();
    for delay in 0..30 {
        let mut child = program(&repo, &["recover"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(5 + delay * 10));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    repo.xtrack(&["recover"]).ok();
    assert_eq!(tips(&repo), tips(&twin));
    assert_eq!(live(&repo), Vec::<String>::new());
}

#[test]
fn what_cannot_be_read_is_named_and_kept() {
    let repo = repo();
    let damaged = begin_dead(&repo, &[]);
    fs::write(damaged.join("start.toml"), "format = 1\nid = ").unwrap();
    let nameless = repo.path().join(".git/xtrack/live/20260101-000000-abcdefgh");
    fs::create_dir_all(&nameless).unwrap();
    fs::write(nameless.join("heartbeat"), "").unwrap();
    let empty = repo.path().join(".git/xtrack/live/20260101-000000-bbcdefgh");
    fs::create_dir_all(&empty).unwrap();
    assert_eq!(
        json(&repo, &["status", "--json"])["unreadable"].as_array().unwrap().len(),
        1,
        "two are being made"
    );
    for folder in [&nameless, &empty] {
        age(folder, 120);
    }
    let good = begin_dead(&repo, &["--name", "good"]);
    assert!(repo.xtrack(&["log", "--json"]).ok().stderr.contains("recovered good "));
    assert_eq!(repo.xtrack(&["log", "--json"]).ok().stderr, "");
    let output = repo.xtrack(&["recover"]);
    assert_eq!(output.code, 1);
    for folder in [&damaged, &nameless] {
        assert!(folder.exists() && output.stderr.contains(folder.file_name().unwrap().to_str().unwrap()));
    }
    assert!(!empty.exists() && !good.exists());
    let status = json(&repo, &["status", "--json"]);
    assert_eq!(status["unreadable"].as_array().unwrap().len(), 2, "{status}");
}

#[test]
fn losses_are_said() {
    let repo = repo();
    let folder = begin_dead(&repo, &["--name", "torn"]);
    let text = lines("{}", 6, None);
    let mut parts: Vec<&str> = text.lines().collect();
    parts[3] = r#"{"n":3,"t":17828"#;
    journal(&folder, "w", &(parts.join("\n") + "\n"));
    let output = repo.xtrack(&["recover"]).ok();
    assert!(!output.stderr.contains("nothing lost"), "{}", output.stderr);
    assert_eq!(json(&repo, &["show", "torn", "--json"])["metrics"]["loss"]["count"], 5);
}

/// A lock that a process took the way the program takes them.
fn lock(repo: &Repo, id: &str, mark: &str) -> (PathBuf, PathBuf) {
    let lock = repo.path().join(format!(".git/refs/runs/{id}.lock"));
    let signature =
        repo.path().join(format!(".git/xtrack/live/.lock,{mark},0123456789abcdef,refs%2Fruns%2F{id}"));
    fs::create_dir_all(signature.parent().unwrap()).unwrap();
    fs::write(&signature, "").unwrap();
    fs::hard_link(&signature, &lock).unwrap();
    (lock, signature)
}

fn mark(pid: u32) -> String {
    xtrack::journal::owner::mark().replacen(&std::process::id().to_string(), &pid.to_string(), 1)
}

#[test]
fn the_lock_of_a_killed_process_is_removed_and_no_other() {
    let repo = repo();
    let id = repo.xtrack(&["record", "-m", "loss=1"]).ok().stdout.trim().to_owned();
    let gone = Sleeper::new();
    let dead = mark(gone.0.id());
    gone.kill();
    let (path, signature) = lock(&repo, &id, &dead);
    repo.xtrack(&["note", &id, "first"]).ok();
    assert!(!path.exists() && !signature.exists());
    // Of another start of the same process, and one whose lock another process has by now.
    let reused = xtrack::journal::owner::mark()
        .split(',')
        .enumerate()
        .map(|(at, part)| if at == 1 { "1" } else { part })
        .collect::<Vec<_>>()
        .join(",");
    let (path, signature) = lock(&repo, &id, &reused);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "of git").unwrap();
    repo.xtrack(&["log"]).ok();
    assert!(path.exists() && !signature.exists());
    fs::remove_file(&path).unwrap();
    // Of one that lives, or may live elsewhere.
    let alive = Sleeper::new();
    let own = fs::read_to_string(format!("/proc/{}/stat", alive.0.id())).unwrap();
    let ticks = own.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().to_owned();
    let living = mark(alive.0.id())
        .split(',')
        .enumerate()
        .map(|(at, part)| if at == 1 { ticks.as_str() } else { part })
        .collect::<Vec<_>>()
        .join(",");
    for mark in [
        living.clone(),
        format!(
            "{},node7",
            living
                .replace('-', "x")
                .rsplit_once(',')
                .unwrap()
                .0
                .replacen(&ticks, "7", 1)
                .replace(|c: char| c.is_ascii_lowercase(), "f")
        ),
    ] {
        let (path, signature) = lock(&repo, &id, &mark);
        let old = std::time::SystemTime::now() - Duration::from_secs(3600);
        fs::File::options().append(true).open(&path).unwrap().set_modified(old).unwrap();
        let output = repo.xtrack(&["note", &id, "second"]);
        assert_eq!(output.code, 1);
        assert!(output.stderr.contains(&format!("process {}", alive.0.id())), "{}", output.stderr);
        assert!(path.exists() && signature.exists());
        fs::remove_file(path).unwrap();
        fs::remove_file(signature).unwrap();
    }
    repo.xtrack(&["note", &id, "third"]).ok();
    assert_eq!(live(&repo), Vec::<String>::new());
}

#[test]
fn an_edit_of_a_run_in_progress_lands_with_it() {
    let repo = repo();
    let owner = Sleeper::new();
    let folder = begin(&repo, &owner, &["--name", "quiet-otter", "-p", "lr=0.1"]);
    let id = id_of(&folder);
    journal(&folder, "w", &lines("{}", 3, None));
    repo.write("plot.txt", "a plot");
    repo.xtrack(&["note", &id[16..], "diverging"]).ok();
    repo.xtrack(&["tag", "quiet-otter", "+bad"]).ok();
    repo.xtrack(&["edit", "@", "--correct", "lr=0.2", "-a", "plot.txt", "--name", "loud-otter"]).ok();
    assert_eq!(repo.refs("refs/runs"), Vec::<String>::new());
    let shown = json(&repo, &["show", "loud-otter", "--json"]);
    assert_eq!((&shown["status"], &shown["params"]["lr"]), (&"running".into(), &0.2.into()));
    assert_eq!(shown["metrics"]["loss"]["count"], 3);
    owner.kill();
    repo.xtrack(&["recover"]).ok();
    let shown = json(&repo, &["show", &id, "--json"]);
    assert_eq!((&shown["name"], &shown["tags"][0]), (&"loud-otter".into(), &"bad".into()));
    assert_eq!(shown["notes"][0]["text"], "diverging");
    assert_eq!(shown["artifacts"][0]["path"], "plot.txt");
    repo.assert_sound();
}

#[test]
fn no_edit_is_lost_while_the_run_ends() {
    let repo = repo();
    let owner = Sleeper::new();
    let folder = begin(&repo, &owner, &[]);
    let id = id_of(&folder);
    journal(&folder, "w", &lines("{}", 2_000, None));
    let notes: Vec<_> =
        (0..6).map(|number| program(&repo, &["note", &id, &format!("n{number}")]).spawn().unwrap()).collect();
    owner.kill();
    let recoveries: Vec<_> = (0..2).map(|_| program(&repo, &["recover"]).spawn().unwrap()).collect();
    for child in notes.into_iter().chain(recoveries) {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    repo.xtrack(&["recover"]).ok();
    let notes = json(&repo, &["show", &id, "--json"])["notes"].as_array().unwrap().len();
    assert_eq!(notes, 6);
    assert_eq!(live(&repo), Vec::<String>::new());
}

#[test]
fn a_repository_that_cannot_be_written_is_read_all_the_same() {
    let repo = repo();
    begin_dead(&repo, &[]);
    let mount = r#"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@""#;
    let mut command = repo.command("unshare");
    command.args(["--mount", "sh", "-c", mount, "sh"]).arg(repo.path().join(".git"));
    let output = run(command.arg(env!("CARGO_BIN_EXE_git-xtrack")).args(["log", "--json"]));
    if ["unshare", "mount", "Operation not permitted"].iter().any(|word| output.stderr.contains(word)) {
        eprintln!("skipped: nothing can be mounted here");
        return;
    }
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    assert_eq!(live(&repo).len(), 1);
}

#[test]
fn what_was_purged_does_not_come_back() {
    let repo = repo();
    let folder = begin_dead(&repo, &[]);
    let id = id_of(&folder);
    let stone = format!(
        "format = 1\nid = \"{id}\"\nby = \"Ada <a@b>\"\nat = \"2026-01-02T13:00:00.000000Z\"\nwhy = \"a secret\"\n"
    );
    let blob = repo.git_stdin(&["hash-object", "-w", "--stdin"], &stone);
    let tree = repo.git_stdin(&["mktree"], &format!("100644 blob {blob}\ttombstone.toml\n"));
    let commit = repo.git(&["commit-tree", &tree, "-m", "purge"]);
    repo.git(&["update-ref", &format!("refs/runs/{id}"), &commit]);
    assert_eq!(repo.xtrack(&["log", "--json"]).ok().stderr, "");
    assert!(!folder.exists());
    assert_eq!(repo.git(&["rev-parse", &format!("refs/runs/{id}")]), commit);
}
