//! Writes a report as an HTML page of its own: to open, to send, to print.
//!
//! It needs nothing from elsewhere and runs nothing: one file, no script, and a policy in it that lets a browser load
//! nothing. All text is escaped, so that what a run holds cannot become markup. Light or dark as the reader's system is.

use std::fmt::Write as _;

use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Report, Table, escape};

/// Writes the report as a whole page.
pub fn write(report: &Report) -> String {
    let title = report.blocks.iter().find_map(|block| match block {
        Block::Title(cell) => Some(cell.text()),
        _ => None,
    });
    let title = text(&title.unwrap_or_else(|| "git xtrack".to_owned())).replace("<br>", " ");
    let body: String = report.blocks.iter().map(block).collect();
    format!(
        "{HEAD}<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )
}

const HEAD: &str = "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<meta name=\"referrer\" content=\"no-referrer\">
<meta name=\"generator\" content=\"git xtrack\">
";

/// Colours by role stand here once for light and once for dark; on paper all is dark on white.
const STYLE: &str = "
:root { color-scheme: light dark; --back: #fff; --text: #1c1e21; --dim: #676d76; --line: #dfe2e6; --band: #f5f6f8;
  --id: #8a5300; --tag: #8b2fa8; --good: #136f35; --bad: #b42318; --running: #0b6a80; }
@media (prefers-color-scheme: dark) { :root { --back: #16181b; --text: #e4e6e9; --dim: #989fa9; --line: #33383f;
  --band: #1e2125; --id: #e0b15c; --tag: #d59be8; --good: #6ecb8b; --bad: #ff8d80; --running: #67c8de; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 80rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.4rem; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .15rem 1.25rem; margin: 0 0 1rem; }
dt { color: var(--dim); overflow-wrap: anywhere; }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
p { margin: 0 0 1rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 0 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .9rem .3rem 0; text-align: left; vertical-align: top; white-space: nowrap; }
th { color: var(--dim); font-weight: 600; border-bottom: 2px solid var(--line); }
td { border-bottom: 1px solid var(--line); max-width: 32rem; overflow-wrap: anywhere; white-space: pre-wrap; }
tbody tr:hover { background: var(--band); }
.right { text-align: right; }
pre { background: var(--band); padding: .75rem 1rem; overflow-x: auto; font: 13px/1.45 ui-monospace, monospace; tab-size: 4; }
.label, .dim { color: var(--dim); }
.strong, .heading { font-weight: 700; }
.id { color: var(--id); font-family: ui-monospace, monospace; }
.tag { color: var(--tag); }
.good, .added { color: var(--good); }
.bad, .removed { color: var(--bad); }
.running { color: var(--running); }
.warning { color: var(--id); font-weight: 700; }
@media print { :root { color-scheme: light; --back: #fff; --text: #000; --dim: #555; --line: #bbb; --band: #fff;
  --id: #000; --tag: #000; --good: #000; --bad: #000; --running: #000; }
  main { max-width: none; padding: 0; } .wide { overflow: visible; } table { font-size: 9pt; }
  th, td { white-space: normal; } thead { display: table-header-group; } tr { break-inside: avoid; }
  h2 { break-after: avoid; } pre { white-space: pre-wrap; border: 1px solid #bbb; } }
";

fn block(block: &Block) -> String {
    match block {
        Block::Title(cell) => format!("<h1>{}</h1>\n", inline(cell)),
        Block::Heading(cell) => format!("<h2>{}</h2>\n", inline(cell)),
        Block::Fields(fields) => {
            let fields: String = fields.iter().map(|(label, cell)| field(label, cell)).collect();
            format!("<dl>\n{fields}</dl>\n")
        }
        Block::Table(table) => write_table(table),
        Block::Prose(cell) => format!("<p>{}</p>\n", inline(cell)),
        Block::Verbatim(text) => verbatim(text),
    }
}

fn field(label: &str, cell: &Cell) -> String {
    format!("<dt>{}</dt><dd>{}</dd>\n", text(label), inline(cell))
}

fn write_table(table: &Table) -> String {
    let mut out = "<div class=\"wide\" tabindex=\"0\"><table>\n".to_owned();
    if table.columns.iter().any(|column| !column.title.is_empty()) {
        let head =
            table.columns.iter().map(|column| format!("<th{}>{}</th>", class(column), text(&column.title)));
        let _ = writeln!(out, "<thead><tr>{}</tr></thead>", head.collect::<String>());
    }
    out.push_str("<tbody>\n");
    for row in &table.rows {
        let cells = table.columns.iter().zip(row);
        let cells = cells.map(|(column, cell)| format!("<td{}>{}</td>", class(column), inline(cell)));
        let _ = writeln!(out, "<tr>{}</tr>", cells.collect::<String>());
    }
    out.push_str("</tbody>\n</table></div>\n");
    out
}

fn class(column: &Column) -> &'static str {
    match column.align {
        Align::Left => "",
        Align::Right | Align::Decimal => " class=\"right\"",
    }
}

/// Lines of another program; those of a difference are told apart by their first character and by colour.
fn verbatim(raw: &str) -> String {
    let raw = escape::verbatim(raw, false);
    let line = |line: &str| match () {
        () if line.starts_with("+") && !line.starts_with("+++") => span("added", &plain(line)),
        () if line.starts_with("-") && !line.starts_with("---") => span("removed", &plain(line)),
        () if line.starts_with("@@") => span("dim", &plain(line)),
        () => plain(line),
    };
    let lines: Vec<String> = raw.trim_end_matches('\n').split('\n').map(line).collect();
    format!("<pre>{}</pre>\n", lines.join("\n"))
}

fn inline(cell: &Cell) -> String {
    cell.spans.iter().map(|part| span(class_of(part.role), &text(&part.text))).collect()
}

fn span(class: &str, html: &str) -> String {
    match class.is_empty() || html.is_empty() {
        true => html.to_owned(),
        false => format!("<span class=\"{class}\">{html}</span>"),
    }
}

fn class_of(role: Role) -> &'static str {
    match role {
        Role::Plain => "",
        Role::Heading => "heading",
        Role::Label => "label",
        Role::Dim => "dim",
        Role::Strong => "strong",
        Role::Id => "id",
        Role::Tag => "tag",
        Role::Good => "good",
        Role::Bad => "bad",
        Role::Running => "running",
        Role::Warning => "warning",
        Role::Added => "added",
        Role::Removed => "removed",
    }
}

/// Text that stays text in HTML, in an attribute too; a newline begins another line.
fn text(raw: &str) -> String {
    let lines: Vec<String> = raw.split('\n').map(|line| plain(&escape::visible(line))).collect();
    lines.join("<br>")
}

fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for character in line.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            plain => out.push(plain),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> String {
        let columns = vec![Column::new("loss").align(Align::Decimal), Column::new("<b>")];
        let cell = Cell::of(Role::Good, "a & \"b\"").and(Role::Plain, "\n<script>alert(1)</script>");
        let rows = vec![
            vec![Cell::of(Role::Strong, "0.5"), cell],
            vec!["\u{1b}[2J\u{202e}".into(), Cell::default()],
        ];
        write(&Report {
            blocks: vec![
                Block::Title("run </title><script>".into()),
                Block::Fields(vec![("Status".into(), Cell::of(Role::Bad, "failed"))]),
                Block::Heading("Metrics".into()),
                Block::Table(Table { columns, rows }),
                Block::Prose("'said'".into()),
                Block::Verbatim(
                    "--- a\n+++ b\n@@ -1 +1 @@\n-x < 1\n+\u{1b}[32m<img src=x onerror=alert(1)>\u{1b}[m\n"
                        .into(),
                ),
            ],
        })
    }

    #[test]
    fn text_stays_text() {
        let page = page();
        let body = page.split("<main>").nth(1).unwrap_or_default();
        insta::assert_snapshot!(body, @r#"
        <h1>run &lt;/title&gt;&lt;script&gt;</h1>
        <dl>
        <dt>Status</dt><dd><span class="bad">failed</span></dd>
        </dl>
        <h2>Metrics</h2>
        <div class="wide" tabindex="0"><table>
        <thead><tr><th class="right">loss</th><th>&lt;b&gt;</th></tr></thead>
        <tbody>
        <tr><td class="right"><span class="strong">0.5</span></td><td><span class="good">a &amp; &quot;b&quot;</span><br>&lt;script&gt;alert(1)&lt;/script&gt;</td></tr>
        <tr><td class="right">\x1b[2J\u{202e}</td><td></td></tr>
        </tbody>
        </table></div>
        <p>&#39;said&#39;</p>
        <pre>--- a
        +++ b
        <span class="dim">@@ -1 +1 @@</span>
        <span class="removed">-x &lt; 1</span>
        <span class="added">+&lt;img src=x onerror=alert(1)&gt;</span></pre>
        </main>
        </body>
        </html>
        "#);
    }

    #[test]
    fn a_page_runs_nothing_and_loads_nothing() {
        let page = page();
        assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">\n"));
        assert!(page.contains("<title>run &lt;/title&gt;&lt;script&gt;</title>"), "{page}");
        for unwanted in
            ["<script", "src=\"", "href=", "url(", "@import", "<img", "http:", "https:", "\u{1b}", "\u{202e}"]
        {
            assert!(!page.contains(unwanted), "{unwanted}");
        }
    }
}
