//! Artifacts of every odd kind: empty, one byte, pipes, links in a circle, changing or removed while they are read, larger
//! than memory.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::reliability::is_long;
use crate::support::Repo;
use crate::support::live::json;
use crate::support::repo::run;

fn repository() -> Repo {
    let repo = Repo::new();
    repo.write(".gitignore", "*\n");
    repo.commit("first");
    repo
}

fn artifacts(repo: &Repo) -> Vec<(String, u64, String)> {
    let run = json(repo, &["show", "@", "--json"]);
    let of = |artifact: &Value| {
        let text = |key: &str| artifact[key].as_str().unwrap_or_default().to_owned();
        (text("path"), artifact["size"].as_u64().unwrap(), text("sha256"))
    };
    run["artifacts"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn what_is_no_plain_file_is_named_and_the_rest_is_taken() {
    let repo = repository();
    repo.write("out/empty", "");
    repo.write("out/one", "x");
    repo.write("out/big", vec![5; 300_000]);
    symlink("b", repo.path().join("out/a")).unwrap();
    symlink("a", repo.path().join("out/b")).unwrap();
    symlink("/etc/passwd", repo.path().join("out/away")).unwrap();
    fs::hard_link(repo.path().join("out/big"), repo.path().join("out/same")).unwrap();
    run(Command::new("mkfifo").arg(repo.path().join("out/pipe"))).ok();
    let output = repo.xtrack(&[
        "record",
        "-a",
        "out",
        "-a",
        "none*",
        "--",
        "touch",
        "out/empty",
        "out/one",
        "out/big",
    ]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    let found = artifacts(&repo);
    let size = |name: &str| found.iter().find(|(path, _, _)| path == name).map(|(_, size, _)| *size);
    assert_eq!(
        (size("out/empty"), size("out/one"), size("out/big")),
        (Some(0), Some(1), Some(300_000)),
        "{found:?}"
    );
    assert_eq!(size("out/same"), Some(300_000));
    for (name, refused) in [("pipe", true), ("a", true), ("away", true)] {
        assert_eq!(size(&format!("out/{name}")).is_none(), refused, "{found:?}");
    }
    assert!(output.stderr.contains("pipe"), "{}", output.stderr);
    // The pipe alone, asked for by name: refused at once, not waited on.
    let output = repo.xtrack(&["record", "-a", "out/pipe", "--", "true"]);
    assert_eq!(output.code, 0);
    assert!(output.stderr.contains("out/pipe"), "{}", output.stderr);
    repo.git(&["fsck", "--strict", "--full", "--no-dangling", "--no-progress"]);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_never_recorded_as_it_never_was() {
    let repo = repository();
    let path = repo.path().join("model.bin");
    let done = AtomicBool::new(false);
    fs::write(&path, vec![0; 4 << 20]).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut byte = 0u8;
            while !done.load(Ordering::Relaxed) {
                byte = byte.wrapping_add(1);
                // In place, so that a reader may see half of it.
                let _ = fs::write(&path, vec![byte; 4 << 20]);
            }
        });
        for _ in 0..4 {
            let output = repo.xtrack(&["record", "-a", "model.bin", "--", "touch", "model.bin"]);
            assert_eq!(output.code, 0, "{}", output.stderr);
        }
        done.store(true, Ordering::Relaxed);
    });
    // What is kept is what its digest says, and a mix is said to be one.
    let check = "cd .git/xtrack/objects 2>/dev/null && find . -type f -path './??/*' | while read f; do \
                 sum=$(sha256sum < $f | cut -c1-64); case $(echo $f | tr -d ./) in *$sum*) ;; *) echo $f;; esac; done";
    let output = run(repo.command("sh").args(["-c", check]));
    assert_eq!(output.stdout, "", "bytes that are not what their name says");
    repo.git(&["fsck", "--strict", "--full", "--no-dangling", "--no-progress"]);
}

#[test]
fn a_file_that_goes_while_it_is_read_costs_nobody_else() {
    let repo = repository();
    let script = "mkdir out; for i in $(seq 200); do head -c 100000 /dev/urandom > out/$i; done; (sleep 0.05; rm -f out/1*) &";
    let output = repo.xtrack(&["record", "-a", "out", "--", "sh", "-c", script]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    let found = artifacts(&repo);
    assert!(found.iter().filter(|(path, _, _)| !path.starts_with("out/1")).count() == 89, "{}", found.len());
}

/// Five gigabytes of nothing, in the long form; a tenth of one always.
#[test]
fn a_file_larger_than_memory_is_taken_in_little() {
    let repo = repository();
    let size: u64 = if is_long() { 5 << 30 } else { 512 << 20 };
    fs::File::create(repo.path().join("huge.bin")).unwrap().set_len(size).unwrap();
    let script = format!(
        "ulimit -v 2000000; exec {} record -a huge.bin -- touch huge.bin",
        env!("CARGO_BIN_EXE_git-xtrack")
    );
    let peak = "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); \
                print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)";
    let output = run(repo.command("python3").args(["-c", peak, "sh", "-c", &script])).ok();
    let kilobytes: u64 = output.stdout.trim().lines().last().unwrap().parse().unwrap();
    assert_eq!(artifacts(&repo)[0].1, size);
    assert!(kilobytes < 256 << 10, "{kilobytes} KiB");
    eprintln!("{} MiB taken with a peak of {} MiB", size >> 20, kilobytes >> 10);
}
