//! Writes a report for people at a terminal: aligned, without lines, never wider than the terminal where it can be.
//!
//! Rows are never wrapped: columns of high rank go first, then cells are cut. Fields and prose are wrapped.

use unicode_width::UnicodeWidthChar;

use crate::render::escape;
use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Keep, Report, Table};

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Its columns; `usize::MAX` where nothing is to be cut.
    pub width: usize,
    /// Whether colours are wanted.
    pub colour: bool,
}

/// Blank columns between two columns of a table, or a label and its value.
const GAP: usize = 2;
/// How far what stands under a heading is moved in.
const INDENT: usize = 2;
/// The narrowest a cell is cut to.
const CELL_MIN: usize = 6;
/// The narrowest a value is wrapped to.
const WRAP_MIN: usize = 20;

/// Writes the report, each line ended.
pub fn write(report: &Report, terminal: &Terminal) -> String {
    let mut page = Page { out: String::new(), indent: 0, terminal: *terminal };
    report.blocks.iter().for_each(|block| page.block(block));
    page.out
}

/// A cell's characters, escaped, each with its role.
type Glyphs = Vec<(char, Role)>;

struct Page {
    out: String,
    indent: usize,
    terminal: Terminal,
}

impl Page {
    fn block(&mut self, block: &Block) {
        match block {
            Block::Title(cell) => {
                self.indent = 0;
                self.line(&glyphs(cell));
            }
            Block::Heading(cell) => self.heading(cell),
            Block::Fields(fields) => self.fields(fields),
            Block::Table(table) => self.table(table),
            Block::Prose(cell) => {
                let room = self.room(0);
                wrap(cell, room).iter().for_each(|line| self.line(line));
            }
            Block::Verbatim(text) => self.verbatim(text),
        }
    }

    fn heading(&mut self, cell: &Cell) {
        self.blank();
        self.indent = 0;
        let text: Glyphs =
            glyphs(cell).into_iter().map(|(character, role)| (character, in_heading(role))).collect();
        self.line(&text);
        self.indent = INDENT;
    }

    fn fields(&mut self, fields: &[(String, Cell)]) {
        let label_width =
            fields.iter().map(|(label, _)| width(&label_glyphs(label))).max().unwrap_or_default();
        // A label as long as a sentence must not push every value off the screen.
        let column = label_width.min(self.terminal.width / 2);
        for (label, cell) in fields {
            let mut line = cut(label_glyphs(label), column, Keep::End);
            for (index, value) in wrap(cell, self.room(column + GAP)).into_iter().enumerate() {
                if index > 0 {
                    line = Vec::new();
                }
                pad(&mut line, column + GAP);
                line.extend(value);
                self.line(&line);
            }
        }
    }

    fn table(&mut self, table: &Table) {
        let cells: Vec<Vec<Glyphs>> = table.rows.iter().map(|row| row.iter().map(glyphs).collect()).collect();
        let shape = Shape::of(table, &cells, self.room(0));
        let head: Vec<Glyphs> = table.columns.iter().map(|column| label_glyphs(&column.title)).collect();
        if !head.iter().all(Vec::is_empty) {
            let line = shape.line(&table.columns, &head, true);
            self.line(&line);
        }
        for row in &cells {
            let line = shape.line(&table.columns, row, false);
            self.line(&line);
        }
        let hidden: Vec<&str> =
            shape.hidden.iter().map(|index| table.columns[*index].title.as_str()).collect();
        if !hidden.is_empty() {
            let text = format!("not shown, to fit: {}", hidden.join(", "));
            let line = cut(glyphs(&Cell::of(Role::Dim, text)), self.room(0), Keep::Start);
            self.line(&line);
        }
    }

    fn verbatim(&mut self, text: &str) {
        let text = escape::verbatim(text, self.terminal.colour);
        self.out.push_str(&text);
        if !text.is_empty() && !text.ends_with('\n') {
            self.out.push('\n');
        }
    }

    fn blank(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    /// How many columns are left of `taken` and the indentation.
    fn room(&self, taken: usize) -> usize {
        self.terminal.width.saturating_sub(self.indent + taken).max(WRAP_MIN)
    }

    fn line(&mut self, line: &[(char, Role)]) {
        let end = line.iter().rposition(|(character, _)| *character != ' ').map_or(0, |last| last + 1);
        if end > 0 {
            self.out.push_str(&" ".repeat(self.indent));
        }
        for part in line[..end].chunk_by(|one, other| one.1 == other.1) {
            let text: String = part.iter().map(|(character, _)| character).collect();
            self.out.push_str(&part[0].1.paint(&text, self.terminal.colour));
        }
        self.out.push('\n');
    }
}

/// Which columns of a table are shown, and how wide.
struct Shape {
    /// By column; absent for those that are not shown.
    widths: Vec<Option<usize>>,
    /// By column: how wide the cells are before the decimal point.
    before_point: Vec<usize>,
    /// Those not shown, in order.
    hidden: Vec<usize>,
}

impl Shape {
    fn of(table: &Table, cells: &[Vec<Glyphs>], room: usize) -> Self {
        let each = 0..table.columns.len();
        let before_point = each.clone().map(|index| before_point_max(table, cells, index)).collect();
        let widths = each.map(|index| Some(natural(table, cells, index))).collect();
        let mut shape = Self { widths, before_point, hidden: Vec::new() };
        shape.drop_columns(table, room);
        shape.narrow(room);
        shape
    }

