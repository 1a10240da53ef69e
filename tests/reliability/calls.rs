//! Every changing command, killed before each call that changes the disk, and with each such call failing: what the
//! next command finds is the state before or after, nothing that was said to be done is undone, and nothing is in its way.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::reliability::faults::{self, Call, Fault};
use crate::reliability::{is_long, logger, skip, spread};
use crate::support::Repo;
use crate::support::live;

/// The script that is recorded: three points, each acknowledged, and one line of output.
const TRAINING: &str = r#"
log() { printf "$1\n" >> "$XTRACK_RUN_DIR/trainingtraining.jsonl" && printf "$2\n" >> ack; }
if [ -n "$XTRACK_RUN_DIR" ]; then
    log '{"n":0,"begin":{"protocol":1,"owner":{}}}' begun
    for step in 1 2 3; do log '{"n":'$step',"step":'$step',"points":{"loss":0.5}}' $step; done
fi
echo trained
echo ended >> ack
"#;

/// A command in a state that is made for it.
struct Verb {
    name: &'static str,
    /// Makes the state; the arguments of the command.
    prepare: fn(&Repo) -> Vec<String>,
    /// Whether it runs a training, which is to end as if nothing had happened.
    trains: bool,
}

const VERBS: &[Verb] = &[
    Verb { name: "record-given", prepare: record_given, trains: false },
    Verb { name: "record", prepare: record, trains: true },
    Verb { name: "begin", prepare: begin, trains: false },
    Verb { name: "finish", prepare: finish, trains: false },
    Verb { name: "edit", prepare: edit, trains: false },
    Verb { name: "tag", prepare: tag, trains: false },
    Verb { name: "recover", prepare: recover, trains: false },
    Verb { name: "adopt", prepare: adopt, trains: false },
    Verb { name: "rm", prepare: rm, trains: false },
    Verb { name: "restore", prepare: restore, trains: false },
];

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn record_given(_: &Repo) -> Vec<String> {
    words(&["record", "--name", "given", "-p", "lr=0.1", "-m", "loss=0.5", "-a", "model.bin"])
}

fn record(_: &Repo) -> Vec<String> {
    words(&["record", "-p", "lr=0.1", "-a", "model.bin", "--", "sh", "train.sh"])
}

fn begin(_: &Repo) -> Vec<String> {
    // A process that lives on, so that the run does.
    words(&["begin", "-p", "lr=0.1", "--owner", &std::process::id().to_string()])
}

fn finish(repo: &Repo) -> Vec<String> {
    let folder = PathBuf::from(repo.xtrack(&begin(repo)).ok().stdout.trim_end());
    live::journal(&folder, "f", &live::lines("{}", 3, None));
    words(&["finish", folder.to_str().unwrap(), "--exit-code", "0"])
}

fn edited(repo: &Repo) -> String {
    let known = runs(repo);
    repo.xtrack(&["record", "-p", "lr=0.1"]).ok();
    runs(repo).difference(&known).next().unwrap().clone()
}

fn edit(repo: &Repo) -> Vec<String> {
    words(&["edit", &edited(repo), "-t", "+good", "--note", "n", "-m", "loss=0.1", "-a", "model.bin"])
}

fn tag(repo: &Repo) -> Vec<String> {
    words(&["tag", &edited(repo), "good"])
}

fn rm(repo: &Repo) -> Vec<String> {
    words(&["rm", &edited(repo)])
}

fn restore(repo: &Repo) -> Vec<String> {
    let id = edited(repo);
    repo.xtrack(&["rm", &id]).ok();
    words(&["restore", &id])
}

fn recover(repo: &Repo) -> Vec<String> {
    let folder = live::begin_dead(repo, &["-p", "lr=0.1"]);
    live::journal(&folder, "r", &live::lines("{}", 3, Some("finished")));
    words(&["recover"])
}

