//! Facts: what is read is written in the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xtrack::run::attempt::Facts;
use xtrack::run::text;

fuzz_target!(|bytes: &[u8]| {
    let Ok(table) = text::read(bytes) else { return };
    assert_eq!(text::write(&table).as_bytes(), bytes);
    let _ = Facts::from_table(&table);
});
