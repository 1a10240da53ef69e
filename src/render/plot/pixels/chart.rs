//! A chart in pixels: frame, ticks, bands, columns and curves.

use crate::render::plot::layout::{self, Place};
use crate::render::plot::pixels::legend::{self, Legend};
use crate::render::plot::pixels::{Area, LABEL, LINE, fitted};
use crate::render::plot::scale::Tick;
use crate::render::plot::surface::{Anchor, Fill, Letters, Pen, Surface};
use crate::render::plot::{Chart, Curve, Look, Spot, ink};

/// How far apart ticks are, at least.
const TICKS_APART: f64 = 46.0;
/// Beyond so many curves lines are thinner, and let each other shine through.
const CROWD: usize = 12;

/// Draws the chart with its legend.
pub fn draw(chart: &Chart, area: Area, surface: &mut dyn Surface) {
    let legend = Legend::of(chart, area.width(), surface);
    let legend_top = area.bottom - legend.height();
    legend.draw(Area { top: legend_top, ..area }, surface);

    let title = fitted(surface, &chart.y.title, LABEL, area.width());
    surface.text((area.left, area.top + LINE / 2.0), &title, Letters::new(LABEL, ink::PALE));
    let top = area.top + if title.is_empty() { 0.0 } else { LINE + 4.0 };
    let below = if is_long(chart, surface) { 2.0 * LINE } else { LINE };
    let bottom = legend_top - below - 12.0 - if legend.height() > 0.0 { 8.0 } else { 0.0 };
    let y_ticks = chart.y.scale.ticks(((bottom - top) / TICKS_APART) as usize);
    let widest = y_ticks.iter().map(|tick| surface.text_width(&tick.label, LABEL)).fold(0.0, f64::max);
    let frame = Area { left: area.left + widest + 8.0, top, right: area.right - 8.0, bottom };

    draw_grid(chart, frame, &y_ticks, surface);
    for band in &chart.bands {
        let (x, y) = (&chart.x.scale, &chart.y.scale);
        let edge = |&(at, low, high): &(f64, f64, f64)| {
            let (across, upper) = frame.at(x.place(at), y.place(high).clamp(0.0, 1.0));
            (across, upper, frame.at(0.0, y.place(low).clamp(0.0, 1.0)).1)
        };
        let within = |edge: &(f64, f64, f64)| {
            (frame.left - 0.5..=frame.right + 0.5).contains(&edge.0)
                && edge.1.is_finite()
                && edge.2.is_finite()
        };
        let edges: Vec<_> = band.edges.iter().map(edge).collect();
        edges
            .split(|edge| !within(edge))
            .filter(|run| !run.is_empty())
            .for_each(|run| draw_band(run, band.ink, surface));
    }
    draw_columns(chart, frame, surface);
    for (curve, is_told) in chart.layers(legend.told()) {
        match curve.look {
            Look::Dots => draw_dots(chart, curve, frame, surface),
            _ => draw_curve(chart, curve, (frame, is_told), surface),
        }
    }
    surface.stroke(&[frame.at(0.0, 1.0), frame.at(0.0, 0.0), frame.at(1.0, 0.0)], &Pen::new(ink::FRAME, 1.0));
}

/// The area and its two edges, without which areas that overlap could not be told apart.
fn draw_band(edges: &[(f64, f64, f64)], ink: usize, surface: &mut dyn Surface) {
    surface.band(edges, legend::light(ink, 0.13));
    let pen = Pen { fill: legend::light(ink, 0.45), width: 0.8, dashes: &[] };
    for edge in [|edge: &(f64, f64, f64)| (edge.0, edge.1), |edge: &(f64, f64, f64)| (edge.0, edge.2)] {
        surface.stroke(&edges.iter().map(edge).collect::<Vec<_>>(), &pen);
    }
}

