//! Writes a report as GitHub-flavoured Markdown, for comments and reports.
//!
//! All text is escaped, so that what a run holds cannot become markup; code is fenced.

use crate::render::{Align, Block, Cell, Report, Table, escape};

/// Writes the report.
pub fn write(report: &Report) -> String {
    let blocks: Vec<String> = report.blocks.iter().map(block).filter(|text| !text.is_empty()).collect();
    blocks.join("\n")
}

fn block(block: &Block) -> String {
    match block {
        Block::Title(cell) => format!("## {}\n", inline(cell)),
        Block::Heading(cell) => format!("### {}\n", inline(cell)),
        Block::Fields(fields) => fields.iter().map(|(label, cell)| field(label, cell)).collect(),
        Block::Table(table) => write_table(table),
        Block::Prose(cell) => format!("{}\n", inline(cell)),
        Block::Verbatim(text) => fenced(text),
    }
}

fn field(label: &str, cell: &Cell) -> String {
    format!("- **{}:** {}\n", text(label), inline(cell))
}

fn write_table(table: &Table) -> String {
    let head: Vec<String> = table.columns.iter().map(|column| text(&column.title)).collect();
    let rule: Vec<String> = table.columns.iter().map(|column| rule(column.align).to_owned()).collect();
    let rows = table.rows.iter().map(|row| row.iter().map(inline).collect::<Vec<_>>());
    [head, rule].into_iter().chain(rows).map(|cells| format!("| {} |\n", cells.join(" | "))).collect()
}

fn rule(align: Align) -> &'static str {
    match align {
        Align::Left => "---",
        Align::Right | Align::Decimal => "---:",
    }
}

fn fenced(text: &str) -> String {
    let text = escape::verbatim(text, false);
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}diff\n{text}{end}{fence}\n")
}

fn inline(cell: &Cell) -> String {
    text(&cell.text())
}

/// Text that stays text in Markdown, on one line.
fn text(raw: &str) -> String {
    let lines: Vec<String> = raw.split('\n').map(|line| escaped(&escape::visible(line))).collect();
    lines.join("<br>")
}

fn escaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut previous = ' ';
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let in_word =
            previous.is_alphanumeric() && characters.peek().is_some_and(|next| next.is_alphanumeric());
        let is_markup = match character {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '$' => true,
            '_' => !in_word,
            // Elsewhere they mean nothing, and are common in values.
            '#' | '!' | '@' => !previous.is_alphanumeric(),
            '+' | '-' => out.is_empty() && !characters.peek().is_some_and(char::is_ascii_digit),
            _ => false,
        };
        if is_markup {
            out.push('\\');
        }
        out.push(character);
        previous = character;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Column;

    #[test]
    fn text_stays_text() {
        let columns = vec![Column::new("val_loss").align(Align::Decimal), Column::new("note")];
        let rows = vec![vec!["-0.5".into(), "a|b <img src=x>\n[x](y) _em_ `c`".into()]];
        let report = Report {
            blocks: vec![
                Block::Title("run *x*".into()),
                Block::Fields(vec![("Status".into(), "finished".into())]),
                Block::Table(Table { columns, rows }),
                Block::Verbatim("+```\n-\u{1b}[31mx".into()),
            ],
        };
        insta::assert_snapshot!(write(&report), @r#"
        ## run \*x\*

        - **Status:** finished

        | val_loss | note |
        | ---: | --- |
        | -0.5 | a\|b \<img src=x\><br>\[x\](y) \_em\_ \`c\` |

        ````diff
        +```
        -x
        ````
        "#);
    }
}
