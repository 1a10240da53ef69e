//! Parallel axes on a terminal: upright lines with their ends written above and below, and a line for each run.

use crate::render::escape;
use crate::render::plot::terminal::Screen;
use crate::render::plot::terminal::canvas::{Canvas, Paint, Row};
use crate::render::plot::{Line, Parallel, Upright, ink, layout, scale};
use crate::render::style::Role;

/// The least columns from one axis to the next.
const APART_MIN: usize = 8;

/// The rows of the axes.
pub fn rows(parallel: &Parallel, screen: &Screen) -> Vec<Row> {
    let count = parallel.axes.len();
    // The last axis gives the colours: it stays when there is room for few.
    let shown = count.min((screen.width / APART_MIN).max(2));
    let kept: Vec<usize> = (0..shown.saturating_sub(1)).chain([count - 1]).collect();
    let apart = (screen.width - 1) / shown.max(2).saturating_sub(1).max(1);
    let columns: Vec<usize> = (0..kept.len())
        .map(|index| index * apart.min(screen.width))
        .map(|column| column.min(screen.width - 1))
        .collect();
    let height = screen.height - 3;
    let mut canvas = Canvas::new(screen.width, height);
    for line in &parallel.lines {
        draw(parallel, line, &kept, &columns, &mut canvas);
    }
    for &column in &columns {
        for row in 0..height {
            canvas.over(column, row, '│', Paint::As(Role::Dim));
        }
    }
    let titles = |of: &dyn Fn(&Upright) -> String, paint| {
        let labels = kept.iter().map(|&axis| of(&parallel.axes[axis]));
        written(&columns, labels, apart, screen.width, paint)
    };
    let mut rows = vec![
        titles(&|axis| axis.axis.title.clone(), Paint::As(Role::Label)),
        titles(&|axis| end(axis, true), Paint::Plain),
    ];
    rows.extend((0..height).map(|line| {
        let mut row = Row::default();
        canvas.push_row(line, &mut row);
        row
    }));
    rows.push(titles(&|axis| end(axis, false), Paint::Plain));
    if shown < count {
        let missing: Vec<&str> =
            parallel.axes[shown - 1..count - 1].iter().map(|axis| axis.axis.title.as_str()).collect();
        let text = format!("not shown, to fit: {}", missing.join(", "));
        rows.push(Row::of(Paint::As(Role::Dim), &layout::cut(&escape::visible(&text), screen.width)));
    }
    rows
}

fn draw(parallel: &Parallel, line: &Line, kept: &[usize], columns: &[usize], canvas: &mut Canvas) {
    let rows = canvas.place((0.0, 0.0)).1;
    let place = |axis: usize, column: usize| {
        let value = line.values[axis]?;
        let up = parallel.axes[axis].axis.scale.place(value);
        up.is_finite().then_some(((2 * column) as f64, (1.0 - up) * rows))
    };
    let places: Vec<_> = kept.iter().zip(columns).map(|(&axis, &column)| place(axis, column)).collect();
    let paint = match line.shade {
        Some(shade) => Paint::Shade(ink::terminal_shade(shade)),
        None => Paint::As(Role::Dim),
    };
    for pair in places.windows(2) {
        if let [Some(from), Some(to)] = pair {
            canvas.line(*from, *to, paint, |_, _| true, &mut |_, _| {});
        }
    }
}

/// What is written at an end of an axis.
fn end(axis: &Upright, is_top: bool) -> String {
    match &axis.names {
        Some(names) => {
            let name = if is_top { names.last() } else { names.first() };
            name.cloned().unwrap_or_default()
        }
        None => {
            let scale = &axis.axis.scale;
            scale::short(if is_top { scale.high } else { scale.low })
        }
    }
}

/// A line with a text at each axis: the first begins there, the last ends there, the others stand around it.
fn written(
    columns: &[usize],
    labels: impl Iterator<Item = String>,
    apart: usize,
    width: usize,
    paint: Paint,
) -> Row {
    let mut row = Row::default();
    for (index, label) in labels.enumerate() {
        let label = layout::cut(&escape::visible(&label), apart.saturating_sub(1).max(1));
        let length = layout::width(&label);
        let from = match index {
            0 => 0,
            _ if index + 1 == columns.len() => width.min(columns[index] + 1).saturating_sub(length),
            _ => columns[index].saturating_sub(length / 2),
        };
        row.pad(from.max(if index > 0 { row.width() + 1 } else { 0 }));
        row.push(paint, &label);
    }
    row.cut(width)
}
