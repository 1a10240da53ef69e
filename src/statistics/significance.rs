//! Whether two groups of numbers differ by more than chance: Welch's t, the rank test of Mann and Whitney, sizes of effects,
//! and Holm's correction where many are asked at once.

use statrs::distribution::{ContinuousCDF as _, Normal};

use crate::statistics::ranks::{ranks, ties};
use crate::statistics::summary::{CONFIDENCE, Summary, quantile, two_sided};

/// Below this p a difference is taken for more than chance.
pub const LEVEL: f64 = 0.05;

/// In a group of fewer nothing can be told: of four and four every order of ranks but the two farthest apart leaves the rank
/// test above [`LEVEL`], and whether numbers are normal, as Welch's t wants, cannot be seen.
pub const FEW: usize = 5;

/// How many numbers together the rank test counts out exactly.
const EXACT_MAX: usize = 60;

/// How two groups of numbers differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The first group.
    pub before: Summary,
    /// The second.
    pub after: Summary,
    /// The mean of the second less that of the first.
    pub difference: f64,
    /// Half the width of the difference's 95 % confidence interval, by Welch's t; absent where a group has one number.
    pub half_width: Option<f64>,
    /// Welch's test; absent where a group has one number, or nothing varies.
    pub welch: Option<Welch>,
    /// The rank test.
    pub rank: RankTest,
    /// Hedges' g; absent where a group has one number, or nothing varies.
    pub effect: Option<f64>,
}

/// What Welch's test says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Welch {
    /// The difference of the means in standard errors.
    pub t: f64,
    /// The degrees of freedom.
    pub freedom: f64,
    /// How probable a difference as large or larger is by chance.
    pub p: f64,
}

/// What the rank test says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankTest {
    /// Of how many pairs of one number of each group the second is larger; a tie counts half.
    pub u: f64,
    /// The same as a part of all pairs: how probable it is that one of the second group is larger (Vargha and Delaney's A).
    pub superiority: f64,
    /// How probable it is by chance that the groups are mixed as little, or less.
    pub p: f64,
    /// Whether that was counted out, rather than approximated.
    pub is_exact: bool,
}

/// What can be said of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Too few numbers to tell.
    TooFew,
    /// Nothing differs at all.
    Same,
    /// Both tests take it for more than chance.
    Differs,
    /// One of them does.
    Unclear,
    /// Neither does; which is no proof that there is no difference.
    NotSeen,
}

/// Compares two groups; absent where one of them has no finite number.
pub fn compare(before: &[f64], after: &[f64]) -> Option<Comparison> {
    let [before, after] = [before, after]
        .map(|numbers| numbers.iter().copied().filter(|number| number.is_finite()).collect::<Vec<f64>>());
    let rank = mann_whitney(&before, &after)?;
    let [before, after] = [Summary::of(&before)?, Summary::of(&after)?];
    Some(Comparison {
        difference: after.mean - before.mean,
        half_width: half_width(&before, &after),
        welch: welch(&before, &after),
        effect: hedges(&before, &after),
        before,
        after,
        rank,
    })
}

/// Welch's t test of two means whose spreads may differ, two-sided (Welch, "The generalization of 'Student's' problem",
/// Biometrika 34, 1947): t = (m₂ − m₁) / √(s₁²/n₁ + s₂²/n₂), with the degrees of freedom of Satterthwaite,
/// (s₁²/n₁ + s₂²/n₂)² / ((s₁²/n₁)²/(n₁ − 1) + (s₂²/n₂)²/(n₂ − 1)).
pub fn welch(before: &Summary, after: &Summary) -> Option<Welch> {
    let (error, freedom) = error_of_difference(before, after)?;
    let t = (after.mean - before.mean) / error;
    Some(Welch { t, freedom, p: two_sided(t, freedom)? })
}

/// The standard error of the difference of two means, and its degrees of freedom.
fn error_of_difference(before: &Summary, after: &Summary) -> Option<(f64, f64)> {
    let (one, other) = (before.error()?.powi(2), after.error()?.powi(2));
    let sum = one + other;
    // Scaled, so that very small and very large squares keep their digits.
    let part = |error: f64, count: usize| (error / sum).powi(2) / (count - 1) as f64;
    (sum > 0.0 && sum.is_finite())
        .then(|| (sum.sqrt(), 1.0 / (part(one, before.count) + part(other, after.count))))
}

fn half_width(before: &Summary, after: &Summary) -> Option<f64> {
    match error_of_difference(before, after) {
        Some((error, freedom)) => Some(quantile((1.0 + CONFIDENCE) / 2.0, freedom)? * error),
        None => (before.count > 1 && after.count > 1).then_some(0.0),
    }
}

