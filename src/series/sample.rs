//! What is kept of series that are too long for text: of each stretch its smallest and largest value, the ends of its
//! runs of NaN and infinities, and of the whole the first and the last point.
//!
//! Points come one by one and are not kept: stretches double in length as they become too many, so that memory stays
//! bounded whatever is logged. The same points in the same order come to the same sample.

use crate::series::Point;

/// How many stretches one series has at most.
const BUCKETS_MAX: usize = 1024;
/// How many all series of a sample have together, before each has to do with half as many.
const BUCKETS_TOTAL: usize = 1 << 16;

/// Samples of several series.
#[derive(Debug)]
pub struct Samples {
    series: Vec<Sample>,
    buckets: usize,
    buckets_max: usize,
}

/// A sample of one series.
#[derive(Debug, Default)]
struct Sample {
    count: u64,
    /// How many points one bucket takes.
    width: u64,
    buckets: Vec<Bucket>,
    first: Option<Point>,
    last: Option<Point>,
}

/// What is kept of a stretch; each point with its place in the series.
#[derive(Debug, Default)]
struct Bucket {
    /// The smallest and the largest of the finite values.
    finite: Option<(Placed, Placed)>,
    /// The first and the last that is not finite; rare, so that it takes little room where there is none.
    nonfinite: Option<Box<(Placed, Placed)>>,
}

type Placed = (u64, Point);

impl Default for Samples {
    fn default() -> Self {
        Self { series: Vec::new(), buckets: 0, buckets_max: BUCKETS_MAX }
    }
}

impl Samples {
    /// Begins another series; its number, counted from 0.
    pub fn begin(&mut self) -> usize {
        self.series.push(Sample { width: 1, ..Sample::default() });
        self.series.len() - 1
    }

    /// Takes the next point of a series.
    pub fn push(&mut self, series: usize, point: &Point) {
        let sample = &mut self.series[series];
        let before = sample.buckets.len();
        sample.push(point);
        if sample.buckets.len() == before {
            return;
        }
        if sample.buckets.len() > self.buckets_max {
            sample.halve();
        }
        self.buckets = self.buckets + sample.buckets.len() - before;
        if self.buckets > BUCKETS_TOTAL && self.buckets_max > 1 {
            self.halve();
        }
    }

    /// What is kept of a series, in the order logged.
    pub fn points(&self, series: usize) -> Vec<Point> {
        self.series[series].points()
    }

    fn halve(&mut self) {
        self.buckets_max /= 2;
        for sample in &mut self.series {
            while sample.buckets.len() > self.buckets_max {
                sample.halve();
            }
        }
        self.buckets = self.series.iter().map(|sample| sample.buckets.len()).sum();
    }
}

impl Sample {
    fn push(&mut self, point: &Point) {
        if (self.count / self.width) as usize == self.buckets.len() {
            self.buckets.push(Bucket::default());
        }
        if let Some(open) = self.buckets.last_mut() {
            open.push(self.count, point);
        }
        self.first.get_or_insert(*point);
        self.last = Some(*point);
        self.count += 1;
    }

    /// Makes one bucket of every two.
    fn halve(&mut self) {
        let mut halved = Vec::with_capacity(self.buckets.len().div_ceil(2));
        let mut buckets = std::mem::take(&mut self.buckets).into_iter();
        while let Some(mut bucket) = buckets.next() {
            if let Some(later) = buckets.next() {
                bucket.then(later);
            }
            halved.push(bucket);
        }
        self.buckets = halved;
        self.width *= 2;
    }

    fn points(&self) -> Vec<Point> {
        let mut points: Vec<Placed> = self.buckets.iter().flat_map(Bucket::points).collect();
        points.extend(self.first.map(|point| (0, point)));
        points.extend(self.last.map(|point| (self.count - 1, point)));
        points.sort_by_key(|(place, _)| *place);
        points.dedup_by_key(|(place, _)| *place);
        points.into_iter().map(|(_, point)| point).collect()
    }
}

impl Bucket {
    fn push(&mut self, place: u64, point: &Point) {
        let value = point.value.as_f64();
        if !value.is_finite() {
            match &mut self.nonfinite {
                Some(ends) => ends.1 = (place, *point),
                None => self.nonfinite = Some(Box::new(((place, *point), (place, *point)))),
            }
            return;
        }
        match &mut self.finite {
            None => self.finite = Some(((place, *point), (place, *point))),
            Some((min, _)) if value < min.1.value.as_f64() => *min = (place, *point),
            Some((_, max)) if value > max.1.value.as_f64() => *max = (place, *point),
            Some(_) => {}
        }
    }

