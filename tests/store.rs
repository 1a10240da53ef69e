//! The store against real repositories of every kind that git makes.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use xtrack::error::{self, Kind};
use xtrack::run::attempt::Code;
use xtrack::run::id::{RunId, Time};
use xtrack::run::record::Files;
use xtrack::run::value::Value;
use xtrack::store::{CodeDiffOptions, Moved, RunWrite, SnapshotLimits, Store};

use crate::support::{Repo, alone};

const AT: Time = Time(1_767_225_600_000_000);

fn id(number: u8) -> RunId {
    RunId::new(AT, [number; 8])
}

fn files(pairs: &[(&str, &str)]) -> Files {
    pairs.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

fn write(
    store: &Store,
    id: &RunId,
    expected: Option<String>,
    pairs: &[(&str, &str)],
) -> anyhow::Result<String> {
    store.write_run(&RunWrite { id, expected, files: &files(pairs), message: "xtrack: a run\n", at: AT })
}

/// Writes a run and a second commit of it, and reads both back, by the library and by git.
#[track_caller]
fn assert_writes_and_reads(repo: &Repo, store: &Store) {
    let id = id(1);
    let first = write(store, &id, None, &[("run.toml", "format = 1\n"), ("edits/a.toml", "")]).unwrap();
    let second =
        write(store, &id, Some(first.clone()), &[("edits/b.toml", "b"), ("run.toml", "format = 1\n")])
            .unwrap();
    assert_eq!(store.run_tip(&id).unwrap(), Some(second.clone()));
    assert_eq!(store.runs().unwrap(), [(id.clone(), second.clone())]);
    assert_eq!(store.paths(&second).unwrap(), ["edits/a.toml", "edits/b.toml", "run.toml"]);
    let read = store.read(&second, &|path| path != "edits/a.toml").unwrap();
    assert_eq!(read, files(&[("edits/b.toml", "b"), ("run.toml", "format = 1\n")]));
    let log = store.log_of(&second).unwrap();
    assert_eq!(log.iter().map(|commit| commit.oid.clone()).collect::<Vec<_>>(), [second.clone(), first]);
    assert_eq!((log[0].subject.as_str(), log[0].at), ("xtrack: a run", AT));
    let name = format!("refs/runs/{id}");
    assert_eq!(repo.git(&["rev-parse", &name]), second);
    assert_eq!(repo.git(&["show", &format!("{name}:run.toml")]), "format = 1");
    assert_eq!(
        repo.git(&["log", "-1", "--format=%ct %cn", &name]),
        format!("1767225600 {}", store.identity().name)
    );
    repo.assert_sound();
}

/// The user's index and every file of the work tree: bytes and times.
fn picture(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut picture = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap().map(Result::unwrap) {
            let metadata = entry.metadata().unwrap();
            match metadata.is_dir() {
                true if entry.file_name() == ".git" => {
                    let index = entry.path().join("index");
                    if let Ok(bytes) = fs::read(&index) {
                        let modified = fs::metadata(&index).unwrap().modified().unwrap();
                        picture.insert(index, (bytes, modified));
                    }
                }
                true => open.push(entry.path()),
                false => {
                    let bytes = fs::read(entry.path()).unwrap_or_default();
                    picture.insert(entry.path(), (bytes, metadata.modified().unwrap()));
                }
            }
        }
    }
    picture
}

/// Takes a snapshot and makes sure that the user's files are as they were.
#[track_caller]
fn snapshot(repo: &Repo, store: &Store) -> Code {
    snapshot_with(repo, store, &SnapshotLimits::default())
}

#[track_caller]
fn snapshot_with(repo: &Repo, store: &Store, limits: &SnapshotLimits) -> Code {
    let before = picture(repo.path());
    let code = store.snapshot(limits).unwrap();
    assert!(before == picture(repo.path()), "the snapshot touched the user's files");
    repo.assert_sound();
    code
}

fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

fn left_out(code: &Code) -> BTreeMap<String, String> {
    code.left_out.iter().map(|left| (text(&left.path), left.reason.clone())).collect()
}

