//! How people write and mistype things: durations, ages, sizes, counts, and "did you mean".
//!
//! Knows no domain; numbers and names come in as they are.

use std::time::Duration;

/// How long something took: `120ms`, `4.2s`, `42s`, `12m 05s`, `3h 12m`, `2d 4h`.
pub fn duration(seconds: f64) -> String {
    let seconds = if seconds.is_finite() { seconds.max(0.0) } else { return "-".to_owned() };
    let tenths = (seconds * 10.0).round();
    if seconds < 0.9995 {
        return format!("{}ms", (seconds * 1000.0).round());
    }
    if tenths < 100.0 {
        return format!("{:.1}s", tenths / 10.0);
    }
    match seconds.round() as u64 {
        whole if whole < MINUTE => format!("{whole}s"),
        whole if whole < HOUR => format!("{}m {:02}s", whole / MINUTE, whole % MINUTE),
        whole if whole < DAY => format!("{}h {:02}m", whole / HOUR, whole % HOUR / MINUTE),
        whole => format!("{}d {}h", whole / DAY, whole % DAY / HOUR),
    }
}

/// How long ago something was, in one unit: `45s`, `5m`, `2h`, `3d`, `5w`, `4mo`, `2y`; the future is `0s`.
pub fn age(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    match seconds {
        _ if seconds < MINUTE => format!("{seconds}s"),
        _ if seconds < HOUR => format!("{}m", seconds / MINUTE),
        _ if seconds < DAY => format!("{}h", seconds / HOUR),
        _ if seconds < 14 * DAY => format!("{}d", seconds / DAY),
        _ if seconds < 60 * DAY => format!("{}w", seconds / (7 * DAY)),
        _ if seconds < 2 * YEAR => format!("{}mo", seconds / (YEAR / 12)),
        _ => format!("{}y", seconds / YEAR),
    }
}

/// A size in bytes: `512 B`, `1.2 MiB`.
pub fn size(bytes: u64) -> String {
    let mut amount = bytes as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        // What would be shown as 1024.0 is 1.0 of the next unit.
        if amount < 1023.95 {
            break;
        }
        (amount, unit) = (amount / 1024.0, larger);
    }
    match unit {
        "B" => format!("{bytes} B"),
        _ => format!("{amount:.1} {unit}"),
    }
}

/// Reads a size as people and git write it: `262144`, `256 KiB`, `256k`, `1.5 MB`.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let end =
        text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let bytes = number.parse::<f64>().ok()? * factor as f64;
    (bytes < u64::MAX as f64).then_some(bytes as u64)
}

/// Reads a duration as people write it: `10s`, `5m`, `1.5h`, `250ms`, `2d`; without a unit it is in seconds.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let end =
        text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "ms" => 0.001,
        "" | "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => MINUTE as f64,
        "h" | "hour" | "hours" => HOUR as f64,
        "d" | "day" | "days" => DAY as f64,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * factor).ok()
}

/// A count and what is counted: `1 run`, `30,000 runs`.
pub fn count(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{} {one}s", grouped(number)),
    }
}

/// The parts of a list as people type it, at its commas; not at those in quotes, backticks, parentheses or braces.
pub fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    let mut depth = 0_usize;
    for character in text.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(character),
            (None, '(' | '{' | '[') => depth += 1,
            (None, ')' | '}' | ']') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("there is the first part").push(character);
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// The candidate that was most likely meant by `name`, if any is near; the earlier of two that are equally near.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(name);
    let length = wanted.chars().count();
    let near = |candidate: &'a str| {
        let candidate_length = candidate.chars().count();
        let slack = slack(length.max(candidate_length));
        let candidate_plain = plain(candidate);
        // Names whose lengths differ by more than slips could are not compared letter by letter: they may be very long.
        let is_comparable =
            length.abs_diff(candidate_length) <= slack || candidate_plain.starts_with(&wanted);
        let distance = is_comparable.then(|| distance(&wanted, &candidate_plain))?;
        (distance <= slack).then_some((distance, candidate))
    };
    let near = candidates.into_iter().filter_map(near);
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY + DAY / 4;

/// A whole number with its digits in groups: `30,000`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace(['-', ' '], "_")
}

