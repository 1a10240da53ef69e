//! Writes plots as one PNG picture.
//!
//! Boxes are plotters'; lines are drawn here, smooth and round, since its wide lines have neither joints nor smooth
//! edges, and a curve is mostly joints.

use plotters::prelude::{BitMapBackend, DrawingBackend, ShapeStyle};
use plotters::style::RGBAColor;

use crate::error::Problem;
use crate::render::escape;
use crate::render::plot::Figure;
use crate::render::plot::layout::Place;
use crate::render::plot::pixels::{self, Size};
use crate::render::plot::surface::{Anchor, Fill, Letters, Pen, Surface, dashed};
use crate::render::plot::typeface;

/// How wide a picture is whose letters are as large as on paper: in wider ones they grow with it.
const WIDTH: f64 = 900.0;

/// How many pixels a picture may have: drawing takes seven bytes of each.
const PIXELS_MAX: usize = 200_000_000;

/// How far below the middle of a line its letters stand, in their size.
const BELOW_MIDDLE: f64 = 0.36;

/// Writes the plots one below the other; the size is in pixels.
pub fn write(figures: &[Figure], size: Size) -> Result<Vec<u8>, Problem> {
    let scale = (f64::from(size.width) / WIDTH).clamp(0.7, 4.0);
    // What is drawn does not know that it is magnified.
    let plain = |pixels: u32| (f64::from(pixels) / scale).round() as u32;
    let inner = Size { width: plain(size.width), height: plain(size.height), ..size };
    let narrow = pixels::narrowed(figures, inner);
    let magnified = |pixels: f64| (pixels * scale).round() as u32;
    let width = if narrow == inner { size.width } else { magnified(f64::from(narrow.width)) };
    let height = match size.is_fixed {
        true => size.height.saturating_mul(figures.len().max(1) as u32),
        false => magnified(pixels::height(figures, narrow)),
    };
    let pixels = width as usize * height as usize;
    if pixels > PIXELS_MAX {
        return Err(Problem::usage(format!("a picture of {width} by {height} pixels is too large"))
            .hint("ask for a smaller '--size', or draw less"));
    }
    let bytes = vec![255; 3 * pixels];
    let mut paper = Paper { bytes, width, height, scale, cover: Vec::new() };
    pixels::draw(figures, narrow, f64::from(width) / scale, &mut paper);
    encoded(&paper)
}

fn encoded(paper: &Paper) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, paper.width, paper.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Default);
    let cannot = |error: png::EncodingError| Problem::new(format!("cannot write the picture: {error}"));
    let mut writer = encoder.write_header().map_err(cannot)?;
    writer.write_image_data(&paper.bytes).map_err(cannot)?;
    writer.finish().map_err(cannot)?;
    Ok(bytes)
}

struct Paper {
    bytes: Vec<u8>,
    width: u32,
    height: u32,
    scale: f64,
    /// How much of each pixel of a box the line that is drawn covers; kept, since it is large.
    cover: Vec<f32>,
}

/// Pixels from the left and top corner to the right and bottom, which are not of it.
#[derive(Clone, Copy)]
struct Box {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

impl Paper {
    fn scaled(&self, (x, y): Place) -> Place {
        let bound = |number: f64| (number * self.scale).clamp(-1e5, 1e5);
        (bound(x), bound(y))
    }

    /// The pixels that lie within a rectangle.
    fn pixels(&self, least: Place, most: Place) -> Box {
        let within = |number: f64, size: u32| number.clamp(0.0, f64::from(size)) as usize;
        Box {
            left: within(least.0.floor(), self.width),
            top: within(least.1.floor(), self.height),
            right: within(most.0.ceil() + 1.0, self.width),
            bottom: within(most.1.ceil() + 1.0, self.height),
        }
    }

    fn blend(&mut self, x: usize, y: usize, fill: Fill, part: f64) {
        let alpha = fill.alpha * part;
        let start = 3 * (y * self.width as usize + x);
        let colour = [fill.colour.0, fill.colour.1, fill.colour.2];
        for (byte, colour) in self.bytes[start..start + 3].iter_mut().zip(colour) {
            *byte = (f64::from(*byte) * (1.0 - alpha) + f64::from(colour) * alpha).round() as u8;
        }
    }

