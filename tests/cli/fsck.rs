//! `git xtrack fsck`: each kind of fault is found and told with what to do, and what can be put right is.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::sharing::{Bare, clone_of, edit_runs, facts, make_runs, run_id};
use crate::support::{Repo, live};

/// A repository with two runs: of a command with an artifact in the store, and of what was given.
pub fn repository() -> Repo {
    let repo = Repo::new();
    repo.write("train.py", "print(1)\n");
    repo.write(".gitignore", "*.bin\n");
    repo.commit("first");
    repo.write("model.bin", vec![7; 200_000]);
    repo.xtrack(&["record", "--name", "large", "-p", "lr=0.1", "-a", "model.bin"]).ok();
    repo.xtrack(&["record", "--name", "small", "-p", "lr=0.2", "-m", "loss=0.5"]).ok();
    repo
}

pub fn id_of(repo: &Repo, name: &str) -> String {
    live::json(repo, &["show", name, "--json"])["id"].as_str().unwrap().to_owned()
}

pub fn ref_of(id: &str) -> String {
    format!("refs/runs/{id}")
}

/// What is found, in JSON; the exit code says whether it is sound.
#[track_caller]
fn fsck(repo: &Repo, more: &[&str]) -> Value {
    let output = repo.xtrack(&[&["fsck", "--json"], more].concat());
    let found: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.stderr));
    assert_eq!(found["sound"].as_bool().unwrap(), output.code == 0, "{output:?}");
    found
}

