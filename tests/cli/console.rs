//! What a recorded command prints: passed on byte for byte whatever dies, and captured.
#![cfg(unix)]

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::repo::{Repo, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_git-xtrack");

fn repo() -> Repo {
    let repo = Repo::new();
    repo.write(".gitignore", "*\n");
    repo
}

fn program(repo: &Repo, arguments: &[&str]) -> Command {
    let mut command = repo.command(PROGRAM);
    command.args(arguments);
    command
}

fn record(repo: &Repo, script: &str) -> Command {
    program(repo, &["record", "--", "sh", "-c", script])
}

#[track_caller]
fn console(repo: &Repo) -> String {
    repo.xtrack(&["show", "--console"]).ok().stdout
}

/// What a command prints that is no text, but always the same.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(20), "never: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn kill(signal: &str, pid: u32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

/// The processes that a process started.
fn children(pid: u32) -> Vec<(u32, String)> {
    let list = run(Command::new("ps").args(["-o", "pid=,args=", "--ppid", &pid.to_string()])).stdout;
    let child = |line: &str| {
        let (pid, command) = line.trim().split_once(' ')?;
        Some((pid.parse().ok()?, command.to_owned()))
    };
    list.lines().filter_map(child).collect()
}

fn pump(recorder: &Child) -> u32 {
    children(recorder.id()).into_iter().find(|(_, command)| command.contains(" _pump ")).unwrap().0
}

fn live(repo: &Repo) -> String {
    let folders = fs::read_dir(repo.path().join(".git/xtrack/live")).unwrap();
    let folder = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).next().unwrap();
    format!(".git/xtrack/live/{folder}")
}

/// Runs a program at a terminal of 100 × 30, whose own changes to output are off if asked; prints what it is shown.
const TERMINAL: &str = r#"
import fcntl, os, pty, struct, sys, termios, time
is_raw, when, action = sys.argv[1] == "raw", sys.argv[2].encode(), sys.argv[3]
size = lambda rows, columns: fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
ready, go = os.pipe()
pid, terminal = pty.fork()
if pid == 0:
    os.read(ready, 1)
    os.execvp(sys.argv[4], sys.argv[4:])
size(30, 100)
if is_raw:
    settings = termios.tcgetattr(terminal)
    settings[1] &= ~termios.OPOST
    termios.tcsetattr(terminal, termios.TCSANOW, settings)
os.write(go, b"x")
said = b""
while True:
    try:
        more = os.read(terminal, 65536)
    except OSError:
        break
    if not more:
        break
    said += more
    if when and when in said:
        when = b""
        if action == "resize":
            size(40, 120)
        elif action.startswith("type "):
            os.write(terminal, action[5:].encode().decode("unicode_escape").encode())
        elif action == "interrupt":
            import signal
            os.kill(pid, signal.SIGINT)
        elif action == "close":
            os.close(terminal)
            break
status = os.waitpid(pid, 0)[1]
sys.stdout.buffer.write(said)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(status) & 127)
"#;

/// Calls a program at a terminal; once `when` is shown, `action` happens.
fn at_terminal(repo: &Repo, mode: &str, when: &str, action: &str, call: &[&str]) -> (Vec<u8>, i32) {
    let mut command = repo.command("python3");
    let output = command.args(["-c", TERMINAL, mode, when, action]).args(call).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.stdout, output.status.code().unwrap())
}

fn recorded_at_terminal(repo: &Repo, mode: &str, when: &str, action: &str, call: &[&str]) -> (Vec<u8>, i32) {
    let call = [&[PROGRAM, "record", "--"], call].concat();
    at_terminal(repo, mode, when, action, &call)
}

/// Without the line that says what was recorded.
#[track_caller]
fn without_summary(said: &[u8]) -> &[u8] {
    let at = said.windows(8).rposition(|window| window == b"xtrack: ");
    &said[..at.expect("the summary is there")]
}

#[test]
fn bytes_pass_unchanged_through_pipes() {
    let repo = repo();
    let (out, error) = (noise(1, 5_000_000), noise(2, 5_000_000));
    repo.write("out", &out);
    repo.write("error", &error);
    let output = record(&repo, "cat error >&2 & cat out; wait").output().unwrap();
    assert!(output.status.success());
    assert!(output.stdout == out, "{} bytes of stdout", output.stdout.len());
    assert!(without_summary(&output.stderr) == error, "{} bytes of stderr", output.stderr.len());
    let shown = console(&repo);
    assert!(!shown.contains('\u{1b}') && shown.contains("left out …"));
}

