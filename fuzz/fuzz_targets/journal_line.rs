//! A line of a journal: understood or malformed; what is understood is written and understood again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xtrack::journal::line;

fuzz_target!(|bytes: &[u8]| {
    let _ = line::understand_any(bytes);
    let _ = line::understand(bytes);
    if let Ok(event) = line::decode(bytes) {
        let written = line::encode(&event);
        assert!(line::decode(written.trim_ascii_end()).is_ok(), "{written:?}");
    }
});
