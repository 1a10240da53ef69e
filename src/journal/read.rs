//! Reading one journal file: its events, whatever has happened to the file, and what was lost of them.
//!
//! Knows that lines are torn, damaged, missing, glued together and zero-filled, and holds one line at a time; nothing of
//! what events mean.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::journal::event::{Body, Event};
use crate::journal::line::{self, LINE_MAX, Malformed, Place, Row, Understood};

/// How many of the gaps that lost lines left are remembered, should one of the lines still come.
const GAPS_MAX: usize = 1024;
/// How many reasons are kept.
const REASONS_MAX: usize = 20;
/// How much is read at once.
const BUFFER: usize = 256 << 10;

/// What a file lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loss {
    /// Events that the file's numbering says were written and that are not there.
    pub missing: u64,
    /// Lines that are there and cannot be read.
    pub unreadable: u64,
    /// Events that say something which is not known or cannot be used.
    pub not_understood: u64,
    /// Whether the file ends within a line. While its writer lives, the rest of that line may still come.
    pub torn_tail: bool,
}

impl Loss {
    /// Whether nothing was lost.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Adds what another file lost.
    pub fn add(&mut self, other: Loss) {
        self.missing = self.missing.saturating_add(other.missing);
        self.unreadable = self.unreadable.saturating_add(other.unreadable);
        self.not_understood = self.not_understood.saturating_add(other.not_understood);
        self.torn_tail |= other.torn_tail;
    }
}

impl fmt::Display for Loss {
    /// `3 events lost, 2 lines unreadable`; `nothing lost` where that is so.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |count: u64, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            _ => Some(format!("{count} {many}")),
        };
        let parts = [
            counted(self.missing, "event lost", "events lost"),
            counted(self.unreadable, "line unreadable", "lines unreadable"),
            counted(self.not_understood, "event not understood", "events not understood"),
            self.torn_tail.then(|| "the last line cut short".to_owned()),
        ];
        match parts.into_iter().flatten().collect::<Vec<_>>().join(", ") {
            nothing if nothing.is_empty() => formatter.write_str("nothing lost"),
            parts => formatter.write_str(&parts),
        }
    }
}

/// The events of one file, in order. Lines that cannot be read come as errors, and what was lost is counted.
#[derive(Debug)]
pub struct Lines<R = BufReader<File>> {
    source: R,
    line: Vec<u8>,
    lines: u64,
    loss: Loss,
    reasons: Vec<String>,
    failure: Option<io::Error>,
    is_over: bool,
    /// The number that the next event should have.
    expected: u64,
    /// Ranges of numbers, the end not included, that were missed.
    gaps: Vec<(u64, u64)>,
    /// Lines that could not be read since the last event.
    damaged: u64,
    /// Whether the event read last is counted as not understood.
    is_odd: bool,
}

/// What a line is.
pub(super) enum Found {
    /// Points, whose values were read into the row that was given.
    Points(Place),
    /// Anything else.
    Event(Box<Event>),
    /// Nothing that can be read.
    Malformed(Malformed),
}

/// How the bytes of a line end.
enum Raw {
    /// With a LF.
    Whole,
    /// With the file.
    Tail,
    /// Too late: they were not kept.
    TooLong,
}

impl Lines {
    /// The events of the file at `path`, which must be a regular file, not a link to one.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self::new(BufReader::with_capacity(BUFFER, open(path)?)))
    }
}

/// Opens a regular file; a link, a pipe or a device is refused.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
    }
}

impl<R: BufRead> Lines<R> {
    /// The events that these bytes hold.
    pub fn new(source: R) -> Self {
        Self {
            source,
            line: Vec::new(),
            lines: 0,
            loss: Loss::default(),
            reasons: Vec::new(),
            failure: None,
            is_over: false,
            expected: 0,
            gaps: Vec::new(),
            damaged: 0,
            is_odd: false,
        }
    }

    /// How many events were read so far.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// What was lost so far; whether the tail is torn is known at the end only.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// Why lines could not be read or understood: the first of the reasons.
    pub fn reasons(&self) -> &[String] {
        &self.reasons
    }

    /// What kept the file from being read to its end, if something did.
    pub fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Counts the event read last as not understood, for this reason.
    pub(super) fn not_understood(&mut self, reason: String) {
        self.loss.not_understood += u64::from(!std::mem::replace(&mut self.is_odd, true));
        self.note(reason);
    }

