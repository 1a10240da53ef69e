//! Numbers as they are logged, and the one way each is written.
//!
//! Knows nothing of where a number stands: TOML and TSV write the same text.

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
        match self {
            Number::Int(int) => int.to_string(),
            Number::Float(float) => write_float(float),
        }
    }

    /// Reads what [`Number::write`] writes, and nothing else.
    pub fn read(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_int = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = match is_int {
            true => Number::Int(text.parse().ok()?),
            false => Number::Float(text.parse().ok()?),
        };
        (number.write() == text).then_some(number)
    }
}

/// Writes a double: the shortest text that reads back the same, always with a point, an exponent, `nan` or `inf`.
pub fn write_float(float: f64) -> String {
    match float {
        _ if float.is_nan() => "nan".to_owned(),
        _ if float == f64::INFINITY => "inf".to_owned(),
        _ if float == f64::NEG_INFINITY => "-inf".to_owned(),
        _ => format!("{float:?}"),
    }
}
