//! `git xtrack record`: the command is left alone, and whatever happens to it is recorded.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Repo;
use crate::support::repo::run;

fn repo() -> Repo {
    let repo = Repo::new();
    repo.write("train.py", "print('training')\n");
    repo.commit("first");
    repo
}

/// The only run there is, as `show --json` gives it.
#[track_caller]
fn only_run(repo: &Repo) -> Value {
    let refs = repo.refs("refs/runs");
    assert_eq!(refs.len(), 1, "{refs:?}");
    shown(repo, refs[0].trim_start_matches("refs/runs/"))
}

#[track_caller]
fn shown(repo: &Repo, id: &str) -> Value {
    serde_json::from_str(&repo.xtrack(&["show", id, "--json"]).ok().stdout).unwrap()
}

/// Records without a command; the id.
#[track_caller]
fn record(repo: &Repo, arguments: &[&str]) -> String {
    let output = repo.xtrack(&[&["record"], arguments].concat()).ok();
    output.stdout.trim_end().to_owned()
}

#[track_caller]
fn refused(repo: &Repo, arguments: &[&str], reason: &str) {
    let output = repo.xtrack(&[&["record"], arguments].concat());
    assert_ne!(output.code, 0, "{arguments:?}");
    assert!(output.stderr.contains(reason), "{arguments:?}: {}", output.stderr);
    assert_eq!(repo.refs("refs/runs"), Vec::<String>::new(), "{arguments:?}");
}

