//! Plots in pixels, whatever the surface: where title, frame, legend and notes stand, and how each form is drawn.

mod bars;
mod chart;
mod legend;
mod matrix;
mod parallel;

use crate::render::escape;
use crate::render::plot::layout::{self, Place};
use crate::render::plot::surface::{Fill, Letters, Surface};
use crate::render::plot::{Body, Figure, ink, typeface};

/// How large a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Its width.
    pub width: u32,
    /// The height of each of its plots.
    pub height: u32,
    /// Whether the height holds for plots that would like another too: many bars, large grids.
    pub is_fixed: bool,
}

/// The sizes of letters.
const TITLE: f64 = 16.0;
const LABEL: f64 = 12.5;
/// The height of a line of text.
const LINE: f64 = 19.0;
/// Blank space around a plot.
const MARGIN: f64 = 16.0;

/// A part of a surface.
#[derive(Debug, Clone, Copy)]
struct Area {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Area {
    fn width(&self) -> f64 {
        self.right - self.left
    }

    fn height(&self) -> f64 {
        self.bottom - self.top
    }

    /// Where a place stands whose numbers go from 0 to 1, upwards and to the right.
    fn at(&self, across: f64, up: f64) -> Place {
        (self.left + across * self.width(), self.bottom - up * self.height())
    }
}

/// The size without what nobody would use of its width, unless it was asked for: a grid of few labels is small.
pub fn narrowed(figures: &[Figure], size: Size) -> Size {
    const NARROWEST: f64 = 360.0;
    let wanted = |figure: &Figure| match &figure.body {
        Body::Matrix(matrix) => {
            let texts = typeface::width(&figure.title, TITLE) * 1.15;
            matrix::width(matrix).max(texts).max(NARROWEST) + 2.0 * MARGIN
        }
        _ => f64::INFINITY,
    };
    let wanted = figures.iter().map(wanted).fold(0.0, f64::max);
    let width = if size.is_fixed { size.width } else { size.width.min(wanted.ceil() as u32) };
    Size { width, ..size }
}

/// How high the plots are together.
pub fn height(figures: &[Figure], size: Size) -> f64 {
    figures.iter().map(|figure| own_height(figure, size)).sum::<f64>().max(1.0)
}

fn own_height(figure: &Figure, size: Size) -> f64 {
    let given = f64::from(size.height);
    let notes = figure.notes.len() as f64 * LINE;
    let wanted = match &figure.body {
        Body::Bars(bars) => 90.0 + 22.0 * bars.bars.len() as f64 + notes,
        Body::Matrix(matrix) => {
            110.0 + matrix::cell(matrix.labels.len()) * matrix.labels.len() as f64 + notes
        }
        _ => given,
    };
    if size.is_fixed { given } else { wanted.max(given.min(wanted)).min(6000.0) }
}

/// Draws the plots one below the other, in a width that may differ from the picture's where that is magnified.
pub fn draw(figures: &[Figure], size: Size, width: f64, surface: &mut dyn Surface) {
    let total = height(figures, size) * width / f64::from(size.width);
    surface.rect((0.0, 0.0), (width, total), Fill::of(ink::PAPER));
    let mut top = 0.0;
    for figure in figures {
        let bottom = top + own_height(figure, size) * width / f64::from(size.width);
        draw_one(
            figure,
            Area { left: MARGIN, top: top + MARGIN, right: width - MARGIN, bottom: bottom - MARGIN },
            surface,
        );
        top = bottom;
    }
}

fn draw_one(figure: &Figure, mut area: Area, surface: &mut dyn Surface) {
    let title = fitted(surface, &figure.title, TITLE, area.width());
    surface.text((area.left, area.top + TITLE / 2.0), &title, Letters::new(TITLE, ink::TEXT));
    area.top += TITLE + 12.0;
    let mut notes = Vec::new();
    for note in &figure.notes {
        notes.extend(wrapped(surface, note, area.width()));
    }
    area.bottom -= notes.len() as f64 * LINE;
    for (index, line) in notes.iter().enumerate() {
        let y = area.bottom + LINE * (index as f64 + 0.75);
        surface.text((area.left, y), line, Letters::new(LABEL, ink::PALE));
    }
    match &figure.body {
        Body::Chart(chart) => chart::draw(chart, area, surface),
        Body::Bars(bars) => bars::draw(bars, area, surface),
        Body::Parallel(parallel) => parallel::draw(parallel, area, surface),
        Body::Matrix(matrix) => matrix::draw(matrix, area, surface),
    }
}

/// The text, cut where it is wider than the room.
fn fitted(surface: &dyn Surface, text: &str, size: f64, room: f64) -> String {
    let text = escape::visible(text);
    let mut columns = layout::width(&text);
    let mut cut = text.clone();
    while surface.text_width(&cut, size) > room && columns > 1 {
        columns = (columns - 1).min((columns as f64 * 0.95) as usize);
        cut = layout::cut(&text, columns);
    }
    cut
}

fn wrapped(surface: &dyn Surface, text: &str, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in escape::visible(text).split(' ') {
        match lines.last_mut() {
            Some(line) if surface.text_width(&format!("{line} {word}"), LABEL) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(fitted(surface, word, LABEL, room)),
        }
    }
    lines
}
