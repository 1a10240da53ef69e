//! Output of a program as the lines that a terminal would end up showing.
//!
//! Knows carriage returns, backspaces and the escape sequences by which progress bars redraw themselves; pure, and the same
//! however the bytes are cut into pieces. Knows nothing of secrets or of where lines go.

use std::collections::VecDeque;

/// The most bytes that are kept of one line.
pub const LINE_MAX: usize = 64 << 10;

/// How many lines up a progress display may still reach; rich fills a window with them.
const HELD_LINES: usize = 64;
/// How many characters of them.
const HELD_CHARACTERS: usize = 128 << 10;
/// An escape sequence that is longer than this is none: its end was lost. Pictures are long.
const SEQUENCE_MAX: usize = 1 << 20;

/// How many streams go into one output: stdout and stderr.
pub const STREAMS: usize = 2;

/// Collapses up to [`STREAMS`] streams into lines in the order in which they were ended.
#[derive(Debug, Default)]
pub struct Collapse {
    streams: [Stream; STREAMS],
    held: VecDeque<Held>,
    characters: usize,
    ready: Vec<String>,
}

/// A line that has ended, and may yet be redrawn.
#[derive(Debug)]
struct Held {
    stream: usize,
    line: Line,
}

#[derive(Debug, Default)]
struct Stream {
    /// The beginning of a character whose end has not come.
    rest: Vec<u8>,
    state: State,
    /// The line that has not ended.
    open: Line,
    /// How many lines above it the cursor is.
    up: usize,
    column: usize,
    /// Whether the beginning of the line was lost: half a secret would not be known as one.
    is_cut: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// After ESC and an intermediate character: one more ends it.
    Charset,
    /// After `ESC [`.
    Control(String),
    /// After `ESC ]` and the like, up to BEL or `ESC \`; a title is one line, a picture many.
    Command { is_one_line: bool, length: usize },
}

impl Collapse {
    /// Takes more output of a stream.
    pub fn feed(&mut self, stream: usize, bytes: &[u8]) {
        let rest = std::mem::take(&mut self.streams[stream].rest);
        let joined;
        let bytes = match rest.is_empty() {
            true => bytes,
            false => {
                joined = [&rest, bytes].concat();
                &joined
            }
        };
        let mut at = 0;
        for chunk in bytes.utf8_chunks() {
            at += chunk.valid().len() + chunk.invalid().len();
            self.take_all(stream, chunk.valid());
            let invalid = chunk.invalid();
            let is_begun = std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            match at == bytes.len() && is_begun {
                true => self.streams[stream].rest = invalid.to_vec(),
                false if invalid.is_empty() => {}
                false => self.take(stream, char::REPLACEMENT_CHARACTER),
            }
        }
    }

    /// Ends all lines: no more output comes, or some of it was lost here.
    pub fn finish(&mut self) {
        for stream in 0..STREAMS {
            let Stream { rest, open, .. } = std::mem::take(&mut self.streams[stream]);
            let mut line = open;
            if !rest.is_empty() {
                line.put(line.width, char::REPLACEMENT_CHARACTER);
            }
            if !line.is_blank() {
                self.held.push_back(Held { stream, line });
            }
        }
        let held = std::mem::take(&mut self.held);
        self.characters = 0;
        self.ready.extend(held.into_iter().map(|held| held.line.into_text()));
    }

    /// Notes that output of a stream was lost here, and with it the rest of its line; how many bytes that was.
    pub fn cut(&mut self, stream: usize) -> usize {
        let held = std::mem::take(&mut self.held);
        self.characters = 0;
        self.ready.extend(held.into_iter().map(|held| held.line.into_text()));
        self.streams.iter_mut().for_each(|stream| stream.up = 0);
        let before = Stream { is_cut: true, ..Stream::default() };
        std::mem::replace(&mut self.streams[stream], before).open.text().len()
    }

