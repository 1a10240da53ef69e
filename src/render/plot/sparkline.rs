//! A line of blocks that shows the course of some values in the room of a word: `▁▂▅▇`.

/// The heights that a block can have.
pub const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The course of the values in at most so many characters; a blank where a value is not finite. Of several that share a
/// character the one farthest from the middle of all is shown, so that no spike is lost.
pub fn sparkline(values: &[f64], width: usize) -> String {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    // Halves, so that the difference of the largest numbers is finite.
    let range = high / 2.0 - low / 2.0;
    let height = |value: f64| match range {
        range if range > 0.0 => (((value / 2.0 - low / 2.0) / range * 7.0).round() as usize).min(7),
        _ => 3,
    };
    let middle = middle(finite().collect());
    let far = |value: &f64| (value / 2.0 - middle / 2.0).abs();
    let shown = |values: &[f64]| {
        let finite = values.iter().copied().filter(|value| value.is_finite());
        finite
            .max_by(|one, other| far(one).total_cmp(&far(other)))
            .map_or(' ', |value| HEIGHTS[height(value)])
    };
    let width = width.min(values.len());
    let from = |place: usize| place * values.len() / width;
    (0..width).map(|place| shown(&values[from(place)..from(place + 1)])).collect()
}

/// The median, near enough.
fn middle(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let half = values.len() / 2;
    *values.select_nth_unstable_by(half, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_spans_its_range_and_shows_gaps() {
        assert_eq!(sparkline(&[0.0, 7.0, f64::NAN, 3.5], 24), "▁█ ▅");
        assert_eq!(sparkline(&[2.0, 2.0], 24), "▄▄");
        assert_eq!(sparkline(&[f64::INFINITY], 24), " ");
        assert_eq!(sparkline(&[], 24), "");
        assert_eq!(sparkline(&[1.0, 2.0], 0), "");
        assert_eq!(sparkline(&[1e308, -1e308, 0.0], 24), "█▁▅");
    }

    #[test]
    fn a_spike_is_seen_however_long_the_course() {
        let mut values = vec![1.0; 100_000];
        values[40_000] = 9.0;
        values[70_000] = f64::NAN;
        assert_eq!(sparkline(&values, 10), "▁▁▁▁█▁▁▁▁▁");
        let ramp: Vec<f64> = (0..1000).map(f64::from).collect();
        assert_eq!(sparkline(&ramp, 8), "▁▂▃▄▅▆▇█");
    }
}
