//! Questions that nobody would ask: mutations of those that people do. Nothing panics, what is understood is printed and
//! read back the same, and the slowest is told.
//!
//! `XTRACK_PROPTEST_CASES` says how many; the figures of a long run are in `docs/reliability.md`. The same questions are
//! the seeds of `fuzz/`.

use std::time::{Duration, Instant};

use crate::query::parse::LENGTH_MAX;
use crate::query::sample::{NOON, Nobody, runs};
use crate::query::syntax::tests::without_places;
use crate::query::{Query, Vocabulary};
use crate::run::Run;

const SEEDS: &str = include_str!("../../fixtures/query/questions.txt");
/// What mutations put in besides.
const WORDS: &[&str] = &[
    "and",
    "or",
    "not",
    "(",
    ")",
    "in",
    "like",
    "ilike",
    "is null",
    "has",
    "exists",
    "has tag",
    "code in",
    "touches",
    "ancestor of",
    "at",
    "=",
    "!=",
    "<>",
    "<=",
    ">",
    "~",
    "!~",
    "'",
    "\"",
    "`",
    ".",
    ",",
    "\\",
    "metrics.",
    "params.",
    "tags.",
    "lr",
    "acc",
    "loss.min",
    "status",
    "started",
    "duration",
    "user",
    "2 days ago",
    "1h30m",
    "2026-01-02",
    "nan",
    "inf",
    "9007199254740993",
    "1e400",
    "-",
    "\u{0}",
    "\u{1b}[31m",
    "\u{202e}",
    "é",
    "日本",
    "\n",
    "\t",
    "\u{a0}",
    "\\w{99}",
    "(a|b)*",
    "(?i)",
    "%",
    "_",
];

#[test]
#[allow(clippy::print_stdout)]
fn mutated_questions_are_read_or_refused() {
    let cases =
        std::env::var("XTRACK_PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(5_000);
    let seed =
        std::env::var("XTRACK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x9e37_79b9_7f4a_7c15);
    let seeds: Vec<&str> = SEEDS.lines().filter(|line| !line.is_empty()).collect();
    let mut random = Random(seed);
    let runs = runs();
    let known = Vocabulary::of(&runs);
    let (mut slowest, mut question_of_it, mut understood) = (Duration::ZERO, String::new(), 0);
    for _ in 0..cases {
        let question = random.question(&seeds);
        let began = Instant::now();
        let query = Query::parse(&question);
        let bound = query.as_ref().ok().map(|query| query.bind(&known, NOON));
        let took = began.elapsed();
        if took > slowest {
            (slowest, question_of_it) = (took, question.clone());
        }
        if let Ok(query) = query {
            understood += 1;
            is_read_back(&query, &question);
            let some: &[Run] = if question.len() < 1000 { &runs } else { &runs[..1] };
            if let Some(Ok(bound)) = bound {
                some.iter().for_each(|run| {
                    bound.matches(run, &mut Nobody).expect("nobody fails");
                });
            }
        }
    }
    let start: String = question_of_it.chars().take(300).collect();
    let length = question_of_it.len();
    println!(
        "{cases} questions, {understood} understood; the slowest took {slowest:?}: {start:?} ({length} bytes)"
    );
}

/// What is printed may be longer than what was asked, beyond the limit even.
fn is_read_back(query: &Query, question: &str) {
    let Some(root) = &query.root else { return };
    let printed = root.to_string();
    if printed.len() <= LENGTH_MAX {
        let again = Query::parse(&printed)
            .unwrap_or_else(|problem| panic!("{question:?}\nis printed as {printed:?}: {problem}"));
        let again = again.root.as_ref().map(without_places);
        assert_eq!(again, Some(without_places(root)), "{question:?}\n{printed:?}");
    }
}

/// Marsaglia's xorshift: enough to shake questions.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn question(&mut self, seeds: &[&str]) -> String {
        let mut question = self.pick(seeds).as_bytes().to_vec();
        for _ in 0..=self.below(6) {
            self.mutate(&mut question, seeds);
        }
        question.truncate(LENGTH_MAX + 8);
        String::from_utf8_lossy(&question).into_owned()
    }

    fn mutate(&mut self, question: &mut Vec<u8>, seeds: &[&str]) {
        let at = self.below(question.len() + 1);
        let end = at + self.below(question.len() - at + 1).min(12);
        match self.below(10) {
            0 if at < question.len() => question[at] ^= 1 << self.below(8),
            1 => drop(question.drain(at..end)),
            2 => {
                let copied = question[at..end].to_vec();
                question.splice(at..at, copied);
            }
            3 => {
                let joined = format!(" {} {}", self.pick(&["and", "or", "and not", ""]), self.pick(seeds));
                question.extend_from_slice(joined.as_bytes());
            }
            4 => {
                let other = self.pick(seeds).as_bytes();
                let from = self.below(other.len());
                question.truncate(at);
                question.extend_from_slice(&other[from..]);
            }
            5 => {
                let wrapped = format!("({})", String::from_utf8_lossy(question));
                *question = wrapped.into_bytes();
            }
            // Rarely much of the same: long words, lists, nests.
            6 if self.below(50) == 0 => {
                let word = match self.below(3) {
                    0 => self.pick(WORDS).as_bytes().to_vec(),
                    _ => question[at..end].to_vec(),
                };
                let much = word.repeat(self.below(20_000));
                question.splice(at..at, much);
                question.truncate(2 * LENGTH_MAX);
            }
            7 => {
                let byte = self.below(256) as u8;
                question.insert(at, byte);
            }
            _ => {
                let spaced = match self.below(2) {
                    0 => self.pick(WORDS).to_owned(),
                    _ => format!(" {} ", self.pick(WORDS)),
                };
                question.splice(at..at, spaced.into_bytes());
            }
        }
    }
}