/// Hedges' g: the difference of the means in standard deviations, pooled, corrected for small groups by
/// 1 − 3 / (4(n₁ + n₂) − 9) (Hedges, "Distribution theory for Glass's estimator of effect size", J. Educ. Stat. 6, 1981).
pub fn hedges(before: &Summary, after: &Summary) -> Option<f64> {
    let freedom = (before.count + after.count - 2) as f64;
    let squares = |summary: &Summary| Some(summary.deviation?.powi(2) * (summary.count - 1) as f64);
    let pooled = ((squares(before)? + squares(after)?) / freedom).sqrt();
    let correction = 1.0 - 3.0 / (4.0 * (freedom + 2.0) - 9.0);
    (pooled > 0.0).then(|| correction * (after.mean - before.mean) / pooled)
}

/// The rank test of Mann and Whitney, two-sided (Mann and Whitney, Ann. Math. Stat. 18, 1947; Wilcoxon, Biometrics Bulletin 1, 1945).
///
/// It asks only which numbers are larger, so that neither odd distributions nor one diverged run mislead it. Up to sixty numbers
/// the probability is counted out: among all ways to choose the first group from all numbers, equal ones sharing their ranks,
/// twice the smaller part whose rank sum is at most, or at least, the one seen. Beyond that it is approximated by the normal
/// distribution, corrected for ties and continuity.
pub fn mann_whitney(before: &[f64], after: &[f64]) -> Option<RankTest> {
    let (first, second) = (before.len(), after.len());
    if first == 0 || second == 0 {
        return None;
    }
    let all: Vec<f64> = before.iter().chain(after).copied().collect();
    let ranks = ranks(&all);
    let sum: f64 = ranks[..first].iter().sum();
    let pairs = (first * second) as f64;
    // Of the pairs in which the first group's is larger the rest remains.
    let u = pairs - (sum - (first * (first + 1)) as f64 / 2.0);
    let is_exact = all.len() <= EXACT_MAX;
    let p = match is_exact {
        true => counted_out(&ranks, first, sum),
        false => approximated(&all, u, first as f64, second as f64),
    };
    Some(RankTest { u, superiority: u / pairs, p, is_exact })
}

/// Twice the smaller of the parts of all choices of `size` ranks whose sum is at most `sum`, and at least.
fn counted_out(ranks: &[f64], size: usize, sum: f64) -> f64 {
    // Shared ranks are halves: doubled, all are whole.
    let doubled: Vec<usize> = ranks.iter().map(|rank| (rank * 2.0) as usize).collect();
    let largest: usize = doubled.iter().sum();
    // By how many are chosen and by their sum: how many ways there are, at most C(60, 30), to the digits of a double.
    let mut ways = vec![vec![0.0f64; largest + 1]; size + 1];
    ways[0][0] = 1.0;
    for rank in doubled {
        for chosen in (1..=size).rev() {
            let (fewer, more) = ways.split_at_mut(chosen);
            for total in (rank..=largest).rev() {
                more[0][total] += fewer[chosen - 1][total - rank];
            }
        }
    }
    let seen = (sum * 2.0) as usize;
    let all: f64 = ways[size].iter().sum();
    let below: f64 = ways[size][..=seen].iter().sum();
    let above: f64 = ways[size][seen..].iter().sum();
    (2.0 * below.min(above) / all).min(1.0)
}

fn approximated(all: &[f64], u: f64, first: f64, second: f64) -> f64 {
    let count = first + second;
    let tied: f64 = ties(all).into_iter().map(|tied| (tied as f64).powi(3) - tied as f64).sum();
    let variance = first * second / 12.0 * (count + 1.0 - tied / (count * (count - 1.0)));
    let Some(normal) = Normal::new(0.0, 1.0).ok().filter(|_| variance > 0.0) else {
        return 1.0;
    };
    let z = ((u - first * second / 2.0).abs() - 0.5) / variance.sqrt();
    (2.0 * normal.sf(z)).clamp(0.0, 1.0)
}

/// Holm's correction: what each p comes to when all of them are asked at once, so that the chance to take any difference for
/// real that is none stays below the level (Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 6, 1979).
pub fn holm(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|one, other| probabilities[*one].total_cmp(&probabilities[*other]));
    let mut adjusted = vec![0.0; probabilities.len()];
    let mut least: f64 = 0.0;
    for (place, index) in order.into_iter().enumerate() {
        least = least.max(probabilities[index] * (probabilities.len() - place) as f64).min(1.0);
        adjusted[index] = least;
    }
    adjusted
}

