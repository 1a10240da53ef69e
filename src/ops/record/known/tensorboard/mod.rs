//! TensorBoard's event files: a folder that holds some is a run of TensorBoard's, here a source.
//!
//! Scalars of both forms become points, texts, histograms and PR curves things, images artifacts, hyperparameters
//! params. Step and time are the event's own. Points that a restart made obsolete are kept: readers choose.

/// Their protobuf messages.
mod messages;
/// Their framing.
mod records;

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use indexmap::IndexMap;
use prost::Message as _;

use crate::human;
use crate::journal::event::Step;
use crate::ops::record::known::out::Out;
use crate::ops::record::known::tensorboard::messages::{Event, Histogram, HyperparametersData, Tensor};
use crate::ops::record::known::tensorboard::records::Records;
use crate::ops::record::known::{Fresh, Source};
use crate::run::attempt::Number;
use crate::run::value::{Table, Value};

/// Parts of TensorBoard's own bookkeeping, which nobody misses.
const SILENT: &[&str] = &[
    "custom_scalars",
    "graph_keras_model",
    "graph_run_metadata",
    "graph_run_metadata_graph",
    "graphs",
    "profile",
];

/// The folder that an event file lies in.
pub fn source(file: &Path) -> Option<PathBuf> {
    let is_ours = file.file_name()?.to_str()?.contains("tfevents");
    if is_ours { file.parent().map(Path::to_owned) } else { None }
}

/// Reads the folder's event files, in the order of their names as TensorBoard does.
pub fn read(source: &Source, out: &mut Out) -> Result<()> {
    let mut left_out = BTreeSet::new();
    for fresh in &source.files {
        file(fresh, out, &mut left_out).with_context(|| source.name(&fresh.path))?;
    }
    if !left_out.is_empty() {
        let kinds: Vec<_> = left_out.into_iter().collect();
        out.note(&format!("what these plugins wrote was left out: {}", kinds.join(", ")));
    }
    Ok(())
}

fn file(fresh: &Fresh, out: &mut Out, left_out: &mut BTreeSet<String>) -> Result<()> {
    let mut records = Records::new(File::open(&fresh.path).context("it cannot be opened")?);
    let mut plugins = HashMap::new();
    let mut unreadable = 0;
    while let Some(bytes) = records.next()? {
        let Ok(event) = Event::decode(bytes) else {
            unreadable += 1;
            continue;
        };
        let is_fresh = records.offset() > fresh.from;
        one(event, is_fresh, &mut plugins, out, left_out)?;
    }
    let loss = records.loss();
    out.lose(unreadable, "record", "not an event");
    if loss.gaps > 0 {
        let places = human::count(usize::try_from(loss.gaps).unwrap_or(usize::MAX), "place");
        out.note(&format!("it is damaged in {places}: the records before and after were kept"));
    }
    if loss.torn > 0 {
        let bytes = human::count(usize::try_from(loss.torn).unwrap_or(usize::MAX), "byte");
        out.note(&format!("it ends in the middle of a record: the last {bytes} were left out"));
    }
    Ok(())
}

