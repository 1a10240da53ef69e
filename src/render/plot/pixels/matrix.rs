//! A grid of counts in pixels: each cell as dark as its part of its row, with its number where there is room.

use crate::render::plot::pixels::{Area, LABEL, LINE, fitted};
use crate::render::plot::surface::{Anchor, Fill, Letters, Pen, Surface};
use crate::render::plot::{Matrix, ink, typeface};

/// How large all cells of a row may be together, and one of them at most and at least.
const ROW_MAX: f64 = 760.0;
const CELL_MAX: f64 = 72.0;
const CELL_MIN: f64 = 8.0;

/// How large a cell of a grid of so many labels likes to be.
pub fn cell(count: usize) -> f64 {
    (ROW_MAX / count.max(1) as f64).clamp(CELL_MIN, CELL_MAX)
}

/// How wide a grid likes to be, with the names beside it.
pub fn width(matrix: &Matrix) -> f64 {
    let names = matrix.labels.iter().map(|label| typeface::width(label, LABEL) * ROOM);
    let count = matrix.labels.len();
    names.fold(NAME_MIN, f64::max) + NAME_GAP + cell(count) * count as f64
}

/// The least that names have, the blank behind them, and how much wider than ours another type may be.
const NAME_MIN: f64 = 30.0;
const NAME_GAP: f64 = 10.0;
const ROOM: f64 = 1.15;

/// Draws the grid.
pub fn draw(matrix: &Matrix, area: Area, surface: &mut dyn Surface) {
    let count = matrix.labels.len().max(1);
    let names: Vec<String> =
        matrix.labels.iter().map(|label| fitted(surface, label, LABEL, area.width() * 0.2)).collect();
    let widest = names.iter().map(|name| surface.text_width(name, LABEL)).fold(0.0, f64::max);
    let top = area.top + 2.0 * LINE;
    let left = area.left + widest.max(NAME_MIN) + NAME_GAP;
    let cell = ((area.bottom - top) / count as f64).min((area.right - left) / count as f64).min(CELL_MAX);
    let right = left + cell * count as f64;
    surface.text((left, area.top + LINE / 2.0), "predicted", Letters::new(LABEL, ink::PALE));
    surface.text((area.left, top - LINE / 2.0), "true", Letters::new(LABEL, ink::PALE));
    let every = (LINE / cell).ceil().max(1.0) as usize;
    // Names that stand beside each other need their width.
    let across = ((widest + 6.0) / cell).ceil().max(1.0) as usize;
    for (index, name) in names.iter().enumerate() {
        let middle = (index as f64 + 0.5) * cell;
        if index.is_multiple_of(every) {
            surface.text(
                (left - 7.0, top + middle),
                name,
                Letters::new(LABEL, ink::TEXT).anchor(Anchor::End),
            );
        }
        if index.is_multiple_of(across) {
            surface.text(
                (left + middle, top - LINE / 2.0),
                name,
                Letters::new(LABEL, ink::TEXT).anchor(Anchor::Middle),
            );
        }
    }
    for row in 0..matrix.labels.len() {
        for column in 0..matrix.labels.len() {
            let shade = matrix.shade(row, column);
            let (x, y) = (left + column as f64 * cell, top + row as f64 * cell);
            let gap = if cell > 12.0 { 1.0 } else { 0.0 };
            surface.rect((x, y), (x + cell - gap, y + cell - gap), Fill::of(ink::heat(shade)));
            let text = matrix.written(row, column);
            let size = LABEL.min(cell * 0.5);
            if size >= 7.0 && surface.text_width(&text, size) < cell - 2.0 {
                let letters = Letters::new(size, ink::on_heat(shade)).anchor(Anchor::Middle);
                surface.text((x + cell / 2.0, y + cell / 2.0), &text, letters);
            }
        }
    }
    let bottom = top + cell * count as f64;
    let pen = Pen::new(ink::FRAME, 1.0);
    surface.stroke(&[(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], &pen);
}
