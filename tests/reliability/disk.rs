//! A disk that fills, a quota, no more descriptors, a repository that is read-only from the middle on: training goes on
//! to its end, and all that was acknowledged before is recovered.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::reliability::{logger, skip};
use crate::support::Repo;
use crate::support::repo::{Output, run};

/// A command that runs a script with the program on its path.
fn shell(repo: &Repo, program: &str, arguments: &[&str]) -> Command {
    let mut command = repo.command(program);
    let folder = Path::new(env!("CARGO_BIN_EXE_git-xtrack")).parent().unwrap();
    let known = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(folder.to_owned()).chain(std::env::split_paths(&known)));
    command.env("PATH", path.unwrap()).args(arguments);
    command
}

/// Runs a script in which file systems can be mounted that only it sees; nothing if that is not possible here.
pub fn with_mounts(repo: &Repo, script: &str) -> Option<Output> {
    let can = Command::new("unshare").args(["-rm", "sh", "-c", "mount -t tmpfs none /mnt"]).output();
    if !can.is_ok_and(|output| output.status.success()) {
        skip("mounting a file system");
        return None;
    }
    Some(run(shell(repo, "unshare", &["-rm", "sh", "-ec", script]).current_dir(repo.root())))
}

/// The steps of `loss` that `show --json` has written to a file.
fn steps(path: &Path) -> Vec<u64> {
    let points: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    points.iter().map(|point| point["step"].as_u64().unwrap()).collect()
}

/// How many of the steps there are before the first that is missing.
fn whole(steps: &[u64]) -> usize {
    steps.iter().zip(0..).take_while(|(step, expected)| **step == *expected).count()
}

/// A training on a small disk that is full when `filler` and its own journal take `size` KiB; room is made afterwards,
/// as a person would.
fn fill(size: u32, filler: u32, count: u32) -> Option<(Output, String, Vec<u64>)> {
    let repo = logger::repository();
    std::fs::create_dir(repo.root().join("small")).unwrap();
    let script = format!(
        "mount -t tmpfs -o size={size}k none small
        git init -q small/repo && cd small/repo && git commit -q --allow-empty -m first
        cp ../../*/logger.py .
        head -c {filler}k /dev/zero > ../filler || true
        code=0
        git xtrack record --no-snapshot -- python3 logger.py ../../ack 0 {count} 2> ../../said || code=$?
        echo code $code
        rm ../filler
        git xtrack recover
        git xtrack show @all --series loss --json --all > ../../points || echo '[]' > ../../points
        git xtrack show @all --json | grep '\"status\"' || true
        git xtrack record -p lr=1
        git xtrack status
        git fsck --strict --no-dangling"
    );
    let output = with_mounts(&repo, &script)?;
    let said = std::fs::read_to_string(repo.root().join("said")).unwrap_or_default();
    let output = output.ok();
    assert!(output.stdout.contains("code 0"), "{}{said}", output.stdout);
    let acknowledged = logger::acknowledged(&repo.root().join("ack"));
    assert_eq!(acknowledged.len(), count as usize, "training did not reach its end");
    Some((output, said, steps(&repo.root().join("points"))))
}

#[test]
fn training_outlives_a_full_disk_and_what_was_acknowledged_is_recovered() {
    // 12,000 lines are more than the client keeps for later, and than the disk takes.
    let Some((output, said, steps)) = fill(1600, 500, 16_000) else { return };
    assert!(said.contains("No space left") || said.contains("only a part was written"), "{said}");
    assert!(said.contains("events could not be written"), "{said}");
    // Up to the moment the disk was full not one is missing, and the true end is known.
    assert!(whole(&steps) > 2_000, "the first gap is after {} points of {}", whole(&steps), steps.len());
    assert!(output.stdout.contains(r#""status": "finished""#), "{}{}{said}", output.stdout, output.stderr);
}

#[test]
fn a_disk_that_is_full_at_any_stage_stops_no_training() {
    // From no room for the first file to room for all but the last.
    for filler in [1400, 1340, 1300, 1260, 1200, 1100, 1000] {
        let Some((_, said, steps)) = fill(1500, filler, 300) else { return };
        assert!(whole(&steps) == 300 || said.contains("warning") || said.contains("xtrack: "), "{said}");
        assert!(whole(&steps) == steps.len(), "with {filler} KiB taken: {steps:?}");
    }
}

/// A training under limits of its shell; nothing that it logged may be lost that a journal had room for.
fn limited(limit: &str, count: u32) -> (String, Vec<u64>) {
    let repo = logger::repository();
    let script = format!(
        "({limit}; exec git-xtrack record --no-snapshot -- python3 logger.py ack 0 {count}) 2>&1
        echo code $?
        git-xtrack recover
        git-xtrack show @all --series loss --json --all > ../points || echo '[]' > ../points
        git fsck --strict --no-dangling"
    );
    let output = run(shell(&repo, "sh", &["-c", &script]).current_dir(repo.path()));
    assert!(output.stdout.contains("code 0"), "{limit}: {}{}", output.stdout, output.stderr);
    assert_eq!(logger::acknowledged(&repo.path().join("ack")).len(), count as usize, "{limit}");
    (output.stdout, steps(&repo.root().join("points")))
}

#[test]
fn a_quota_costs_only_what_is_beyond_it() {
    // In units of 512 or 1024 bytes, as the shell has it: no file grows beyond a quarter of a megabyte.
    let (said, steps) = limited("trap '' XFSZ; ulimit -f 256", 12_000);
    assert!(said.contains("events could not be written"), "{said}");
    assert!(whole(&steps) > 800, "{} of {}: {said}", whole(&steps), steps.len());
}

#[test]
fn few_descriptors_cost_no_training_and_no_event() {
    for descriptors in [64, 20, 14, 12, 10] {
        let (said, steps) = limited(&format!("ulimit -n {descriptors}"), 200);
        let is_said =
            said.contains("Too many open files") || said.contains("warning") || said.contains("xtrack: ");
        assert!(steps.len() == 200 || is_said, "{descriptors}: {said}");
    }
}

#[test]
fn a_repository_that_becomes_read_only_keeps_what_was_logged_before() {
    let repo = logger::repository();
    let script = "
        mount --bind work work && cd work
        (until [ -s ack ]; do sleep 0.01; done; sleep 0.1; mount --bind .git .git && mount -o remount,ro,bind .git) &
        code=0
        git xtrack record --no-snapshot -- python3 logger.py ack 0 8000 2> ../said || code=$?
        echo code $code
        wait
        git xtrack log >../listed 2>&1 && echo listed
        umount .git 2>/dev/null || mount -o remount,rw,bind .git
        git xtrack recover
        git xtrack show @all --series loss --json --all > ../points
        git fsck --strict --no-dangling";
    let Some(output) = with_mounts(&repo, script) else { return };
    let said = std::fs::read_to_string(repo.root().join("said")).unwrap_or_default();
    let output = output.ok();
    assert!(output.stdout.contains("code 0") && output.stdout.contains("listed"), "{}{said}", output.stdout);
    let steps = steps(&repo.root().join("points"));
    assert!(whole(&steps) == steps.len() && steps.len() > 500, "{} of {}", whole(&steps), steps.len());
}
