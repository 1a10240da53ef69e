//! `git xtrack adopt`: runs from where no repository was. Nothing in their folders is believed.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::support::Repo;
use crate::support::live::{json, lines};

const ID: &str = "20260102-130000-k7f3q2ab";

fn repo() -> Repo {
    let repo = Repo::new();
    repo.commit("first");
    repo
}

fn start(id: &str, more: &str) -> String {
    format!(
        r#"{{"n":0,"t":1782897300.5,"begin":{{"protocol":1,"owner":{{"pid":7,"host":"box","boot":"b","start_ticks":1}},"start":{{"format":1,"id":"{id}","attempt":"bcdefghj","name":"far-otter","started":"2026-01-02T13:00:00.000000Z","command":["python","t.py"],"host":"box","user":"u@box"{more}}}}}}}"#
    )
}

/// A portable folder as a client writes it.
fn portable(repo: &Repo, id: &str, points: usize, ending: Option<&str>) -> PathBuf {
    let folder = repo.root().join("xtrack-runs").join(id);
    fs::create_dir_all(&folder).unwrap();
    write(&folder, &start(id, ""), points, ending);
    folder
}

fn write(folder: &Path, start: &str, points: usize, ending: Option<&str>) {
    let text = lines("{}", points, ending);
    let rest: String = text.lines().skip(1).map(|line| format!("{line}\n")).collect();
    fs::write(folder.join("aaaaaaaaaaaaaaaa.jsonl"), format!("{start}\n{rest}")).unwrap();
}

#[track_caller]
fn adopt(repo: &Repo, folder: &Path) -> serde_json::Value {
    let answer = json(repo, &["adopt", "--json", folder.to_str().unwrap()]);
    assert_eq!(answer["failed"].as_array().unwrap().len(), 0, "{answer}");
    answer["adopted"].clone()
}

#[track_caller]
fn refused(repo: &Repo, folder: &Path, reason: &str) {
    let output = repo.xtrack(&["adopt", folder.to_str().unwrap()]);
    assert_ne!(output.code, 0, "{}", output.stderr);
    assert!(output.stderr.contains(reason), "{reason}: {}", output.stderr);
    assert_eq!(repo.refs("refs/runs"), Vec::<String>::new());
}

fn everything(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for child in fs::read_dir(folder).unwrap().flatten() {
        match child.file_type().unwrap().is_dir() {
            true => found.extend(everything(&child.path())),
            false => found.push((child.path(), fs::read(child.path()).unwrap())),
        }
    }
    found.sort();
    found
}

#[test]
fn a_folder_is_taken_in_once_and_what_comes_later_too() {
    let repo = repo();
    let folder = portable(&repo, ID, 3, None);
    let before = everything(&folder);
    let adopted = adopt(&repo, &folder);
    assert_eq!(
        (&adopted[0]["id"], &adopted[0]["status"], &adopted[0]["new"]),
        (&ID.into(), &"crashed".into(), &true.into())
    );
    let tip = repo.git(&["for-each-ref", "refs/runs"]);
    assert_eq!(adopt(&repo, &folder)[0]["new"], false);
    assert_eq!(adopt(&repo, folder.parent().unwrap())[0]["new"], false);
    assert_eq!(repo.git(&["for-each-ref", "refs/runs"]), tip);
    assert_eq!(everything(&folder), before);
    let shown = json(&repo, &["show", "far-otter", "--json"]);
    assert_eq!((&shown["metrics"]["loss"]["count"], &shown["host"]), (&3.into(), &"box".into()));
    // It was not dead at all.
    let older = Repo::folder("older");
    fs::write(
        older.path().join("aaaaaaaaaaaaaaaa.jsonl"),
        fs::read(folder.join("aaaaaaaaaaaaaaaa.jsonl")).unwrap(),
    )
    .unwrap();
    portable(&repo, ID, 9, Some("finished"));
    assert_eq!(adopt(&repo, &folder)[0]["status"], "finished");
    let shown = json(&repo, &["show", ID, "--json"]);
    assert_eq!((&shown["status"], &shown["metrics"]["loss"]["count"]), (&"finished".into(), &9.into()));
    // An older copy never takes the place of a newer one.
    assert_eq!(adopt(&repo, older.path())[0]["new"], false);
    assert_eq!(json(&repo, &["show", ID, "--json"])["status"], "finished");
    repo.assert_sound();
}