#[test]
fn bytes_pass_unchanged_into_files() {
    let repo = repo();
    let (out, error) = (noise(3, 5_000_000), noise(4, 300_000));
    repo.write("a", &out);
    repo.write("b", &error);
    for both in [true, false] {
        let mut command = record(&repo, "cat a; cat b >&2");
        let file = File::create(repo.path().join("log")).unwrap();
        let other =
            if both { file.try_clone().unwrap() } else { File::create(repo.path().join("errors")).unwrap() };
        assert!(command.stdout(file).stderr(other).status().unwrap().success());
        let log = fs::read(repo.path().join("log")).unwrap();
        let errors = fs::read(repo.path().join("errors")).unwrap_or_default();
        match both {
            true => assert!(without_summary(&log) == [out.clone(), error.clone()].concat()),
            false => assert!(log == out && without_summary(&errors) == error),
        }
        assert!(console(&repo).contains("left out …"));
    }
}

#[test]
fn bytes_pass_unchanged_to_a_terminal() {
    let repo = repo();
    let (out, error) = (noise(5, 5_000_000), noise(6, 200_000));
    repo.write("a", &out);
    repo.write("b", &error);
    let script = "cat a; cat b >&2";
    let (said, code) = recorded_at_terminal(&repo, "raw", "", "", &["sh", "-c", script]);
    assert_eq!(code, 0);
    assert!(without_summary(&said) == [out, error].concat());
    // As the terminal itself changes them, they are the same as without us.
    repo.write("a", "one\n\ttwo\r\nthree\x1b[31m\n");
    let (plain, _) = at_terminal(&repo, "cooked", "", "", &["sh", "-c", script]);
    let (said, _) = recorded_at_terminal(&repo, "cooked", "", "", &["sh", "-c", script]);
    assert!(without_summary(&said) == plain);
}

#[test]
fn a_terminal_stays_a_terminal() {
    let repo = repo();
    let script = r#"
import os, signal, sys, time
print([os.isatty(fd) for fd in range(3)], os.get_terminal_size(1), os.get_terminal_size(2), flush=True)
sizes = []
signal.signal(signal.SIGWINCH, lambda *_: sizes.append(os.get_terminal_size(1)))
print("ready", flush=True)
end = time.time() + 10
while time.time() < end and (not sizes or sizes[-1].columns != 120):
    time.sleep(0.01)
print(sizes[-1], input("name? "), open("/dev/tty").isatty(), flush=True)
"#;
    let call = ["python3", "-c", script];
    let (said, code) = recorded_at_terminal(
        &repo,
        "cooked",
        "ready",
        "resize",
        &[&["timeout", "--foreground", "3"][..], &call].concat(),
    );
    let said = String::from_utf8_lossy(&said).into_owned();
    let size = "os.terminal_size(columns=100, lines=30)";
    assert!(said.contains(&format!("[True, True, True] {size} {size}")), "{said}");
    // It was told of the new size, and waits for input now.
    assert!(said.contains("name? ") && code == 124 & 127, "{code} {said}");
    let script = "echo \"$(tty <&2)\"; printf 'name? '; read name; echo \"hello $name\"; exit 3";
    let (said, code) = recorded_at_terminal(&repo, "cooked", "name? ", r"type ann\n", &["sh", "-c", script]);
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("/dev/pts/") && said.contains("hello ann") && code == 3, "{code} {said}");
    assert!(console(&repo).ends_with("name? hello ann\n"), "{}", console(&repo));
}

#[test]
fn only_what_is_a_terminal_becomes_one() {
    let repo = repo();
    let script = "kinds=; for fd in 0 1 2; do test -t $fd && kinds=${kinds}t || kinds=${kinds}n; done; printf $kinds >&3; echo out; echo err >&2";
    let cases = [
        ("", "ttt"),
        (">log", "tnt"),
        ("2>log", "ttn"),
        (">log 2>&1", "tnn"),
        ("| cat", "tnt"),
        ("</dev/null", "ntt"),
    ];
    for (redirected, expected) in cases {
        let line = format!("\"$0\" record -- sh -c '{script}' 3>kinds {redirected}");
        let (said, code) = at_terminal(&repo, "cooked", "", "", &["sh", "-c", &line, PROGRAM]);
        let said = String::from_utf8_lossy(&said).into_owned();
        assert_eq!((repo.read("kinds").as_str(), code), (expected, 0), "{redirected}: {said}");
        let mut lines: Vec<_> =
            console(&repo).lines().filter(|line| line.len() == 3).map(str::to_owned).collect();
        lines.sort();
        assert_eq!(lines, ["err", "out"], "{redirected}: {said}");
    }
}

