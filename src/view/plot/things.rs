//! What runs logged that is no number, as figures: curves, histograms, confusion matrices, tables.

use crate::human;
use crate::journal::event::Thing;
use crate::ops::things::{Logged, number, numbers};
use crate::render::plot::scale::{Kind, Scale};
use crate::render::plot::{Axis, Body, Chart, Column, Curve, Figure, Look, Matrix, Spot};
use crate::run::attempt::Number;
use crate::run::value::{Table, Value};
use crate::view::plot::{Axes, tables};
use crate::view::value;

/// The kinds that can be drawn.
pub const DRAWN: [&str; 4] = ["curve", "confusion_matrix", "histogram", "table"];

/// What one run logged under a name.
pub struct Of<'a> {
    /// The run's id.
    pub id: String,
    /// What the run is called.
    pub name: &'a str,
    /// What it logged.
    pub logged: &'a Logged,
}

/// The figures of what runs logged under one name, all of one kind.
pub fn figures(name: &str, things: &[Of<'_>], axes: Axes) -> Vec<Figure> {
    let kind = things.first().map_or("", |of| of.logged.thing.kind.as_str());
    match kind {
        "curve" => vec![curves(name, things, axes)],
        "confusion_matrix" => things.iter().map(|of| matrix(name, of)).collect(),
        "histogram" => things.iter().filter_map(|of| histogram(name, of)).collect(),
        "table" => things.iter().filter_map(|of| tables::figure(name, of, axes)).collect(),
        _ => Vec::new(),
    }
}

/// The last that was logged under a name, or the one at a step.
pub fn pick<'a>(logged: &'a [Logged], name: &str, step: Option<f64>) -> Option<&'a Logged> {
    let is_it = |logged: &&Logged| {
        let at = logged.step.map(Number::as_f64);
        logged.thing.name == name
            && DRAWN.contains(&logged.thing.kind.as_str())
            && (step.is_none() || at == step)
    };
    logged.iter().rfind(is_it)
}

/// What a thing holds.
pub fn fields(thing: &Thing) -> &Table {
    static EMPTY: std::sync::LazyLock<Table> = std::sync::LazyLock::new(Table::new);
    thing.value.as_table().unwrap_or(&EMPTY)
}

fn at_step(logged: &Logged) -> String {
    logged.step.map(|step| format!(" at step {}", value::number(step))).unwrap_or_default()
}

/// The title of a figure of what one run logged.
pub fn titled(name: &str, of: &Of<'_>) -> String {
    format!("{name} of {}{}", of.name, at_step(of.logged))
}

fn text<'a>(table: &'a Table, key: &str) -> &'a str {
    table.get(key).and_then(Value::as_text).unwrap_or_default()
}