fn adopt(repo: &Repo) -> Vec<String> {
    // Made here and moved away, as a folder from elsewhere has it.
    let made = live::begin_dead(repo, &[]);
    let id = live::id_of(&made);
    let start = format!(
        r#""owner":{{}},"start":{{"format":1,"id":"{id}","attempt":"bcdefghj","started":"2026-01-02T13:00:00.000000Z"}}"#
    );
    let folder = repo.root().join("elsewhere").join(&id);
    fs::create_dir_all(&folder).unwrap();
    live::journal(&folder, "a", &live::lines("{}", 3, Some("finished")).replacen(r#""owner":{}"#, &start, 1));
    fs::remove_dir_all(made).unwrap();
    words(&["adopt", folder.to_str().unwrap()])
}

/// What a person sees of the runs that came since: how each ended, its params, metrics, tags, notes and artifacts.
fn look(repo: &Repo, known: &BTreeSet<String>) -> Vec<String> {
    runs(repo).difference(known).map(|id| of_run(repo, id)).collect()
}

fn of_run(repo: &Repo, id: &str) -> String {
    let run = live::json(repo, &["show", id, "--json"]);
    let artifacts: Vec<_> =
        run["artifacts"].as_array().unwrap().iter().map(|artifact| artifact["path"].to_string()).collect();
    format!(
        "{} lr={} loss={} tags={} notes={} {artifacts:?} removed={}",
        run["status"],
        run["params"]["lr"],
        run["metrics"]["loss"],
        run["tags"],
        run["notes"].as_array().map_or(0, Vec::len),
        run["deleted"],
    )
}

fn repository() -> Repo {
    let repo = Repo::new();
    repo.write("train.sh", TRAINING);
    repo.write("model.bin", vec![7; 150_000]);
    repo.write(".gitignore", "ack\n");
    repo.commit("first");
    // What is made once for a repository is there.
    repo.xtrack(&["record", "--", "true"]).ok();
    repo
}

/// What stands in the way of later commands: locks, and signatures of locks.
fn obstacles(repo: &Repo) -> Vec<String> {
    let git = repo.path().join(".git");
    let mut found = Vec::new();
    let mut folders = vec![git.join("refs"), git.join("xtrack/live")];
    while let Some(folder) = folders.pop() {
        for child in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, name) = (child.path(), child.file_name().to_string_lossy().into_owned());
            if name.ends_with(".lock") || name.starts_with(".lock,") {
                found.push(path.display().to_string());
            } else if path.is_dir() && folder != git.join("xtrack/live") {
                folders.push(path);
            }
        }
    }
    found.extend(
        ["packed-refs.lock", "index.lock", "HEAD.lock"]
            .map(|name| git.join(name))
            .iter()
            .filter(|path| path.exists())
            .map(|path| path.display().to_string()),
    );
    found
}

