//! Axes: where a value stands between two ends, and which values are written beside it.
//!
//! Pure; ends, ticks and labels are the same on every surface, only how many there is room for differs.

use crate::run::id::Time;

/// What the numbers of an axis are, and how they are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Numbers, evenly.
    Linear,
    /// The same, of things that are counted: nothing is written between two whole numbers.
    Whole,
    /// Numbers above zero, each power of ten as long as the next.
    Log,
    /// Moments in Unix seconds.
    Moment,
    /// Lengths of time in seconds.
    Span,
}

/// An axis between two ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// What its numbers are.
    pub kind: Kind,
    /// The lower end.
    pub low: f64,
    /// The upper end, above the lower.
    pub high: f64,
}

/// A value that is written beside an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// The value.
    pub at: f64,
    /// How it is written.
    pub label: String,
}

impl Scale {
    /// An axis that holds both ends, whatever they are.
    pub fn new(kind: Kind, low: f64, high: f64) -> Self {
        let (low, high) = match (low.is_finite(), high.is_finite()) {
            (true, true) if low <= high => (low, high),
            (true, true) => (high, low),
            (true, false) | (false, true) => {
                let only = if low.is_finite() { low } else { high };
                (only, only)
            }
            (false, false) => (0.0, 1.0),
        };
        let scale = match kind {
            Kind::Log => {
                let high = if high > 0.0 { high } else { 1.0 };
                let low = if low > 0.0 { low } else { high / 10.0 };
                let is_one = high / low < 1.0 + 1e-12;
                if is_one { (low / 2.0, high * 2.0) } else { (low, high) }
            }
            Kind::Whole if low == high => (low - 0.5, high + 0.5),
            // So close that no number lies between.
            _ if (high - low) <= 1e-12 * high.abs().max(low.abs()) => {
                let room = if high == 0.0 { 1.0 } else { high.abs() * 0.1 };
                (low - room, high + room)
            }
            _ => (low, high),
        };
        Self { kind, low: scale.0, high: scale.1 }.bounded()
    }

    /// The same axis within what can be computed with, whatever its ends are multiplied by.
    fn bounded(self) -> Self {
        const LARGEST: f64 = 1e300;
        let least = if self.kind == Kind::Log { 1.0 / LARGEST } else { -LARGEST };
        let (low, high) = (self.low.clamp(least, LARGEST), self.high.clamp(least, LARGEST));
        // Both may lie beyond it.
        let (low, high) = if low < high { (low, high) } else { (least, LARGEST) };
        Self { low, high, ..self }
    }

    /// The same axis with some room at both ends, so that no curve lies on the frame; from zero if that is near.
    pub fn with_room(self) -> Self {
        const ROOM: f64 = 0.04;
        match self.kind {
            Kind::Log => {
                let room = 10_f64.powf(self.decades() * ROOM);
                Self { low: self.low / room, high: self.high * room, ..self }.bounded()
            }
            _ => {
                let room = (self.high - self.low) * ROOM;
                let is_near_zero = self.low >= 0.0 && self.low <= (self.high - self.low) * 0.25;
                let is_below_zero = self.high <= 0.0 && -self.high <= (self.high - self.low) * 0.25;
                let low = if is_near_zero { 0.0 } else { self.low - room };
                let high = if is_below_zero { 0.0 } else { self.high + room };
                Self { low, high, ..self }.bounded()
            }
        }
    }

    /// Where a value stands: 0 at the lower end, 1 at the upper; beyond them below and above; NaN where it cannot.
    pub fn place(&self, value: f64) -> f64 {
        let share = |low: f64, value: f64, high: f64| (value - low) / (high - low);
        match self.kind {
            Kind::Log if value <= 0.0 => f64::NAN,
            Kind::Log => share(self.low.log10(), value.log10(), self.high.log10()),
            _ => share(self.low, value, self.high),
        }
    }

    /// The value that stands there.
    pub fn value(&self, place: f64) -> f64 {
        match self.kind {
            Kind::Log => 10_f64.powf(self.low.log10() + place * self.decades()),
            _ => self.low + place * (self.high - self.low),
        }
    }

    /// How many powers of ten a log axis spans; their quotient may be beyond all numbers.
    fn decades(&self) -> f64 {
        self.high.log10() - self.low.log10()
    }

