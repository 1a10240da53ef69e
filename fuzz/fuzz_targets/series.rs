//! Segments and samples of metrics.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = "metrics/nbbbbbbb-0-00-0000.tsv".to_owned();
    let files = BTreeMap::from([(path, bytes.to_vec())]);
    let _ = xtrack::series::read(&files);
    let _ = xtrack::series::read_metric(&files, "loss");
});
