//! `git xtrack gc`: what nobody needs goes, and nothing that somebody needs, whatever happens at the same time.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::sharing::{Bare, clone_of};
use crate::space::{json, operations, refs};
use crate::support::{Output, Repo};

/// Larger than what goes into records.
const LARGE: usize = 300_000;

/// A moment some days from now, as the program is told it.
fn days_later(days: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
    xtrack::run::id::Time((now + days * 86_400) * 1_000_000).to_string()
}

/// Runs `gc` as if some days later.
fn gc_later(repo: &Repo, days: i64, arguments: &[&str]) -> Output {
    let mut command = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
    command.arg("gc").args(arguments).env("XTRACK_TEST_NOW", days_later(days));
    crate::support::repo::run(&mut command)
}

/// The artifacts in the store.
fn stored(repo: &Repo) -> Vec<PathBuf> {
    let folders = fs::read_dir(repo.path().join(".git/xtrack/objects")).into_iter().flatten().flatten();
    let folders = folders.filter(|folder| folder.file_name().len() == 2);
    let mut files: Vec<PathBuf> = folders
        .flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten().flatten())
        .map(|file| file.path())
        .collect();
    files.sort();
    files
}

/// Makes files look as if they had been written two days ago.
fn age(files: &[PathBuf]) {
    for file in files {
        if let Ok(file) = File::open(file) {
            file.set_modified(SystemTime::now() - Duration::from_secs(2 * 86_400)).unwrap();
        }
    }
}

fn record(repo: &Repo, name: &str, byte: u8) -> Output {
    repo.write(format!("{name}.bin"), vec![byte; LARGE]);
    repo.xtrack(&["record", "--name", name, "-a", &format!("{name}.bin")]).ok()
}

#[test]
fn bytes_go_once_their_run_was_deleted_long_ago() {
    let repo = Repo::new();
    record(&repo, "kept", 1);
    record(&repo, "gone", 2);
    repo.xtrack(&["rm", "gone"]).ok();
    age(&stored(&repo));
    let output = repo.xtrack(&["gc", "--yes"]).ok();
    assert!(output.stderr.contains("there is nothing that nobody needs"), "{}", output.stderr);
    let output = gc_later(&repo, 20, &["--dry-run"]).ok();
    assert!(
        output.stderr.contains("would go: 1 artifact (293.0 KiB) of 1 run deleted long ago"),
        "{}",
        output.stderr
    );
    let output = gc_later(&repo, 20, &[]);
    assert_eq!(output.code, 2, "nobody is here to answer");
    assert!(output.stderr.contains("`--yes` answers yes"), "{}", output.stderr);
    assert_eq!(stored(&repo).len(), 2);
    repo.git(&["config", "xtrack.gc.grace", "30d"]);
    gc_later(&repo, 20, &["--yes"]).ok();
    assert_eq!(stored(&repo).len(), 2);
    repo.git(&["config", "--unset", "xtrack.gc.grace"]);
    gc_later(&repo, 20, &["--yes"]).ok();
    assert_eq!(fs::read(&stored(&repo)[0]).unwrap(), vec![1; LARGE]);
    assert_eq!(stored(&repo).len(), 1);
    assert_eq!(
        json(&repo, &["log", "--deleted", "--json"]).as_array().unwrap().len(),
        1,
        "the run itself stays"
    );
}

#[test]
fn what_can_be_undone_is_kept_and_then_goes() {
    let repo = Repo::new();
    record(&repo, "a", 1);
    repo.xtrack(&["undo", "1"]).ok();
    age(&stored(&repo));
    repo.xtrack(&["gc", "--yes"]).ok();
    assert_eq!(stored(&repo).len(), 1);
    let answer: Value = serde_json::from_str(&gc_later(&repo, 20, &["--yes", "--json"]).ok().stdout).unwrap();
    assert_eq!((&answer["artifacts"], &answer["operations"]), (&1.into(), &1.into()));
    assert!(stored(&repo).is_empty());
    assert!(repo.refs("refs/xtrack/undo").is_empty());
    repo.git(&["fsck", "--strict", "--no-dangling", "--no-progress"]);
}

