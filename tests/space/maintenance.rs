//! Git's maintenance, begun by itself: it packs, loses nothing, and can be forbidden.

use std::fs;
use std::time::Duration;

use crate::sharing::{make_runs, tips};
use crate::support::Repo;

/// A repository with many refs that are files, in which maintenance may be begun.
fn crowded() -> Repo {
    let repo = Repo::new();
    repo.git(&["config", "maintenance.auto", "true"]);
    repo.git(&["config", "gc.auto", "6700"]);
    make_runs(&repo, 0..600);
    repo
}

fn loose(repo: &Repo) -> usize {
    fs::read_dir(repo.path().join(".git/refs/runs")).map_or(0, Iterator::count)
}

/// Waits until nothing is packed any more.
fn settle(repo: &Repo) {
    for _ in 0..400 {
        let is_at_it = repo.path().join(".git/objects/maintenance.lock").exists();
        if loose(repo) < 10 && !is_at_it {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{} refs are files still", loose(repo));
}

#[test]
fn it_is_begun_once_and_loses_nothing() {
    let repo = crowded();
    repo.xtrack(&["record", "--name", "a"]).ok();
    let before = tips(&repo);
    // Others go on meanwhile, and none of them begins it again.
    for number in 0..8 {
        repo.xtrack(&["tag", "a", &format!("+t{number}")]).ok();
    }
    settle(&repo);
    let after = tips(&repo);
    assert_eq!(after.lines().count(), 601);
    let changed = before.lines().zip(after.lines()).filter(|(before, after)| before != after).count();
    assert_eq!(changed, 1);
    repo.assert_sound();
    let note = repo.read(".git/xtrack/maintenance");
    assert!(note.contains("pid"), "{note}");
}

#[test]
fn it_can_be_forbidden() {
    for setting in ["xtrack.maintenance", "maintenance.auto"] {
        let repo = crowded();
        repo.git(&["config", setting, "false"]);
        repo.xtrack(&["record", "--name", "a"]).ok();
        assert!(!repo.path().join(".git/xtrack/maintenance").exists(), "{setting}");
        assert_eq!(loose(&repo), 601);
    }
}

#[test]
fn one_that_was_killed_does_not_keep_others_from_it_for_ever() {
    let repo = crowded();
    let note = repo.path().join(".git/xtrack/maintenance");
    let lock = repo.path().join(".git/objects/maintenance.lock");
    fs::create_dir_all(note.parent().unwrap()).unwrap();
    fs::write(&note, "pid = 4194000\nstart_ticks = 1\n").unwrap();
    fs::write(&lock, "").unwrap();
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    for path in [&note, &lock] {
        fs::File::options().append(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    repo.xtrack(&["record", "--name", "a"]).ok();
    settle(&repo);
    assert_eq!(tips(&repo).lines().count(), 601);
}
