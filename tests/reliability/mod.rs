//! Nothing that a call returned from is lost, whatever is killed, filled or torn meanwhile.
//!
//! Each test has a quick form, which always runs, and a long one by `XTRACK_TRIALS` or `XTRACK_EVERY`;
//! `docs/reliability.md` has the commands and the figures. A logger acknowledges each call into a file of its own once
//! the call has returned; what it acknowledged must be in the record.
#![cfg(target_os = "linux")]

mod artifacts;
mod calls;
mod clock;
mod container;
mod crowd;
pub mod disk;
pub mod faults;
mod kills;
mod logger;
mod signals;
mod torn;
mod values;

/// How many trials a test makes: `quick`, or what `XTRACK_TRIALS` says.
pub fn trials(quick: usize) -> usize {
    std::env::var("XTRACK_TRIALS").ok().and_then(|text| text.parse().ok()).unwrap_or(quick)
}

/// Of many cases about `quick`, evenly spread, or all of them if `XTRACK_EVERY` is set.
pub fn spread<T>(cases: Vec<T>, quick: usize) -> Vec<T> {
    let stride = if is_long() { 1 } else { cases.len().div_ceil(quick).max(1) };
    // Not always the same ones: in time all of them are tried.
    let first = Dice::new().below(stride as u64) as usize;
    cases.into_iter().skip(first).step_by(stride).collect()
}

/// Whether the long form is asked for.
pub fn is_long() -> bool {
    std::env::var_os("XTRACK_EVERY").is_some()
}

/// Says that a test cannot be made here, which fails it where skips are forbidden.
#[track_caller]
pub fn skip(what: &str) {
    assert!(std::env::var_os("XTRACK_FORBID_SKIPS").is_none(), "{what} is wanted and does not work");
    eprintln!("skipped: {what} does not work here");
}

/// Numbers that look random, from a seed that `XTRACK_SEED` repeats.
pub struct Dice(u64);

impl Dice {
    /// A seed of this moment, or the one that is to be repeated; it is printed, for when the test fails.
    pub fn new() -> Self {
        let fixed = std::env::var("XTRACK_SEED").ok().and_then(|text| text.parse().ok());
        let moment = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seed = fixed.unwrap_or_else(|| moment().as_nanos() as u64 | 1);
        eprintln!("XTRACK_SEED={seed}");
        let mut dice = Self(seed);
        // The first numbers of seeds that are alike are alike.
        (0..8).for_each(|_| {
            dice.below(2);
        });
        dice
    }

    /// A number from 0 up to, and without, `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        // xorshift64* (Vigna 2016): small, and good enough to spread moments.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % end
    }
}