fn acknowledged(repo: &Repo) -> Vec<String> {
    let text = fs::read_to_string(repo.path().join("ack")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Waits until what the killed command ran has ended.
fn settle(repo: &Repo) {
    let began = Instant::now();
    while logger::processes_in(repo.path()) > 0 {
        assert!(began.elapsed() < Duration::from_secs(30), "something goes on");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// One fault, and what is left of it.
fn trial(repo: &Repo, verb: &Verb, call: &Call, fault: Fault, done: &[String]) {
    let _ = fs::remove_file(repo.path().join("ack"));
    let known = runs(repo);
    let arguments = (verb.prepare)(repo);
    // To look at what is to be recovered is to recover it.
    let before = if verb.name == "recover" { done.to_vec() } else { look(repo, &known) };
    let output = faults::inject(repo, call, fault, &arguments);
    let about = format!("{}: {fault:?} at {}({}\nsaid: {}", verb.name, call.name, call.text, output.stderr);
    settle(repo);
    // A writer that was stopped before its first line may have been about to write, for a while.
    age_empty_journals(repo);
    let next = repo.xtrack(&["recover"]);
    assert_eq!(next.code, 0, "{about}\nrecover: {}", next.stderr);
    assert_eq!(obstacles(repo), Vec::<String>::new(), "{about}");
    let after = look(repo, &known);
    let acknowledged = acknowledged(repo);
    match verb.name {
        "record" => {
            let wanted = acknowledged.iter().filter(|line| line.parse::<u8>().is_ok()).count() as u64;
            let kept = after.first().map_or(0, |run| count(run));
            assert!(after.len() <= 1 && kept >= wanted, "{about}\nlost: {acknowledged:?}, kept {after:?}");
            if fault != Fault::Kill {
                assert_eq!(output.code, 0, "{about}\nthe training's own exit code was 0");
                assert_eq!(acknowledged.last().map(String::as_str), Some("ended"), "{about}");
                assert!(output.stdout.contains("trained"), "{about}\nthe training's words are lost");
                // Where no write succeeds any more nothing can be said either.
                let is_mute = call.name == "write" && matches!(fault, Fault::Lasting(_));
                let is_said = is_mute || !output.stderr.is_empty();
                assert!(after == done || is_said, "{about}\n{after:?}, and nothing was said");
            }
        }
        _ => {
            assert!(after == before || after == done, "{about}\n{after:?}\nbefore {before:?}\nafter {done:?}")
        }
    }
    if output.code == 0 && !verb.trains {
        assert_eq!(after, done, "{about}\nit said that it was done");
    }
    // Once more, without a fault.
    if matches!(verb.name, "edit" | "tag" | "recover" | "adopt" | "rm" | "restore" | "record-given") {
        let again = repo.xtrack(&arguments);
        assert_eq!(again.code, 0, "{about}\nonce more: {}", again.stderr);
        let after = look(repo, &known);
        // A note is said twice then.
        assert!(after.contains(&done[0]) || verb.name == "edit", "{about}\nonce more: {after:?}");
    }
    clear(repo);
}

fn count(run: &str) -> u64 {
    let found =
        run.split_once("\"count\":").and_then(|(_, rest)| rest.split([',', '}']).next()?.parse().ok());
    found.unwrap_or_default()
}

/// The runs that have a record or are in progress.
fn runs(repo: &Repo) -> BTreeSet<String> {
    let live = live::live(repo).into_iter().filter(|name| !name.starts_with('.'));
    live.map(|name| name[..24].to_owned()).chain(logger::runs(repo)).collect()
}

fn age_empty_journals(repo: &Repo) {
    for name in live::live(repo).iter().filter(|name| !name.starts_with('.')) {
        let folder = repo.path().join(".git/xtrack/live").join(name);
        for child in fs::read_dir(folder).into_iter().flatten().flatten() {
            let is_empty = child.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0);
            if is_empty && child.path().extension().is_some_and(|extension| extension == "jsonl") {
                let old = std::time::SystemTime::now() - Duration::from_secs(120);
                fs::File::options().append(true).open(child.path()).unwrap().set_modified(old).unwrap();
            }
        }
    }
}

/// Ends what `begin` left in progress, since this process owns it and lives.
fn clear(repo: &Repo) {
    for name in live::live(repo).iter().filter(|name| !name.starts_with('.')) {
        repo.xtrack(&["finish", repo.path().join(".git/xtrack/live").join(name).to_str().unwrap()]);
    }
}

fn every_call(verb: &Verb, quick: usize, faults_of: fn(&Call) -> Vec<Fault>) {
    let repo = repository();
    let known = runs(&repo);
    let arguments = (verb.prepare)(&repo);
    let calls = faults::learn(&repo, &arguments);
    assert!(calls.len() > 3, "{}: {calls:?}", verb.name);
    let done = look(&repo, &known);
    assert_eq!(done.len(), 1, "{}: {done:?}", verb.name);
    clear(&repo);
    let cases: Vec<(&Call, Fault)> =
        calls.iter().flat_map(|call| faults_of(call).into_iter().map(move |fault| (call, fault))).collect();
    let (all, cases) = (cases.len(), spread(cases, quick));
    for (call, fault) in &cases {
        trial(&repo, verb, call, *fault, &done);
    }
    repo.try_git(&["fsck", "--strict", "--full", "--no-dangling", "--no-progress"]).ok();
    eprintln!("{}: {} of {all} faults at {} calls: nothing lost", verb.name, cases.len(), calls.len());
}

fn every_verb(quick: usize, faults_of: fn(&Call) -> Vec<Fault>) {
    if !faults::is_possible() {
        return skip("strace");
    }
    let only = std::env::var("XTRACK_VERB").ok();
    for verb in VERBS.iter().filter(|verb| only.as_deref().is_none_or(|only| only == verb.name)) {
        every_call(verb, quick, faults_of);
    }
}

#[test]
fn killed_before_any_call_a_command_is_done_or_not() {
    every_verb(12, |_| vec![Fault::Kill]);
}

#[test]
fn with_any_call_failing_nothing_is_lost_and_the_training_ends_well() {
    every_verb(12, |call| {
        let errors = faults::errors(&call.name);
        let errors = if is_long() { errors } else { &errors[..1] };
        errors.iter().flat_map(|error| [Fault::Once(error), Fault::Lasting(error)]).collect()
    });
}