    /// Round values on the axis, about as many as wanted and never more than twice that.
    pub fn ticks(&self, wanted: usize) -> Vec<Tick> {
        let wanted = wanted.max(2);
        match self.kind {
            Kind::Linear | Kind::Whole => self.linear_ticks(wanted),
            Kind::Log => self.log_ticks(wanted),
            Kind::Span => self.span_ticks(wanted),
            Kind::Moment => self.moment_ticks(wanted),
        }
    }

    fn linear_ticks(&self, wanted: usize) -> Vec<Tick> {
        let step = round_up((self.high - self.low) / wanted as f64);
        let step = if self.kind == Kind::Whole { step.max(1.0) } else { step };
        let places = self.multiples(step);
        let largest = places.iter().fold(0.0_f64, |largest, at| largest.max(at.abs()));
        places.into_iter().map(|at| Tick { at, label: written(at, step, largest) }).collect()
    }

    fn log_ticks(&self, wanted: usize) -> Vec<Tick> {
        let decades = self.decades();
        if decades < 1.0 {
            return self.linear_ticks(wanted);
        }
        let stride = (decades / wanted as f64).ceil().max(1.0) as i32;
        let within: &[f64] = match decades {
            _ if decades * 3.0 <= wanted as f64 => &[1.0, 2.0, 5.0],
            _ if decades * 2.0 <= wanted as f64 => &[1.0, 3.0],
            _ => &[1.0],
        };
        let first = self.low.log10().floor() as i32;
        let last = self.high.log10().ceil() as i32;
        let powers = (first..=last).filter(|power| power.rem_euclid(stride) == 0);
        let ticks = powers.flat_map(|power| within.iter().map(move |digit| (*digit, power)));
        let ticks = ticks
            .map(|(digit, power)| Tick { at: digit * 10_f64.powi(power), label: power_label(digit, power) });
        ticks.filter(|tick| (self.low * (1.0 - 1e-9)..=self.high * (1.0 + 1e-9)).contains(&tick.at)).collect()
    }

    fn span_ticks(&self, wanted: usize) -> Vec<Tick> {
        let (unit, letter) = match self.high.abs().max(self.low.abs()) {
            longest if longest < 180.0 => (1.0, "s"),
            longest if longest < 3.0 * HOUR => (MINUTE, "m"),
            longest if longest < 3.0 * DAY => (HOUR, "h"),
            _ => (DAY, "d"),
        };
        let step = round_span((self.high - self.low) / wanted as f64);
        let label = |at: f64| match () {
            () if at.abs() < step / 2.0 => format!("0{letter}"),
            () if step < unit => parted(at, step),
            () => format!("{}{letter}", written(at / unit, step / unit, 0.0)),
        };
        self.multiples(step).into_iter().map(|at| Tick { at, label: label(at) }).collect()
    }

    fn moment_ticks(&self, wanted: usize) -> Vec<Tick> {
        let step = round_span((self.high - self.low) / wanted as f64);
        let mut day = String::new();
        let label = |at: f64| {
            let text = Time((at * 1e6).round() as i64).to_string();
            let (date, time) = (text.get(..10).unwrap_or_default(), text.get(11..).unwrap_or_default());
            let time = match step {
                _ if step < 1.0 => time.get(..10),
                _ if step < MINUTE => time.get(..8),
                _ if step < DAY => time.get(..5),
                _ => Some(""),
            };
            // The day is told where it begins.
            let label = match (date == day, time.unwrap_or_default()) {
                (_, "") => date.to_owned(),
                (true, time) => time.to_owned(),
                (false, time) => format!("{} {time}", date.get(5..).unwrap_or_default()),
            };
            date.clone_into(&mut day);
            label
        };
        let mut label = label;
        self.multiples(step).into_iter().map(|at| Tick { at, label: label(at) }).collect()
    }

    /// The multiples of a step that lie on the axis.
    fn multiples(&self, step: f64) -> Vec<f64> {
        let slack = (self.high - self.low) * 1e-9;
        let (first, last) = (((self.low - slack) / step).ceil(), ((self.high + slack) / step).floor());
        let count = (last - first).clamp(0.0, 1000.0) as usize;
        (0..=count).map(|index| (first + index as f64) * step).filter(|at| *at <= self.high + slack).collect()
    }
}

