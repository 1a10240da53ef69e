//! Writes the tables of a report as CSV (RFC 4180), safe to open in a spreadsheet.
//!
//! A cell that a spreadsheet would take for a formula gets a leading `'`; control characters but the end of a line
//! are shown by number. Whoever needs the bytes as they are takes JSON.

use crate::render::{Block, Report, escape};

/// Writes the tables, each with its head; two are parted by an empty line. Fields are tables of two columns.
pub fn write(report: &Report) -> String {
    let tables: Vec<String> = report.blocks.iter().filter_map(block).collect();
    tables.join("\r\n")
}

fn block(block: &Block) -> Option<String> {
    match block {
        Block::Table(table) => {
            let head = line(table.columns.iter().map(|column| column.title.as_str()));
            let rows = table.rows.iter().map(|row| {
                let texts: Vec<String> = row.iter().map(|cell| cell.text()).collect();
                line(texts.iter().map(String::as_str))
            });
            Some(std::iter::once(head).chain(rows).collect())
        }
        Block::Fields(fields) => Some(
            fields.iter().map(|(label, cell)| line([label.as_str(), &cell.text()].into_iter())).collect(),
        ),
        _ => None,
    }
}

fn line<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<String> = texts.map(cell).collect();
    format!("{}\r\n", cells.join(","))
}

fn cell(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(visible_line).collect();
    let text = match is_formula(text) {
        true => format!("'{}", lines.join("\n")),
        false => lines.join("\n"),
    };
    match text.contains([',', '"', '\n', '\r']) || text.starts_with(' ') || text.ends_with(' ') {
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

fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_plain_number(text)
}

fn is_plain_number(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    text == "-inf" || (text.bytes().all(allowed) && text.parse::<f64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text_and_numbers_stay() {
        let cells = ["=1+1", "+1", "-1e-5", "-x", "@a", "\tx", "-inf", "a,\"b\"", "a\nb", "\u{1b}[m", "-1+1"];
        let written: Vec<String> = cells.into_iter().map(cell).collect();
        let expected = [
            "'=1+1",
            "+1",
            "-1e-5",
            "'-x",
            "'@a",
            "'\tx",
            "-inf",
            "\"a,\"\"b\"\"\"",
            "\"a\nb\"",
            "\\x1b[m",
            "'-1+1",
        ];
        assert_eq!(written, expected);
    }
}
