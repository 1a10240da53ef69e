//! One or two fields of many runs: dots of one over the other, bars of one, how one is spread.

use crate::human;
use crate::query::Field;
use crate::render::plot::scale::{Kind, Scale, Tick};
use crate::render::plot::{Axis, Bar, Bars, Body, COLOUR_COUNT, Chart, Column, Curve, Figure, Look, Spot};
use crate::run::Run;
use crate::run::attempt::{Goal, Number};
use crate::view::plot::{Axes, Group, Reach, groups::spread, listed, number};
use crate::view::value;

/// More columns than this say nothing more.
const COLUMNS_MAX: usize = 60;

/// The runs and what is asked of them.
pub struct Fields<'a> {
    /// The runs.
    pub runs: &'a [Run],
    /// What each is called.
    pub names: &'a [String],
    /// The groups of them, if they are grouped.
    pub groups: Option<&'a [Group]>,
    /// How the axes are to be.
    pub axes: Axes,
}

/// A field as numbers, run by run, and why some runs are left out.
struct Numbers {
    values: Vec<Option<f64>>,
    kind: Kind,
    title: String,
    notes: Vec<String>,
}

impl Fields<'_> {
    /// One field over the other, a dot a run.
    pub fn scatter(&self, x: &Field, y: &Field) -> Figure {
        let (across, up) = (self.numbers(x), self.numbers(y));
        let mut notes = [across.notes.clone(), up.notes.clone()].concat();
        let spot = |run: usize| Some(Spot { x: across.values[run]?, y: up.values[run]? });
        let curve = |ink: usize, label: Option<&str>, runs: &[usize]| Curve {
            keys: runs
                .iter()
                .filter(|run| spot(**run).is_some())
                .map(|run| self.runs[*run].id.to_string())
                .collect(),
            label: label.map(str::to_owned),
            remark: String::new(),
            ink,
            look: Look::Dots,
            spots: runs.iter().filter_map(|run| spot(*run)).collect(),
        };
        let curves: Vec<Curve> = match self.groups {
            Some(groups) => {
                let groups = groups.iter().enumerate();
                groups.map(|(ink, group)| curve(ink, Some(&group.name), &group.runs)).collect()
            }
            None => vec![curve(0, None, &(0..self.runs.len()).collect::<Vec<_>>())],
        };
        let spots = || curves.iter().flat_map(|curve| &curve.spots);
        let kinds = [(self.axes.log_x, across.kind), (self.axes.log_y, up.kind)];
        let [x_kind, y_kind] = kinds.map(|(is_log, kind)| if is_log { Kind::Log } else { kind });
        let hidden = spots()
            .filter(|spot| (x_kind == Kind::Log && spot.x <= 0.0) || (y_kind == Kind::Log && spot.y <= 0.0))
            .count();
        if hidden > 0 {
            notes.push(format!(
                "{} at or below zero, which a log axis does not have",
                human::count(hidden, "run")
            ));
        }
        let x_scale = scale_of(x_kind, spots().map(|spot| spot.x), self.axes.x);
        let y_range = if let Reach::Between(low, high) = self.axes.y { Some((low, high)) } else { None };
        let y_scale = scale_of(y_kind, spots().map(|spot| spot.y), y_range);
        let count = spots().count();
        Figure {
            title: format!("{} by {} of {}", up.title, across.title, human::count(count, "run")),
            body: Body::Chart(Chart {
                x: Axis::new(across.title, x_scale),
                y: Axis::new(up.title, y_scale),
                curves,
                bands: Vec::new(),
                columns: Vec::new(),
            }),
            notes,
        }
    }

    /// A bar for each run, or for the mean of each group; the best at the top, where what is best is known.
    pub fn bars(&self, field: &Field) -> Figure {
        let found = self.numbers(field);
        let mut bars: Vec<Bar> = match self.groups {
            // A colour that two groups had would say that they have something in common.
            Some(groups) => {
                let ink = |place| if groups.len() > COLOUR_COUNT { 0 } else { place };
                let groups = groups.iter().enumerate();
                groups.filter_map(|(place, group)| self.mean_bar(&found, ink(place), group)).collect()
            }
            None => (0..self.runs.len()).filter_map(|run| self.bar(&found, run)).collect(),
        };
        let is_least_best = self.goal(field) == Some(Goal::Min);
        bars.sort_by(|one, other| match is_least_best {
            true => one.value.total_cmp(&other.value),
            false => other.value.total_cmp(&one.value),
        });
        let reach =
            |bar: &Bar| [bar.value - bar.spread.unwrap_or(0.0), bar.value + bar.spread.unwrap_or(0.0)];
        let ends = bars.iter().flat_map(reach).filter(|value| value.is_finite());
        let (low, high) = ends
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let scale = match (self.axes.log_y || self.axes.log_x, self.axes.y) {
            (_, Reach::Between(low, high)) => Scale::new(Kind::Linear, low, high),
            // A bar is as long as its value is far from zero.
            (false, _) => Scale::new(Kind::Linear, low.min(0.0), high.max(0.0)),
            (true, _) => Scale::new(Kind::Log, low / 2.0, high),
        };
        let of = match self.groups {
            Some(_) => format!("{}, mean ± standard deviation", human::count(bars.len(), "group")),
            None => human::count(bars.len(), "run"),
        };
        let goal = match self.goal(field) {
            Some(Goal::Min) => "less is better",
            Some(Goal::Max) => "more is better",
            None => "",
        };
        let title = format!("{} of {of}", found.title);
        Figure { title, body: Body::Bars(Bars { axis: Axis::new(goal, scale), bars }), notes: found.notes }
    }

    /// How a field is spread over the runs.
    pub fn histogram(&self, field: &Field, count: Option<usize>) -> Figure {
        let found = self.numbers(field);
        let values: Vec<f64> = found.values.iter().flatten().copied().collect();
        let columns = columns(&values, count, found.kind);
        let highest = columns.iter().map(|column| column.height).fold(0.0, f64::max);
        let (first, last) =
            (columns.first().map(|column| column.from), columns.last().map(|column| column.to));
        let x = Scale::new(found.kind, first.unwrap_or(0.0), last.unwrap_or(1.0));
        Figure {
            title: format!("{} of {}", found.title, human::count(values.len(), "run")),
            body: Body::Chart(Chart {
                x: Axis::new(found.title, x),
                y: Axis::new(
                    "runs",
                    Scale { high: highest.max(1.0) * 1.04, ..Scale::new(Kind::Whole, 0.0, highest.max(1.0)) },
                ),
                curves: Vec::new(),
                bands: Vec::new(),
                columns,
            }),
            notes: found.notes,
        }
    }

    fn bar(&self, found: &Numbers, run: usize) -> Option<Bar> {
        let value = found.values[run]?;
        Some(Bar {
            keys: vec![self.runs[run].id.to_string()],
            label: self.names[run].clone(),
            value,
            spread: None,
            remark: value::number(Number::Float(value)),
            ink: 0,
        })
    }

    fn mean_bar(&self, found: &Numbers, ink: usize, Group { name, runs }: &Group) -> Option<Bar> {
        let values: Vec<f64> = runs.iter().filter_map(|run| found.values[*run]).collect();
        let (mean, deviation) = spread(&values)?;
        let short = value::number(Number::Float(mean));
        let remark = match deviation {
            Some(deviation) => format!("{short} ± {} ({} runs)", value::rough(deviation), values.len()),
            None => format!("{short} (1 run)"),
        };
        let keys = runs.iter().map(|run| self.runs[*run].id.to_string()).collect();
        Some(Bar { keys, label: name.clone(), value: mean, spread: deviation, remark, ink })
    }

    fn goal(&self, field: &Field) -> Option<Goal> {
        match field {
            Field::Metric(name, _) => self.runs.iter().find_map(|run| run.goal(name)),
            _ => None,
        }
    }

    fn numbers(&self, field: &Field) -> Numbers {
        let given: Vec<_> = self.runs.iter().map(|run| field.get(run)).collect();
        let found: Vec<_> = given.iter().map(|given| given.as_ref().and_then(number)).collect();
        let kind = found.iter().flatten().map(|(_, kind)| *kind).next().unwrap_or(Kind::Linear);
        let values: Vec<Option<f64>> = found.iter().map(|found| found.map(|(value, _)| value)).collect();
        let mut notes = Vec::new();
        let mut note = |is_it: &dyn Fn(usize) -> bool, what: &str| {
            let names: Vec<&str> =
                (0..self.runs.len()).filter(|run| is_it(*run)).map(|run| self.names[run].as_str()).collect();
            if !names.is_empty() {
                notes.push(format!(
                    "{} {what}: {}",
                    human::count(names.len(), "run"),
                    listed(names.into_iter())
                ));
            }
        };
        let title = field.title();
        note(&|run| given[run].is_none(), &format!("without '{title}'"));
        note(&|run| given[run].is_some() && values[run].is_none(), &format!("whose '{title}' is no number"));
        note(
            &|run| values[run].is_some_and(|value| !value.is_finite()),
            &format!("whose '{title}' is NaN or infinite"),
        );
        let values = values.into_iter().map(|value| value.filter(|value| value.is_finite())).collect();
        let kind = if is_duration(field) { Kind::Span } else { kind };
        Numbers { values, kind, title, notes }
    }
}