    /// Draws pieces of a path as one: where they overlap, the colour does not grow stronger.
    fn stroke_pieces(&mut self, pieces: &[Vec<Place>], radius: f64, fill: Fill) {
        let all = || pieces.iter().flatten();
        let bound = |number: fn(&Place) -> f64, pick: fn(f64, f64) -> f64| {
            all().map(number).reduce(pick).unwrap_or_default()
        };
        let least = (
            bound(|place| place.0, f64::min) - radius - 1.0,
            bound(|place| place.1, f64::min) - radius - 1.0,
        );
        let most = (
            bound(|place| place.0, f64::max) + radius + 1.0,
            bound(|place| place.1, f64::max) + radius + 1.0,
        );
        let whole = self.pixels(least, most);
        let width = whole.right.saturating_sub(whole.left);
        self.cover.clear();
        self.cover.resize(width * whole.bottom.saturating_sub(whole.top), 0.0);
        for piece in pieces {
            match piece.as_slice() {
                [only] => self.cover_segment(*only, *only, radius, whole),
                piece => {
                    piece.windows(2).for_each(|pair| self.cover_segment(pair[0], pair[1], radius, whole))
                }
            }
        }
        for y in whole.top..whole.bottom {
            for x in whole.left..whole.right {
                let part = self.cover[(y - whole.top) * width + x - whole.left];
                if part > 0.0 {
                    self.blend(x, y, fill, f64::from(part));
                }
            }
        }
    }

    fn cover_segment(&mut self, from: Place, to: Place, radius: f64, whole: Box) {
        let reach = radius + 1.0;
        let own = self.pixels(
            (from.0.min(to.0) - reach, from.1.min(to.1) - reach),
            (from.0.max(to.0) + reach, from.1.max(to.1) + reach),
        );
        let (dx, dy) = ((to.0 - from.0) as f32, (to.1 - from.1) as f32);
        let square = dx * dx + dy * dy;
        let per_length = if square > 0.0 { 1.0 / square } else { 0.0 };
        let (inner, outer) = (radius as f32 - 0.5, radius as f32 + 0.5);
        let (inner, outer_square) = (if inner > 0.0 { inner * inner } else { -1.0 }, outer * outer);
        let columns = (own.left - whole.left)..(own.right - whole.left);
        for y in own.top..own.bottom {
            let row = (y - whole.top) * (whole.right - whole.left);
            let py = (y as f64 + 0.5 - from.1) as f32;
            let first = (own.left as f64 + 0.5 - from.0) as f32;
            for (place, cover) in self.cover[row + columns.start..row + columns.end].iter_mut().enumerate() {
                // Of curves with much noise most pixels are covered many times over.
                if *cover >= 1.0 {
                    continue;
                }
                let px = first + place as f32;
                let along = ((px * dx + py * dy) * per_length).clamp(0.0, 1.0);
                let (off_x, off_y) = (px - along * dx, py - along * dy);
                let far = off_x * off_x + off_y * off_y;
                if far <= inner {
                    *cover = 1.0;
                } else if far < outer_square {
                    *cover = cover.max(outer - far.sqrt());
                }
            }
        }
    }
}

impl Surface for Paper {
    fn rect(&mut self, from: Place, to: Place, fill: Fill) {
        let (from, to) = (self.scaled(from), self.scaled(to));
        let whole = |number: f64| number.round() as i32;
        let color = RGBAColor(fill.colour.0, fill.colour.1, fill.colour.2, fill.alpha);
        let style = ShapeStyle { color, filled: true, stroke_width: 0 };
        let size = (self.width, self.height);
        let corner = ((whole(to.0)).min(size.0 as i32), (whole(to.1)).min(size.1 as i32));
        // Into memory: nothing can fail.
        let mut backend = BitMapBackend::with_buffer(&mut self.bytes, size);
        let _ = backend.draw_rect((whole(from.0), whole(from.1)), corner, &style, true);
    }