    /// The lines that will not change any more, since the last call.
    pub fn lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.ready)
    }

    /// The lines that may still change as they are now, and how many at their end have not ended.
    pub fn pending(&self) -> (Vec<String>, usize) {
        let mut lines: Vec<_> = self.held.iter().map(|held| held.line.text()).collect();
        let open = self.streams.iter().map(|stream| &stream.open).filter(|line| !line.is_blank());
        let open: Vec<_> = open.map(Line::text).collect();
        let count = open.len();
        lines.extend(open);
        (lines, count)
    }

    /// Most output is plain lines: what is between two control characters goes as a whole.
    fn take_all(&mut self, stream: usize, mut text: &str) {
        while !text.is_empty() {
            let Stream { state, up, is_cut, column, open, .. } = &mut self.streams[stream];
            let plain = match (state, *up, *is_cut) {
                (State::Text, 0, false) if open.can_append(*column) => plain_length(text),
                _ => 0,
            };
            let (run, rest) = text.split_at(plain);
            if !run.is_empty() {
                *column = open.append(run);
            }
            let mut characters = rest.chars();
            if let Some(character) = characters.next() {
                self.take(stream, character);
            }
            text = characters.as_str();
        }
    }

    fn take(&mut self, stream: usize, character: char) {
        if self.streams[stream].is_cut {
            self.streams[stream].is_cut = !matches!(character, '\n' | '\r');
            return;
        }
        let state = std::mem::take(&mut self.streams[stream].state);
        let next = match (state, character) {
            (State::Text, _) => self.text(stream, character),
            (State::Escape, _) => self.escape(stream, character),
            (State::Charset, _) => State::Text,
            (State::Control(mut parameters), ' '..='?') if parameters.len() < 64 => {
                parameters.push(character);
                State::Control(parameters)
            }
            (State::Control(parameters), '@'..='~') => {
                self.control(stream, &parameters, character);
                State::Text
            }
            (State::Control(_), _) => self.text(stream, character),
            (State::Command { .. }, '\u{7}' | '\u{18}' | '\u{1a}' | '\u{9c}') => State::Text,
            // `ESC \` ends it, and so does the beginning of another.
            (State::Command { .. }, '\u{1b}') => State::Escape,
            (State::Command { is_one_line: true, .. }, '\n') => self.text(stream, character),
            (State::Command { length, .. }, _) if length >= SEQUENCE_MAX => self.text(stream, character),
            (State::Command { is_one_line, length }, _) => State::Command { is_one_line, length: length + 1 },
        };
        self.streams[stream].state = next;
    }

    fn text(&mut self, stream: usize, character: char) -> State {
        let cursor = &mut self.streams[stream];
        match character {
            '\n' => self.new_line(stream),
            '\r' => cursor.column = 0,
            '\u{8}' => cursor.column = cursor.column.saturating_sub(1),
            '\u{1b}' => return State::Escape,
            '\u{9b}' => return State::Control(String::new()),
            '\u{90}' | '\u{98}' | '\u{9e}' | '\u{9f}' => {
                return State::Command { is_one_line: false, length: 0 };
            }
            '\u{9d}' => return State::Command { is_one_line: true, length: 0 },
            '\t' => self.put(stream, character),
            control if control.is_control() => {}
            _ => self.put(stream, character),
        }
        State::Text
    }

    fn escape(&mut self, stream: usize, character: char) -> State {
        match character {
            '[' => State::Control(String::new()),
            ']' => State::Command { is_one_line: true, length: 0 },
            'P' | 'X' | '^' | '_' => State::Command { is_one_line: false, length: 0 },
            ' '..='/' => State::Charset,
            'M' => self.go_up(stream, 1),
            'E' => {
                self.new_line(stream);
                State::Text
            }
            '\u{1b}' => State::Escape,
            '\n' | '\r' => self.text(stream, character),
            _ => State::Text,
        }
    }

    /// A control sequence, `ESC [ parameters name`.
    fn control(&mut self, stream: usize, parameters: &str, name: char) {
        let first = parameters.split(';').next().unwrap_or_default();
        // Private ones (`?25l`) and those with intermediates move nothing.
        let Ok(given) = (if first.is_empty() { "0" } else { first }).parse::<usize>() else {
            return;
        };
        let count = given.clamp(1, LINE_MAX);
        let cursor = &mut self.streams[stream];
        match name {
            'A' => drop(self.go_up(stream, count)),
            'F' => {
                cursor.column = 0;
                self.go_up(stream, count);
            }
            'B' => cursor.up = cursor.up.saturating_sub(count),
            'E' => (cursor.up, cursor.column) = (cursor.up.saturating_sub(count), 0),
            'C' => cursor.column = (cursor.column + count).min(LINE_MAX),
            'D' => cursor.column = cursor.column.saturating_sub(count),
            'G' | '`' => cursor.column = count - 1,
            'H' | 'f' => cursor.column = 0,
            'J' if given == 0 => self.erase_below(stream),
            'K' | 'P' | 'X' | '@' => {
                let column = cursor.column;
                self.change(stream, |line| line.edit(name, column, given, count));
            }
            _ => {}
        }
    }

    fn go_up(&mut self, stream: usize, count: usize) -> State {
        let above = self.held.iter().filter(|held| held.stream == stream).count();
        let cursor = &mut self.streams[stream];
        cursor.up = (cursor.up + count).min(above);
        State::Text
    }

    fn erase_below(&mut self, stream: usize) {
        let Stream { up, column, .. } = self.streams[stream];
        self.change(stream, |line| line.edit('K', column, 0, 1));
        for below in 0..up {
            self.streams[stream].up = below;
            self.change(stream, |line| line.edit('K', 0, 2, 1));
        }
        self.streams[stream].up = up;
    }

    fn put(&mut self, stream: usize, character: char) {
        let column = self.streams[stream].column;
        self.change(stream, |line| line.put(column, character));
        self.streams[stream].column = (column + 1).min(LINE_MAX);
    }

    /// Changes the line that the cursor is in.
    fn change(&mut self, stream: usize, change: impl FnOnce(&mut Line)) {
        let up = self.streams[stream].up;
        let held = (up > 0).then(|| {
            let mut above = self.held.iter_mut().rev().filter(|held| held.stream == stream);
            above.nth(up - 1)
        });
        match held.flatten() {
            Some(held) => {
                let before = held.line.width;
                change(&mut held.line);
                self.characters = self.characters + held.line.width - before;
            }
            None => change(&mut self.streams[stream].open),
        }
    }

    fn new_line(&mut self, stream: usize) {
        let cursor = &mut self.streams[stream];
        cursor.column = 0;
        if cursor.up > 0 {
            cursor.up -= 1;
            return;
        }
        let line = std::mem::take(&mut cursor.open);
        self.characters += line.width;
        self.held.push_back(Held { stream, line });
        while self.held.len() > HELD_LINES || self.characters > HELD_CHARACTERS {
            let Some(Held { stream, line }) = self.held.pop_front() else {
                return;
            };
            self.characters -= line.width;
            self.ready.push(line.into_text());
            // A cursor in the line that went is in the one below it now.
            self.go_up(stream, 0);
        }
    }
}