fn program(repo: &Repo) -> Command {
    let mut command = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[track_caller]
fn wait_for(path: &Path) {
    let begin = Instant::now();
    while !path.exists() {
        assert!(begin.elapsed() < Duration::from_secs(20), "'{}' does not come", path.display());
        thread::sleep(Duration::from_millis(5));
    }
}

fn live_folders(repo: &Repo) -> Vec<String> {
    let children = fs::read_dir(repo.path().join(".git/xtrack/live")).into_iter().flatten().flatten();
    children.map(|child| child.file_name().into_string().unwrap()).collect()
}

#[test]
fn a_command_is_left_alone_and_recorded() {
    let repo = repo();
    let script =
        "echo out; echo err >&2; test -n \"$XTRACK_RUN_ID\" && test -f \"$XTRACK_RUN_DIR/start.toml\"";
    let output = repo.xtrack(&["record", "--name", "baseline", "-t", "first", "--", "sh", "-c", script]).ok();
    assert_eq!(output.stdout, "out\n");
    let lines: Vec<_> = output.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{}", output.stderr);
    assert_eq!(lines[0], "err");
    assert!(
        lines[1].starts_with("xtrack: recorded baseline (") && lines[1].contains(") finished in "),
        "{}",
        lines[1]
    );
    let shown = only_run(&repo);
    assert_eq!(shown["status"], "finished");
    assert_eq!(shown["exit_code"], 0);
    assert_eq!(shown["name"], "baseline");
    assert_eq!(shown["tags"][0], "first");
    assert_eq!(shown["command"][0], "sh");
    assert_eq!(shown["code"]["commit"], repo.git(&["rev-parse", "HEAD"]));
    assert_eq!(live_folders(&repo), Vec::<String>::new());
    repo.assert_sound();
}

#[test]
fn exit_codes_are_the_commands_own() {
    let cases: &[(&[&str], i32, &str)] = &[
        (&["sh", "-c", "exit 0"], 0, "finished"),
        (&["sh", "-c", "exit 3"], 3, "failed"),
        (&["sh", "-c", "exit 255"], 255, "failed"),
        (&["sh", "-c", "kill -9 $$"], 137, "killed"),
        (&["no-such-program-here"], 127, "failed"),
        (&["./train.py"], 126, "failed"),
        (&[""], 127, "failed"),
    ];
    for (command, code, status) in cases {
        let repo = repo();
        let output = repo.xtrack(&[&["record", "--"], *command].concat());
        assert_eq!(output.code, *code, "{command:?}: {}", output.stderr);
        let shown = only_run(&repo);
        assert_eq!(shown["status"], *status, "{command:?}");
        match code {
            137 => assert_eq!((&shown["signal"], &shown["exit_code"]), (&"SIGKILL".into(), &Value::Null)),
            code => assert_eq!((&shown["signal"], &shown["exit_code"]), (&Value::Null, &(*code).into())),
        }
    }
}

#[test]
fn stdin_passes_through_untouched() {
    let repo = repo();
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let mut child = program(&repo).args(["record", "--", "cat"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let sent = bytes.clone();
    let writer = thread::spawn(move || stdin.write_all(&sent).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    assert!(output.stdout == bytes);
}

#[cfg(unix)]
fn send(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[cfg(unix)]
#[test]
fn signals_are_passed_on() {
    // The command dies of it; it handles it; it is asked something else meanwhile.
    let cases = [
        ("touch ready; sleep 20 & wait", "-TERM", 143, "killed", "SIGTERM"),
        ("touch ready; sleep 20 & wait", "-INT", 130, "killed", "SIGINT"),
        ("trap 'exit 4' TERM; touch ready; sleep 20 & wait", "-TERM", 4, "killed", ""),
        ("trap 'exit 0' USR1; touch ready; sleep 20 & wait", "-USR1", 0, "finished", ""),
        ("trap 'exit 5' HUP; touch ready; sleep 20 & wait", "-HUP", 5, "killed", ""),
    ];
    for (script, signal, code, status, by) in cases {
        let repo = repo();
        // A background `sleep` of `sh` ignores SIGINT; its output must not keep our pipes open.
        let script = script.replace("sleep 20 &", "sleep 20 >/dev/null 2>&1 &");
        let mut command = program(&repo);
        command.args(["record", "--", "sh", "-c", &script]);
        // Away from the terminal of whoever runs the tests.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().unwrap();
        wait_for(&repo.path().join("ready"));
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{signal} {script}");
        let shown = only_run(&repo);
        assert_eq!(shown["status"], status, "{signal} {script}");
        let expected = if by.is_empty() { Value::Null } else { by.into() };
        assert_eq!(shown["signal"], expected, "{signal} {script}");
    }
}

/// Types ^C at a terminal in which a command counts its interrupts, through `git xtrack` as through `git-xtrack`.
#[cfg(unix)]
const AT_A_TERMINAL: &str = r#"
import os, pty, sys, time
COUNT = """
import signal, sys, time
count = 0
def handler(*_):
    global count
    count += 1
signal.signal(signal.SIGINT, handler)
print("ready", flush=True)
end = time.time() + 1.5
while time.time() < end:
    time.sleep(0.05)
print("count", count, flush=True)
sys.exit(count)
"""
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:] + ["record", "--", sys.executable, "-c", COUNT])
said = b""
is_typed = False
while True:
    try:
        said += os.read(terminal, 1000)
    except OSError:
        break
    if b"ready" in said and not is_typed:
        is_typed = True
        os.write(terminal, b"\x03")
os.waitpid(pid, 0)
sys.stdout.buffer.write(said)
"#;

#[cfg(unix)]
#[test]
fn an_interrupt_typed_at_a_terminal_reaches_the_command_once() {
    let program = Path::new(env!("CARGO_BIN_EXE_git-xtrack"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    for call in [&[program.to_str().unwrap()][..], &["git", "xtrack"]] {
        let repo = repo();
        let mut command = repo.command("python3");
        let output = run(command.env("PATH", &path).args(["-c", AT_A_TERMINAL]).args(call)).ok();
        assert!(output.stdout.contains("count 1"), "{call:?}: {}", output.stdout);
        let begin = Instant::now();
        // `git` may be gone before we are.
        while repo.refs("refs/runs").is_empty() && begin.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(only_run(&repo)["status"], "killed", "{call:?}");
    }
}

#[cfg(unix)]
#[test]
fn an_ignored_signal_stays_ignored() {
    let repo = repo();
    let script = "trap '' HUP; exec \"$0\" record -- sh -c 'kill -HUP $$; exit 6'";
    let output = run(repo.command("sh").args(["-c", script, env!("CARGO_BIN_EXE_git-xtrack")]));
    assert_eq!(output.code, if cfg!(target_os = "linux") { 6 } else { 129 });
}

#[test]
fn the_id_file_is_there_before_the_command_starts() {
    let repo = repo();
    let output =
        repo.xtrack(&["record", "--id-file", "id", "--", "sh", "-c", "cat id; echo $XTRACK_RUN_ID"]).ok();
    let lines: Vec<_> = output.stdout.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], lines[1]);
    assert_eq!(repo.refs("refs/runs"), [format!("refs/runs/{}", lines[0])]);
    refused(&self::repo(), &["--id-file", "no/such/folder", "--", "touch", "x"], "id file");
}

#[test]
fn without_a_command_the_id_alone_is_printed() {
    let repo = repo();
    let output = repo.xtrack(&["record", "-p", "lr=0.1", "-m", "accuracy=0.93"]).ok();
    assert_eq!(output.stderr, "");
    let id = output.stdout.trim_end();
    assert_eq!(repo.refs("refs/runs"), [format!("refs/runs/{id}")]);
    let shown = shown(&repo, id);
    assert_eq!(shown["params"]["lr"], 0.1);
    assert_eq!(shown["metrics"]["accuracy"]["last"], 0.93);
    assert_eq!(shown["started"], shown["ended"]);
    let json: Value =
        serde_json::from_str(&repo.xtrack(&["record", "--json", "--name", "x"]).ok().stdout).unwrap();
    assert_eq!((&json["format"], &json["name"]), (&1.into(), &"x".into()));
}

#[test]
fn values_are_typed() {
    let repo = repo();
    let pairs = [
        "a=1",
        "b=1.5",
        "c=true",
        "d=none",
        "e=[1, 2]",
        "f.g=text",
        "h='1'",
        "i=2026-01-01",
        "\"x.y\"=1",
        "n=18446744073709551616",
        "u=https://host/?a=b",
    ];
    let arguments: Vec<&str> = pairs.iter().flat_map(|pair| ["-p", *pair]).collect();
    let id = record(&repo, &arguments);
    let expected = serde_json::json!({
        "a": 1, "b": 1.5, "c": true, "d": null, "e": [1, 2], "f": {"g": "text"}, "h": "1", "i": "2026-01-01",
        "x.y": 1, "u": "https://host/?a=b"
    });
    let mut params = shown(&repo, &id)["params"].clone();
    let large = params.as_object_mut().unwrap().remove("n").unwrap();
    assert_eq!(large.to_string(), "18446744073709551616");
    assert_eq!(params, expected);
}

#[test]
fn params_come_from_files_and_the_command_and_the_explicit_wins() {
    let repo = repo();
    repo.write("params.yaml", "model:\n  depth: 3\n  width: 8\nlr: 0.5\n");
    let arguments =
        ["record", "--params", "params.yaml", "-p", "lr=0.25", "--", "true", "--lr=0.75", "--epochs", "7"];
    repo.xtrack(&arguments).ok();
    let params = only_run(&repo)["params"].clone();
    assert_eq!(params, serde_json::json!({"model": {"depth": 3, "width": 8}, "lr": 0.25, "epochs": 7}));
}

#[test]
fn secrets_of_the_command_line_are_not_kept() {
    let repo = repo();
    repo.xtrack(&["record", "--", "true", "--api-token", "hunter2", "--password=hunter2"]).ok();
    let id = repo.refs("refs/runs")[0].clone();
    assert!(!repo.git(&["show", &format!("{id}:run.toml")]).contains("hunter2"));
}

#[test]
fn hostile_names_are_refused_before_anything_is_written() {
    let repo = repo();
    let long = "x".repeat(4096);
    for name in ["", "a\nb", "a\u{1b}[31mb", "a\u{202e}b", long.as_str()] {
        for option in ["--name", "--experiment", "--group", "--tag", "--run-key"] {
            refused(&repo, &[option, name], "");
        }
    }
    // Harmless: no name becomes a path or a ref.
    let id = record(&repo, &["--name", "..", "-p", "\"a/../b\"=1", "-t", "../../x"]);
    let shown = shown(&repo, &id);
    assert_eq!(
        (&shown["name"], &shown["tags"][0], &shown["params"]["a/../b"]),
        (&"..".into(), &"../../x".into(), &1.into())
    );
    repo.assert_sound();
}

#[cfg(unix)]
#[test]
fn what_is_no_utf8_is_kept_or_refused_with_a_reason() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let repo = repo();
    let strange = OsStr::from_bytes(b"caf\xe9");
    let output = run(program(&repo).args(["record", "--name"]).arg(strange));
    assert_eq!(output.code, 2);
    assert!(output.stderr.to_lowercase().contains("utf-8"), "{}", output.stderr);
    assert_eq!(repo.refs("refs/runs"), Vec::<String>::new());
    fs::write(repo.path().join(strange), "x").unwrap();
    let output =
        run(program(&repo).args(["record", "-a"]).arg(strange).args(["--", "test", "-f"]).arg(strange));
    assert_eq!(output.code, 0, "{}", output.stderr);
    let tip = repo.refs("refs/runs")[0].clone();
    assert!(repo.git(&["show", &format!("{tip}:run.toml")]).contains("$bytes"));
}

#[test]
fn bad_values_are_refused_before_anything_is_written() {
    let repo = repo();
    repo.write("bad.toml", "a = \n");
    repo.write("bad.yaml", "a: [1\n");
    repo.write("twice.json", "{\"a\": 1, \"a\": 2}");
    repo.write("text.json", "{\"a\": \"good\"}");
    for file in ["bad.toml", "bad.yaml", "twice.json"] {
        refused(&repo, &["--params", file], file);
        refused(&repo, &["--params", file, "--", "touch", "ran"], file);
        refused(&repo, &["--metrics", file], file);
    }
    refused(&repo, &["--metrics", "text.json"], "text.json");
    refused(&repo, &["-p", "a=1", "-p", "a=2"], "a");
    refused(&repo, &["-m", "a=1", "-m", "a=2"], "twice");
    refused(&repo, &["-m", "a=high"], "a");
    refused(&repo, &["-p", "novalue"], "novalue");
    assert!(!repo.path().join("ran").exists());
}

#[test]
fn missing_files_stop_before_the_command_and_are_warned_of_after_it() {
    let repo = repo();
    refused(&repo, &["--params", "gone.toml", "--", "touch", "ran"], "gone.toml");
    refused(&repo, &["--input", "gone.csv", "--", "touch", "ran"], "gone.csv");
    assert!(!repo.path().join("ran").exists());
    refused(&repo, &["-a", "gone.png"], "gone.png");
    refused(&repo, &["--metrics", "gone.json"], "gone.json");
    let asked = ["--metrics", "gone.json", "-a", "gone.png", "-a", "*.none", "--"];
    let output = repo.xtrack(&[&["record"], &asked[..], &["true"]].concat()).ok();
    assert_eq!(output.stderr.matches("warning: ").count(), 3, "{}", output.stderr);
    assert_eq!(repo.xtrack(&[&["record", "--strict"], &asked[..], &["true"]].concat()).code, 1);
    assert_eq!(repo.xtrack(&[&["record", "--strict"], &asked[..], &["sh", "-c", "exit 9"]].concat()).code, 9);
    assert_eq!(repo.refs("refs/runs").len(), 3);
}

#[test]
fn what_the_command_did_not_touch_is_said_to_be_older() {
    let repo = repo();
    repo.write("old.json", "{\"loss\": 1}");
    let past = std::time::SystemTime::now() - Duration::from_secs(60);
    fs::File::options().write(true).open(repo.path().join("old.json")).unwrap().set_modified(past).unwrap();
    let script = "echo '{\"acc\": 2}' > new.json";
    let arguments = [
        "record",
        "--metrics",
        "old.json",
        "--metrics",
        "new.json",
        "-a",
        "*.json",
        "--",
        "sh",
        "-c",
        script,
    ];
    let output = repo.xtrack(&arguments).ok();
    assert_eq!(output.stderr.matches("is older than the run").count(), 2, "{}", output.stderr);
    assert!(!output.stderr.contains("new.json"), "{}", output.stderr);
    let shown = only_run(&repo);
    assert_eq!((&shown["metrics"]["loss"]["last"], &shown["metrics"]["acc"]["last"]), (&1.into(), &2.into()));
}

#[test]
fn artifacts_are_inline_or_stored() {
    let repo = repo();
    let script = "mkdir -p out/plots; echo plot > out/plots/loss.png; head -c 200000 /dev/zero > out/model.bin; mkfifo out/pipe";
    let output = repo.xtrack(&["record", "-a", "out", "--", "sh", "-c", script]).ok();
    assert!(output.stderr.contains("pipe"), "{}", output.stderr);
    assert!(output.stderr.contains("2 artifacts"), "{}", output.stderr);
    let shown = only_run(&repo);
    let artifacts = shown["artifacts"].as_array().unwrap();
    let told: Vec<_> = artifacts
        .iter()
        .map(|artifact| (artifact["path"].as_str().unwrap(), artifact["inline"] == true))
        .collect();
    assert_eq!(told, [("out/model.bin", false), ("out/plots/loss.png", true)]);
    let sha256 = artifacts[0]["sha256"].as_str().unwrap();
    let stored = repo.path().join(".git/xtrack/objects").join(&sha256[..2]).join(sha256);
    assert_eq!(fs::read(&stored).unwrap(), vec![0; 200_000]);
    assert!(fs::metadata(&stored).unwrap().permissions().readonly());
    let tip = repo.refs("refs/runs")[0].clone();
    let inline = repo.git(&["ls-tree", "-r", "--name-only", &tip, "artifacts"]);
    let inline = inline.lines().find(|path| path.ends_with("loss.png")).unwrap();
    assert_eq!(repo.git(&["cat-file", "blob", &format!("{tip}:{inline}")]), "plot");
    repo.assert_sound();
}

#[test]
fn inputs_are_kept_by_digest() {
    let repo = repo();
    repo.write("data/train.csv", "1,2\n");
    let id = record(&repo, &["--input", "train=data/train.csv", "--input", "data"]);
    let inputs = shown(&repo, &id)["inputs"].clone();
    assert_eq!((&inputs[0]["name"], &inputs[0]["path"]), (&"train".into(), &"data/train.csv".into()));
    assert_eq!((&inputs[0]["size"], inputs[0]["sha256"].as_str().unwrap().len()), (&4.into(), 64));
    assert_eq!(inputs[1]["name"], "data");
}

#[test]
fn a_keyed_run_gathers_attempts() {
    let repo = repo();
    let first = record(&repo, &["--run-key", "job-7", "-p", "chunk=1"]);
    let again = repo.xtrack(&["record", "--run-key", "job-7", "-p", "chunk=2", "--", "sh", "-c", "exit 1"]);
    assert_eq!(again.code, 1);
    assert!(first.starts_with("00000000-"));
    assert_eq!(repo.refs("refs/runs"), [format!("refs/runs/{first}")]);
    let identity = repo.git(&["show", &format!("refs/runs/{first}:run.toml")]);
    assert_eq!(identity, format!("format = 1\nid = \"{first}\"\nkey = \"job-7\""));
    let shown = shown(&repo, &first);
    assert_eq!(shown["attempts"].as_array().unwrap().len(), 2);
    assert_eq!((&shown["status"], &shown["params"]["chunk"]), (&"failed".into(), &2.into()));
    repo.assert_sound();
}

#[test]
fn a_parent_is_kept_by_its_whole_id() {
    let repo = repo();
    let parent = record(&repo, &["--name", "sweep"]);
    let child = record(&repo, &["--parent", "sweep"]);
    assert_eq!(shown(&repo, &child)["parent"], parent.as_str());
    let output = repo.xtrack(&["record", "--parent", "nobody", "--", "touch", "ran"]);
    assert_eq!(output.code, 4, "{}", output.stderr);
    assert!(!repo.path().join("ran").exists());
}

#[test]
fn settings_give_defaults() {
    let repo = repo();
    repo.write(
        "xtrack.toml",
        "experiment = \"digits\"\n[record]\nparams = [\"params.toml\", \"absent.toml\"]\nmetrics = [\"metrics.json\"]\n\
         artifacts = [\"*.png\", \"*.none\"]\n",
    );
    repo.write("params.toml", "lr = 0.5\n");
    let script = "echo '{\"acc\": 0.5}' > metrics.json; echo x > a.png";
    repo.write("sub/x", "");
    let output = repo.at("sub").xtrack(&["record", "--", "sh", "-c", &format!("cd ..; {script}")]).ok();
    assert_eq!(output.stderr.matches("warning: ").count(), 1, "{}", output.stderr);
    assert!(output.stderr.contains("absent.toml"), "{}", output.stderr);
    let shown = only_run(&repo);
    assert_eq!((&shown["experiment"], &shown["params"]["lr"]), (&"digits".into(), &0.5.into()));
    assert_eq!(
        (&shown["metrics"]["acc"]["last"], &shown["artifacts"][0]["path"]),
        (&0.5.into(), &"a.png".into())
    );
}

#[test]
fn outside_a_repository_nothing_runs() {
    let folder = Repo::folder("nowhere");
    let output = folder.xtrack(&["record", "--", "touch", "ran"]);
    assert_eq!(output.code, 3, "{}", output.stderr);
    assert!(output.stderr.contains("git init"), "{}", output.stderr);
    assert!(!folder.path().join("ran").exists());
}

#[test]
fn a_tracker_that_cannot_write_does_not_cost_the_command() {
    let repo = repo();
    // A file where our folder should be, and refs that cannot be made.
    repo.write(".git/xtrack", "");
    repo.write(".git/refs/runs", "");
    let command = ["--", "sh", "-c", "touch ran; exit 0"];
    let output = repo.xtrack(&[&["record"], &command[..]].concat());
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stderr.contains("warning: "), "{}", output.stderr);
    assert!(repo.path().join("ran").exists());
    fs::remove_file(repo.path().join("ran")).unwrap();
    assert_eq!(repo.xtrack(&[&["record", "--strict"], &command[..]].concat()).code, 1);
    assert!(!repo.path().join("ran").exists());
}

#[test]
fn sixty_four_at_once_lose_nothing() {
    let repo = repo();
    let spawn =
        |number: usize| program(&repo).args(["record", "-p", &format!("n={number}")]).spawn().unwrap();
    let children: Vec<_> = (0..64).map(spawn).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(repo.refs("refs/runs").len(), 64);
    let listed: Value = serde_json::from_str(&repo.xtrack(&["log", "--json"]).ok().stdout).unwrap();
    let mut numbers: Vec<_> =
        listed.as_array().unwrap().iter().map(|run| run["params"]["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..64));
    repo.assert_sound();
}

#[test]
fn attempts_of_one_key_at_once_lose_nothing() {
    let repo = repo();
    let spawn = |number: usize| {
        program(&repo).args(["record", "--run-key", "job", "-p", &format!("n{number}=1")]).spawn().unwrap()
    };
    let children: Vec<_> = (0..16).map(spawn).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let shown = only_run(&repo);
    assert_eq!(shown["attempts"].as_array().unwrap().len(), 16);
    assert_eq!(shown["params"].as_object().unwrap().len(), 16);
    // What lost the race for the ref may stay behind as loose objects; nothing may be broken.
    repo.git(&["fsck", "--strict", "--no-dangling"]);
}

#[cfg(unix)]
#[test]
fn a_killed_recorder_leaves_a_trace_and_nothing_broken() {
    let repo = repo();
    let script = "touch ready; exec sleep 20 >/dev/null 2>&1";
    let mut child = program(&repo).args(["record", "-p", "lr=1", "--", "sh", "-c", script]).spawn().unwrap();
    wait_for(&repo.path().join("ready"));
    send(&child, "-KILL");
    child.wait().unwrap();
    let folders = live_folders(&repo);
    assert_eq!(folders.len(), 1);
    let start = repo.read(format!(".git/xtrack/live/{}/start.toml", folders[0]));
    for known in ["status = \"running\"", "lr = 1", "command = [\"sh\"", &format!("pid = {}", child.id())] {
        assert!(start.contains(known), "{known}: {start}");
    }
    assert_eq!(repo.refs("refs/runs"), Vec::<String>::new());
    repo.git(&["fsck", "--strict", "--no-dangling"]);
    record(&repo, &["-p", "lr=2"]);
}

#[cfg(target_os = "linux")]
#[test]
#[allow(clippy::print_stderr)]
fn objects_are_durable_before_the_ref_moves() {
    let repo = repo();
    repo.write("model.bin", vec![1; 200_000]);
    let trace = repo.root().join("trace");
    let mut command = repo.command("strace");
    command
        .args(["-f", "-y", "-e", "trace=fsync,fdatasync,rename,renameat,renameat2,link,linkat", "-o"])
        .arg(&trace);
    command.arg(env!("CARGO_BIN_EXE_git-xtrack")).args(["record", "-a", "model.bin", "-p", "lr=1"]);
    let works = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .status()
        .is_ok_and(|status| status.success());
    if !works {
        assert!(std::env::var_os("XTRACK_FORBID_SKIPS").is_none(), "strace is wanted and does not work");
        eprintln!("skipped: strace is not here");
        return;
    }
    run(&mut command).ok();
    let text = fs::read_to_string(&trace).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let is_ref_move = |line: &&str| line.contains("rename") && line.contains("refs/runs/");
    let moved = lines.iter().position(is_ref_move).expect("the ref is renamed into place");
    let is_sync = |line: &&&str| line.contains("fsync(") || line.contains("fdatasync(");
    let before = |what: &str| lines[..moved].iter().filter(is_sync).any(|line| line.contains(what));
    assert!(before("/.git/objects"), "git objects are synced first: {text}");
    assert!(before("/.git/xtrack/objects"), "artifact bytes are synced first: {text}");
    let named_later = |line: &&&str| {
        (line.contains("rename") || line.contains("link"))
            && line.contains("objects/")
            && !line.contains("refs/runs/")
    };
    assert_eq!(lines[moved..].iter().filter(named_later).count(), 0, "no object comes after the ref: {text}");
}

#[test]
fn the_pieces_of_a_keyed_run_have_one_made_up_name_and_a_resumed_one_keeps_its_own() {
    let repo = repo();
    let clone = repo.clone(&[]);
    for shard in [&repo, &clone] {
        shard.xtrack(&["record", "--run-key", "job-7", "--", "true"]).ok();
    }
    let name = only_run(&repo)["name"].clone();
    assert_eq!(name, only_run(&clone)["name"]);
    let output = repo.xtrack(&["record", "--resume", "@", "--", "true"]).ok();
    assert!(output.stderr.contains(&format!("recorded {} ", name.as_str().unwrap())), "{}", output.stderr);
    assert_eq!(only_run(&repo)["name"], name);
}

#[test]
fn an_id_file_that_cannot_be_written_leaves_no_run() {
    let repo = Repo::new();
    for arguments in [
        &["record", "--id-file", "no/such/folder", "--", "touch", "ran"][..],
        &["begin", "--id-file", "no/such/folder"],
    ] {
        let output = repo.xtrack(arguments);
        assert_eq!(output.code, 1, "{arguments:?}");
    }
    assert!(!repo.path().join("ran").exists());
    let output = repo.xtrack(&["log"]).ok();
    assert!(output.stdout.is_empty() || output.stdout.contains("no runs yet"), "{}", output.stdout);
    assert!(!output.stderr.contains("recovered"), "{}", output.stderr);
}

#[test]
fn variables_say_what_was_not_typed() {
    let mut repo = Repo::new();
    for (name, value) in [
        ("XTRACK_NAME", "from-job"),
        ("XTRACK_EXPERIMENT", "digits"),
        ("XTRACK_GROUP", "g"),
        ("XTRACK_TAGS", "a, k=v"),
        ("XTRACK_NOTES", "n"),
    ] {
        repo.set(name, value);
    }
    repo.xtrack(&["record", "--tag", "b", "--", "sh", "-c", "test -z \"$XTRACK_NAME$XTRACK_TAGS\""]).ok();
    let run = shown(&repo, "from-job");
    assert_eq!((&run["experiment"], &run["group"]), (&"digits".into(), &"g".into()));
    assert_eq!(run["tags"], serde_json::json!(["a", "k=v", "b"]));
    let folder = repo.xtrack(&["begin", "--name", "typed"]).ok();
    assert!(shown(&repo, "typed")["tags"] == serde_json::json!(["a", "k=v"]), "{folder:?}");
    repo.set("XTRACK_NAME", "a\u{202e}b");
    assert_eq!(repo.xtrack(&["record", "-m", "x=1"]).code, 2);
}

#[test]
fn a_long_search_path_keeps_no_command_from_starting() {
    let mut repo = Repo::new();
    repo.set("PYTHONPATH", &"x".repeat(131_000));
    let output = repo.xtrack(&["record", "--", "echo", "hi"]).ok();
    assert_eq!(output.stdout, "hi\n");
}
