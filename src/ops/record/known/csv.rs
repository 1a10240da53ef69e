//! Tables of text as loggers append them: a header, then a row per call, read as far as rows are whole.
//!
//! Knows lines, cells and numbers; which file holds one, and what is asked of it, the kinds know. A row is one line:
//! cells hold no line breaks.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::human;
use crate::journal::event::Step;
use crate::ops::record::known::Fresh;
use crate::ops::record::known::out::Out;
use crate::run::attempt::Number;

/// The longest line that is read.
const LINE_MAX: u64 = 1 << 20;

/// Columns that can be the step, the first of them that is there.
const STEPS: &[&str] = &["step", "global_step", "iteration", "iter", "epoch"];

/// Reads the rows that were written during the run; `rename` gives a column's name in the run.
pub fn read(fresh: &Fresh, out: &mut Out, time: Option<&str>, rename: &dyn Fn(&str) -> String) -> Result<()> {
    let mut lines = Lines::open(&fresh.path)?;
    let mut columns: Option<Columns> = None;
    let (mut row, mut before, mut unreadable) = (0_i64, 0_u64, 0_u64);
    while let Some(line) = lines.next()? {
        let Ok(text) = std::str::from_utf8(&line) else {
            unreadable += 1;
            continue;
        };
        let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r']);
        if text.trim().is_empty() {
            continue;
        }
        let Some(known) = columns.as_ref() else {
            columns = Some(Columns::of(text, time));
            continue;
        };
        let cells = cells(text, known.separator);
        if is_header(&cells) {
            columns = Some(Columns::of(text, time));
            continue;
        }
        let index = row;
        row += 1;
        if lines.offset <= fresh.from {
            before += 1;
        } else if cells.len() != known.names.len() || text.contains('\0') {
            unreadable += 1;
        } else {
            known.row(&cells, index, out, rename)?;
        }
    }
    out.lose(unreadable, "row", "not whole");
    out.lose(lines.too_long, "line", "longer than is read");
    if lines.torn > 0 {
        let bytes = human::count(usize::try_from(lines.torn).unwrap_or(usize::MAX), "byte");
        out.note(&format!("it ends in the middle of a row: the last {bytes} were left out"));
    }
    if before > 0 {
        let rows = human::count(usize::try_from(before).unwrap_or(usize::MAX), "row");
        out.note(&format!("{rows} were there before the run and were left out"));
    }
    Ok(())
}

/// The names in the first line.
pub fn header(path: &Path) -> Option<Vec<String>> {
    let line = Lines::open(path).ok()?.next().ok()??;
    let text = std::str::from_utf8(&line).ok()?.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r']);
    Some(Columns::of(text, None).names)
}

/// A number as loggers write it; none for an empty cell, `NA` or text.
pub fn number(text: &str) -> Option<Number> {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.strip_prefix('+').unwrap_or(text).parse().ok().map(Number::Int);
    }
    text.parse().ok().map(Number::Float)
}

struct Columns {
    separator: char,
    names: Vec<String>,
    step: Option<usize>,
    /// Milliseconds since 1970.
    time: Option<usize>,
}

impl Columns {
    fn of(header: &str, time: Option<&str>) -> Self {
        let count = |separator: &char| header.matches(*separator).count();
        // The last of equal ones wins: a comma.
        let separator = ['\t', ';', ','].into_iter().max_by_key(count).unwrap_or(',');
        let names: Vec<_> = cells(header, separator).iter().map(|cell| cell.trim().to_owned()).collect();
        let place = |wanted: &str| names.iter().position(|name| name == wanted);
        let step = STEPS.iter().find_map(|step| place(step));
        let time = time.and_then(place);
        Self { separator, step, time, names }
    }

