//! Plots: what is drawn, as plain data, and one writer for each surface.
//!
//! Knows nothing of runs; labels go in raw, and each writer makes them harmless where they land.

pub mod html;
mod ink;
pub mod layout;
pub mod pixels;
pub mod png;
pub mod scale;
pub mod sparkline;
mod surface;
pub mod svg;
pub mod terminal;
mod typeface;

pub use crate::render::plot::ink::{COLOUR_COUNT, ink_of};
use crate::render::plot::scale::Scale;
pub use crate::series::downsample::Spot;

/// One plot; an answer may be several, one below the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What it shows.
    pub title: String,
    /// How it shows it.
    pub body: Body,
    /// What a person should know of it: what is left out or lies beyond the frame.
    pub notes: Vec<String>,
}

/// The forms a plot may have.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Curves, dots and columns between two axes.
    Chart(Chart),
    /// A bar for each of several things.
    Bars(Bars),
    /// A line for each run across several upright axes.
    Parallel(Parallel),
    /// A grid of counts.
    Matrix(Matrix),
}

/// Curves, dots and columns between two axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// The axis at the bottom.
    pub x: Axis,
    /// The axis at the left.
    pub y: Axis,
    /// The curves, in the order of the legend.
    pub curves: Vec<Curve>,
    /// Areas below them.
    pub bands: Vec<Band>,
    /// Columns that stand on the lower end of the y axis.
    pub columns: Vec<Column>,
}

/// An axis and what is written beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What its numbers are of.
    pub title: String,
    /// Where they stand.
    pub scale: Scale,
}

/// Spots in one colour, joined or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What it is of, for programs.
    pub keys: Vec<String>,
    /// What the legend calls it; none keeps it out of the legend.
    pub label: Option<String>,
    /// What the legend says of it: its last value.
    pub remark: String,
    /// Which of the colours, dashes and letters it has.
    pub ink: usize,
    /// How its spots are drawn.
    pub look: Look,
    /// Its spots; a spot whose `y` is NaN is a gap.
    pub spots: Vec<Spot>,
}

/// How the spots of a curve are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Joined by a line.
    Line,
    /// Joined by a line that stands back behind the others: what was smoothed, as it was.
    Faint,
    /// A dot each.
    Dots,
    /// A line that only guides the eye.
    Guide,
}

/// An area between two curves.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// The colour of the curve that it belongs to.
    pub ink: usize,
    /// Its lower and upper edge at each place across.
    pub edges: Vec<(f64, f64, f64)>,
}

/// A column of a histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// How high it is.
    pub height: f64,
    /// Its colour.
    pub ink: usize,
}

/// A bar for each of several things.
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    /// The axis that they lie along.
    pub axis: Axis,
    /// The bars, from top to bottom.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What it is of, for programs.
    pub keys: Vec<String>,
    /// What it is called.
    pub label: String,
    /// How long it is.
    pub value: f64,
    /// How far it may be off, if it is a mean.
    pub spread: Option<f64>,
    /// What is written behind it.
    pub remark: String,
    /// Its colour.
    pub ink: usize,
}

/// A line for each run across several upright axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Parallel {
    /// The axes, from left to right.
    pub axes: Vec<Upright>,
    /// The lines.
    pub lines: Vec<Line>,
}

/// An upright axis: of numbers, or of names, which stand at 0, 1, 2, ….
#[derive(Debug, Clone, PartialEq)]
pub struct Upright {
    /// What it is of, and where its numbers stand.
    pub axis: Axis,
    /// The names, if it is of names.
    pub names: Option<Vec<String>>,
}

/// A run on parallel axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it is of, for programs.
    pub keys: Vec<String>,
    /// What it is called.
    pub label: String,
    /// Its value on each axis, if it has one.
    pub values: Vec<Option<f64>>,
    /// Where it stands on the last axis, from 0 to 1, which gives it its colour.
    pub shade: Option<f64>,
}

/// A grid of counts: a row for each true label, a column for each predicted one.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// The labels of both.
    pub labels: Vec<String>,
    /// The counts, row by row.
    pub counts: Vec<Vec<f64>>,
}

impl Figure {
    /// Whether there is nothing on it.
    pub fn is_empty(&self) -> bool {
        match &self.body {
            Body::Chart(chart) => {
                chart.columns.iter().all(|column| column.height == 0.0)
                    && chart.curves.iter().all(|curve| curve.spots.is_empty())
            }
            Body::Bars(bars) => bars.bars.is_empty(),
            Body::Parallel(parallel) => parallel.lines.is_empty(),
            Body::Matrix(matrix) => matrix.labels.is_empty(),
        }
    }
}

impl Matrix {
    /// How dark a cell is, from 0 to 1: its part of its row, so that rare labels show too.
    pub fn shade(&self, row: usize, column: usize) -> f64 {
        let sum: f64 = self.counts[row].iter().filter(|count| count.is_finite()).sum();
        let share = self.counts[row][column] / sum;
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// A count as it is written in its cell.
    pub fn written(&self, row: usize, column: usize) -> String {
        let count = self.counts[row][column];
        match count {
            _ if count.fract() == 0.0 && count.abs() < 1e15 => format!("{count:.0}"),
            _ => format!("{count:.3}"),
        }
    }
}

impl Axis {
    /// An axis with a title.
    pub fn new(title: impl Into<String>, scale: Scale) -> Self {
        Self { title: title.into(), scale }
    }
}

impl Chart {
    /// The curves that the legend names.
    pub fn named(&self) -> impl Iterator<Item = (&Curve, &str)> {
        self.curves.iter().filter_map(|curve| Some((curve, curve.label.as_deref()?)))
    }

    /// The curves in the order they are drawn, what matters more above the rest; each with whether a legend of so many
    /// names tells it, for the others stand back.
    pub fn layers(&self, told: usize) -> Vec<(&Curve, bool)> {
        let mut layers = Vec::new();
        let mut names = 0;
        for curve in &self.curves {
            // What was smoothed comes before what has its name.
            layers.push((curve, names < told || curve.look == Look::Guide));
            names += usize::from(curve.label.is_some());
        }
        layers.sort_by_key(|(curve, is_told)| match (curve.look, is_told) {
            (Look::Guide, _) => 0,
            (Look::Faint, false) => 1,
            (_, false) => 2,
            (Look::Faint, true) => 3,
            (Look::Line, true) => 4,
            (Look::Dots, true) => 5,
        });
        layers
    }
}
