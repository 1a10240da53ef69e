//! A power cut after a command has returned: what it wrote and did not sync is lost, by dice.
//!
//! Strace tells which names and bytes changed below `.git` and what was synced. Of the rest a cut may take anything: bytes
//! of a file that was not synced since (all, from some byte on, none), and each name that was made, moved or removed in a
//! folder that was not synced since. What is left is put on disk, and the next command runs there. A file that one command
//! makes and removes counts as gone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::reliability::{Dice, faults, skip};
use crate::sharing::trials;
use crate::support::Repo;

const CALLS: &str = "openat,creat,write,pwrite64,writev,pwritev,copy_file_range,sendfile,ftruncate,truncate,fallocate,rename,\
                     renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync,sync,syncfs";

/// A file or folder, by its number.
type Node = usize;

/// A name in a folder, and what it comes to mean.
type Change = (Node, String, Option<Node>);

/// What is below `.git`, as the running system sees it, and how much of that a cut leaves.
struct Disk {
    root: PathBuf,
    /// The folders as they now are, and as they were before the command.
    folders: BTreeMap<Node, BTreeMap<String, Node>>,
    before: BTreeMap<Node, BTreeMap<String, Node>>,
    /// Files that were there before.
    old: BTreeMap<Node, PathBuf>,
    /// Files whose bytes were not synced since they changed.
    dirty: BTreeMap<Node, bool>,
    /// Changes of names, and whether a cut leaves them.
    changes: Vec<(Vec<Change>, bool)>,
    next: Node,
}

impl Disk {
    /// What is in a folder, all of it on disk.
    fn of(root: &Path) -> Self {
        let mut disk = Self {
            root: root.to_owned(),
            folders: BTreeMap::from([(0, BTreeMap::new())]),
            before: BTreeMap::new(),
            old: BTreeMap::new(),
            dirty: BTreeMap::new(),
            changes: Vec::new(),
            next: 1,
        };
        disk.read(root, 0);
        disk.before = disk.folders.clone();
        disk
    }

    fn read(&mut self, path: &Path, folder: Node) {
        for child in fs::read_dir(path).unwrap().flatten() {
            let node =
                self.make(folder, &child.file_name().to_string_lossy(), child.file_type().unwrap().is_dir());
            match child.file_type().unwrap().is_dir() {
                true => self.read(&child.path(), node),
                false => drop(self.old.insert(node, child.path())),
            }
        }
    }

    fn make(&mut self, folder: Node, name: &str, is_folder: bool) -> Node {
        let node = self.next;
        self.next += 1;
        if is_folder {
            self.folders.insert(node, BTreeMap::new());
        }
        self.folders.get_mut(&folder).unwrap().insert(name.to_owned(), node);
        node
    }

    /// The folder that a path lies in and its name there; nothing if it is not below `.git`.
    fn place(&self, path: &str) -> Option<(Node, String)> {
        let below = Path::new(path).strip_prefix(&self.root).ok()?;
        let mut parts: Vec<_> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let name = parts.pop()?;
        let mut folder = 0;
        for part in parts {
            folder = *self.folders.get(&folder)?.get(&part)?;
        }
        self.folders.contains_key(&folder).then_some((folder, name))
    }

    fn node(&self, path: &str) -> Option<Node> {
        if Path::new(path) == self.root {
            return Some(0);
        }
        let (folder, name) = self.place(path)?;
        self.folders[&folder].get(&name).copied()
    }

    fn change(&mut self, changes: Vec<Change>, is_kept: bool) {
        for (folder, name, node) in &changes {
            let names = self.folders.get_mut(folder).unwrap();
            match node {
                Some(node) => drop(names.insert(name.clone(), *node)),
                None => drop(names.remove(name)),
            }
        }
        self.changes.push((changes, is_kept));
    }

