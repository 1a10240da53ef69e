//! Series that are too long for text as one Parquet file, and back. Nothing else in the program knows Parquet.
//!
//! One row a point: `name`, `writer`, `step` (an integer) or `step_double`, `time`, `value`, and `value_int` where the
//! value is an integer. Row groups hold their rows by name and writer, and the file is a chain of such groups in the
//! order logged, so that it is written in bounded memory and one metric is read without the others. The settings are
//! fixed and nothing of the moment goes in: the same points are the same bytes.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, Repetition, Type as Physical, ZstdLevel};
use parquet::column::reader::get_typed_column_reader;
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{ChunkReader, FileReader as _, RowGroupReader, SerializedFileReader};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type};

use crate::series::number::Number;
use crate::series::panic::contained;
use crate::series::{Malformed, Point};

/// How many points are held before they are written.
const CHUNK: usize = 1 << 20;
/// A row group that holds this many points takes no further series.
const GROUP: usize = 1 << 16;
/// A row group of more points than this is not read: nobody wrote it to be read.
const ROWS_MAX: usize = 1 << 23;
/// How many names are given to the encoder at once.
const BATCH: usize = 1024;

/// The columns: their names, types, whether they may be empty, and how their values are written.
const COLUMNS: [(&str, Physical, bool, Option<Encoding>); 7] = [
    ("name", Physical::BYTE_ARRAY, false, None),
    ("writer", Physical::INT64, false, None),
    ("step", Physical::INT64, true, Some(Encoding::DELTA_BINARY_PACKED)),
    ("step_double", Physical::DOUBLE, true, Some(Encoding::PLAIN)),
    ("time", Physical::DOUBLE, true, Some(Encoding::BYTE_STREAM_SPLIT)),
    ("value", Physical::DOUBLE, false, Some(Encoding::BYTE_STREAM_SPLIT)),
    ("value_int", Physical::INT64, true, Some(Encoding::DELTA_BINARY_PACKED)),
];

/// Points that wait to be written.
#[derive(Debug, Default)]
pub struct Chunk {
    series: Vec<Waiting>,
    numbers: HashMap<u64, HashMap<String, usize>>,
    count: usize,
}

/// The points of one metric of one writer, column by column, values that are not there left out.
#[derive(Debug)]
struct Waiting {
    name: String,
    writer: u64,
    /// Which of the columns a point has, as bits.
    has: Vec<u8>,
    steps: Vec<i64>,
    step_doubles: Vec<f64>,
    times: Vec<f64>,
    values: Vec<f64>,
    value_ints: Vec<i64>,
}

const STEP: u8 = 1;
const STEP_DOUBLE: u8 = 2;
const TIME: u8 = 4;
const VALUE_INT: u8 = 8;

impl Chunk {
    /// The number by which the points of a metric of a writer are given.
    pub fn number(&mut self, writer: u64, name: &str) -> usize {
        let numbers = self.numbers.entry(writer).or_default();
        if let Some(number) = numbers.get(name) {
            return *number;
        }
        numbers.insert(name.to_owned(), self.series.len());
        self.series.push(Waiting::new(name.to_owned(), writer));
        self.series.len() - 1
    }

    /// Takes a point of the series with that number.
    pub fn push(&mut self, series: usize, point: &Point) {
        self.series[series].push(point);
        self.count += 1;
    }

    /// Whether it is time to write what waits.
    pub fn is_full(&self) -> bool {
        self.count >= CHUNK
    }

    fn clear(&mut self) {
        self.series.iter_mut().for_each(Waiting::clear);
        self.count = 0;
    }
}

impl Waiting {
    fn new(name: String, writer: u64) -> Self {
        Self {
            name,
            writer,
            has: Vec::new(),
            steps: Vec::new(),
            step_doubles: Vec::new(),
            times: Vec::new(),
            values: Vec::new(),
            value_ints: Vec::new(),
        }
    }

    fn push(&mut self, point: &Point) {
        let mut has = 0;
        match point.step {
            None => {}
            Some(step) => match small(step) {
                Some(int) => {
                    has |= STEP;
                    self.steps.push(int);
                }
                None => {
                    has |= STEP_DOUBLE;
                    self.step_doubles.push(step.as_f64());
                }
            },
        }
        if let Some(time) = point.time {
            has |= TIME;
            self.times.push(time.as_f64());
        }
        if let Some(int) = small(point.value) {
            has |= VALUE_INT;
            self.value_ints.push(int);
        }
        self.values.push(point.value.as_f64());
        self.has.push(has);
    }