/// Takes one event. `plugins` remembers what each tag is: only a tag's first value need say so.
fn one(
    event: Event,
    is_fresh: bool,
    plugins: &mut HashMap<String, String>,
    out: &mut Out,
    left_out: &mut BTreeSet<String>,
) -> Result<()> {
    let time = Some(event.wall_time).filter(|time| time.is_finite() && *time > 0.0);
    let step = Step::At(Number::Int(event.step.into()));
    let mut points = IndexMap::new();
    for value in event.summary.map(|summary| summary.values).unwrap_or_default() {
        let tag = value.tag;
        let data = value.metadata.and_then(|metadata| metadata.plugin_data);
        if let Some(data) = &data {
            plugins.insert(tag.clone(), data.plugin_name.clone());
        }
        if !is_fresh {
            continue;
        }
        let plugin = plugins.get(&tag).map(String::as_str).unwrap_or_default();
        if plugin == "hparams" {
            out.params(data.map(|data| hyperparameters(&data.content)).unwrap_or_default())?;
        } else if let Some(scalar) = value.simple_value {
            // A tag twice in one event is two rows.
            if points.contains_key(&tag) {
                out.points(time, step, std::mem::take(&mut points))?;
            }
            points.insert(tag, Number::Float(scalar.into()));
        } else if let Some(image) = value.image {
            out.image(time, event.step, &tag, &image.encoded)?;
        } else if let Some(histogram) = value.histogram {
            out.thing(time, step, &tag, ("histogram", old_histogram(&histogram)))?;
        } else if let Some(tensor) = value.tensor {
            match plugin {
                "scalars" | "" if tensor.is_number() => {
                    let number = tensor.numbers().first().copied().unwrap_or(f64::NAN);
                    if points.contains_key(&tag) {
                        out.points(time, step, std::mem::take(&mut points))?;
                    }
                    points.insert(tag, Number::Float(number));
                }
                "text" => {
                    let name = tag.strip_suffix("/text_summary").unwrap_or(&tag);
                    out.thing(time, step, name, ("text", Value::Text(tensor.text())))?;
                }
                "images" => images(&tensor, time, event.step, &tag, out)?,
                "histograms" if tensor.numbers().len() < 3 => out.leave_out("histogram", "empty"),
                "histograms" => out.thing(time, step, &tag, ("histogram", histogram(&tensor)))?,
                "pr_curves" => out.thing(time, step, &tag, ("curve", curve(&tensor)))?,
                plugin if SILENT.contains(&plugin) => {}
                plugin => drop(left_out.insert(named(plugin, "tensors").to_owned())),
            }
        } else if value.audio.is_some() {
            left_out.insert("audio".to_owned());
        }
    }
    out.points(time, step, points)
}

fn named<'a>(plugin: &'a str, otherwise: &'a str) -> &'a str {
    if plugin.is_empty() { otherwise } else { plugin }
}

/// The params that a session began with; the plugin has no integers, so that numbers are doubles.
fn hyperparameters(content: &[u8]) -> Table {
    let data = HyperparametersData::decode(content).unwrap_or_default();
    let hyperparameters = data.session_start.map(|start| start.hyperparameters).unwrap_or_default();
    let value = |value: messages::AnyValue| match value {
        messages::AnyValue { number: Some(number), .. } => Value::Float(number),
        messages::AnyValue { text: Some(text), .. } => Value::Text(text),
        messages::AnyValue { bool: Some(bool), .. } => Value::Bool(bool),
        _ => Value::Null,
    };
    hyperparameters.into_iter().map(|(name, given)| (name, value(given))).collect()
}

/// Width, height, then the encoded images.
fn images(tensor: &Tensor, time: Option<f64>, step: i64, tag: &str, out: &mut Out) -> Result<()> {
    let images = tensor.strings.get(2..).unwrap_or_default();
    for (index, image) in images.iter().enumerate() {
        let name = if images.len() == 1 { tag.to_owned() } else { format!("{tag}/{index}") };
        out.image(time, step, &name, image)?;
    }
    Ok(())
}

/// A histogram given by the upper limits of its buckets: empty ones at both ends, which reach to infinity, go.
fn old_histogram(histogram: &Histogram) -> Value {
    let length = histogram.limits.len().min(histogram.counts.len());
    let (limits, counts) = (&histogram.limits[..length], &histogram.counts[..length]);
    let Some(first) = counts.iter().position(|count| *count != 0.0) else {
        return histogram_value(vec![histogram.min, histogram.max], vec![0.0]);
    };
    let last = counts.iter().rposition(|count| *count != 0.0).unwrap_or(first);
    let left = if first == 0 { histogram.min } else { limits[first - 1].max(histogram.min) };
    let right = limits[last].min(histogram.max);
    let mut edges = vec![left];
    edges.extend(&limits[first..last]);
    edges.push(edges.last().map_or(right, |edge| right.max(*edge)));
    histogram_value(edges, counts[first..=last].to_vec())
}

