//! What pictures are drawn upon, in pixels from the top left corner.

use crate::render::plot::ink::Rgb;
use crate::render::plot::layout::Place;

/// A surface that takes lines, areas and text; what does not fit is cut off, in silence.
pub trait Surface {
    /// Fills a rectangle.
    fn rect(&mut self, from: Place, to: Place, fill: Fill);

    /// Fills what lies between an upper and a lower edge, told from left to right: across, upper, lower.
    fn band(&mut self, edges: &[(f64, f64, f64)], fill: Fill);

    /// Draws along a path; a path of one place is a dot.
    fn stroke(&mut self, path: &[Place], pen: &Pen);

    /// Writes a line of text.
    fn text(&mut self, at: Place, text: &str, letters: Letters);

    /// How wide a line of text is.
    fn text_width(&self, text: &str, size: f64) -> f64;
}

/// With what an area is filled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fill {
    /// The colour.
    pub colour: Rgb,
    /// How much it covers, from 0 to 1.
    pub alpha: f64,
}

/// With what a path is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pen {
    /// The colour, and how much it covers.
    pub fill: Fill,
    /// How wide it is.
    pub width: f64,
    /// What is drawn and left out in turn; nothing for a whole line.
    pub dashes: &'static [f64],
}

/// How text is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Letters {
    /// How large it is.
    pub size: f64,
    /// Its colour.
    pub colour: Rgb,
    /// Which part of it stands at the place across.
    pub anchor: Anchor,
}

/// Which part of a text stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

impl Fill {
    /// A colour that covers what is below.
    pub fn of(colour: Rgb) -> Self {
        Self { colour, alpha: 1.0 }
    }
}

impl Pen {
    /// A whole line.
    pub fn new(colour: Rgb, width: f64) -> Self {
        Self { fill: Fill::of(colour), width, dashes: &[] }
    }
}

impl Letters {
    /// Text that begins at a place and stands around it.
    pub fn new(size: f64, colour: Rgb) -> Self {
        Self { size, colour, anchor: Anchor::Start }
    }

    /// The same, standing so to its place.
    pub fn anchor(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }
}

/// The pieces of a path that dashes leave.
pub fn dashed(path: &[Place], dashes: &[f64]) -> Vec<Vec<Place>> {
    if dashes.is_empty() || path.len() < 2 {
        return vec![path.to_vec()];
    }
    let mut pieces = Vec::new();
    let mut piece = vec![path[0]];
    let (mut index, mut left) = (0, dashes[0]);
    for pair in path.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        let mut length = (to.0 - from.0).hypot(to.1 - from.1);
        while length > left {
            let part = left / length;
            from = (from.0 + part * (to.0 - from.0), from.1 + part * (to.1 - from.1));
            length -= left;
            if index % 2 == 0 {
                piece.push(from);
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece = vec![from];
            }
            index += 1;
            left = dashes[index % dashes.len()];
        }
        left -= length;
        if index % 2 == 0 {
            piece.push(to);
        }
    }
    pieces.extend(Some(piece).filter(|piece| piece.len() > 1 && index % 2 == 0));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_go_on_around_corners() {
        let path = [(0.0, 0.0), (5.0, 0.0), (5.0, 10.0)];
        assert_eq!(
            dashed(&path, &[4.0, 2.0]),
            [vec![(0.0, 0.0), (4.0, 0.0)], vec![(5.0, 1.0), (5.0, 5.0)], vec![(5.0, 7.0), (5.0, 10.0)]]
        );
        assert_eq!(dashed(&path, &[]), [path.to_vec()]);
        assert_eq!(dashed(&path[..1], &[4.0, 2.0]), [path[..1].to_vec()]);
    }
}