    /// Takes over what a call did.
    fn take(&mut self, call: &Call) {
        let paths: Vec<&str> = call.paths.iter().map(String::as_str).collect();
        match (call.name.as_str(), paths.as_slice()) {
            ("openat" | "creat", [path, ..])
                if call.text.contains("O_CREAT") || call.text.contains("O_TRUNC") =>
            {
                match (self.node(path), self.place(path)) {
                    (Some(node), _) if call.text.contains("O_TRUNC") => drop(self.dirty.insert(node, true)),
                    (None, Some((folder, name))) => {
                        let node = self.next;
                        self.next += 1;
                        self.dirty.insert(node, true);
                        self.change(vec![(folder, name, Some(node))], false);
                    }
                    _ => {}
                }
            }
            // Opened to be read.
            ("openat", _) => {}
            ("mkdir" | "mkdirat", [path, ..]) => {
                if let Some((folder, name)) = self.place(path).filter(|_| self.node(path).is_none()) {
                    let node = self.next;
                    self.next += 1;
                    self.folders.insert(node, BTreeMap::new());
                    self.change(vec![(folder, name, Some(node))], false);
                }
            }
            ("rename" | "renameat" | "renameat2", [from, to]) => {
                if let (Some(node), Some(old), Some(new)) =
                    (self.node(from), self.place(from), self.place(to))
                {
                    self.change(vec![(old.0, old.1, None), (new.0, new.1, Some(node))], false);
                }
            }
            ("link" | "linkat", [from, to]) => {
                if let (Some(node), Some((folder, name))) = (self.node(from), self.place(to)) {
                    self.change(vec![(folder, name, Some(node))], false);
                }
            }
            ("unlink" | "unlinkat" | "rmdir", [path, ..]) => {
                if let (Some(node), Some((folder, name))) = (self.node(path), self.place(path)) {
                    let is_fleeting = !self.old.contains_key(&node) && self.dirty.contains_key(&node);
                    self.change(vec![(folder, name, None)], is_fleeting);
                }
            }
            ("fsync" | "fdatasync", [path, ..]) => {
                if let Some(node) = self.node(path) {
                    self.sync(node);
                }
            }
            ("sync" | "syncfs", _) => {
                self.changes.iter_mut().for_each(|change| change.1 = true);
                self.dirty.values_mut().for_each(|dirty| *dirty = false);
            }
            (_, paths) => {
                for node in paths.iter().filter_map(|path| self.node(path)).collect::<Vec<_>>() {
                    if !self.folders.contains_key(&node) {
                        self.dirty.insert(node, true);
                    }
                }
            }
        }
    }

    fn sync(&mut self, node: Node) {
        if !self.folders.contains_key(&node) {
            self.dirty.insert(node, false);
            return;
        }
        for (changes, is_kept) in &mut self.changes {
            *is_kept |= changes.iter().any(|(folder, ..)| *folder == node);
        }
    }

    /// Puts into `target` what a cut leaves; `now` holds all as it is.
    fn cut(&self, now: &Path, target: &Path, dice: &mut Dice) {
        let mut folders = self.before.clone();
        for node in self.folders.keys() {
            folders.entry(*node).or_default();
        }
        let is_left: Vec<bool> =
            self.changes.iter().map(|(_, is_kept)| *is_kept || dice.below(2) == 0).collect();
        for ((changes, _), _) in self.changes.iter().zip(is_left).filter(|(_, is_left)| *is_left) {
            for (folder, name, node) in changes {
                let names = folders.entry(*folder).or_default();
                match node {
                    Some(node) => drop(names.insert(name.clone(), *node)),
                    None => drop(names.remove(name)),
                }
            }
        }
        let mut contents = BTreeMap::new();
        self.find(now, 0, &mut contents);
        let old = &self.old;
        fs::create_dir_all(target).unwrap();
        let mut open = vec![(target.to_owned(), 0)];
        while let Some((path, folder)) = open.pop() {
            for (name, node) in &folders[&folder] {
                let path = path.join(name);
                if folders.contains_key(node) {
                    fs::create_dir_all(&path).unwrap();
                    open.push((path, *node));
                    continue;
                }
                let after = contents.get(node).and_then(|path| fs::read(path).ok());
                let before = old.get(node).map(|path| {
                    fs::read(now.with_file_name("before").join(path.strip_prefix(&self.root).unwrap()))
                        .unwrap()
                });
                let whole = after.clone().or(before.clone()).unwrap_or_default();
                let bytes = match (self.dirty.get(node), dice.below(4)) {
                    (None | Some(false), _) | (Some(true), 0) => whole,
                    (Some(true), 1) => before.unwrap_or_default(),
                    (Some(true), 2) => whole[..dice.below(whole.len() as u64 + 1) as usize].to_vec(),
                    (Some(true), _) => vec![0; whole.len()],
                };
                fs::write(path, bytes).unwrap();
            }
        }
    }

