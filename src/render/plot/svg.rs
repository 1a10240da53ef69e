//! Writes plots as one SVG picture.

use std::sync::Once;

use plotters::prelude::{DrawingBackend, SVGBackend, ShapeStyle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontDesc, FontFamily, FontStyle, RGBAColor, RGBColor, register_font};

use crate::render::escape;
use crate::render::plot::Figure;
use crate::render::plot::ink::Rgb;
use crate::render::plot::layout::Place;
use crate::render::plot::pixels::{self, Size};
use crate::render::plot::surface::{Anchor, Fill, Letters, Pen, Surface, dashed};
use crate::render::plot::typeface;

/// The library draws upon whole pixels: the picture is drawn so many times as large, and shown so much smaller.
const FINE: f64 = 8.0;
/// What the type is called.
const TYPE: &str = "sans-serif";
/// How much wider than ours the type of who looks at it may be.
const WIDER: f64 = 1.12;

/// Writes the plots one below the other.
pub fn write(figures: &[Figure], size: Size) -> String {
    let size = pixels::narrowed(figures, size);
    let (width, height) = (size.width, pixels::height(figures, size).round() as u32);
    let (wide, high) = (width * FINE as u32, height * FINE as u32);
    let mut text = String::new();
    let mut paper = Paper { backend: SVGBackend::with_string(&mut text, (wide, high)) };
    pixels::draw(figures, size, f64::from(width), &mut paper);
    drop(paper);
    // Its head tells the size it was drawn in.
    let head = format!("<svg width=\"{wide}\" height=\"{high}\"");
    let shown = format!("<svg width=\"{width}\" height=\"{height}\"");
    text.replacen(&head, &shown, 1)
}

struct Paper<'a> {
    backend: SVGBackend<'a>,
}

fn fine((x, y): Place) -> (i32, i32) {
    let whole = |number: f64| (number * FINE).round().clamp(-1e6, 1e6) as i32;
    (whole(x), whole(y))
}

fn colour(colour: Rgb) -> RGBColor {
    RGBColor(colour.0, colour.1, colour.2)
}

fn style(fill: Fill, width: f64) -> ShapeStyle {
    let RGBColor(red, green, blue) = colour(fill.colour);
    let color = RGBAColor(red, green, blue, fill.alpha);
    ShapeStyle { color, filled: true, stroke_width: (width * FINE).round() as u32 }
}

// What is drawn goes into a text, which takes all of it: nothing can fail.
impl Surface for Paper<'_> {
    fn rect(&mut self, from: Place, to: Place, fill: Fill) {
        let _ = self.backend.draw_rect(fine(from), fine(to), &style(fill, 0.0), true);
    }

    fn band(&mut self, edges: &[(f64, f64, f64)], fill: Fill) {
        let upper = edges.iter().map(|(x, upper, _)| fine((*x, *upper)));
        let lower = edges.iter().rev().map(|(x, _, lower)| fine((*x, *lower)));
        let _ = self.backend.fill_polygon(upper.chain(lower), &style(fill, 0.0));
    }

    fn stroke(&mut self, path: &[Place], pen: &Pen) {
        let style = style(pen.fill, pen.width);
        if let [only] = path {
            let radius = (pen.width / 2.0 * FINE).round() as u32;
            let _ = self.backend.draw_circle(fine(*only), radius, &style, true);
            return;
        }
        for piece in dashed(path, pen.dashes) {
            let mut places: Vec<_> = piece.into_iter().map(fine).collect();
            places.dedup();
            let _ = self.backend.draw_path(places, &style);
        }
    }

    fn text(&mut self, at: Place, text: &str, letters: Letters) {
        let h_pos = match letters.anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let style =
            font(letters.size * FINE).color(&colour(letters.colour)).pos(Pos::new(h_pos, VPos::Center));
        // XML has no way to write these two.
        let text = escape::visible(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
        let _ = self.backend.draw_text(&text, &style, fine(at));
    }

    fn text_width(&self, text: &str, size: f64) -> f64 {
        typeface::width(text, size) * WIDER
    }
}

/// Viewers take their own type of that name; the library wants to know one.
fn font(size: f64) -> FontDesc<'static> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // It is read as often as this program is tested.
        let _ = register_font(TYPE, FontStyle::Normal, typeface::FILE);
    });
    FontDesc::new(FontFamily::SansSerif, size * typeface::EM, FontStyle::Normal)
}