fn is_duration(field: &Field) -> bool {
    matches!(field, Field::Attribute(crate::query::Attribute::Duration))
}

fn scale_of(kind: Kind, values: impl Iterator<Item = f64>, given: Option<(f64, f64)>) -> Scale {
    let values = values.filter(|value| kind != Kind::Log || *value > 0.0);
    let (low, high) = values
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    match given {
        Some((from, to)) => Scale::new(
            kind,
            if from.is_finite() { from } else { low },
            if to.is_finite() { to } else { high },
        ),
        None => Scale::new(kind, low, high).with_room(),
    }
}

/// Columns of round width that hold all values.
fn columns(values: &[f64], count: Option<usize>, kind: Kind) -> Vec<Column> {
    let (low, high) = values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)));
    let scale = Scale::new(kind, low, high);
    // As Rice's rule has it: what people take for neither too coarse nor too fine.
    let usual = (2.0 * (values.len().max(1) as f64).cbrt()).ceil() as usize;
    let edges: Vec<f64> = match count {
        Some(count) => {
            let count = count.clamp(1, COLUMNS_MAX);
            (0..=count)
                .map(|index| scale.low + (scale.high - scale.low) * index as f64 / count as f64)
                .collect()
        }
        None => {
            let ticks = round_edges(&scale, usual.clamp(4, COLUMNS_MAX));
            let step = ticks.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
            let first = ticks.first().map(|first| if *first > low { first - step } else { *first });
            let last = ticks.last().map(|last| if *last <= high { last + step } else { *last });
            match (first, last, step.is_finite()) {
                (Some(first), Some(last), true) => {
                    let count = ((last - first) / step).round().clamp(1.0, 2.0 * COLUMNS_MAX as f64) as usize;
                    (0..=count).map(|index| first + step * index as f64).collect()
                }
                _ => vec![scale.low, scale.high],
            }
        }
    };
    let last = edges.len() - 2;
    let mut columns: Vec<Column> =
        edges.windows(2).map(|pair| Column { from: pair[0], to: pair[1], height: 0.0, ink: 0 }).collect();
    for value in values {
        let place = edges.partition_point(|edge| edge <= value).saturating_sub(1).min(last);
        columns[place].height += 1.0;
    }
    columns
}