/// How long the text is up to the first control character.
fn plain_length(text: &str) -> usize {
    // The control characters of one byte, and the byte that those of two begin with.
    let stop = text.bytes().position(|byte| byte < 0x20 || byte == 0x7f || byte == 0xc2);
    stop.unwrap_or(text.len())
}

/// A line: only appended to, until something in it is changed.
#[derive(Debug, Default)]
struct Line {
    /// What was appended, as long as nothing else happened.
    text: String,
    /// Its characters, once something else did.
    cells: Vec<char>,
    /// How many characters it has.
    width: usize,
    /// Whether something in it was written over, so that spaces at its end mean that something was taken away.
    is_redrawn: bool,
    /// How many bytes did not fit.
    cut: usize,
}

impl Line {
    fn can_append(&self, column: usize) -> bool {
        !self.is_redrawn && column == self.width && self.width < LINE_MAX
    }

    /// Appends plain text; the column after it.
    fn append(&mut self, text: &str) -> usize {
        let count = if text.is_ascii() { text.len() } else { text.chars().count() };
        let kept = match LINE_MAX - self.width {
            room if count <= room => text.len(),
            room => text.char_indices().nth(room).map_or(text.len(), |(at, _)| at),
        };
        self.text.push_str(&text[..kept]);
        self.cut += text.len() - kept;
        self.width = (self.width + count).min(LINE_MAX);
        self.width
    }

    fn put(&mut self, column: usize, character: char) {
        if column >= LINE_MAX {
            self.cut += character.len_utf8();
            return;
        }
        if self.can_append(column) {
            self.text.push(character);
            self.width += 1;
            return;
        }
        self.redraw();
        match self.cells.get_mut(column) {
            Some(cell) => *cell = character,
            None => {
                self.cells.resize(column, ' ');
                self.cells.push(character);
            }
        }
        self.width = self.cells.len();
    }

    fn redraw(&mut self) {
        if !self.is_redrawn {
            self.is_redrawn = true;
            self.cells = std::mem::take(&mut self.text).chars().collect();
        }
    }

