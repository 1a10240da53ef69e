//! A run in few bytes, as lists need it: everything but its attempts, edits, environment and artifacts.
//!
//! Only this program reads them, and only of its own version: the layout may change with any. The code that ran is kept
//! apart, since many runs share it.

use anyhow::{Result, anyhow};
use indexmap::IndexMap;

use crate::run::attempt::{Code, CodeFile, Definition, Goal, Input, LeftOut, Number, Status, Summary};
use crate::run::id::{RunId, Time};
use crate::run::value::{Table, Value};
use crate::run::{Note, Run, Tombstone};

/// How deep values nest at most; the encoding is read by recursion.
const DEPTH_MAX: usize = 200;

/// The run's bytes, without its code.
pub fn encode(run: &Run) -> Vec<u8> {
    let mut out = Writer(Vec::with_capacity(768));
    out.0.extend([0; 4]);
    out.text(run.id.as_str());
    for text in
        [&run.key, &run.name, &run.experiment, &run.signal, &run.user, &run.host, &run.parent, &run.group]
    {
        out.option(text.as_ref(), |out, text| out.text(text));
    }
    out.byte(status_number(run.status));
    out.option(run.started, |out, time| out.int(time.0));
    out.option(run.ended, |out, time| out.int(time.0));
    out.option(run.exit_code, Writer::int);
    out.list(&run.command, Writer::value);
    out.option(run.cwd.as_ref(), Writer::value);
    out.table(&run.params);
    out.list(&run.metrics, |out, (name, summary)| {
        out.text(name);
        out.summary(summary);
    });
    out.list(&run.definitions, |out, (name, definition)| {
        out.text(name);
        out.definition(definition);
    });
    out.list(&run.tags, |out, tag| out.text(tag));
    out.list(&run.notes, Writer::note);
    out.list(&run.inputs, Writer::input);
    out.byte(run.deleted.into());
    out.list(&run.disputed, |out, path| out.text(path));
    out.option(run.tombstone.as_ref(), |out, stone| {
        out.text(&stone.by);
        out.int(stone.at.0);
        out.text(&stone.why);
    });
    out.sealed()
}

/// The run of these bytes, with its code.
pub fn decode(bytes: &[u8], code: Option<Code>) -> Result<Run> {
    let mut bytes = unsealed(bytes)?;
    let run = bytes.run(code).filter(|_| bytes.0.is_empty());
    run.ok_or_else(|| anyhow!("the index holds a run that cannot be read"))
}

/// The bytes of a code state.
pub fn encode_code(code: &Code) -> Vec<u8> {
    let mut out = Writer(vec![0; 4]);
    for text in [&code.commit, &code.tree, &code.snapshot, &code.branch, &code.remote, &code.patch_id] {
        out.option(text.as_ref(), |out, text| out.text(text));
    }
    for (files, count) in [(&code.changed, code.changed_count), (&code.untracked, code.untracked_count)] {
        out.list(files, |out, file| {
            out.value(&file.path);
            out.option(file.blob.as_ref(), |out, blob| out.text(blob));
        });
        out.count(count);
    }
    out.list(&code.left_out, |out, left| {
        out.value(&left.path);
        out.text(&left.reason);
        out.option(left.size, Writer::count);
    });
    out.count(code.left_out_count);
    out.sealed()
}

/// The code state of these bytes.
pub fn decode_code(bytes: &[u8]) -> Result<Code> {
    let mut bytes = unsealed(bytes)?;
    let code = bytes.code().filter(|_| bytes.0.is_empty());
    code.ok_or_else(|| anyhow!("the index holds code that cannot be read"))
}

/// What lies behind the checksum.
fn unsealed(bytes: &[u8]) -> Result<Reader<'_>> {
    let damaged = || anyhow!("the index is damaged");
    let (sum, rest) = bytes.split_first_chunk::<4>().ok_or_else(damaged)?;
    if crc32c::crc32c(rest) != u32::from_le_bytes(*sum) {
        return Err(damaged());
    }
    Ok(Reader(rest))
}