const MINUTE: f64 = 60.0;
const HOUR: f64 = 3600.0;
const DAY: f64 = 86_400.0;

/// A length of time in its parts, as `1h30m`, down to what the step needs.
fn parted(seconds: f64, step: f64) -> String {
    let (slack, places) = (step * 1e-6, (-step.log10().floor()).clamp(0.0, 12.0) as usize);
    let mut rest = seconds.abs();
    let mut text = if seconds < 0.0 { "-" } else { "" }.to_owned();
    let mut is_begun = false;
    for (unit, letter) in [(DAY, "d"), (HOUR, "h"), (MINUTE, "m")] {
        let whole = ((rest + slack) / unit).floor();
        rest = (rest - whole * unit).max(0.0);
        is_begun |= whole > 0.0;
        if whole > 0.0 || (is_begun && rest > slack) {
            text.push_str(&format!("{whole}{letter}"));
        }
    }
    if rest > slack {
        text.push_str(&format!("{rest:.places$}s"));
    }
    text
}

/// A number in few characters.
pub fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        magnitude if (1e-3..1e5).contains(&magnitude) => {
            let places = (3.0 - magnitude.log10().floor()).clamp(0.0, 6.0) as usize;
            let text = format!("{value:.places$}");
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text
            }
        }
        _ => {
            let text = format!("{value:.2e}");
            let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
            format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'))
        }
    }
}

/// The least of 1, 2, 5, 10, … times a power of ten that is not below.
fn round_up(step: f64) -> f64 {
    if !(step.is_finite() && step >= f64::MIN_POSITIVE) {
        return 1.0;
    }
    let power = 10_f64.powf(step.log10().floor());
    let digit = [1.0, 2.0, 5.0].into_iter().find(|digit| step / power <= digit * (1.0 + 1e-9));
    digit.unwrap_or(10.0) * power
}

/// The least round length of time that is not below.
fn round_span(step: f64) -> f64 {
    const MINUTES: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0];
    const HOURS: [f64; 5] = [2.0, 3.0, 6.0, 12.0, 24.0];
    let seconds = MINUTES.into_iter();
    let spans = seconds
        .clone()
        .chain(seconds.map(|minutes| minutes * MINUTE))
        .chain(HOURS.into_iter().map(|hours| hours * HOUR));
    match step {
        _ if step < 1.0 => round_up(step),
        _ => spans
            .into_iter()
            .find(|span| step <= span * (1.0 + 1e-9))
            .unwrap_or_else(|| round_up(step / DAY) * DAY),
    }
}