/// The lines that lead from the ticks, and the labels beside them.
fn draw_grid(chart: &Chart, frame: Area, y_ticks: &[Tick], surface: &mut dyn Surface) {
    for tick in y_ticks {
        let (left, y) = frame.at(0.0, chart.y.scale.place(tick.at));
        surface.stroke(&[(left, y), (frame.right, y)], &Pen::new(ink::GRID, 1.0));
        let letters = Letters::new(LABEL, ink::PALE).anchor(Anchor::End);
        surface.text((frame.left - 8.0, y), &tick.label, letters);
    }
    let title = fitted(surface, &chart.x.title, LABEL, frame.width());
    let letters = Letters::new(LABEL, ink::TEXT).anchor(Anchor::End);
    let (right, line) = frame.at(1.0, 0.0);
    let line = line + 6.0 + LINE / 2.0;
    // The corner is a short title's; a long one has a line of its own.
    let is_long = is_long(chart, surface);
    let title_from = match is_long || title.is_empty() {
        true => f64::INFINITY,
        false => right - surface.text_width(&title, LABEL),
    };
    surface.text((right, if is_long { line + LINE } else { line }), &title, letters);
    let x_ticks = x_ticks(chart, frame, surface);
    for tick in &x_ticks {
        let (x, bottom) = frame.at(chart.x.scale.place(tick.at), 0.0);
        surface.stroke(&[(x, frame.top), (x, bottom)], &Pen::new(ink::GRID, 1.0));
        surface.stroke(&[(x, bottom), (x, bottom + 4.0)], &Pen::new(ink::FRAME, 1.0));
        let half = surface.text_width(&tick.label, LABEL) / 2.0;
        if x + half + 12.0 < title_from {
            let letters = Letters::new(LABEL, ink::PALE).anchor(Anchor::Middle);
            surface.text((x, line), &tick.label, letters);
        }
    }
}

/// Whether the title of the x axis would take the place of labels.
fn is_long(chart: &Chart, surface: &dyn Surface) -> bool {
    const SHORT: f64 = 60.0;
    surface.text_width(&chart.x.title, LABEL) > SHORT
}

/// The most ticks whose labels all have room.
fn x_ticks(chart: &Chart, frame: Area, surface: &dyn Surface) -> Vec<Tick> {
    let fits = |ticks: &Vec<Tick>| {
        let extent = |tick: &Tick| {
            let half = surface.text_width(&tick.label, LABEL) / 2.0;
            let x = frame.at(chart.x.scale.place(tick.at), 0.0).0;
            (x - half, x + half)
        };
        let extents: Vec<_> = ticks.iter().map(extent).collect();
        layout::clear(&extents, 18.0).len() == ticks.len()
    };
    let most = (frame.width() / 70.0) as usize;
    (2..=most.max(2)).rev().map(|wanted| chart.x.scale.ticks(wanted)).find(fits).unwrap_or_default()
}

fn draw_columns(chart: &Chart, frame: Area, surface: &mut dyn Surface) {
    let (x, y) = (&chart.x.scale, &chart.y.scale);
    for column in &chart.columns {
        let (from, to) = (x.place(column.from).clamp(0.0, 1.0), x.place(column.to).clamp(0.0, 1.0));
        let up = y.place(column.height);
        if !(from < to && up > 0.0) {
            continue;
        }
        let ((left, top), (right, bottom)) = (frame.at(from, up.min(1.0)), frame.at(to, 0.0));
        let gap = if right - left > 4.0 { 1.0 } else { 0.0 };
        surface.rect((left + gap / 2.0, top), (right - gap / 2.0, bottom), legend::light(column.ink, 0.85));
    }
}

