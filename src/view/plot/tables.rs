//! Tables that runs logged, drawn as what their columns say they are.

use crate::ops::things::number;
use crate::render::plot::scale::{Kind, Scale};
use crate::render::plot::{Axis, Body, Chart, Curve, Figure, Look, Matrix, Spot};
use crate::run::value::Value;
use crate::view::plot::Axes;
use crate::view::plot::things::{Of, fields, label, matrix_figure, titled};

/// A table as what its columns say it is: pairs of true and predicted labels, the points of a ROC or precision-recall
/// curve, or else its first column of numbers across and the others upwards.
pub fn figure(name: &str, of: &Of<'_>, axes: Axes) -> Option<Figure> {
    let table = fields(&of.logged.thing);
    let list = |key: &str| table.get(key).and_then(Value::as_list).unwrap_or_default();
    let columns: Vec<String> = list("columns").iter().map(label).collect();
    let rows: Vec<&[Value]> = list("rows").iter().filter_map(Value::as_list).collect();
    let find = |names: &[&str]| columns.iter().position(|column| names.contains(&plain(column).as_str()));
    let truth = find(&["ytrue", "true", "actual", "label", "target", "truth", "truelabel"]);
    let guess = find(&["ypred", "pred", "predicted", "prediction", "predictedlabel"]);
    if let (Some(truth), Some(guess)) = (truth, guess) {
        return Some(matrix_figure(name, of, counted(&rows, truth, guess)));
    }
    let pairs = [
        ("roc", &["fpr", "falsepositiverate"][..], &["tpr", "truepositiverate"][..]),
        ("pr", &["recall"], &["precision"]),
    ];
    let known = pairs.iter().find_map(|(kind, x, y)| Some((*kind, find(x)?, find(y)?)));
    let is_numeric = |column: &usize| {
        rows.iter().all(|row| !number(&row[*column]).is_nan() || row[*column] == Value::Null)
            && !rows.is_empty()
    };
    let numeric: Vec<usize> = (0..columns.len()).filter(is_numeric).collect();
    let (x, ys) = match (known, numeric.as_slice()) {
        (Some((_, x, y)), _) => (x, vec![y]),
        (None, [x, ys @ ..]) if !ys.is_empty() => (*x, ys.to_vec()),
        _ => return None,
    };
    let spots = |y: usize| -> Vec<Spot> {
        let mut spots: Vec<Spot> = rows
            .iter()
            .map(|row| Spot { x: number(&row[x]), y: number(&row[y]) })
            .filter(|spot| spot.x.is_finite())
            .collect();
        spots.iter_mut().filter(|spot| !spot.y.is_finite()).for_each(|spot| spot.y = f64::NAN);
        spots
    };
    let curve = |(ink, y): (usize, &usize)| Curve {
        keys: vec![of.id.clone(), columns[*y].clone()],
        label: Some(columns[*y].clone()),
        remark: String::new(),
        ink,
        look: Look::Line,
        spots: spots(*y),
    };
    let curves: Vec<Curve> = ys.iter().enumerate().map(curve).collect();
    let ends = |of: &dyn Fn(&Spot) -> f64| {
        curves
            .iter()
            .flat_map(|curve| &curve.spots)
            .map(of)
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    };
    let ((x_low, x_high), (y_low, y_high)) = (ends(&|spot| spot.x), ends(&|spot| spot.y));
    let kind = |is_log: bool| if is_log { Kind::Log } else { Kind::Linear };
    let y_title = if let [only] = ys.as_slice() { columns[*only].clone() } else { String::new() };
    let chart = Chart {
        x: Axis::new(columns[x].clone(), Scale::new(kind(axes.log_x), x_low, x_high)),
        y: Axis::new(y_title, Scale::new(kind(axes.log_y), y_low, y_high).with_room()),
        curves,
        bands: Vec::new(),
        columns: Vec::new(),
    };
    Some(Figure { title: titled(name, of), body: Body::Chart(chart), notes: Vec::new() })
}

/// A name without what people part its words by.
fn plain(name: &str) -> String {
    name.to_lowercase().chars().filter(|character| character.is_alphanumeric()).collect()
}

fn counted(rows: &[&[Value]], truth: usize, guess: usize) -> Matrix {
    let said: Vec<(String, String)> =
        rows.iter().map(|row| (label(&row[truth]), label(&row[guess]))).collect();
    let mut labels: Vec<String> =
        said.iter().flat_map(|(truth, guess)| [truth.clone(), guess.clone()]).collect();
    labels.sort_by(|one, other| match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => one.total_cmp(&other),
        _ => one.cmp(other),
    });
    labels.dedup();
    let mut counts = vec![vec![0.0; labels.len()]; labels.len()];
    let place = |label: &String| labels.iter().position(|known| known == label).unwrap_or_default();
    said.iter().for_each(|(truth, guess)| counts[place(truth)][place(guess)] += 1.0);
    Matrix { labels, counts }
}
