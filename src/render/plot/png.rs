//! Writes plots as one PNG picture.
//!
//! Text and boxes are plotters'; lines are drawn here, smooth and round, since its wide lines have neither joints nor
//! smooth edges, and a curve is mostly joints.

use plotters::prelude::{BitMapBackend, DrawingBackend, ShapeStyle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{RGBAColor, WHITE};

use crate::error::Problem;
use crate::render::escape;
use crate::render::plot::Figure;
use crate::render::plot::layout::Place;
use crate::render::plot::pixels::{self, Size};
use crate::render::plot::surface::{Anchor, Fill, Letters, Pen, Surface, dashed};

/// How wide a picture is whose letters are as large as on paper: in wider ones they grow with it.
const WIDTH: f64 = 900.0;

/// Writes the plots one below the other; the size is in pixels.
pub fn write(figures: &[Figure], size: Size) -> Result<Vec<u8>, Problem> {
    let scale = (f64::from(size.width) / WIDTH).clamp(0.7, 4.0);
    let (width, height) = (size.width, magnified_height(figures, size, scale));
    let mut paper =
        Paper { bytes: vec![255; 3 * (width * height) as usize], width, height, scale, cover: Vec::new() };
    let inner = Size {
        width: (f64::from(width) / scale).round() as u32,
        height: (f64::from(size.height) / scale).round() as u32,
        ..size
    };
    pixels::draw(figures, inner, f64::from(width) / scale, &mut paper);
    encoded(&paper)
}

fn magnified_height(figures: &[Figure], size: Size, scale: f64) -> u32 {
    let inner = Size {
        width: (f64::from(size.width) / scale).round() as u32,
        height: (f64::from(size.height) / scale).round() as u32,
        ..size
    };
    match size.is_fixed {
        true => size.height * figures.len().max(1) as u32,
        false => (pixels::height(figures, inner) * scale).round() as u32,
    }
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
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let square = dx * dx + dy * dy;
        for y in own.top..own.bottom {
            let row = (y - whole.top) * (whole.right - whole.left);
            for x in own.left..own.right {
                let (px, py) = (x as f64 + 0.5 - from.0, y as f64 + 0.5 - from.1);
                let along = if square > 0.0 { ((px * dx + py * dy) / square).clamp(0.0, 1.0) } else { 0.0 };
                let far = (px - along * dx).hypot(py - along * dy);
                let part = (radius + 0.5 - far).clamp(0.0, 1.0) as f32;
                let cover = &mut self.cover[row + x - whole.left];
                *cover = cover.max(part);
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
        let width = pixels::text_width(&text, size);
        let (x, y) = self.scaled(at);
        let left = match letters.anchor {
            Anchor::Start => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::End => x - width,
        };
        // The library takes the middle of a line for a little higher than eyes do.
        let top = y - 0.8 * size + 0.14 * size;
        let fill = Fill::of(letters.colour);
        let (columns, rows) = ((width + size) as usize + 1, (1.6 * size) as usize + 1);
        let cover = letters_cover(&text, size, (left.fract(), top.fract()), (columns, rows));
        for (place, part) in cover.into_iter().enumerate().filter(|(_, part)| *part > 0.0) {
            let (x, y) = (
                left.floor() as i64 + (place % columns) as i64,
                top.floor() as i64 + (place / columns) as i64,
            );
            let is_within =
                (0..i64::from(self.width)).contains(&x) && (0..i64::from(self.height)).contains(&y);
            if is_within {
                self.blend(x as usize, y as usize, fill, part);
            }
        }
    }

    fn text_width(&self, text: &str, size: f64) -> f64 {
        pixels::text_width(text, size)
    }
}

/// How much of each pixel of a box a line of text covers whose middle is at half its height, and that begins at the
/// place. The library sets letters upon whole pixels, at uneven distances: it is given finer ones.
fn letters_cover(text: &str, size: f64, (x, y): Place, (columns, rows): (usize, usize)) -> Vec<f64> {
    const FINE: usize = 4;
    let (width, height) = (columns * FINE, rows * FINE);
    let mut bytes = vec![0; 3 * width * height];
    {
        let fine = |number: f64| (number * FINE as f64).round() as i32;
        let style = pixels::font(size * FINE as f64).color(&WHITE).pos(Pos::new(HPos::Left, VPos::Center));
        let mut backend = BitMapBackend::with_buffer(&mut bytes, (width as u32, height as u32));
        // Into memory: nothing can fail.
        let _ = backend.draw_text(text, &style, (fine(x), fine(y + 0.8 * size)));
    }
    let mut cover = vec![0.0; columns * rows];
    for (place, pixel) in bytes.chunks_exact(3).enumerate().filter(|(_, pixel)| pixel[0] > 0) {
        let (column, row) = (place % width / FINE, place / width / FINE);
        cover[row * columns + column] += f64::from(pixel[0]) / (255 * FINE * FINE) as f64;
    }
    cover
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
