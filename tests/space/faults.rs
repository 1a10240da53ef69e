//! Commands that take away, hide and put right, killed before each call that changes the disk: the next one completes it,
//! and what is wanted is there all the time.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::reliability::faults::{self, Fault};
use crate::reliability::{skip, spread};
use crate::space::{json, refs};
use crate::support::Repo;

/// A command in a state that is made for it.
struct Verb {
    name: &'static str,
    arguments: &'static [&'static str],
    prepare: fn(&Repo),
    /// What completes it, if the command itself does not.
    completes: &'static [&'static str],
}

const VERBS: &[Verb] = &[
    Verb { name: "gc", arguments: &["gc", "--yes"], prepare: nameless, completes: &["gc", "--yes"] },
    Verb { name: "purge", arguments: &["purge", "secret", "--yes"], prepare: nothing, completes: &["gc"] },
    Verb { name: "undo", arguments: &["undo", "--json"], prepare: said, completes: &["recover"] },
    Verb { name: "hide", arguments: &["rm", "--local", "kept"], prepare: nothing, completes: &["recover"] },
    Verb {
        name: "repair",
        arguments: &["fsck", "--repair", "--yes"],
        prepare: harmed,
        completes: &["fsck", "--repair", "--yes"],
    },
];

fn nothing(_: &Repo) {}

fn nameless(repo: &Repo) {
    repo.write("gone.bin", vec![9; 200_000]);
    repo.xtrack(&["record", "--name", "gone", "-a", "gone.bin"]).ok();
    repo.git(&["update-ref", "-d", &ref_of(repo, "gone")]);
    age(&repo.path().join(".git/xtrack/objects"));
}

fn said(repo: &Repo) {
    repo.xtrack(&["rm", "secret"]).ok();
}

fn harmed(repo: &Repo) {
    repo.refs("refs/xtrack/code").iter().for_each(|name| drop(repo.git(&["update-ref", "-d", name])));
    fs::remove_dir_all(repo.path().join(".git/xtrack/objects")).unwrap();
}

fn ref_of(repo: &Repo, name: &str) -> String {
    format!("refs/runs/{}", json(repo, &["show", name, "--json"])["id"].as_str().unwrap())
}

fn age(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.path().is_dir() {
            true => age(&entry.path()),
            false => {
                let file = fs::File::open(entry.path()).unwrap();
                file.set_modified(SystemTime::now() - Duration::from_secs(3 * 86_400)).unwrap();
            }
        }
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// What a person sees.
fn look(repo: &Repo) -> (String, String, String) {
    let shown = json(repo, &["show", "kept", "--json"]);
    let hidden = json(repo, &["log", "--deleted", "--json"]).as_array().unwrap().len();
    let artifacts = repo.xtrack(&["artifact", "verify", "kept"]);
    (refs(repo), format!("{} {hidden}", shown["params"]), format!("{} {}", artifacts.code, artifacts.stdout))
}

fn obstacles(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            obstacles(&entry.path(), found);
        } else if (name.ends_with(".lock") || name.starts_with(".lock,")) && name != "index.lock" {
            found.push(entry.path());
        }
    }
}

#[test]
fn killed_before_any_call_it_is_done_or_not_and_the_next_completes_it() {
    if !faults::is_possible() {
        return skip("strace");
    }
    let only = std::env::var("XTRACK_VERB").ok();
    for verb in VERBS.iter().filter(|verb| only.as_deref().is_none_or(|only| only == verb.name)) {
        let repo = Repo::new();
        repo.write(".gitignore", "*.bin\n");
        repo.commit("one");
        repo.write("model.bin", vec![7; 200_000]);
        repo.write("secret.bin", vec![8; 200_000]);
        repo.xtrack(&["record", "--name", "kept", "-p", "lr=0.1", "-a", "model.bin", "--", "true"]).ok();
        repo.xtrack(&["record", "--name", "secret", "-a", "secret.bin", "--", "true"]).ok();
        let secret = ref_of(&repo, "secret");
        (verb.prepare)(&repo);
        let arguments: Vec<String> = verb.arguments.iter().map(|word| (*word).to_owned()).collect();
        let (git, saved) = (repo.path().join(".git"), repo.root().join("saved"));
        fs::rename(&git, &saved).unwrap();
        copy(&saved, &git);
        let before = look(&repo);
        fs::remove_dir_all(&git).unwrap();
        copy(&saved, &git);
        let calls = faults::learn(&repo, &arguments);
        let done = look(&repo);
        let chosen = spread(calls.iter().collect(), 14);
        for call in &chosen {
            fs::remove_dir_all(&git).unwrap();
            copy(&saved, &git);
            let output = faults::inject(&repo, call, Fault::Kill, &arguments);
            let about =
                format!("{}: killed at {}({}\nsaid: {}", verb.name, call.name, call.text, output.stderr);
            repo.xtrack(verb.completes).ok();
            // Whatever command comes next removes the locks of the dead, but `fsck`, which tells.
            repo.xtrack(&["recover"]).ok();
            let mut left = Vec::new();
            obstacles(&git, &mut left);
            assert_eq!(left, Vec::<PathBuf>::new(), "{about}");
            let after = look(&repo);
            // A stone says when it was laid.
            let is_alike = |wanted: &(String, String, String)| {
                verb.name == "purge" && (&after.1, &after.2) == (&wanted.1, &wanted.2) || after == *wanted
            };
            assert!(
                is_alike(&before) || is_alike(&done),
                "{about}\n{after:?}\nbefore {before:?}\nafter {done:?}"
            );
            match verb.name {
                "gc" | "repair" => assert!(is_alike(&done), "{about}\n{after:?}"),
                "purge" => {
                    let files = repo.git(&["ls-tree", "-r", "--name-only", &secret]);
                    let bytes = xtrack::run::id::sha256(&vec![8; 200_000]);
                    let is_stored = git.join("xtrack/objects").join(&bytes[..2]).join(&bytes).exists();
                    let notes = fs::read_dir(git.join("xtrack/purging")).into_iter().flatten().flatten();
                    // One that was not whole yet goes with what else killed processes left, a day later.
                    let whole = notes.filter(|note| note.path().extension().is_some_and(|end| end == "json"));
                    assert_eq!(whole.count(), 0, "{about}");
                    assert_eq!(files == "tombstone.toml", !is_stored, "{about}\n{files}");
                }
                _ => {}
            }
        }
        eprintln!("{}: {} of {} kills: nothing half done", verb.name, chosen.len(), calls.len());
    }
}
