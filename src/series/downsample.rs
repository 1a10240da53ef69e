//! A long curve as one that a screen can show: of each stretch of it the first and the last spot, the lowest and the
//! highest, so that no spike is lost, and its gaps.
//!
//! Pure and in one pass; a spot is a place on a plot, whatever its two numbers stand for.

/// A place on a plot; where `y` is NaN the curve has a gap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// Across.
    pub x: f64,
    /// Up.
    pub y: f64,
}

/// Stretches of equal width between two ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretches {
    /// Where the first begins.
    pub low: f64,
    /// Where the last ends.
    pub high: f64,
    /// How many there are.
    pub count: usize,
}

impl Stretches {
    /// In which of them a place lies; those beyond the ends go to the outermost.
    pub fn of(&self, x: f64) -> usize {
        let width = self.high - self.low;
        let share = if width > 0.0 { (x - self.low) / width } else { 0.0 };
        ((share * self.count as f64) as usize).min(self.count.saturating_sub(1))
    }
}

/// The curve, thinned out: of each run of spots in one stretch at most ten stay, all of them of the curve and in its
/// order. `stretch` tells in which stretch an `x` lies.
pub fn downsample(spots: impl IntoIterator<Item = Spot>, stretch: impl Fn(f64) -> usize) -> Vec<Spot> {
    let mut kept = Vec::new();
    let mut open: Option<(usize, Run)> = None;
    for spot in spots {
        let at = stretch(spot.x);
        match &mut open {
            Some((stretch, run)) if *stretch == at => run.push(spot),
            _ => {
                if let Some((_, run)) = open.take() {
                    run.flush(&mut kept);
                }
                let mut run = Run::default();
                run.push(spot);
                open = Some((at, run));
            }
        }
    }
    if let Some((_, run)) = open {
        run.flush(&mut kept);
    }
    kept
}

/// Neighbouring spots of one stretch: those before its first gap, those after it, and whether it ends in a gap.
#[derive(Default)]
struct Run {
    before: Ends,
    gap: Option<Spot>,
    after: Ends,
    last_gap: Option<Spot>,
}

/// The outermost of some spots, each with its place among them.
#[derive(Default)]
struct Ends {
    count: usize,
    first: Option<Spot>,
    lowest: Option<(usize, Spot)>,
    highest: Option<(usize, Spot)>,
    last: Option<Spot>,
}

impl Run {
    fn push(&mut self, spot: Spot) {
        match (spot.y.is_nan(), self.gap) {
            (false, None) => self.before.push(spot),
            (false, Some(_)) => {
                self.after.push(spot);
                self.last_gap = None;
            }
            (true, None) => self.gap = Some(spot),
            (true, Some(_)) => self.last_gap = self.last_gap.or((self.after.count > 0).then_some(spot)),
        }
    }

    fn flush(self, kept: &mut Vec<Spot>) {
        self.before.flush(kept);
        kept.extend(self.gap);
        self.after.flush(kept);
        kept.extend(self.last_gap);
    }
}

impl Ends {
    fn push(&mut self, spot: Spot) {
        self.first = self.first.or(Some(spot));
        if self.lowest.is_none_or(|(_, lowest)| spot.y < lowest.y) {
            self.lowest = Some((self.count, spot));
        }
        if self.highest.is_none_or(|(_, highest)| spot.y > highest.y) {
            self.highest = Some((self.count, spot));
        }
        self.last = Some(spot);
        self.count += 1;
    }

    fn flush(self, kept: &mut Vec<Spot>) {
        let last = self.count.saturating_sub(1);
        let ends = [self.first.map(|spot| (0, spot)), self.last.map(|spot| (last, spot))];
        let mut ends: Vec<(usize, Spot)> =
            ends.into_iter().chain([self.lowest, self.highest]).flatten().collect();
        ends.sort_by_key(|(place, _)| *place);
        ends.dedup_by_key(|(place, _)| *place);
        kept.extend(ends.into_iter().map(|(_, spot)| spot));
    }
}

/// The curve in a known number of spots: of each run of neighbours in one stretch the mean, gaps left out. For what is
/// averaged afterwards, where the outermost would weigh too much.
pub fn means(spots: impl IntoIterator<Item = Spot>, stretch: impl Fn(f64) -> usize) -> Vec<Spot> {
    let mut means: Vec<Spot> = Vec::new();
    let mut open: Option<(usize, f64, Spot)> = None;
    let close = |(_, count, sum): (usize, f64, Spot)| Spot { x: sum.x / count, y: sum.y / count };
    for spot in spots.into_iter().filter(|spot| spot.x.is_finite() && spot.y.is_finite()) {
        let at = stretch(spot.x);
        match &mut open {
            Some((stretch, count, sum)) if *stretch == at => {
                *count += 1.0;
                (sum.x, sum.y) = (sum.x + spot.x, sum.y + spot.y);
            }
            _ => means.extend(open.replace((at, 1.0, spot)).map(close)),
        }
    }
    means.extend(open.map(close));
    means
}

