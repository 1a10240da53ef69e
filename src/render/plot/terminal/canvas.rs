//! A grid of characters, each of eight dots in braille, that lines are drawn upon.

use anstyle::{Ansi256Color, Style};

use crate::render::plot::ink;
use crate::render::plot::layout::{self, Place};
use crate::render::style::Role;

/// What a character is painted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Paint {
    /// As text is.
    #[default]
    Plain,
    /// As its role is.
    As(Role),
    /// The colour of a curve.
    Ink(usize),
    /// The same, standing back.
    Faint(usize),
    /// A colour that stands for an amount.
    Shade(u8),
    /// A colour below the letters, and that of the letters.
    Heat(u8, u8),
}

impl Paint {
    fn style(self) -> Style {
        match self {
            Paint::Plain => Style::new(),
            Paint::As(role) => role.style(),
            Paint::Ink(number) => ink::style(number),
            Paint::Faint(number) => ink::style(number).dimmed(),
            Paint::Shade(colour) => Style::new().fg_color(Some(Ansi256Color(colour).into())),
            Paint::Heat(ground, letters) => {
                let [ground, letters] = [ground, letters].map(|colour| Some(Ansi256Color(colour).into()));
                Style::new().fg_color(letters).bg_color(ground)
            }
        }
    }
}

/// A line of characters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row(Vec<(char, Paint)>);

impl Row {
    /// A line of text.
    pub fn of(paint: Paint, text: &str) -> Self {
        let mut row = Self::default();
        row.push(paint, text);
        row
    }

    /// Adds text.
    pub fn push(&mut self, paint: Paint, text: &str) {
        self.0.extend(text.chars().map(|character| (character, paint)));
    }

    /// Adds blanks until the line has so many columns.
    pub fn pad(&mut self, column: usize) {
        let missing = column.saturating_sub(self.width());
        self.push(Paint::Plain, &" ".repeat(missing));
    }

    /// Adds another line behind this one.
    pub fn append(&mut self, other: &Row) {
        self.0.extend_from_slice(&other.0);
    }

    /// The line in at most so many columns.
    pub fn cut(&self, width_max: usize) -> Row {
        if self.width() <= width_max {
            return self.clone();
        }
        let mut row = self.clone();
        while row.width() + 1 > width_max && row.0.pop().is_some() {}
        row.push(Paint::As(Role::Dim), "…");
        row
    }

    /// How many columns it has.
    pub fn width(&self) -> usize {
        let text: String = self.0.iter().map(|(character, _)| character).collect();
        layout::width(&text)
    }

    /// Writes it with its end.
    pub fn write(&self, out: &mut String, colour: bool) {
        let is_seen =
            |(character, paint): &(char, Paint)| *character != ' ' || matches!(paint, Paint::Heat(..));
        let end = self.0.iter().rposition(is_seen).map_or(0, |last| last + 1);
        for part in self.0[..end].chunk_by(|one, other| one.1 == other.1) {
            let text: String = part.iter().map(|(character, _)| character).collect();
            let style = part[0].1.style();
            match colour && style != Style::new() && !text.is_empty() {
                true => out.push_str(&format!("{style}{text}{style:#}")),
                false => out.push_str(&text),
            }
        }
        out.push('\n');
    }
}

/// The grid.
pub struct Canvas {
    width: usize,
    height: usize,
    cells: Vec<Cell>,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    dots: u8,
    paint: Paint,
    over: Option<(char, Paint)>,
}

/// The bit of each dot of a braille character, by row and column.
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

impl Canvas {
    /// An empty grid of so many characters.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, cells: vec![Cell::default(); width * height] }
    }

    /// How many dots it has across.
    pub fn dots_across(&self) -> usize {
        2 * self.width
    }

    /// Where a place stands in dots; both its numbers go from 0 to 1, upwards and to the right.
    pub fn place(&self, (across, up): Place) -> Place {
        (across * (2 * self.width - 1) as f64, (1.0 - up) * (4 * self.height - 1) as f64)
    }

    /// The character that holds a place in dots, if one does.
    pub fn cell_of(&self, (x, y): Place) -> Option<(usize, usize)> {
        let is_within =
            x > -0.5 && y > -0.5 && x < (2 * self.width) as f64 - 0.5 && y < (4 * self.height) as f64 - 0.5;
        is_within.then(|| (x.round() as usize / 2, y.round() as usize / 4))
    }

    /// Sets one dot, if it lies on the grid.
    pub fn dot(&mut self, x: usize, y: usize, paint: Paint) {
        if x < 2 * self.width && y < 4 * self.height {
            let cell = &mut self.cells[y / 4 * self.width + x / 2];
            // A curve stands clear of what stands back behind it: a character has one colour.
            if matches!(cell.paint, Paint::Faint(_)) && !matches!(paint, Paint::Faint(_)) {
                cell.dots = 0;
            }
            cell.dots |= DOTS[y % 4][x % 2];
            cell.paint = paint;
        }
    }

    /// Draws the part of a line that lies on the grid, of whose dots only those that `keeps` holds of; the dots' places
    /// are told to `seen`.
    pub fn line(
        &mut self,
        from: Place,
        to: Place,
        paint: Paint,
        keeps: fn(usize, usize) -> bool,
        seen: &mut dyn FnMut(usize, usize),
    ) {
        let most = ((2 * self.width - 1) as f64, (4 * self.height - 1) as f64);
        let Some((from, to)) = layout::clip(from, to, (0.0, 0.0), most) else { return };
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).ceil().max(1.0);
        for step in 0..=steps as usize {
            let part = step as f64 / steps;
            let x = (from.0 + part * (to.0 - from.0)).round() as usize;
            let y = (from.1 + part * (to.1 - from.1)).round() as usize;
            if keeps(x, y) {
                self.dot(x, y, paint);
                seen(x, y);
            }
        }
    }

    /// Puts a character over the dots, unless there is another.
    pub fn over(&mut self, column: usize, row: usize, character: char, paint: Paint) -> bool {
        match self.cells.get_mut(row * self.width + column).filter(|_| column < self.width) {
            Some(cell) if cell.over.is_none() => {
                cell.over = Some((character, paint));
                true
            }
            _ => false,
        }
    }

    /// Adds a line of the grid to a row.
    pub fn push_row(&self, row: usize, out: &mut Row) {
        for cell in &self.cells[row * self.width..(row + 1) * self.width] {
            let (character, paint) = match (cell.over, cell.dots) {
                (Some(over), _) => over,
                (None, 0) => (' ', Paint::Plain),
                (None, dots) => (char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' '), cell.paint),
            };
            out.0.push((character, paint));
        }
    }
}