fn listing(repo: &Repo, tree: &str) -> Vec<String> {
    let names = repo.git(&["ls-tree", "-r", "--name-only", "-z", tree]);
    names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn small_repo() -> Repo {
    let repo = Repo::new();
    repo.write("train.py", "print(1)\n");
    repo.write("conf/a.toml", "lr = 0.1\n");
    repo.write(".gitignore", "*.log\n.venv/\n");
    repo.commit("first");
    repo
}

#[test]
fn plain_repository() {
    alone("store::plain_repository", &[], |_| {
        let repo = small_repo();
        let store = Store::open(&repo.path().join("conf")).unwrap();
        assert_eq!(store.work_tree(), Some(repo.path()));
        assert_eq!(store.common_dir(), repo.path().join(".git"));
        assert_writes_and_reads(&repo, &store);
        repo.git(&["pack-refs", "--all"]);
        repo.git(&["gc", "-q", "--prune=now"]);
        assert_eq!(store.runs().unwrap().len(), 1);
        let tip = store.run_tip(&id(1)).unwrap();
        let third = write(&store, &id(1), tip.clone(), &[("edits/c.toml", "c")]).unwrap();
        assert_eq!(store.run_tip(&id(1)).unwrap(), Some(third));
        assert_eq!(store.read(&tip.unwrap(), &|_| true).unwrap().len(), 3);
        repo.assert_sound();
    });
}

#[test]
fn sha256() {
    alone("store::sha256", &[], |_| {
        let repo = Repo::with(&["--object-format=sha256"], "work");
        let head = repo.commit("first");
        let store = Store::open(repo.path()).unwrap();
        assert_writes_and_reads(&repo, &store);
        assert_eq!(head.len(), 64);
        repo.write("a.py", "1\n");
        assert_eq!(snapshot(&repo, &store).commit, Some(head));
    });
}

#[test]
fn reftable() {
    alone("store::reftable", &[], |_| {
        let repo = Repo::folder("work");
        if repo.try_git(&["init", "-q", "-b", "main", "--ref-format=reftable", "."]).code != 0 {
            return eprintln!("skipped: this git has no reftable");
        }
        let head = repo.commit("first");
        let store = Store::open(repo.path()).unwrap();
        assert_writes_and_reads(&repo, &store);
        let stale = write(&store, &id(1), None, &[("run.toml", "other")]).unwrap_err();
        assert!(stale.is::<Moved>());
        repo.assert_sound();
        let read = store.head().unwrap();
        assert_eq!((read.commit, read.branch.as_deref()), (Some(head.clone()), Some("main")));
        repo.write("a.py", "1\n");
        let code = snapshot(&repo, &store);
        assert_eq!(code.commit, Some(head));
        assert_eq!(repo.refs("refs/xtrack"), [format!("refs/xtrack/code/{}", code.snapshot.unwrap())]);
    });
}

#[test]
fn bare() {
    alone("store::bare", &[], |_| {
        let source = small_repo();
        let repo = source.clone(&["--bare"]);
        let store = Store::open(repo.path()).unwrap();
        assert_eq!(store.work_tree(), None);
        assert_writes_and_reads(&repo, &store);
        let code = store.snapshot(&SnapshotLimits::default()).unwrap();
        assert_eq!(code.commit, Some(source.git(&["rev-parse", "HEAD"])));
        assert_eq!(code.tree, Some(source.git(&["rev-parse", "HEAD^{tree}"])));
        assert!(!code.is_dirty() && code.patch_id.is_some());
    });
}

#[test]
fn linked_worktree() {
    alone("store::linked_worktree", &[], |_| {
        let repo = small_repo();
        let linked = repo.root().join("linked tree");
        repo.git(&["worktree", "add", "-q", "-b", "other", linked.to_str().unwrap()]);
        let store = Store::open(&linked).unwrap();
        assert_eq!(store.common_dir(), repo.path().join(".git"));
        assert_ne!(store.git_dir(), store.common_dir());
        assert_writes_and_reads(&repo, &store);
        fs::write(linked.join("train.py"), "print(2)\n").unwrap();
        let code = store.snapshot(&SnapshotLimits::default()).unwrap();
        assert_eq!((code.branch.as_deref(), code.changed_count), (Some("other"), 1));
        assert_eq!(repo.git(&["show", &format!("{}:train.py", code.snapshot.unwrap())]), "print(2)");
        assert!(
            Store::open(repo.path())
                .unwrap()
                .snapshot(&SnapshotLimits::default())
                .unwrap()
                .snapshot
                .is_none()
        );
    });
}

#[test]
fn shallow() {
    alone("store::shallow", &[], |_| {
        let source = small_repo();
        source.write("b.py", "2\n");
        let head = source.commit("second");
        let repo = source.clone(&["--depth=1"]);
        let store = Store::open(repo.path()).unwrap();
        assert_writes_and_reads(&repo, &store);
        repo.write("c.py", "3\n");
        let code = snapshot(&repo, &store);
        assert_eq!(
            (code.commit, code.patch_id),
            (Some(head.clone()), None),
            "the edge of a shallow clone has no parent"
        );
        assert_eq!(code.remote, Some(format!("file://{}", source.path().display())));
        assert_eq!(store.range("HEAD").unwrap().commits.len(), 1);
        assert!(store.changed_paths(&head).unwrap().contains(&"b.py".to_owned()));
    });
}

#[test]
fn partial_clone() {
    alone("store::partial_clone", &[], |_| {
        let source = small_repo();
        source.git(&["config", "uploadpack.allowFilter", "true"]);
        source.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        let store = Store::open(source.path()).unwrap();
        let tip = write(&store, &id(7), None, &[("run.toml", "format = 1\n")]).unwrap();
        let repo = source.clone(&["--filter=blob:none"]);
        repo.git(&["config", "protocol.file.allow", "always"]);
        repo.git(&["fetch", "-q", "origin", "refs/runs/*:refs/runs/*"]);
        let store = Store::open(repo.path()).unwrap();
        let blob = repo.git(&["rev-parse", &format!("{tip}:run.toml")]);
        assert!(!store.has_object(&blob), "the clone should lack the blob");
        let read = store.read(&tip, &|_| true).unwrap();
        assert_eq!(read, files(&[("run.toml", "format = 1\n")]));
        let more = write(&store, &id(7), Some(tip), &[("edits/a.toml", "a")]).unwrap();
        assert_eq!(store.paths(&more).unwrap().len(), 2);
        repo.write("train.py", "print(3)\n");
        let code = store.snapshot(&SnapshotLimits::default()).unwrap();
        assert_eq!(code.changed_count, 1);
        assert_eq!(repo.git(&["show", &format!("{}:train.py", code.snapshot.unwrap())]), "print(3)");
    });
}

#[test]
fn unborn_head() {
    alone("store::unborn_head", &[], |_| {
        let repo = Repo::new();
        let store = Store::open(repo.path()).unwrap();
        assert_eq!(store.head().unwrap().commit, None);
        let empty = snapshot(&repo, &store);
        assert_eq!((empty.commit, empty.tree, empty.snapshot), (None, None, None));
        repo.write("a.py", "1\n");
        repo.write("b.py", "2\n");
        repo.git(&["add", "a.py"]);
        let code = snapshot(&repo, &store);
        assert_eq!((code.commit.as_deref(), code.branch.as_deref()), (None, Some("main")));
        assert_eq!((code.changed_count, code.untracked_count), (1, 1));
        assert_eq!(listing(&repo, &code.snapshot.unwrap()), ["a.py", "b.py"]);
        assert_writes_and_reads(&repo, &store);
    });
}

#[test]
fn no_identity() {
    alone("store::no_identity", &[], |_| {
        let repo = Repo::new();
        let store = Store::open(repo.path()).unwrap();
        let identity = store.identity();
        assert!(identity.is_fallback);
        assert_eq!(identity.name, "tester");
        assert!(identity.mail.starts_with("tester@"), "{identity}");
        assert_writes_and_reads(&repo, &store);
        repo.git(&["config", "user.name", "Grace <H>"]);
        repo.git(&["config", "user.email", "grace@example.com"]);
        let identity = Store::open(repo.path()).unwrap().identity();
        assert_eq!(
            (identity.to_string().as_str(), identity.is_fallback),
            ("Grace H <grace@example.com>", false)
        );
    });
}

#[test]
fn settings_given_with_c() {
    let parameters =
        "'user.name'='Ada '\\''L'\\''' 'user.email=ada@example.com' 'xtrack.runsPrefix'='refs/heads/runs'";
    alone("store::settings_given_with_c", &[("GIT_CONFIG_PARAMETERS", parameters)], |_| {
        let repo = Repo::new();
        let store = Store::open(repo.path()).unwrap();
        assert_eq!(store.identity().to_string(), "Ada 'L <ada@example.com>");
        assert_eq!(store.config_section("xtrack"), [("runsprefix".to_owned(), "refs/heads/runs".to_owned())]);
        write(&store, &id(2), None, &[("run.toml", "x")]).unwrap();
        assert_eq!(repo.refs("refs"), [format!("refs/heads/runs/{}", id(2))]);
        assert_eq!(store.runs().unwrap().len(), 1);
    });
}

#[test]
fn git_dir_names_the_repository() {
    let variables = [("GIT_DIR", "{home}/there/.git"), ("GIT_WORK_TREE", "{home}/there")];
    alone("store::git_dir_names_the_repository", &variables, |home| {
        let repo = Repo::folder("work");
        let there = home.join("there");
        repo.git(&["init", "-q", "-b", "main", there.to_str().unwrap()]);
        fs::write(there.join("a.py"), "1\n").unwrap();
        let store = Store::open(repo.path()).unwrap();
        assert_eq!(
            (store.work_tree(), store.git_dir()),
            (Some(there.as_path()), there.join(".git").as_path())
        );
        assert_eq!(store.snapshot(&SnapshotLimits::default()).unwrap().untracked_count, 1);
    });
}

#[test]
fn what_git_refuses_is_refused() {
    alone("store::what_git_refuses_is_refused", &[], |_| {
        let none = Repo::folder("nothing here");
        let error = Store::open(none.path()).err().unwrap();
        assert_eq!(error::kind(&error), Kind::NoRepository);
        let (message, hints) = error::describe(&error);
        assert!(message.starts_with("not a git repository"), "{message}");
        assert!(hints.join(" ").contains("git init") && hints.join(" ").contains("GIT_DIR"), "{hints:?}");

        let novel = Repo::new();
        novel.git(&["config", "core.repositoryFormatVersion", "1"]);
        novel.git(&["config", "extensions.novelty", "true"]);
        let (message, _) = error::describe(&Store::open(novel.path()).err().unwrap());
        assert!(message.contains("unknown repository extension found: 'novelty'"), "{message}");
    });
}

#[cfg(unix)]
#[test]
fn another_users_repository_is_refused() {
    alone("store::another_users_repository_is_refused", &[], |_| {
        let repo = Repo::new();
        if std::os::unix::fs::chown(repo.path(), Some(12345), Some(12345)).is_err() {
            return eprintln!("skipped: only root can give a folder away");
        }
        std::os::unix::fs::chown(repo.path().join(".git"), Some(12345), Some(12345)).unwrap();
        let (message, hints) = error::describe(&Store::open(repo.path()).err().unwrap());
        let path = repo.path().display();
        assert_eq!(message, format!("detected dubious ownership in repository at '{path}'"));
        assert!(hints[0].contains(&format!("safe.directory '{path}'")), "{hints:?}");
    });
}

#[cfg(unix)]
#[test]
fn shared_repository() {
    use std::os::unix::fs::PermissionsExt;
    alone("store::shared_repository", &[], |_| {
        let repo = Repo::with(&["--shared=group"], "work");
        let store = Store::open(repo.path()).unwrap();
        let tip = write(&store, &id(3), None, &[("run.toml", "x")]).unwrap();
        let mode = |path: &str| {
            fs::metadata(repo.path().join(".git").join(path)).unwrap().permissions().mode() & 0o7777
        };
        let object = format!("objects/{}/{}", &tip[..2], &tip[2..]);
        assert_eq!(mode(&object), 0o444);
        assert_eq!(mode(&object[..10]), 0o2775);
        assert_eq!(mode("refs/runs"), 0o2775);
        assert_eq!(mode(&format!("refs/runs/{}", id(3))), 0o664);
    });
}

#[test]
fn signing_without_an_agent_costs_a_warning() {
    alone("store::signing_without_an_agent_costs_a_warning", &[], |_| {
        let repo = Repo::new();
        repo.git(&["config", "commit.gpgsign", "true"]);
        repo.git(&["config", "gpg.program", "/does/not/exist"]);
        let store = Store::open(repo.path()).unwrap();
        let tip = write(&store, &id(4), None, &[("run.toml", "x")]).unwrap();
        assert!(!repo.git(&["cat-file", "commit", &tip]).contains("gpgsig"));
        assert_eq!(store.warnings().len(), 1, "{:?}", store.warnings());
        assert!(
            store.warnings()[0].starts_with("the run's commit is not signed: "),
            "{:?}",
            store.warnings()
        );
        repo.assert_sound();
    });
}

#[cfg(unix)]
#[test]
fn commits_are_signed_when_asked() {
    alone("store::commits_are_signed_when_asked", &[], |home| {
        let key = home.join("key");
        let made = std::process::Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key)
            .status();
        if !made.is_ok_and(|status| status.success()) {
            return eprintln!("skipped: no ssh-keygen");
        }
        let repo = Repo::new();
        repo.git(&["config", "commit.gpgsign", "true"]);
        repo.git(&["config", "gpg.format", "ssh"]);
        repo.git(&["config", "user.signingkey", key.to_str().unwrap()]);
        let store = Store::open(repo.path()).unwrap();
        assert_writes_and_reads(&repo, &store);
        assert_eq!(store.warnings(), Vec::<String>::new());
        let tip = store.run_tip(&id(1)).unwrap().unwrap();
        assert!(repo.git(&["cat-file", "commit", &tip]).contains("gpgsig -----BEGIN SSH SIGNATURE-----"));
        let left = fs::read_dir(repo.path().join(".git/xtrack")).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["operations.jsonl"], "nothing temporary stays");
    });
}