/// The curves of several runs in one chart.
fn curves(name: &str, things: &[Of<'_>], axes: Axes) -> Figure {
    let first = fields(&things[0].logged.thing);
    let kind = text(first, "kind");
    let mut drawn: Vec<Curve> = Vec::new();
    for (ink, of) in things.iter().enumerate() {
        let table = fields(&of.logged.thing);
        let (x, y) = (numbers(table, "x"), numbers(table, "y"));
        let spots: Vec<Spot> = x
            .into_iter()
            .zip(y)
            .map(|(x, y)| Spot { x, y: if y.is_finite() { y } else { f64::NAN } })
            .filter(|spot| spot.x.is_finite())
            .collect();
        let remark = match kind {
            "roc" => format!("AUC {}", short(area(&spots))),
            "pr" => format!("AP {}", short(steps_area(&spots))),
            _ => String::new(),
        };
        let label = format!("{}{}", of.name, at_step(of.logged));
        drawn.push(Curve {
            keys: vec![of.id.clone()],
            label: Some(label),
            remark,
            ink,
            look: Look::Line,
            spots,
        });
    }
    let is_share = matches!(kind, "roc" | "pr");
    let scale = |is_log: bool, of: &dyn Fn(&Spot) -> f64| {
        let kind = if is_log { Kind::Log } else { Kind::Linear };
        let values = drawn
            .iter()
            .flat_map(|curve| &curve.spots)
            .map(of)
            .filter(|value| value.is_finite() && (!is_log || *value > 0.0));
        let (low, high) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        match is_share && !is_log {
            true => Scale::new(kind, 0.0, 1.0),
            false => Scale::new(kind, low, high),
        }
    };
    let (x, y) = (scale(axes.log_x, &|spot| spot.x), scale(axes.log_y, &|spot| spot.y));
    let y = if is_share { Scale { high: y.high * 1.02, ..y } } else { y.with_room() };
    if kind == "roc" && !axes.log_x {
        let spots = vec![Spot { x: 0.0, y: 0.0 }, Spot { x: 1.0, y: 1.0 }];
        drawn.push(Curve {
            keys: Vec::new(),
            label: None,
            remark: String::new(),
            ink: 0,
            look: Look::Guide,
            spots,
        });
    }
    let title = if let [only] = things {
        titled(name, only)
    } else {
        format!("{name} of {}", human::count(things.len(), "run"))
    };
    let axis = |key: &str, otherwise: &str, scale| {
        Axis::new(Some(text(first, key)).filter(|name| !name.is_empty()).unwrap_or(otherwise), scale)
    };
    let chart = Chart {
        x: axis("x_name", "x", x),
        y: axis("y_name", "y", y),
        curves: drawn,
        bands: Vec::new(),
        columns: Vec::new(),
    };
    Figure { title, body: Body::Chart(chart), notes: Vec::new() }
}

fn short(number: f64) -> String {
    value::number(Number::Float((number * 1e4).round() / 1e4))
}

/// The area below a curve, by trapezia.
fn area(spots: &[Spot]) -> f64 {
    spots.windows(2).map(|pair| (pair[1].x - pair[0].x) * f64::midpoint(pair[0].y, pair[1].y)).sum()
}

/// The area below a curve of steps: each at the height that it ends with, as average precision is.
fn steps_area(spots: &[Spot]) -> f64 {
    spots.windows(2).map(|pair| (pair[1].x - pair[0].x) * pair[1].y).sum()
}

fn matrix(name: &str, of: &Of<'_>) -> Figure {
    let table = fields(&of.logged.thing);
    let list = |key: &str| table.get(key).and_then(Value::as_list).unwrap_or_default();
    let labels: Vec<String> = list("labels").iter().map(label).collect();
    let counts = list("counts")
        .iter()
        .map(|row| row.as_list().unwrap_or_default().iter().map(number).collect())
        .collect();
    matrix_figure(name, of, Matrix { labels, counts })
}

/// A confusion matrix, and how much of it is right.
pub fn matrix_figure(name: &str, of: &Of<'_>, matrix: Matrix) -> Figure {
    let sum: f64 = matrix.counts.iter().flatten().filter(|count| count.is_finite()).sum();
    let right: f64 = (0..matrix.labels.len())
        .map(|label| matrix.counts[label][label])
        .filter(|count| count.is_finite())
        .sum();
    let mut notes = Vec::new();
    if sum > 0.0 {
        let percent = short((1000.0 * right / sum).round() / 10.0);
        notes.push(format!("{percent}% of {} right; shades are parts of their row", short(sum)));
    }
    Figure { title: titled(name, of), body: Body::Matrix(matrix), notes }
}

fn histogram(name: &str, of: &Of<'_>) -> Option<Figure> {
    let table = fields(&of.logged.thing);
    let (edges, counts) = (numbers(table, "edges"), numbers(table, "counts"));
    let columns: Vec<Column> = edges
        .windows(2)
        .zip(&counts)
        .map(|(pair, count)| Column { from: pair[0], to: pair[1], height: *count, ink: 0 })
        .filter(|column| column.from.is_finite() && column.to.is_finite() && column.height.is_finite())
        .collect();
    let (first, last) = (columns.first()?, columns.last()?);
    let highest = columns.iter().map(|column| column.height).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let are_whole = columns.iter().all(|column| column.height.fract() == 0.0);
    let kind = if are_whole { Kind::Whole } else { Kind::Linear };
    let chart = Chart {
        x: Axis::new("", Scale::new(Kind::Linear, first.from, last.to)),
        y: Axis::new("count", Scale { high: highest * 1.04, ..Scale::new(kind, 0.0, highest) }),
        curves: Vec::new(),
        bands: Vec::new(),
        columns,
    };
    Some(Figure { title: titled(name, of), body: Body::Chart(chart), notes: Vec::new() })
}

/// A label as it was logged.
pub fn label(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => value::bare(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(kind: &str, json: &str, step: i128) -> Logged {
        let value = crate::journal::json::read(json).expect("JSON");
        let thing =
            Thing { name: "it".into(), kind: kind.into(), value: crate::journal::json::given(value, 1) };
        assert!(thing.has_shape());
        Logged { thing, step: Some(Number::Int(step)) }
    }

    fn figure(kind: &str, json: &str) -> Figure {
        let logged = logged(kind, json, 3);
        let of = [Of { id: "id".into(), name: "quiet-otter", logged: &logged }];
        figures("it", &of, Axes::default()).remove(0)
    }

    #[test]
    fn a_roc_curve_tells_its_area_and_has_a_diagonal() {
        let figure = figure(
            "curve",
            r#"{"kind":"roc","x":[0,0.0,0.5,1],"y":[0,0.5,1.0,1],"x_name":"fpr","y_name":"tpr"}"#,
        );
        let Body::Chart(chart) = figure.body else { panic!("a chart") };
        assert_eq!((chart.x.title.as_str(), chart.curves[0].remark.as_str()), ("fpr", "AUC 0.875"));
        assert_eq!(chart.curves[1].look, Look::Guide);
        assert_eq!(figure.title, "it of quiet-otter at step 3");
    }

    #[test]
    fn tables_are_what_their_columns_say() {
        let pairs = figure(
            "table",
            r#"{"columns":["image","y_true","y_pred"],"rows":[["a","cat","dog"],["b","cat","cat"]]}"#,
        );
        let Body::Matrix(matrix) = pairs.body else { panic!("a matrix") };
        assert_eq!(
            (matrix.labels, matrix.counts),
            (vec!["cat".into(), "dog".into()], vec![vec![1.0, 1.0], vec![0.0, 0.0]])
        );
        assert_eq!(pairs.notes, ["50% of 2 right; shades are parts of their row"]);
        let lines = figure(
            "table",
            r#"{"columns":["name","depth","loss","acc"],"rows":[["a",1,0.5,0.1],["b",2,null,0.2]]}"#,
        );
        let Body::Chart(chart) = lines.body else { panic!("a chart") };
        let labels: Vec<_> = chart.named().map(|(_, label)| label).collect();
        assert_eq!((chart.x.title.as_str(), labels), ("depth", vec!["loss", "acc"]));
        assert!(chart.curves[0].spots[1].y.is_nan());
    }

    #[test]
    fn the_last_counts_unless_a_step_is_asked_for() {
        let all = [
            logged("histogram", r#"{"edges":[0,1],"counts":[1]}"#, 1),
            logged("histogram", r#"{"edges":[0,1],"counts":[2]}"#, 2),
        ];
        assert_eq!(pick(&all, "it", None).and_then(|logged| logged.step), Some(Number::Int(2)));
        assert_eq!(pick(&all, "it", Some(1.0)).and_then(|logged| logged.step), Some(Number::Int(1)));
        assert_eq!(pick(&all, "it", Some(7.0)), None);
    }
}
