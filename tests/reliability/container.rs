//! Like in a container: no program on the PATH, a repository that cannot be written, killed in the middle; the folder is
//! carried away and taken in elsewhere, as often as one likes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::reliability::{Dice, logger, skip, trials};
use crate::support::Repo;
use crate::support::live::json;
use crate::support::repo::run;

const PROGRAM: &str = r#"
import os, sys, time
import xtrack

run = xtrack.init(name="far", config={"lr": 0.1}, tags=["container"])
ack = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
begin = time.perf_counter()
for step in range(int(sys.argv[2])):
    xtrack.log({"loss": step * 0.5}, step=step)
    os.write(ack, b"%d\n" % step)
    ahead = step / 10_000 - (time.perf_counter() - begin)
    if ahead > 0.005:
        time.sleep(ahead)
"#;

/// Starts the training in a repository whose `.git` is read-only, without the program; its folders go to `runs`.
fn train(repo: &Repo, runs: &Path, ack: &Path, steps: u64) -> Child {
    use std::os::unix::process::CommandExt as _;
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/python");
    let script = format!(
        "mount --bind .git .git && mount -o remount,ro,bind .git && ! touch .git/x 2>/dev/null && exec python3 {} {} {steps}",
        repo.root().join("train.py").display(),
        ack.display()
    );
    let mut command = repo.command("unshare");
    command
        .args(["-rm", "sh", "-c", &script])
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("PYTHONPATH", client).env("XTRACK_DIR", runs).env("PYTHONDONTWRITEBYTECODE", "1");
    command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").args(["-rT"]).args([from, to])).ok();
}

fn only_child(folder: &Path) -> PathBuf {
    let mut children =
        fs::read_dir(folder).unwrap().flatten().map(|child| child.path()).filter(|path| path.is_dir());
    let child = children.next().unwrap();
    assert_eq!(children.next(), None);
    child
}

#[test]
fn a_killed_container_loses_nothing() {
    let can = Command::new("unshare").args(["-rm", "true"]).status();
    if !can.is_ok_and(|status| status.success()) {
        return skip("a mount namespace");
    }
    let repo = Repo::new();
    fs::write(repo.root().join("train.py"), PROGRAM).unwrap();
    repo.commit("first");
    let home = Repo::new();
    home.commit("elsewhere");
    let mut dice = Dice::new();
    let (count, mut events) = (trials(4), 0);
    for number in 0..count {
        let runs = repo.root().join(format!("runs{number}"));
        let (ack, carried) =
            (repo.root().join(format!("ack{number}")), home.root().join(format!("carried{number}")));
        let mut training = train(&repo, &runs, &ack, 10_000_000);
        logger::wait_for_first(&ack);
        std::thread::sleep(Duration::from_micros(dice.below(100_000)));
        // Carried away while it still grows, taken in twice; then killed, carried away and taken in again.
        copy(&runs, &carried);
        let mut before = 0;
        for is_again in [false, true] {
            let answer = json(&home, &["adopt", "--json", carried.to_str().unwrap()]);
            assert_eq!(answer["failed"].as_array().unwrap().len(), 0, "{answer}");
            let id = answer["adopted"][0]["id"].as_str().unwrap();
            let recorded = logger::recorded(&home, id, "loss").len();
            assert!(!is_again || recorded == before, "{recorded} after {before}");
            before = recorded;
        }
        logger::kill("KILL", -(i32::try_from(training.id()).unwrap()));
        training.wait().unwrap();
        copy(&only_child(&runs), &only_child(&carried));
        let acknowledged = logger::acknowledged(&ack);
        for _ in 0..2 {
            let answer = json(&home, &["adopt", "--json", carried.to_str().unwrap()]);
            let id = answer["adopted"][0]["id"].as_str().unwrap().to_owned();
            let output = home.xtrack(&["show", &id, "--series", "loss", "--json", "--all"]).ok();
            let points: Vec<serde_json::Value> = serde_json::from_str(&output.stdout).unwrap();
            let recorded = logger::recorded(&home, &id, "loss");
            assert_eq!(points.len(), recorded.len(), "an event is there twice");
            let lost: Vec<_> = acknowledged.difference(&recorded).collect();
            assert!(lost.is_empty(), "lost {lost:?} of {}", acknowledged.len());
            let run = json(&home, &["show", &id, "--json"]);
            assert_eq!((&run["status"], &run["params"]["lr"]), (&"crashed".into(), &0.1.into()));
        }
        events += acknowledged.len();
    }
    assert_eq!(logger::runs(&home).len(), count);
    assert_eq!(logger::runs(&repo), Vec::<String>::new());
    home.git(&["fsck", "--strict", "--full", "--no-dangling", "--no-progress"]);
    eprintln!("{count} containers killed, {events} acknowledged events, none lost");
}

#[test]
fn a_container_that_ends_well_is_finished_elsewhere() {
    let can = Command::new("unshare").args(["-rm", "true"]).status();
    if !can.is_ok_and(|status| status.success()) {
        return skip("a mount namespace");
    }
    let (repo, home) = (Repo::new(), Repo::new());
    fs::write(repo.root().join("train.py"), PROGRAM).unwrap();
    repo.commit("first");
    home.commit("elsewhere");
    let (runs, ack) = (repo.root().join("runs"), repo.root().join("ack"));
    assert!(train(&repo, &runs, &ack, 500).wait().unwrap().success());
    let answer = json(&home, &["adopt", "--json", runs.to_str().unwrap()]);
    let id = answer["adopted"][0]["id"].as_str().unwrap();
    assert_eq!(answer["adopted"][0]["status"], "finished");
    assert_eq!(logger::recorded(&home, id, "loss").len(), 500);
    // The code that ran is known by its commit.
    assert_eq!(json(&home, &["show", id, "--json"])["code"]["commit"], *repo.git(&["rev-parse", "HEAD"]));
}