    fn row(
        &self,
        cells: &[Cow<'_, str>],
        index: i64,
        out: &mut Out,
        rename: &dyn Fn(&str) -> String,
    ) -> Result<()> {
        let step = match self.step {
            None => Step::At(Number::Int(index.into())),
            Some(column) => number(&cells[column]).map_or(Step::Nowhere, Step::At),
        };
        let time = self.time.and_then(|column| number(&cells[column])).map(|time| time.as_f64() / 1000.0);
        // A column without a name is the index of a data frame.
        let is_value = |(column, name): &(usize, &String)| {
            !name.is_empty() && Some(*column) != self.step && Some(*column) != self.time
        };
        let values = self.names.iter().enumerate().filter(is_value);
        let values = values.filter_map(|(column, name)| Some((rename(name), number(&cells[column])?)));
        out.points(time, step, values.collect::<Vec<_>>())
    }
}

/// Whether a line is a header, as it stands in the middle where files were joined.
fn is_header(cells: &[Cow<'_, str>]) -> bool {
    cells.iter().any(|cell| STEPS.contains(&cell.trim()))
        && cells.iter().all(|cell| !cell.trim().is_empty() && number(cell).is_none())
}

/// The cells of a line, quotes taken away.
fn cells(line: &str, separator: char) -> Vec<Cow<'_, str>> {
    if !line.contains('"') {
        return line.split(separator).map(Cow::Borrowed).collect();
    }
    let (mut cells, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => is_quoted = !is_quoted,
            _ if letter == separator && !is_quoted => cells.push(Cow::Owned(std::mem::take(&mut cell))),
            _ => cell.push(letter),
        }
    }
    cells.push(Cow::Owned(cell));
    cells
}

/// The whole lines of a file.
struct Lines {
    file: BufReader<File>,
    /// Where the last line ended.
    offset: u64,
    too_long: u64,
    /// How many bytes stand after the last line break.
    torn: u64,
}

impl Lines {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).context("it cannot be opened")?;
        Ok(Self { file: BufReader::new(file), offset: 0, too_long: 0, torn: 0 })
    }

    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            let mut line = Vec::new();
            let read = self.file.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)? as u64;
            self.offset += read;
            if line.ends_with(b"\n") {
                return Ok(Some(line));
            }
            if read < LINE_MAX {
                self.torn += read;
                return Ok(None);
            }
            if !self.skip()? {
                return Ok(None);
            }
        }
    }

    /// Passes over the rest of a line that is too long; whether it has an end.
    fn skip(&mut self) -> Result<bool> {
        self.torn += LINE_MAX;
        loop {
            let buffer = self.file.fill_buf()?;
            let (length, is_end) = match buffer.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (buffer.len(), false),
            };
            if length == 0 {
                return Ok(false);
            }
            self.file.consume(length);
            self.offset += length as u64;
            self.torn += length as u64;
            if is_end {
                (self.torn, self.too_long) = (0, self.too_long + 1);
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_text() {
        let table = [
            ("5", Some(Number::Int(5))),
            ("-12", Some(Number::Int(-12))),
            ("+3", Some(Number::Int(3))),
            (" 0.5 ", Some(Number::Float(0.5))),
            ("1e-07", Some(Number::Float(1e-7))),
            ("inf", Some(Number::Float(f64::INFINITY))),
            ("-Infinity", Some(Number::Float(f64::NEG_INFINITY))),
            ("", None),
            ("NA", None),
            ("[0.1, 0.2]", None),
            ("True", None),
            ("-", None),
        ];
        for (text, expected) in table {
            assert_eq!(number(text), expected, "{text:?}");
        }
        assert!(number("nan").unwrap().as_f64().is_nan());
    }

    #[test]
    fn separators_and_quotes() {
        for header in ["epoch,a,b", "epoch;a;b", "epoch\ta\tb", "\"epoch\",\"a\",b"] {
            assert_eq!(Columns::of(header, None).names, ["epoch", "a", "b"], "{header}");
        }
        assert_eq!(cells("1,\"a, \"\"b\"\"\",", ','), ["1", "a, \"b\"", ""]);
        assert!(is_header(&cells("epoch,loss", ',')) && !is_header(&cells("epoch,1", ',')));
    }
}