#[test]
fn two_clones_come_to_the_same_record() {
    let (one, other) = (repo(), repo());
    let folder = portable(&one, ID, 5, None);
    adopt(&one, &folder);
    adopt(&other, &folder);
    assert_eq!(one.git(&["for-each-ref", "refs/runs"]), other.git(&["for-each-ref", "refs/runs"]));
}

#[test]
fn a_folder_of_runs_and_media_that_cannot_be_written() {
    let repo = repo();
    let folder = portable(&repo, ID, 2, Some("finished"));
    portable(&repo, "20260103-130000-k7f3q2ab", 2, Some("failed"));
    let above = folder.parent().unwrap();
    fs::create_dir(above.join("something else")).unwrap();
    fs::write(above.join("README"), "x").unwrap();
    for path in [&folder, &above.to_owned()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o555)).unwrap();
    }
    let adopted = adopt(&repo, above);
    assert_eq!(adopted.as_array().unwrap().len(), 2);
    assert_eq!(repo.refs("refs/runs").len(), 2);
    for path in [&folder, &above.to_owned()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn what_holds_no_run_is_said_to() {
    let repo = repo();
    let empty = repo.root().join("empty");
    fs::create_dir_all(&empty).unwrap();
    refused(&repo, &empty, "no run is in it\nhint: name the folder that the client wrote");
    refused(&repo, &repo.root().join("missing"), "No such file");
    fs::write(empty.join("file"), "x").unwrap();
    refused(&repo, &empty.join("file"), "it is no folder");
    fs::write(empty.join("aaaaaaaaaaaaaaaa.jsonl"), lines("{}", 3, None)).unwrap();
    refused(&repo, &empty, "no writer says which run it is of");
}

#[test]
fn a_start_that_lies_is_refused() {
    let repo = repo();
    let folder = portable(&repo, ID, 1, None);
    for (id, more) in [
        ("../../etc/passwd", ""),
        ("20260102-130000-K7F3Q2AB", ""),
        (ID, r#","key":"another""#),
        (ID, r#","name":"a\u202eb""#),
        (ID, r#","tags":["\u001b[31m"]"#),
        (ID, r#","started":7"#),
        (ID, r#","after":["../x"]"#),
    ] {
        write(&folder, &start(id, more), 1, None);
        refused(&repo, &folder, "cannot adopt");
    }
    // What it may not say is passed over.
    write(
        &folder,
        &start(ID, r#","status":"finished","revision":99,"imported":{"from":"x"},"metrics":{"a":1}"#),
        1,
        None,
    );
    assert_eq!(adopt(&repo, &folder)[0]["status"], "crashed");
    assert_eq!(json(&repo, &["show", ID, "--json"])["metrics"]["a"], serde_json::Value::Null);
}

#[test]
fn links_and_devices_are_refused() {
    let repo = repo();
    let folder = portable(&repo, ID, 1, None);
    fs::create_dir(folder.join("files")).unwrap();
    for (at, to) in [
        ("files/x", "/etc/passwd"),
        ("b.jsonl", "/etc/passwd"),
        ("start.toml", "/etc/passwd"),
        ("edits", "/etc"),
        ("console", "/etc"),
    ] {
        symlink(to, folder.join(at)).unwrap();
        refused(&repo, &folder, "is a link");
        fs::remove_file(folder.join(at)).unwrap();
    }
    let pipe = folder.join("b.jsonl");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    refused(&repo, &folder, "is a device, socket or pipe");
    fs::remove_file(&pipe).unwrap();
    // A folder that is reached through a link is not looked for.
    let away = repo.root().join("away");
    fs::rename(&folder, &away).unwrap();
    symlink(&away, &folder).unwrap();
    refused(&repo, folder.parent().unwrap(), "no run is in it");
}

#[test]
fn files_outside_the_folder_are_never_read() {
    let repo = repo();
    let secret = repo.root().join("secret");
    fs::write(&secret, "s3cret-bytes").unwrap();
    let folder = portable(&repo, ID, 1, None);
    let path = folder.join("aaaaaaaaaaaaaaaa.jsonl");
    let mut text = fs::read_to_string(&path).unwrap();
    for (number, place) in [
        format!(r#""file":null,"source":"{}""#, secret.display()),
        r#""file":"files/../../../secret","source":null"#.to_owned(),
        r#""file":"../secret","source":null"#.to_owned(),
        format!(r#""file":"{}","source":null"#, secret.display()),
    ]
    .iter()
    .enumerate()
    {
        text += &format!("{{\"n\":{},\"artifact\":{{\"path\":\"a{number}\",{place}}}}}\n", number + 2);
    }
    fs::write(&path, text).unwrap();
    for arguments in [&["adopt"][..], &["adopt", "--with-files"]] {
        let output = repo.xtrack(&[arguments, &[folder.to_str().unwrap()]].concat()).ok();
        assert!(
            output.stderr.contains("adopted far-otter") || output.stderr.contains("is here already"),
            "{}",
            output.stderr
        );
        let objects = repo.git(&["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"]);
        for object in objects.lines() {
            assert!(!repo.git(&["cat-file", "-p", object]).contains("s3cret-bytes"));
        }
    }
    assert_eq!(json(&repo, &["show", ID, "--json"])["artifacts"].as_array().unwrap().len(), 0);
}

#[test]
fn far_too_many_files_are_refused_soon() {
    let repo = repo();
    let folder = portable(&repo, ID, 1, None);
    for number in 0..10_001 {
        fs::write(folder.join(format!("{number:016}.jsonl")), "").unwrap();
    }
    refused(&repo, &folder, "it holds more than");
    fs::remove_dir_all(&folder).unwrap();
    portable(&repo, ID, 1, None);
    fs::File::create(folder.join("b.jsonl")).unwrap().set_len(1 << 40).unwrap();
    refused(&repo, &folder, "it holds more than");
}

#[test]
fn files_that_nobody_names_cost_little() {
    let repo = repo();
    let folder = portable(&repo, ID, 1, None);
    fs::create_dir(folder.join("files")).unwrap();
    for number in 0..100_000 {
        fs::File::create(folder.join(format!("files/{number}"))).unwrap();
    }
    let begin = std::time::Instant::now();
    adopt(&repo, &folder);
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
}

#[test]
fn a_live_folder_from_another_machine_is_taken_too() {
    let repo = repo();
    let other = self::repo();
    let owner = crate::support::live::Sleeper::new();
    let folder = crate::support::live::begin(&other, &owner, &["--name", "moved", "-p", "lr=0.1"]);
    crate::support::live::journal(&folder, "w", &lines("{}", 4, None));
    let adopted = adopt(&repo, &folder);
    assert_eq!((&adopted[0]["name"], &adopted[0]["status"]), (&"moved".into(), &"crashed".into()));
    assert_eq!(json(&repo, &["show", "moved", "--json"])["params"]["lr"], 0.1);
    assert!(folder.exists());
    // Its own repository has better means.
    let output = other.xtrack(&["adopt", folder.to_str().unwrap()]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("it is in progress in this repository"), "{}", output.stderr);
}

#[test]
fn attempts_of_a_keyed_run_come_together() {
    let repo = repo();
    repo.xtrack(&["record", "--run-key", "job-1", "-m", "a=1"]).ok();
    let id = repo.refs("refs/runs")[0].trim_start_matches("refs/runs/").to_owned();
    let folder = portable(&repo, ID, 3, Some("finished"));
    write(&folder, &start(&id, r#","key":"job-1""#), 3, Some("finished"));
    assert_eq!(adopt(&repo, &folder)[0]["id"], *id);
    let shown = json(&repo, &["show", &id, "--json"]);
    assert_eq!((&shown["metrics"]["a"]["last"], &shown["metrics"]["loss"]["count"]), (&1.into(), &3.into()));
}
