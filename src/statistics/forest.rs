//! A forest of regression trees, grown the same every time.
//!
//! Knows the one crate that grows them; what is asked of a forest is `importance`'s.

use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;

/// How many trees grow.
const TREES: usize = 100;

/// How many rows a leaf holds at least, where there are enough.
const LEAF: usize = 2;

/// A random forest (Breiman, "Random forests", Machine Learning 45, 2001).
pub struct Forest(RandomForestRegressor<f64, f64, DenseMatrix<f64>, Vec<f64>>);

/// Rows of numbers, kept column by column.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// The columns, of one length.
    pub columns: Vec<Vec<f64>>,
}

impl Rows {
    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// These rows of them, in this order.
    pub fn take(&self, rows: &[usize]) -> Self {
        let column = |column: &Vec<f64>| rows.iter().map(|row| column[*row]).collect();
        Self { columns: self.columns.iter().map(column).collect() }
    }

    fn matrix(&self) -> Option<DenseMatrix<f64>> {
        DenseMatrix::new(self.count(), self.columns.len(), self.columns.concat(), true).ok()
    }
}

impl Forest {
    /// Grows one from rows of finite numbers; absent where there is nothing to learn from.
    pub fn grow(rows: &Rows, target: &[f64], seed: u64) -> Option<Self> {
        let width = rows.columns.len();
        // A third of the columns is looked at for each split, as is usual for regression, but not fewer than three.
        let looked_at = width.div_ceil(3).max(width.min(3));
        let parameters = RandomForestRegressorParameters::default()
            .with_n_trees(TREES)
            .with_min_samples_leaf(LEAF)
            .with_m(looked_at)
            .with_seed(seed);
        RandomForestRegressor::fit(&rows.matrix()?, &target.to_vec(), parameters).ok().map(Self)
    }

    /// What it expects of each row.
    pub fn expect(&self, rows: &Rows) -> Option<Vec<f64>> {
        self.0.predict(&rows.matrix()?).ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_learned_and_twice_the_same() {
        let x: Vec<f64> = (0..40).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|x| if *x < 20.0 { 1.0 } else { 5.0 }).collect();
        let rows = Rows { columns: vec![x] };
        let forest = Forest::grow(&rows, &y, 7).unwrap();
        let asked = Rows { columns: vec![vec![3.0, 33.0]] };
        let expected = forest.expect(&asked).unwrap();
        assert!((expected[0] - 1.0).abs() < 0.2 && (expected[1] - 5.0).abs() < 0.2, "{expected:?}");
        assert_eq!(Some(expected), Forest::grow(&rows, &y, 7).unwrap().expect(&asked));
        assert!(Forest::grow(&Rows { columns: Vec::new() }, &[], 7).is_none());
    }
}