    fn band(&mut self, edges: &[(f64, f64, f64)], fill: Fill) {
        let scale = self.scale;
        let (Some(first), Some(last)) = (edges.first(), edges.last()) else { return };
        let columns = self.pixels((first.0 * scale, 0.0), (last.0 * scale - 1.0, 0.0));
        let mut next = 0;
        for x in columns.left..columns.right {
            let across = (x as f64 + 0.5) / scale;
            while next + 1 < edges.len() && edges[next + 1].0 < across {
                next += 1;
            }
            let (from, to) = (edges[next], edges[(next + 1).min(edges.len() - 1)]);
            let part =
                if to.0 > from.0 { ((across - from.0) / (to.0 - from.0)).clamp(0.0, 1.0) } else { 0.0 };
            let mix = |from: f64, to: f64| (from + (to - from) * part) * scale;
            let (upper, lower) = (mix(from.1, to.1), mix(from.2, to.2));
            let rows = self.pixels((0.0, upper), (0.0, lower));
            for y in rows.top..rows.bottom {
                let covered = (lower.min(y as f64 + 1.0) - upper.max(y as f64)).clamp(0.0, 1.0);
                self.blend(x, y, fill, covered);
            }
        }
    }

    fn stroke(&mut self, path: &[Place], pen: &Pen) {
        let pieces: Vec<Vec<Place>> = dashed(path, pen.dashes);
        let pieces: Vec<Vec<Place>> = pieces
            .into_iter()
            .map(|piece| piece.into_iter().map(|place| self.scaled(place)).collect())
            .collect();
        self.stroke_pieces(&pieces, (pen.width * self.scale / 2.0).max(0.5), pen.fill);
    }

    fn text(&mut self, at: Place, text: &str, letters: Letters) {
        let text = escape::visible(text);
        let size = letters.size * self.scale;
        let width = typeface::width(&text, size);
        let (x, y) = self.scaled(at);
        let left = match letters.anchor {
            Anchor::Start => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::End => x - width,
        };
        let fill = Fill::of(letters.colour);
        let (columns, rows) = (0..i64::from(self.width), 0..i64::from(self.height));
        // Half of a line's letters is above its middle: digits a little more, small letters less.
        typeface::cover(&text, size, (left, y + BELOW_MIDDLE * size), |x, y, part| {
            if columns.contains(&x) && rows.contains(&y) {
                self.blend(x as usize, y as usize, fill, part);
            }
        });
    }

    fn text_width(&self, text: &str, size: f64) -> f64 {
        typeface::width(text, size)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn paper() -> Paper {
        Paper { bytes: vec![255; 3 * 20 * 20], width: 20, height: 20, scale: 1.0, cover: Vec::new() }
    }

    fn darkness(paper: &Paper, x: usize, y: usize) -> u8 {
        255 - paper.bytes[3 * (y * 20 + x)]
    }

    #[test]
    fn lines_are_smooth_and_overlaps_no_darker() {
        let mut paper = paper();
        let fill = Fill { colour: (0, 0, 0), alpha: 0.5 };
        let pen = Pen { fill, width: 2.0, dashes: &[] };
        paper.stroke(&[(2.0, 10.0), (18.0, 10.0), (2.0, 10.0)], &pen);
        assert_eq!([darkness(&paper, 10, 9), darkness(&paper, 10, 10)], [127, 127]);
        assert_eq!(darkness(&paper, 10, 12), 0);
        paper.stroke(&[(-1e9, -5.0), (1e9, 1e9)], &pen);
    }

    #[test]
    fn bands_lie_between_their_edges() {
        let mut paper = paper();
        paper.band(&[(0.0, 5.0, 10.5), (20.0, 5.0, 10.5)], Fill::of((0, 0, 0)));
        assert_eq!([4, 5, 9, 10, 11].map(|y| darkness(&paper, 7, y)), [0, 255, 255, 127, 0]);
    }
}
