//! Writes JSON: laid out for reading, or on one line; exact, and harmless on a terminal.
//!
//! What a terminal would act on, or what changes the direction of reading, is written as `\u…`: to a program it is the
//! same text.

use serde_json::Value as Json;

use crate::run::id::is_deceptive;

/// The value over several lines, without the end of the last.
pub fn pretty(value: &Json) -> String {
    harmless(format!("{value:#}"))
}

/// The pieces of an array, laid out as a whole one is: each element is made when its piece is wanted.
pub fn pieces(elements: impl Iterator<Item = Json>) -> impl Iterator<Item = String> {
    let mut elements = elements.peekable();
    let is_empty = elements.peek().is_none();
    let mut opening = "[\n";
    let mut pieces = std::iter::from_fn(move || {
        // Within strings line ends are escaped: what begins a line is layout.
        let laid_out = pretty(&elements.next()?).replace('\n', "\n  ");
        let end = if elements.peek().is_some() { "," } else { "" };
        Some(format!("{}  {laid_out}{end}\n", std::mem::take(&mut opening)))
    });
    let mut closing = Some(if is_empty { "[]" } else { "]" });
    std::iter::from_fn(move || pieces.next().or_else(|| closing.take().map(str::to_owned)))
}

/// The value on one line, without its end.
pub fn line(value: &Json) -> String {
    harmless(value.to_string())
}

/// Such characters stand only within strings, where each may be written by its number.
fn harmless(json: String) -> String {
    let acts = |character: char| character != '\n' && is_deceptive(character);
    if !json.contains(acts) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        match acts(character) {
            true => character
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
            false => out.push(character),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_exact_and_harmless(text in any::<String>(), odd in "[\u{0}-\u{a0}\u{200b}-\u{206f}\u{feff}]{0,8}") {
            let value = serde_json::json!({ text.clone(): [odd.clone(), { "a\n": odd }] });
            for written in [pretty(&value), line(&value)] {
                prop_assert_eq!(&serde_json::from_str::<Json>(&written).unwrap(), &value);
                prop_assert!(!written.contains(|character| character != '\n' && is_deceptive(character)), "{}", written);
            }
            prop_assert!(!line(&value).contains('\n'));
        }
    }

    #[test]
    fn the_pieces_of_an_array_are_the_array() {
        let element = serde_json::json!({ "a\nb": [1, { "c": [] }], "d": {} });
        for count in 0..4 {
            let elements = vec![element.clone(); count];
            let joined: String = pieces(elements.clone().into_iter()).collect();
            assert_eq!(joined, pretty(&Json::Array(elements)));
        }
    }

    #[test]
    fn numbers_are_kept_to_the_digit() {
        let text = r#"[18446744073709551616,1.0,1e-7,0.1,{"a":-0.0}]"#;
        assert_eq!(line(&serde_json::from_str(text).unwrap()), text);
    }
}