/// Round values on a scale, as near to so many as there are.
fn round_edges(scale: &Scale, wanted: usize) -> Vec<f64> {
    // Between two round steps lies a factor of two or two and a half.
    let ticks = [wanted, wanted * 2].map(|wanted| scale.ticks(wanted));
    let far = |ticks: &Vec<Tick>| (ticks.len().max(1) as f64 / wanted as f64).ln().abs();
    let nearest = ticks.into_iter().min_by(|one, other| far(one).total_cmp(&far(other)));
    nearest.unwrap_or_default().into_iter().map(|tick| tick.at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_have_round_edges() {
        let values: Vec<f64> = (0..27).map(|index| 0.9 + f64::from(index) * 0.003).collect();
        let columns = columns(&values, None, Kind::Linear);
        let edges: Vec<String> = columns.iter().map(|column| format!("{:.2}", column.from)).collect();
        assert_eq!(edges, ["0.90", "0.91", "0.92", "0.93", "0.94", "0.95", "0.96", "0.97"]);
    }

    proptest! {
        #[test]
        fn every_value_is_in_a_column(values in prop::collection::vec(-1e6_f64..1e6, 0..80), count in prop::option::of(0_usize..100)) {
            let columns = columns(&values, count, Kind::Linear);
            let sum: f64 = columns.iter().map(|column| column.height).sum();
            prop_assert_eq!(sum as usize, values.len());
            prop_assert!(columns.iter().all(|column| column.from < column.to));
            for value in &values {
                let holds = |column: &Column| column.from - 1e-6 <= *value && *value <= column.to + 1e-6 && column.height > 0.0;
                prop_assert!(columns.iter().any(holds), "{}", value);
            }
        }
    }
}