    fn drop_columns(&mut self, table: &Table, room: usize) {
        while self.total() > room {
            let shown = (0..self.widths.len()).filter(|index| self.widths[*index].is_some());
            let Some(least) = shown
                .filter(|index| table.columns[*index].rank > 0)
                .max_by_key(|index| table.columns[*index].rank)
            else {
                break;
            };
            self.widths[least] = None;
            self.hidden.push(least);
        }
        self.hidden.sort_unstable();
    }

    fn narrow(&mut self, room: usize) {
        while self.total() > room {
            let over = self.total() - room;
            let Some(widest) = self.widths.iter_mut().flatten().max() else {
                break;
            };
            if *widest <= CELL_MIN {
                break;
            }
            *widest = widest.saturating_sub(over).max(*widest / 2).max(CELL_MIN);
        }
    }

    fn total(&self) -> usize {
        let shown = self.widths.iter().flatten();
        shown.clone().sum::<usize>() + GAP * shown.count().saturating_sub(1)
    }

    fn line(&self, columns: &[Column], cells: &[Glyphs], is_head: bool) -> Glyphs {
        let mut line = Glyphs::new();
        let mut start = 0;
        for (index, column) in columns.iter().enumerate() {
            let Some(column_width) = self.widths[index] else {
                continue;
            };
            let cell = cells.get(index).cloned().unwrap_or_default();
            let cell = cut(cell, column_width, if is_head { Keep::End } else { column.keep });
            let left = match column.align {
                Align::Left => 0,
                Align::Right => column_width - width(&cell),
                Align::Decimal if is_head => column_width - width(&cell),
                Align::Decimal => self.before_point[index]
                    .saturating_sub(before_point(&cell))
                    .min(column_width - width(&cell)),
            };
            pad(&mut line, start + left);
            line.extend(cell);
            start += column_width + GAP;
        }
        line
    }
}

/// How wide a column would like to be.
fn natural(table: &Table, cells: &[Vec<Glyphs>], index: usize) -> usize {
    let column = &table.columns[index];
    let cells = cells.iter().filter_map(|row| row.get(index));
    let widest = match column.align {
        Align::Decimal => {
            let (before, after) = cells.fold((0, 0), |(before, after), cell| {
                let point = before_point(cell);
                (before.max(point), after.max(width(cell) - point))
            });
            before + after
        }
        _ => cells.map(|cell| width(cell)).max().unwrap_or_default(),
    };
    widest.max(width(&label_glyphs(&column.title))).min(column.width_max)
}

/// Where the decimal points of a column stand: numbers narrower than the head stand under its right end.
fn before_point_max(table: &Table, cells: &[Vec<Glyphs>], index: usize) -> usize {
    let cells = || cells.iter().filter_map(|row| row.get(index));
    let before = cells().map(|cell| before_point(cell)).max().unwrap_or_default();
    let after = cells().map(|cell| width(cell) - before_point(cell)).max().unwrap_or_default();
    let head = width(&label_glyphs(&table.columns[index].title)).min(table.columns[index].width_max);
    before.max(head.saturating_sub(after))
}

/// How wide a number is before its decimal point; a word counts whole.
fn before_point(cell: &[(char, Role)]) -> usize {
    let is_number = cell.iter().any(|(character, _)| character.is_ascii_digit());
    let end = cell.iter().position(|(character, _)| is_number && matches!(character, '.' | 'e'));
    width(&cell[..end.unwrap_or(cell.len())])
}

fn in_heading(role: Role) -> Role {
    if role == Role::Plain { Role::Heading } else { role }
}

fn label_glyphs(label: &str) -> Glyphs {
    glyphs(&Cell::of(Role::Label, label))
}

fn glyphs(cell: &Cell) -> Glyphs {
    let of_span = |text: &str, role| {
        escape::visible(text).chars().map(|character| (character, role)).collect::<Vec<_>>()
    };
    cell.spans.iter().flat_map(|span| of_span(&span.text, span.role)).collect()
}

fn width(glyphs: &[(char, Role)]) -> usize {
    glyphs.iter().map(|(character, _)| character.width().unwrap_or_default()).sum()
}

fn pad(line: &mut Glyphs, column: usize) {
    let missing = column.saturating_sub(width(line));
    line.extend(std::iter::repeat_n((' ', Role::Plain), missing));
}

/// Cuts to a width; `…` stands where something is missing.
fn cut(cell: Glyphs, width_max: usize, keep: Keep) -> Glyphs {
    if width(&cell) <= width_max {
        return cell;
    }
    let fitting = |glyphs: &mut dyn Iterator<Item = (char, Role)>| {
        let mut room = width_max.saturating_sub(1);
        let mut kept = Glyphs::new();
        for (character, role) in glyphs {
            let Some(left) = room.checked_sub(character.width().unwrap_or_default()) else {
                break;
            };
            room = left;
            kept.push((character, role));
        }
        kept
    };
    match keep {
        Keep::Start => {
            let mut kept = fitting(&mut cell.into_iter());
            let role = kept.last().map_or(Role::Plain, |(_, role)| *role);
            kept.push(('…', role));
            kept
        }
        Keep::End => {
            let mut kept = fitting(&mut cell.into_iter().rev());
            let role = kept.last().map_or(Role::Plain, |(_, role)| *role);
            kept.push(('…', role));
            kept.reverse();
            kept
        }
    }
}

/// The lines of a cell: broken at its newlines, and at blanks where a line is wider than the room.
fn wrap(cell: &Cell, room: usize) -> Vec<Glyphs> {
    let mut lines = vec![Glyphs::new()];
    for span in &cell.spans {
        for (index, part) in span.text.split('\n').enumerate() {
            if index > 0 {
                lines.push(Glyphs::new());
            }
            if let Some(line) = lines.last_mut() {
                line.extend(glyphs(&Cell::of(span.role, part)));
            }
        }
    }
    lines.into_iter().flat_map(|line| break_line(line, room)).collect()
}

fn break_line(mut line: Glyphs, room: usize) -> Vec<Glyphs> {
    let mut lines = Vec::new();
    while width(&line) > room {
        let mut fits = 0;
        let mut used = 0;
        while let Some((character, _)) = line.get(fits) {
            used += character.width().unwrap_or_default();
            if used > room {
                break;
            }
            fits += 1;
        }
        let blank = line[..(fits + 1).min(line.len())].iter().rposition(|(character, _)| *character == ' ');
        let at = blank.filter(|at| *at > 0).unwrap_or(fits.max(1));
        let rest = line.split_off(at);
        lines.push(line);
        line = rest.into_iter().skip_while(|(character, _)| *character == ' ').collect();
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Report {
        let columns = vec![
            Column::new("run"),
            Column::new("accuracy").align(Align::Decimal).rank(1),
            Column::new("note").rank(2),
        ];
        let row = |cells: [&str; 3]| cells.map(Cell::from).to_vec();
        let rows = vec![
            row(["abc", "0.975", "été"]),
            row(["de", "12", "日本"]),
            row(["\u{1b}[2J", "nan", ""]),
            row(["f", "1e-07", "a\u{202e}b"]),
        ];
        Report { blocks: vec![Block::Table(Table { columns, rows })] }
    }

    fn written(width: usize) -> String {
        write(&table(), &Terminal { width, colour: false })
    }

    #[test]
    fn tables_are_aligned_and_harmless() {
        insta::assert_snapshot!(written(80), @r#"
        run      accuracy  note
        abc         0.975  été
        de         12      日本
        \x1b[2J   nan
        f           1e-07  a\u{202e}b
        "#);
    }

    #[test]
    fn columns_go_before_rows_wrap() {
        insta::assert_snapshot!(written(22), @r#"
        run      accuracy
        abc         0.975
        de         12
        \x1b[2J   nan
        f           1e-07
        not shown, to fit: no…
        "#);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for room in WRAP_MIN..60 {
            for line in written(room).lines() {
                let width: usize = line.chars().map(|character| character.width().unwrap_or_default()).sum();
                assert!(width <= room, "{room}: {line}");
            }
        }
    }

    #[test]
    fn values_wrap_under_themselves() {
        let fields = vec![
            ("Command".to_owned(), Cell::from("python3 train.py --learning-rate 0.1 --epochs 20")),
            ("Id".to_owned(), Cell::of(Role::Id, "abc").and(Role::Dim, "\nsecond line")),
        ];
        let report = Report { blocks: vec![Block::Fields(fields)] };
        insta::assert_snapshot!(write(&report, &Terminal { width: 34, colour: false }), @"
        Command  python3 train.py
                 --learning-rate 0.1
                 --epochs 20
        Id       abc
                 second line
        ");
    }

    #[test]
    fn colours_end_where_their_text_ends() {
        let report = Report { blocks: vec![Block::Title(Cell::of(Role::Id, "abc").and(Role::Plain, " d"))] };
        assert_eq!(write(&report, &Terminal { width: 80, colour: true }), "\u{1b}[33mabc\u{1b}[0m d\n");
    }
}
