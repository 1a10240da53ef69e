//! What is drawn, for programs.

use serde_json::{Value as Json, json};

use crate::render::plot::scale::{Kind, Scale};
use crate::render::plot::{Axis, Body, Figure, Look};

/// The figures as JSON (`docs/json.md`).
pub fn to_json(figures: &[Figure]) -> Json {
    json!({"format": 1, "figures": figures.iter().map(figure).collect::<Vec<_>>()})
}

fn figure(figure: &Figure) -> Json {
    let mut written = match &figure.body {
        Body::Chart(chart) => {
            let curves = chart.curves.iter().map(|curve| {
                let look = match curve.look {
                    Look::Line => "line",
                    Look::Faint => "unsmoothed",
                    Look::Dots => "dots",
                    Look::Guide => "guide",
                };
                let points: Vec<Json> =
                    curve.spots.iter().map(|spot| json!([number(spot.x), number(spot.y)])).collect();
                json!({"label": curve.label, "of": curve.keys, "look": look, "points": points})
            });
            let bands = chart.bands.iter().map(|band| {
                band.edges
                    .iter()
                    .map(|&(x, low, high)| json!([number(x), number(low), number(high)]))
                    .collect::<Vec<_>>()
            });
            let columns = chart
                .columns
                .iter()
                .map(|column| json!([number(column.from), number(column.to), number(column.height)]));
            json!({
                "form": "chart", "x": axis(&chart.x), "y": axis(&chart.y), "curves": curves.collect::<Vec<_>>(),
                "bands": bands.collect::<Vec<_>>(), "columns": columns.collect::<Vec<_>>(),
            })
        }
        Body::Bars(bars) => {
            let all = bars.bars.iter().map(|bar| {
                json!({"label": bar.label, "of": bar.keys, "value": number(bar.value), "std": bar.spread.map(number)})
            });
            json!({"form": "bars", "axis": axis(&bars.axis), "bars": all.collect::<Vec<_>>()})
        }
        Body::Parallel(parallel) => {
            let axes = parallel.axes.iter().map(|upright| {
                let mut written = axis(&upright.axis);
                written["names"] = upright.names.clone().into();
                written
            });
            let lines = parallel.lines.iter().map(|line| {
                let values: Vec<Json> =
                    line.values.iter().map(|value| value.map_or(Json::Null, number)).collect();
                json!({"label": line.label, "of": line.keys, "values": values})
            });
            json!({"form": "parallel", "axes": axes.collect::<Vec<_>>(), "lines": lines.collect::<Vec<_>>()})
        }
        Body::Matrix(matrix) => {
            let counts =
                matrix.counts.iter().map(|row| row.iter().map(|count| number(*count)).collect::<Vec<_>>());
            json!({"form": "matrix", "labels": matrix.labels, "counts": counts.collect::<Vec<_>>()})
        }
    };
    written["title"] = figure.title.clone().into();
    written["notes"] = figure.notes.clone().into();
    written
}

fn axis(axis: &Axis) -> Json {
    let Scale { kind, low, high } = axis.scale;
    let kind = match kind {
        Kind::Linear | Kind::Whole => "linear",
        Kind::Log => "log",
        Kind::Moment => "unix seconds",
        Kind::Span => "seconds",
    };
    json!({"title": axis.title, "kind": kind, "from": number(low), "to": number(high)})
}

/// A number; gaps are null.
fn number(number: f64) -> Json {
    serde_json::Number::from_f64(number).map_or(Json::Null, Json::Number)
}