#[test]
fn a_reader_that_goes_away_is_seen_by_the_command() {
    let repo = repo();
    let script = "trap \"\" PIPE; echo first; sleep 0.3; echo more || echo broken >&2; echo last >&2; exit 5";
    let line = format!("\"$0\" record -- sh -c '{script}' | head -1");
    let output = run(repo.command("sh").args(["-c", &line, PROGRAM]));
    assert_eq!(output.stdout, "first\n");
    assert!(output.stderr.contains("broken\nlast\n"), "{}", output.stderr);
    // And by its signal, if it does not care.
    let script = "yes; echo $? >status";
    let line = format!("\"$0\" record -- sh -c '{script}' | head -1");
    assert_eq!(run(repo.command("sh").args(["-c", &line, PROGRAM])).stdout, "y\n");
    assert_eq!(repo.read("status"), "141\n");
    let line = "\"$0\" record -- sh -c 'echo x || echo refused >&2' >/dev/full";
    assert!(run(repo.command("sh").args(["-c", line, PROGRAM])).stderr.contains("refused\n"));
    let line = "\"$0\" record -- sh -c 'echo x; echo y >&2' >&-";
    assert!(run(repo.command("sh").args(["-c", line, PROGRAM])).stderr.contains("y\n"));
}

#[test]
fn a_slow_reader_holds_the_command_back_on_that_stream_only() {
    let repo = repo();
    let script = "(yes 2>/dev/null | head -c 4000000; touch written) & i=0; while [ $i -lt 200 ]; do echo $i >&2; i=$((i+1)); done; touch said; wait";
    let mut child = record(&repo, script).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    until("stderr is through", || repo.path().join("said").exists());
    thread::sleep(Duration::from_millis(300));
    assert!(!repo.path().join("written").exists());
    let mut said = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut said).unwrap();
    assert!(said.len() == 4_000_000 && child.wait().unwrap().success());
}

const COUNT: &str = "i=0; while [ $i -lt 60 ]; do echo \"line $i\"; echo \"error $i\" >&2; i=$((i+1)); sleep 0.01; done; echo $? >done";

#[test]
fn the_command_goes_on_when_the_recorder_is_killed() {
    let repo = repo();
    let mut child = record(&repo, COUNT).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 20]).unwrap();
    kill("-KILL", child.id());
    child.wait().unwrap();
    let mut said = String::new();
    stdout.read_to_string(&mut said).unwrap();
    assert!(said.ends_with("line 59\n"));
    until("the command's end", || repo.path().join("done").exists());
    assert_eq!(repo.read("done"), "0\n");
    let head =
        || fs::read_to_string(repo.path().join(live(&repo)).join("console/head.log")).unwrap_or_default();
    until("all is kept", || head().contains("error 59\n"));
    assert_eq!(head().lines().count(), 120);
    // At a terminal as well.
    let repo = self::repo();
    let line = format!("\"$0\" record -- sh -c '{COUNT}' & sleep 0.3; kill -KILL $!; sleep 1.5");
    let (said, _) = at_terminal(&repo, "cooked", "", "", &["sh", "-c", &line, PROGRAM]);
    assert!(String::from_utf8_lossy(&said).contains("line 59\r\nerror 59\r\n"));
    assert_eq!(repo.read("done"), "0\n");
}

#[test]
fn what_reached_the_pump_outlives_it() {
    let repo = repo();
    let script = "seq 1 200; printf 'half a line'; touch ready; sleep 20 >/dev/null 2>&1";
    let mut child = record(&repo, script).stdout(Stdio::null()).spawn().unwrap();
    until("it has printed", || repo.path().join("ready").exists());
    let screen = repo.path().join(live(&repo)).join("console/screen.log");
    until("it is kept", || fs::read_to_string(&screen).is_ok_and(|text| text.contains("half a line")));
    let pump = pump(&child);
    let command = children(child.id()).into_iter().find(|(_, command)| command.contains("seq")).unwrap().0;
    kill("-KILL", child.id());
    kill("-KILL", pump);
    kill("-KILL", command);
    child.wait().unwrap();
    let shown = console(&repo);
    assert!(shown.starts_with("1\n2\n") && shown.ends_with("200\nhalf a line\n"), "{shown}");
}

#[test]
fn a_pump_that_cannot_start_is_not_missed() {
    let repo = repo();
    // Started by the loader, which the program then takes for itself.
    let loader = Path::new("/lib64/ld-linux-x86-64.so.2");
    if !loader.exists() {
        return;
    }
    repo.write("noise", noise(7, 1_000_000));
    let mut command = repo.command(loader.to_str().unwrap());
    let output = command
        .args([PROGRAM, "record", "--", "sh", "-c", "cat noise; echo err >&2; exit 3"])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(3) && stderr.contains("err\n"), "{stderr}");
    assert!(output.stdout == noise(7, 1_000_000));
}