#[test]
fn paths_with_spaces_and_other_letters() {
    alone("store::paths_with_spaces_and_other_letters", &[], |_| {
        let repo = Repo::with(&[], "mein Größe: \"ordner\"");
        repo.write("größe [1]*.py", "1\n");
        repo.commit("first");
        let store = Store::open(repo.path()).unwrap();
        assert_writes_and_reads(&repo, &store);
        repo.write("größe [1]*.py", "2\n");
        repo.write("neu er/ü!.py", "3\n");
        repo.write("neu er/.venv [x]/pyvenv.cfg", "");
        let code = snapshot(&repo, &store);
        assert_eq!(text(&code.changed[0].path), "größe [1]*.py");
        assert_eq!(text(&code.untracked[0].path), "neu er/ü!.py");
        assert_eq!(
            left_out(&code).get("neu er/.venv [x]/").map(String::as_str),
            Some("a Python environment")
        );
        assert_eq!(code.untracked_count, 1);
    });
}

#[test]
fn a_ref_that_moved_is_told() {
    alone("store::a_ref_that_moved_is_told", &[], |_| {
        let repo = Repo::new();
        let store = Store::open(repo.path()).unwrap();
        let first = write(&store, &id(5), None, &[("run.toml", "x")]).unwrap();
        assert!(write(&store, &id(5), None, &[("run.toml", "y")]).unwrap_err().is::<Moved>());
        let second = write(&store, &id(5), Some(first.clone()), &[("edits/a", "a")]).unwrap();
        assert!(write(&store, &id(5), Some(first), &[("edits/b", "b")]).unwrap_err().is::<Moved>());
        assert_eq!(store.run_tip(&id(5)).unwrap(), Some(second.clone()));
        assert!(write(&store, &id(6), Some(second), &[("edits/b", "b")]).unwrap_err().is::<Moved>());
        // What was refused left no object behind.
        repo.assert_sound();
        assert!(write(&store, &id(6), None, &[("../run.toml", "x")]).is_err());
        repo.assert_sound();
    });
}