fn status_number(status: Status) -> u8 {
    Status::ALL.iter().position(|known| *known == status).unwrap_or_default() as u8
}

struct Writer(Vec<u8>);

impl Writer {
    fn sealed(mut self) -> Vec<u8> {
        let sum = crc32c::crc32c(&self.0[4..]);
        self.0[..4].copy_from_slice(&sum.to_le_bytes());
        self.0
    }

    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Seven bits a byte, the lowest first.
    fn wide(&mut self, mut number: u128) {
        while number >= 0x80 {
            self.byte(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    fn count(&mut self, count: u64) {
        self.wide(count.into());
    }

    /// Small ones in few bytes, whatever their sign.
    fn int(&mut self, int: i64) {
        self.count(((int << 1) ^ (int >> 63)) as u64);
    }

    fn float(&mut self, float: f64) {
        self.0.extend(float.to_bits().to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.byte(value.is_some().into());
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
        write: impl Fn(&mut Self, T),
    ) {
        let items = items.into_iter();
        self.count(items.len() as u64);
        items.for_each(|item| write(self, item));
    }

    fn table(&mut self, table: &Table) {
        self.list(table, |out, (key, value)| {
            out.text(key);
            out.value(value);
        });
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.byte(0),
            Value::Bool(false) => self.byte(1),
            Value::Bool(true) => self.byte(2),
            Value::Int(int) => {
                self.byte(3);
                self.int(*int);
            }
            Value::BigInt(digits) => {
                self.byte(4);
                self.text(digits);
            }
            Value::Float(float) => {
                self.byte(5);
                self.float(*float);
            }
            Value::Text(text) => {
                self.byte(6);
                self.text(text);
            }
            Value::Bytes(bytes) => {
                self.byte(7);
                self.bytes(bytes);
            }
            Value::List(list) => {
                self.byte(8);
                self.list(list, Self::value);
            }
            Value::Table(table) => {
                self.byte(9);
                self.table(table);
            }
            Value::Json(json) => {
                self.byte(10);
                self.text(json);
            }
        }
    }

    fn number(&mut self, number: Number) {
        match number {
            Number::Int(int) => {
                self.byte(0);
                self.wide(((int << 1) ^ (int >> 127)) as u128);
            }
            Number::Float(float) => {
                self.byte(1);
                self.float(float);
            }
        }
    }

    /// What is the same as the last is not written again: a value that was set has one number, not three.
    fn summary(&mut self, summary: &Summary) {
        let min = (summary.min, summary.min_step);
        let max = (summary.max, summary.max_step);
        let last = (summary.last, summary.last_step);
        let repeats = u8::from(is_same(min, last)) | u8::from(is_same(max, last)) << 1;
        self.byte(repeats);
        for (index, (value, step)) in [last, min, max].into_iter().enumerate() {
            if index == 0 || repeats & index as u8 == 0 {
                self.number(value);
                self.option(step, Self::number);
            }
        }
        self.count(summary.count);
        self.count(summary.nonfinite);
    }

    fn definition(&mut self, definition: &Definition) {
        self.byte(match definition.goal {
            None => 0,
            Some(Goal::Min) => 1,
            Some(Goal::Max) => 2,
        });
        for text in [&definition.unit, &definition.x, &definition.summary] {
            self.option(text.as_ref(), |out, text| out.text(text));
        }
    }

    fn note(&mut self, note: &Note) {
        self.text(&note.id);
        self.text(&note.text);
        self.option(note.by.as_ref(), |out, by| out.text(by));
        self.option(note.at, |out, at| out.int(at.0));
    }

    fn input(&mut self, input: &Input) {
        self.text(&input.name);
        self.value(&input.path);
        self.text(&input.kind);
        self.option(input.sha256.as_ref(), |out, sha256| out.text(sha256));
        self.option(input.digest.as_ref(), |out, digest| out.text(digest));
        self.option(input.size, Self::count);
        self.option(input.files, Self::count);
    }
}

/// Whether two points are the same, their bits too.
fn is_same(one: (Number, Option<Number>), other: (Number, Option<Number>)) -> bool {
    let bits = |number: Number| match number {
        Number::Int(int) => (true, int as u128),
        Number::Float(float) => (false, float.to_bits().into()),
    };
    bits(one.0) == bits(other.0) && one.1.map(bits) == other.1.map(bits)
}

/// What is left to read; nothing is taken that is not there.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn run(&mut self, code: Option<Code>) -> Option<Run> {
        let id = RunId::parse(self.str()?)?;
        let mut texts: [Option<String>; 8] = Default::default();
        for text in &mut texts {
            *text = self.option(Self::text)?;
        }
        let [key, name, experiment, signal, user, host, parent, group] = texts;
        let status = *Status::ALL.get(usize::from(self.byte()?))?;
        let started = self.option(Self::int)?.map(Time);
        let ended = self.option(Self::int)?.map(Time);
        let exit_code = self.option(Self::int)?;
        let command = self.list(|bytes| bytes.value(0))?;
        let cwd = self.option(|bytes| bytes.value(0))?;
        let params = self.table(0)?;
        let metrics = self.map(Self::summary)?;
        let definitions = self.map(Self::definition)?;
        let tags = self.list(Self::text)?;
        let notes = self.list(Self::note)?;
        let inputs = self.list(Self::input)?;
        let deleted = self.byte()? != 0;
        let disputed = self.list(Self::text)?;
        let tombstone = self.option(|bytes| {
            Some(Tombstone { by: bytes.text()?, at: Time(bytes.int()?), why: bytes.text()? })
        })?;
        Some(Run {
            id,
            key,
            name,
            experiment,
            status,
            started,
            ended,
            exit_code,
            signal,
            user,
            host,
            command,
            cwd,
            code,
            params,
            metrics,
            definitions,
            tags,
            notes,
            inputs,
            artifacts: Vec::new(),
            attempts: Vec::new(),
            edits: Vec::new(),
            parent,
            group,
            deleted,
            environment: None,
            disputed,
            tombstone,
        })
    }

    fn code(&mut self) -> Option<Code> {
        let mut texts: [Option<String>; 6] = Default::default();
        for text in &mut texts {
            *text = self.option(Self::text)?;
        }
        let [commit, tree, snapshot, branch, remote, patch_id] = texts;
        let file =
            |bytes: &mut Self| Some(CodeFile { path: bytes.value(0)?, blob: bytes.option(Self::text)? });
        Some(Code {
            commit,
            tree,
            snapshot,
            branch,
            remote,
            patch_id,
            changed: self.list(file)?,
            changed_count: self.count()?,
            untracked: self.list(file)?,
            untracked_count: self.count()?,
            left_out: self.list(|bytes| {
                Some(LeftOut {
                    path: bytes.value(0)?,
                    reason: bytes.text()?,
                    size: bytes.option(Self::count)?,
                })
            })?,
            left_out_count: self.count()?,
        })
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn wide(&mut self) -> Option<u128> {
        let mut number: u128 = 0;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            number |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn count(&mut self) -> Option<u64> {
        let mut number: u64 = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn int(&mut self) -> Option<i64> {
        let folded = self.count()?;
        Some((folded >> 1) as i64 ^ -((folded & 1) as i64))
    }

    fn float(&mut self) -> Option<f64> {
        let (bits, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(f64::from_bits(u64::from_le_bytes(*bits)))
    }

    fn slice(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.count()?).ok()?;
        let (slice, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(slice)
    }

    fn str(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.slice()?).ok()
    }

    fn text(&mut self) -> Option<String> {
        self.str().map(str::to_owned)
    }

    /// `None` if it cannot be read, `Some(None)` if there is nothing.
    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.byte()? {
            0 => Some(None),
            _ => read(self).map(Some),
        }
    }

    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.length()?;
        let mut items = Vec::with_capacity(length);
        for _ in 0..length {
            items.push(read(self)?);
        }
        Some(items)
    }

    fn map<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<IndexMap<String, T>> {
        let length = self.length()?;
        let mut items = IndexMap::with_capacity(length);
        for _ in 0..length {
            items.insert(self.text()?, read(self)?);
        }
        Some(items)
    }

    /// How many items follow: never more than there are bytes.
    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.count()?).ok().filter(|length| *length <= self.0.len())
    }

