//! Two copies of a record: joined whichever way, they come to the same, and what they come to is folded and read.
//!
//! The input is text, so that fixtures are seeds: files are parted by `0x1e`, the copies by `0x1d`; a file's first line
//! is its path. `edits/=.toml` stands for the path that an edit's bytes give it, since no fuzzer guesses a digest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xtrack::run::id::{EditId, RunId, Time};
use xtrack::run::record::{Files, edit_path};
use xtrack::run::{fold, join};

fuzz_target!(|bytes: &[u8]| {
    let mut copies = bytes.splitn(2, |byte| *byte == 0x1d).map(copy);
    let (ours, theirs) = (copies.next().unwrap_or_default(), copies.next().unwrap_or_default());
    let id = RunId::parse("20260102-130000-b1111111").expect("a valid id");
    let _ = fold::fold(&id, &ours);
    let Ok(joined) = join::join(&ours, &theirs) else {
        assert!(join::join(&theirs, &ours).is_err(), "refused one way only");
        return;
    };
    assert_eq!(join::join(&theirs, &ours).ok().as_ref(), Some(&joined), "not commutative");
    assert_eq!(join::normalise(&joined).ok().as_ref(), Some(&joined), "not idempotent");
    assert_eq!(join::join(&joined, &theirs).ok().as_ref(), Some(&joined), "does not absorb");
    let _ = fold::fold(&id, &joined);
});

fn copy(bytes: &[u8]) -> Files {
    bytes.split(|byte| *byte == 0x1e).filter_map(file).collect()
}

fn file(bytes: &[u8]) -> Option<(String, Vec<u8>)> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let path = str::from_utf8(&bytes[..end]).ok()?;
    let content = bytes[end + 1..].to_vec();
    let path = match path {
        "edits/=.toml" => edit_path(&EditId::of(Time(1_767_355_200_000_000), &content)),
        path => path.to_owned(),
    };
    Some((path, content))
}