    /// What the control sequences do that change one line.
    fn edit(&mut self, name: char, column: usize, given: usize, count: usize) {
        self.redraw();
        let length = self.cells.len();
        let (start, end) = (column.min(length), column.saturating_add(count).min(length));
        match (name, given) {
            ('K', 0) => self.cells.truncate(column),
            ('K', 1) => self.cells[..(column + 1).min(length)].fill(' '),
            ('K', _) => self.cells.clear(),
            ('P', _) => drop(self.cells.drain(start..end)),
            ('X', _) => self.cells[start..end].fill(' '),
            _ if length + count <= LINE_MAX => {
                self.cells.splice(start..start, std::iter::repeat_n(' ', count));
            }
            _ => {}
        }
        self.width = self.cells.len();
        if self.cells.is_empty() {
            self.cut = 0;
        }
    }

    fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| *cell == ' ') && self.text.bytes().all(|byte| byte == b' ')
    }

    fn text(&self) -> String {
        let text = match self.is_redrawn {
            true => self.cells.iter().collect(),
            false => self.text.clone(),
        };
        self.finished(text)
    }

    fn into_text(mut self) -> String {
        let text = match self.is_redrawn {
            true => self.cells.iter().collect(),
            false => std::mem::take(&mut self.text),
        };
        self.finished(text)
    }

    fn finished(&self, mut text: String) -> String {
        if self.is_redrawn {
            text.truncate(text.trim_end_matches(' ').len());
        }
        let kept = boundary(&text, LINE_MAX);
        let mut cut = self.cut + text.len() - kept;
        if cut > 0 {
            text.truncate(kept);
            // The first half of a secret is not known as one: the word that is cut goes as a whole, if it is no book.
            let word = text.rfind(char::is_whitespace).map_or(0, |space| space + 1);
            let word = word.max(boundary(&text, text.len().saturating_sub(512)));
            cut += text.len() - word;
            text.truncate(word);
            text.push_str(&format!("[xtrack: {cut} bytes of this line left out]"));
        }
        text
    }
}