    fn table(&mut self, depth: usize) -> Option<Table> {
        self.map(|bytes| bytes.value(depth + 1))
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH_MAX {
            return None;
        }
        Some(match self.byte()? {
            0 => Value::Null,
            1 => Value::Bool(false),
            2 => Value::Bool(true),
            3 => Value::Int(self.int()?),
            4 => Value::BigInt(self.text()?),
            5 => Value::Float(self.float()?),
            6 => Value::Text(self.text()?),
            7 => Value::Bytes(self.slice()?.to_vec()),
            8 => Value::List(self.list(|bytes| bytes.value(depth + 1))?),
            9 => Value::Table(self.table(depth)?),
            10 => Value::Json(self.text()?),
            _ => return None,
        })
    }

    fn number(&mut self) -> Option<Number> {
        match self.byte()? {
            0 => {
                let folded = self.wide()?;
                Some(Number::Int((folded >> 1) as i128 ^ -((folded & 1) as i128)))
            }
            1 => self.float().map(Number::Float),
            _ => None,
        }
    }

    fn point(&mut self) -> Option<(Number, Option<Number>)> {
        Some((self.number()?, self.option(Self::number)?))
    }

    fn summary(&mut self) -> Option<Summary> {
        let repeats = self.byte()?;
        let last = self.point()?;
        let min = if repeats & 1 == 0 { self.point()? } else { last };
        let max = if repeats & 2 == 0 { self.point()? } else { last };
        Some(Summary {
            last: last.0,
            min: min.0,
            max: max.0,
            last_step: last.1,
            min_step: min.1,
            max_step: max.1,
            count: self.count()?,
            nonfinite: self.count()?,
        })
    }