/// Each fault that counts as `what: place: message`.
fn told(found: &Value) -> Vec<String> {
    let faults = found["faults"].as_array().unwrap().iter().filter(|fault| fault["severity"] != "note");
    faults
        .map(|fault| {
            format!("{}: {}: {}", text(&fault["what"]), text(&fault["place"]), text(&fault["message"]))
        })
        .collect()
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The only fault; its advice names commands that exist.
#[track_caller]
fn only(found: &Value, what: &str) -> Value {
    let counting: Vec<&Value> =
        found["faults"].as_array().unwrap().iter().filter(|fault| fault["severity"] != "note").collect();
    assert_eq!(counting.len(), 1, "{found:#}");
    assert_eq!(counting[0]["what"], what, "{found:#}");
    assert_known_commands(text(&counting[0]["advice"]));
    counting[0].clone()
}

/// Every command that advice names is one of ours or of git's.
#[track_caller]
fn assert_known_commands(advice: &str) {
    assert!(!advice.is_empty());
    for command in advice.split('`').skip(1).step_by(2) {
        let words: Vec<&str> = command.split(' ').collect();
        assert_eq!(words[0], "git", "{advice}");
        if words[1] == "xtrack" && !words[2].starts_with('-') {
            let help = Repo::new().xtrack(&[words[2], "--help"]);
            assert_eq!(help.code, 0, "{advice}: {}", help.stderr);
            let options = words.iter().filter(|word| word.starts_with("--"));
            options.for_each(|option| assert!(help.stdout.contains(option), "{advice}"));
        }
    }
}

#[track_caller]
fn repair(repo: &Repo) -> Value {
    let found = fsck(repo, &["--repair", "--yes"]);
    assert_eq!(found["sound"], true, "{found:#}");
    assert_eq!(told(&fsck(repo, &[])), Vec::<String>::new(), "after the repair");
    found
}

fn object_path(repo: &Repo, oid: &str) -> PathBuf {
    repo.path().join(".git/objects").join(&oid[..2]).join(&oid[2..])
}

/// Writes over a file that is read-only.
fn overwrite(path: &std::path::Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

fn age(path: &std::path::Path) {
    let old = SystemTime::now() - Duration::from_secs(2 * 24 * 3600);
    fs::File::open(path).unwrap().set_modified(old).unwrap();
}

#[test]
fn what_is_sound_is_said_to_be() {
    let repo = repository();
    let output = repo.xtrack(&["fsck"]).ok();
    assert_eq!(output.stdout, "");
    assert_eq!(output.stderr, "2 runs, 2 commits, 1 artifact: all is sound\n");
    let output = repo.xtrack(&["fsck", "--full"]).ok();
    assert_eq!(output.stderr, "2 runs, 2 commits, 1 artifact (195.3 KiB compared): all is sound\n");
    let empty = Repo::new();
    assert_eq!(empty.xtrack(&["fsck"]).ok().stderr, "0 runs, 0 commits: all is sound\n");
    assert_eq!(Repo::folder("none").xtrack(&["fsck"]).code, 3);
    let changed = repo.git(&["status", "--porcelain"]);
    assert_eq!(changed, "");
}

#[test]
fn a_chosen_run_is_looked_at_alone() {
    let repo = repository();
    let small = id_of(&repo, "small");
    fs::write(repo.path().join(".git").join(ref_of(&id_of(&repo, "large"))), "").unwrap();
    assert_eq!(fsck(&repo, &["small"])["runs"], 1);
    assert_eq!(fsck(&repo, &[&small])["sound"], true);
    assert_eq!(fsck(&repo, &["--where", "params.lr = 0.2"])["sound"], true);
    assert_eq!(fsck(&repo, &[])["sound"], false);
    assert_eq!(repo.xtrack(&["fsck", "nobody"]).code, 4);
}

#[test]
fn refs_that_cannot_be_used_are_told_and_put_back_from_a_copy_that_can() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    make_runs(&repo, 0..2);
    repo.git(&["push", "-q", "origin", "refs/runs/*"]);
    repo.xtrack(&["fetch"]).ok();
    let head = repo.commit("first");
    repo.xtrack(&["record", "--name", "a", "--", "true"]).ok();
    let kept = format!("refs/xtrack/code/{head}");
    let (id, name) = (run_id(0).to_string(), ref_of(run_id(0).as_str()));
    let tip = repo.git(&["rev-parse", &name]);
    let blob = repo.git(&["rev-parse", &format!("{name}:run.toml")]);
    let path = repo.path().join(".git").join(&name);
    for (bytes, why) in [
        ("", "it is empty"),
        ("\0\0\0\0", "it holds"),
        ("ref: refs/heads/main\n", "symbolic"),
        (&format!("{}\n", "1".repeat(40)), "is not here"),
        (&format!("{blob}\n"), "points at a blob"),
    ] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        let fault = only(&fsck(&repo, &[]), "ref");
        assert!(text(&fault["message"]).contains(why), "{fault:#}");
        assert_eq!((text(&fault["run"]), text(&fault["severity"])), (id.as_str(), "error"));
        // Where nobody can be asked nothing is put back, and all else is done.
        repo.git(&["update-ref", "-d", &kept]);
        let waiting = repo.xtrack(&["fsck", "--repair"]);
        assert_eq!(waiting.code, 1, "{waiting:?}");
        assert!(
            waiting.stdout.contains("not repaired: it waits for an answer, which `--yes` gives"),
            "{waiting:?}"
        );
        assert_eq!(repo.git(&["rev-parse", &kept]), head);
        assert_eq!(fs::read_to_string(&path).unwrap(), bytes);
        assert_eq!(repo.xtrack(&["fsck", "--repair", "--dry-run"]).code, 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), bytes);
        repair(&repo);
        assert_eq!(repo.git(&["rev-parse", &name]), tip);
    }
}

#[test]
fn a_damaged_copy_is_not_put_back() {
    let repo = Repo::new();
    make_runs(&repo, 0..1);
    let name = ref_of(run_id(0).as_str());
    let wrong = repo.git_stdin(&["mktree"], "");
    let wrong = repo.git(&["commit-tree", &wrong, "-m", "x"]);
    repo.git(&["update-ref", &format!("refs/xtrack/remotes/lab/runs/{}", run_id(0)), &wrong]);
    fs::write(repo.path().join(".git").join(&name), "").unwrap();
    let found = fsck(&repo, &["--repair", "--yes"]);
    let fault = &found["faults"][0];
    assert!(text(&fault["not_repaired"]).contains("is no better"), "{found:#}");
    assert_eq!(found["sound"], false);
}

