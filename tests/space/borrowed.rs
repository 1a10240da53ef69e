//! Clones that borrow objects from another repository: what goes there is lost here, and both sides say so.

use crate::sharing::make_runs;
use crate::space::json;
use crate::support::Repo;
use crate::support::repo::run;

/// A clone that holds no object of its own, with the runs.
fn borrower(lender: &Repo) -> Repo {
    let clone = Repo::folder("work");
    clone.git(&["clone", "-q", "--shared", lender.path().to_str().unwrap(), "."]);
    clone.git(&["fetch", "-q", "origin", "refs/runs/*:refs/runs/*", "refs/xtrack/code/*:refs/xtrack/code/*"]);
    clone
}

fn faults(repo: &Repo, severity: &str) -> Vec<String> {
    let found = json(repo, &["fsck", "--json"]);
    let faults = found["faults"].as_array().unwrap().iter().filter(|fault| fault["severity"] == severity);
    faults.map(|fault| format!("{} {}", fault["message"], fault["advice"])).collect()
}

#[test]
fn a_borrower_is_told_and_can_be_made_to_stand_by_itself() {
    let lender = Repo::new();
    lender.write("train.py", "print(1)\n");
    lender.commit("one");
    make_runs(&lender, 0..3);
    lender.xtrack(&["record", "--name", "a", "-p", "word=secret", "--", "true"]).ok();
    let (lent, own) = (borrower(&lender), borrower(&lender));
    let notes = faults(&lent, "note");
    assert!(notes.iter().any(|note| note.contains("objects are borrowed from")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("git repack -a -d")), "{notes:?}");
    own.git(&["repack", "-q", "-a", "-d"]);
    std::fs::remove_file(own.path().join(".git/objects/info/alternates")).unwrap();
    // Reading, housekeeping and sizes work on what is borrowed.
    assert_eq!(json(&lent, &["du", "--json"])["runs"]["count"], 4);
    lent.xtrack(&["gc", "--yes"]).ok();
    lent.xtrack(&["verify", "a"]).ok();
    let output = lender.xtrack(&["purge", "a", "--yes"]).ok();
    assert!(output.stderr.contains("borrows objects from here"), "{}", output.stderr);
    lender.git(&["gc", "-q", "--prune=now"]);
    // The one has lost the run, and says which, and shows the others; the other has all.
    let errors = faults(&lent, "error");
    assert!(!errors.is_empty());
    assert_eq!(json(&lent, &["log", "--json"]).as_array().unwrap().len(), 3);
    assert!(lent.xtrack(&["du"]).ok().stderr.contains("cannot"));
    assert_eq!(faults(&own, "error"), Vec::<String>::new());
    assert_eq!(own.xtrack(&["show", "a"]).code, 0);
    // A purge in a borrower says where else the objects are.
    let output = borrower(&own).xtrack(&["purge", "a", "--yes"]).ok();
    assert!(output.stderr.contains("borrows objects from"), "{}", output.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_repository_that_cannot_be_written_answers() {
    let repo = Repo::new();
    repo.write("train.py", "print(1)\n");
    repo.commit("one");
    repo.xtrack(&["record", "--name", "a", "-m", "loss=1", "--", "true"]).ok();
    repo.xtrack(&["tag", "a", "+x"]).ok();
    let commands = [
        "log",
        "show a",
        "du",
        "fsck",
        "verify a",
        "oplog",
        "undo --dry-run",
        "gc --dry-run",
        "purge a --dry-run",
    ];
    let script = format!(
        "mount --bind . . && mount -o remount,bind,ro . && cd \"$PWD\" || exit 77\n\
         for words in {}; do {} $words >&2 || {{ echo \"failed: $words\"; exit 1; }}; done",
        commands.map(|words| format!("'{words}'")).join(" "),
        env!("CARGO_BIN_EXE_git-xtrack")
    );
    let output = run(repo.command("unshare").args(["-rm", "sh", "-c", &script]));
    if output.code == 77 || output.stderr.contains("unshare:") {
        return crate::reliability::skip("a read-only mount");
    }
    assert_eq!((output.code, output.stdout.as_str()), (0, ""), "{output:?}");
    assert!(!output.stderr.contains("index --rebuild"), "{}", output.stderr);
}