    fn clear(&mut self) {
        self.has.clear();
        self.steps.clear();
        self.step_doubles.clear();
        self.times.clear();
        self.values.clear();
        self.value_ints.clear();
    }
}

/// The integer, if it is one of 64 bits.
fn small(number: Number) -> Option<i64> {
    match number {
        Number::Int(int) => i64::try_from(int).ok(),
        Number::Float(_) => None,
    }
}

/// Writes one file.
pub struct Writer<W: Write + Send> {
    file: SerializedFileWriter<W>,
}

impl<W: Write + Send> Writer<W> {
    /// Begins the file.
    pub fn new(out: W) -> Result<Self, Malformed> {
        Ok(Self { file: SerializedFileWriter::new(out, Arc::new(schema()?), Arc::new(properties()?))? })
    }

    /// Writes what waits; the chunk is empty then.
    pub fn write(&mut self, chunk: &mut Chunk) -> Result<(), Malformed> {
        let mut waiting: Vec<&Waiting> =
            chunk.series.iter().filter(|series| !series.has.is_empty()).collect();
        waiting.sort_by(|one, other| (&one.name, one.writer).cmp(&(&other.name, other.writer)));
        let mut rest = waiting.as_slice();
        while !rest.is_empty() {
            let mut points = 0;
            let is_full = |series: &&Waiting| {
                points += series.has.len();
                points >= GROUP
            };
            let length = rest.iter().position(is_full).map_or(rest.len(), |last| last + 1);
            let (group, later) = rest.split_at(length);
            write_group(self.file.next_row_group()?, group)?;
            rest = later;
        }
        chunk.clear();
        Ok(())
    }

    /// Ends the file.
    pub fn finish(self) -> Result<W, Malformed> {
        Ok(self.file.into_inner()?)
    }
}

fn schema() -> Result<Type, ParquetError> {
    let column = |(name, physical, is_optional, _): (&str, Physical, bool, Option<Encoding>)| {
        let repetition = if is_optional { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        let text = (physical == Physical::BYTE_ARRAY).then_some(parquet::basic::LogicalType::String);
        let column = Type::primitive_type_builder(name, physical).with_repetition(repetition);
        column.with_logical_type(text).build().map(Arc::new)
    };
    let columns = COLUMNS.into_iter().map(column).collect::<Result<_, _>>()?;
    Type::group_type_builder("series").with_fields(columns).build()
}

fn properties() -> Result<WriterProperties, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_created_by("git-xtrack version 1".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        // A name that was cut would no longer tell whether a metric is there.
        .set_statistics_truncate_length(None)
        .set_max_row_group_row_count(None)
        .set_column_statistics_enabled(ColumnPath::from("name"), EnabledStatistics::Chunk);
    for (name, _, _, encoding) in COLUMNS {
        if let Some(encoding) = encoding {
            let column = ColumnPath::from(name);
            properties = properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, encoding);
        }
    }
    Ok(properties.build())
}

fn write_group<W: Write + Send>(
    mut group: SerializedRowGroupWriter<'_, W>,
    series: &[&Waiting],
) -> Result<(), Malformed> {
    column::<_, ByteArrayType>(&mut group, |out| series.iter().try_for_each(|one| write_name(out, one)))?;
    column::<_, Int64Type>(&mut group, |out| {
        let write = |one: &&Waiting| {
            let numbers = vec![one.writer as i64; one.has.len()];
            out.write_batch(&numbers, None, None).map(drop)
        };
        series.iter().try_for_each(write)
    })?;
    optional::<_, Int64Type>(&mut group, series, STEP, |one| &one.steps)?;
    optional::<_, DoubleType>(&mut group, series, STEP_DOUBLE, |one| &one.step_doubles)?;
    optional::<_, DoubleType>(&mut group, series, TIME, |one| &one.times)?;
    column::<_, DoubleType>(&mut group, |out| {
        series.iter().try_for_each(|one| out.write_batch(&one.values, None, None).map(drop))
    })?;
    optional::<_, Int64Type>(&mut group, series, VALUE_INT, |one| &one.value_ints)?;
    group.close()?;
    Ok(())
}