    fn definition(&mut self) -> Option<Definition> {
        let goal = match self.byte()? {
            0 => None,
            1 => Some(Goal::Min),
            2 => Some(Goal::Max),
            _ => return None,
        };
        Some(Definition {
            goal,
            unit: self.option(Self::text)?,
            x: self.option(Self::text)?,
            summary: self.option(Self::text)?,
        })
    }

    fn note(&mut self) -> Option<Note> {
        Some(Note {
            id: self.text()?,
            text: self.text()?,
            by: self.option(Self::text)?,
            at: self.option(Self::int)?.map(Time),
        })
    }

    fn input(&mut self) -> Option<Input> {
        Some(Input {
            name: self.text()?,
            path: self.value(0)?,
            kind: self.text()?,
            sha256: self.option(Self::text)?,
            digest: self.option(Self::text)?,
            size: self.option(Self::count)?,
            files: self.option(Self::count)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::run::fold::fold;
    use crate::run::tests::{cases, record, run_id, shown};

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn a_run_is_read_back_as_lists_need_it(files in record()) {
            let mut run = fold(&run_id(), &files).map_err(|problem| TestCaseError::fail(problem.to_string()))?;
            (run.attempts, run.edits) = (Vec::new(), Vec::new());
            let code = run.code.as_ref().map(|code| decode_code(&encode_code(code)).expect("was just written"));
            let read = decode(&encode(&run), code).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(shown(&read), shown(&run));
        }

        #[test]
        fn bytes_that_were_changed_are_refused(files in record(), place in any::<prop::sample::Index>(), change in 1..=255u8) {
            let run = fold(&run_id(), &files).map_err(|problem| TestCaseError::fail(problem.to_string()))?;
            let mut bytes = encode(&run);
            let place = place.index(bytes.len());
            bytes[place] ^= change;
            prop_assert!(decode(&bytes, None).is_err());
            prop_assert!(decode(&bytes[..place], None).is_err());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Reader(&bytes).run(None);
            let _ = Reader(&bytes).code();
        }
    }
}