#[test]
fn what_is_left_behind_keeps_nobody_waiting() {
    let repo = repo();
    let begin = Instant::now();
    let script = "(sleep 4; echo late >&2; touch late) & echo early";
    let mut child = record(&repo, script).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    assert!(child.wait().unwrap().success());
    let elapsed = begin.elapsed();
    assert!(elapsed > Duration::from_millis(1900) && elapsed < Duration::from_millis(3500), "{elapsed:?}");
    assert_eq!(console(&repo), "early\n");
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert!(said.ends_with("late\n") && repo.path().join("late").exists(), "{said}");
    // What closes its output is not waited for at all.
    let begin = Instant::now();
    run(&mut record(&repo, "sleep 20 >/dev/null 2>&1 & echo early")).ok();
    assert!(begin.elapsed() < Duration::from_millis(1900));
}

#[test]
fn progress_bars_are_captured_as_they_end() {
    let repo = repo();
    let script = r##"
import sys
sys.stderr.write("epoch 1\n")
for i in range(101):
    sys.stderr.write("\r%3d%%|%-20s| %d/100 [00:01<00:02, 42.0it/s]" % (i, "#" * (i // 5), i)); sys.stderr.flush()
sys.stderr.write("\n")
sys.stderr.write("outer: 0%")
for i in range(1, 21):
    sys.stderr.write("\n\rinner: %d\x1b[A\router: %d%%" % (i, i * 5)); sys.stderr.flush()
sys.stderr.write("\n\n")
sys.stderr.write("\x1b[1;32mdone\x1b[0m\n")
"##;
    let output = run(&mut program(&repo, &["record", "--", "python3", "-c", script])).ok();
    assert!(output.stderr.contains("\x1b[A"));
    insta::assert_snapshot!(console(&repo), @"
    epoch 1
    100%|####################| 100/100 [00:01<00:02, 42.0it/s]
    outer: 100%
    inner: 20
    done
    ");
}

#[test]
fn secrets_are_passed_on_and_not_kept() {
    let repo = repo();
    let script = r#"
import os
line = b"login ghp_0123456789abcdefghij password=hunter22 ok\n"
for at in range(0, len(line), 3):
    os.write(1, line[:at]); os.write(1, line[at:])
os.write(2, b"-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nc3RhcnQ\n-----END RSA PRIVATE KEY-----\nrest corp-1234\n")
"#;
    repo.write("xtrack.toml", "[record]\nredact = ['corp-\\d+']\n");
    let output = run(&mut program(&repo, &["record", "--", "python3", "-c", script])).ok();
    assert!(output.stdout.contains("hunter22") && output.stderr.contains("MIIEow"));
    let shown = console(&repo);
    for secret in ["ghp_", "hunter22", "MIIE", "c3Rh"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    assert!(
        shown.contains("login [redacted] password=[redacted] ok\n") && shown.contains("rest "),
        "{shown}"
    );
}

#[test]
fn a_file_is_captured_from_where_the_command_began() {
    let repo = repo();
    repo.write("slurm.out", "before\n");
    let line = "\"$0\" record --name a -- sh -c 'echo one; echo two >&2' >>slurm.out 2>&1; echo between >>slurm.out; \"$0\" record --name b -- sh -c 'sleep 0.3; echo three; touch x' >>slurm.out 2>errors; echo after >>slurm.out";
    run(repo.command("sh").args(["-c", line, PROGRAM])).ok();
    assert_eq!(repo.xtrack(&["show", "a", "--console"]).ok().stdout, "one\ntwo\n");
    assert_eq!(repo.xtrack(&["show", "b", "--console"]).ok().stdout, "three\n");
    assert!(repo.read("slurm.out").starts_with("before\none\ntwo\nxtrack: "));
}

#[test]
fn a_file_is_captured_even_of_a_killed_recorder() {
    let repo = repo();
    let log = File::create(repo.path().join("log")).unwrap();
    let script = "seq 1 200; touch ready; exec sleep 20 >/dev/null 2>&1";
    let mut command = record(&repo, script);
    let mut child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    until("it has printed", || repo.path().join("ready").exists());
    let command = children(child.id())[0].0;
    kill("-KILL", child.id());
    kill("-KILL", command);
    child.wait().unwrap();
    until("it is recovered", || {
        repo.xtrack(&["recover"]);
        !repo.refs("refs/runs").is_empty()
    });
    let expected: String = (1..=200).map(|line| format!("{line}\n")).collect();
    assert_eq!(console(&repo), expected);
}

#[test]
fn a_run_in_progress_is_shown_and_followed() {
    let repo = repo();
    for to_file in [false, true] {
        let _ = fs::remove_file(repo.path().join("go"));
        let script = "seq 1 100; echo first; printf '1%%\\r2%%\\r'; while [ ! -e go ]; do sleep 0.01; done; echo '3%'; printf end";
        let mut command = program(&repo, &["record", "--name", "live", "--", "sh", "-c", script]);
        if to_file {
            command.stdout(File::create(repo.path().join("log")).unwrap());
        } else {
            command.stdout(Stdio::null());
        }
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        until("it is shown", || repo.xtrack(&["show", "live", "--console"]).stdout.ends_with("first\n2%\n"));
        let mut follow = program(&repo, &["show", "--console", "--follow"]);
        let mut follow = follow.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = follow.stdout.take().unwrap();
        let expected = (1..=100).map(|line| format!("{line}\n")).collect::<String>() + "first\n";
        let mut begin = vec![0; expected.len()];
        stdout.read_exact(&mut begin).unwrap();
        assert_eq!(String::from_utf8(begin).unwrap(), expected);
        repo.write("go", "");
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "3%\nend\n");
        assert!(follow.wait().unwrap().success() && child.wait().unwrap().success());
        assert_eq!(console(&repo), expected + "3%\nend\n");
        repo.git(&["update-ref", "-d", &repo.refs("refs/runs")[0]]);
    }
    let output = repo.xtrack(&["record", "-p", "a=1"]).ok();
    assert!(!output.stdout.is_empty());
    assert_eq!(repo.xtrack(&["show", "--console"]).code, 1);
}

#[test]
fn much_output_is_kept_at_both_ends() {
    let repo = repo();
    run(record(&repo, "seq 1 400000").stdout(Stdio::null())).ok();
    let shown = console(&repo);
    assert!(shown.starts_with("1\n2\n3\n") && shown.ends_with("\n399999\n400000\n"));
    assert!(shown.contains("\n… 1.7 MiB left out …\n") || shown.contains(" left out …\n"));
    assert!(shown.len() > 1_000_000 && shown.len() < 1_100_000, "{}", shown.len());
    let files = repo.git(&["ls-tree", "-r", "--name-only", &repo.refs("refs/runs")[0], "console/"]);
    let files: Vec<_> = files.lines().collect();
    assert!(
        files.len() == 2 && files[0].ends_with("-head.log") && files[1].ends_with("-tail-1.log"),
        "{files:?}"
    );
}

#[test]
fn an_interrupt_sent_to_the_recorder_alone_is_passed_on() {
    let repo = repo();
    let script = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done";
    let (said, code) = recorded_at_terminal(&repo, "cooked", "ready", "interrupt", &["sh", "-c", script]);
    assert!(code == 9 && String::from_utf8_lossy(&said).contains("caught"), "{code}");
    let (said, code) = recorded_at_terminal(&repo, "cooked", "ready", r"type \x03", &["sh", "-c", script]);
    assert!(code == 9 && String::from_utf8_lossy(&said).matches("caught").count() == 1, "{code}");
}

#[test]
fn the_pump_sees_no_end_in_a_stop() {
    let repo = repo();
    // ^Z and `fg` in a shell with jobs.
    let script = "echo ready; sleep 0.5; echo resumed";
    let line =
        format!("set -m; \"$0\" record -- sh -c '{script}'; echo stopped $?; fg >/dev/null; echo code $?");
    let (said, _) = at_terminal(&repo, "cooked", "ready", r"type \x1a", &["bash", "-c", &line, PROGRAM]);
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("stopped 147") && said.contains("resumed") && said.contains("code 0"), "{said}");
    assert!(console(&repo).ends_with("ready\nresumed\n"));
}

#[test]
fn a_terminal_that_goes_takes_the_command_as_before() {
    let repo = repo();
    let script = "trap 'touch hung; exit 7' HUP; echo ready; sleep 20 & wait";
    let mut command = repo.command("python3");
    command.args(["-c", TERMINAL, "cooked", "ready", "close", PROGRAM, "record", "--", "sh", "-c", script]);
    command.output().unwrap();
    until("it was told", || repo.path().join("hung").exists());
    until("it is recorded", || !repo.refs("refs/runs").is_empty());
    assert!(Path::new(&repo.path().join("hung")).exists());
}