    /// Where the bytes of each file are now.
    fn find(&self, path: &Path, folder: Node, contents: &mut BTreeMap<Node, PathBuf>) {
        for (name, node) in &self.folders[&folder] {
            match self.folders.contains_key(node) {
                true => self.find(&path.join(name), *node, contents),
                false => drop(contents.insert(*node, path.join(name))),
            }
        }
    }
}

/// A system call that succeeded.
struct Call {
    name: String,
    text: String,
    /// The files it names: by text, else by descriptor.
    paths: Vec<String>,
}

/// The calls in a trace, in the order in which they ended.
fn calls(trace: &str, top: &Path) -> Vec<Call> {
    let mut unfinished: BTreeMap<&str, String> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(char::is_whitespace) else { continue };
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            unfinished.insert(thread, begun.to_owned());
            continue;
        }
        let whole = match rest.strip_prefix("<... ").and_then(|rest| rest.split_once("resumed>")) {
            Some((_, end)) => unfinished.remove(thread).unwrap_or_default() + end,
            None => rest.to_owned(),
        };
        let Some((name, text)) = whole.split_once('(') else { continue };
        if text.contains(" = -1 ") {
            continue;
        }
        let arguments = text.rsplit_once(") = ").map_or(text, |(arguments, _)| arguments);
        calls.push(Call {
            name: name.to_owned(),
            text: arguments.to_owned(),
            paths: paths(name, arguments, top),
        });
    }
    calls
}

/// The files that a call names.
fn paths(name: &str, arguments: &str, top: &Path) -> Vec<String> {
    let by_descriptor =
        || arguments.split('<').skip(1).filter_map(|part| Some(part.split_once('>')?.0.to_owned()));
    if matches!(
        name,
        "fsync"
            | "fdatasync"
            | "write"
            | "pwrite64"
            | "writev"
            | "pwritev"
            | "ftruncate"
            | "fallocate"
            | "copy_file_range"
            | "sendfile"
    ) {
        return by_descriptor().collect();
    }
    // A relative name is meant from the descriptor before it, else from where the command runs.
    let mut from = top.to_owned();
    let mut found = Vec::new();
    for (index, part) in arguments.split('"').enumerate() {
        match index % 2 {
            1 => found.push(from.join(part).to_string_lossy().into_owned()),
            _ => {
                if let Some(folder) =
                    part.rsplit_once('<').and_then(|(_, rest)| Some(rest.split_once('>')?.0))
                {
                    from = PathBuf::from(folder);
                }
            }
        }
    }
    found
}

