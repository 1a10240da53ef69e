//! Which points a reader is shown, where attempts and writers logged the same metric: one clean curve of a resumed run.
//!
//! Nothing is dropped from what is stored; this is the choice of a reader who did not ask for all of it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::series::number::Number;
use crate::series::{Point, Series, tick};

/// An attempt and those that it knew of when it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// The attempt.
    pub attempt: String,
    /// The attempts it names as those before it.
    pub after: Vec<String>,
}

/// The points of one metric of one writer, in whichever shape.
pub trait Strand {
    /// The attempt that logged it.
    fn attempt(&self) -> &str;

    /// The writer within the attempt.
    fn writer(&self) -> u64;

    /// Whether there are no points.
    fn is_empty(&self) -> bool;

    /// The least of the steps.
    fn first_step(&self) -> Option<Number>;

    /// Leaves the points whose steps are to be kept.
    fn keep(&mut self, keeps: &dyn Fn(Option<Number>) -> bool);
}

impl Strand for Series {
    fn attempt(&self) -> &str {
        &self.attempt
    }

    fn writer(&self) -> u64 {
        self.writer
    }

    fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    fn first_step(&self) -> Option<Number> {
        let steps = self.points.iter().filter_map(|point| point.step).filter(|step| !step.as_f64().is_nan());
        steps.reduce(|least, step| if step.compare(least) == Some(Ordering::Less) { step } else { least })
    }

    fn keep(&mut self, keeps: &dyn Fn(Option<Number>) -> bool) {
        self.points.retain(|point| keeps(point.step));
    }
}

/// The series to show by default, in the order of the attempts: of each the lowest-numbered writer's, without the
/// points that a later attempt took back by logging their step or an earlier one again. Points without a step stay.
pub fn choose<S: Strand>(series: Vec<S>, attempts: &[Lineage]) -> Vec<S> {
    let mut chosen = lowest_writers(in_order(series, attempts));
    let begun: BTreeMap<String, Number> = chosen
        .iter()
        .filter_map(|series| Some((series.attempt().to_owned(), series.first_step()?)))
        .collect();
    let before: Vec<(&str, BTreeSet<&str>)> =
        attempts.iter().map(|lineage| (lineage.attempt.as_str(), ancestors(lineage, attempts))).collect();
    for series in &mut chosen {
        let later = before.iter().filter(|(_, before)| before.contains(series.attempt()));
        let again: Vec<Number> = later.filter_map(|(attempt, _)| begun.get(*attempt).copied()).collect();
        if !again.is_empty() {
            series.keep(&|own| !again.iter().any(|step| reaches(own, *step)));
        }
    }
    chosen.retain(|series| !series.is_empty());
    chosen
}

/// All series in the order of the attempts, then of the writers.
pub fn in_order<S: Strand>(mut series: Vec<S>, attempts: &[Lineage]) -> Vec<S> {
    let place = |attempt: &str| attempts.iter().position(|lineage| lineage.attempt == attempt);
    series.sort_by_cached_key(|series| {
        (place(series.attempt()).unwrap_or(usize::MAX), series.attempt().to_owned(), series.writer())
    });
    series
}

/// All points, attempt by attempt; within one by time, then writer.
pub fn by_time(series: &[Series]) -> Vec<(&Series, &Point)> {
    let mut points = Vec::with_capacity(series.iter().map(|series| series.points.len()).sum());
    for attempt in series.chunk_by(|one, other| one.attempt == other.attempt) {
        let mut timed: Vec<(f64, &Series, &Point)> = Vec::new();
        for series in attempt {
            let mut clock = f64::NEG_INFINITY;
            timed.extend(series.points.iter().map(|point| (tick(&mut clock, point), series, point)));
        }
        timed.sort_by(|one, other| one.0.total_cmp(&other.0));
        points.extend(timed.into_iter().map(|(_, series, point)| (series, point)));
    }
    points
}

fn lowest_writers<S: Strand>(mut series: Vec<S>) -> Vec<S> {
    series.retain(|series| !series.is_empty());
    series.dedup_by(|later, first| later.attempt() == first.attempt());
    series
}

/// Whether a step is that one or behind it.
fn reaches(own: Option<Number>, step: Number) -> bool {
    let order = own.and_then(|own| own.compare(step));
    matches!(order, Some(Ordering::Equal | Ordering::Greater))
}

