//! Whole series, as Parquet: a file from elsewhere has the digest that its sender gave it.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use xtrack::series::whole;

fuzz_target!(|bytes: &[u8]| {
    for metric in ["loss", "name%"] {
        let _ = whole::read(Bytes::copy_from_slice(bytes), metric);
    }
});
