//! `artifact get`, whatever paths a run has.

use std::fs;
use std::os::unix::fs::symlink;

use xtrack::run::attempt::{ArtifactTotal, Facts, Status};
use xtrack::run::id::{AttemptId, RunId, Time, sha256};
use xtrack::run::pointer::{self, Pointer};
use xtrack::run::text;
use xtrack::store::{RunWrite, Store};

use crate::artifact::{bytes, json, repository};
use crate::support::Repo;

/// A run whose artifacts have these paths, written as somebody who means ill would.
fn forged(repo: &Repo, paths: &[&str]) -> RunId {
    let id = RunId::parse("20260701-091502-q7d3k9ma").unwrap();
    let attempt = AttemptId::new([7; 8]);
    let mut facts = Facts::new(id.clone(), attempt.clone(), Time(1_782_897_302_000_000));
    (facts.status, facts.name) = (Status::Finished, Some("forged".into()));
    let pointer = |path: &&str| Pointer {
        path: (*path).into(),
        sha256: sha256(path.as_bytes()),
        size: path.len() as u64,
        media_type: None,
        executable: true,
        step: None,
        key: None,
        inline: true,
    };
    let pointers: Vec<Pointer> = paths.iter().map(pointer).collect();
    let list = pointer::encode(&pointers);
    facts.artifacts = Some(ArtifactTotal { count: paths.len() as u64, bytes: 1, sha256: sha256(&list) });
    let mut files = xtrack::run::record::Files::new();
    files.insert("run.toml".into(), text::write(&facts.to_table()).into_bytes());
    files.insert(format!("artifacts/{attempt}-1.toml"), list);
    for (pointer, path) in pointers.iter().zip(paths) {
        files.insert(pointer.inline_path(attempt.as_str()), path.as_bytes().to_vec());
    }
    let store = Store::open(repo.path()).unwrap();
    let write = RunWrite { id: &id, expected: None, files: &files, message: "x", at: Time(0) };
    store.write_run(&write).unwrap();
    id
}

#[test]
fn hostile_paths_stay_below_the_folder() {
    let repo = Repo::new();
    let paths = [
        "../../escape.txt",
        "/etc/xtrack-was-here",
        "C:\\Windows\\evil.dll",
        ".git/hooks/post-checkout",
        "sub/.GIT/config",
        "a/../../b",
        "CON",
        "nul.txt",
        "Case.txt",
        "case.TXT",
        "dir",
        "dir/file",
        "~/.bashrc",
        "-rf",
        "$(touch canary)",
        "line\nbreak\u{1b}[31m",
    ];
    let id = forged(&repo, &paths);
    let before = fs::read_dir(repo.root()).unwrap().count();
    let got = json(&repo, &["get", id.as_str(), "--to", "out"]);
    let out = repo.path().join("out").canonicalize().unwrap();
    for (artifact, path) in got.as_array().unwrap().iter().zip(paths) {
        assert!(artifact["reason"].is_null(), "{artifact}");
        let file = repo.path().join(artifact["file"].as_str().unwrap());
        let real = file.canonicalize().unwrap();
        assert!(real.starts_with(&out), "{path}: {}", real.display());
        assert_eq!(fs::read_to_string(&real).unwrap(), path);
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&real).unwrap().permissions());
        assert_eq!(mode & 0o111, 0, "nothing that was fetched may be run");
    }
    assert_eq!(got.as_array().unwrap().len(), paths.len());
    assert_eq!(fs::read_dir(repo.root()).unwrap().count(), before);
    assert!(!repo.path().join("canary").exists() && !repo.path().join(".git/hooks/post-checkout").exists());
    let said = repo.xtrack(&["artifact", "get", id.as_str(), "--to", "again"]).ok().stderr;
    assert!(said.contains("(recorded as '") && !said.contains('\u{1b}'), "{said}");
    let listed = repo.xtrack(&["artifact", "ls", id.as_str()]).ok().stdout;
    assert!(!listed.contains('\u{1b}'), "{listed}");
}

#[test]
fn nothing_that_is_there_gives_way_unasked() {
    let repo = repository("a", b"model");
    let get = |more: &[&str]| repo.xtrack(&[&["artifact", "get", "a", "--to", "out"], more].concat());
    get(&[]).ok();
    repo.write("out/model.bin", "mine");
    let output = get(&[]);
    assert_eq!(output.code, 1);
    assert!(
        output.stderr.contains("is there already") && output.stderr.contains("hint: `--force`"),
        "{}",
        output.stderr
    );
    assert_eq!(repo.read("out/model.bin"), "mine");
    get(&["--force"]).ok();
    assert_eq!(repo.read("out/model.bin"), "model");
    // Links in the folder lead nowhere.
    let outside = repo.root().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("theirs"), "theirs").unwrap();
    fs::remove_file(repo.path().join("out/model.bin")).unwrap();
    symlink(outside.join("theirs"), repo.path().join("out/model.bin")).unwrap();
    assert_eq!(get(&[]).code, 1);
    get(&["--force"]).ok();
    assert_eq!(fs::read_to_string(outside.join("theirs")).unwrap(), "theirs");
    let id = forged(&repo, &["deep/file"]);
    symlink(&outside, repo.path().join("out/deep")).unwrap();
    let output = repo.xtrack(&["artifact", "get", id.as_str(), "--to", "out", "--force"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn artifacts_are_named_by_path_glob_folder_id_and_digest() {
    let repo = Repo::new();
    for (path, text) in [("plots/a.png", "a"), ("plots/deep/b.png", "b"), ("c.txt", "c")] {
        repo.write(path, text);
    }
    repo.xtrack(&["record", "--name", "r", "-a", "plots", "-a", "c.txt"]).ok();
    let files = |words: &[&str]| {
        let got = json(&repo, &[&["get", "r", "--dry-run"], words].concat());
        let files =
            got.as_array().unwrap().iter().map(|artifact| artifact["path"].as_str().unwrap().to_owned());
        let mut files: Vec<String> = files.collect();
        files.sort();
        files
    };
    assert_eq!(files(&[]).len(), 3);
    assert_eq!(files(&["plots"]), ["plots/a.png", "plots/deep/b.png"]);
    assert_eq!(files(&["plots/*"]), ["plots/a.png"]);
    assert_eq!(files(&["**/*.png", "c.txt"]).len(), 3);
    assert_eq!(files(&[&sha256(b"c")[..12]]), ["c.txt"]);
    let id = json(&repo, &["ls", "r"])[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(files(&[&id]).len(), 1);
    let output = repo.xtrack(&["artifact", "get", "r", "c.tx"]);
    assert_eq!(output.code, 4, "{}", output.stderr);
    assert!(output.stderr.contains("did you mean 'c.txt'?"), "{}", output.stderr);
    let printed = repo.xtrack(&["artifact", "get", "r", "c.txt", "--stdout"]).ok();
    assert_eq!(printed.stdout, "c");
    assert_eq!(repo.xtrack(&["artifact", "get", "r", "--stdout"]).code, 2);
    // Recorded from elsewhere on the machine: its place there is not its place here.
    let model = bytes(4, 1000);
    fs::write(repo.root().join("far.bin"), &model).unwrap();
    repo.xtrack(&["record", "--name", "far", "-a", "../far.bin"]).ok();
    repo.xtrack(&["artifact", "get", "far", "--to", "out"]).ok();
    let written = repo.path().join("out").join(repo.root().strip_prefix("/").unwrap()).join("far.bin");
    assert_eq!(fs::read(written).unwrap(), model);
}
