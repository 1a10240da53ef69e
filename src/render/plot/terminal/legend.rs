//! The names of the curves below a plot, in as many columns as fit.

use crate::render::escape;
use crate::render::plot::terminal::canvas::{Paint, Row};
use crate::render::plot::{Chart, Curve, Look, ink, layout};
use crate::render::style::Role;

/// How many rows a legend has at most.
const ROWS_MAX: usize = 8;
/// How wide a name may be.
const NAME_MAX: usize = 40;
/// Blank columns between two names.
const GAP: usize = 3;

/// A legend, laid out.
pub struct Legend {
    /// Its rows; none where there is nothing to tell apart.
    pub rows: Vec<Row>,
    /// How many curves it names.
    pub told: usize,
    /// Whether curves are told apart by letters upon them.
    pub has_letters: bool,
}

impl Legend {
    /// The legend of a chart in that width.
    pub fn of(chart: &Chart, width: usize, colour: bool) -> Self {
        let has_letters = chart.named().count() > if colour { ink::COLOUR_COUNT } else { 1 };
        let entries: Vec<Row> =
            chart.named().map(|(curve, label)| entry(curve, label, has_letters)).collect();
        let widest = entries.iter().map(Row::width).max().unwrap_or_default();
        let columns = layout::columns(entries.len(), (width + GAP) / (widest + GAP), ROWS_MAX);
        let is_cut = entries.len() > columns * ROWS_MAX;
        let told = if is_cut { columns * ROWS_MAX - 1 } else { entries.len() };
        let mut rows: Vec<Row> = Vec::new();
        for (index, entry) in entries[..told].iter().enumerate() {
            if index % columns == 0 {
                rows.push(Row::default());
            }
            if let Some(row) = rows.last_mut() {
                row.pad(index % columns * (widest + GAP));
                row.append(entry);
            }
        }
        if is_cut {
            // In the last place of the last row, or on a row of its own where each has only one.
            let mut last = if columns > 1 { rows.pop().unwrap_or_default() } else { Row::default() };
            last.pad((columns - 1) * (widest + GAP));
            last.push(Paint::As(Role::Dim), &format!("… and {} more", entries.len() - told));
            rows.push(last);
        }
        let rows = rows.iter().map(|row| row.cut(width)).collect();
        Self { rows, told, has_letters }
    }
}

fn entry(curve: &Curve, label: &str, has_letters: bool) -> Row {
    let mut row = Row::default();
    let sign = match (has_letters, curve.look) {
        (true, _) => format!("{} ", ink::letter(curve.ink)),
        (false, Look::Dots) => "● ".to_owned(),
        (false, _) => "━━ ".to_owned(),
    };
    row.push(Paint::Ink(curve.ink), &sign);
    row.push(Paint::Plain, &layout::cut(&escape::visible(label), NAME_MAX));
    if !curve.remark.is_empty() {
        row.push(Paint::As(Role::Dim), &format!(" {}", escape::visible(&curve.remark)));
    }
    row
}
