//! A chart on a terminal: the canvas, its axes, and what stands over the curves.

use crate::render::escape;
use crate::render::plot::scale::Tick;
use crate::render::plot::sparkline::HEIGHTS;
use crate::render::plot::terminal::Screen;
use crate::render::plot::terminal::canvas::{Canvas, Paint, Row};
use crate::render::plot::terminal::legend::Legend;
use crate::render::plot::{Band, Chart, Curve, Look, ink, layout};
use crate::render::style::Role;

/// How many columns a label beside the y axis may have.
const LABEL_MAX: usize = 12;
/// How many letters stand upon all curves together, about.
const LETTERS: usize = 8;
/// Up to how many dots each gets a character of its own.
const BIG_DOTS_MAX: usize = 400;

/// The rows of a chart with its legend.
pub fn rows(chart: &Chart, screen: &Screen) -> Vec<Row> {
    let height = screen.height - 3;
    let labels = y_labels(chart, height);
    let gutter = labels.iter().map(|(_, label)| layout::width(label)).max().unwrap_or_default();
    let width = screen.width.saturating_sub(gutter + 2).max(8);
    let legend = Legend::of(chart, screen.width, screen.colour);
    let mut canvas = Canvas::new(width, height);
    draw(chart, &mut canvas, (width, height), &legend);

    let mut rows = Vec::new();
    if !chart.y.title.is_empty() {
        let title = layout::cut(&escape::visible(&chart.y.title), screen.width);
        rows.push(Row::of(Paint::As(Role::Label), &title));
    }
    for line in 0..height {
        let label = labels.iter().find(|(row, _)| *row == line).map(|(_, label)| label.as_str());
        let mut row = Row::default();
        row.pad(gutter - label.map_or(0, layout::width));
        row.push(Paint::As(Role::Label), label.unwrap_or_default());
        row.push(Paint::As(Role::Label), if label.is_some() { " ┤" } else { " │" });
        canvas.push_row(line, &mut row);
        rows.push(row);
    }
    rows.extend(x_axis(chart, gutter, width));
    rows.extend(legend.rows);
    rows
}

/// The labels beside the y axis, each with its row.
fn y_labels(chart: &Chart, height: usize) -> Vec<(usize, String)> {
    let scale = &chart.y.scale;
    let ticks = scale.ticks((height / 3).clamp(2, 8)).into_iter();
    let row = |at: f64| ((1.0 - scale.place(at)) * (height - 1) as f64).round();
    let mut labels: Vec<(usize, String)> =
        ticks.map(|tick| (row(tick.at).max(0.0) as usize, layout::cut(&tick.label, LABEL_MAX))).collect();
    labels.dedup_by_key(|(row, _)| *row);
    labels
}

/// The x axis with its labels and its title.
fn x_axis(chart: &Chart, gutter: usize, width: usize) -> Vec<Row> {
    let scale = &chart.x.scale;
    let column =
        |at: f64| (scale.place(at) * (width - 1) as f64).round().clamp(0.0, (width - 1) as f64) as usize;
    let ticks = (2..=(width / 10).max(2)).rev().map(|wanted| scale.ticks(wanted));
    let extents = |label: &str, at: f64| {
        let (column, length) = (column(at), layout::width(label));
        let from =
            (column + gutter + 2).saturating_sub(length / 2).min((gutter + 2 + width).saturating_sub(length));
        (from as f64, (from + length) as f64)
    };
    // The most labels that all have room.
    let fits = |ticks: &Vec<Tick>| {
        let extents: Vec<_> = ticks.iter().map(|tick| extents(&tick.label, tick.at)).collect();
        layout::clear(&extents, 2.0).len() == ticks.len()
    };
    let fewest = || ticks.clone().next_back();
    let ticks = ticks.clone().find(fits).or_else(fewest).unwrap_or_default();
    let mut axis = vec!['─'; width];
    let mut labels = Row::default();
    for tick in &ticks {
        let from = extents(&tick.label, tick.at).0 as usize;
        if labels.width() == 0 || labels.width() + 1 < from {
            axis[column(tick.at)] = '┬';
            labels.pad(from);
            labels.push(Paint::As(Role::Label), &tick.label);
        }
    }
    let mut line = Row::default();
    line.pad(gutter + 1);
    line.push(Paint::As(Role::Label), &format!("└{}", axis.iter().collect::<String>()));
    let title = layout::cut(&escape::visible(&chart.x.title), width);
    let from = gutter + 2 + width - layout::width(&title);
    // At the end of the labels, or below them.
    if labels.width() + 2 > from && !title.is_empty() {
        let mut below = Row::default();
        below.pad(from);
        below.push(Paint::As(Role::Label), &title);
        return vec![line, labels, below];
    }
    labels.pad(from);
    labels.push(Paint::As(Role::Label), &title);
    vec![line, labels]
}