/// All that an attempt came after, through those that it names; never itself, whatever a forged record says.
fn ancestors<'a>(lineage: &'a Lineage, attempts: &'a [Lineage]) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = lineage.after.iter().map(String::as_str).collect();
    while let Some(attempt) = open.pop() {
        if found.insert(attempt) {
            let known = attempts.iter().filter(|lineage| lineage.attempt == attempt);
            open.extend(known.flat_map(|lineage| &lineage.after).map(String::as_str));
        }
    }
    found.remove(lineage.attempt.as_str());
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn series(attempt: &str, writer: u64, steps: &[Option<f64>]) -> Series {
        let point = |step: &Option<f64>| Point {
            step: step.map(Number::Float),
            time: None,
            value: Number::Float(writer as f64),
        };
        let points = steps.iter().map(point).collect();
        Series { name: "loss".into(), attempt: attempt.into(), writer, points }
    }

    fn lineage(attempt: &str, after: &[&str]) -> Lineage {
        let after = after.iter().map(|attempt| (*attempt).to_owned()).collect();
        Lineage { attempt: attempt.into(), after }
    }

    fn steps(series: &[Series]) -> Vec<(&str, u64, Vec<Option<f64>>)> {
        let steps =
            |series: &Series| series.points.iter().map(|point| point.step.map(Number::as_f64)).collect();
        series.iter().map(|series| (series.attempt.as_str(), series.writer, steps(series))).collect()
    }

    #[test]
    fn a_resumed_run_is_one_curve() {
        let attempts = [lineage("a", &[]), lineage("b", &["a"]), lineage("c", &["b"])];
        let logged = vec![
            series("c", 0, &[Some(2.5), Some(4.0)]),
            series("a", 1, &[Some(0.0)]),
            series("a", 0, &[Some(0.0), Some(1.0), None, Some(3.0), Some(2.0)]),
            series("b", 3, &[Some(2.0), Some(3.0), Some(f64::NAN)]),
        ];
        let chosen = choose(logged, &attempts);
        let b = chosen.iter().find(|series| series.attempt == "b").map(|series| series.points.len());
        // The step that is no number never gives way.
        assert_eq!(b, Some(2));
        let chosen: Vec<_> = steps(&chosen).into_iter().filter(|(attempt, ..)| *attempt != "b").collect();
        assert_eq!(
            chosen,
            [("a", 0, vec![Some(0.0), Some(1.0), None]), ("c", 0, vec![Some(2.5), Some(4.0)])]
        );
    }

    #[test]
    fn attempts_side_by_side_take_nothing_from_each_other() {
        let attempts = [lineage("a", &[]), lineage("b", &[]), lineage("c", &["c"])];
        let logged: Vec<Series> =
            ["a", "b", "c"].iter().map(|attempt| series(attempt, 0, &[Some(1.0), Some(2.0)])).collect();
        assert_eq!(choose(logged.clone(), &attempts), logged);
    }

    #[test]
    fn within_an_attempt_time_decides() {
        let timed = |writer: u64, times: &[Option<f64>]| {
            let mut series = series("a", writer, &vec![None; times.len()]);
            series
                .points
                .iter_mut()
                .zip(times)
                .for_each(|(point, time)| point.time = time.map(Number::Float));
            series
        };
        let logged = [timed(0, &[Some(1.0), None, Some(3.0)]), timed(1, &[Some(1.0), Some(2.0)])];
        let order: Vec<_> = by_time(&logged)
            .iter()
            .map(|(series, point)| (series.writer, point.time.map(Number::as_f64)))
            .collect();
        assert_eq!(order, [(0, Some(1.0)), (0, None), (1, Some(1.0)), (1, Some(2.0)), (0, Some(3.0))]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        /// The rule as it is said: a point gives way to an attempt that knew of its own, through others or not, and
        /// logged its step or an earlier one.
        #[test]
        fn the_choice_is_the_rule(
            after in prop::collection::vec(prop::collection::btree_set(0_usize..5, 0..3), 5),
            steps in prop::collection::vec(prop::collection::vec(prop::option::of(-3_i8..6), 0..6), 5)
        ) {
            let name = |attempt: usize| ["a", "b", "c", "d", "e"][attempt];
            let attempts: Vec<Lineage> = after.iter().enumerate().map(|(attempt, after)| {
                lineage(name(attempt), &after.iter().map(|other| name(*other)).collect::<Vec<_>>())
            }).collect();
            let logged: Vec<Series> = steps.iter().enumerate().map(|(attempt, steps)| {
                let steps: Vec<_> = steps.iter().map(|step| step.map(f64::from)).collect();
                series(name(attempt), 0, &steps)
            }).collect();
            let knew = |later: usize, of: usize| -> bool {
                let mut known = BTreeSet::from([later]);
                for _ in 0..5 {
                    known = known.iter().flat_map(|attempt| &after[*attempt]).chain(&known).copied().collect();
                }
                later != of && known.contains(&of)
            };
            let (steps, knew) = (&steps, &knew);
            let expected: Vec<(usize, Option<i8>)> = (0..5).flat_map(|attempt| {
                let stays = move |step: &Option<i8>| step.is_none_or(|step| {
                    !(0..5).any(|later| knew(later, attempt) && steps[later].iter().flatten().any(|again| *again <= step))
                });
                steps[attempt].iter().filter(|step| stays(step)).map(|step| (attempt, *step)).collect::<Vec<_>>()
            }).collect();
            let chosen: Vec<(usize, Option<i8>)> = choose(logged, &attempts).iter().flat_map(|series| {
                let attempt = "abcde".find(&series.attempt).unwrap_or(9);
                series.points.iter().map(|point| (attempt, point.step.map(|step| step.as_f64() as i8))).collect::<Vec<_>>()
            }).collect();
            prop_assert_eq!(chosen, expected);
        }
    }
}
