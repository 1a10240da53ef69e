//! Text that came from anywhere, made harmless for where it is shown.
//!
//! What could move the cursor, change colours or turn the direction of reading is shown by its number instead.

use crate::run::id::is_deceptive;

/// The text with every control and direction-changing character shown by name or number.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|character| push_visible(&mut out, character));
    out
}

/// Lines as another program wrote them: colours pass where they are wanted, else go; all other control characters
/// but the tab and the end of a line are shown by number.
pub fn verbatim(text: &str, colour: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut is_painted = false;
    while let Some(character) = rest.chars().next() {
        if let Some(length) = colour_sequence(rest) {
            if colour {
                out.push_str(&rest[..length]);
                is_painted = true;
            }
            rest = &rest[length..];
            continue;
        }
        match character {
            '\n' | '\t' => out.push(character),
            other => push_visible(&mut out, other),
        }
        rest = &rest[character.len_utf8()..];
    }
    // What the text leaves switched on must not colour what follows it.
    if is_painted {
        out.push_str("\u{1b}[m");
    }
    out
}

fn push_visible(out: &mut String, character: char) {
    match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        control if control.is_control() => out.push_str(&format!("\\x{:02x}", control as u32)),
        deceptive if is_deceptive(deceptive) => out.push_str(&format!("\\u{{{:x}}}", deceptive as u32)),
        plain => out.push(plain),
    }
}

/// The length of the colour sequence (`ESC [ digits and ; m`) that `text` begins with.
fn colour_sequence(text: &str) -> Option<usize> {
    let body = text.strip_prefix("\u{1b}[")?;
    let digits = body.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
    (body.as_bytes().get(digits) == Some(&b'm')).then_some(digits + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_shown() {
        assert_eq!(visible("a\u{1b}[31mb\u{202e}c\n\t\u{9b}é"), "a\\x1b[31mb\\u{202e}c\\n\\t\\x9bé");
    }

    #[test]
    fn of_another_programs_lines_only_colours_pass() {
        let text = "\u{1b}[31m-a\u{1b}[m\n\u{1b}[2Jb\tc\r\n\u{1b}";
        assert_eq!(verbatim(text, true), "\u{1b}[31m-a\u{1b}[m\n\\x1b[2Jb\tc\\r\n\\x1b\u{1b}[m");
        assert_eq!(verbatim(text, false), "-a\n\\x1b[2Jb\tc\\r\n\\x1b");
    }
}
