//! Writes plots as one page that holds all it needs: it opens without a network, and its own policy forbids it one.
//!
//! The drawing is plotly's, whose script is part of the program.

use serde_json::{Value as Json, json};

use crate::render::escape;
use crate::render::plot::ink::{self, Rgb};
use crate::render::plot::scale::{Kind, Scale};
use crate::render::plot::{Axis, Bars, Body, Chart, Curve, Figure, Look, Matrix, Parallel, Spot};
use crate::series::downsample::{self, Stretches};

/// How many spots a page holds, about: browsers become slow beyond.
const SPOTS_MAX: usize = 400_000;
/// The least stretches that a curve is cut into.
const STRETCHES_MIN: usize = 400;
/// The most, which is more than a screen has pixels.
const STRETCHES_MAX: usize = 8_000;

/// Beyond so many curves lines are thinner, and only one is told at a time.
const CROWD: usize = 12;
/// Up to how many whole numbers are all written beside an axis.
const ALL_WHOLE: f64 = 12.0;

/// Nothing may be loaded from anywhere; plotly makes code of its own for drawing on graphics cards.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; \
                      img-src data: blob:; worker-src blob:; font-src data:";

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;color:#333;background:#fff;margin:1.5rem auto;padding:0 1rem;\
                     max-width:1500px}h1{font-size:1.15rem;margin:1rem 0 0}p{color:#666;margin:.2rem 0}.plot{width:100%}";

/// Writes the page.
pub fn write(figures: &[Figure]) -> String {
    let mut page = String::with_capacity(6 << 20);
    let title = figures.first().map_or("plot", |figure| figure.title.as_str());
    page.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.push_str(&format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n"));
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.push_str(&format!("<title>{}</title>\n<style>{STYLE}</style>\n", html(title)));
    page.push_str(&script());
    page.push_str("\n</head>\n<body>\n");
    for (index, figure) in figures.iter().enumerate() {
        page.push_str(&format!(
            "<h1>{}</h1>\n<div id=\"plot{index}\" class=\"plot\"></div>\n",
            html(&figure.title)
        ));
        for note in &figure.notes {
            page.push_str(&format!("<p>{}</p>\n", html(note)));
        }
    }
    let data: Json = figures.iter().map(drawn).collect();
    page.push_str(&format!("<script>\nconst plots = {};\n", in_script(&data.to_string())));
    page.push_str(
        "plots.forEach((plot, index) => Plotly.newPlot(`plot${index}`, plot.data, plot.layout, \
         {responsive: true, displaylogo: false, scrollZoom: true}));\n</script>\n</body>\n</html>\n",
    );
    page
}

/// plotly's script; what it brings along for formulas is left behind.
fn script() -> String {
    let scripts = plotly::Plot::offline_js_sources();
    let is_plotly = |script: &&str| script.contains("plotly.js v");
    let script = scripts.split_inclusive("</script>").find(is_plotly);
    script.map(|script| script.trim_start().to_owned()).unwrap_or(scripts)
}

fn drawn(figure: &Figure) -> Json {
    let (data, mut layout) = match &figure.body {
        Body::Chart(chart) => of_chart(chart),
        Body::Bars(bars) => of_bars(bars),
        Body::Parallel(parallel) => of_parallel(parallel),
        Body::Matrix(matrix) => of_matrix(matrix),
    };
    let ground = json!({
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#333"},
        "paper_bgcolor": "#fff", "plot_bgcolor": "#fff",
        "hoverlabel": {"namelength": -1},
    });
    if let (Json::Object(layout), Json::Object(ground)) = (&mut layout, ground) {
        layout.extend(ground);
    }
    json!({"data": data, "layout": layout})
}

fn of_chart(chart: &Chart) -> (Json, Json) {
    let mut data: Vec<Json> = Vec::new();
    for band in &chart.bands {
        let edge = |pick: fn(&(f64, f64, f64)) -> f64| {
            band.edges.iter().map(|edge| finite(pick(edge))).collect::<Vec<_>>()
        };
        let x: Vec<Json> = band.edges.iter().map(|edge| place(&chart.x.scale, edge.0)).collect();
        let common = |y: Vec<Json>| json!({"type": "scatter", "mode": "lines", "x": x, "y": y, "line": {"width": 1, "color": rgba(ink::rgb(band.ink), 0.4)}, "hoverinfo": "skip", "showlegend": false});
        let mut upper = common(edge(|edge| edge.2));
        upper["fill"] = "tonexty".into();
        upper["fillcolor"] = rgba(ink::rgb(band.ink), 0.13).into();
        data.extend([common(edge(|edge| edge.1)), upper]);
    }
    for columns in chart.columns.chunk_by(|one, other| one.ink == other.ink) {
        let of = |pick: fn(&crate::render::plot::Column) -> f64| {
            columns.iter().map(|column| finite(pick(column))).collect::<Vec<_>>()
        };
        data.push(json!({
            "type": "bar", "x": of(|column| f64::midpoint(column.from, column.to)), "y": of(|column| column.height),
            "width": of(|column| column.to - column.from), "marker": {"color": css(ink::rgb(columns[0].ink))}, "showlegend": false,
        }));
    }
    let stretches = (SPOTS_MAX / 4 / chart.curves.len().max(1)).clamp(STRETCHES_MIN, STRETCHES_MAX);
    data.extend(chart.curves.iter().map(|curve| of_curve(chart, curve, stretches)));
    data.extend(chart.curves.iter().filter_map(|curve| of_gaps(chart, curve)));
    let named = chart.named().count();
    let layout = json!({
        "height": 560, "margin": {"l": 70, "r": 20, "t": 30, "b": 55},
        "xaxis": axis(&chart.x), "yaxis": axis(&chart.y), "bargap": 0.02,
        "showlegend": named > 0, "hovermode": if named > CROWD { "closest" } else { "x unified" },
        "legend": {"orientation": if named > 6 { "v" } else { "h" }, "yanchor": if named > 6 { "top" } else { "bottom" }, "y": 1},
    });
    (data.into(), layout)
}

fn of_curve(chart: &Chart, curve: &Curve, count: usize) -> Json {
    let scale = &chart.x.scale;
    let stretches = Stretches { low: 0.0, high: 1.0, count };
    let spots = match curve.look {
        Look::Dots => curve.spots.clone(),
        _ => downsample::downsample(curve.spots.iter().copied(), |x| stretches.of(scale.place(x))),
    };
    let of = |pick: &dyn Fn(&Spot) -> Json| spots.iter().map(pick).collect::<Vec<_>>();
    let colour = css(ink::rgb(curve.ink));
    let is_alone = spots.iter().filter(|spot| spot.y.is_finite()).count() == 1;
    let dash = ["solid", "dash", "dot", "dashdot"][curve.ink / ink::COLOUR_COUNT % 4];
    let mode = if curve.look == Look::Dots || is_alone { "markers" } else { "lines" };
    let line = match curve.look {
        Look::Guide => json!({"color": css(ink::FRAME), "dash": "dash", "width": 1}),
        _ if chart.named().count() > CROWD => json!({"color": colour, "dash": dash, "width": 1.2}),
        _ => json!({"color": colour, "dash": dash, "width": 2}),
    };
    let label = curve.label.as_deref().unwrap_or_default();
    json!({
        "type": if spots.len() > 20_000 { "scattergl" } else { "scatter" },
        "mode": mode, "name": marked(label), "showlegend": curve.label.is_some(),
        "hoverinfo": if curve.label.is_some() { "all" } else { "skip" },
        "opacity": if curve.look == Look::Faint { 0.25 } else { 1.0 },
        "x": of(&|spot| place(scale, spot.x)), "y": of(&|spot| finite(spot.y)),
        "line": line, "marker": {"color": colour, "size": 8}, "connectgaps": false,
    })
}

/// Marks at the bottom where a curve has no number.
fn of_gaps(chart: &Chart, curve: &Curve) -> Option<Json> {
    const MARKS_MAX: usize = 500;
    let stretches = Stretches { low: 0.0, high: 1.0, count: MARKS_MAX };
    let across = |spot: &&Spot| stretches.of(chart.x.scale.place(spot.x));
    let mut gaps: Vec<&Spot> =
        curve.spots.iter().filter(|spot| !spot.y.is_finite() && curve.look == Look::Line).collect();
    gaps.dedup_by_key(|spot| across(spot));
    let bottom = finite(chart.y.scale.value(0.015));
    (!gaps.is_empty()).then(|| {
        json!({
            "type": "scatter", "mode": "markers", "showlegend": false, "hoverinfo": "x",
            "x": gaps.iter().map(|spot| place(&chart.x.scale, spot.x)).collect::<Vec<_>>(), "y": vec![bottom; gaps.len()],
            "marker": {"symbol": "x-thin-open", "size": 7, "color": css(ink::rgb(curve.ink)), "line": {"width": 1.5}},
        })
    })
}

fn of_bars(bars: &Bars) -> (Json, Json) {
    let of =
        |pick: &dyn Fn(&crate::render::plot::Bar) -> Json| bars.bars.iter().map(pick).collect::<Vec<_>>();
    let places: Vec<usize> = (0..bars.bars.len()).collect();
    let data = json!([{
        "type": "bar", "orientation": "h", "y": places, "x": of(&|bar| finite(bar.value)),
        "text": of(&|bar| marked(&bar.remark).into()), "textposition": "outside", "cliponaxis": false,
        "hovertext": of(&|bar| marked(&format!("{} {}", bar.label, bar.remark)).into()), "hoverinfo": "text",
        "error_x": {"type": "data", "array": of(&|bar| bar.spread.map_or(Json::Null, finite)), "color": "#333", "thickness": 1.2},
        "marker": {"color": of(&|bar| css(ink::rgb(bar.ink)).into())},
    }]);
    let names = of(&|bar| marked(&bar.label).into());
    let layout = json!({
        "height": 110 + 26 * bars.bars.len().max(4), "margin": {"l": 40, "r": 90, "t": 20, "b": 50}, "bargap": 0.25,
        "xaxis": axis(&bars.axis),
        // Two runs may have one name: places tell them apart.
        "yaxis": {"tickmode": "array", "tickvals": places, "ticktext": names, "autorange": "reversed", "automargin": true},
    });
    (data, layout)
}

fn of_parallel(parallel: &Parallel) -> (Json, Json) {
    let dimension = |(index, axis): (usize, &crate::render::plot::Upright)| {
        // The library has no gaps: a line that has no value there ends at the bottom.
        let scale = &axis.axis.scale;
        let value = |value: Option<f64>| {
            finite(match scale.kind {
                Kind::Log => value.filter(|value| *value > 0.0).unwrap_or(scale.low).log10(),
                _ => value.unwrap_or(scale.low),
            })
        };
        let values: Vec<Json> = parallel.lines.iter().map(|line| value(line.values[index])).collect();
        let mut dimension =
            json!({"label": marked(&axis.axis.title), "values": values, "range": range(scale)});
        if let Some(names) = &axis.names {
            dimension["tickvals"] = (0..names.len()).collect::<Vec<_>>().into();
            dimension["ticktext"] = names.iter().map(|name| marked(name)).collect::<Vec<_>>().into();
        } else if matches!(scale.kind, Kind::Log | Kind::Whole) {
            let ticks = scale.ticks(if scale.kind == Kind::Log { 5 } else { 8 });
            let at = |at: f64| if scale.kind == Kind::Log { at.log10() } else { at };
            dimension["tickvals"] = ticks.iter().map(|tick| at(tick.at)).collect::<Vec<_>>().into();
            dimension["ticktext"] = ticks.into_iter().map(|tick| tick.label).collect::<Vec<_>>().into();
        }
        dimension
    };
    let dimensions: Vec<Json> = parallel.axes.iter().enumerate().map(dimension).collect();
    let shades: Vec<f64> = parallel.lines.iter().map(|line| line.shade.unwrap_or(0.0)).collect();
    let scale: Vec<Json> =
        (0..=5).map(|step| json!([f64::from(step) / 5.0, css(ink::shade(f64::from(step) / 5.0))])).collect();
    let data = json!([{
        "type": "parcoords", "dimensions": dimensions,
        "line": {"color": shades, "cmin": 0, "cmax": 1, "colorscale": scale},
    }]);
    (data, json!({"height": 560, "margin": {"l": 90, "r": 90, "t": 70, "b": 40}}))
}

fn of_matrix(matrix: &Matrix) -> (Json, Json) {
    let each = 0..matrix.labels.len();
    let grid = |pick: &dyn Fn(usize, usize) -> Json| {
        each.clone()
            .map(|row| each.clone().map(|column| pick(row, column)).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    let labels: Vec<String> = matrix.labels.iter().map(|label| marked(label)).collect();
    let ticks = json!({
        "tickmode": "array", "tickvals": each.clone().collect::<Vec<_>>(), "ticktext": labels, "automargin": true,
        "ticks": "", "showgrid": false, "zeroline": false,
    });
    let titled = |title: &str, more: Json| {
        let mut axis = ticks.clone();
        axis["title"] = json!({"text": title});
        axis["constrain"] = "domain".into();
        if let (Json::Object(axis), Json::Object(more)) = (&mut axis, more) {
            axis.extend(more);
        }
        axis
    };
    let scale: Vec<Json> =
        (0..=6).map(|step| json!([f64::from(step) / 6.0, css(ink::heat(f64::from(step) / 6.0))])).collect();
    let is_small = matrix.labels.len() <= 30;
    let data = json!([{
        "type": "heatmap", "z": grid(&|row, column| finite(matrix.shade(row, column))), "zmin": 0, "zmax": 1,
        "text": grid(&|row, column| matrix.written(row, column).into()),
        "texttemplate": if is_small { "%{text}" } else { "" },
        "hovertemplate": "true %{y}<br>predicted %{x}<br>%{text}<extra></extra>",
        "colorscale": scale, "showscale": false, "xgap": 1, "ygap": 1,
    }]);
    let height = (matrix.labels.len() * 40).clamp(360, 900) + 110;
    let layout = json!({
        "height": height, "margin": {"l": 80, "r": 20, "t": 75, "b": 20},
        "xaxis": titled("predicted", json!({"side": "top", "constraintoward": "left"})),
        "yaxis": titled("true", json!({"autorange": "reversed", "scaleanchor": "x"})),
    });
    (data, layout)
}

fn axis(axis: &Axis) -> Json {
    let kind = match axis.scale.kind {
        Kind::Log => "log",
        Kind::Moment => "date",
        Kind::Linear | Kind::Whole | Kind::Span => "linear",
    };
    let mut written = json!({
        "title": {"text": marked(&axis.title)}, "type": kind, "range": range(&axis.scale),
        "gridcolor": css(ink::GRID), "linecolor": css(ink::FRAME), "zeroline": false, "showline": true, "automargin": true,
    });
    if axis.scale.kind == Kind::Whole && axis.scale.high - axis.scale.low < ALL_WHOLE {
        written["dtick"] = 1.into();
    }
    if axis.scale.kind == Kind::Span {
        let ticks = axis.scale.ticks(8);
        written["tickvals"] = ticks.iter().map(|tick| tick.at).collect::<Vec<_>>().into();
        written["ticktext"] = ticks.into_iter().map(|tick| tick.label).collect::<Vec<_>>().into();
    }
    written
}

fn range(scale: &Scale) -> Json {
    match scale.kind {
        Kind::Log => json!([scale.low.log10(), scale.high.log10()]),
        Kind::Moment => json!([place(scale, scale.low), place(scale, scale.high)]),
        Kind::Linear | Kind::Whole | Kind::Span => json!([scale.low, scale.high]),
    }
}

/// A number on an axis; dates are milliseconds.
fn place(scale: &Scale, value: f64) -> Json {
    match scale.kind {
        Kind::Moment => finite((value * 1000.0).round()),
        _ => finite(value),
    }
}

/// A number, or nothing where JSON has none.
fn finite(number: f64) -> Json {
    serde_json::Number::from_f64(number).map_or(Json::Null, Json::Number)
}

fn css((red, green, blue): Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn rgba((red, green, blue): Rgb, alpha: f64) -> String {
    format!("rgba({red},{green},{blue},{alpha})")
}

/// Text between tags.
fn html(text: &str) -> String {
    let text = escape::visible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// Text that plotly shows, which reads a few tags and entities in it, though none for quotes.
fn marked(text: &str) -> String {
    escape::visible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// JSON within a script: nothing in it ends the script.
fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}