    /// The next line that says something. Points are read into `row`.
    pub(super) fn read(&mut self, row: &mut Row) -> Option<Found> {
        loop {
            let raw = match self.is_over {
                true => return None,
                false => self.next_raw(),
            };
            let found = match raw {
                Ok(None) => {
                    self.end();
                    return None;
                }
                Ok(Some(Raw::TooLong)) => {
                    Some(self.damage(format!("a line is longer than {LINE_MAX} bytes")))
                }
                Ok(Some(raw)) => self.interpret(row, matches!(raw, Raw::Tail)),
                Err(error) => {
                    self.failure = Some(error);
                    self.end();
                    return None;
                }
            };
            if found.is_some() {
                return found;
            }
        }
    }

    /// What the line says; nothing if it is empty, or torn.
    fn interpret(&mut self, row: &mut Row, is_tail: bool) -> Option<Found> {
        if self.line.trim_ascii().is_empty() {
            return None;
        }
        if let Some(place) = row.read(&self.line) {
            self.saw(place.number, false);
            return Some(Found::Points(place));
        }
        match line::understand_any(&self.line) {
            Ok(understood) => Some(self.event(understood)),
            // What comes of a line that never ended is known to be no event, not to be damage.
            Err(_) if is_tail && !has_zeros(&self.line) => {
                self.loss.torn_tail = true;
                None
            }
            Err(malformed) => Some(match self.second_half() {
                Some(understood) => {
                    self.damage(malformed.0);
                    self.event(understood)
                }
                None => self.damage(malformed.0),
            }),
        }
    }

    /// The whole event at the end of a line whose beginning is the torn rest of another. Only a checksum tells it from
    /// a part of something else.
    fn second_half(&self) -> Option<Understood> {
        const START: &[u8] = b"{\"n\":";
        let start = self.line.windows(START.len()).rposition(|window| window == START)?;
        let rest = &self.line[start..];
        if start == 0 || !line::has_crc(rest) {
            return None;
        }
        line::understand(rest).ok()
    }

    fn event(&mut self, Understood { event, odd }: Understood) -> Found {
        self.saw(event.number, matches!(event.body, Body::Begin(_)));
        if let Some(odd) = odd {
            self.not_understood(odd);
        }
        Found::Event(Box::new(event))
    }

    fn damage(&mut self, reason: String) -> Found {
        self.loss.unreadable += 1;
        self.damaged += 1;
        self.note(reason.clone());
        Found::Malformed(Malformed(reason))
    }