fn column<W: Write + Send, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    mut write: impl FnMut(&mut ColumnWriterImpl<'_, T>) -> Result<(), ParquetError>,
) -> Result<(), Malformed> {
    let mut column = group.next_column()?.ok_or_else(|| Malformed::new("has too few columns"))?;
    write(column.typed::<T>())?;
    Ok(column.close()?)
}

/// Writes a column that not every point has.
fn optional<W: Write + Send, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    series: &[&Waiting],
    bit: u8,
    values: impl Fn(&Waiting) -> &Vec<T::T>,
) -> Result<(), Malformed> {
    column::<W, T>(group, |out| {
        let write = |one: &&Waiting| {
            let levels: Vec<i16> = one.has.iter().map(|has| i16::from(has & bit != 0)).collect();
            out.write_batch(values(one), Some(&levels), None).map(drop)
        };
        series.iter().try_for_each(write)
    })
}

fn write_name(out: &mut ColumnWriterImpl<'_, ByteArrayType>, series: &Waiting) -> Result<(), ParquetError> {
    let names = vec![ByteArray::from(series.name.as_bytes().to_vec()); BATCH.min(series.has.len())];
    let mut left = series.has.len();
    while left > 0 {
        let batch = left.min(BATCH);
        out.write_batch(&names[..batch], None, None)?;
        left -= batch;
    }
    Ok(())
}

/// The points of one metric by writer, each in the order logged.
pub fn read<R: ChunkReader + 'static>(file: R, metric: &str) -> Result<Vec<(u64, Vec<Point>)>, Malformed> {
    let mut found: Vec<(u64, Vec<Point>)> = Vec::new();
    read_each(
        file,
        metric,
        &mut |writer, point| match found.iter_mut().rfind(|(known, _)| *known == writer) {
            Some((_, points)) => points.push(point),
            None => found.push((writer, vec![point])),
        },
    )?;
    found.sort_by_key(|(writer, _)| *writer);
    Ok(found)
}

/// Gives the points of one metric with their writers one by one, as [`read`] reads them.
///
/// The digest of a file from elsewhere is what its sender made it, and the crate panics over some files that are
/// damaged with care: that is an error like another.
pub fn read_each<R: ChunkReader + 'static>(
    file: R,
    metric: &str,
    take: &mut dyn FnMut(u64, Point),
) -> Result<(), Malformed> {
    contained(|| read_groups(file, metric, take)).unwrap_or_else(|| Err(Malformed::new("is damaged")))
}

fn read_groups<R: ChunkReader + 'static>(
    file: R,
    metric: &str,
    take: &mut dyn FnMut(u64, Point),
) -> Result<(), Malformed> {
    let reader = SerializedFileReader::new(file)?;
    check(&reader)?;
    for (index, group) in reader.metadata().row_groups().iter().enumerate() {
        if may_hold(group, metric) {
            let rows = usize::try_from(group.num_rows()).ok().filter(|rows| *rows <= ROWS_MAX);
            let rows = rows.ok_or_else(|| Malformed::new("has a group of more rows than is read at once"))?;
            read_group(&*reader.get_row_group(index)?, rows, metric, take)?;
        }
    }
    Ok(())
}

/// Refuses a file of other columns: it may come from elsewhere.
fn check<R: ChunkReader + 'static>(reader: &SerializedFileReader<R>) -> Result<(), Malformed> {
    let schema = reader.metadata().file_metadata().schema_descr();
    let same = schema.columns().iter().zip(COLUMNS).all(|(column, (name, physical, is_optional, _))| {
        column.path().parts() == [name]
            && column.physical_type() == physical
            && column.max_def_level() == i16::from(is_optional)
            && column.max_rep_level() == 0
    });
    match same && schema.num_columns() == COLUMNS.len() {
        true => Ok(()),
        false => Err(Malformed::new("is no table of series")),
    }
}

