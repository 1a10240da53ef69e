//! How two rows of numbers go together.

use crate::statistics::ranks::ranks;

/// Pearson's r: how near the pairs lie to a line, from −1 to 1 (Pearson, Proc. R. Soc. London 58, 1895). Absent where one side
/// does not vary.
pub fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() || x.len() < 2 {
        return None;
    }
    let (x, y) = (centred(x)?, centred(y)?);
    let r: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
    Some(r.clamp(-1.0, 1.0))
}

/// Spearman's ρ: Pearson's r of the ranks, so that only the order counts and no scale (Spearman, Am. J. Psychol. 15, 1904).
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    pearson(&ranks(x), &ranks(y))
}

/// The numbers about their mean, with length 1; absent if they are all the same.
fn centred(numbers: &[f64]) -> Option<Vec<f64>> {
    let largest = numbers.iter().fold(0.0f64, |largest, number| largest.max(number.abs()));
    if !largest.is_finite() || numbers.iter().all(|number| *number == numbers[0]) {
        return None;
    }
    let mean = numbers.iter().map(|number| number / largest).sum::<f64>() / numbers.len() as f64;
    let about: Vec<f64> = numbers.iter().map(|number| number / largest - mean).collect();
    let length = about.iter().map(|number| number * number).sum::<f64>().sqrt();
    (length > 0.0).then(|| about.iter().map(|number| number / length).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// SciPy 1.17: `from scipy import stats as s; x = [1e-5, 3e-4, .1, .03, .003, .003, .2]; y = [.2, .5, .7, .9, .8, .6, .1]`
    /// `s.pearsonr(x, y)[0], s.spearmanr(x, y)[0]`
    #[test]
    fn as_scipy_has_it() {
        let x = [1e-5, 3e-4, 0.1, 0.03, 0.003, 0.003, 0.2];
        let y = [0.2, 0.5, 0.7, 0.9, 0.8, 0.6, 0.1];
        let (r, rho) = (-0.448_002_268_000_573_94, 0.108_112_495_523_467_09);
        assert!((pearson(&x, &y).unwrap() - r).abs() < 1e-12, "{:?}", pearson(&x, &y));
        assert!((spearman(&x, &y).unwrap() - rho).abs() < 1e-12, "{:?}", spearman(&x, &y));
    }

    #[test]
    fn what_does_not_vary_goes_with_nothing() {
        assert_eq!(pearson(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), None);
        assert_eq!(spearman(&[1.0], &[1.0]), None);
        for found in
            [spearman(&[1.0, 10.0, 1e9], &[3.0, 2.0, 1.0]), pearson(&[f64::MAX, -f64::MAX], &[1.0, 2.0])]
        {
            assert!((found.unwrap() + 1.0).abs() < 1e-12, "{found:?}");
        }
    }

    proptest! {
        #[test]
        fn it_is_symmetric_and_bounded(pairs in prop::collection::vec((-1e3..1e3f64, -1e3..1e3f64), 2..30)) {
            let (x, y): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let negated: Vec<f64> = x.iter().map(|number| -number).collect();
            if let Some(r) = pearson(&x, &y) {
                prop_assert!(r.abs() <= 1.0);
                prop_assert_eq!(Some(r), pearson(&y, &x));
                prop_assert!((pearson(&negated, &y).unwrap() + r).abs() < 1e-12);
                let cubed: Vec<f64> = x.iter().map(|number| number.powi(3)).collect();
                prop_assert_eq!(spearman(&x, &y), spearman(&cubed, &y));
            }
        }
    }
}
