//! One answer, several writers: a report is blocks of cells, and each writer puts them in its own form.
//!
//! Knows nothing of what is reported; text goes in raw, and each writer makes it harmless where it lands.

pub mod csv;
pub mod escape;
pub mod html;
pub mod json;
pub mod markdown;
pub mod plot;
pub mod style;
pub mod template;
pub mod terminal;

use crate::render::style::Role;

/// An answer, from top to bottom.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Its blocks, in order.
    pub blocks: Vec<Block>,
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// What the whole answer is about.
    Title(Cell),
    /// What the blocks up to the next heading are about.
    Heading(Cell),
    /// Labels and their values, aligned.
    Fields(Vec<(String, Cell)>),
    /// Rows under a head.
    Table(Table),
    /// A sentence or more; a newline begins another line.
    Prose(Cell),
    /// Lines as another program wrote them, colours included (`git diff`).
    Verbatim(String),
}

/// Rows under a head.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// A cell for each column, row by row.
    pub rows: Vec<Vec<Cell>>,
}

/// A column and how it gives way where room is short.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// What stands above it.
    pub title: String,
    /// How its cells stand.
    pub align: Align,
    /// How soon it goes when the table is too wide: the highest first, 0 never.
    pub rank: usize,
    /// How wide it may become on a terminal.
    pub width_max: usize,
    /// Which end of a cell stays when it is cut.
    pub keep: Keep,
}

/// How the cells of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// At the left.
    Left,
    /// At the right.
    Right,
    /// With the decimal points under each other.
    Decimal,
}

/// Which end of a cell stays when it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The beginning.
    Start,
    /// The end, as with paths.
    End,
}

/// Text in one or more roles.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    /// Its parts, from left to right.
    pub spans: Vec<Span>,
}

/// Text in one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The text, raw.
    pub text: String,
    /// What it is, which gives it its colour.
    pub role: Role,
}

impl Report {
    /// Says what the answer is about.
    pub fn title(&mut self, title: impl Into<Cell>) {
        self.blocks.push(Block::Title(title.into()));
    }

    /// Adds a block under a heading.
    pub fn section(&mut self, heading: &str, block: Block) {
        self.blocks.push(Block::Heading(heading.into()));
        self.blocks.push(block);
    }

    /// Adds a sentence.
    pub fn prose(&mut self, text: impl Into<Cell>) {
        self.blocks.push(Block::Prose(text.into()));
    }
}

impl Table {
    /// A table without rows yet.
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }
}

impl Column {
    /// A column that stays, at the left, as wide as its cells.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), align: Align::Left, rank: 0, width_max: usize::MAX, keep: Keep::Start }
    }

    /// The same column with its cells standing so.
    pub fn align(self, align: Align) -> Self {
        Self { align, ..self }
    }

    /// The same column, which goes when those of higher rank did not make room enough.
    pub fn rank(self, rank: usize) -> Self {
        Self { rank, ..self }
    }

    /// The same column, at most so wide.
    pub fn width_max(self, width_max: usize) -> Self {
        Self { width_max, ..self }
    }

    /// The same column, cut so.
    pub fn keep(self, keep: Keep) -> Self {
        Self { keep, ..self }
    }
}

impl Cell {
    /// Text in a role.
    pub fn of(role: Role, text: impl Into<String>) -> Self {
        Self { spans: vec![Span { text: text.into(), role }] }
    }

    /// The same cell with text in a role behind it.
    pub fn and(mut self, role: Role, text: impl Into<String>) -> Self {
        self.spans.push(Span { text: text.into(), role });
        self
    }

    /// The same cell with another behind it.
    pub fn joined(mut self, other: Cell) -> Self {
        self.spans.extend(other.spans);
        self
    }

    /// The text without the roles.
    pub fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }

    /// Whether there is no text in it.
    pub fn is_empty(&self) -> bool {
        self.spans.iter().all(|span| span.text.is_empty())
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::of(Role::Plain, text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Cell::of(Role::Plain, text)
    }
}
