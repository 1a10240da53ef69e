//! Whether one value passes a test: the meaning of every comparison, for the scan and for the index alike.
//!
//! Knows values and tests, nothing of runs: what is absent never comes here, since it passes no test.

use std::cmp::Ordering;

use crate::query::{Comparison, Literal, Test, written};
use crate::run::id::Time;
use crate::run::value::Value;

/// Whether the value passes the test. Moments are compared as RFC 3339 text holds them.
pub fn passes(test: &Test, value: &Value) -> bool {
    match test {
        Test::Exists => true,
        Test::Compare(comparison, literal) => compares(value, *comparison, literal),
        Test::In(literals) => literals.iter().any(|literal| compares(value, Comparison::Equal, literal)),
        Test::Like { pattern, ignore_case } => {
            written::texts(value).iter().any(|text| is_like(text, pattern, *ignore_case))
        }
        Test::Matches(pattern) => written::texts(value).iter().any(|text| pattern.0.is_match(text)),
        Test::Fails(test) => !passes(test, value),
    }
}

/// Whether the value compares so with the literal. Values of different types are unequal and in no order; so is NaN with
/// anything but `nan`.
pub fn compares(value: &Value, comparison: Comparison, literal: &Literal) -> bool {
    let order = match literal {
        Literal::Typed(typed) => order(value, typed),
        Literal::Quoted(text) => order_as_text(value, text),
        Literal::Loose(text) => order_loosely(value, text),
        Literal::Moment(moment) => value.as_text().and_then(Time::parse).map(|time| time.cmp(moment)),
        Literal::Seconds(seconds) => order(value, &Value::Float(*seconds)),
    };
    match comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::Unequal => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

/// How two typed values compare: numbers of any type exactly, texts by their characters, all else by equality alone.
pub fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) => Some(one.cmp(other)),
        (Value::Float(one), Value::Float(other)) if one.is_nan() && other.is_nan() => Some(Ordering::Equal),
        _ if is_number(one) && is_number(other) => order_numbers(one, other),
        (one, other) => (one == other).then_some(Ordering::Equal),
    }
}

/// Equal if it is one of the value's texts; in an order only with text.
fn order_as_text(value: &Value, text: &str) -> Option<Ordering> {
    match value {
        Value::Text(known) => Some(known.as_str().cmp(text)),
        other => written::is_written(other, text).then_some(Ordering::Equal),
    }
}

/// Equal as text, or as what both read as.
fn order_loosely(value: &Value, text: &str) -> Option<Ordering> {
    match value {
        Value::Text(known) if known == text => Some(Ordering::Equal),
        Value::Text(known) => {
            let (one, other) = (written::read(known), written::read(text));
            match is_number(&other) {
                true => order(&one, &other),
                false => Some(known.as_str().cmp(text)),
            }
        }
        other => order(other, &written::read(text)),
    }
}

/// Whether the value is a number.
pub fn is_number(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::BigInt(_) | Value::Float(_))
}

/// How two numbers compare, exactly whatever their size and type; nothing if one is NaN.
fn order_numbers(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Int(one), Value::Int(other)) => Some(one.cmp(other)),
        (Value::Float(one), Value::Float(other)) => one.partial_cmp(other),
        (Value::Float(one), other) => order_whole(&digits(other), *one).map(Ordering::reverse),
        (one, Value::Float(other)) => order_whole(&digits(one), *other),
        (one, other) => Some(order_digits(&digits(one), &digits(other))),
    }
}

fn digits(value: &Value) -> String {
    match value {
        Value::Int(int) => int.to_string(),
        Value::BigInt(digits) => digits.clone(),
        _ => String::new(),
    }
}

/// How a whole number, in decimal digits, compares with a double.
fn order_whole(whole: &str, float: f64) -> Option<Ordering> {
    match float {
        _ if float.is_nan() => None,
        f64::INFINITY => Some(Ordering::Less),
        f64::NEG_INFINITY => Some(Ordering::Greater),
        // The digits of a double without a fraction are exact, however many there are.
        _ => Some(
            order_digits(whole, &format!("{:.0}", float.trunc()))
                .then_with(|| 0.0.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal)),
        ),
    }
}