fn draw(chart: &Chart, canvas: &mut Canvas, size: (usize, usize), legend: &Legend) {
    chart.bands.iter().for_each(|band| draw_band(chart, band, canvas));
    draw_columns(chart, canvas, size);
    // Letters on curves that are many: each only where it tells most.
    let letters = if legend.has_letters { (2 * LETTERS / legend.told.max(1)).clamp(1, 4) } else { 0 };
    for (curve, is_told) in chart.layers(legend.told) {
        let brush = Brush { is_told, letters: if is_told { letters } else { 0 } };
        match curve.look {
            Look::Dots => draw_dots(chart, curve, canvas, brush),
            _ => draw_curve(chart, curve, canvas, size, brush),
        }
    }
}

/// How a curve is drawn besides its look.
#[derive(Clone, Copy)]
struct Brush {
    /// Whether the legend tells it.
    is_told: bool,
    /// How many letters stand upon it.
    letters: usize,
}

/// One dot of four, so that curves stand out from it.
fn draw_band(chart: &Chart, band: &Band, canvas: &mut Canvas) {
    let mut fill = |x: f64, low: f64, high: f64| {
        let (across, top) = canvas.place((chart.x.scale.place(x), chart.y.scale.place(high).min(1.0)));
        let (_, bottom) = canvas.place((0.0, chart.y.scale.place(low).max(0.0)));
        if !(across.is_finite() && top.is_finite() && bottom.is_finite()) || across < 0.0 {
            return;
        }
        let column = across.round() as usize;
        for row in top.ceil().max(0.0) as usize..=bottom.floor().max(0.0) as usize {
            if (column + 2 * row).is_multiple_of(4) {
                canvas.dot(column, row, Paint::Faint(band.ink));
            }
        }
    };
    for pair in band.edges.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let part = 64;
        for step in 0..part {
            let part = f64::from(step) / f64::from(part);
            let mix = |one: f64, other: f64| one + (other - one) * part;
            fill(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2));
        }
    }
}

fn draw_columns(chart: &Chart, canvas: &mut Canvas, (width, height): (usize, usize)) {
    for column in &chart.columns {
        let edge = |at: f64| (chart.x.scale.place(at).clamp(0.0, 1.0) * width as f64).round() as usize;
        let eighths =
            (chart.y.scale.place(column.height).clamp(0.0, 1.0) * (8 * height) as f64).round() as usize;
        let (from, to) = (edge(column.from), edge(column.to).max(edge(column.from) + 1));
        for across in from..to.min(width) {
            for up in 0..eighths.div_ceil(8) {
                let block = HEIGHTS[(eighths - 8 * up).min(8) - 1];
                canvas.over(across, height - 1 - up, block, Paint::Ink(column.ink));
            }
        }
    }
}

