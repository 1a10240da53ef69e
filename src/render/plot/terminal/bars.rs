//! Bars on a terminal: a row each, its name before it and its value behind.

use crate::render::escape;
use crate::render::plot::terminal::Screen;
use crate::render::plot::terminal::canvas::{Paint, Row};
use crate::render::plot::{Bar, Bars, layout};
use crate::render::style::Role;

/// Blocks of one to eight eighths from the left.
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
/// The shortest that the longest bar may be.
const LENGTH_MIN: usize = 8;

/// The rows of the bars.
pub fn rows(bars: &Bars, screen: &Screen) -> Vec<Row> {
    let widest = |of: fn(&Bar) -> &str| {
        bars.bars.iter().map(|bar| layout::width(&escape::visible(of(bar)))).max().unwrap_or_default()
    };
    let remark = widest(|bar| &bar.remark);
    let name = widest(|bar| &bar.label)
        .min(screen.width / 3)
        .min(screen.width.saturating_sub(remark + LENGTH_MIN + 3));
    let length = screen.width.saturating_sub(name + remark + 3).max(LENGTH_MIN);
    let scale = &bars.axis.scale;
    let eighths = |value: f64| (scale.place(value).clamp(0.0, 1.0) * (8 * length) as f64).round() as usize;
    let zero = eighths(0.0);
    let mut rows = Vec::new();
    if !bars.axis.title.is_empty() {
        let title = layout::cut(&escape::visible(&bars.axis.title), screen.width);
        rows.push(Row::of(Paint::As(Role::Label), &title));
    }
    for bar in &bars.bars {
        let mut row = Row::default();
        let label = layout::cut(&escape::visible(&bar.label), name);
        row.push(Paint::Plain, &label);
        row.pad(name + 1);
        let end = eighths(bar.value);
        let (from, to) = (zero.min(end), zero.max(end));
        row.pad(name + 1 + from / 8);
        let blocks = blocks(from, to);
        // Something is there, however little.
        row.push(Paint::Ink(bar.ink), if blocks.is_empty() { "▏" } else { &blocks });
        row.pad(if bar.value < 0.0 { name + 2 + to.div_ceil(8) } else { row.width() + 1 });
        row.push(Paint::As(Role::Strong), &escape::visible(&bar.remark));
        rows.push(row.cut(screen.width));
    }
    rows
}

/// Blocks from one eighth to another; at the left end whole ones, since there are none of less from the right.
fn blocks(from: usize, to: usize) -> String {
    let whole = (to / 8).saturating_sub(from / 8);
    let mut blocks = "█".repeat(whole);
    if !to.is_multiple_of(8) {
        blocks.push(EIGHTHS[to % 8 - 1]);
    }
    blocks
}
