//! Colours, dashes and letters of curves: the only place that chooses them.
//!
//! The colours are Okabe and Ito's, which people who see fewer colours can tell apart; beyond eight, dashes tell them
//! apart too, and without colour letters do.

use anstyle::{Ansi256Color, Style};

/// A colour in red, green and blue.
pub type Rgb = (u8, u8, u8);

/// The colour of a surface.
pub const PAPER: Rgb = (255, 255, 255);
/// The colour of letters.
pub const TEXT: Rgb = (51, 51, 51);
/// The colour of letters that matter less.
pub const PALE: Rgb = (117, 117, 117);
/// The colour of the lines that lead from the ticks.
pub const GRID: Rgb = (232, 232, 232);
/// The colour of frames.
pub const FRAME: Rgb = (170, 170, 170);

/// The colours in the order they are given, black last but for yellow: on white both are seen less well.
const COLOURS: [(Rgb, u8); 8] = [
    ((0, 114, 178), 33),
    ((213, 94, 0), 202),
    ((0, 158, 115), 36),
    ((204, 121, 167), 175),
    ((230, 159, 0), 214),
    ((86, 180, 233), 117),
    ((90, 90, 90), 245),
    ((190, 178, 20), 184),
];

/// Dashes in pixels, drawn and left out in turn; none is a whole line.
const DASHES: [&[f64]; 4] = [&[], &[7.0, 3.0], &[2.0, 3.0], &[10.0, 3.0, 2.0, 3.0]];

/// How many curves can be told apart by colour alone.
pub const COLOUR_COUNT: usize = COLOURS.len();

/// The ink of a curve: runs differ by colour, and so do metrics unless both are many; then metrics differ by dashes.
pub fn ink_of(run: usize, metric: usize, are_runs_many: bool, are_metrics_many: bool) -> usize {
    match (are_runs_many, are_metrics_many) {
        (true, true) => run % COLOUR_COUNT + COLOUR_COUNT * metric,
        (false, true) => metric,
        _ => run,
    }
}

/// The colour on paper.
pub fn rgb(ink: usize) -> Rgb {
    COLOURS[ink % COLOURS.len()].0
}

/// The colour on a terminal, which may be dark or light.
pub fn style(ink: usize) -> Style {
    Style::new().fg_color(Some(Ansi256Color(COLOURS[ink % COLOURS.len()].1).into()))
}

/// The dashes of its line.
pub fn dashes(ink: usize) -> &'static [f64] {
    DASHES[ink / COLOURS.len() % DASHES.len()]
}

/// The letter that stands for it where colours do not tell.
pub fn letter(ink: usize) -> char {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    LETTERS[ink % LETTERS.len()] as char
}

/// A colour between pale and dark, for what is told by its amount (of viridis, whose lightness grows evenly).
pub fn shade(amount: f64) -> Rgb {
    const STEPS: [Rgb; 6] =
        [(68, 1, 84), (65, 68, 135), (42, 120, 142), (34, 168, 132), (122, 209, 81), (229, 208, 30)];
    between(&STEPS, amount)
}

/// A colour between white and blue, for what lies under dark letters and light ones.
pub fn heat(amount: f64) -> Rgb {
    const STEPS: [Rgb; 4] = [(247, 250, 253), (190, 214, 236), (74, 142, 196), (8, 69, 128)];
    between(&STEPS, amount)
}

/// The colour of letters upon [`heat`].
pub fn on_heat(amount: f64) -> Rgb {
    if amount > 0.5 { PAPER } else { TEXT }
}

/// The same on a terminal: none of them is lost on a dark ground, nor on a light one.
pub fn terminal_shade(amount: f64) -> u8 {
    const STEPS: [u8; 6] = [61, 67, 37, 71, 142, 178];
    STEPS[step(amount, STEPS.len())]
}

/// What lies under letters on a terminal, and the letters' colour; nothing where there is next to nothing to tell.
pub fn terminal_heat(amount: f64) -> Option<(u8, u8)> {
    const STEPS: [(u8, u8); 4] = [(103, 16), (67, 231), (68, 231), (26, 231)];
    (amount >= 0.05).then(|| STEPS[step(amount, STEPS.len())])
}

fn step(amount: f64, count: usize) -> usize {
    ((amount * count as f64) as usize).min(count - 1)
}

fn between(steps: &[Rgb], amount: f64) -> Rgb {
    let amount = if amount.is_finite() { amount.clamp(0.0, 1.0) } else { 0.0 };
    let place = amount * (steps.len() - 1) as f64;
    let below = (place as usize).min(steps.len() - 2);
    let part = place - below as f64;
    let mix =
        |one: u8, other: u8| (f64::from(one) + (f64::from(other) - f64::from(one)) * part).round() as u8;
    let (one, other) = (steps[below], steps[below + 1]);
    (mix(one.0, other.0), mix(one.1, other.1), mix(one.2, other.2))
}