fn draw_curve(
    chart: &Chart,
    curve: &Curve,
    canvas: &mut Canvas,
    (width, height): (usize, usize),
    brush: Brush,
) {
    let (x, y) = (&chart.x.scale, &chart.y.scale);
    let places = layout::placed(
        curve,
        canvas.dots_across(),
        |spot| (x.place(spot.x), y.place(spot.y)),
        |at| x.place(at),
    );
    let places: Vec<_> = places.into_iter().map(|place| canvas.place(place)).collect();
    let (paint, keeps): (Paint, fn(usize, usize) -> bool) = match curve.look {
        _ if !brush.is_told => (Paint::As(Role::Dim), |x, y| (x + y) % 2 == 0),
        Look::Faint => (Paint::Faint(curve.ink), |x, y| (x + y) % 2 == 0),
        Look::Guide => (Paint::As(Role::Dim), |x, _| x % 4 < 2),
        _ => (Paint::Ink(curve.ink), |_, _| true),
    };
    let mut rows: Vec<Option<usize>> = vec![None; width];
    let mut seen = |x: usize, y: usize| rows[x / 2] = Some(y / 4);
    for run in layout::joined(&places) {
        canvas.line(run[0], run[0], paint, keeps, &mut seen);
        run.windows(2).for_each(|pair| canvas.line(pair[0], pair[1], paint, keeps, &mut seen));
    }
    if curve.look != Look::Line {
        return;
    }
    let alone: Vec<_> = places.iter().filter(|place| place.1.is_finite()).collect();
    if let [only] = alone.as_slice() {
        if let Some((column, row)) = canvas.cell_of(**only) {
            let sign = if brush.letters > 0 { ink::letter(curve.ink) } else { '●' };
            canvas.over(column, row, sign, paint);
        }
    } else if brush.letters > 0 {
        put_letters(curve, canvas, &rows, (brush.letters, paint));
    }
    put_marks(canvas, &places, height, paint);
}

/// Letters upon the curve at a few places, each curve's at others.
fn put_letters(curve: &Curve, canvas: &mut Canvas, rows: &[Option<usize>], (count, paint): (usize, Paint)) {
    let there: Vec<(usize, usize)> =
        rows.iter().enumerate().filter_map(|(column, row)| Some((column, (*row)?))).collect();
    let apart = there.len().div_ceil(count).max(1);
    let first = (curve.ink * 7 + 3) % apart;
    for from in (first..there.len()).step_by(apart) {
        // Where another stands already, a little further on.
        let mut places = there[from..].iter().take(apart).chain(there[..from].iter().rev().take(apart));
        places.find(|(column, row)| canvas.over(*column, *row, ink::letter(curve.ink), paint));
    }
}

/// Where the curve has no number, and where it first leaves the frame at the top and at the bottom.
fn put_marks(canvas: &mut Canvas, places: &[layout::Place], height: usize, paint: Paint) {
    for place in places.iter().filter(|place| !place.1.is_finite()) {
        if let Some((column, _)) = canvas.cell_of((place.0, 0.0)) {
            canvas.over(column, height - 1, '×', paint);
        }
    }
    let above = layout::leaves(places, 0.0, -1.0);
    let below = layout::leaves(places, (4 * height - 1) as f64, 1.0);
    for (first, row, sign) in [(above, 0, '▲'), (below, height - 1, '▼')] {
        if let Some((column, _)) = first.and_then(|across| canvas.cell_of((across, 0.0))) {
            canvas.over(column, row, sign, paint);
        }
    }
}

fn draw_dots(chart: &Chart, curve: &Curve, canvas: &mut Canvas, brush: Brush) {
    let places = curve.spots.iter().map(|spot| (chart.x.scale.place(spot.x), chart.y.scale.place(spot.y)));
    let places: Vec<_> = places
        .map(|place| canvas.place(place))
        .filter(|place| place.0.is_finite() && place.1.is_finite())
        .collect();
    let is_big = chart.curves.iter().map(|curve| curve.spots.len()).sum::<usize>() <= BIG_DOTS_MAX;
    let sign = if brush.letters > 0 { ink::letter(curve.ink) } else { '●' };
    for place in places {
        let Some((column, row)) = canvas.cell_of(place) else { continue };
        if is_big {
            canvas.over(column, row, sign, Paint::Ink(curve.ink));
        } else {
            canvas.dot(place.0.round() as usize, place.1.round() as usize, Paint::Ink(curve.ink));
        }
    }
}
