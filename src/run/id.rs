//! How runs, attempts, edits and moments are named, and which names are refused.
//!
//! Pure: a clock reading and random bytes come in as arguments.

use std::fmt;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::error::Problem;

/// The alphabet of suffixes: digits and lower-case letters without `i`, `l`, `o`, `u`.
pub const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A moment: microseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// Reads RFC 3339 text; finer than microseconds is cut.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|time| Time(time.timestamp_micros()))
    }

    /// Whole seconds since 1970, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }

    /// `YYYYMMDD-HHMMSS`, as ids begin.
    pub fn stamp(self) -> String {
        self.utc().format("%Y%m%d-%H%M%S").to_string()
    }
}

impl fmt::Display for Time {
    /// RFC 3339 in UTC, always with six digits after the second.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.utc().format("%Y-%m-%dT%H:%M:%S%.6fZ"))
    }
}

/// A run's id: `YYYYMMDD-HHMMSS-xxxxxxxx`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

impl RunId {
    /// The id of a run that starts at `started`, its suffix drawn from `random`.
    pub fn new(started: Time, random: [u8; 8]) -> Self {
        RunId(format!("{}-{}", started.stamp(), suffix(random)))
    }

    /// The id of a keyed run, all of it drawn from the key, so that every clone computes the same.
    pub fn keyed(key: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let number = u32::from_be_bytes([digest[8], digest[9], digest[10], digest[11]]) % 1_000_000;
        let random: [u8; 8] = std::array::from_fn(|index| digest[index]);
        RunId(format!("00000000-{number:06}-{}", suffix(random)))
    }