#[test]
fn refs_with_names_and_targets_that_mean_nothing_are_told() {
    let repo = repository();
    let tip = repo.git(&["rev-parse", &ref_of(&id_of(&repo, "small"))]);
    for (name, what) in [
        ("refs/runs/not-a-run", "no run's id"),
        ("refs/xtrack/remotes/lab/runs/x", "no run's id"),
        ("refs/xtrack/code/zzz", "no code state"),
        (&format!("refs/xtrack/code/{}", "a".repeat(40)), "not the code state that its name says"),
    ] {
        repo.git(&["update-ref", name, &tip]);
        let fault = only(&fsck(&repo, &[]), "ref");
        assert_eq!(text(&fault["place"]), name);
        assert!(text(&fault["message"]).contains(what), "{fault:#}");
        repo.git(&["update-ref", "-d", name]);
    }
    let undo = repo.path().join(".git/refs/xtrack/undo/1");
    fs::create_dir_all(undo.parent().unwrap()).unwrap();
    fs::write(&undo, format!("{}\n", "2".repeat(40))).unwrap();
    only(&fsck(&repo, &[]), "ref");
    fs::remove_file(undo).unwrap();
    repo.git(&["update-ref", "refs/runs/archive/old", &tip]);
    assert_eq!(fsck(&repo, &[])["sound"], true, "reserved");
}

#[test]
fn objects_that_are_missing_or_damaged_are_named_with_what_they_are_for() {
    for (path, is_full) in
        [("", false), ("^{tree}", false), (":run.toml", false), (":environment.toml", false)]
    {
        for damage in ["", "missing", "other"] {
            let repo = repository();
            let name = ref_of(&id_of(&repo, "small"));
            let oid = repo.git(&["rev-parse", &format!("{name}{path}")]);
            let other = repo.git(&["rev-parse", &format!("{}{path}", ref_of(&id_of(&repo, "large")))]);
            match damage {
                "missing" => fs::remove_file(object_path(&repo, &oid)).unwrap(),
                "other" => {
                    overwrite(&object_path(&repo, &oid), &fs::read(object_path(&repo, &other)).unwrap())
                }
                text => overwrite(&object_path(&repo, &oid), text.as_bytes()),
            }
            if oid == other {
                continue;
            }
            let found = fsck(&repo, if is_full { &["--full"] } else { &[] });
            let faults = told(&found);
            assert!(!faults.is_empty(), "{path} {damage}: {found:#}");
            let names_it = faults.iter().any(|fault| fault.contains(&oid) && fault.contains(&name));
            assert!(names_it, "{path} {damage}: {faults:?}");
            // The other run is not concerned.
            assert_eq!(fsck(&repo, &["large"])["sound"], true, "{path} {damage}");
        }
    }
}

#[test]
fn objects_come_again_as_advised() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    make_runs(&repo, 0..1);
    let name = ref_of(run_id(0).as_str());
    repo.git(&["push", "-q", "origin", "refs/runs/*"]);
    let oid = repo.git(&["rev-parse", &format!("{name}:run.toml")]);
    let pack = fs::read_dir(repo.path().join(".git/objects/pack")).unwrap().flatten();
    for file in pack.map(|file| file.path()).collect::<Vec<_>>() {
        fs::rename(&file, repo.root().join(file.file_name().unwrap())).unwrap();
    }
    let packs: Vec<_> = fs::read_dir(repo.root()).unwrap().flatten().map(|file| file.path()).collect();
    for pack in packs.iter().filter(|path| path.extension().is_some_and(|extension| extension == "pack")) {
        let mut unpack = repo.command("git");
        unpack.args(["unpack-objects", "-q"]).stdin(fs::File::open(pack).unwrap());
        assert!(unpack.status().unwrap().success());
    }
    if object_path(&repo, &oid).exists() {
        fs::remove_file(object_path(&repo, &oid)).unwrap();
    }
    let fault = only(&fsck(&repo, &[]), "object");
    let advice = text(&fault["advice"]).split('`').nth(1).unwrap().to_owned();
    let words: Vec<&str> = advice.split(' ').skip(1).collect();
    repo.git(&words);
    assert_eq!(fsck(&repo, &[])["sound"], true, "{advice}");
}