/// The curve smoothed as TensorBoard does: an exponential moving average without its bias towards zero. `weight` is
/// how much of what came before stays, from 0 to 1. Gaps stay gaps and are passed over.
pub fn smooth(spots: &mut [Spot], weight: f64) {
    let first = spots.iter().map(|spot| spot.y).find(|y| y.is_finite());
    let is_constant = spots.iter().all(|spot| !spot.y.is_finite() || Some(spot.y) == first);
    // Of equal values the mean would be unequal in its last digit.
    if weight <= 0.0 || is_constant {
        return;
    }
    let (mut mean, mut left) = (0.0, 1.0);
    for spot in spots.iter_mut().filter(|spot| spot.y.is_finite()) {
        mean = mean * weight + spot.y * (1.0 - weight);
        left *= weight;
        spot.y = mean / (1.0 - left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spots(pairs: &[(f64, f64)]) -> Vec<Spot> {
        pairs.iter().map(|&(x, y)| Spot { x, y }).collect()
    }

    /// As text: NaN is not equal to itself.
    fn text(spots: &[Spot]) -> Vec<String> {
        spots.iter().map(|spot| format!("{spot:?}")).collect()
    }

    #[test]
    fn a_spike_and_a_gap_stay() {
        let mut curve: Vec<Spot> = (0..1_000_000).map(|x| Spot { x: f64::from(x), y: 1.0 }).collect();
        curve[123_456].y = 100.0;
        curve[654_321].y = -100.0;
        curve[777_777].y = f64::NAN;
        let stretches = Stretches { low: 0.0, high: 999_999.0, count: 80 };
        let kept = downsample(curve.iter().copied(), |x| stretches.of(x));
        assert!(kept.len() <= 2 * 80 + 6, "{}", kept.len());
        let has = |x: f64| kept.iter().any(|spot| spot.x == x);
        assert!(has(123_456.0) && has(654_321.0) && has(777_777.0) && has(0.0) && has(999_999.0));
        let gap = kept.iter().position(|spot| spot.y.is_nan());
        assert!(gap.is_some_and(|gap| kept[gap - 1].x == 777_776.0 && kept[gap + 1].x == 777_778.0));
    }

    #[test]
    fn stretches_hold_what_lies_beyond_them() {
        let stretches = Stretches { low: 0.0, high: 10.0, count: 5 };
        assert_eq!([-1.0, 0.0, 1.9, 2.0, 10.0, 99.0].map(|x| stretches.of(x)), [0, 0, 0, 1, 4, 4]);
        assert_eq!(Stretches { low: 1.0, high: 1.0, count: 5 }.of(1.0), 0);
        assert_eq!(stretches.of(f64::NAN), 0);
    }

    #[test]
    fn smoothing_is_tensorboards() {
        let mut curve = spots(&[(0.0, 1.0), (1.0, 0.0), (2.0, f64::NAN), (3.0, 0.0)]);
        smooth(&mut curve, 0.5);
        let expected = [1.0, 1.0 / 3.0, f64::NAN, 0.125 / 0.875];
        for (spot, expected) in curve.iter().zip(expected) {
            assert!((spot.y - expected).abs() < 1e-12 || (spot.y.is_nan() && expected.is_nan()), "{spot:?}");
        }
        let mut constant = spots(&[(0.0, 0.1), (1.0, 0.1), (2.0, 0.1)]);
        smooth(&mut constant, 0.9);
        assert_eq!(constant, spots(&[(0.0, 0.1), (1.0, 0.1), (2.0, 0.1)]));
    }

    #[test]
    fn means_are_of_what_is_there() {
        let curve = spots(&[(0.0, 1.0), (1.0, 3.0), (1.5, f64::NAN), (5.0, 7.0)]);
        let stretches = Stretches { low: 0.0, high: 5.0, count: 2 };
        assert_eq!(means(curve, |x| stretches.of(x)), spots(&[(0.5, 2.0), (5.0, 7.0)]));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

        #[test]
        fn extremes_survive_and_order_is_kept(
            pairs in prop::collection::vec((0_u8..40, prop_oneof![4 => (-50_i8..50).prop_map(f64::from), 1 => Just(f64::NAN)]), 0..200),
            count in 1_usize..12,
            is_sorted in any::<bool>()
        ) {
            let mut curve: Vec<Spot> = pairs.iter().map(|&(x, y)| Spot { x: f64::from(x), y }).collect();
            if is_sorted {
                curve.sort_by(|one, other| one.x.total_cmp(&other.x));
            }
            let stretches = Stretches { low: 0.0, high: 39.0, count };
            let kept = downsample(curve.iter().copied(), |x| stretches.of(x));
            // What is kept is of the curve, in its order.
            let (all, few) = (text(&curve), text(&kept));
            let mut rest = all.iter();
            prop_assert!(few.iter().all(|spot| rest.any(|other| other == spot)));
            // Of each run of neighbours in a stretch the extremes are there, and the ends.
            let runs = |spots: &[Spot]| -> Vec<Vec<Spot>> {
                spots.chunk_by(|one, other| stretches.of(one.x) == stretches.of(other.x)).map(<[Spot]>::to_vec).collect()
            };
            let ends = |run: &[Spot]| {
                let values: Vec<f64> = run.iter().map(|spot| spot.y).filter(|y| !y.is_nan()).collect();
                let outermost = (values.iter().copied().reduce(f64::min), values.iter().copied().reduce(f64::max));
                (outermost, values.first().copied(), values.last().copied(), run.iter().any(|spot| spot.y.is_nan()))
            };
            prop_assert_eq!(runs(&curve).len(), runs(&kept).len());
            for (run, kept) in runs(&curve).iter().zip(&runs(&kept)) {
                prop_assert!(kept.len() <= 10);
                prop_assert_eq!(ends(kept), ends(run));
            }
            if is_sorted {
                prop_assert!(kept.len() <= 10 * count);
            }
        }
    }
}