#[test]
fn many_writers_of_one_run_lose_nothing() {
    alone("store::many_writers_of_one_run_lose_nothing", &[], |_| {
        let repo = Repo::new();
        let writer = |number: usize| {
            let store = Store::open(repo.path()).unwrap();
            for turn in 0..4 {
                let path = format!("edits/{number}-{turn}");
                loop {
                    let tip = store.run_tip(&id(8)).unwrap();
                    match write(&store, &id(8), tip, &[(&path, "x")]) {
                        Ok(_) => break,
                        Err(error) if error.is::<Moved>() => {}
                        Err(error) => panic!("{error:#}"),
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            (0..6).for_each(|number| drop(scope.spawn(move || writer(number))));
            scope.spawn(|| (0..20).for_each(|_| drop(repo.try_git(&["pack-refs", "--all"]))));
        });
        let store = Store::open(repo.path()).unwrap();
        let tip = store.run_tip(&id(8)).unwrap().unwrap();
        assert_eq!(store.paths(&tip).unwrap().len(), 24);
        assert_eq!(store.log_of(&tip).unwrap().len(), 24);
    });
}

#[test]
fn packing_refs_hides_no_run() {
    alone("store::packing_refs_hides_no_run", &[], |_| {
        let repo = Repo::new();
        let tip = write(&Store::open(repo.path()).unwrap(), &id(1), None, &[("run.toml", "x")]).unwrap();
        let names: Vec<RunId> =
            (0..200).map(|number| RunId::new(Time(AT.0 + number * 1_000_000), [9; 8])).collect();
        let commands: String = names.iter().map(|name| format!("create refs/runs/{name} {tip}\n")).collect();
        let make = |text: &str| {
            fs::write(repo.root().join("commands"), text).unwrap();
            let mut git = repo.command("git");
            git.args(["update-ref", "--stdin"]).stdin(fs::File::open(repo.root().join("commands")).unwrap());
            assert!(git.status().unwrap().success());
        };
        make(&commands);
        let update: String = names.iter().map(|name| format!("update refs/runs/{name} {tip}\n")).collect();
        std::thread::scope(|scope| {
            let packer = scope.spawn(|| {
                for _ in 0..15 {
                    make(&update);
                    repo.git(&["pack-refs", "--all", "--prune"]);
                }
            });
            let store = Store::open(repo.path()).unwrap();
            while !packer.is_finished() {
                assert_eq!(store.runs().unwrap().len(), 201);
                assert!(store.run_tip(&names[7]).unwrap().is_some());
            }
        });
    });
}

#[test]
fn a_lock_that_was_left_is_named() {
    alone("store::a_lock_that_was_left_is_named", &[], |_| {
        let repo = Repo::new();
        let store = Store::open(repo.path()).unwrap();
        let lock = repo.path().join(format!(".git/refs/runs/{}.lock", id(9)));
        repo.write(&lock, "");
        let long_ago = SystemTime::now() - std::time::Duration::from_secs(60);
        fs::File::options().write(true).open(&lock).unwrap().set_modified(long_ago).unwrap();
        let began = Instant::now();
        let error = write(&store, &id(9), None, &[("run.toml", "x")]).unwrap_err();
        assert!(began.elapsed().as_secs() < 2);
        let (message, hints) = error::describe(&error);
        assert!(message.contains(lock.to_str().unwrap()), "{message}");
        assert!(hints[0].contains("remove that file"), "{hints:?}");
        // The others are not held up.
        write(&store, &id(10), None, &[("run.toml", "x")]).unwrap();
    });
}

#[cfg(unix)]
#[test]
fn a_hook_that_watches_refs_is_run() {
    use std::os::unix::fs::PermissionsExt;
    alone("store::a_hook_that_watches_refs_is_run", &[], |_| {
        let repo = Repo::new();
        repo.write(".git/hooks/reference-transaction", "#!/bin/sh\necho \"$1\" >>seen\n");
        let hook = repo.path().join(".git/hooks/reference-transaction");
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        let store = Store::open(repo.path()).unwrap();
        assert_writes_and_reads(&repo, &store);
        let seen = ["seen", ".git/seen"].iter().any(|path| repo.path().join(path).exists());
        assert!(seen, "the hook was not run");
    });
}

#[test]
fn damage_is_named() {
    alone("store::damage_is_named", &[], |_| {
        let repo = Repo::new();
        let store = Store::open(repo.path()).unwrap();
        let tip = write(&store, &id(1), None, &[("run.toml", "x")]).unwrap();
        repo.write(format!(".git/refs/runs/{}", id(2)), "");
        assert_eq!(store.runs().unwrap(), [(id(1), tip.clone())]);
        assert_eq!(store.warnings(), [format!("the ref 'refs/runs/{}' is damaged", id(2))]);
        repo.write("link", "x");
        repo.git(&["add", "link"]);
        repo.git(&["update-index", "--chmod=+x", "link"]);
        let tree = repo.git(&["write-tree"]);
        let odd = repo.git(&["commit-tree", "-m", "x", &tree]);
        let error = format!("{:#}", store.read(&odd, &|_| true).unwrap_err());
        assert!(error.contains("no plain file"), "{error}");
        let blob = repo.git(&["rev-parse", &format!("{tip}:run.toml")]);
        fs::remove_file(repo.path().join(format!(".git/objects/{}/{}", &blob[..2], &blob[2..]))).unwrap();
        let error = format!("{:#}", Store::open(repo.path()).unwrap().read(&tip, &|_| true).unwrap_err());
        assert!(error.contains("'run.toml'") && error.contains("missing"), "{error}");
        assert!(store.read(&"zz".to_owned(), &|_| true).is_err());
    });
}

#[test]
fn clean_snapshot_is_head() {
    alone("store::clean_snapshot_is_head", &[], |_| {
        let repo = small_repo();
        repo.git(&["config", "remote.origin.url", "https://me:secret@example.com/a.git"]);
        repo.write("out.log", "ignored");
        let store = Store::open(repo.path()).unwrap();
        let code = snapshot(&repo, &store);
        let head = repo.git(&["rev-parse", "HEAD"]);
        assert_eq!((code.commit.as_ref(), code.snapshot.as_ref()), (Some(&head), None));
        assert_eq!(code.tree, Some(repo.git(&["rev-parse", "HEAD^{tree}"])));
        assert_eq!(code.remote.as_deref(), Some("https://example.com/a.git"));
        assert!(!code.is_dirty() && code.left_out.is_empty());
        assert_eq!(repo.refs("refs/xtrack"), [format!("refs/xtrack/code/{head}")]);
        let patch = repo.git(&["diff-tree", "-p", "--root", "--full-index", "HEAD"]);
        fs::write(repo.root().join("patch"), patch + "\n").unwrap();
        let mut git = repo.command("git");
        git.args(["patch-id", "--stable"]).stdin(fs::File::open(repo.root().join("patch")).unwrap());
        let printed = String::from_utf8(git.output().unwrap().stdout).unwrap();
        assert_eq!(code.patch_id.as_deref(), printed.split(' ').next());
        assert_eq!(snapshot(&repo, &store), code);
    });
}

#[test]
fn dirty_snapshot_holds_what_ran() {
    alone("store::dirty_snapshot_holds_what_ran", &[], |_| {
        let repo = small_repo();
        repo.write("gone.py", "x\n");
        repo.write("staged.py", "1\n");
        let head = repo.commit("second");
        fs::remove_file(repo.path().join("gone.py")).unwrap();
        repo.write("staged.py", "2\n");
        repo.git(&["add", "staged.py"]);
        repo.write("staged.py", "3\n");
        repo.write("new.py", "new\n");
        repo.write("pkg/deep/mod.py", "mod\n");
        repo.write("pkg/.gitignore", "skip\n");
        repo.write("pkg/skip", "x");
        repo.write("data.bin", b"a\0b");
        repo.write("big.csv", "1,2\n".repeat(100_000));
        let store = Store::open(repo.path()).unwrap();
        let code = snapshot(&repo, &store);
        let commit = code.snapshot.clone().unwrap();
        let expected = [
            ".gitignore",
            "conf/a.toml",
            "new.py",
            "pkg/.gitignore",
            "pkg/deep/mod.py",
            "staged.py",
            "train.py",
        ];
        assert_eq!(listing(&repo, &commit), expected);
        assert_eq!(repo.git(&["show", &format!("{commit}:staged.py")]), "3");
        assert_eq!(code.tree, Some(repo.git(&["rev-parse", &format!("{commit}^{{tree}}")])));
        assert_eq!(repo.git(&["rev-parse", &format!("{commit}^")]), head);
        assert_eq!((code.changed_count, code.untracked_count, code.left_out_count), (2, 3, 2));
        assert_eq!(code.changed.iter().find(|file| text(&file.path) == "gone.py").unwrap().blob, None);
        let staged = code.changed.iter().find(|file| text(&file.path) == "staged.py").unwrap();
        assert_eq!(staged.blob, Some(repo.git(&["hash-object", "staged.py"])));
        let left = left_out(&code);
        assert_eq!(left["data.bin"], "looks binary");
        assert_eq!(left["big.csv"], "larger than 256 KiB");
        assert_eq!(repo.refs("refs/xtrack"), [format!("refs/xtrack/code/{commit}")]);

        // The same state again, in another clone too, is the same commit.
        assert_eq!(snapshot(&repo, &store).snapshot, Some(commit.clone()));
        let diff =
            store.code_diff(&head, &commit, &CodeDiffOptions { stat: true, ..Default::default() }).unwrap();
        assert!(diff.contains("5 files changed"), "{diff}");
        // Kept whatever the user does.
        repo.git(&["reset", "-q", "--hard"]);
        repo.git(&["reflog", "expire", "--expire=now", "--all"]);
        repo.git(&["gc", "-q", "--prune=now"]);
        assert_eq!(repo.git(&["show", &format!("{commit}:new.py")]), "new");
    });
}

#[test]
fn secrets_are_left_out() {
    alone("store::secrets_are_left_out", &[], |_| {
        let repo = small_repo();
        repo.write("prod.key", "old\n");
        repo.write("my-secret.txt", "old\n");
        repo.commit("second");
        repo.write("prod.key", "new\n");
        repo.write("my-secret.txt", "new\n");
        repo.git(&["add", "my-secret.txt"]);
        repo.write(".env", "TOKEN=1\n");
        repo.write("staged.pem", "x\n");
        repo.git(&["add", "staged.pem"]);
        repo.write("id_ed25519", "x\n");
        repo.write("conf/local.vault", "x\n");
        repo.write(".env.d/x", "x\n");
        let store = Store::open(repo.path()).unwrap();
        let limits = SnapshotLimits { secrets: vec!["*.vault".to_owned()], ..Default::default() };
        let code = snapshot_with(&repo, &store, &limits);
        assert_eq!((code.snapshot.as_ref(), code.changed_count), (None, 3), "only secrets changed");
        let left = left_out(&code);
        for path in
            [".env", "staged.pem", "id_ed25519", "conf/local.vault", "my-secret.txt", "prod.key", ".env.d/"]
        {
            assert!(left[path].starts_with("looks like a secret"), "{path}: {left:?}");
        }
        repo.write("train.py", "print(2)\n");
        let code = snapshot_with(&repo, &store, &limits);
        let commit = code.snapshot.unwrap();
        assert_eq!(listing(&repo, &commit), listing(&repo, "HEAD"));
        assert_eq!(repo.git(&["show", &format!("{commit}:my-secret.txt")]), "old");
        assert_eq!(repo.git(&["show", &format!("{commit}:prod.key")]), "old");
    });
}

#[test]
fn an_environment_is_not_walked() {
    alone("store::an_environment_is_not_walked", &[], |_| {
        let repo = Repo::new();
        repo.write("train.py", "1\n");
        repo.commit("first");
        repo.write("venv/pyvenv.cfg", "home = /usr\n");
        repo.write("proj/env/pyvenv.cfg", "home = /usr\n");
        repo.write("proj/code.py", "1\n");
        for number in 0..3_000 {
            repo.write(format!("venv/lib/{}/{number}.py", number % 50), "");
            repo.write(format!("many/{number}.txt"), "");
        }
        repo.write("inner/a.py", "1\n");
        repo.git(&["init", "-q", "inner/repo"]);
        repo.write("inner/repo/x.py", "1\n");
        let store = Store::open(repo.path()).unwrap();
        let code = snapshot(&repo, &store);
        let left = left_out(&code);
        assert_eq!(left["venv/"], "a Python environment");
        assert_eq!(left["proj/env/"], "a Python environment");
        assert_eq!(left["many/"], "over 1000 entries, not looked at");
        assert_eq!(left["inner/repo/"], "a repository of its own");
        assert_eq!((code.untracked_count, code.left_out_count), (2, 4), "{code:?}");
        let began = Instant::now();
        store.snapshot(&SnapshotLimits::default()).unwrap();
        eprintln!("a snapshot beside 6,000 untracked files: {:?}", began.elapsed());
    });
}

#[test]
fn limits_are_kept_and_told() {
    alone("store::limits_are_kept_and_told", &[], |_| {
        let repo = small_repo();
        for number in 0..130 {
            repo.write(format!("f{number:03}.txt"), "0123456789");
        }
        repo.write("train.py", "print(2)\n");
        let store = Store::open(repo.path()).unwrap();
        let limits = SnapshotLimits { files_max: 120, ..Default::default() };
        let code = snapshot_with(&repo, &store, &limits);
        assert_eq!(
            (code.untracked.len(), code.untracked_count, code.left_out_count),
            (Code::LISTED_MAX, 120, 10)
        );
        assert_eq!(left_out(&code)["f125.txt"], "over 120 untracked files");
        let limits = SnapshotLimits { total_max: 55, ..Default::default() };
        let code = snapshot_with(&repo, &store, &limits);
        assert_eq!((code.untracked_count, code.left_out_count), (5, 125));
        let limits = SnapshotLimits { untracked: false, ..Default::default() };
        let code = snapshot_with(&repo, &store, &limits);
        assert_eq!((code.untracked_count, code.left_out_count, code.changed_count), (0, 1, 1));
        assert_eq!(left_out(&code)["./"], "untracked files are not taken (130 entries)");
        let limits = SnapshotLimits { enabled: false, ..Default::default() };
        let code = snapshot_with(&repo, &store, &limits);
        assert_eq!((code.snapshot.as_ref(), code.tree.as_ref()), (None, None));
        assert_eq!(code.changed[0].blob, Some(repo.git(&["hash-object", "train.py"])));
    });
}

#[test]
fn submodules_and_sparse_checkouts() {
    alone("store::submodules_and_sparse_checkouts", &[], |_| {
        let inner = small_repo();
        let repo = small_repo();
        let url = format!("file://{}", inner.path().display());
        repo.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "sub"]);
        repo.commit("second");
        let store = Store::open(repo.path()).unwrap();
        assert!(!snapshot(&repo, &store).is_dirty());
        repo.write("sub/train.py", "print(9)\n");
        let code = snapshot(&repo, &store);
        assert_eq!(left_out(&code)["sub"], "a submodule with changes of its own");
        assert_eq!(code.snapshot, None);
        repo.at("sub").git(&["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qam", "x"]);
        let code = snapshot(&repo, &store);
        let moved = repo.at("sub").git(&["rev-parse", "HEAD"]);
        assert_eq!(repo.git(&["rev-parse", &format!("{}:sub", code.snapshot.unwrap())]), moved);
        let inside = Store::open(&repo.path().join("sub")).unwrap();
        assert_eq!(inside.head().unwrap().commit, Some(moved));

        let sparse = inner.clone(&["--sparse"]);
        let store = Store::open(sparse.path()).unwrap();
        assert!(!sparse.path().join("conf/a.toml").exists());
        sparse.write("train.py", "print(5)\n");
        let code = snapshot(&sparse, &store);
        assert_eq!(listing(&sparse, &code.snapshot.unwrap()), [".gitignore", "conf/a.toml", "train.py"]);
        assert_eq!(code.changed_count, 1);
    });
}