/// Runs a program that must succeed, then cuts the power; what the program said.
#[track_caller]
fn run_and_cut(repo: &Repo, program: &str, arguments: &[&str], dice: &mut Dice) -> String {
    let (git, root) = (repo.path().join(".git"), repo.root());
    let (before, now, trace) = (root.join("before"), root.join("now"), root.join("trace"));
    copy(&git, &before);
    let mut disk = Disk::of(&git);
    let mut strace = repo.command("strace");
    strace.args(["-f", "-y", "-s", "0", "-qqq", "-e", "signal=none", "-e", &format!("trace={CALLS}"), "-o"]);
    let output = strace.arg(&trace).arg(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    for call in calls(&fs::read_to_string(&trace).unwrap(), repo.path()) {
        disk.take(&call);
    }
    fs::rename(&git, &now).unwrap();
    disk.cut(&now, &git, dice);
    fs::remove_dir_all(&now).unwrap();
    fs::remove_dir_all(&before).unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn copy(source: &Path, target: &Path) {
    assert!(Command::new("cp").arg("-r").args([source, target]).status().unwrap().success());
}

fn possible() -> bool {
    let is_possible = faults::is_possible();
    if !is_possible {
        skip("strace");
    }
    is_possible
}

#[test]
fn no_acknowledged_run_is_lost_in_a_power_cut() {
    if !possible() {
        return;
    }
    let (mut dice, program) = (Dice::new(), env!("CARGO_BIN_EXE_git-xtrack"));
    let repo = Repo::new();
    repo.write("train.sh", "echo trained\n");
    repo.write("model.bin", vec![7; 150_000]);
    repo.commit("first");
    let (wanted, mut acknowledged) = (trials(12), Vec::new());
    for number in 0..wanted {
        let param = format!("lr={number}");
        repo.write("train.sh", format!("echo trained {number}\n"));
        let kinds: [&[&str]; 4] =
            [&["-m", "loss=0.5"], &["-a", "model.bin"], &["--", "sh", "train.sh"], &["-m", "loss=0.5"]];
        let arguments = [&["record", "--id-file", "../id", "-p", &param], kinds[number % 4]].concat();
        run_and_cut(&repo, program, &arguments, &mut dice);
        let id = fs::read_to_string(repo.root().join("id")).unwrap().trim().to_owned();
        // Words about it are as safe as the run.
        let is_noted = number % 4 == 3;
        if is_noted {
            run_and_cut(&repo, program, &["note", &id, "said of it"], &mut dice);
        }
        acknowledged.push((id, number, is_noted));
        let (id, number, is_noted) = acknowledged.last().unwrap();
        assert_kept(&repo, id, *number, *is_noted);
    }
    let lost =
        acknowledged.iter().filter(|(id, number, is_noted)| !is_kept(&repo, id, *number, *is_noted)).count();
    let found = repo.xtrack(&["fsck", "--full", "--repair", "--yes"]);
    assert!(found.stderr.contains("all is sound"), "{found:?}");
    repo.try_git(&["fsck", "--connectivity-only", "--no-dangling"]).ok();
    eprintln!("{wanted} acknowledged runs, a power cut after each: {lost} lost");
    assert_eq!(lost, 0);
}

#[track_caller]
fn assert_kept(repo: &Repo, id: &str, number: usize, is_noted: bool) {
    let output = repo.xtrack(&["show", id]);
    assert!(is_kept(repo, id, number, is_noted), "run {id}, {number}: {output:?}");
}

fn is_kept(repo: &Repo, id: &str, number: usize, is_noted: bool) -> bool {
    let output = repo.xtrack(&["show", id, "--json"]);
    let Ok(run) = serde_json::from_str::<Value>(&output.stdout) else { return false };
    let has_note = run["notes"].as_array().is_some_and(|notes| notes.len() == 1);
    let has_param = run["params"]["lr"] == number;
    let is_whole =
        run["artifacts"].as_array().is_some_and(|artifacts| (number % 4 == 1) == (artifacts.len() == 1));
    output.code == 0 && has_param && is_whole && has_note == is_noted && run["status"] == "finished"
}

#[test]
fn the_same_cut_takes_what_plain_git_said_was_done() {
    if !possible() {
        return;
    }
    let mut dice = Dice::new();
    let (wanted, mut lost) = (trials(6), 0);
    for number in 0..wanted {
        let repo = Repo::new();
        let tree = repo.git(&["write-tree"]);
        let message = format!("run {number}");
        let commit = run_and_cut(&repo, "git", &["commit-tree", &tree, "-m", &message], &mut dice);
        let name = format!("refs/runs/20260101-000000-a{number:07}");
        let commit = commit.trim_end();
        // What the first cut took cannot be named any more.
        let named = repo.try_git(&["cat-file", "commit", commit]).code == 0;
        if named {
            run_and_cut(&repo, "git", &["update-ref", &name, commit], &mut dice);
        }
        let is_kept = named && repo.try_git(&["cat-file", "commit", &name]).code == 0;
        lost += usize::from(!is_kept);
    }
    eprintln!("{wanted} runs by git commit-tree and update-ref, a power cut after each: {lost} lost");
    assert!(lost > 0, "the harness takes nothing");
}
