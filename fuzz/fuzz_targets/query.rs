//! A question: read or refused, and bound where it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xtrack::query::{Query, Vocabulary};
use xtrack::run::id::Time;

fuzz_target!(|text: &str| {
    if let Ok(query) = Query::parse(text) {
        let _ = query.bind(&Vocabulary::default(), Time(1_767_355_200_000_000));
    }
});