impl Comparison {
    /// What can be said of it, by the probabilities of the two tests, corrected if there were several.
    pub fn verdict(&self, welch: Option<f64>, rank: f64) -> Verdict {
        let is_few = self.before.count < FEW || self.after.count < FEW;
        let varies = |summary: &Summary| summary.min < summary.max;
        if !varies(&self.before) && !varies(&self.after) && self.difference == 0.0 {
            return Verdict::Same;
        }
        match (welch.is_some_and(|p| p < LEVEL), rank < LEVEL) {
            _ if is_few => Verdict::TooFew,
            (true, true) => Verdict::Differs,
            // Where nothing varies within the groups, only ranks can be compared.
            (false, true) if welch.is_none() => Verdict::Differs,
            (false, false) => Verdict::NotSeen,
            _ => Verdict::Unclear,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: &[f64] = &[0.91, 0.93, 0.92, 0.95, 0.90];
    const B: &[f64] = &[0.94, 0.96, 0.97, 0.95, 0.99];
    const C: &[f64] = &[1.0, 2.0, 2.0, 3.0, 5.0, 8.0];
    const D: &[f64] = &[2.0, 2.0, 4.0, 9.0, 13.0, 21.0, 34.0];
    const E: &[f64] = &[0.1, 0.2, 0.15];
    const F: &[f64] = &[0.4, 0.5, 0.45];
    const G: &[f64] = &[1e6 + 1.0, 1e6 + 2.0, 1e6 + 3.0];
    const H: &[f64] = &[1e6 + 4.0, 1e6 + 6.0];

    #[track_caller]
    fn close(one: f64, other: f64) {
        assert!((one - other).abs() <= 1e-9 * other.abs().max(1e-9), "{one} {other}");
    }

    /// SciPy 1.17, of `a` and `b`: `from scipy import stats as s; r = s.ttest_ind(b, a, equal_var=False)`,
    /// `r.statistic, r.df, r.pvalue, (r.confidence_interval().high - r.confidence_interval().low) / 2`,
    /// `s.mannwhitneyu(b, a).statistic`; the rank test's p by `s.permutation_test((a, b), W, n_resamples=np.inf).pvalue`
    /// with `W = lambda x, y: s.rankdata(np.concatenate([x, y]))[:len(x)].sum()`, which without ties is that of
    /// `s.mannwhitneyu(b, a, method="exact")`; and g by its formula with NumPy.
    #[test]
    fn as_scipy_has_it() {
        let table = [
            (
                (A, B),
                (3.287_979_746_107_149_4, 8.0, 0.011_055_318_298_291_776, 0.028_053_751_096_665_303),
                (23.5, 0.023_809_523_809_523_808, 1.878_258_949_352_391_1),
            ),
            (
                (C, D),
                (
                    1.882_021_793_701_176_5,
                    6.664_668_579_293_156,
                    0.103_975_287_683_229_38,
                    10.970_872_765_701_333,
                ),
                (32.0, 0.122_377_622_377_622_38, 0.902_813_515_975_842),
            ),
            (
                (E, F),
                (7.348_469_228_349_534_5, 4.0, 0.001_826_260_668_259_980_7, 0.113_347_896_776_375_87),
                (9.0, 0.1, 4.8),
            ),
            (
                (G, H),
                (
                    2.598_076_211_353_316,
                    1.684_210_526_315_789_4,
                    0.144_366_204_816_765_35,
                    5.976_997_448_258_373,
                ),
                (6.0, 0.2, 1.889_509_971_893_320_6),
            ),
        ];
        for ((before, after), (t, freedom, p, half_width), (u, rank, effect)) in table {
            let found = compare(before, after).unwrap();
            let welch = found.welch.unwrap();
            close(welch.t, t);
            close(welch.freedom, freedom);
            close(welch.p, p);
            close(found.half_width.unwrap(), half_width);
            close(found.rank.u, u);
            close(found.rank.p, rank);
            close(found.effect.unwrap(), effect);
            assert!(found.rank.is_exact);
        }
    }

    /// SciPy 1.17: `s.mannwhitneyu(y, x, method="exact")` and, of more than sixty, `method="asymptotic"`.
    #[test]
    fn large_groups_are_as_scipy_has_them() {
        let test = |before: Vec<f64>, after: Vec<f64>| mann_whitney(&before, &after).unwrap();
        let exact = test(
            (0..25).map(|i| f64::from(i) * 2.0).collect(),
            (0..30).map(|i| f64::from(i) * 3.0 + 0.5).collect(),
        );
        close(exact.u, 542.0);
        close(exact.p, 0.004_284_648_050_845_638);
        let (x, y): (Vec<f64>, Vec<f64>) = (
            (0..40).map(|i| f64::from((i * 37) % 101) / 7.0).collect(),
            (0..45).map(|i| f64::from((i * 53 + 11) % 97) / 6.0).collect(),
        );
        let large = test(x.clone(), y.clone());
        close(large.u, 987.0);
        close(large.p, 0.446_300_281_802_122_67);
        assert!(!large.is_exact);
        let rounded = |numbers: Vec<f64>| numbers.into_iter().map(f64::round_ties_even).collect();
        let tied = test(rounded(x), rounded(y));
        close(tied.u, 988.0);
        close(tied.p, 0.440_038_616_912_813_1);
    }

    /// statsmodels: `multipletests([.01, .04, .03, .005, .5], method="holm")[1]`.
    #[test]
    fn holm_is_as_statsmodels_has_it() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005, 0.5]);
        adjusted.into_iter().zip([0.04, 0.09, 0.09, 0.025, 0.5]).for_each(|(one, other)| close(one, other));
        assert_eq!(holm(&[0.03]), [0.03]);
        assert_eq!(holm(&[]), [0.0; 0]);
    }

    #[test]
    fn what_can_be_said_depends_on_how_many_there_are() {
        let verdict = |before: &[f64], after: &[f64]| {
            let found = compare(before, after).unwrap();
            found.verdict(found.welch.map(|welch| welch.p), found.rank.p)
        };
        assert_eq!(verdict(E, F), Verdict::TooFew);
        assert_eq!(verdict(A, B), Verdict::Differs);
        assert_eq!(verdict(C, D), Verdict::NotSeen);
        assert_eq!(verdict(&[1.0; 5], &[1.0; 5]), Verdict::Same);
        assert_eq!(verdict(&[1.0; 5], &[2.0; 5]), Verdict::Differs);
        assert_eq!(verdict(&[1.0; 3], &[2.0; 3]), Verdict::TooFew);
        // One far away: the means say nothing, the ranks do.
        assert_eq!(verdict(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 500.0]), Verdict::Unclear);
        assert_eq!(compare(&[f64::NAN], &[1.0]), None);
        let one = compare(&[1.0], &[2.0, 3.0]).unwrap();
        assert_eq!((one.welch, one.half_width, one.before.count), (None, None, 1));
    }

    fn group() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec((-20..20i32).prop_map(|number| f64::from(number) / 4.0), 2..9)
    }

    proptest! {
        #[test]
        fn which_group_comes_first_does_not_matter(before in group(), after in group()) {
            let (one, other) = (compare(&before, &after).unwrap(), compare(&after, &before).unwrap());
            prop_assert!((one.rank.p - other.rank.p).abs() < 1e-12);
            prop_assert!((one.rank.superiority + other.rank.superiority - 1.0).abs() < 1e-12);
            prop_assert_eq!(one.welch.map(|welch| welch.p), other.welch.map(|welch| welch.p));
            prop_assert_eq!(one.effect.map(|effect| -effect), other.effect);
        }

        #[test]
        fn probabilities_are_probabilities(before in group(), after in group()) {
            let found = compare(&before, &after).unwrap();
            let all = found.welch.map(|welch| welch.p).into_iter().chain([found.rank.p]);
            for p in all {
                prop_assert!((0.0..=1.0).contains(&p));
            }
            // The interval holds 0 exactly where Welch's test sees nothing.
            if let Some(welch) = found.welch {
                prop_assert_eq!(found.difference.abs() <= found.half_width.unwrap(), welch.p >= LEVEL);
            }
        }

        #[test]
        fn ranks_know_no_scale(before in group(), after in group()) {
            let cubed = |numbers: &[f64]| numbers.iter().map(|number| number.powi(3)).collect::<Vec<_>>();
            prop_assert_eq!(mann_whitney(&before, &after), mann_whitney(&cubed(&before), &cubed(&after)));
        }

        #[test]
        fn a_group_differs_from_itself_in_nothing(group in group()) {
            let found = compare(&group, &group).unwrap();
            prop_assert_eq!(found.rank.superiority, 0.5);
            prop_assert_eq!(found.rank.p, 1.0);
            prop_assert!(matches!(found.verdict(found.welch.map(|w| w.p), 1.0), Verdict::TooFew | Verdict::NotSeen | Verdict::Same));
        }

        #[test]
        fn holm_only_ever_doubts_more(probabilities in prop::collection::vec(0.0..=1.0f64, 0..20)) {
            let adjusted = holm(&probabilities);
            for (p, adjusted) in probabilities.iter().zip(&adjusted) {
                prop_assert!(p <= adjusted && *adjusted <= 1.0);
            }
            let order = |one: usize, other: usize| probabilities[one] < probabilities[other];
            for one in 0..adjusted.len() {
                for other in 0..adjusted.len() {
                    prop_assert!(!order(one, other) || adjusted[one] <= adjusted[other]);
                }
            }
        }
    }
}