fn draw_curve(chart: &Chart, curve: &Curve, (frame, is_told): (Area, bool), surface: &mut dyn Surface) {
    let (x, y) = (&chart.x.scale, &chart.y.scale);
    let stretches = (frame.width() * 2.0) as usize;
    let place = |spot: Spot| frame.at(x.place(spot.x), y.place(spot.y));
    let places = layout::placed(curve, stretches, place, |at| x.place(at));
    let is_crowd = chart.named().count() > CROWD;
    let colour = ink::rgb(curve.ink);
    let pen = match curve.look {
        _ if !is_told => Pen { fill: Fill { colour: ink::FRAME, alpha: 0.45 }, width: 1.0, dashes: &[] },
        Look::Faint => Pen { fill: Fill { colour, alpha: 0.25 }, width: 1.0, dashes: &[] },
        Look::Guide => Pen { dashes: &[4.0, 4.0], ..Pen::new(ink::FRAME, 1.0) },
        _ if is_crowd => {
            Pen { fill: Fill { colour, alpha: 0.75 }, width: 1.1, dashes: ink::dashes(curve.ink) }
        }
        _ => Pen { dashes: ink::dashes(curve.ink), ..Pen::new(colour, 1.7) },
    };
    let (least, most) = ((frame.left, frame.top), (frame.right, frame.bottom));
    // All there is of a curve is larger than a spot between two gaps.
    let alone = if places.iter().filter(|place| place.1.is_finite()).count() == 1 { 7.5 } else { 4.5 };
    for run in layout::joined(&places) {
        match run {
            [only] => dot(*only, frame, &Pen { width: alone, dashes: &[], ..pen }, surface),
            _ => within(run, least, most).iter().for_each(|path| surface.stroke(path, &pen)),
        }
    }
    if curve.look == Look::Line {
        draw_marks(&places, frame, &pen, surface);
    }
}

/// The pieces of a path that lie within the frame.
fn within(path: &[Place], least: Place, most: Place) -> Vec<Vec<Place>> {
    let mut pieces: Vec<Vec<Place>> = Vec::new();
    for pair in path.windows(2) {
        let Some((from, to)) = layout::clip(pair[0], pair[1], least, most) else { continue };
        match pieces.last_mut() {
            Some(piece) if piece.last() == Some(&from) => piece.push(to),
            _ => pieces.push(vec![from, to]),
        }
    }
    pieces
}

fn dot(place: Place, frame: Area, pen: &Pen, surface: &mut dyn Surface) {
    if layout::clip(place, place, (frame.left, frame.top), (frame.right, frame.bottom)).is_some() {
        surface.stroke(&[place], pen);
    }
}

/// Where the curve has no number, and where it first leaves the frame at the top and at the bottom.
fn draw_marks(places: &[Place], frame: Area, pen: &Pen, surface: &mut dyn Surface) {
    let pen = Pen { width: 1.5, dashes: &[], ..*pen };
    let is_across = |x: f64| (frame.left..=frame.right).contains(&x);
    let mut last = f64::NEG_INFINITY;
    for (x, _) in places.iter().filter(|place| !place.1.is_finite() && is_across(place.0)) {
        if *x - last > 8.0 {
            last = *x;
            let y = frame.bottom - 5.0;
            surface.stroke(&[(x - 3.0, y - 3.0), (x + 3.0, y + 3.0)], &pen);
            surface.stroke(&[(x - 3.0, y + 3.0), (x + 3.0, y - 3.0)], &pen);
        }
    }
    let across: Vec<Place> = places.iter().copied().filter(|place| is_across(place.0)).collect();
    for (edge, towards) in [(frame.top, -1.0), (frame.bottom, 1.0)] {
        if let Some(x) = layout::leaves(&across, edge, towards) {
            let base = edge - towards * 7.0;
            surface.stroke(&[(x - 4.0, base), (x, edge - towards), (x + 4.0, base)], &pen);
        }
    }
}

fn draw_dots(chart: &Chart, curve: &Curve, frame: Area, surface: &mut dyn Surface) {
    let count: usize = chart.curves.iter().map(|curve| curve.spots.len()).sum();
    let width = if count > 400 { 4.5 } else { 7.5 };
    let pen = Pen { fill: legend::light(curve.ink, 0.8), width, dashes: &[] };
    for spot in &curve.spots {
        let place = frame.at(chart.x.scale.place(spot.x), chart.y.scale.place(spot.y));
        dot(place, frame, &pen, surface);
    }
}
