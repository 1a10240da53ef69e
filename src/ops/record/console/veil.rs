//! Lines of output with their secrets hidden.
//!
//! Knows the one secret that is longer than a line, a private key; all others are the redactor's.

use crate::ops::record::redact::{REDACTED, Redactor};

/// A private key has fewer lines than this; after more, its end was lost.
const KEY_LINES: u32 = 200;

/// No line that begins a key is shorter.
const SHORTEST: usize = "-----BEGIN PRIVATE KEY-----".len();

/// Hides secrets in lines that come one after another.
#[derive(Debug, Clone, Default)]
pub struct Veil {
    key_lines: u32,
}

impl Veil {
    /// The line with its secrets hidden.
    pub fn hide(&mut self, redactor: &Redactor, line: &str) -> String {
        match self.pass(line) {
            true => REDACTED.to_owned(),
            false => redactor.text(line),
        }
    }

    /// Notes a line that nobody will see; whether it is within a private key.
    pub fn pass(&mut self, line: &str) -> bool {
        let is_within = self.key_lines > 0;
        let ends = |line: &str| line.contains("-----END ");
        if is_within {
            self.key_lines = if ends(line) { 0 } else { self.key_lines - 1 };
        } else if line.len() >= SHORTEST
            && line.contains("PRIVATE KEY-----")
            && line.contains("-----BEGIN ")
            && !ends(line)
        {
            self.key_lines = KEY_LINES;
        }
        is_within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_hidden_to_its_end() {
        let redactor = Redactor::default();
        let mut veil = Veil::default();
        let lines = [
            "[0] -----BEGIN RSA PRIVATE KEY-----",
            "[0] MIIEow",
            "[0] -----END RSA PRIVATE KEY-----",
            "after",
        ];
        let hidden = lines.map(|line| veil.hide(&redactor, line));
        assert_eq!(hidden, ["[0] [redacted]", REDACTED, REDACTED, "after"]);
        veil.pass(lines[0]);
        let count = (0..1000).filter(|_| veil.hide(&redactor, "x") == REDACTED).count();
        assert_eq!(count, KEY_LINES as usize);
    }
}
