//! Parallel axes in pixels: upright lines with ticks, and a line for each run.

use crate::render::plot::pixels::{Area, LABEL, LINE, fitted};
use crate::render::plot::scale;
use crate::render::plot::surface::{Anchor, Fill, Letters, Pen, Surface};
use crate::render::plot::{Parallel, Upright, ink};

/// Draws the axes and the lines.
pub fn draw(parallel: &Parallel, area: Area, surface: &mut dyn Surface) {
    let count = parallel.axes.len().max(2);
    let apart = area.width() / count as f64;
    let frame = Area {
        left: area.left + apart / 2.0,
        top: area.top + 2.0 * LINE,
        right: area.right - apart / 2.0,
        bottom: area.bottom - 8.0,
    };
    let x = |axis: usize| frame.at(axis as f64 / (count - 1) as f64, 0.0).0;
    let alpha = if parallel.lines.len() > 40 { 0.5 } else { 0.85 };
    // The darkest at the bottom of the heap, so that the best or the worst is not lost there by chance.
    let mut lines: Vec<_> = parallel.lines.iter().collect();
    lines.sort_by(|one, other| one.shade.unwrap_or(-1.0).total_cmp(&other.shade.unwrap_or(-1.0)));
    for line in lines {
        let colour = line.shade.map_or(ink::FRAME, ink::shade);
        let pen = Pen { fill: Fill { colour, alpha }, width: 1.6, dashes: &[] };
        let place = |axis: usize| {
            let up = parallel.axes[axis].axis.scale.place(line.values[axis]?);
            up.is_finite().then(|| (x(axis), frame.at(0.0, up).1))
        };
        let places: Vec<_> = (0..parallel.axes.len()).map(place).collect();
        for run in places.split(Option::is_none) {
            let path: Vec<_> = run.iter().flatten().copied().collect();
            if path.len() > 1 {
                surface.stroke(&path, &pen);
            }
        }
    }
    for (index, axis) in parallel.axes.iter().enumerate() {
        draw_axis(axis, x(index), frame, apart, surface);
    }
}

fn draw_axis(axis: &Upright, x: f64, frame: Area, apart: f64, surface: &mut dyn Surface) {
    let title = fitted(surface, &axis.axis.title, LABEL, apart - 10.0);
    surface.text((x, frame.top - 1.3 * LINE), &title, Letters::new(LABEL, ink::TEXT).anchor(Anchor::Middle));
    surface.stroke(&[(x, frame.top), (x, frame.bottom)], &Pen::new(ink::TEXT, 1.2));
    let ticks: Vec<(f64, String)> = match &axis.names {
        Some(names) => names.iter().enumerate().map(|(index, name)| (index as f64, name.clone())).collect(),
        None => {
            let scale = &axis.axis.scale;
            let mut ticks: Vec<_> = scale.ticks(5).into_iter().map(|tick| (tick.at, tick.label)).collect();
            if ticks.len() < 2 {
                ticks = [scale.low, scale.high].map(|end| (end, scale::short(end))).to_vec();
            }
            ticks
        }
    };
    let mut last = f64::INFINITY;
    for (at, label) in ticks {
        let y = frame.at(0.0, axis.axis.scale.place(at)).1;
        if last - y < LINE * 0.9 {
            continue;
        }
        last = y;
        surface.stroke(&[(x - 4.0, y), (x, y)], &Pen::new(ink::TEXT, 1.2));
        let label = fitted(surface, &label, LABEL, apart / 2.0);
        let width = surface.text_width(&label, LABEL);
        // Upon the lines a number needs a ground of its own.
        surface.rect((x - 8.0 - width, y - 8.0), (x - 5.0, y + 8.0), Fill { colour: ink::PAPER, alpha: 0.8 });
        surface.text((x - 7.0, y), &label, Letters::new(LABEL, ink::PALE).anchor(Anchor::End));
    }
}
