//! Writes the tables of a report as CSV (RFC 4180) or TSV, safe to open in a spreadsheet.
//!
//! What a spreadsheet would take for a formula gets a `'` before it, in the middle of a cell too where a separator of
//! another country's spreadsheets stands before it; control characters are shown by number. Whoever needs the bytes
//! as they are takes JSON.

use crate::render::{Block, Report, escape};

/// What parts the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// CSV: cells that need it stand in quotes, lines end as RFC 4180 says.
    Comma,
    /// TSV: a cell has no tabs and no ends of lines, which are shown as `\t` and `\n`.
    Tab,
}

/// Writes the tables as CSV, each with its head; two are parted by an empty line. Fields are tables of two columns.
pub fn write(report: &Report) -> String {
    write_with(report, Separator::Comma)
}

/// Writes the tables with that between their cells.
pub fn write_with(report: &Report, separator: Separator) -> String {
    let tables: Vec<String> =
        report.blocks.iter().filter_map(|block| write_block(block, separator)).collect();
    tables.join(separator.line_end())
}

impl Separator {
    fn line_end(self) -> &'static str {
        match self {
            Separator::Comma => "\r\n",
            Separator::Tab => "\n",
        }
    }

    fn line<'a>(self, texts: impl Iterator<Item = &'a str>) -> String {
        match self {
            Separator::Comma => texts.map(comma_cell).collect::<Vec<_>>().join(",") + self.line_end(),
            Separator::Tab => texts.map(tab_cell).collect::<Vec<_>>().join("\t") + self.line_end(),
        }
    }
}

fn write_block(block: &Block, separator: Separator) -> Option<String> {
    match block {
        Block::Table(table) => {
            let head = separator.line(table.columns.iter().map(|column| column.title.as_str()));
            let rows = table.rows.iter().map(|row| {
                let texts: Vec<String> = row.iter().map(|cell| cell.text()).collect();
                separator.line(texts.iter().map(String::as_str))
            });
            Some(std::iter::once(head).chain(rows).collect())
        }
        Block::Fields(fields) => {
            let line = |label: &str, text: &str| separator.line([label, text].into_iter());
            Some(fields.iter().map(|(label, cell)| line(label, &cell.text())).collect())
        }
        _ => None,
    }
}

fn comma_cell(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(visible_line).collect();
    let text = without_formulas(&lines.join("\n"));
    match text.contains([',', ';', '"', '\t', '\n', '\r']) || text.starts_with(' ') || text.ends_with(' ') {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

fn tab_cell(text: &str) -> String {
    let text = without_formulas(&escape::visible(text));
    // Elsewhere than at its beginning a quote is read as it is.
    match text.starts_with('"') {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

/// Tabs and carriage returns are text here; a spreadsheet keeps them in their cell.
fn visible_line(line: &str) -> String {
    let parts: Vec<String> = line
        .split_inclusive(['\t', '\r'])
        .map(|part| match part.strip_suffix(['\t', '\r']) {
            Some(body) => format!("{}{}", escape::visible(body), &part[body.len()..]),
            None => escape::visible(part),
        })
        .collect();
    parts.concat()
}

/// The text with a `'` before whatever could be the beginning of a formula: at its own beginning, and behind what a
/// spreadsheet that was told another separator would begin a cell at.
fn without_formulas(text: &str) -> String {
    if is_plain_number(text) {
        return text.to_owned();
    }
    let parts = text.split_inclusive([';', '\t', '\n', '\r', ',']);
    parts.map(|part| if is_formula(part) { format!("'{part}") } else { part.to_owned() }).collect()
}

/// Whether a cell that begins so would be calculated. Spreadsheets skip blanks and quotes before it.
fn is_formula(text: &str) -> bool {
    let begin = text.trim_start_matches([' ', '"']);
    let is_begun = text.starts_with(['\t', '\r'])
        || begin.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    is_begun && !is_plain_number(begin.trim_end_matches([';', '\t', '\n', '\r', ',', '"', ' ']))
}

fn is_plain_number(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    text == "-inf" || (text.bytes().all(allowed) && text.parse::<f64>().is_ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::render::{Cell, Column, Table};
    use proptest::prelude::*;

    fn report(rows: Vec<Vec<&str>>) -> Report {
        let columns = vec![Column::new("run"), Column::new("=note")];
        let rows = rows.into_iter().map(|row| row.into_iter().map(Cell::from).collect()).collect();
        Report { blocks: vec![Block::Table(Table { columns, rows })] }
    }

    #[test]
    fn formulas_become_text_and_numbers_stay() {
        let cells = ["=1+1", "+1", "-1e-5", "-x", "@a", "\tx", "-inf", "a,\"b\"", "a\nb", "\u{1b}[m", "-1+1"];
        let written: Vec<String> = cells.into_iter().map(comma_cell).collect();
        let expected = [
            "'=1+1",
            "+1",
            "-1e-5",
            "'-x",
            "'@a",
            "\"'\tx\"",
            "-inf",
            "\"a,\"\"b\"\"\"",
            "\"a\nb\"",
            "\\x1b[m",
            "'-1+1",
        ];
        assert_eq!(written, expected);
    }

    #[test]
    fn formulas_behind_separators_blanks_and_quotes_become_text_too() {
        let cells =
            ["a;=1+1", "a\n=1", "\"=1", " =1", "\u{ff1d}1", "a,@b", "1;-2", "\0=1", "a-b;c=d", "x\r+y"];
        let written: Vec<String> = cells.into_iter().map(comma_cell).collect();
        let expected = [
            "\"a;'=1+1\"",
            "\"a\n'=1\"",
            "\"'\"\"=1\"",
            "' =1",
            "'\u{ff1d}1",
            "\"a,'@b\"",
            "\"1;-2\"",
            "\\x00=1",
            "\"a-b;c=d\"",
            "\"x\r'+y\"",
        ];
        assert_eq!(written, expected);
    }

    #[test]
    fn tables_as_tsv_have_one_line_a_row() {
        let report = report(vec![vec!["a\tb", "one\ntwo"], vec!["\"q\"", "=1"], vec!["", "a \"b\""]]);
        assert_eq!(
            write_with(&report, Separator::Tab),
            "run\t'=note\na\\tb\tone\\ntwo\n\"\"\"q\"\"\"\t'=1\n\ta \"b\"\n"
        );
    }

    proptest! {
        #[test]
        fn no_cell_is_calculated_and_none_breaks_its_row(text in "[-=+@;,\"\t\r\n a1\u{0}\u{1b}\u{202e}]{0,12}") {
            for written in [comma_cell(&text), tab_cell(&text)] {
                // However it is parted, no part begins a formula.
                for part in written.split([';', ',', '\t', '\n', '\r']) {
                    let begin = part.trim_start_matches([' ', '"']);
                    let is_number = is_plain_number(begin.trim_end_matches([' ', '"']));
                    prop_assert!(!begin.starts_with(['=', '+', '-', '@']) || is_number, "{:?} from {:?}", part, text);
                }
                let has_control = written.contains(['\u{0}', '\u{1b}', '\u{202e}']);
                prop_assert!(!has_control, "{:?}", written);
            }
            let table = report(vec![vec![&text, "end"]]);
            let tsv = write_with(&table, Separator::Tab);
            prop_assert_eq!(tsv.lines().count(), 2);
            prop_assert!(tsv.lines().all(|line| line.matches('\t').count() == 1));
        }
    }
}
