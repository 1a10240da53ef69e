//! Connections that break off at any byte: a remote never shows a part of a run, and the next try completes.
//!
//! `git daemon` behind a line that is cut after so many bytes. `XTRACK_TRIALS` says how many cuts are tried.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::sharing::{Bare, clone_of, edit_runs, make_runs, tips, tips_at, trials};
use crate::support::Repo;

/// A line to a repository that can be cut.
struct Line {
    port: u16,
    /// After how many bytes each of the next connections is cut; later ones are whole.
    cuts: Arc<Mutex<VecDeque<usize>>>,
    /// How many bytes went over all connections.
    carried: Arc<AtomicUsize>,
}

impl Line {
    fn to(folder: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let line = Self { port, cuts: Arc::default(), carried: Arc::default() };
        let (cuts, carried, folder) = (line.cuts.clone(), line.carried.clone(), folder.to_owned());
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let left = cuts.lock().unwrap().pop_front().unwrap_or(usize::MAX);
                let (carried, folder) = (carried.clone(), folder.clone());
                thread::spawn(move || serve(socket, &folder, left, &carried));
            }
        });
        line
    }

    fn address(&self, path: &str) -> String {
        format!("git://127.0.0.1:{}{path}", self.port)
    }

    fn cut(&self, after: impl IntoIterator<Item = usize>) {
        *self.cuts.lock().unwrap() = after.into_iter().collect();
    }
}

/// Serves one connection by a daemon of its own, as long as bytes are left.
fn serve(socket: TcpStream, folder: &str, left: usize, carried: &AtomicUsize) {
    let home = std::env::temp_dir();
    let mut daemon = Command::new("git");
    daemon.args(["daemon", "--inetd", "--export-all", "--enable=receive-pack", "--timeout=20", folder]);
    daemon.env("HOME", home).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_COUNT", "1");
    daemon.env("GIT_CONFIG_KEY_0", "safe.directory").env("GIT_CONFIG_VALUE_0", "*");
    let mut child =
        daemon.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let left = AtomicUsize::new(left);
    let (receiving, sending) = (socket.try_clone().unwrap(), socket.try_clone().unwrap());
    thread::scope(|scope| {
        scope.spawn(|| {
            pump(receiving, stdin, &left, carried, &socket);
        });
        pump(stdout, sending, &left, carried, &socket);
        let _ = socket.shutdown(Shutdown::Both);
    });
    let _ = child.kill();
    let _ = child.wait();
}

/// Passes bytes on until one side has had enough, or the line is cut.
fn pump(
    mut from: impl Read,
    mut to: impl Write,
    left: &AtomicUsize,
    carried: &AtomicUsize,
    socket: &TcpStream,
) {
    let mut buffer = [0; 256];
    while let Ok(count) = from.read(&mut buffer) {
        let before =
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(count)));
        let goes = count.min(before.unwrap());
        carried.fetch_add(goes, Ordering::SeqCst);
        if count == 0 || to.write_all(&buffer[..goes]).and_then(|()| to.flush()).is_err() {
            return;
        }
        if goes < count {
            let _ = socket.shutdown(Shutdown::Both);
            return;
        }
    }
}

/// A generator of numbers that is the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

/// The runs that a repository shows are whole, and among those that are meant to be there.
#[track_caller]
fn assert_whole(looker: &Repo, path: &str, meant: &[&str]) {
    looker.git(&["-C", path, "fsck", "--strict", "--no-dangling", "--connectivity-only"]);
    for line in tips_at(looker, path).lines() {
        assert!(meant.iter().any(|meant| meant.contains(line)), "{line} is no run that was pushed");
    }
}