/// Whether the group's names reach over the metric's, as far as it says.
fn may_hold(group: &RowGroupMetaData, metric: &str) -> bool {
    match group.column(0).statistics() {
        Some(Statistics::ByteArray(names)) => {
            let is_less = |bound: Option<&[u8]>| bound.is_some_and(|bound| metric.as_bytes() < bound);
            let is_more = |bound: Option<&[u8]>| bound.is_some_and(|bound| metric.as_bytes() > bound);
            !is_less(names.min_bytes_opt()) && !is_more(names.max_bytes_opt())
        }
        _ => true,
    }
}

fn read_group(
    group: &dyn RowGroupReader,
    rows: usize,
    metric: &str,
    take: &mut dyn FnMut(u64, Point),
) -> Result<(), Malformed> {
    let names = required::<ByteArrayType>(group, 0, rows)?;
    let is_wanted: Vec<bool> = names.iter().map(|name| name.data() == metric.as_bytes()).collect();
    if !is_wanted.contains(&true) {
        return Ok(());
    }
    let writers = required::<Int64Type>(group, 1, rows)?;
    let mut steps = sparse::<Int64Type>(group, 2, rows)?;
    let mut step_doubles = sparse::<DoubleType>(group, 3, rows)?;
    let mut times = sparse::<DoubleType>(group, 4, rows)?;
    let values = required::<DoubleType>(group, 5, rows)?;
    let mut value_ints = sparse::<Int64Type>(group, 6, rows)?;
    for (row, is_wanted) in is_wanted.into_iter().enumerate() {
        let int = |int: i64| Number::Int(int.into());
        // Every column moves on by a row, whether that is wanted or not.
        let step = steps.next().map(int);
        let step = step.or(step_doubles.next().map(Number::Float));
        let time = times.next().map(Number::Float);
        let value = value_ints.next().map_or(Number::Float(values[row]), int);
        if !is_wanted {
            continue;
        }
        let point = Point { step, time, value };
        let writer = u64::try_from(writers[row]).map_err(|_| Malformed::new("has a writer below 0"))?;
        take(writer, point);
    }
    Ok(())
}

/// The values of a column that every row has.
fn required<T: DataType>(
    group: &dyn RowGroupReader,
    index: usize,
    rows: usize,
) -> Result<Vec<T::T>, Malformed> {
    let mut column = get_typed_column_reader::<T>(group.get_column_reader(index)?);
    let mut values = Vec::new();
    let (read, ..) = column.read_records(rows, None, None, &mut values)?;
    if read == rows && values.len() == rows {
        Ok(values)
    } else {
        Err(Malformed::new("ends within a column"))
    }
}

/// The values of a column that not every row has, row by row.
struct Sparse<T> {
    levels: std::vec::IntoIter<i16>,
    values: std::vec::IntoIter<T>,
}

impl<T> Sparse<T> {
    fn next(&mut self) -> Option<T> {
        (self.levels.next()? == 1).then(|| self.values.next()).flatten()
    }
}

fn sparse<T: DataType>(
    group: &dyn RowGroupReader,
    index: usize,
    rows: usize,
) -> Result<Sparse<T::T>, Malformed> {
    let mut column = get_typed_column_reader::<T>(group.get_column_reader(index)?);
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    let (read, ..) = column.read_records(rows, Some(&mut levels), None, &mut values)?;
    let is_whole = read == rows && levels.len() == rows;
    match is_whole && levels.iter().filter(|level| **level == 1).count() == values.len() {
        true => Ok(Sparse { levels: levels.into_iter(), values: values.into_iter() }),
        false => Err(Malformed::new("ends within a column")),
    }
}

