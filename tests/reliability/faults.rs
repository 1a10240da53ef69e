//! Faults at single system calls, by strace: which calls of a program change files, and one of them failing or being the
//! last that the program makes.
//!
//! Only calls that name something below the repository's folder count. Processes that the program starts are left alone.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::support::Repo;
use crate::support::repo::{Output, run};

/// The calls that change what is on disk, or say when it is there to stay.
const CHANGING: &str = "openat,write,pwrite64,writev,copy_file_range,sendfile,ftruncate,fallocate,rename,renameat,renameat2,\
                        link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,symlink,symlinkat,chmod,fchmod,fchmodat,utimensat,\
                        fsync,fdatasync";

/// One call: its name, and which of that name it is in its thread.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// The system call.
    pub name: String,
    /// From 1.
    pub number: usize,
    /// What it was called with, for messages.
    pub text: String,
}

/// What becomes of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The program is killed before it.
    Kill,
    /// It fails, once.
    Once(&'static str),
    /// It fails, and so does every later one of that name.
    Lasting(&'static str),
}

/// Whether strace works here.
pub fn is_possible() -> bool {
    let mut strace = Command::new("strace");
    let probe = strace.args(["-f", "-b", "execve", "-o", "/dev/null", "true"]).status();
    probe.is_ok_and(|status| status.success())
}

/// The calls that the program makes with these arguments, which succeeds.
#[track_caller]
pub fn learn(repo: &Repo, arguments: &[String]) -> Vec<Call> {
    let trace = repo.root().join("trace");
    let mut command =
        traced(repo, &["-y", "-o", trace.to_str().unwrap(), "-e", &format!("trace={CHANGING}")]);
    let output = run(command.args(arguments));
    assert_eq!(output.code, 0, "{arguments:?}: {}", output.stderr);
    let text = fs::read_to_string(&trace).unwrap();
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|line| !line.contains("resumed>")) {
        let Some((thread, call)) = line.split_once(char::is_whitespace) else { continue };
        let Some((name, rest)) = call.trim_start().split_once('(') else { continue };
        let count = counts.entry((thread, name)).or_default();
        *count += 1;
        let changes = name != "openat" || rest.contains("O_CREAT");
        if changes && rest.contains(repo.root().to_str().unwrap()) {
            found.entry((name.to_owned(), *count)).or_insert_with(|| rest.to_owned());
        }
    }
    found.into_iter().map(|((name, number), text)| Call { name, number, text }).collect()
}

/// Runs the program with that fault.
pub fn inject(repo: &Repo, call: &Call, fault: Fault, arguments: &[String]) -> Output {
    let what = match fault {
        Fault::Kill => format!("signal=KILL:when={}", call.number),
        Fault::Once(error) => format!("error={error}:when={}", call.number),
        Fault::Lasting(error) => format!("error={error}:when={}+", call.number),
    };
    let trace = format!("trace={}", call.name);
    let inject = format!("inject={}:{what}", call.name);
    run(traced(repo, &["-o", "/dev/null", "-e", &trace, "-e", &inject]).args(arguments))
}

fn traced(repo: &Repo, options: &[&str]) -> Command {
    let mut command = repo.command("strace");
    command.args(["-f", "-b", "execve", "-e", "signal=none", "-qqq"]).args(options);
    command.arg(env!("CARGO_BIN_EXE_git-xtrack"));
    command
}

/// The errors with which a call fails in practice.
pub fn errors(name: &str) -> &'static [&'static str] {
    match name {
        "write" | "pwrite64" | "writev" | "copy_file_range" | "sendfile" | "ftruncate" | "fallocate" => {
            &["ENOSPC", "EDQUOT", "EIO"]
        }
        "openat" | "mkdir" | "mkdirat" | "symlink" | "symlinkat" => &["ENOSPC", "EMFILE", "EACCES"],
        "fsync" | "fdatasync" => &["EIO", "ENOSPC"],
        _ => &["EIO", "EROFS"],
    }
}
