//! Mean, spread and confidence interval of a sample.

use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// How sure an interval is: 95 %.
pub const CONFIDENCE: f64 = 0.95;

/// What a sample of finite numbers comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// How many numbers there are.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, by n − 1; absent of one number.
    pub deviation: Option<f64>,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Summary {
    /// Of these numbers; what is NaN or infinite is passed over, and of nothing there is none.
    pub fn of(numbers: &[f64]) -> Option<Self> {
        let finite: Vec<f64> = numbers.iter().copied().filter(|number| number.is_finite()).collect();
        let count = finite.len();
        // About the first number: large numbers that hardly differ keep their digits, and equal ones their value.
        let first = *finite.first()?;
        let mean = first + finite.iter().map(|number| (number - first) / count as f64).sum::<f64>();
        let (min, max) =
            finite.iter().fold((first, first), |(min, max), &number| (min.min(number), max.max(number)));
        let mean = mean.clamp(min, max);
        let squares: f64 = finite.iter().map(|number| (number - mean).powi(2)).sum();
        let deviation = (count > 1).then(|| (squares / (count - 1) as f64).sqrt());
        Some(Self { count, mean, deviation, min, max })
    }

    /// The standard error of the mean, s / √n.
    pub fn error(&self) -> Option<f64> {
        Some(self.deviation? / (self.count as f64).sqrt())
    }

    /// Half the width of the 95 % confidence interval of the mean, t(0.975, n − 1) · s / √n, by Student's t
    /// (Student, "The probable error of a mean", Biometrika 6, 1908). The mean of many such samples lies within it in
    /// 95 of 100 cases if the numbers are about normal. Absent of one number.
    pub fn half_width(&self) -> Option<f64> {
        Some(quantile((1.0 + CONFIDENCE) / 2.0, (self.count - 1) as f64)? * self.error()?)
    }
}

/// Below which value a fraction of Student's distribution of this freedom lies.
pub(super) fn quantile(fraction: f64, freedom: f64) -> Option<f64> {
    StudentsT::new(0.0, 1.0, freedom).ok().map(|student| student.inverse_cdf(fraction))
}

/// How probable a value as far from 0 as this, or farther, is in Student's distribution of this freedom.
pub(super) fn two_sided(t: f64, freedom: f64) -> Option<f64> {
    let student = StudentsT::new(0.0, 1.0, freedom).ok()?;
    Some((2.0 * student.sf(t.abs())).clamp(0.0, 1.0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// SciPy 1.17: `import numpy as np; from scipy import stats as s`,
    /// `[(np.mean(x), np.std(x, ddof=1), s.t.ppf(.975, len(x)-1)*s.sem(x)) for x in X]`
    #[test]
    fn as_scipy_has_it() {
        let table: [(&[f64], f64, f64, f64); 4] = [
            (&[0.91, 0.93, 0.92, 0.95, 0.90], 0.922, 0.019_235_384_061_671_322, 0.023_883_883_880_999_775),
            (
                &[2.0, 2.0, 4.0, 9.0, 13.0, 21.0, 34.0],
                12.142_857_142_857_142,
                11.824_107_738_409_856,
                10.935_475_769_522_842,
            ),
            (&[1e6 + 1.0, 1e6 + 2.0, 1e6 + 3.0], 1_000_002.0, 1.0, 2.484_137_711_750_330_3),
            (&[3.0, 5.0], 4.0, std::f64::consts::SQRT_2, 12.706_204_736_174_694),
        ];
        for (numbers, mean, deviation, half_width) in table {
            let summary = Summary::of(numbers).unwrap();
            let close = |one: f64, other: f64| (one - other).abs() <= 1e-9 * other.abs().max(1e-12);
            assert!(close(summary.mean, mean), "{summary:?}");
            assert!(close(summary.deviation.unwrap(), deviation), "{summary:?}");
            assert!(
                close(summary.half_width().unwrap(), half_width),
                "{:?} {half_width}",
                summary.half_width()
            );
        }
    }

    #[test]
    fn one_number_has_no_spread_and_none_no_mean() {
        let one = Summary::of(&[3.0, f64::NAN, f64::INFINITY]).unwrap();
        assert_eq!((one.count, one.mean, one.deviation, one.half_width()), (1, 3.0, None, None));
        assert_eq!(Summary::of(&[f64::NAN]), None);
        let same = Summary::of(&[0.1; 7]).unwrap();
        assert_eq!((same.mean, same.deviation, same.half_width()), (0.1, Some(0.0), Some(0.0)));
    }

    proptest! {
        #[test]
        fn the_mean_lies_among_the_numbers(numbers in prop::collection::vec(-1e6..1e6f64, 1..40)) {
            let summary = Summary::of(&numbers).unwrap();
            prop_assert!(summary.min <= summary.mean && summary.mean <= summary.max);
            prop_assert!(summary.deviation.is_none_or(|deviation| deviation <= summary.max - summary.min + 1e-9));
        }

        #[test]
        fn shifting_and_scaling_carry_over(
            numbers in prop::collection::vec(-1e3..1e3f64, 2..20), shift in -1e3..1e3f64, scale in 0.1..10f64,
        ) {
            let changed: Vec<f64> = numbers.iter().map(|number| number * scale + shift).collect();
            let (one, other) = (Summary::of(&numbers).unwrap(), Summary::of(&changed).unwrap());
            prop_assert!((one.mean * scale + shift - other.mean).abs() < 1e-8);
            prop_assert!((one.half_width().unwrap() * scale - other.half_width().unwrap()).abs() < 1e-6);
        }
    }
}