#[test]
fn words_that_a_commit_took_away_are_told_and_taken_up_again() {
    let repo = Repo::new();
    make_runs(&repo, 0..1);
    let edits = edit_runs(&repo, 0..1, "Ada <ada@example.com>", |edit| edit.note = Some("kept".into()));
    let name = ref_of(run_id(0).as_str());
    // Somebody commits by hand, upon the tip, a tree without the edit.
    let tree = repo.git(&["rev-parse", &format!("{name}~1^{{tree}}")]);
    let tip = repo.git(&["rev-parse", &name]);
    let commit = repo.git(&["commit-tree", &tree, "-p", &tip, "-m", "oops"]);
    repo.git(&["update-ref", &name, &commit]);
    let fault = only(&fsck(&repo, &[]), "words");
    assert!(text(&fault["message"]).contains(edits[0].as_str()), "{fault:#}");
    repair(&repo);
    let shown = live::json(&repo, &["show", run_id(0).as_str(), "--json"]);
    assert_eq!(shown["notes"][0]["text"], "kept");
    repo.git(&["merge-base", "--is-ancestor", &commit, &name]);
}

#[test]
fn facts_of_a_lower_revision_and_files_that_shrank_are_words_lost() {
    let repo = Repo::new();
    make_runs(&repo, 0..1);
    let name = ref_of(run_id(0).as_str());
    let commit = |revision: u64, console: &str| {
        let mut facts = facts(&run_id(0), "r");
        (facts.revision, facts.status) = (revision, xtrack::run::attempt::Status::Crashed);
        let facts = String::from_utf8(crate::sharing::bytes_of(&facts)).unwrap();
        let attempt = xtrack::run::id::AttemptId::new([7; 8]);
        let head = repo.git(&["rev-parse", "-q", "--verify", &name]);
        let stream = format!(
            "commit {name}\ncommitter A <a@b> {revision} +0000\ndata 0\nfrom {head}\nM 100644 inline run.toml\ndata {}\n{facts}\n\
             M 100644 inline console/{attempt}-head.log\ndata {}\n{console}\n",
            facts.len(),
            console.len()
        );
        repo.git_stdin(&["fast-import", "--quiet", "--force", "--date-format=raw"], &stream);
    };
    repo.git(&["update-ref", "-d", &name]);
    make_first(&repo, &name);
    commit(5, "one two three");
    assert_eq!(told(&fsck(&repo, &[])), Vec::<String>::new());
    commit(6, "one two three four");
    assert_eq!(told(&fsck(&repo, &[])), Vec::<String>::new(), "growing is no loss");
    commit(4, "one two");
    let fault = only(&fsck(&repo, &[]), "words");
    let message = text(&fault["message"]);
    assert!(message.contains("run.toml") && message.contains("console/"), "{message}");
    repair(&repo);
    let attempt = xtrack::run::id::AttemptId::new([7; 8]);
    assert_eq!(repo.git(&["show", &format!("{name}:console/{attempt}-head.log")]), "one two three four");
    assert!(repo.git(&["show", &format!("{name}:run.toml")]).contains("revision = 6"));
}