/// A beginning of at least three letters counts as one slip.
fn distance(wanted: &str, candidate: &str) -> usize {
    match wanted.len() >= 3 && candidate.starts_with(wanted) {
        true => usize::from(wanted != candidate),
        false => strsim::damerau_levenshtein(wanted, candidate),
    }
}

/// How many slips a name of this length may hold and still be meant.
fn slack(length: usize) -> usize {
    match length {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let table = [
            ("10", Some(10_000)),
            ("10s", Some(10_000)),
            (" 5 m ", Some(300_000)),
            ("1.5h", Some(5_400_000)),
            ("250ms", Some(250)),
            ("2 days", Some(172_800_000)),
            ("", None),
            ("s", None),
            ("5 parsecs", None),
            ("-1s", None),
            ("1.2.3", None),
            ("999999999999999999999999d", None),
        ];
        for (text, milliseconds) in table {
            assert_eq!(parse_duration(text), milliseconds.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn durations_ages_and_sizes_read_as_people_write_them() {
        let durations = [
            (0.0, "0ms"),
            (0.12, "120ms"),
            (0.9996, "1.0s"),
            (4.23, "4.2s"),
            (9.96, "10s"),
            (42.4, "42s"),
            (59.7, "1m 00s"),
            (725.0, "12m 05s"),
            (11_520.0, "3h 12m"),
            (187_200.0, "2d 4h"),
            (-1.0, "0ms"),
            (f64::NAN, "-"),
        ];
        for (seconds, text) in durations {
            assert_eq!(duration(seconds), text, "{seconds}");
        }
        let ages = [
            (-5, "0s"),
            (45, "45s"),
            (300, "5m"),
            (7_300, "2h"),
            (90_000, "1d"),
            (86_400 * 20, "2w"),
            (86_400 * 200, "6mo"),
            (86_400 * 800, "2y"),
        ];
        for (seconds, text) in ages {
            assert_eq!(age(seconds), text, "{seconds}");
        }
        let sizes = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_258_291, "1.2 MiB"),
            (1_048_575, "1.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (bytes, text) in sizes {
            assert_eq!(size(bytes), text, "{bytes}");
        }
        assert_eq!(
            [count(0, "run"), count(1, "run"), count(30_000, "run")],
            ["0 runs", "1 run", "30,000 runs"]
        );
    }

    #[test]
    fn sizes_are_read() {
        let sizes = [
            ("262144", Some(262_144)),
            ("256 KiB", Some(262_144)),
            ("256k", Some(262_144)),
            ("1.5 MB", Some(1_500_000)),
            ("4MiB", Some(4 << 20)),
            ("", None),
            ("-1", None),
            ("1 parsec", None),
            ("1.2.3", None),
            ("99999999999 GiB", None),
        ];
        for (text, bytes) in sizes {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
    }

    #[test]
    fn lists_are_parted_where_people_part_them() {
        let table: [(&str, &[&str]); 6] = [
            ("", &[]),
            ("id, name,,metrics.*", &["id", "name", "metrics.*"]),
            ("params.\"a,b\",`c,d`", &["params.\"a,b\"", "`c,d`"]),
            ("spark(a, b),metrics.{x,y}", &["spark(a, b)", "metrics.{x,y}"]),
            ("a),b", &["a)", "b"]),
            ("\"open, never closed", &["\"open, never closed"]),
        ];
        for (text, list) in table {
            assert_eq!(parts(text), list, "{text}");
        }
    }

    #[test]
    fn the_nearest_is_near() {
        let known = ["accuracy", "loss", "val_loss", "lr", "record.params"];
        let meant = [
            ("acuracy", Some("accuracy")),
            ("Loss", Some("loss")),
            ("val-loss", Some("val_loss")),
            ("record.parms", Some("record.params")),
            ("banana", None),
            ("", None),
            ("x", None),
            ("accu", Some("accuracy")),
            ("accura", Some("accuracy")),
        ];
        for (name, nearest_name) in meant {
            assert_eq!(nearest(name, known), nearest_name, "{name}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(seconds in any::<f64>(), whole in any::<i64>(), bytes in any::<u64>(), text in any::<String>()) {
            duration(seconds);
            age(whole);
            size(bytes);
            parse_size(&text);
            prop_assert_eq!(nearest(&text, [text.as_str()]), Some(text.as_str()));
        }
    }
}