/// A histogram given as rows of left edge, right edge and count.
fn histogram(tensor: &Tensor) -> Value {
    let numbers = tensor.numbers();
    let rows = numbers.chunks_exact(3);
    let mut edges: Vec<f64> = rows.clone().map(|row| row[0]).collect();
    edges.extend(rows.clone().next_back().map(|row| row[1]));
    histogram_value(edges, rows.map(|row| row[2]).collect())
}

fn histogram_value(edges: Vec<f64>, counts: Vec<f64>) -> Value {
    let count = |count: f64| match count.fract() == 0.0 && count.abs() < 9e15 {
        true => Value::Int(count as i64),
        false => Value::Float(count),
    };
    let edges = Value::List(edges.into_iter().map(Value::Float).collect());
    let counts = Value::List(counts.into_iter().map(count).collect());
    Value::Table([("edges".to_owned(), edges), ("counts".to_owned(), counts)].into_iter().collect())
}

/// Precision over recall: the last two of the six rows.
fn curve(tensor: &Tensor) -> Value {
    let numbers = tensor.numbers();
    let length = numbers.len() / 6;
    let row = |index: usize| {
        Value::List(numbers[index * length..(index + 1) * length].iter().copied().map(Value::Float).collect())
    };
    let facts = [
        ("kind", "pr".into()),
        ("x", row(5)),
        ("y", row(4)),
        ("x_name", "recall".into()),
        ("y_name", "precision".into()),
    ];
    Value::Table(facts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::event::Thing;

    fn old(min: f64, max: f64, limits: &[f64], counts: &[f64]) -> Value {
        old_histogram(&Histogram { min, max, limits: limits.to_owned(), counts: counts.to_owned() })
    }

    fn edges(value: &Value) -> Vec<f64> {
        let edges = value.as_table().and_then(|table| table["edges"].as_list()).unwrap_or_default();
        edges.iter().filter_map(Value::as_number).collect()
    }

    #[test]
    fn old_histograms_get_edges_that_hold_their_values() {
        let table = [
            (old(-1.0, 2.0, &[-2.0, 0.0, 1.0, 1e308], &[0.0, 1.0, 2.0, 3.0]), vec![-1.0, 0.0, 1.0, 2.0]),
            (old(0.5, 0.5, &[0.0, 1.0, 2.0], &[0.0, 4.0, 0.0]), vec![0.5, 0.5]),
            (old(0.0, 1.0, &[], &[]), vec![0.0, 1.0]),
            (old(0.0, 1.0, &[1.0], &[0.0]), vec![0.0, 1.0]),
            (old(5.0, 1.0, &[1.0, 2.0], &[1.0, 1.0]), vec![5.0, 1.0, 1.0]),
        ];
        for (value, expected) in table {
            assert_eq!(edges(&value), expected);
            assert!(Thing { name: String::new(), kind: "histogram".to_owned(), value }.has_shape());
        }
    }

    #[test]
    fn odd_tensors_have_shapes_all_the_same() {
        let tensors = [
            Tensor::default(),
            Tensor { kind: 1, content: vec![0; 7], ..Tensor::default() },
            Tensor { kind: 99, content: vec![0; 8], ..Tensor::default() },
            Tensor { floats: vec![1.0; 7], ..Tensor::default() },
            Tensor { strings: vec![vec![0xff]], ..Tensor::default() },
        ];
        for tensor in tensors {
            let curve = Thing { name: String::new(), kind: "curve".to_owned(), value: curve(&tensor) };
            assert!(curve.has_shape(), "{curve:?}");
            let histogram = Thing { kind: "histogram".to_owned(), value: histogram(&tensor), ..curve };
            assert!(histogram.has_shape() || tensor.numbers().len() < 3, "{histogram:?}");
        }
    }
}
