//! A grid of counts on a terminal: numbers where there is room for them, else shades.

use crate::render::escape;
use crate::render::plot::terminal::Screen;
use crate::render::plot::terminal::canvas::{Paint, Row};
use crate::render::plot::{Matrix, ink, layout};
use crate::render::style::Role;

/// How wide a label may be beside a grid.
const LABEL_MAX: usize = 16;
/// How many labels are shown at most.
const LABELS_MAX: usize = 200;
/// Five shades without colour.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

/// The rows of the grid.
pub fn rows(matrix: &Matrix, screen: &Screen) -> Vec<Row> {
    let labels: Vec<String> = matrix.labels.iter().map(|label| escape::visible(label)).collect();
    let gutter =
        labels.iter().map(|label| layout::width(label)).max().unwrap_or_default().clamp(4, LABEL_MAX);
    let room = screen.width.saturating_sub(gutter + 1);
    let each = |row: usize| (0..labels.len()).map(move |column| matrix.written(row, column).len());
    let number = (0..labels.len()).flat_map(each).max().unwrap_or(1);
    let name = labels.iter().map(|label| layout::width(label)).max().unwrap_or(1);
    // Whole names above the columns, or what there is room for, or shades without names.
    let cell = [name.max(number), number.max(3)]
        .into_iter()
        .map(|cell| cell + 2)
        .find(|cell| cell * labels.len() <= room);
    let shown = labels
        .len()
        .min(LABELS_MAX)
        .min(if cell.is_some() { usize::MAX } else { room / 2 })
        .max(1)
        .min(labels.len());
    let mut rows = vec![Row::of(Paint::As(Role::Label), "true ↓  predicted →")];
    if let Some(cell) = cell {
        let mut head = Row::default();
        for (index, label) in labels.iter().enumerate() {
            let label = layout::cut(label, cell - 2);
            head.pad(gutter + 1 + (index + 1) * cell - 1 - layout::width(&label));
            head.push(Paint::As(Role::Label), &label);
        }
        rows.push(head);
    }
    for (row, label) in labels[..shown].iter().enumerate() {
        let mut line = Row::default();
        let label = layout::cut(label, gutter);
        line.pad(gutter - layout::width(&label));
        line.push(Paint::As(Role::Label), &label);
        line.push(Paint::Plain, " ");
        for column in 0..shown {
            push_cell(&mut line, matrix, (row, column), cell, screen.colour);
        }
        rows.push(line);
    }
    if shown < labels.len() {
        rows.push(Row::of(
            Paint::As(Role::Dim),
            &format!("… and {} labels more, for which there is no room", labels.len() - shown),
        ));
    }
    rows
}

fn push_cell(
    line: &mut Row,
    matrix: &Matrix,
    (row, column): (usize, usize),
    cell: Option<usize>,
    colour: bool,
) {
    let shade = matrix.shade(row, column);
    let heat =
        ink::terminal_heat(shade).filter(|_| colour).map(|(ground, letters)| Paint::Heat(ground, letters));
    match (cell, heat) {
        (Some(cell), heat) => {
            let number = format!("{:>1$} ", matrix.written(row, column), cell - 1);
            line.push(heat.unwrap_or_default(), &number);
        }
        (None, Some(heat)) => line.push(heat, "  "),
        (None, None) if colour => line.push(Paint::As(Role::Dim), " ·"),
        (None, None) => {
            line.push(Paint::Plain, &SHADES[(shade * 4.0).round() as usize].to_string().repeat(2))
        }
    }
}
