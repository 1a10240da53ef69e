//! The names of the curves below a chart, in as many columns as fit.

use crate::render::plot::pixels::{Area, LABEL, LINE, fitted};
use crate::render::plot::surface::{Fill, Letters, Pen, Surface};
use crate::render::plot::{Chart, Curve, Look, ink, layout};

/// How many rows it has at most.
const ROWS_MAX: usize = 5;
/// How wide one entry may be.
const ENTRY_MAX: f64 = 320.0;
/// The sign before a name, and the blank behind it.
const SIGN: f64 = 24.0;
const SIGN_GAP: f64 = 7.0;
/// Blank space between two entries.
const GAP: f64 = 22.0;

/// A legend, laid out.
pub struct Legend<'a> {
    entries: Vec<(&'a Curve, String)>,
    columns: usize,
    apart: f64,
    left_out: usize,
}

impl<'a> Legend<'a> {
    /// The legend of a chart in that width; of one curve alone nothing is told but its last value.
    pub fn of(chart: &'a Chart, width: f64, surface: &dyn Surface) -> Self {
        let room = ENTRY_MAX.min(width) - SIGN - SIGN_GAP;
        let written = |(curve, label): (&'a Curve, &str)| {
            let text =
                if curve.remark.is_empty() { label.to_owned() } else { format!("{label}  {}", curve.remark) };
            (curve, fitted(surface, &text, LABEL, room))
        };
        let mut entries: Vec<_> = chart.named().map(written).collect();
        let widest = entries.iter().map(|(_, text)| surface.text_width(text, LABEL)).fold(0.0, f64::max);
        let apart = widest + SIGN + SIGN_GAP + GAP;
        let columns = layout::columns(entries.len(), ((width + GAP) / apart) as usize, ROWS_MAX);
        let shown = if entries.len() > columns * ROWS_MAX { columns * ROWS_MAX - 1 } else { entries.len() };
        let left_out = entries.len() - shown;
        entries.truncate(shown);
        Self { entries, columns, apart, left_out }
    }

    /// How many curves it names.
    pub fn told(&self) -> usize {
        self.entries.len()
    }

    /// How high it is.
    pub fn height(&self) -> f64 {
        let count = self.entries.len() + usize::from(self.left_out > 0);
        count.div_ceil(self.columns) as f64 * LINE
    }

    /// Draws it.
    pub fn draw(&self, area: Area, surface: &mut dyn Surface) {
        let place = |index: usize| {
            let (row, column) = (index / self.columns, index % self.columns);
            (area.left + column as f64 * self.apart, area.top + (row as f64 + 0.5) * LINE)
        };
        for (index, (curve, text)) in self.entries.iter().enumerate() {
            let (x, y) = place(index);
            let colour = ink::rgb(curve.ink);
            match curve.look {
                Look::Dots => surface.stroke(&[(x + SIGN / 2.0, y)], &Pen::new(colour, 8.0)),
                _ => {
                    let pen = Pen { dashes: ink::dashes(curve.ink), ..Pen::new(colour, 2.5) };
                    surface.stroke(&[(x, y), (x + SIGN, y)], &pen);
                }
            }
            surface.text((x + SIGN + SIGN_GAP, y), text, Letters::new(LABEL, ink::TEXT));
        }
        if self.left_out > 0 {
            let (x, y) = place(self.entries.len());
            surface.text((x, y), &format!("… and {} more", self.left_out), Letters::new(LABEL, ink::PALE));
        }
    }
}

/// A light fill of a colour.
pub fn light(ink: usize, alpha: f64) -> Fill {
    Fill { colour: ink::rgb(ink), alpha }
}
