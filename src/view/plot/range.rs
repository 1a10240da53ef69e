//! How far an axis reaches: over all values, unless few of them are so far off that the others would be one flat line.

use crate::render::plot::Spot;

/// How many times the usual size a curve may reach before it counts as one that left, where others stay.
const AMONG_OTHERS: f64 = 30.0;
/// The same, where there are no others to look at.
const ALONE: f64 = 1000.0;

/// The ends of an axis, and which curves reach beyond them.
#[derive(Debug, Clone, PartialEq)]
pub struct Reached {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The curves that reach beyond, each with its value that is farthest off.
    pub beyond: Vec<(usize, f64)>,
}

/// The ends that hold all values.
pub fn all<'a>(curves: impl IntoIterator<Item = &'a [Spot]>) -> (f64, f64) {
    let values = curves.into_iter().flatten().map(|spot| spot.y).filter(|y| y.is_finite());
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(y), high.max(y)))
}

/// The ends that hold what curves usually reach. A curve leaves where it is many times the size that most curves have.
pub fn usual(curves: &[&[Spot]]) -> Reached {
    let (low, high) = all(curves.iter().copied());
    let sizes: Vec<f64> = curves.iter().map(|curve| usual_size(curve)).collect();
    let mut known: Vec<f64> = sizes.iter().copied().filter(|size| size.is_finite()).collect();
    known.sort_by(f64::total_cmp);
    // Of two the smaller: one that diverged is as likely as not one of them.
    let Some(&size) = known.get(known.len().saturating_sub(1) / 2).filter(|size| **size > 0.0) else {
        return Reached { low, high, beyond: Vec::new() };
    };
    let largest =
        |curve: &[Spot]| curve.iter().map(|spot| spot.y.abs()).filter(|y| y.is_finite()).fold(0.0, f64::max);
    let stays = |factor: f64| curves.iter().filter(|curve| largest(curve) <= factor * size).count();
    let staying = stays(AMONG_OTHERS);
    let kept: Vec<&[Spot]> = match staying {
        _ if staying == curves.len() => return Reached { low, high, beyond: Vec::new() },
        // At least half of those with values.
        _ if staying * 2 >= known.len() && staying > 0 => {
            curves.iter().copied().filter(|curve| largest(curve) <= AMONG_OTHERS * size).collect()
        }
        _ if stays(ALONE) == curves.len() => return Reached { low, high, beyond: Vec::new() },
        _ => Vec::new(),
    };
    let (low, high) = match kept.is_empty() {
        true => {
            all(curves.iter().map(|curve| near(curve, size)).collect::<Vec<_>>().iter().map(Vec::as_slice))
        }
        false => all(kept),
    };
    let beyond = curves.iter().enumerate().filter_map(|(index, curve)| {
        let off = curve.iter().map(|spot| spot.y).filter(|y| *y < low || *y > high);
        Some((index, off.max_by(|one, other| one.abs().total_cmp(&other.abs()))?))
    });
    Reached { low, high, beyond: beyond.collect() }
}

/// The size that nine of ten values stay below.
fn usual_size(curve: &[Spot]) -> f64 {
    let mut sizes: Vec<f64> = curve.iter().map(|spot| spot.y.abs()).filter(|y| y.is_finite()).collect();
    if sizes.is_empty() {
        return f64::NAN;
    }
    let place = (sizes.len() - 1) * 9 / 10;
    *sizes.select_nth_unstable_by(place, f64::total_cmp).1
}

/// The spots of a curve that are not many times that size.
fn near(curve: &[Spot], size: f64) -> Vec<Spot> {
    curve.iter().copied().filter(|spot| spot.y.abs() <= 3.0 * size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(values: &[f64]) -> Vec<Spot> {
        values.iter().zip(0..).map(|(&y, x)| Spot { x: f64::from(x), y }).collect()
    }

    fn healthy() -> Vec<Spot> {
        let loss = |step: i32| 2.3 * (-f64::from(step) / 20.0).exp() + 0.01;
        curve(&(0..200).map(loss).collect::<Vec<_>>())
    }

    fn diverged() -> Vec<Spot> {
        let loss = |step: i32| if step < 100 { 0.5 } else { 0.5 * 10_f64.powf(f64::from(step - 100) * 0.3) };
        curve(&(0..200).map(loss).collect::<Vec<_>>())
    }

    #[test]
    fn a_healthy_curve_is_seen_whole_with_its_spikes() {
        let spiked = curve(&[1.0, 1.0, 1.0, 90.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        for curves in
            [vec![healthy()], vec![healthy(), healthy(), healthy()], vec![spiked], vec![curve(&[0.0, 0.0])]]
        {
            let curves: Vec<&[Spot]> = curves.iter().map(Vec::as_slice).collect();
            let reached = usual(&curves);
            assert_eq!((reached.low, reached.high), all(curves.iter().copied()));
            assert!(reached.beyond.is_empty());
        }
    }

    #[test]
    fn what_diverged_does_not_flatten_the_others() {
        for others in 1..5 {
            let mut curves = vec![healthy(); others];
            curves.insert(others / 2, diverged());
            let curves: Vec<&[Spot]> = curves.iter().map(Vec::as_slice).collect();
            let reached = usual(&curves);
            assert!(reached.high < 3.0, "{reached:?}");
            assert!(
                matches!(reached.beyond.as_slice(), [(index, off)] if *index == others / 2 && *off > 1e29)
            );
        }
        let alone = diverged();
        let reached = usual(&[&alone]);
        assert!(reached.beyond.len() == 1, "{reached:?}");
        let jumped = curve(&[&[0.1; 99], &[1e30][..]].concat());
        let reached = usual(&[&jumped]);
        assert_eq!((reached.high, reached.beyond.as_slice()), (0.1, &[(0, 1e30)][..]));
    }

    #[test]
    fn nothing_at_all_has_no_ends() {
        let empty: &[Spot] = &[];
        assert!(usual(&[empty]).beyond.is_empty());
        assert!(usual(&[]).beyond.is_empty());
    }
}