/// A run whose attempt crashed, at revision 1.
fn make_first(repo: &Repo, name: &str) {
    let mut facts = facts(&run_id(0), "r");
    (facts.revision, facts.status) = (1, xtrack::run::attempt::Status::Crashed);
    let facts = String::from_utf8(crate::sharing::bytes_of(&facts)).unwrap();
    let stream = format!(
        "commit {name}\ncommitter A <a@b> 0 +0000\ndata 0\nM 100644 inline run.toml\ndata {}\n{facts}\n",
        facts.len()
    );
    repo.git_stdin(&["fast-import", "--quiet", "--date-format=raw"], &stream);
}

#[test]
fn a_dispute_is_told_and_a_record_in_another_form_is_put_into_its_own() {
    let repo = Repo::new();
    make_runs(&repo, 0..2);
    let commit = |number: u32, path: &str, bytes: &str| {
        let name = ref_of(run_id(number).as_str());
        let head = repo.git(&["rev-parse", &name]);
        let stream = format!(
            "commit {name}\ncommitter A <a@b> 1767225700 +0000\ndata 0\nfrom {head}\nM 100644 inline {path}\ndata {}\n{bytes}\n",
            bytes.len()
        );
        repo.git_stdin(&["fast-import", "--quiet", "--date-format=raw"], &stream);
    };
    let attempt = xtrack::run::id::AttemptId::new([7; 8]);
    // Kept as disputed, though the other copy only went on from it.
    let head = format!("console/{attempt}-head.log");
    commit(0, &head, "one two");
    commit(0, &format!("disputed/{}/{head}", xtrack::run::id::sha256(b"one")), "one");
    only(&fsck(&repo, &[]), "form");
    repair(&repo);
    assert_eq!(crate::sharing::paths(&repo, 0).len(), 2);
    let tail = format!("console/{attempt}-tail-1.log");
    commit(1, &tail, "b");
    commit(1, &format!("disputed/{}/{tail}", xtrack::run::id::sha256(b"a")), "a");
    let found = fsck(&repo, &["--repair", "--yes"]);
    let what: Vec<_> = told(&found).iter().map(|fault| fault.split(':').next().unwrap().to_owned()).collect();
    assert!(what.contains(&"dispute".to_owned()), "{found:#}");
    only(&fsck(&repo, &[]), "dispute");
}

#[test]
fn records_that_are_none_and_purges_that_were_undone_are_told() {
    let repo = Repo::new();
    make_runs(&repo, 0..2);
    let (zero, one) = (ref_of(run_id(0).as_str()), ref_of(run_id(1).as_str()));
    repo.git(&["update-ref", &zero, &repo.git(&["rev-parse", &one])]);
    let fault = only(&fsck(&repo, &[]), "schema");
    assert!(text(&fault["message"]).contains("another run"), "{fault:#}");
    repo.git(&["update-ref", "-d", &zero]);
    let stone = "format = 1\nby = \"Ada\"\nat = \"2026-01-01T00:00:00.000000Z\"\nwhy = \"secret\"\n";
    let first = repo.git(&["rev-parse", &one]);
    let blob = repo.git_stdin(&["hash-object", "-w", "--stdin"], stone);
    let tree = repo.git_stdin(&["mktree"], &format!("100644 blob {blob}\ttombstone.toml\n"));
    let buried = repo.git(&["commit-tree", &tree, "-p", &first, "-m", "purge"]);
    repo.git(&["update-ref", &one, &buried]);
    let fault = only(&fsck(&repo, &[]), "tombstone");
    assert!(text(&fault["message"]).contains("still hold"));
    assert!(text(&fault["advice"]).contains("git xtrack purge"), "{fault:#}");
    let back = repo.git(&["commit-tree", &format!("{first}^{{tree}}"), "-p", &buried, "-m", "back"]);
    repo.git(&["update-ref", &one, &back]);
    let fault = only(&fsck(&repo, &[]), "tombstone");
    assert!(text(&fault["message"]).contains("came back"), "{fault:#}");
    assert!(text(&fault["advice"]).contains("git xtrack purge"), "{fault:#}");
    // What is advised does away with it, and with what a stone upon the chain leaves.
    for tip in [&back, &buried] {
        repo.git(&["update-ref", &one, tip]);
        repo.xtrack(&["purge", run_id(1).as_str(), "--yes"]).ok();
        assert_eq!(told(&fsck(&repo, &[])), Vec::<String>::new());
        assert_eq!(repo.git(&["rev-list", "--count", &one]), "1");
    }
    // A copy that was fetched holds it still.
    repo.git(&["update-ref", &format!("refs/xtrack/remotes/origin/runs/{}", run_id(1)), &first]);
    let fault = only(&fsck(&repo, &[]), "tombstone");
    assert!(text(&fault["message"]).contains("was purged here"), "{fault:#}");
    repo.xtrack(&["purge", run_id(1).as_str(), "--yes"]).ok();
    assert_eq!(told(&fsck(&repo, &[])), Vec::<String>::new());
}

