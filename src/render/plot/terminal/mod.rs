//! Writes plots for a terminal: braille dots and blocks, sized to it, never wider than it.
//!
//! Colours help and are never needed: without them letters on the curves tell them apart.

mod bars;
mod canvas;
mod chart;
mod legend;
mod matrix;
mod parallel;

use crate::render::escape;
use crate::render::plot::layout;
use crate::render::plot::terminal::canvas::{Paint, Row};
use crate::render::plot::{Body, Figure};
use crate::render::style::Role;

/// What there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Its columns.
    pub width: usize,
    /// The rows that one plot may have, axes included, title and legend not.
    pub height: usize,
    /// Whether colours are wanted.
    pub colour: bool,
}

/// The narrowest and lowest that anything can be recognised on.
const WIDTH_MIN: usize = 20;
const HEIGHT_MIN: usize = 5;

/// Writes the plots one below the other.
pub fn write(figures: &[Figure], screen: &Screen) -> String {
    let screen =
        Screen { width: screen.width.max(WIDTH_MIN), height: screen.height.max(HEIGHT_MIN), ..*screen };
    let mut out = String::new();
    for (index, figure) in figures.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        for row in rows(figure, &screen) {
            row.write(&mut out, screen.colour);
        }
    }
    out
}

fn rows(figure: &Figure, screen: &Screen) -> Vec<Row> {
    let mut rows =
        vec![Row::of(Paint::As(Role::Heading), &layout::cut(&escape::visible(&figure.title), screen.width))];
    rows.extend(match &figure.body {
        Body::Chart(chart) => chart::rows(chart, screen),
        Body::Bars(bars) => bars::rows(bars, screen),
        Body::Parallel(parallel) => parallel::rows(parallel, screen),
        Body::Matrix(matrix) => matrix::rows(matrix, screen),
    });
    for note in &figure.notes {
        let lines = wrapped(&escape::visible(note), screen.width);
        rows.extend(lines.iter().map(|line| Row::of(Paint::As(Role::Dim), line)));
    }
    rows
}

/// The text in lines that fit, broken at blanks where there are any.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if layout::width(line) + 1 + layout::width(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(layout::cut(word, width)),
        }
    }
    lines
}