fn order_digits(one: &str, other: &str) -> Ordering {
    let parts = |text: &str| -> (bool, String) {
        let magnitude = text.trim_start_matches(['-', '+']).trim_start_matches('0').to_owned();
        (text.starts_with('-') && !magnitude.is_empty(), magnitude)
    };
    let ((one_negative, one), (other_negative, other)) = (parts(one), parts(other));
    let magnitudes = one.len().cmp(&other.len()).then_with(|| one.cmp(&other));
    match (one_negative, other_negative) {
        (false, false) => magnitudes,
        (true, true) => magnitudes.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

/// Whether the whole text is like the pattern: `%` any text, `_` one character.
pub fn is_like(text: &str, pattern: &str, ignore_case: bool) -> bool {
    match ignore_case {
        true => fits(text, pattern, ['%', '_'], |one, other| folded(one) == folded(other)),
        false => is_wild(text, pattern, '%', '_'),
    }
}

/// A character without its case. One for one, unlike whole words in lower case: what fits with case fits without.
fn folded(character: char) -> char {
    let mut lower = character.to_lowercase();
    match (lower.next(), lower.next()) {
        // Sigma has two small letters.
        (Some('ς'), None) => 'σ',
        (Some(only), None) => only,
        _ => character,
    }
}

/// Whether the whole text fits the pattern, in which `any` stands for any text and `one` for one character.
pub fn is_wild(text: &str, pattern: &str, any: char, one: char) -> bool {
    fits(text, pattern, [any, one], |one, other| one == other)
}

fn fits(text: &str, pattern: &str, [any, one]: [char; 2], is_same: impl Fn(char, char) -> bool) -> bool {
    let (mut text, mut pattern) = (text.chars(), pattern.chars());
    // Where to go on if what follows does not fit: after the last `any`, with the text that it does not cover yet.
    let mut retry = None;
    loop {
        let (character, wanted) = (text.clone().next(), pattern.clone().next());
        match wanted {
            Some(wanted) if wanted == any => {
                pattern.next();
                retry = Some((text.clone(), pattern.clone()));
            }
            None if character.is_none() => return true,
            Some(wanted) if character.is_some_and(|found| wanted == one || is_same(found, wanted)) => {
                text.next();
                pattern.next();
            }
            _ => {
                let Some((uncovered, after)) = &mut retry else { return false };
                if uncovered.next().is_none() {
                    return false;
                }
                (text, pattern) = (uncovered.clone(), after.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::parse::pattern;
    use crate::run::tests::cases;
    use proptest::prelude::*;

    #[test]
    fn without_case_no_less_fits_than_with_it() {
        for (text, pattern) in
            [("ΟΔΟΣ ΜΟΥ", "ΟΔΟΣ%"), ("İstanbul", "_stanbul"), ("straße", "STRAß_"), ("ΟΔΟς", "οδοσ")]
        {
            assert!(is_like(text, pattern, true), "{text} {pattern}");
        }
        assert!(!is_like("a", "b", true));
    }

    proptest! {
        #[test]
        fn what_fits_with_case_fits_without(text in "\\PC{0,6}", from in 0_usize..6, any in any::<bool>()) {
            let pattern: String = text.chars().take(from).chain(any.then_some('%')).collect();
            prop_assert!(!is_like(&text, &pattern, false) || is_like(&text, &pattern, true));
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let near = |base: i64| (base - 3..base + 3).prop_map(Value::Int);
        prop_oneof![
            near(0),
            near(1 << 53),
            any::<i64>().prop_map(Value::Int),
            prop::sample::select(vec![
                "18446744073709551616",
                "-18446744073709551617",
                "9223372036854775808"
            ])
            .prop_map(|digits| Value::BigInt(digits.to_owned())),
            prop::sample::select(vec![
                0.0,
                -0.0,
                0.5,
                9_007_199_254_740_992.0,
                1.8446744073709552e19,
                9.223372036854775e18,
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY
            ])
            .prop_map(Value::Float),
            any::<f64>().prop_map(Value::Float),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null),
            "[a-c1.]{0,3}".prop_map(Value::Text),
            prop::collection::vec((0..3_i64).prop_map(Value::Int), 0..3).prop_map(Value::List),
        ]
    }

    fn literal() -> impl Strategy<Value = Literal> {
        prop_oneof![
            value().prop_map(Literal::Typed),
            "[a-c0-3.]{0,3}".prop_map(Literal::Quoted),
            "[a-c0-3.]{0,3}".prop_map(Literal::Loose),
            any::<f64>().prop_map(Literal::Seconds),
            Just(Literal::Moment(Time(0))),
        ]
    }

    /// What a number is, exactly, if it is a whole one that 128 bits hold.
    fn whole(value: &Value) -> Option<i128> {
        match value {
            Value::Int(int) => Some((*int).into()),
            Value::BigInt(digits) => digits.parse().ok(),
            Value::Float(float) if float.fract() == 0.0 && float.abs() < 1e38 => Some(*float as i128),
            _ => None,
        }
    }

    proptest! {
        #![proptest_config(cases(2048))]

        #[test]
        fn comparisons_agree_with_each_other(value in value(), literal in literal()) {
            let is = |comparison| compares(&value, comparison, &literal);
            prop_assert_ne!(is(Comparison::Equal), is(Comparison::Unequal));
            prop_assert!(!(is(Comparison::Less) && is(Comparison::Greater)));
            prop_assert_eq!(is(Comparison::LessOrEqual), is(Comparison::Less) || is(Comparison::Equal));
            prop_assert_eq!(is(Comparison::GreaterOrEqual), is(Comparison::Greater) || is(Comparison::Equal));
            let within = Test::In(vec![Literal::Quoted("no".into()), literal.clone()]);
            prop_assert_eq!(passes(&within, &value), is(Comparison::Equal));
            prop_assert_ne!(passes(&Test::Fails(Box::new(within.clone())), &value), passes(&within, &value));
        }

        #[test]
        fn whole_numbers_compare_exactly(one in value(), other in value()) {
            if let (Some(one_whole), Some(other_whole)) = (whole(&one), whole(&other)) {
                prop_assert_eq!(order(&one, &other), Some(one_whole.cmp(&other_whole)));
            }
            prop_assert_eq!(order(&one, &other), order(&other, &one).map(Ordering::reverse));
        }

        #[test]
        fn a_value_equals_each_of_its_texts(value in value()) {
            for text in written::texts(&value) {
                prop_assert!(compares(&value, Comparison::Equal, &Literal::Quoted(text.clone())), "{}", text);
            }
        }

        #[test]
        fn unquoted_text_of_a_number_is_that_number(value in value()) {
            if is_number(&value) {
                for text in written::texts(&value) {
                    prop_assert_eq!(order(&written::read(&text), &value), Some(Ordering::Equal), "{}", text);
                }
            }
        }

        #[test]
        fn like_is_the_regular_expression_that_it_stands_for(text in "[ab_%\n]{0,8}", pattern_text in "[ab%_]{0,6}") {
            let expression: String = pattern_text.chars().map(|character| match character {
                '%' => "(?s:.*)".to_owned(),
                '_' => "(?s:.)".to_owned(),
                plain => plain.to_string(),
            }).collect();
            let expression = pattern(&format!("^(?:{expression})$")).expect("a small pattern");
            prop_assert_eq!(is_like(&text, &pattern_text, false), expression.0.is_match(&text));
        }
    }

    #[test]
    fn fractions_count_beside_integers_of_any_size() {
        let table = [
            (Value::Int(1), 1.5, Ordering::Less),
            (Value::Int(-1), -1.5, Ordering::Greater),
            (Value::Int(0), -0.5, Ordering::Greater),
            (Value::Int(0), -0.0, Ordering::Equal),
            (Value::Int((1 << 53) + 1), 9_007_199_254_740_992.0, Ordering::Greater),
            (Value::BigInt("18446744073709551615".into()), 18_446_744_073_709_551_616.0, Ordering::Less),
            (Value::BigInt(format!("-1{}", "0".repeat(400))), f64::MIN, Ordering::Less),
            (Value::BigInt(format!("1{}", "0".repeat(400))), f64::INFINITY, Ordering::Less),
        ];
        for (one, other, wanted) in table {
            assert_eq!(order(&one, &Value::Float(other)), Some(wanted), "{one:?} {other}");
        }
    }
}
