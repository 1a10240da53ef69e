//! Numbers as they are logged, and the one way each is written.
//!
//! Knows nothing of where a number stands: TOML and TSV write the same text.

use std::cmp::Ordering;
use std::fmt::{self, Write};

/// A number as it was logged: integers stay integers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An integer, exact.
    Int(i128),
    /// A double, NaN and infinities included.
    Float(f64),
}

impl Number {
    /// As a double; a large integer loses precision.
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Int(int) => int as f64,
            Number::Float(float) => float,
        }
    }

    /// Writes it: an integer as its digits, a double as [`write_float`] does.
    pub fn write(self) -> String {
        let mut text = String::new();
        self.push_to(&mut text);
        text
    }

    /// Writes it behind a text.
    pub fn push_to(self, text: &mut String) {
        self.put(text).expect("a text takes what is written to it");
    }

    /// Reads what [`Number::write`] writes, and nothing else.
    pub fn read(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_int = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = match is_int {
            true => Number::Int(text.parse().ok()?),
            false => Number::Float(text.parse().ok()?),
        };
        let mut written = Digits { bytes: [0; 40], length: 0 };
        number.put(&mut written).ok()?;
        (written.as_bytes() == text.as_bytes()).then_some(number)
    }

    /// How two compare as numbers, whatever their types; NaN compares with nothing.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Number::Int(one), Number::Int(other)) => Some(one.cmp(&other)),
            (one, other) => one.as_f64().partial_cmp(&other.as_f64()),
        }
    }

    fn put(self, out: &mut impl Write) -> fmt::Result {
        match self {
            // Nearly all are small, and those are written faster.
            Number::Int(int) => match i64::try_from(int) {
                Ok(int) => write!(out, "{int}"),
                Err(_) => write!(out, "{int}"),
            },
            Number::Float(float) => put_float(float, out),
        }
    }
}

/// Writes a double: the shortest text that reads back the same, always with a point, an exponent, `nan` or `inf`.
pub fn write_float(float: f64) -> String {
    Number::Float(float).write()
}

fn put_float(float: f64, out: &mut impl Write) -> fmt::Result {
    match float {
        _ if float.is_nan() => out.write_str("nan"),
        _ if float == f64::INFINITY => out.write_str("inf"),
        _ if float == f64::NEG_INFINITY => out.write_str("-inf"),
        _ => write!(out, "{float:?}"),
    }
}

/// Room for any number that is written, without an allocation: the longest is the smallest integer.
struct Digits {
    bytes: [u8; 40],
    length: usize,
}

impl Digits {
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_numbers_are_read_back() {
        for number in [Number::Int(i128::MIN), Number::Int(i128::MAX), Number::Float(-f64::MIN_POSITIVE)] {
            assert_eq!(Number::read(&number.write()), Some(number));
        }
        for float in [-1.234_567_890_123_456_7e-4, -123_456_789_012_345.67, -1.797_693_134_862_315_7e308] {
            assert_eq!(Number::read(&write_float(float)), Some(Number::Float(float)), "{float:?}");
        }
    }

    #[test]
    fn numbers_compare_whatever_their_types() {
        assert_eq!(Number::Int(1).compare(Number::Float(1.0)), Some(Ordering::Equal));
        assert_eq!(Number::Int(i128::MAX).compare(Number::Int(i128::MAX - 1)), Some(Ordering::Greater));
        assert_eq!(Number::Float(f64::NAN).compare(Number::Int(0)), None);
    }
}
