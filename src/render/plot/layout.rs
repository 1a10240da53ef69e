//! What every surface must settle before it draws: which part of a line lies within the frame, which labels there is
//! room for, and how long text is cut.

use unicode_width::UnicodeWidthChar;

use crate::render::plot::{Curve, Spot};
use crate::series::downsample;

/// A place on a surface.
pub type Place = (f64, f64);

/// The part of a line between two places that lies within the rectangle from `least` to `most`, if any does.
pub fn clip(from: Place, to: Place, least: Place, most: Place) -> Option<(Place, Place)> {
    if ![from.0, from.1, to.0, to.1].iter().all(|number| number.is_finite()) {
        return None;
    }
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
    let edges =
        [(-dx, from.0 - least.0), (dx, most.0 - from.0), (-dy, from.1 - least.1), (dy, most.1 - from.1)];
    for (towards, room) in edges {
        match towards {
            _ if towards == 0.0 && room < 0.0 => return None,
            _ if towards < 0.0 => enter = enter.max(room / towards),
            _ if towards > 0.0 => leave = leave.min(room / towards),
            _ => {}
        }
    }
    // Sums of very different numbers must not lead out of the frame again.
    let at = |part: f64| {
        ((from.0 + part * dx).clamp(least.0, most.0), (from.1 + part * dy).clamp(least.1, most.1))
    };
    (enter <= leave).then(|| (at(enter), at(leave)))
}

/// The spots of a curve that a surface of so many stretches across can show, each where it stands on the surface; of
/// gaps only the place across counts.
pub fn placed(
    curve: &Curve,
    stretches: usize,
    place: impl Fn(Spot) -> Place,
    across: impl Fn(f64) -> f64,
) -> Vec<Place> {
    let stretch = |x: f64| (across(x).clamp(0.0, 1.0) * stretches as f64) as usize;
    downsample::downsample(curve.spots.iter().copied(), stretch).into_iter().map(place).collect()
}

/// The runs of places that are joined, cut at gaps.
pub fn joined(places: &[Place]) -> impl Iterator<Item = &[Place]> {
    places.split(|place| !place.1.is_finite()).filter(|run| !run.is_empty())
}

/// Those of some labels, each with its beginning and end, that stand clear of each other, the first before the others.
pub fn clear(extents: &[(f64, f64)], gap: f64) -> Vec<usize> {
    let mut end = f64::NEG_INFINITY;
    let mut kept = Vec::new();
    for (index, (from, to)) in extents.iter().enumerate() {
        if *from >= end {
            kept.push(index);
            end = to + gap;
        }
    }
    kept
}

/// In how many columns so many names stand, where there is room for that many: as few as the same rows need.
pub fn columns(count: usize, columns_max: usize, rows_max: usize) -> usize {
    let columns_max = columns_max.max(1);
    let rows = count.div_ceil(columns_max).max(1);
    if rows > rows_max { columns_max } else { count.div_ceil(rows).max(1) }
}

/// Where, across, a curve first leaves over an edge that lies in its way downwards (1) or upwards (-1).
pub fn leaves(places: &[Place], edge: f64, towards: f64) -> Option<f64> {
    let is_beyond = |place: &Place| (place.1 - edge) * towards > 0.5;
    let first = places.iter().position(is_beyond)?;
    let beyond = places[first];
    let Some(before) = first.checked_sub(1).map(|before| places[before]) else { return Some(beyond.0) };
    let part = (edge - before.1) / (beyond.1 - before.1);
    Some(if part.is_finite() { before.0 + part * (beyond.0 - before.0) } else { beyond.0 })
}

/// How many columns a text has.
pub fn width(text: &str) -> usize {
    text.chars().map(|character| character.width().unwrap_or_default()).sum()
}

/// The text in at most so many columns; `…` stands where something is missing.
pub fn cut(text: &str, width_max: usize) -> String {
    if width(text) <= width_max {
        return text.to_owned();
    }
    let mut room = width_max.saturating_sub(1);
    let fits = |character: &char| {
        let left = room.checked_sub(character.width().unwrap_or_default());
        room = left.unwrap_or_default();
        left.is_some()
    };
    let kept: String = text.chars().take_while(fits).collect();
    if width_max == 0 { String::new() } else { kept + "…" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_cut_at_the_frame() {
        let clip = |from, to| clip(from, to, (0.0, 0.0), (10.0, 10.0));
        assert_eq!(clip((1.0, 1.0), (2.0, 2.0)), Some(((1.0, 1.0), (2.0, 2.0))));
        assert_eq!(clip((-5.0, 5.0), (15.0, 5.0)), Some(((0.0, 5.0), (10.0, 5.0))));
        assert_eq!(clip((5.0, 5.0), (5.0, 1e300)), Some(((5.0, 5.0), (5.0, 10.0))));
        assert_eq!(clip((-1.0, 5.0), (-1.0, 6.0)), None);
        assert_eq!(clip((5.0, f64::NAN), (5.0, 6.0)), None);
        assert_eq!(clip((3.0, 3.0), (3.0, 3.0)), Some(((3.0, 3.0), (3.0, 3.0))));
    }

    #[test]
    fn text_is_cut_to_its_columns() {
        assert_eq!(cut("quiet-otter", 20), "quiet-otter");
        assert_eq!(cut("quiet-otter", 6), "quiet…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("ab", 0), "");
    }

    #[test]
    fn names_stand_in_rows_of_one_length() {
        let given = [(0, 4), (1, 4), (4, 4), (5, 4), (9, 4), (16, 5), (3, 0), (40, 6)];
        assert_eq!(given.map(|(count, most)| columns(count, most, 5)), [1, 1, 4, 3, 3, 4, 1, 6]);
    }

    #[test]
    fn a_curve_leaves_where_it_crosses_the_edge() {
        let places = [(0.0, 5.0), (10.0, 5.0), (20.0, -15.0)];
        assert_eq!(leaves(&places, 0.0, -1.0), Some(12.5));
        assert_eq!(leaves(&places, 10.0, 1.0), None);
        assert_eq!(leaves(&[(3.0, f64::NAN), (4.0, -9.0)], 0.0, -1.0), Some(4.0));
        assert_eq!(leaves(&places[2..], 0.0, -1.0), Some(20.0));
    }

    #[test]
    fn labels_stand_clear() {
        assert_eq!(clear(&[(0.0, 3.0), (2.0, 5.0), (4.0, 6.0)], 1.0), [0, 2]);
    }

    proptest! {
        #[test]
        fn what_is_left_of_a_line_lies_within(from in any::<(f64, f64)>(), to in any::<(f64, f64)>()) {
            if let Some((one, other)) = clip(from, to, (0.0, -1.0), (10.0, 1.0)) {
                for place in [one, other] {
                    prop_assert!((0.0..=10.0).contains(&place.0) && (-1.0..=1.0).contains(&place.1), "{place:?}");
                }
            }
        }
    }
}