#[test]
fn what_is_young_or_in_progress_stays() {
    let repo = Repo::new();
    record(&repo, "a", 1);
    repo.xtrack(&["undo", "1"]).ok();
    gc_later(&repo, 20, &["--yes"]).ok();
    assert_eq!(stored(&repo).len(), 1, "it is young");
    age(&stored(&repo));
    let digest = stored(&repo)[0].file_name().unwrap().to_str().unwrap().to_owned();
    repo.xtrack(&["begin", "--name", "live"]).ok();
    let live = fs::read_dir(repo.path().join(".git/xtrack/live")).unwrap().flatten();
    let live = live.map(|entry| entry.path()).find(|path| path.is_dir()).unwrap();
    fs::write(live.join("words"), format!("{{\"sha256\":\"{digest}\"}}")).unwrap();
    gc_later(&repo, 20, &["--yes"]).ok();
    assert_eq!(stored(&repo).len(), 1, "a run in progress names it");
    fs::remove_file(live.join("words")).unwrap();
    gc_later(&repo, 20, &["--yes"]).ok();
    assert_eq!(stored(&repo).len(), 0);
}

#[test]
fn a_deletion_that_somebody_says_was_long_ago_counts_from_its_arrival() {
    let bare = Bare::new();
    let (ada, bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    record(&ada, "a", 1);
    ada.xtrack(&["push"]).ok();
    bo.xtrack(&["pull"]).ok();
    let id = bo.refs("refs/runs")[0].clone();
    let mut edit = xtrack::run::edit::Edit::new("Bo".into(), xtrack::run::id::Time(1_000_000), Vec::new());
    edit.deleted = Some(true);
    let (edit_id, bytes) = edit.encode();
    let text = String::from_utf8(bytes).unwrap();
    let path = xtrack::run::record::edit_path(&edit_id);
    let stream = format!(
        "commit {id}\ncommitter Bo <b@x> 1 +0000\ndata 1\nx\nfrom {id}^0\nM 100644 inline {path}\ndata {}\n{text}\n",
        text.len()
    );
    bo.git_stdin(&["fast-import", "--quiet"], &stream);
    bo.xtrack(&["push"]).ok();
    ada.xtrack(&["pull"]).ok();
    assert_eq!(json(&ada, &["show", "a", "--json"])["deleted"], true);
    age(&stored(&ada));
    ada.xtrack(&["gc", "--yes"]).ok();
    assert_eq!(stored(&ada).len(), 1);
    gc_later(&ada, 20, &["--yes"]).ok();
    assert_eq!(stored(&ada).len(), 0);
}

#[test]
fn code_that_no_run_names_goes_and_can_be_had_back() {
    let repo = Repo::new();
    repo.write("train.py", "print(1)\n");
    repo.commit("one");
    let old = repo.git(&["commit-tree", "-m", "of no run", "HEAD^{tree}"]);
    repo.write("train.py", "print(2)\n");
    repo.xtrack(&["record", "--name", "a", "--", "true"]).ok();
    let name = format!("refs/xtrack/code/{old}");
    repo.git(&["update-ref", &name, &old]);
    let before = refs(&repo);
    repo.xtrack(&["gc"]).ok();
    assert_eq!(refs(&repo), before, "the run that names it may be on its way");
    age(&[repo.path().join(".git").join(name)]);
    let output = repo.xtrack(&["gc"]).ok();
    assert!(output.stderr.contains("goes: 1 code state"), "{}", output.stderr);
    let code = repo.refs("refs/xtrack/code");
    assert_eq!(code.len(), 1);
    assert!(!code[0].ends_with(&old));
    repo.xtrack(&["undo"]).ok();
    assert_eq!(refs(&repo), before);
}

#[test]
fn what_is_left_of_killed_processes_goes() {
    let repo = Repo::new();
    repo.xtrack(&["record", "--name", "a"]).ok();
    repo.xtrack(&["rm", "--local", "a"]).ok();
    let state = repo.path().join(".git/xtrack");
    let hidden = fs::read_to_string(state.join("hidden")).unwrap();
    fs::write(state.join("hidden"), format!("{hidden}20260101-000000-aaaaaaaa\n")).unwrap();
    fs::create_dir_all(state.join("tmp-0123")).unwrap();
    fs::write(state.join("tmp-0123/pack"), "x").unwrap();
    fs::create_dir_all(state.join("objects/tmp")).unwrap();
    fs::write(state.join("objects/tmp/1-2-3"), "x").unwrap();
    fs::create_dir_all(state.join("purging")).unwrap();
    fs::write(state.join("purging/20260101-000000-aaaaaaaa.tmp-1"), "{").unwrap();
    for path in ["tmp-0123", "objects/tmp/1-2-3", "purging/20260101-000000-aaaaaaaa.tmp-1"] {
        let file = File::open(state.join(path)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(2 * 86_400)).unwrap();
    }
    repo.xtrack(&["gc"]).ok();
    assert!(!state.join("tmp-0123").exists());
    assert!(!state.join("objects/tmp/1-2-3").exists());
    assert_eq!(fs::read_dir(state.join("purging")).unwrap().count(), 0);
    assert!(fs::read_to_string(state.join("hidden")).unwrap().ends_with("20260101-000000-aaaaaaaa shown\n"));
    assert_eq!(json(&repo, &["log", "--deleted", "--json"]).as_array().unwrap().len(), 1);
    assert!(repo.xtrack(&["gc"]).ok().stderr.contains("there is nothing"));
}

#[test]
fn what_a_killed_collector_put_aside_comes_back_though_there_is_nothing_to_collect() {
    let repo = Repo::new();
    record(&repo, "a", 1);
    let file = stored(&repo).remove(0);
    let aside = repo.path().join(".git/xtrack/objects/tmp/aside");
    fs::create_dir_all(&aside).unwrap();
    fs::rename(&file, aside.join(file.file_name().unwrap())).unwrap();
    repo.xtrack(&["gc"]).ok();
    assert_eq!(fs::read(&file).unwrap(), vec![1; LARGE]);
}

#[test]
fn what_was_dropped_and_cannot_be_read_holds_back_what_it_may_need_and_nothing_else() {
    let repo = Repo::new();
    record(&repo, "a", 1);
    repo.xtrack(&["undo", "1"]).ok();
    repo.xtrack(&["record", "--name", "b"]).ok();
    age(&stored(&repo));
    let kept = repo.refs("refs/xtrack/undo")[0].clone();
    let keeping = repo.git(&["rev-parse", &kept]);
    let dropped = repo.git(&["rev-parse", &format!("{kept}^1")]);
    for lost in [dropped, keeping] {
        fs::remove_file(repo.path().join(".git/objects").join(&lost[..2]).join(&lost[2..])).unwrap();
        let output = gc_later(&repo, 20, &["--dry-run"]).ok();
        assert!(output.stderr.contains("nothing goes that it may need"), "{}", output.stderr);
        repo.xtrack(&["du"]).ok();
        assert_eq!(repo.xtrack(&["purge", "b", "--yes"]).code, 1, "it may hold b");
        assert_eq!(stored(&repo).len(), 1);
    }
    repo.git(&["update-ref", "-d", &kept]);
    gc_later(&repo, 20, &["--yes"]).ok();
    assert_eq!(stored(&repo).len(), 0);
}

#[cfg(unix)]
#[test]
fn a_store_that_is_linked_from_elsewhere_is_left_alone() {
    let repo = Repo::new();
    record(&repo, "a", 1);
    repo.xtrack(&["undo", "1"]).ok();
    age(&stored(&repo));
    let (store, shared) = (repo.path().join(".git/xtrack/objects"), repo.root().join("shared"));
    fs::rename(&store, &shared).unwrap();
    std::os::unix::fs::symlink(&shared, &store).unwrap();
    let output = gc_later(&repo, 20, &["--yes"]).ok();
    assert!(output.stderr.contains("linked from elsewhere"), "{}", output.stderr);
    assert_eq!(stored(&repo).len(), 1);
}

#[test]
fn a_damaged_run_holds_everything_back() {
    let repo = Repo::new();
    record(&repo, "a", 1);
    repo.xtrack(&["undo", "1"]).ok();
    age(&stored(&repo));
    record(&repo, "b", 2);
    let tree = repo.git(&["rev-parse", &format!("{}^{{tree}}", repo.refs("refs/runs")[0])]);
    let path = repo.path().join(".git/objects").join(&tree[..2]).join(&tree[2..]);
    fs::remove_file(path).unwrap();
    let output = gc_later(&repo, 20, &["--yes"]);
    assert!(output.stderr.contains("nothing goes that it may need"), "{}", output.stderr);
    assert_eq!(stored(&repo).len(), 2);
}

#[test]
fn nothing_is_lost_to_records_at_the_same_time() {
    let repo = Repo::new();
    repo.write("model.bin", vec![7; LARGE]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let collector = scope.spawn(|| {
            let mut collected = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let output = gc_later(&repo, 30, &["--yes", "--json"]);
                let answer: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
                collected += answer["artifacts"].as_u64().unwrap_or_default();
            }
            collected
        });
        let mut rounds = 0;
        while rounds < 12 || (rounds < 100 && collector.is_finished()) {
            let name = format!("r{rounds}");
            repo.xtrack(&["record", "--name", &name, "-a", "model.bin"]).ok();
            // While the run is there, so are its bytes: the collector has gone by more than once.
            for _ in 0..3 {
                let found = stored(&repo);
                if found.is_empty() {
                    // It may be put aside for a moment, to be looked at.
                    std::thread::sleep(Duration::from_millis(50));
                }
                assert_eq!(stored(&repo).len(), 1, "round {rounds}");
                std::thread::sleep(Duration::from_millis(10));
            }
            let id = operations(&repo).iter().find(|one| one["command"] == "record").unwrap()["id"].clone();
            repo.xtrack(&["undo", id.as_str().unwrap()]).ok();
            age(&stored(&repo));
            std::thread::sleep(Duration::from_millis(60));
            rounds += 1;
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(collector.join().unwrap() > 0, "the collector never had anything to collect");
    });
    repo.git(&["fsck", "--strict", "--no-dangling", "--no-progress"]);
}

#[test]
fn killed_at_any_moment_it_leaves_nothing_half_done() {
    let repo = Repo::new();
    repo.commit("one");
    for number in 0..6 {
        record(&repo, &format!("a{number}"), number);
    }
    let before = refs(&repo);
    for number in 6..12 {
        record(&repo, &format!("a{number}"), number);
        repo.xtrack(&["undo", "1"]).ok();
    }
    for delay in [4, 8, 12, 16, 20, 25, 30, 35, 40, 50, 60] {
        age(&stored(&repo));
        let mut command = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
        command.args(["gc", "--yes"]).env("XTRACK_TEST_NOW", days_later(30));
        command.stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        let _ = child.kill();
        child.wait().unwrap();
    }
    age(&stored(&repo));
    gc_later(&repo, 30, &["--yes"]).ok();
    assert_eq!(refs(&repo), before);
    let sizes: Vec<u8> = stored(&repo).iter().map(|path| fs::read(path).unwrap()[0]).collect();
    assert_eq!(sizes.len(), 6);
    assert!(sizes.iter().all(|byte| *byte < 6));
}