    /// Reads an id; anything but the exact pattern is refused.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let digits = |range: std::ops::Range<usize>| bytes[range].iter().all(u8::is_ascii_digit);
        let shaped =
            bytes.len() == 24 && bytes[8] == b'-' && bytes[15] == b'-' && digits(0..8) && digits(9..15);
        (shaped && is_suffix(&text[16..])).then(|| RunId(text.to_owned()))
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The eight characters at its end, by which people name it.
    pub fn suffix(&self) -> &str {
        &self.0[16..]
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// An attempt's id: eight characters like a run's suffix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(String);

impl AttemptId {
    /// An id drawn from `random`.
    pub fn new(random: [u8; 8]) -> Self {
        AttemptId(suffix(random))
    }

    /// Reads an id; anything but the exact pattern is refused.
    pub fn parse(text: &str) -> Option<Self> {
        is_suffix(text).then(|| AttemptId(text.to_owned()))
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// An edit's id: `YYYYMMDD-HHMMSS-` and 16 hex digits of the sha256 of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EditId(String);

impl EditId {
    /// The id of the edit that was made `at` and whose file holds `bytes`.
    pub fn of(at: Time, bytes: &[u8]) -> Self {
        EditId(format!("{}-{}", at.stamp(), &sha256(bytes)[..16]))
    }

    /// Reads an id; anything but the exact pattern is refused.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let shaped = bytes.len() == 32 && bytes[8] == b'-' && bytes[15] == b'-';
        let stamp = |index: usize| bytes[index].is_ascii_digit();
        let hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        (shaped && (0..8).chain(9..15).all(stamp) && bytes[16..].iter().all(hex))
            .then(|| EditId(text.to_owned()))
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EditId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// The sha256 of `bytes`, in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the text is that many digits of lower-case hex.
pub fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The file name of an artifact whose path is `path`: harmless on every system, made unique by the digest before it.
pub fn slug(path: &[u8]) -> String {
    let mut slug = String::new();
    for byte in path.iter().map(u8::to_ascii_lowercase) {
        let kept = byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-');
        match kept {
            true => slug.push(byte as char),
            // A run of other bytes is one `_`; an underscore that was there stays as it is.
            false if slug.ends_with('\u{0}') => {}
            false => slug.push('\u{0}'),
        }
    }
    let slug = slug.replace('\u{0}', "_");
    let mut last = slug[slug.len().saturating_sub(60)..].to_owned();
    if last.ends_with('.') {
        last.pop();
        last.push('_');
    }
    // A name is never empty, not even that of a damaged pointer without a path.
    if last.is_empty() { "_".to_owned() } else { last }
}

/// A made-up name for a run, `quiet-otter`, drawn from `random`.
pub fn pet_name(random: [u8; 2]) -> String {
    let pick = |words: &[&'static str], byte: u8| words[byte as usize % words.len()];
    format!("{}-{}", pick(ADJECTIVES, random[0]), pick(ANIMALS, random[1]))
}

/// Refuses a name that would lie on a terminal or in a file: empty, over 256 bytes, or with control or
/// direction-changing characters. `what` says whose name it is.
pub fn check_name(what: &str, name: &str) -> Result<(), Problem> {
    let refuse = |reason: &str| Problem::usage(format!("cannot use {name:?} as {what}: {reason}"));
    if name.trim().is_empty() {
        return Err(refuse("it is empty"));
    }
    if name.len() > 256 {
        return Err(Problem::usage(format!("cannot use a {what} of {} bytes: 256 is the limit", name.len())));
    }
    match name.chars().find(|&character| is_deceptive(character)) {
        Some(character) => {
            Err(refuse(&format!("it holds the unprintable character U+{:04X}", character as u32)))
        }
        None => Ok(()),
    }
}

/// Whether a character is a control character, or changes the direction or place of what is shown around it.
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{061C}' | '\u{FEFF}' | '\u{2028}' | '\u{2029}')
}

fn suffix(random: [u8; 8]) -> String {
    let letter = ALPHABET[10 + random[0] as usize % 22];
    let rest = random[1..].iter().map(|byte| ALPHABET[*byte as usize % 32]);
    std::iter::once(letter).chain(rest).map(char::from).collect()
}

fn is_suffix(text: &str) -> bool {
    let bytes = text.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    bytes.len() == 8 && bytes[0].is_ascii_lowercase() && bytes.iter().all(plain)
}

const ADJECTIVES: &[&str] = &[
    "amber", "bold", "brave", "bright", "brisk", "calm", "clever", "cosmic", "crisp", "daring", "deep",
    "eager", "early", "fair", "fleet", "fresh", "gentle", "glad", "golden", "grand", "happy", "hardy",
    "honest", "humble", "keen", "kind", "late", "light", "lively", "lucky", "mellow", "mild", "misty",
    "modest", "neat", "nimble", "noble", "patient", "plain", "polite", "proud", "quick", "quiet", "rapid",
    "ready", "rosy", "rustic", "sandy", "sharp", "shy", "silent", "silver", "sly", "smooth", "snowy",
    "solid", "steady", "still", "sunny", "swift", "tidy", "vivid", "warm", "wise",
];

const ANIMALS: &[&str] = &[
    "badger", "bear", "beaver", "bison", "bobcat", "camel", "crane", "crow", "curlew", "deer", "dingo",
    "dolphin", "dove", "eagle", "egret", "elk", "falcon", "ferret", "finch", "fox", "gecko", "gibbon",
    "goose", "hare", "hawk", "heron", "ibex", "ibis", "jackal", "jay", "kestrel", "kiwi", "koala", "lark",
    "lemur", "lion", "llama", "lynx", "magpie", "marmot", "marten", "mole", "moose", "newt", "orca",
    "osprey", "otter", "owl", "panda", "pika", "plover", "puffin", "quail", "raven", "robin", "seal",
    "stoat", "stork", "swan", "tapir", "tern", "thrush", "vole", "wren",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back_and_anything_else_is_refused() {
        let id = RunId::new(Time(1_700_000_000_000_000), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(id.as_str(), "20231114-221320-a1234567");
        assert_eq!(RunId::parse(id.as_str()), Some(id.clone()));
        assert_eq!(id.suffix(), "a1234567");
        for text in
            ["", "20231114-221320-1abcdefg", "20231114-221320-Abcdefgh", "20231114-221320-abcdefgh/", "é"]
        {
            assert_eq!(RunId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_key_gives_the_same_id_everywhere() {
        assert_eq!(RunId::keyed("job-1"), RunId::keyed("job-1"));
        assert_ne!(RunId::keyed("job-1"), RunId::keyed("job-2"));
        let id = RunId::keyed("job-1");
        assert!(id.as_str().starts_with("00000000-"));
        assert_eq!(RunId::parse(id.as_str()), Some(id));
    }

    #[test]
    fn slugs_are_harmless() {
        assert_eq!(slug(b"plots/Loss curve.PNG"), "plots_loss_curve.png");
        assert_eq!(slug(b"a__b"), "a__b");
        assert_eq!(slug("é/ü".as_bytes()), "_");
        assert_eq!(slug(b"x."), "x_");
        assert_eq!(slug(b""), "_");
        assert_eq!(slug(&[b'a'; 100]).len(), 60);
    }

    #[test]
    fn deceptive_names_are_refused() {
        for name in ["", " ", "a\nb", "a\u{1b}[31m", "a\u{202e}b", &"x".repeat(4096)] {
            assert!(check_name("name", name).is_err(), "{name:?}");
        }
        assert!(check_name("name", "été 2026 🎉").is_ok());
    }

    #[test]
    fn times_keep_their_microseconds() {
        let time = Time(1_700_000_000_123_456);
        assert_eq!(time.to_string(), "2023-11-14T22:13:20.123456Z");
        assert_eq!(Time::parse(&time.to_string()), Some(time));
    }
}