#[test]
fn what_is_missing_from_the_history_keeps_nothing_of_the_tip_from_being_looked_at() {
    for path in ["", "^{tree}"] {
        let repo = repository();
        let name = ref_of(&id_of(&repo, "large"));
        let lost = repo.git(&["rev-parse", &format!("{name}{path}")]);
        repo.xtrack(&["tag", "large", "+x"]).ok();
        assert_eq!(told(&fsck(&repo, &[])), Vec::<String>::new());
        fs::remove_file(object_path(&repo, &lost)).unwrap();
        fs::remove_dir_all(repo.path().join(".git/xtrack/objects")).unwrap();
        fs::remove_file(repo.path().join("model.bin")).unwrap();
        let found = told(&fsck(&repo, &["large"]));
        assert!(
            found.iter().any(|fault| fault.starts_with("object: ") && fault.contains(&lost)),
            "{found:?}"
        );
        assert!(found.iter().any(|fault| fault.starts_with("artifact: ")), "{path}: {found:?}");
        assert!(!found.iter().any(|fault| fault.starts_with("schema: ")), "{path}: {found:?}");
    }
}

#[test]
fn code_that_no_ref_keeps_is_kept_again_and_code_that_is_gone_is_told() {
    let repo = repository();
    let head = repo.git(&["rev-parse", "HEAD"]);
    let kept = format!("refs/xtrack/code/{head}");
    repo.git(&["update-ref", "-d", &kept]);
    let fault = only(&fsck(&repo, &[]), "code");
    assert_eq!(text(&fault["place"]), kept);
    repair(&repo);
    assert_eq!(repo.git(&["rev-parse", &kept]), head);
    // A colleague who has the record alone is told, and nothing is wrong.
    let other = Repo::new();
    other.git(&["fetch", "-q", repo.path().to_str().unwrap(), "refs/runs/*:refs/runs/*"]);
    let found = fsck(&other, &[]);
    assert_eq!(found["sound"], true, "{found:#}");
    let notes: Vec<&str> =
        found["faults"].as_array().unwrap().iter().map(|fault| text(&fault["what"])).collect();
    assert!(notes.contains(&"code") && notes.contains(&"artifact"), "{found:#}");
    found["faults"]
        .as_array()
        .unwrap()
        .iter()
        .for_each(|fault| assert_known_commands(text(&fault["advice"])));
}

