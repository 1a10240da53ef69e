//! Bars in pixels: a row each, its name before it and its value behind.

use crate::render::plot::pixels::{Area, LABEL, LINE, fitted, legend};
use crate::render::plot::surface::{Anchor, Letters, Pen, Surface};
use crate::render::plot::{Bars, ink};

/// Draws the bars.
pub fn draw(bars: &Bars, area: Area, surface: &mut dyn Surface) {
    surface.text(
        (area.left, area.top + LINE / 2.0),
        &fitted(surface, &bars.axis.title, LABEL, area.width()),
        Letters::new(LABEL, ink::PALE),
    );
    let top = area.top + LINE + 6.0;
    let each = ((area.bottom - top) / bars.bars.len().max(1) as f64).min(34.0);
    let size = LABEL.min(each * 0.72);
    let names: Vec<String> =
        bars.bars.iter().map(|bar| fitted(surface, &bar.label, size, area.width() * 0.3)).collect();
    let widest = |texts: &mut dyn Iterator<Item = &str>| {
        texts.map(|text| surface.text_width(text, size)).fold(0.0, f64::max)
    };
    let name = widest(&mut names.iter().map(String::as_str));
    let remark = widest(&mut bars.bars.iter().map(|bar| bar.remark.as_str()));
    let frame = Area {
        left: area.left + name + 10.0,
        top,
        right: area.right - remark - 12.0,
        bottom: top + each * bars.bars.len() as f64,
    };
    let at = |value: f64| frame.at(bars.axis.scale.place(value).clamp(0.0, 1.0), 0.0).0;
    let zero = at(0.0);
    for (index, (bar, name)) in bars.bars.iter().zip(&names).enumerate() {
        let (upper, lower) =
            (frame.top + each * (index as f64 + 0.14), frame.top + each * (index as f64 + 0.86));
        let (middle, end) = ((upper + lower) / 2.0, at(bar.value));
        surface.text((frame.left - 8.0, middle), name, Letters::new(size, ink::TEXT).anchor(Anchor::End));
        // Something is there, however little.
        let (from, to) = (zero.min(end), zero.max(end).max(zero.min(end) + 1.0));
        surface.rect((from, upper), (to, lower), legend::light(bar.ink, 0.85));
        let mut reach = to;
        if let Some(spread) = bar.spread {
            let (from, to) = (at(bar.value - spread), at(bar.value + spread));
            let pen = Pen::new(ink::TEXT, 1.2);
            surface.stroke(&[(from, middle), (to, middle)], &pen);
            [from, to]
                .into_iter()
                .for_each(|x| surface.stroke(&[(x, middle - 4.0), (x, middle + 4.0)], &pen));
            reach = reach.max(to);
        }
        surface.text((reach + 7.0, middle), &bar.remark, Letters::new(size, ink::TEXT));
    }
    surface.stroke(&[(zero, frame.top), (zero, frame.bottom)], &Pen::new(ink::FRAME, 1.0));
}
