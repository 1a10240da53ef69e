//! Where in a question something is wrong: the line, and marks under the words.

use unicode_width::UnicodeWidthChar as _;

use crate::error::Problem;
use crate::query::syntax::Span;
use crate::run::id::is_deceptive;

/// How many columns of a line are shown before and after the place.
const BEFORE_MAX: usize = 50;
const AFTER_MAX: usize = 30;

/// A failure to understand what stands at `span` of `source`.
pub fn problem(source: &str, span: &Span, message: impl Into<String>) -> Problem {
    let mut problem = Problem::usage(message);
    problem.excerpt = excerpt(source, span);
    problem
}

/// The line, shortened around the place, and the line of marks under it. Each character that must not reach a terminal
/// is one mark of its own, so that what stands under it stays there.
fn excerpt(source: &str, span: &Span) -> Vec<String> {
    let start = floor(source, span.start);
    let end = floor(source, span.end).max(start);
    let line_start = source[..start].rfind('\n').map_or(0, |index| index + 1);
    let line_end = source[start..].find('\n').map_or(source.len(), |index| start + index);
    let before = last(&harmless(&source[line_start..start]), BEFORE_MAX);
    let marked = first(&harmless(&source[start..end.min(line_end)]), AFTER_MAX);
    let after = first(&harmless(&source[end.min(line_end)..line_end]), AFTER_MAX);
    let marks = "^".repeat(width(&marked).max(1));
    vec![
        format!("  {before}{marked}{after}").trim_end().to_owned(),
        format!("  {}{marks}", " ".repeat(width(&before))),
    ]
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn harmless(text: &str) -> String {
    let harmless = |character: char| match character {
        '\t' => ' ',
        deceptive if is_deceptive(deceptive) => '\u{fffd}',
        plain => plain,
    };
    text.chars().map(harmless).collect()
}

fn first(text: &str, columns: usize) -> String {
    let mut out = String::new();
    let mut so_far = 0;
    for character in text.chars() {
        so_far += character.width().unwrap_or(0);
        if so_far > columns {
            return out + "…";
        }
        out.push(character);
    }
    out
}

fn last(text: &str, columns: usize) -> String {
    let backwards: String = text.chars().rev().collect();
    first(&backwards, columns).chars().rev().collect()
}

fn width(text: &str) -> usize {
    text.chars().map(|character| character.width().unwrap_or(0)).sum()
}