#[test]
fn artifacts_are_looked_for_compared_and_taken_from_the_work_tree_again() {
    let repo = repository();
    let digest = xtrack::run::id::sha256(&vec![7; 200_000]);
    let stored = repo.path().join(".git/xtrack/objects").join(&digest[..2]).join(&digest);
    overwrite(&stored, &vec![8; 200_000]);
    assert_eq!(fsck(&repo, &[])["sound"], true, "only its length is looked at");
    let fault = only(&fsck(&repo, &["--artifacts"]), "artifact");
    assert!(text(&fault["message"]).contains("is damaged"), "{fault:#}");
    overwrite(&stored, b"short");
    only(&fsck(&repo, &[]), "artifact");
    fs::remove_file(&stored).unwrap();
    let fault = only(&fsck(&repo, &[]), "artifact");
    assert!(text(&fault["message"]).contains("'model.bin'"), "{fault:#}");
    // What is there now is another one.
    repo.write("model.bin", vec![9; 200_000]);
    assert_eq!(fsck(&repo, &["--repair", "--yes"])["sound"], false);
    repo.write("model.bin", vec![7; 200_000]);
    repair(&repo);
    assert_eq!(fs::read(&stored).unwrap(), vec![7; 200_000]);
    // A collector that was killed had put it aside.
    fs::remove_file(repo.path().join("model.bin")).unwrap();
    let aside = repo.path().join(".git/xtrack/objects/tmp/aside");
    fs::create_dir_all(&aside).unwrap();
    fs::rename(&stored, aside.join(&digest)).unwrap();
    repair(&repo);
    assert_eq!(fs::read(&stored).unwrap(), vec![7; 200_000]);
}