impl From<ParquetError> for Malformed {
    fn from(error: ParquetError) -> Self {
        Malformed(format!("is no Parquet file that can be read or written: {error}"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs::File;
    use std::io::Seek as _;

    type Logged = (u64, String, Point);

    fn write(points: &[Logged], chunk_size: usize) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new()).unwrap();
        let mut chunk = Chunk::default();
        for part in points.chunks(chunk_size) {
            for (number, name, point) in part {
                let series = chunk.number(*number, name);
                chunk.push(series, point);
            }
            writer.write(&mut chunk).unwrap();
        }
        writer.finish().unwrap()
    }

    fn open(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    fn number() -> impl Strategy<Value = Number> {
        prop_oneof![
            any::<i64>().prop_map(|int| Number::Int(int.into())),
            (-3_i8..4).prop_map(|int| Number::Int(int.into())),
            any::<u64>().prop_map(|bits| Number::Float(f64::from_bits(bits))),
            prop::sample::select(vec![-0.0, f64::NAN, f64::INFINITY]).prop_map(Number::Float),
        ]
    }

    fn logged() -> impl Strategy<Value = Vec<Logged>> {
        let point = (prop::option::of(number()), prop::option::of(any::<f64>()), number())
            .prop_map(|(step, time, value)| Point { step, time: time.map(Number::Float), value });
        let name = prop::sample::select(vec!["", "a", "a/b", "été"]).prop_map(str::to_owned);
        prop::collection::vec((0_u64..3, name, point), 0..80)
    }

    /// As text with all bits, since NaN is not equal to itself.
    fn bits(points: &[Point]) -> Vec<String> {
        let number = |number: Number| match number {
            Number::Int(int) => format!("{int}"),
            Number::Float(float) => format!("{:x}", float.to_bits()),
        };
        let point = |point: &Point| {
            format!("{:?} {:?} {}", point.step.map(number), point.time.map(number), number(point.value))
        };
        points.iter().map(point).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

        #[test]
        fn every_point_is_read_back(logged in logged(), chunk_size in 1_usize..50) {
            let file = write(&logged, chunk_size);
            prop_assert_eq!(&file, &write(&logged, chunk_size));
            for name in ["", "a", "a/b", "été", "none"] {
                let read = read(open(&file), name).unwrap();
                prop_assert!(read.windows(2).all(|pair| pair[0].0 < pair[1].0));
                for writer in 0..3 {
                    let of = |(number, other, _): &&Logged| (*number, other.as_str()) == (writer, name);
                    let expected: Vec<Point> = logged.iter().filter(of).map(|(_, _, point)| *point).collect();
                    let found = read.iter().find(|(number, _)| *number == writer);
                    prop_assert_eq!(bits(&found.map(|(_, points)| points.clone()).unwrap_or_default()), bits(&expected));
                }
            }
        }
    }

    #[test]
    fn a_file_that_was_cut_is_an_error() {
        let point = Point { step: Some(Number::Int(1)), time: None, value: Number::Float(0.5) };
        let file = write(&[(0, "a".into(), point), (0, "b".into(), point)], 9);
        for length in 0..file.len() {
            assert!(read(open(&file[..length]), "a").is_err(), "{length}");
        }
        assert!(read(open(b"PAR1"), "a").is_err());
    }

    #[test]
    fn a_file_damaged_with_care_is_an_error() {
        let point = Point { step: Some(Number::Int(1)), time: None, value: Number::Float(0.5) };
        let points: Vec<Logged> = (0..40).map(|number| (0, format!("m{}", number % 3), point)).collect();
        let bytes = write(&points, 16);
        for index in 0..bytes.len() {
            for flipped in [0x01, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[index] ^= flipped;
                let _ = read(open(&bytes), "m1");
            }
        }
    }

    #[test]
    fn integers_beyond_64_bits_come_back_as_doubles() {
        let big = Number::Int(i128::from(u64::MAX));
        let point = Point { step: Some(big), time: Some(Number::Int(7)), value: big };
        let read = read(open(&write(&[(1, "a".into(), point)], 1)), "a").unwrap();
        let double = Number::Float(u64::MAX as f64);
        assert_eq!(
            read,
            [(1, vec![Point { step: Some(double), time: Some(Number::Float(7.0)), value: double }])]
        );
    }

    #[test]
    fn one_metric_is_read_without_the_others() {
        let mut chunk = Chunk::default();
        let series = [chunk.number(0, "a"), chunk.number(0, "b"), chunk.number(0, "c")];
        let point = Point { step: None, time: None, value: Number::Float(0.5) };
        series.iter().for_each(|series| (0..GROUP).for_each(|_| chunk.push(*series, &point)));
        let mut writer = Writer::new(Vec::new()).unwrap();
        writer.write(&mut chunk).unwrap();
        let reader = SerializedFileReader::new(open(&writer.finish().unwrap())).unwrap();
        let groups: Vec<bool> =
            reader.metadata().row_groups().iter().map(|group| may_hold(group, "b")).collect();
        assert_eq!(groups, [false, true, false]);
    }
}
