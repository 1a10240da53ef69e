//! A record: the paths and bytes of its files, one a line, joined with itself and folded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xtrack::run::id::RunId;
use xtrack::run::record::Files;
use xtrack::run::{fold, join};

fuzz_target!(|files: Vec<(String, Vec<u8>)>| {
    let files: Files = files.into_iter().collect();
    let id = RunId::parse("20260102-130000-b1111111").expect("a valid id");
    if let Ok(files) = join::normalise(&files) {
        let _ = fold::fold(&id, &files);
    }
});
