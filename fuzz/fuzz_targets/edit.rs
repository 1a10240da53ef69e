//! An edit: read under the id that its bytes have.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xtrack::run::edit::Edit;
use xtrack::run::id::{EditId, Time};

fuzz_target!(|bytes: &[u8]| {
    let _ = Edit::decode(&EditId::of(Time(1_767_355_200_000_000), bytes), bytes);
});