    fn note(&mut self, reason: String) {
        if self.reasons.len() < REASONS_MAX && !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    /// Compares an event's number with the one that was expected.
    fn saw(&mut self, number: u64, begins: bool) {
        self.lines += 1;
        self.is_odd = false;
        let damaged = std::mem::take(&mut self.damaged);
        if number >= self.expected {
            self.miss(self.expected, number);
            self.expected = number.saturating_add(1);
        } else if self.fill(number) {
            // It came late: no loss after all.
        } else if begins || number == 0 {
            // Another file was appended to this one.
            self.restart(number, damaged);
        } else if damaged > 0 {
            // The same, and its first line was glued to the last of the one before.
            self.restart(number, damaged - 1);
        }
    }

    fn restart(&mut self, number: u64, lost_before: u64) {
        self.loss.missing = self.loss.missing.saturating_add(lost_before);
        self.gaps.clear();
        self.miss(0, number);
        self.expected = number.saturating_add(1);
    }

    fn miss(&mut self, from: u64, to: u64) {
        if from < to {
            self.loss.missing = self.loss.missing.saturating_add(to - from);
            if self.gaps.len() >= GAPS_MAX {
                self.gaps.remove(0);
            }
            self.gaps.push((from, to));
        }
    }

    /// Whether the number was missing until now.
    fn fill(&mut self, number: u64) -> bool {
        let Some(index) = self.gaps.iter().position(|&(from, to)| (from..to).contains(&number)) else {
            return false;
        };
        let (from, to) = self.gaps.swap_remove(index);
        self.gaps.extend([(from, number), (number + 1, to)].into_iter().filter(|(from, to)| from < to));
        self.gaps.truncate(GAPS_MAX);
        self.loss.missing = self.loss.missing.saturating_sub(1);
        true
    }

    /// No event follows that would tell how many were lost: each line that could not be read was one.
    fn end(&mut self) {
        self.is_over = true;
        self.loss.missing = self.loss.missing.saturating_add(std::mem::take(&mut self.damaged));
    }

    /// Reads the bytes of the next line, its LF included.
    fn next_raw(&mut self) -> io::Result<Option<Raw>> {
        self.line.clear();
        if self.skip_zeros()? {
            self.damage("zeros stand where lines should be".to_owned());
        }
        let length = self.source.by_ref().take(LINE_MAX as u64 + 1).read_until(b'\n', &mut self.line)?;
        Ok(match self.line.last() {
            None => None,
            Some(b'\n') => Some(Raw::Whole),
            Some(_) if length <= LINE_MAX => Some(Raw::Tail),
            Some(_) => {
                self.line = Vec::new();
                self.source.skip_until(b'\n')?;
                Some(Raw::TooLong)
            }
        })
    }

    /// Passes over zeros, which a file system may leave where a write was under way as the power went.
    fn skip_zeros(&mut self) -> io::Result<bool> {
        let mut has_zeros = false;
        loop {
            let buffer = match self.source.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            let zeros = buffer.iter().position(|byte| *byte != 0).unwrap_or(buffer.len());
            if zeros == 0 {
                return Ok(has_zeros);
            }
            has_zeros = true;
            self.source.consume(zeros);
        }
    }
}

fn has_zeros(line: &[u8]) -> bool {
    line.contains(&0)
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Event, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut row = Row::default();
        Some(match self.read(&mut row)? {
            Found::Points(Place { number, time, step }) => {
                Ok(Event { number, time, step, body: Body::Points(row.values) })
            }
            Found::Event(event) => Ok(*event),
            Found::Malformed(malformed) => Err(malformed),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::journal::event::{Begin, Step};
    use crate::run::attempt::Number;
    use indexmap::IndexMap;
    use proptest::prelude::*;

    /// A journal of that many lines, one of each three a row.
    fn journal(lines: u64) -> Vec<Vec<u8>> {
        let body = |number: u64| match number {
            0 => Body::Begin(Begin { protocol: 1, ..Begin::default() }),
            _ if number.is_multiple_of(3) => Body::Note(format!("note {number}")),
            _ => Body::Points(IndexMap::from([("loss".to_owned(), Number::Float(number as f64 / 7.0))])),
        };
        let place = |number| Place { number, time: Some(Number::Float(number as f64)), step: Step::Next };
        (0..lines).map(|number| line::write(place(number), &body(number))).collect()
    }

    struct Outcome {
        numbers: Vec<u64>,
        events: Vec<Event>,
        loss: Loss,
    }

    fn read(bytes: &[u8]) -> Outcome {
        let mut lines = Lines::new(bytes);
        let events: Vec<Event> = lines.by_ref().flatten().collect();
        assert_eq!(lines.lines(), events.len() as u64);
        Outcome { numbers: events.iter().map(|event| event.number).collect(), events, loss: lines.loss() }
    }

    fn loss(missing: u64, unreadable: u64) -> Loss {
        Loss { missing, unreadable, ..Loss::default() }
    }

    fn cases(default: u32) -> ProptestConfig {
        let asked = std::env::var("XTRACK_PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
        ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(asked.unwrap_or(default)) }
    }

    proptest! {
        #![proptest_config(cases(300))]

        #[test]
        fn flipped_bits_cost_their_own_lines_only(
            count in 2u64..20,
            flips in prop::collection::btree_map(0usize..20, (any::<prop::sample::Index>(), 0u8..8), 1..5),
        ) {
            let whole = journal(count);
            let mut lines = whole.clone();
            // The last line stays whole, so that the numbering tells everything; the end of the one before is its too.
            for (line, (at, bit)) in flips.into_iter().filter(|(line, _)| *line as u64 + 1 < count) {
                let length = lines[line].len() - usize::from(line as u64 + 2 == count);
                lines[line][at.index(length)] ^= 1 << bit;
            }
            let bytes = lines.concat();
            let found = read(&bytes);
            let mut at = 0;
            for (number, line) in whole.iter().enumerate() {
                if bytes[at..at + line.len()] == line[..] {
                    prop_assert!(found.numbers.contains(&(number as u64)), "{number}: {:?}", found.loss);
                }
                at += line.len();
            }
            for event in &found.events {
                let original = line::decode(&whole[event.number as usize]).unwrap();
                prop_assert_eq!(event, &original);
            }
            prop_assert_eq!(found.numbers.len() as u64 + found.loss.missing, count, "{:?}", found.loss);
            prop_assert!(!found.loss.torn_tail);
        }

        #[test]
        fn a_cut_costs_what_is_behind_it(count in 1u64..20, at in any::<prop::sample::Index>()) {
            let whole = journal(count);
            let mut bytes = whole.concat();
            let length = at.index(bytes.len() + 1);
            bytes.truncate(length);
            let found = read(&bytes);
            let mut end = 0;
            let ends: Vec<usize> = whole.iter().map(|line| { end += line.len(); end }).collect();
            // The LF alone may be missing: the line is whole without it.
            let kept = ends.iter().filter(|end| **end - 1 <= length).count();
            let is_torn = length > 0 && !ends.iter().any(|end| *end == length || *end - 1 == length);
            prop_assert_eq!(found.numbers, (0..kept as u64).collect::<Vec<_>>());
            prop_assert_eq!(found.loss, Loss { torn_tail: is_torn, ..Loss::default() });
        }

        #[test]
        fn lines_that_are_gone_are_counted(count in 1u64..30, gone in prop::collection::btree_set(0u64..30, 0..6)) {
            let kept: Vec<u64> = (0..count).filter(|number| !gone.contains(number)).collect();
            let whole = journal(count);
            let bytes: Vec<u8> = kept.iter().flat_map(|number| whole[*number as usize].clone()).collect();
            let found = read(&bytes);
            let seen = kept.last().map_or(0, |last| last + 1);
            prop_assert_eq!(found.loss, loss(seen - kept.len() as u64, 0));
            prop_assert_eq!(found.numbers, kept);
        }

        #[test]
        fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            read(&bytes);
        }
    }

    #[test]
    fn files_that_were_put_together_are_read_as_both() {
        let (first, second) = (journal(5).concat(), journal(8).concat());
        let found = read(&[first.clone(), second.clone()].concat());
        assert_eq!((found.numbers.len(), found.loss), (13, Loss::default()));
        // The first ends within a line, so that the second's first line is glued to it.
        let cut = &first[..first.len() - 9];
        let found = read(&[cut, second.as_slice()].concat());
        assert_eq!(found.numbers, [0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(found.loss, loss(1, 1));
        // And that line is damaged too.
        let mut second = second;
        second[3] = b'x';
        let found = read(&[cut, second.as_slice()].concat());
        assert_eq!(found.numbers, [0, 1, 2, 3, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(found.loss, loss(1, 1));
    }

    #[test]
    fn two_processes_that_share_a_file_lose_nothing() {
        let lines = journal(5);
        let order = [0, 1, 2, 1, 2, 3, 3, 4];
        let found = read(&order.iter().flat_map(|number| lines[*number].clone()).collect::<Vec<u8>>());
        assert_eq!((found.numbers.len(), found.loss), (8, Loss::default()));
        let late =
            read(&[0, 2, 3, 1, 4].iter().flat_map(|number| lines[*number].clone()).collect::<Vec<u8>>());
        assert_eq!((late.numbers.len(), late.loss), (5, Loss::default()));
    }

    #[test]
    fn a_short_write_that_was_followed_by_a_line_costs_one_event() {
        let lines = journal(4);
        let torn = &lines[1][..lines[1].len() / 2];
        let found = read(&[&lines[0], torn, b"\n", &lines[2], &lines[3]].concat());
        assert_eq!((found.numbers, found.loss), (vec![0, 2, 3], loss(1, 1)));
    }

    #[test]
    fn zeros_are_passed_over() {
        let lines = journal(4);
        let zeros = vec![0; 300_000];
        let found = read(&[&lines[0], zeros.as_slice(), &lines[2], &lines[3]].concat());
        assert_eq!((found.numbers, found.loss), (vec![0, 2, 3], loss(1, 1)));
        let tail = read(&[&lines[0], &lines[1], zeros.as_slice()].concat());
        assert_eq!((tail.numbers, tail.loss), (vec![0, 1], loss(1, 1)));
    }

    #[test]
    fn lines_may_be_long_but_not_endless() {
        let place = |number| Place { number, time: None, step: Step::Next };
        let long = line::write(place(0), &Body::Note("x".repeat(10 << 20)));
        let endless = line::write(place(1), &Body::Note("x".repeat(LINE_MAX)));
        let after = line::write(place(2), &Body::Note(String::new()));
        let found = read(&[long, endless, after].concat());
        assert_eq!((found.numbers, found.loss), (vec![0, 2], loss(1, 1)));
    }

    #[test]
    fn garbage_and_blank_lines() {
        let lines = journal(3);
        let found =
            read(&[&lines[0], b"Epoch 1: 100%|####|\n\n\r\n".as_slice(), &lines[1], &lines[2]].concat());
        assert_eq!((found.numbers, found.loss), (vec![0, 1, 2], loss(0, 1)));
    }

    #[test]
    fn losses_are_said() {
        let all = Loss { missing: 3, unreadable: 2, not_understood: 1, torn_tail: true };
        assert_eq!(
            all.to_string(),
            "3 events lost, 2 lines unreadable, 1 event not understood, the last line cut short"
        );
        assert_eq!(loss(1, 0).to_string(), "1 event lost");
        assert_eq!(Loss::default().to_string(), "nothing lost");
    }

    #[cfg(unix)]
    #[test]
    fn links_and_folders_are_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("target"), "").unwrap();
        std::os::unix::fs::symlink("target", folder.path().join("link.jsonl")).unwrap();
        assert!(Lines::open(&folder.path().join("link.jsonl")).is_err());
        assert!(Lines::open(folder.path()).is_err());
        assert!(Lines::open(&folder.path().join("target")).is_ok());
    }
}