#[test]
fn runs_whose_processes_are_gone_are_told_and_recorded() {
    let repo = repository();
    let folder = live::begin_dead(&repo, &["-p", "lr=0.3"]);
    let lines = live::lines("{}", 5, None);
    live::journal(&folder, "a", &lines.replace(r#""step":2"#, "\u{0}torn"));
    let fault = only(&fsck(&repo, &[]), "journal");
    assert!(text(&fault["message"]).contains("its journals are damaged"), "{fault:#}");
    assert!(folder.exists(), "looking records nothing");
    repair(&repo);
    assert!(!folder.exists());
    assert_eq!(fsck(&repo, &[])["runs"], 3);
    let odd = repo.path().join(".git/xtrack/live").join(run_id(7).as_str());
    fs::create_dir_all(&odd).unwrap();
    fs::write(odd.join("something"), "x").unwrap();
    live::age(&odd, 3600);
    let fault = only(&fsck(&repo, &["--repair", "--yes"]), "journal");
    assert!(text(&fault["message"]).contains("nobody knows"), "{fault:#}");
    assert!(odd.join("something").exists());
}

#[test]
fn a_run_in_progress_is_no_fault() {
    let repo = repository();
    let owner = live::Sleeper::new();
    let folder = live::begin(&repo, &owner, &[]);
    live::journal(&folder, "a", &(live::lines("{}", 3, None) + "{\"n\":4,\"t\":17"));
    assert_eq!(fsck(&repo, &[])["sound"], true);
    owner.kill();
}

#[test]
fn what_killed_processes_left_goes_once_it_is_old() {
    let repo = repository();
    let git = repo.path().join(".git");
    let left =
        ["refs/runs/20260101-000000-aaaaaaaa.lock", "xtrack/objects/tmp/1-2-3", "xtrack/hidden.tmp-12"];
    for name in left {
        fs::create_dir_all(git.join(name).parent().unwrap()).unwrap();
        fs::write(git.join(name), "").unwrap();
    }
    fs::create_dir_all(git.join("xtrack/tmp-0123456789abcdef/objects")).unwrap();
    assert_eq!(fsck(&repo, &["--repair", "--yes"])["faults"].as_array().unwrap().len(), 0, "they are young");
    left.iter().for_each(|name| age(&git.join(name)));
    age(&git.join("xtrack/tmp-0123456789abcdef"));
    let found = fsck(&repo, &[]);
    assert_eq!(told(&found).len(), 4, "{found:#}");
    repair(&repo);
    assert!(left.iter().all(|name| !git.join(name).exists()));
}

#[test]
fn settings_that_let_a_fetch_take_runs_away_are_told() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    repo.commit("first");
    repo.xtrack(&["init"]).ok();
    repo.xtrack(&["record", "-p", "a=1"]).ok();
    assert_eq!(fsck(&repo, &[])["sound"], true);
    repo.git(&["config", "--add", "remote.origin.fetch", "+refs/runs/*:refs/runs/*"]);
    let fault = only(&fsck(&repo, &[]), "setting");
    assert_eq!(text(&fault["place"]), "remote.origin.fetch");
    repo.git(&["config", "--unset-all", "remote.origin.fetch"]);
    repo.git(&["config", "--add", "remote.origin.fetch", "+refs/*:refs/*"]);
    let fault = only(&fsck(&repo, &[]), "setting");
    let advice = text(&fault["advice"]).split('`').nth(1).unwrap().to_owned();
    repo.xtrack(&advice.split(' ').skip(2).collect::<Vec<_>>()).ok();
    assert_eq!(fsck(&repo, &[])["sound"], true);
}

#[test]
fn an_index_that_lies_is_built_anew() {
    let repo = repository();
    repo.xtrack(&["log"]).ok();
    let index = repo.path().join(".git/xtrack/index.sqlite");
    let mut bytes = fs::read(&index).unwrap();
    let at = bytes.windows(5).position(|window| window == b"small").unwrap();
    bytes[at..at + 5].copy_from_slice(b"smell");
    fs::write(&index, bytes).unwrap();
    // Whatever it is found to be, it answers right afterwards.
    fsck(&repo, &["--repair", "--yes"]);
    assert_eq!(fsck(&repo, &[])["sound"], true);
    assert!(repo.xtrack(&["log"]).ok().stdout.contains("small"));
}

#[test]
fn a_partial_clone_is_not_taken_for_a_damaged_one() {
    let repo = repository();
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    repo.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let clone = repo.clone(&["--filter=blob:none", "--no-checkout"]);
    clone.git(&["fetch", "-q", "origin", "refs/runs/*:refs/runs/*"]);
    let before = clone.git(&["rev-list", "--objects", "--all", "--missing=print"]);
    let found = fsck(&clone, &[]);
    assert_eq!(found["errors"], 0, "{found:#}");
    assert_eq!(
        clone.git(&["rev-list", "--objects", "--all", "--missing=print"]),
        before,
        "nothing is fetched"
    );
}

#[test]
fn shallow_clones_and_other_kinds_of_repository_are_looked_at_alike() {
    for init in [&["--ref-format=reftable"] as &[_], &["--object-format=sha256"], &["--bare"]] {
        let repo = Repo::with(init, "work");
        let id = repo.xtrack(&["record", "-p", "lr=0.1", "--json"]).ok().stdout;
        let id = serde_json::from_str::<Value>(&id).unwrap()["id"].as_str().unwrap().to_owned();
        repo.xtrack(&["note", &id, "hello"]).ok();
        let found = fsck(&repo, &[]);
        assert_eq!((&found["runs"], &found["commits"]), (&1.into(), &2.into()), "{init:?}: {found:#}");
        assert_eq!(found["sound"], true, "{init:?}: {found:#}");
    }
    let repo = repository();
    repo.xtrack(&["note", "small", "hello"]).ok();
    let clone = repo.clone(&["--depth=1"]);
    clone.git(&["fetch", "-q", "--depth=1", "origin", "refs/runs/*:refs/runs/*"]);
    let found = fsck(&clone, &[]);
    assert_eq!(found["sound"], true, "{found:#}");
}

#[test]
fn hostile_text_is_shown_harmless() {
    let repo = Repo::new();
    make_runs(&repo, 0..1);
    let name = ref_of(run_id(0).as_str());
    fs::create_dir_all(repo.path().join(".git/refs/runs")).unwrap();
    fs::write(repo.path().join(".git").join(name), "\u{1b}[2J\u{202e}gnp").unwrap();
    let output = repo.xtrack(&["fsck"]);
    assert_eq!(output.code, 1);
    assert!(!output.stdout.contains(['\u{1b}', '\u{202e}']), "{:?}", output.stdout);
}
