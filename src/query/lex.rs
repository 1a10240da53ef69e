//! From text to words, each with its place.
//!
//! Knows which characters make a word and how text is quoted; what a word means depends on where it stands, which the
//! parser knows and asks accordingly.

use crate::query::syntax::Span;

/// A place in the text, from which the next word is read.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    source: &'a str,
    at: usize,
}

/// A piece of text that was opened by a quote and never closed; where it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclosed(pub usize);

impl<'a> Cursor<'a> {
    /// Begins at the beginning.
    pub fn new(source: &'a str) -> Self {
        Self { source, at: 0 }
    }

    /// The text that is read.
    pub fn source(&self) -> &'a str {
        self.source
    }

    /// Where it stands.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Passes over white space; whether anything follows.
    pub fn skip_space(&mut self) -> bool {
        self.at = self.source.len() - self.rest().trim_start().len();
        !self.rest().is_empty()
    }

    /// The next character.
    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Passes over the character if it is next.
    pub fn take(&mut self, character: char) -> bool {
        let is_next = self.peek() == Some(character);
        if is_next {
            self.at += character.len_utf8();
        }
        is_next
    }

    /// The word that is next after white space, without passing over it.
    pub fn peek_word(&self) -> Option<&'a str> {
        self.clone().word().map(|(word, _)| word)
    }

    /// The next word.
    pub fn word(&mut self) -> Option<(&'a str, Span)> {
        self.skip_space();
        self.run_of(is_word)
    }

    /// Whether the keyword is the next word, in any case.
    pub fn is_keyword(&self, keyword: &str) -> bool {
        let rest = self.rest().trim_start();
        let is_same = rest.get(..keyword.len()).is_some_and(|start| start.eq_ignore_ascii_case(keyword));
        is_same && !rest[keyword.len()..].starts_with(is_word)
    }

    /// Passes over the keyword if it is the next word, in any case.
    pub fn keyword(&mut self, keyword: &str) -> bool {
        let is_next = self.is_keyword(keyword);
        if is_next {
            self.skip_space();
            self.at += keyword.len();
        }
        is_next
    }

    /// The next run of characters that make operators.
    pub fn operator(&mut self) -> Option<(&'a str, Span)> {
        self.skip_space();
        self.run_of(|character| "=<>!~".contains(character))
    }

    /// What stands up to the next white space or closing parenthesis: a revision or a path, which hold all else.
    pub fn raw(&mut self) -> Option<(&'a str, Span)> {
        self.skip_space();
        self.run_of(|character| !character.is_whitespace() && !")'\"".contains(character))
    }

    /// A part of a name: word characters up to a dot; may be empty.
    pub fn segment(&mut self) -> &'a str {
        self.run_of(|character| is_word(character) && character != '.').map_or("", |(text, _)| text)
    }

    /// What stands up to the next dot, whatever it is.
    pub fn until_dot(&mut self) -> &'a str {
        self.run_of(|character| character != '.').map_or("", |(text, _)| text)
    }

    /// Text between two of the quote that is next, within which two of them stand for one, as in SQL.
    pub fn doubled(&mut self) -> Result<String, Unclosed> {
        let start = self.at;
        let quote = self.peek().expect("the caller saw a quote");
        self.take(quote);
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let end = rest.find(quote).ok_or(Unclosed(start))?;
            text.push_str(&rest[..end]);
            self.at += end + quote.len_utf8();
            if !self.take(quote) {
                return Ok(text);
            }
            text.push(quote);
        }
    }

    /// Text between double quotes, with the escapes of TOML, as names are written; an unknown escape stays as it is.
    pub fn escaped(&mut self) -> Result<String, Unclosed> {
        let start = self.at;
        self.take('"');
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let end = rest.find(['"', '\\']).ok_or(Unclosed(start))?;
            text.push_str(&rest[..end]);
            self.at += end + 1;
            if rest[end..].starts_with('"') {
                return Ok(text);
            }
            match escape(self.rest()) {
                Some((character, length)) => {
                    text.push(character);
                    self.at += length;
                }
                None => text.push('\\'),
            }
        }
    }

    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn run_of(&mut self, is_wanted: impl Fn(char) -> bool) -> Option<(&'a str, Span)> {
        let rest = self.rest();
        let length = rest.find(|character| !is_wanted(character)).unwrap_or(rest.len());
        let start = self.at;
        self.at += length;
        (length > 0).then_some((&rest[..length], start..self.at))
    }
}

/// Whether a character can be part of a word: names of metrics and params hold nearly anything.
pub fn is_word(character: char) -> bool {
    let is_sign = matches!(character, '(' | ')' | '<' | '>' | '=' | '!' | '~' | ',' | ';' | '\'' | '"' | '`');
    !is_sign && !character.is_whitespace()
}

/// The character that the escape after a backslash stands for, and how long the escape is.
fn escape(text: &str) -> Option<(char, usize)> {
    let first = text.chars().next()?;
    let plain = match first {
        '"' | '\\' => Some(first),
        'b' => Some('\u{8}'),
        't' => Some('\t'),
        'n' => Some('\n'),
        'f' => Some('\u{c}'),
        'r' => Some('\r'),
        _ => None,
    };
    let digits = match first {
        'u' => 4,
        'U' => 8,
        _ => return plain.map(|character| (character, 1)),
    };
    let hex = text.get(1..=digits).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    Some((char::from_u32(u32::from_str_radix(hex, 16).ok()?)?, digits + 1))
}
