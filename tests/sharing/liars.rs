//! Servers that do not do as they said: wrong objects, sizes that are none, answers without an end.
//!
//! They speak git's oldest protocol, by hand.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::sharing::{Bare, clone_of, make_large_run, make_runs, run_id, tips};
use crate::support::Repo;

/// What a liar sends where a pack is awaited; false once the other side had enough.
type Lie = dyn Fn(&mut dyn Write) -> bool + Send + Sync;

/// A server that offers one run, and sends a lie for it.
struct Liar {
    address: String,
    sent: Arc<AtomicUsize>,
}

impl Liar {
    fn new(tip: &str, lie: Arc<Lie>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("git://127.0.0.1:{}/x.git", listener.local_addr().unwrap().port());
        let advertised = packet(&format!("{tip} refs/runs/{}\0ofs-delta agent=liar\n", run_id(0)));
        let sent = Arc::<AtomicUsize>::default();
        let counted = sent.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (advertised, lie, counted) = (advertised.clone(), lie.clone(), counted.clone());
                thread::spawn(move || serve(socket, &advertised, &lie, &counted));
            }
        });
        Self { address, sent }
    }
}

/// Counts what goes over a line.
struct Counted<'a>(TcpStream, &'a AtomicUsize);

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.0.write(bytes)?;
        self.1.fetch_add(count, Ordering::SeqCst);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

fn serve(mut socket: TcpStream, advertised: &str, lie: &Arc<Lie>, sent: &AtomicUsize) -> Option<()> {
    read_packet(&mut socket)?;
    socket.write_all(format!("{advertised}0000").as_bytes()).ok()?;
    while read_packet(&mut socket)?.trim_end() != "done" {}
    socket.write_all(packet("NAK\n").as_bytes()).ok()?;
    let mut line = Counted(socket, sent);
    while lie(&mut line) {}
    Some(())
}

fn packet(text: &str) -> String {
    format!("{:04x}{text}", text.len() + 4)
}

/// The next packet; empty for one that only parts others, none at the end.
fn read_packet(socket: &mut TcpStream) -> Option<String> {
    let mut length = [0; 4];
    socket.read_exact(&mut length).ok()?;
    let length = usize::from_str_radix(std::str::from_utf8(&length).ok()?, 16).ok()?;
    let mut text = vec![0; length.saturating_sub(4)];
    socket.read_exact(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// A pack of a run, as an honest server sends it, and the run's tip.
fn honest(number: u32) -> (String, Vec<u8>) {
    let repo = Repo::new();
    make_runs(&repo, number..number + 1);
    let tip = repo.git(&["rev-parse", &format!("refs/runs/{}", run_id(number))]);
    repo.git_stdin(&["pack-objects", "-q", "--revs", "pack"], &format!("{tip}\n"));
    (tip, pack_in(&repo))
}

/// The bytes of the pack that was written into the work tree.
fn pack_in(repo: &Repo) -> Vec<u8> {
    let mut files = std::fs::read_dir(repo.path()).unwrap().flatten().map(|entry| entry.path());
    let pack = files.find(|path| path.extension().is_some_and(|is| is == "pack")).unwrap();
    std::fs::read(pack).unwrap()
}

/// A pack of the same run, with an object in it that no rule of git's allows.
fn spoiled(number: u32) -> (String, Vec<u8>) {
    let repo = Repo::new();
    make_runs(&repo, number..number + 1);
    let tip = repo.git(&["rev-parse", &format!("refs/runs/{}", run_id(number))]);
    let blob = repo.git_stdin(&["hash-object", "-w", "--stdin"], "x");
    let raw = gix::ObjectId::from_hex(blob.as_bytes()).unwrap();
    let tree = repo.root().join("tree");
    std::fs::write(&tree, [b"100644 ..\0".as_slice(), raw.as_slice()].concat()).unwrap();
    let literally = ["hash-object", "-w", "--literally", "-t", "tree", tree.to_str().unwrap()];
    let tree = repo.git(&literally);
    let reached = repo.git(&["rev-list", "--objects", "--no-object-names", &tip]);
    repo.git_stdin(&["pack-objects", "-q", "pack"], &format!("{reached}\n{tree}\n{blob}\n"));
    (tip, pack_in(&repo))
}

/// The pack with the digest at its end that belongs to it.
fn sealed(mut pack: Vec<u8>) -> Vec<u8> {
    pack.truncate(pack.len() - 20);
    let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
    hasher.update(&pack);
    pack.extend(hasher.try_finalize().unwrap().as_slice());
    pack
}

/// Sends the bytes once.
fn once(bytes: Vec<u8>) -> Arc<Lie> {
    Arc::new(move |line: &mut dyn Write| {
        let _ = line.write_all(&bytes);
        false
    })
}

/// The liar's run does not come, nothing of it is left, and a good remote is as good as ever.
#[track_caller]
fn assert_refused(liar: &Liar, reason: &str) -> String {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    make_runs(&repo, 1..2);
    repo.xtrack(&["push"]).ok();
    repo.git(&["config", "xtrack.fetchMax", "8m"]);
    let before = tips(&repo);
    let output = repo.xtrack(&["pull", &liar.address]);
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stderr.contains(reason), "wanted {reason:?}: {}", output.stderr);
    assert_eq!(tips(&repo), before);
    repo.assert_sound();
    let state = repo.path().join(".git/xtrack");
    let left: Vec<_> = std::fs::read_dir(state).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("tmp-")), "{left:?}");
    repo.xtrack(&["pull"]).ok();
    output.stderr
}

