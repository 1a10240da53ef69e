//! The mean of several curves and how far they spread around it.
//!
//! Curves need not have the same places across: between two of its spots a curve is where the line between them is, and
//! beyond its ends it is nowhere.

use crate::render::plot::Spot;

/// More places than this are replaced by as many at equal distances.
const PLACES_MAX: usize = 2048;

/// A mean and its spread.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mean {
    /// The mean at each place.
    pub spots: Vec<Spot>,
    /// A standard deviation below and above it, where there are two curves or more.
    pub edges: Vec<(f64, f64, f64)>,
}

/// The mean of the curves, each in the order of its places.
pub fn mean(curves: &[&[Spot]]) -> Mean {
    let mut mean = Mean::default();
    let mut at: Vec<usize> = vec![0; curves.len()];
    for x in places(curves) {
        let values: Vec<f64> =
            curves.iter().zip(&mut at).filter_map(|(curve, at)| value(curve, at, x)).collect();
        let Some((middle, deviation)) = spread(&values) else { continue };
        mean.spots.push(Spot { x, y: middle });
        mean.edges.extend(deviation.map(|deviation| (x, middle - deviation, middle + deviation)));
    }
    mean
}

/// The mean of some values, and their standard deviation where there are two or more; nothing of none.
pub fn spread(values: &[f64]) -> Option<(f64, Option<f64>)> {
    let count = values.len() as f64;
    let middle = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - middle).powi(2)).sum();
    let deviation = (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
    (!values.is_empty()).then_some((middle, deviation))
}

fn places(curves: &[&[Spot]]) -> Vec<f64> {
    let mut places: Vec<f64> =
        curves.iter().copied().flatten().map(|spot| spot.x).filter(|x| x.is_finite()).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    match (places.first(), places.last()) {
        (Some(&low), Some(&high)) if places.len() > PLACES_MAX => {
            let part = |index: usize| index as f64 / (PLACES_MAX - 1) as f64;
            (0..PLACES_MAX).map(|index| low + (high - low) * part(index)).collect()
        }
        _ => places,
    }
}

/// Where a curve is at a place; `at` is where its search goes on, places coming in their order.
fn value(curve: &[Spot], at: &mut usize, x: f64) -> Option<f64> {
    while *at + 1 < curve.len() && curve[*at + 1].x <= x {
        *at += 1;
    }
    let from = curve.get(*at).filter(|spot| spot.x <= x)?;
    if from.x == x {
        return from.y.is_finite().then_some(from.y);
    }
    let to = curve.get(*at + 1)?;
    let part = (x - from.x) / (to.x - from.x);
    let y = from.y + (to.y - from.y) * part;
    y.is_finite().then_some(y)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(pairs: &[(f64, f64)]) -> Vec<Spot> {
        pairs.iter().map(|&(x, y)| Spot { x, y }).collect()
    }

    #[test]
    fn curves_meet_where_they_are() {
        let one = curve(&[(0.0, 0.0), (2.0, 2.0), (4.0, 4.0)]);
        let other = curve(&[(1.0, 3.0), (3.0, 5.0)]);
        let mean = mean(&[&one, &other]);
        let values: Vec<(f64, f64)> = mean.spots.iter().map(|spot| (spot.x, spot.y)).collect();
        assert_eq!(values, [(0.0, 0.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0), (4.0, 4.0)]);
        assert_eq!(mean.edges.len(), 3);
        let (_, low, high) = mean.edges[0];
        assert!(
            (low - (2.0 - 2.0_f64.sqrt())).abs() < 1e-12 && (high - (2.0 + 2.0_f64.sqrt())).abs() < 1e-12
        );
    }

    #[test]
    fn gaps_are_of_no_weight() {
        let one = curve(&[(0.0, 1.0), (1.0, f64::NAN), (2.0, 1.0)]);
        let other = curve(&[(0.0, 3.0), (1.0, 3.0), (2.0, 3.0)]);
        let values: Vec<f64> = mean(&[&one, &other]).spots.iter().map(|spot| spot.y).collect();
        assert_eq!(values, [2.0, 3.0, 2.0]);
        assert_eq!(mean(&[]), Mean::default());
    }

    #[test]
    fn many_places_become_few() {
        let long: Vec<Spot> = (0..10_000).map(|x| Spot { x: f64::from(x), y: 1.0 }).collect();
        let mean = mean(&[&long, &long[..5000]]);
        assert_eq!(mean.spots.len(), PLACES_MAX);
        assert!(mean.spots.iter().all(|spot| spot.y == 1.0));
    }
}