#[test]
fn unmerged_and_unreadable_files() {
    alone("store::unmerged_and_unreadable_files", &[], |_| {
        let repo = small_repo();
        repo.git(&["checkout", "-q", "-b", "other"]);
        repo.write("train.py", "theirs\n");
        repo.commit("theirs");
        repo.git(&["checkout", "-q", "main"]);
        repo.write("train.py", "ours\n");
        repo.commit("ours");
        assert_ne!(repo.try_git(&["merge", "-q", "other"]).code, 0);
        let store = Store::open(repo.path()).unwrap();
        let code = snapshot(&repo, &store);
        assert!(repo.git(&["show", &format!("{}:train.py", code.snapshot.unwrap())]).contains("<<<<<<<"));
    });
}

#[test]
fn a_range_knows_commits_trees_and_patches() {
    alone("store::a_range_knows_commits_trees_and_patches", &[], |_| {
        let repo = small_repo();
        repo.write("b.py", "1\n");
        let picked = repo.commit("second");
        let store = Store::open(repo.path()).unwrap();
        let patch_id = store.snapshot(&SnapshotLimits::default()).unwrap().patch_id.unwrap();
        repo.git(&["reset", "-q", "--hard", "HEAD~"]);
        repo.write("c.py", "1\n");
        repo.commit("between");
        repo.git(&["cherry-pick", &picked]);
        let range = store.range("HEAD~2..HEAD").unwrap();
        assert_eq!((range.commits.len(), range.trees.len(), range.patch_ids.len()), (2, 2, 2));
        assert!(!range.commits.contains(&picked) && range.patch_ids.contains(&patch_id));
        assert_eq!(store.changed_paths(&picked).unwrap(), ["b.py"]);
        let error = store.range("nowhere..HEAD").unwrap_err();
        assert_eq!(error::kind(&error), Kind::Usage);
        assert!(store.range("--output=x").is_err());
        assert!(store.range("HEAD..HEAD").unwrap().commits.is_empty());
    });
}