#[test]
fn a_bad_object_sent_along_with_a_good_run_does_not_spoil_it_for_others() {
    let (tip, pack) = spoiled(0);
    let liar = Liar::new(&tip, once(pack));
    let bare = Bare::new();
    let (ada, repo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    make_runs(&ada, 0..1);
    ada.xtrack(&["push"]).ok();
    repo.xtrack(&["pull", &liar.address]);
    repo.assert_sound();
    repo.xtrack(&["pull"]).ok();
    assert_eq!(tips(&repo), tips(&ada));
    repo.assert_sound();
}

#[test]
fn objects_that_are_not_those_of_the_id_are_refused() {
    let (tip, _) = honest(0);
    let (_, other) = honest(5);
    assert_refused(&Liar::new(&tip, once(other)), &format!("warning: run '{}'", run_id(0)));
    // Nothing at all, and rubbish: neither tells whose fault it is, and both are tried again.
    assert_refused(&Liar::new(&tip, once(Vec::new())), "error: cannot fetch from");
    assert_refused(
        &Liar::new(&tip, once(b"no pack at all, but a page of a portal".to_vec())),
        "error: cannot fetch",
    );
}

#[test]
fn sizes_that_are_none_are_refused() {
    let (tip, pack) = honest(0);
    // A billion objects, for which there is not the memory.
    let mut many = pack.clone();
    many[8..12].copy_from_slice(&1_000_000_000u32.to_be_bytes());
    assert_refused(&Liar::new(&tip, once(sealed(many))), &format!("warning: run '{}'", run_id(0)));
    // The first object says that it is larger than it is: the type stays, the size is another.
    let mut larger = pack;
    larger[12] = (larger[12] & 0xf0) | (larger[12].wrapping_add(1) & 0x0f);
    assert_refused(&Liar::new(&tip, once(sealed(larger))), &format!("warning: run '{}'", run_id(0)));
}

#[test]
fn an_answer_without_an_end_is_broken_off() {
    // A hundred thousand blobs of a megabyte, each of which git may keep.
    let began = std::sync::atomic::AtomicBool::new(false);
    let lie = move |line: &mut dyn Write| {
        if !began.swap(true, Ordering::SeqCst) && line.write_all(b"PACK\0\0\0\x02\0\x01\x86\xa0").is_err() {
            return false;
        }
        let mut deflated = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::none());
        deflated.write_all(&[7; 1 << 20]).unwrap();
        // A blob, 2^20 bytes: four bits of the size, then seven at a time.
        let object = [vec![0xb0, 0x80, 0x80, 0x04], deflated.finish().unwrap()].concat();
        line.write_all(&object).is_ok()
    };
    let (tip, _) = honest(0);
    let liar = Liar::new(&tip, Arc::new(lie));
    assert_refused(&liar, "it is larger than 8.0 MiB (`git config xtrack.fetchMax SIZE` takes more)");
    let sent = liar.sent.load(Ordering::SeqCst);
    assert!(sent < 64 << 20, "{sent} bytes were taken");
}

#[test]
fn what_is_too_much_at_once_comes_as_far_as_it_fits_and_then_the_rest() {
    let bare = Bare::new();
    let (ada, bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    make_runs(&ada, 0..5);
    make_large_run(&ada, 5, 3 << 20);
    make_runs(&ada, 6..8);
    (8..12).for_each(|number| make_large_run(&ada, number, 600 << 10));
    ada.xtrack(&["push"]).ok();
    bo.git(&["config", "xtrack.fetchMax", "1m"]);
    let output = bo.xtrack(&["pull"]);
    assert_eq!(output.code, 1);
    let large = format!("warning: run '{}': it is larger than", run_id(5));
    assert!(output.stderr.contains(&large), "{}", output.stderr);
    assert!(bo.refs("refs/runs").len() >= 7, "{}", output.stderr);
    // Each time more of it, but for the one that never fits.
    for _ in 0..6 {
        bo.xtrack(&["pull"]);
    }
    assert_eq!(bo.refs("refs/runs").len(), 11);
    bo.git(&["config", "--unset", "xtrack.fetchMax"]);
    bo.xtrack(&["pull"]).ok();
    assert_eq!(tips(&bo), tips(&ada));
    bo.assert_sound();
}