    /// Takes in the bucket after this one.
    fn then(&mut self, later: Bucket) {
        match (&mut self.finite, later.finite) {
            (Some((min, max)), Some((later_min, later_max))) => {
                if later_min.1.value.as_f64() < min.1.value.as_f64() {
                    *min = later_min;
                }
                if later_max.1.value.as_f64() > max.1.value.as_f64() {
                    *max = later_max;
                }
            }
            (None, finite) => self.finite = finite,
            (Some(_), None) => {}
        }
        match (&mut self.nonfinite, later.nonfinite) {
            (Some(ends), Some(later)) => ends.1 = later.1,
            (None, nonfinite) => self.nonfinite = nonfinite,
            (Some(_), None) => {}
        }
    }

    fn points(&self) -> impl Iterator<Item = Placed> {
        let finite = self.finite.iter().flat_map(|(min, max)| [*min, *max]);
        finite.chain(self.nonfinite.iter().flat_map(|ends| [ends.0, ends.1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::number::Number;
    use proptest::prelude::*;

    fn sampled(values: &[f64]) -> Vec<(i128, f64)> {
        let mut samples = Samples::default();
        let series = samples.begin();
        for (value, step) in values.iter().zip(0..) {
            let point = Point { step: Some(Number::Int(step)), time: None, value: Number::Float(*value) };
            samples.push(series, &point);
        }
        samples.points(series).iter().map(|point| (step(point), point.value.as_f64())).collect()
    }

    fn step(point: &Point) -> i128 {
        point.step.map_or(-1, |step| step.as_f64() as i128)
    }

    #[test]
    fn few_points_are_all_kept() {
        let values: Vec<f64> = (0..1024).map(|index| f64::from(index % 7)).collect();
        assert!(sampled(&values).iter().map(|(_, value)| *value).eq(values));
    }

    #[test]
    fn many_series_share_the_room() {
        let mut samples = Samples::default();
        for series in 0..1000 {
            assert_eq!(samples.begin(), series);
            for value in 0..300 {
                let value = Number::Float(f64::from(value % 17));
                samples.push(series, &Point { step: None, time: None, value });
            }
        }
        assert!(samples.buckets <= BUCKETS_TOTAL, "{}", samples.buckets);
        assert_eq!(samples.buckets, samples.series.iter().map(|series| series.buckets.len()).sum::<usize>());
        assert!(samples.series.iter().all(|series| series.points().len() > 30));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

        #[test]
        fn extremes_ends_and_runs_of_what_is_no_number_are_kept(
            seed in any::<u64>(), length in 1_usize..20_000, runs in prop::collection::vec((0_usize..20_000, 1_usize..3000), 0..3)
        ) {
            let mut state = seed | 1;
            let mut values: Vec<f64> = (0..length).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as f64
            }).collect();
            for (start, count) in runs {
                values.iter_mut().skip(start).take(count).for_each(|value| *value = f64::NAN);
            }
            let kept = sampled(&values);
            prop_assert!(kept.len() <= 4 * BUCKETS_MAX + 2);
            prop_assert!(kept.windows(2).all(|pair| pair[0].0 < pair[1].0));
            prop_assert!(kept.iter().all(|(step, value)| values[*step as usize].to_bits() == value.to_bits()));
            prop_assert_eq!((kept[0].0, kept[kept.len() - 1].0), (0, length as i128 - 1));
            let min = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::INFINITY, f64::min);
            prop_assert_eq!(min(&mut values.iter().copied()), min(&mut kept.iter().map(|(_, value)| *value)));
            let nan = |values: &[f64]| values.iter().filter(|value| value.is_nan()).count();
            let kept_values: Vec<f64> = kept.iter().map(|(_, value)| *value).collect();
            prop_assert_eq!(nan(&values) > 0, nan(&kept_values) > 0);
            for (step, _) in values.iter().enumerate().filter(|(_, value)| value.is_nan()) {
                // The kept ends of a run are never further apart than a stretch.
                let width = 2 * length / BUCKETS_MAX + 2;
                prop_assert!(kept.iter().any(|(kept, value)| value.is_nan() && (*kept as usize).abs_diff(step) <= width));
            }
        }
    }
}