#[test]
fn a_push_that_is_cut_leaves_whole_runs_and_completes_when_tried_again() {
    let seed = std::env::var("XTRACK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    eprintln!("XTRACK_SEED={seed}");
    let mut random = Random(seed);
    let ada = Repo::new();
    make_runs(&ada, 0..40);
    let first = tips(&ada);
    edit_runs(&ada, 0..20, "Ada", |edit| edit.note = Some("x".repeat(200)));
    let second = tips(&ada);
    let mut most = 30_000;
    let count = trials(10);
    let mut cut_off = 0;
    for trial in 0..count {
        let bare = Bare::new();
        if trial % 2 == 1 {
            // The remote has what there was before.
            let runs: String = first
                .lines()
                .map(|line| {
                    let mut parts = line.split(' ');
                    let (name, tip) = (parts.next().unwrap(), parts.next().unwrap());
                    format!("{tip}:{name}\n")
                })
                .collect();
            ada.git(&[&["push", "-q", bare.path()], runs.lines().collect::<Vec<_>>().as_slice()].concat());
        }
        let line = Line::to(bare.path());
        let address = line.address(bare.path());
        // Now and then all tries of one call are cut, so that it fails.
        let cuts = if trial % 5 == 4 { 12 } else { 1 + trial % 2 };
        line.cut((0..cuts).map(|_| random.below(most)).collect::<Vec<_>>());
        let output = ada.xtrack(&["push", &address]);
        assert_whole(&ada, bare.path(), &[&first, &second]);
        if output.code != 0 {
            cut_off += 1;
            line.cut([]);
            let output = ada.xtrack(&["push", &address]);
            assert_eq!(output.code, 0, "trial {trial}: {}", output.stderr);
        }
        assert_eq!(tips_at(&ada, bare.path()), second, "trial {trial}: {}", output.stderr);
        most = most.min(line.carried.load(Ordering::SeqCst) + 500);
    }
    eprintln!("{count} pushes, {cut_off} of them failed at first");
}

#[test]
fn a_pull_that_is_cut_leaves_whole_runs_and_completes_when_tried_again() {
    let seed = std::env::var("XTRACK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(2);
    eprintln!("XTRACK_SEED={seed}");
    let mut random = Random(seed);
    let bare = Bare::new();
    let ada = clone_of(&bare, "Ada");
    make_runs(&ada, 0..40);
    ada.xtrack(&["push"]).ok();
    let first = tips(&ada);
    edit_runs(&ada, 0..20, "Ada", |edit| edit.note = Some("x".repeat(200)));
    let second = tips(&ada);
    let line = Line::to(bare.path());
    let address = line.address(bare.path());
    let mut most = 30_000;
    let count = trials(10);
    let mut cut_off = 0;
    for trial in 0..count {
        let bo = Repo::new();
        bo.git(&["remote", "add", "origin", &address]);
        if trial % 2 == 1 {
            bo.git(&["fetch", "-q", ada.path().to_str().unwrap(), "refs/runs/*:refs/runs/*"]);
            ada.xtrack(&["push"]).ok();
        }
        let wanted = tips_at(&ada, bare.path());
        line.carried.store(0, Ordering::SeqCst);
        let cuts = if trial % 5 == 4 { 12 } else { 1 + trial % 2 };
        line.cut((0..cuts).map(|_| random.below(most)).collect::<Vec<_>>());
        let output = bo.xtrack(&["pull"]);
        assert_whole(&bo, bo.path().to_str().unwrap(), &[&first, &second]);
        line.cut([]);
        if output.code != 0 {
            cut_off += 1;
            let output = bo.xtrack(&["pull"]);
            assert_eq!(output.code, 0, "trial {trial}: {}", output.stderr);
        }
        assert_eq!(tips(&bo), wanted, "trial {trial}: {}", output.stderr);
        let left: Vec<_> = std::fs::read_dir(bo.path().join(".git/xtrack"))
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("tmp-"))
            .collect();
        assert!(left.is_empty(), "quarantine is left behind: {left:?}");
        let packs = std::fs::read_dir(bo.path().join(".git/objects/pack")).unwrap().flatten();
        let keeps: Vec<_> =
            packs.filter(|entry| entry.path().extension().is_some_and(|is| is == "keep")).collect();
        assert!(keeps.is_empty(), "packs are kept for ever: {keeps:?}");
        most = most.min(line.carried.load(Ordering::SeqCst) + 500);
    }
    eprintln!("{count} pulls, {cut_off} of them failed at first");
}