/// The last place up to `at` where a text can be cut.
pub fn boundary(text: &str, at: usize) -> usize {
    if at >= text.len() {
        return text.len();
    }
    (0..=at).rfind(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn collapse(pieces: &[(usize, &[u8])]) -> Vec<String> {
        let mut collapse = Collapse::default();
        pieces.iter().for_each(|(stream, bytes)| collapse.feed(*stream, bytes));
        collapse.finish();
        collapse.lines()
    }

    fn one(text: &str) -> Vec<String> {
        collapse(&[(0, text.as_bytes())])
    }

    #[test]
    fn plain_lines_stay() {
        assert_eq!(one("a\n\n  b \nü€\tx"), ["a", "", "  b ", "ü€\tx"]);
        assert_eq!(one("dos\r\nunix\n"), ["dos", "unix"]);
        assert_eq!(one(""), [""; 0]);
        assert_eq!(one("\n"), [""]);
    }

    #[test]
    fn a_progress_bar_leaves_its_last_state() {
        let bar: String =
            (0..=100).map(|done| format!("\r{done:3}%|{:<10}|", "#".repeat(done / 10))).collect();
        assert_eq!(one(&format!("start\n{bar}\nend\n")), ["start", "100%|##########|", "end"]);
        // Keras goes back by backspaces; tqdm without `leave` takes its bar away.
        assert_eq!(one("1/10\u{8}\u{8}\u{8}\u{8}10/10\n"), ["10/10"]);
        assert_eq!(one("50%|###|\r        \rdone\n"), ["done"]);
        assert_eq!(one("longer text\rshort\u{1b}[K\n"), ["short"]);
    }

    #[test]
    fn nested_bars_and_tables_are_redrawn_in_place() {
        let mut text = String::from("outer: 0%");
        for step in 1..=20 {
            text.push_str(&format!("\n\rinner: {step}\u{1b}[A\router: {}%", step * 5));
        }
        assert_eq!(one(&format!("{text}\n\n")), ["outer: 100%", "inner: 20"]);
        let mut text = String::from("\u{1b}[?25l");
        for step in 0..50 {
            if step > 0 {
                text.push_str("\r\u{1b}[2K\u{1b}[1A\u{1b}[2K\u{1b}[1A\u{1b}[2K");
            }
            text.push_str(&format!("\u{1b}[32mtop {step}\u{1b}[0m\nmiddle\nbottom {step}"));
        }
        assert_eq!(one(&format!("{text}\n\u{1b}[?25h")), ["top 49", "middle", "bottom 49"]);
        assert_eq!(one("a\nb\nc\u{1b}[2A\u{1b}[Jx\n"), ["ax", ""]);
    }

    #[test]
    fn escapes_and_controls_go() {
        assert_eq!(
            one("\u{1b}[1;31mred\u{1b}[m \u{1b}]0;title\u{7}x\u{1b}]8;;http://a\u{1b}\\link\u{1b}(B\n"),
            ["red xlink"]
        );
        assert_eq!(one("a\u{0}\u{7}b\u{7f}\u{9b}5mc\u{85}d\n"), ["abcd"]);
        assert_eq!(one("\u{1b}Psixel\nmore\u{1b}\\after\n"), ["after"]);
        // What never ends takes no more than its line with it.
        assert_eq!(one("\u{1b}]0;never ends\nnext\n"), ["", "next"]);
        assert!(!one("\u{1b}[31\nx\u{1b}").join("").contains('\u{1b}'));
    }

    #[test]
    fn streams_interleave_by_line() {
        let pieces: [(usize, &[u8]); 6] =
            [(0, b"out 1\nout"), (1, b"\r 1%"), (0, b" 2\n"), (1, b"\r 2%"), (1, b"\nerr"), (0, b"out 3\n")];
        assert_eq!(collapse(&pieces), ["out 1", "out 2", " 2%", "out 3", "err"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_marked() {
        assert_eq!(
            collapse(&[(0, b"a\xffb\xe2\x82"), (0, b"\xac\xe2"), (0, b"x\xf0\x9f")]),
            ["a\u{fffd}b€\u{fffd}x\u{fffd}"]
        );
    }

    #[test]
    fn long_lines_are_cut_and_say_so() {
        let long = format!("{} {}\nnext\n", "x".repeat(LINE_MAX - 10), "s".repeat(100));
        let lines = one(&long);
        assert!(
            lines[0].ends_with("x [xtrack: 100 bytes of this line left out]"),
            "{}",
            &lines[0][LINE_MAX - 50..]
        );
        assert_eq!(lines[1], "next");
        assert!(one(&"é".repeat(2 * LINE_MAX))[0].len() < LINE_MAX + 100);
    }

    #[test]
    fn half_lines_around_a_loss_go() {
        let mut collapse = Collapse::default();
        collapse.feed(0, b"whole\nfirst ha");
        collapse.feed(1, b"other");
        assert_eq!(collapse.cut(0), 8);
        collapse.feed(0, b"lf\nnext\n");
        collapse.feed(1, b" line\n");
        collapse.finish();
        assert_eq!(collapse.lines(), ["whole", "next", "other line"]);
    }

    #[test]
    fn what_is_held_is_bounded_and_shown() {
        let mut collapse = Collapse::default();
        (0..1000).for_each(|line| collapse.feed(0, format!("{line}\n").as_bytes()));
        collapse.feed(0, b"open");
        let ready = collapse.lines();
        let (pending, open) = collapse.pending();
        assert_eq!((ready.len(), pending.len(), open), (1000 - HELD_LINES, HELD_LINES + 1, 1));
        assert_eq!((ready[0].as_str(), pending[HELD_LINES].as_str()), ("0", "open"));
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            text in prop::collection::vec(prop_oneof![
                Just(b"\r".to_vec()), Just(b"\n".to_vec()), Just(b"\x1b[A".to_vec()), Just(b"\x1b[2K".to_vec()),
                Just(b"\x1b[1;3H".to_vec()), Just(b"\x1b]0;t\x07".to_vec()), Just(b"\x08\x08".to_vec()), Just(b"\x1b".to_vec()),
                Just("é€😀".as_bytes().to_vec()), prop::collection::vec(any::<u8>(), 0..8), Just(b"word ".to_vec()),
                Just(b"\x1b[J".to_vec()), Just(b"\x1b[2P\x1b[3@".to_vec()), Just(b"\x1bPq".to_vec()),
            ], 0..120),
            cuts in prop::collection::vec(1usize..9, 1..20),
        ) {
            let bytes = text.concat();
            let whole = collapse(&[(0, &bytes)]);
            let mut pieces = Collapse::default();
            let (mut rest, mut cuts) = (&bytes[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                pieces.feed(0, piece);
                rest = after;
            }
            pieces.finish();
            let lines = pieces.lines();
            prop_assert_eq!(&lines, &whole);
            prop_assert!(lines.iter().all(|line| !line.contains(|character: char| character.is_control() && character != '\t')));
        }
    }
}