/// A multiple of a step as people write it, with as many places as the step needs.
fn written(at: f64, step: f64, largest: f64) -> String {
    let is_zero = at.abs() < step / 2.0;
    let at = if is_zero { 0.0 } else { at };
    if is_zero && (largest >= 1e4 || step < 1e-5) {
        return "0".to_owned();
    }
    if largest >= 1e15 || step < 1e-5 {
        let digits = (at.abs().log10().floor() - step.log10().floor()).clamp(0.0, 6.0) as usize;
        return shortened(&format!("{at:.digits$e}"));
    }
    for (unit, letter) in [(1e12_f64, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if largest >= unit.max(1e4) && step >= unit / 10.0 {
            return format!("{}{letter}", plain(at / unit, step / unit));
        }
    }
    plain(at, step)
}

fn plain(at: f64, step: f64) -> String {
    let places = (-(step * (1.0 + 1e-9)).log10().floor()).clamp(0.0, 12.0) as usize;
    format!("{at:.places$}")
}

/// `1.00e-5` as `1e-5`.
fn shortened(scientific: &str) -> String {
    match scientific.split_once('e') {
        Some((digits, power)) if digits.contains('.') => {
            format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => scientific.to_owned(),
    }
}

fn power_label(digit: f64, power: i32) -> String {
    match power {
        -3..=-1 => format!("{:.*}", power.unsigned_abs() as usize, digit * 10_f64.powi(power)),
        0..=3 => format!("{}", digit * 10_f64.powi(power)),
        _ => format!("{digit}e{power}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(kind: Kind, low: f64, high: f64, wanted: usize) -> String {
        let ticks = Scale::new(kind, low, high).ticks(wanted);
        ticks.into_iter().map(|tick| tick.label).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_are_round() {
        use Kind::{Linear, Log, Moment, Span, Whole};
        let table = [
            (Linear, 0.0, 1.0, 5, "0.0 0.2 0.4 0.6 0.8 1.0"),
            (Linear, 0.0, 999_999.0, 5, "0 200k 400k 600k 800k"),
            (Linear, 0.0, 9999.0, 5, "0 2000 4000 6000 8000"),
            (Linear, -0.013, 0.02, 4, "-0.01 0.00 0.01 0.02"),
            (Linear, 100_000.0, 100_004.0, 4, "100000 100001 100002 100003 100004"),
            (Linear, 0.0, 3e-6, 3, "0 1e-6 2e-6 3e-6"),
            (Linear, 0.0, 1e30, 4, "0 5e29 1e30"),
            (Linear, 0.5, 0.5, 4, "0.45 0.50 0.55"),
            (Whole, 0.0, 3.0, 9, "0 1 2 3"),
            (Whole, 7.0, 7.0, 9, "7"),
            (Whole, 0.0, 99.0, 5, "0 20 40 60 80"),
            (Log, 1e-4, 1.0, 5, "1e-4 0.001 0.01 0.1 1"),
            (Log, 0.02, 30.0, 12, "0.02 0.05 0.1 0.2 0.5 1 2 5 10 20"),
            (Log, 1e-30, 1.0, 6, "1e-30 1e-25 1e-20 1e-15 1e-10 1e-5 1"),
            (Log, 2.0, 5.0, 4, "2 3 4 5"),
            (Log, 0.0, 10.0, 3, "1 2 5 10"),
            (Span, 0.0, 100.0, 5, "0s 20s 40s 60s 80s 100s"),
            (Span, 0.0, 5400.0, 6, "0m 15m 30m 45m 60m 75m 90m"),
            (Span, 0.0, 280.0, 6, "0m 1m 2m 3m 4m"),
            (Span, 0.0, 280.0, 10, "0m 30s 1m 1m30s 2m 2m30s 3m 3m30s 4m 4m30s"),
            (Span, -5400.0, 12_600.0, 10, "-1h30m -1h -30m 0h 30m 1h 1h30m 2h 2h30m 3h 3h30m"),
            (Span, 10_800.0, 10_804.0, 4, "3h 3h0m1s 3h0m2s 3h0m3s 3h0m4s"),
            (Span, 200.0, 200.2, 4, "3m20.00s 3m20.05s 3m20.10s 3m20.15s 3m20.20s"),
            (Span, 0.0, 86_400.0, 5, "0h 6h 12h 18h 24h"),
            (Span, 0.0, 864_000.0, 5, "0d 2d 4d 6d 8d 10d"),
            (Moment, 1_782_897_300.0, 1_782_900_900.0, 4, "07-01 09:15 09:30 09:45 10:00 10:15"),
            (Moment, 1_782_897_300.0, 1_783_500_000.0, 4, "2026-07-02 2026-07-04 2026-07-06 2026-07-08"),
        ];
        for (kind, low, high, wanted, expected) in table {
            assert_eq!(labels(kind, low, high, wanted), expected, "{kind:?} {low} {high}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

        #[test]
        fn every_axis_can_be_drawn(
            low in prop_oneof![any::<f64>(), -10.0..10.0],
            high in prop_oneof![any::<f64>(), -10.0..10.0],
            kind in prop::sample::select(vec![Kind::Linear, Kind::Whole, Kind::Log, Kind::Moment, Kind::Span]),
            wanted in 0_usize..20
        ) {
            let scale = Scale::new(kind, low, high);
            for scale in [scale, scale.with_room()] {
                prop_assert!(scale.low < scale.high, "{scale:?}");
                let ticks = scale.ticks(wanted);
                prop_assert!(ticks.len() <= 3 + 2 * wanted.max(2), "{} of {scale:?}", ticks.len());
                for tick in &ticks {
                    let place = scale.place(tick.at);
                    prop_assert!((-1e-6..=1.0 + 1e-6).contains(&place), "{tick:?} at {place} of {scale:?}");
                }
                prop_assert!(ticks.windows(2).all(|pair| pair[0].at < pair[1].at));
                let middle = scale.place(scale.value(0.5));
                prop_assert!((middle - 0.5).abs() < 1e-3, "{middle} of {scale:?}");
            }
        }
    }
}
