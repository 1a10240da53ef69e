//! A folder as the store, and the commands of `artifact`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::artifact::{bytes, forget, here, json, place, record, repository, set_store};
use crate::support::Repo;

#[test]
fn bytes_go_to_the_store_and_come_back() {
    let model = bytes(1, 300_000);
    let mut repo = repository("otter", &model);
    let store = repo.root().join("store");
    fs::create_dir(&store).unwrap();
    set_store(&repo, store.to_str().unwrap());
    let states = |repo: &Repo, arguments: &[&str]| {
        let listed = json(repo, arguments);
        let of = |artifact: &serde_json::Value| {
            (artifact["inline"] == true, artifact["here"] == true, artifact["store"].clone())
        };
        listed.as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    use serde_json::Value::{Bool, Null};
    assert_eq!(states(&repo, &["ls"]), [(false, true, Null), (true, false, Null)]);
    assert_eq!(states(&repo, &["ls", "--remote"])[0], (false, true, Bool(false)));
    let dry = repo.xtrack(&["artifact", "push", "--dry-run"]).ok();
    assert!(dry.stderr.starts_with("would send 1 artifact (293.0 KiB) to "), "{}", dry.stderr);
    assert!(!place(&store, &model).exists());
    let sent = repo.xtrack(&["artifact", "push"]).ok();
    assert!(sent.stderr.starts_with("sent 1 artifact (293.0 KiB) to "), "{}", sent.stderr);
    assert_eq!(fs::read(place(&store, &model)).unwrap(), model);
    assert_eq!(fs::read_dir(store.join("tmp")).unwrap().count(), 0);
    assert!(repo.xtrack(&["artifact", "push"]).ok().stderr.starts_with("nothing to do: 1 artifact"));
    // Another clone of the same runs, which has none of the bytes.
    let other = Repo::new();
    other.git(&["fetch", "-q", repo.path().to_str().unwrap(), "refs/runs/*:refs/runs/*"]);
    set_store(&other, &format!("file://{}", store.display()));
    assert_eq!(states(&other, &["ls", "otter"])[0], (false, false, Null));
    let listed = other.xtrack(&["artifact", "ls", "--remote"]).ok().stdout;
    assert!(listed.contains("inline") && listed.contains("store"), "{listed}");
    let output = other.xtrack(&["artifact", "pull"]);
    assert_eq!(output.code, 2, "{}", output.stderr);
    let taken = json(&other, &["pull", "otter"]);
    assert_eq!(taken["artifacts"][0]["state"], "taken", "{taken}");
    assert_eq!(taken["artifacts"][1]["state"], "inline");
    assert_eq!(fs::read(here(&other, &model)).unwrap(), model);
    other.xtrack(&["artifact", "verify", "--remote"]).ok();
    // What the store has may go here, and comes again when it is wanted.
    let output = repo.xtrack(&["artifact", "prune"]);
    assert_eq!(output.code, 2, "nobody is here to be asked: {}", output.stderr);
    repo.xtrack(&["artifact", "prune", "--yes"]).ok();
    assert!(!here(&repo, &model).exists());
    repo.set("XTRACK_TEST", "1");
    repo.xtrack(&["artifact", "get", "otter", "model.bin", "--to", "out"]).ok();
    assert_eq!(fs::read(repo.path().join("out/model.bin")).unwrap(), model);
}

#[test]
fn only_what_the_store_verifiably_has_is_pruned() {
    let (model, other) = (bytes(1, 200_000), bytes(2, 200_000));
    let repo = repository("a", &model);
    record(&repo, "b", &other);
    let store = repo.root().join("store");
    fs::create_dir(&store).unwrap();
    set_store(&repo, store.to_str().unwrap());
    repo.xtrack(&["artifact", "push", "a"]).ok();
    // Of the right size, and wrong.
    let there = place(&store, &model);
    fs::remove_file(&there).unwrap();
    fs::write(&there, bytes(9, 200_000)).unwrap();
    let pruned = json(&repo, &["prune", "--yes"]);
    assert_eq!(pruned["pruned"].as_array().unwrap().len(), 0, "{pruned}");
    assert_eq!(pruned["kept"].as_array().unwrap().len(), 2, "{pruned}");
    assert!(here(&repo, &model).exists() && here(&repo, &other).exists());
    let output = repo.xtrack(&["artifact", "verify", "a", "--remote"]);
    assert_eq!(output.code, 1, "{}", output.stdout);
    assert!(output.stdout.contains("damaged"), "{}", output.stdout);
    // A wrong one is not taken, and a good one takes its place only when it is sent anew.
    forget(&repo, &model);
    let output = repo.xtrack(&["artifact", "pull", "a"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("not what its sha256 and size say"), "{}", output.stderr);
    assert!(!here(&repo, &model).exists());
}

#[test]
fn the_store_is_never_the_folder_of_the_clone_itself() {
    let model = bytes(1, 200_000);
    let repo = repository("a", &model);
    let link = repo.root().join("link");
    std::os::unix::fs::symlink(repo.path().join(".git/xtrack/objects"), &link).unwrap();
    for store in [".git/xtrack/objects", link.to_str().unwrap()] {
        set_store(&repo, store);
        let output = repo.xtrack(&["artifact", "prune", "--yes"]);
        assert!(output.code == 2 && output.stderr.contains("keeps artifacts itself"), "{}", output.stderr);
    }
    // A remote that is the repository itself is no place for a copy.
    repo.git(&["config", "--unset", "xtrack.store.url"]);
    repo.git(&["remote", "add", "origin", "."]);
    let output = repo.xtrack(&["artifact", "prune", "--yes"]);
    assert!(output.code == 2 && output.stderr.contains("no artifact store is set"), "{}", output.stderr);
    assert_eq!(fs::read(here(&repo, &model)).unwrap(), model);
}

/// Other bytes of the same size in that place.
fn damage(place: &std::path::Path) {
    let size = fs::metadata(place).unwrap().len();
    fs::remove_file(place).unwrap();
    fs::write(place, bytes(9, usize::try_from(size).unwrap())).unwrap();
}

#[test]
fn what_is_damaged_is_put_right_from_where_it_is_whole() {
    let model = bytes(1, 200_000);
    let repo = repository("a", &model);
    let store = repo.root().join("store");
    fs::create_dir(&store).unwrap();
    set_store(&repo, store.to_str().unwrap());
    repo.xtrack(&["artifact", "push"]).ok();
    let aside = || {
        let found = fs::read_dir(repo.path().join(".git/xtrack/objects/tmp")).unwrap().flatten();
        found.filter(|file| file.file_name().to_string_lossy().starts_with("damaged-")).count()
    };
    damage(&here(&repo, &model));
    let output = repo.xtrack(&["artifact", "verify"]);
    assert!(output.code == 1 && output.stderr.contains("hint: `--repair`"), "{}", output.stderr);
    let said = repo.xtrack(&["artifact", "verify", "--repair"]).ok().stderr;
    assert!(said.contains("took 1 artifact (195.3 KiB) from "), "{said}");
    assert_eq!((fs::read(here(&repo, &model)).unwrap() == model, aside()), (true, 1));
    // Whoever wants the file gets it, be it damaged here.
    damage(&here(&repo, &model));
    repo.xtrack(&["artifact", "get", "a", "--to", "out"]).ok();
    assert_eq!(fs::read(repo.path().join("out/model.bin")).unwrap(), model);
    damage(&here(&repo, &model));
    repo.xtrack(&["artifact", "get", "a", "model.bin", "--stdout"]).ok();
    // And the other way round.
    damage(&place(&store, &model));
    let verdict = json(&repo, &["verify", "a", "--remote"]);
    assert_eq!((verdict[0]["here"].clone(), verdict[0]["store"].clone()), ("whole".into(), "damaged".into()));
    repo.xtrack(&["artifact", "verify", "--remote", "--repair"]).ok();
    assert_eq!(fs::read(place(&store, &model)).unwrap(), model);
    // Nobody has it whole: what there is stays.
    damage(&place(&store, &model));
    damage(&here(&repo, &model));
    let output = repo.xtrack(&["artifact", "verify", "--repair"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert_eq!(fs::metadata(here(&repo, &model)).unwrap().len(), 200_000);
}

#[test]
fn what_is_here_is_written_whatever_the_store_says() {
    let model = bytes(1, 200_000);
    let repo = repository("a", &model);
    forget(&repo, &model);
    set_store(&repo, "/nowhere/at/all");
    let output = repo.xtrack(&["artifact", "get", "a", "--to", "out"]);
    assert!(output.code == 1 && output.stderr.contains("mount the disk"), "{}", output.stderr);
    assert_eq!(repo.read("out/note.txt"), "small\n");
    assert!(!repo.path().join("out/model.bin").exists());
}

#[test]
fn what_is_damaged_here_is_not_sent() {
    let model = bytes(1, 200_000);
    let repo = repository("a", &model);
    let store = repo.root().join("store");
    fs::create_dir(&store).unwrap();
    set_store(&repo, store.to_str().unwrap());
    fs::remove_file(here(&repo, &model)).unwrap();
    fs::write(here(&repo, &model), bytes(3, 200_000)).unwrap();
    let output = repo.xtrack(&["artifact", "push"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("damaged here"), "{}", output.stderr);
    assert!(!place(&store, &model).exists());
    assert_eq!(repo.xtrack(&["artifact", "verify"]).code, 1);
    let output = repo.xtrack(&["artifact", "get", "a", "model.bin"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
}

#[test]
fn a_store_that_is_not_there_is_noticed() {
    let repo = repository("a", &bytes(1, 200_000));
    let output = repo.xtrack(&["artifact", "push"]);
    assert_eq!(output.code, 2, "{}", output.stderr);
    assert!(
        output.stderr.contains("no artifact store is set") && output.stderr.contains("hint: "),
        "{}",
        output.stderr
    );
    set_store(&repo, "/nowhere/at/all");
    let output = repo.xtrack(&["artifact", "push"]);
    assert!(output.stderr.contains("is not there") && output.stderr.contains("mount"), "{}", output.stderr);
    set_store(&repo, "file://server/share");
    let output = repo.xtrack(&["artifact", "push"]);
    assert!(output.code == 2 && output.stderr.contains("of another machine"), "{}", output.stderr);
    set_store(&repo, "http://127.0.0.1:1/x");
    repo.git(&["config", "xtrack.store.patience", "0.2s"]);
    let output = repo.xtrack(&["artifact", "push"]);
    let said = "cannot ask the artifact store 'http://127.0.0.1:1/x': tried 5 times";
    assert!(output.code == 1 && output.stderr.contains(said), "{}", output.stderr);
    set_store(&repo, "ftp://host/x");
    let output = repo.xtrack(&["artifact", "ls", "--remote"]);
    assert!(output.stderr.contains("is no artifact store"), "{}", output.stderr);
}

#[test]
fn equal_bytes_are_kept_once_and_the_users_file_stays_his() {
    let model = bytes(1, if crate::reliability::is_long() { 1 << 30 } else { 8 << 20 });
    let repo = repository("a", &model);
    record(&repo, "b", &model);
    let objects = repo.path().join(".git/xtrack/objects");
    let files = || {
        let folders = fs::read_dir(&objects).unwrap().flatten().filter(|folder| folder.file_name() != "tmp");
        folders.flat_map(|folder| fs::read_dir(folder.path()).unwrap().flatten()).collect::<Vec<_>>()
    };
    assert_eq!(files().len(), 1);
    assert_eq!(files()[0].metadata().unwrap().nlink(), 1);
    // Rewritten in place, as a training does: what is stored is what was recorded.
    let file = fs::File::options().write(true).open(repo.path().join("model.bin")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0; 4096], 0).unwrap();
    drop(file);
    assert!(fs::read(here(&repo, &model)).unwrap() == model);
    repo.xtrack(&["artifact", "verify"]).ok();
}

#[test]
fn files_are_added_afterwards() {
    let repo = repository("a", b"tiny");
    repo.write("report.pdf", bytes(1, 400_000));
    repo.xtrack(&["artifact", "add", "a", "report.pdf", "--note", "drawn again"]).ok();
    let listed = json(&repo, &["ls", "a"]);
    let added = listed.as_array().unwrap().iter().find(|artifact| artifact["path"] == "report.pdf").unwrap();
    assert_eq!((added["here"].clone(), added["size"].clone()), (true.into(), 400_000.into()));
    let id = added["id"].as_str().unwrap();
    repo.xtrack(&["edit", "a", "--withdraw", id]).ok();
    assert_eq!(json(&repo, &["ls", "a"]).as_array().unwrap().len(), 2);
    let output = repo.xtrack(&["artifact", "add", "a", "nothing.here"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
}

#[test]
fn a_push_sends_artifacts_before_the_runs_that_name_them() {
    let model = bytes(1, 300_000);
    let repo = repository("a", &model);
    let bare = repo.root().join("bare.git");
    repo.git(&["init", "-q", "--bare", bare.to_str().unwrap()]);
    repo.git(&["remote", "add", "origin", bare.to_str().unwrap()]);
    set_store(&repo, repo.root().join("store").to_str().unwrap());
    // No store, no run that names what only the store would have.
    let output = repo.xtrack(&["push"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(
        output.stderr.contains("cannot go along") && output.stderr.contains("is not there"),
        "{}",
        output.stderr
    );
    assert_eq!(repo.git(&["-C", bare.to_str().unwrap(), "for-each-ref"]), "");
    fs::create_dir(repo.root().join("store")).unwrap();
    let output = repo.xtrack(&["push"]).ok();
    assert!(output.stderr.contains("1 artifact (293.0 KiB) of 1 run went along"), "{}", output.stderr);
    assert_eq!(fs::read(place(&repo.root().join("store"), &model)).unwrap(), model);
    assert!(!bare.join("xtrack").exists());
    // A clone takes runs without bytes, and bytes when they are wanted.
    let clone = repo.clone_of(bare.to_str().unwrap());
    clone.xtrack(&["pull"]).ok();
    assert!(!here(&clone, &model).exists());
    set_store(&clone, repo.root().join("store").to_str().unwrap());
    clone.xtrack(&["artifact", "get", "a", "--to", "out"]).ok();
    assert_eq!(fs::read(clone.path().join("out/model.bin")).unwrap(), model);
}

#[test]
fn without_a_store_a_remote_on_this_machine_is_one() {
    let model = bytes(1, 300_000);
    let repo = repository("a", &model);
    let bare = repo.root().join("bare.git");
    repo.git(&["init", "-q", "--bare", bare.to_str().unwrap()]);
    repo.git(&["remote", "add", "origin", bare.to_str().unwrap()]);
    repo.xtrack(&["push"]).ok();
    let clone = repo.clone_of(bare.to_str().unwrap());
    clone.xtrack(&["pull"]).ok();
    clone.xtrack(&["artifact", "pull", "--all"]).ok();
    assert_eq!(fs::read(here(&clone, &model)).unwrap(), model);
}

/// Five gigabytes of nothing, in the long form; a little of it always.
#[test]
fn a_file_larger_than_memory_moves_in_little() {
    let repo = Repo::new();
    let size: u64 = if crate::reliability::is_long() { 5 << 30 } else { 300 << 20 };
    fs::File::create(repo.path().join("huge.bin")).unwrap().set_len(size).unwrap();
    let store = repo.root().join("store");
    fs::create_dir(&store).unwrap();
    set_store(&repo, store.to_str().unwrap());
    let peak = "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); \
                print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)";
    for arguments in [
        &["record", "-a", "huge.bin"][..],
        &["artifact", "push"],
        &["artifact", "prune", "--yes", "--by-size"],
        &["artifact", "pull", "--all"],
        &["artifact", "verify", "--remote"],
    ] {
        let mut command = repo.command("python3");
        command.args(["-c", peak, env!("CARGO_BIN_EXE_git-xtrack")]).args(arguments);
        let output = crate::support::repo::run(&mut command).ok();
        let kilobytes: u64 = output.stdout.trim().lines().last().unwrap().parse().unwrap();
        eprintln!("{arguments:?}: {kilobytes} KiB");
        assert!(kilobytes < 128 << 10, "{arguments:?}: {kilobytes} KiB");
    }
    let listed = json(&repo, &["ls"]);
    assert_eq!((listed[0]["size"].as_u64(), listed[0]["here"] == true), (Some(size), true), "{listed}");
}
