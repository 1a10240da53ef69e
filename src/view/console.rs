//! The console of a run as it is shown: its lines made harmless, and what is left out.

use crate::ops::console::Console;
use crate::render::escape;

/// The consoles of a run's attempts, with a heading each if there are several.
pub fn show(consoles: &[Console]) -> String {
    let mut out = String::new();
    for console in consoles {
        if consoles.len() > 1 {
            out.push_str(&format!("== attempt {} ==\n", console.attempt));
        }
        out.push_str(&escape::verbatim(&console.look.head, false));
        if let Some(tail) = console.tail() {
            out.push_str(&left_out(tail.left_out));
            out.push_str(&escape::verbatim(&tail.text, false));
        }
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
    }
    out
}

/// Lines that are told while a run is followed.
pub fn news(missing: u64, lines: &[String]) -> String {
    let lines = lines.iter().map(|line| escape::verbatim(line, false) + "\n");
    left_out(missing) + &lines.collect::<String>()
}

fn left_out(bytes: u64) -> String {
    match bytes {
        0 => String::new(),
        bytes => format!("… {} left out …\n", crate::human::size(bytes)),
    }
}
