//! The type in which plots are lettered: how wide a line of it is, and which pixels it covers.
//!
//! It is part of the program, since machines that train often have none. The plotting library's own way of setting it
//! leaves out the blank that each letter brings along, and sets letters upon whole pixels.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, GlyphId, PxScaleFont, ScaleFont, point};

use crate::render::plot::layout::Place;

/// The file that the type comes in.
pub const FILE: &[u8] = epaint_default_fonts::UBUNTU_LIGHT;
/// How much larger the library's sizes are than those that the world uses.
pub const EM: f64 = 1.24;

static FACE: LazyLock<FontRef<'static>> =
    LazyLock::new(|| FontRef::try_from_slice(FILE).expect("the type that the program carries is whole"));

/// How wide a line of text is.
pub fn width(text: &str, size: f64) -> f64 {
    let face = face(size);
    let last = set(&face, text).last();
    last.map_or(0.0, |(glyph, from)| f64::from(from + face.h_advance(glyph)))
}

/// Tells of each pixel that a line of text covers how much of it is covered; the line begins at the place, which its
/// letters stand upon.
pub fn cover(text: &str, size: f64, at: Place, mut pixel: impl FnMut(i64, i64, f64)) {
    let face = face(size);
    for (glyph, from) in set(&face, text) {
        let glyph = glyph.with_scale_and_position(face.scale(), point(at.0 as f32 + from, at.1 as f32));
        let Some(outline) = face.outline_glyph(glyph) else { continue };
        let corner = outline.px_bounds().min;
        outline.draw(|x, y, part| {
            pixel(corner.x as i64 + i64::from(x), corner.y as i64 + i64::from(y), f64::from(part).min(1.0));
        });
    }
}

fn face(size: f64) -> PxScaleFont<&'static FontRef<'static>> {
    FACE.as_scaled((size * EM) as f32)
}

/// The letters, each with where it begins.
fn set(face: &PxScaleFont<&'static FontRef<'static>>, text: &str) -> impl Iterator<Item = (GlyphId, f32)> {
    let mut next = 0.0;
    let mut before: Option<GlyphId> = None;
    text.chars().map(move |character| {
        let glyph = face.glyph_id(character);
        let from = next + before.map_or(0.0, |before| face.kern(before, glyph));
        next = from + face.h_advance(glyph);
        before = Some(glyph);
        (glyph, from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_where_they_are_told_to_be() {
        let mut columns: Vec<(i64, f64)> = Vec::new();
        cover("l.l", 20.0, (3.0, 30.0), |x, _, part| columns.push((x, part)));
        let ink = |from: f64, to: f64| -> f64 {
            columns.iter().filter(|(x, _)| (from..to).contains(&(*x as f64))).map(|(_, part)| part).sum()
        };
        let wide = width("l.l", 20.0);
        assert!(ink(3.0, 3.0 + wide) > 0.0 && ink(f64::MIN, 2.0) + ink(4.0 + wide, f64::MAX) == 0.0);
        assert!((width("ll", 20.0) - 2.0 * width("l", 20.0)).abs() < 0.1);
        assert_eq!(width("", 20.0), 0.0);
    }
}
