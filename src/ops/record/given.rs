//! What the user gives a run: params, metrics and inputs, from options, files and the settings, checked before anything
//! is written.
//!
//! Knows which source wins; how each is spelled is `key_value`'s, `files`' and `command_params`' business.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use indexmap::IndexMap;

use crate::error::Problem;
use crate::ops::record::harvest::{Wanted, is_older};
use crate::ops::record::input::{Asked, lock_files};
use crate::ops::record::place::Places;
use crate::ops::record::redact::Redactor;
use crate::ops::record::{Options, Remarks, command_params, files, key_value};
use crate::run::attempt::{Input, Number, Summary};
use crate::run::value::{Table, leaves, overlay};
use crate::tracker::Tracker;

/// The largest file of params or metrics that is read.
const FILE_MAX: u64 = 64 * 1024 * 1024;

/// What is known before the command starts.
#[derive(Debug, Default)]
pub struct Given {
    /// What goes in.
    pub params: Table,
    /// The metrics that were set on the command line.
    pub metrics: IndexMap<String, Number>,
    /// What is read.
    pub inputs: Vec<Input>,
}

/// Gathers what is given before the command starts.
pub fn gather(
    tracker: &Tracker,
    options: &Options,
    places: &Places,
    redactor: &Redactor,
    remarks: &mut Remarks,
) -> Result<Given> {
    Ok(Given {
        params: params(tracker, options, places, redactor, remarks)?,
        metrics: unique(&options.metrics)?,
        inputs: inputs(tracker, options, places, remarks)?,
    })
}

fn params(
    tracker: &Tracker,
    options: &Options,
    places: &Places,
    redactor: &Redactor,
    remarks: &mut Remarks,
) -> Result<Table> {
    let mut params = Table::new();
    for file in &tracker.config.params {
        match read_params(&places.top.join(file), file) {
            Ok(table) => merge(&mut params, &table, file)?,
            Err(error) if is_absent(&error) => {
                remarks.warn(format!("the params file '{file}' of the settings is not there"));
            }
            Err(error) => return Err(error),
        }
    }
    let mut explicit = Table::new();
    for file in &options.params_files {
        let name = file.display().to_string();
        merge(&mut explicit, &read_params(&places.here.join(file), &name)?, &name)?;
    }
    overlay(&mut params, &explicit);
    let mut typed = Table::new();
    for (path, value) in &options.params {
        key_value::insert(&mut typed, path, value.clone())?;
    }
    overlay(&mut params, &typed);
    if tracker.config.params_from_command {
        underlay(&mut params, from_command(options, redactor));
    }
    Ok(params)
}

fn read_params(path: &Path, name: &str) -> Result<Table> {
    let bytes = read(path).with_context(|| format!("cannot read the params file '{name}'"))?;
    files::read_params(name, &bytes).with_context(|| format!("cannot read the params file '{name}'"))
}

/// Adds what a file holds; a param that is there already is refused.
fn merge(params: &mut Table, table: &Table, name: &str) -> Result<()> {
    for (path, value) in leaves(table) {
        let path: Vec<String> = path.into_iter().map(str::to_owned).collect();
        key_value::insert(params, &path, value.clone())
            .with_context(|| format!("cannot take the params of '{name}'"))?;
    }
    Ok(())
}

/// Adds what is not there yet.
fn underlay(params: &mut Table, found: Table) {
    for (path, value) in leaves(&found) {
        let path: Vec<String> = path.into_iter().map(str::to_owned).collect();
        // What was given explicitly stays.
        key_value::insert_absent(params, &path, value.clone());
    }
}

/// The options of the command that look like params, secrets taken out; of one given twice the last counts, as it
/// does for most programs.
fn from_command(options: &Options, redactor: &Redactor) -> Table {
    let mut found = Table::new();
    for (path, value) in command_params::from_command(&options.command) {
        let mut one = Table::new();
        if key_value::insert(&mut one, &path, value).is_ok() {
            overlay(&mut found, &one);
        }
    }
    redactor.table(&mut found);
    found
}

fn unique(metrics: &[(String, Number)]) -> Result<IndexMap<String, Number>> {
    let mut unique = IndexMap::new();
    for (name, number) in metrics {
        if unique.insert(name.clone(), *number).is_some() {
            return Err(Problem::usage(format!("metric {name:?} is given twice")).into());
        }
    }
    Ok(unique)
}

fn inputs(
    tracker: &Tracker,
    options: &Options,
    places: &Places,
    remarks: &mut Remarks,
) -> Result<Vec<Input>> {
    let mut inputs: Vec<Input> = Vec::new();
    for text in &options.inputs {
        let input = Asked::parse(text, &places.here)?.read(&places.here, places)?;
        if inputs.iter().any(|known| known.name == input.name) {
            return Err(Problem::usage(format!("input {:?} is given twice", input.name))
                .hint("name them apart: `--input NAME=PATH`")
                .into());
        }
        inputs.push(input);
    }
    for text in &tracker.config.inputs {
        match Asked::parse(text.as_ref(), &places.top)?.read(&places.top, places) {
            Ok(input) if inputs.iter().all(|known| known.name != input.name) => inputs.push(input),
            Ok(_) => {}
            Err(error) => remarks.warn(format!("{error:#}")),
        }
    }
    if tracker.config.lock_files && !options.command.is_empty() {
        let found = lock_files(places, &inputs);
        inputs.extend(found);
    }
    Ok(inputs)
}

/// A metrics file that is to be read when the command has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsFile {
    /// Where it is.
    pub path: PathBuf,
    name: String,
    is_explicit: bool,
}

/// The metrics files that are asked for.
pub fn metrics_files(tracker: &Tracker, options: &Options, places: &Places) -> Vec<MetricsFile> {
    let mut wanted: Vec<MetricsFile> = Vec::new();
    let typed =
        options.metrics_files.iter().map(|file| (places.here.join(file), file.display().to_string(), true));
    let set = tracker.config.metrics.iter().map(|file| (places.top.join(file), file.clone(), false));
    for (path, name, is_explicit) in typed.chain(set) {
        if wanted.iter().all(|known| known.path != path) {
            wanted.push(MetricsFile { path, name, is_explicit });
        }
    }
    wanted
}

/// Reads the metrics files; what was set on the command line stands. Each file that cannot be taken is a fault, which
/// ends it here if there is no command whose results would be lost.
pub fn metrics(
    given: &IndexMap<String, Number>,
    wanted: &[MetricsFile],
    since: Option<std::time::SystemTime>,
    remarks: &mut Remarks,
) -> Result<IndexMap<String, Summary>> {
    let mut metrics = given.clone();
    let mut origins: IndexMap<String, &str> = IndexMap::new();
    for file in wanted {
        let found = match read_metrics(file) {
            Ok(found) => found,
            Err(error) if is_absent(&error) && !file.is_explicit => {
                remarks.note(format!("the metrics file '{}' of the settings is not there", file.name));
                continue;
            }
            Err(error) => {
                remarks.fault(error)?;
                continue;
            }
        };
        if since.is_some_and(|since| is_older(&file.path, since)) {
            remarks.note(format!("the metrics file '{}' is older than the run", file.name));
        }
        for (name, number) in found {
            match origins.get(&name) {
                Some(first) => {
                    let message = format!("metric {name:?} is in both '{first}' and '{}'", file.name);
                    remarks.fault(Problem::new(message).into())?;
                }
                None if given.contains_key(&name) => {}
                None => {
                    origins.insert(name.clone(), &file.name);
                    metrics.insert(name, number);
                }
            }
        }
    }
    Ok(metrics.into_iter().map(|(name, number)| (name, Summary::plain(number))).collect())
}

fn read_metrics(file: &MetricsFile) -> Result<IndexMap<String, Number>> {
    let bytes = read(&file.path).with_context(|| format!("cannot read the metrics file '{}'", file.name))?;
    let metrics = files::read_metrics(&file.name, &bytes);
    metrics.with_context(|| format!("cannot read the metrics file '{}'", file.name))
}

/// The artifacts that are asked for.
pub fn wanted_artifacts(tracker: &Tracker, options: &Options, places: &Places) -> Vec<Wanted> {
    let typed =
        options.artifacts.iter().map(|path| Wanted { path: places.here.join(path), is_explicit: true });
    let set = tracker.config.artifacts.iter();
    typed.chain(set.map(|path| Wanted { path: places.top.join(path), is_explicit: false })).collect()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_MAX {
        let size = fs::metadata(path).map_or(0, |metadata| metadata.len());
        return Err(Problem::new(format!("it holds {size} bytes; {FILE_MAX} is the limit")).into());
    }
    Ok(bytes)
}

fn is_absent(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::NotFound)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::run::value::Value;

    fn table(pairs: &[(&str, Value)]) -> Table {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }

    #[test]
    fn the_upper_wins_leaf_by_leaf() {
        let mut lower =
            table(&[("a", 1i64.into()), ("m", table(&[("x", 1i64.into()), ("y", 2i64.into())]).into())]);
        overlay(&mut lower, &table(&[("m", table(&[("x", 9i64.into())]).into()), ("b", 3i64.into())]));
        let nested = table(&[("x", 9i64.into()), ("y", 2i64.into())]);
        assert_eq!(lower, table(&[("a", 1i64.into()), ("m", nested.into()), ("b", 3i64.into())]));
    }

    #[test]
    fn what_is_there_stays_over_what_was_found() {
        let mut params = table(&[("lr", 1i64.into())]);
        underlay(&mut params, table(&[("lr", 2i64.into()), ("depth", 3i64.into())]));
        assert_eq!(params, table(&[("lr", 1i64.into()), ("depth", 3i64.into())]));
    }

    #[test]
    fn a_metric_given_twice_is_refused() {
        let pair = ("loss".to_owned(), Number::Int(1));
        assert!(unique(&[pair.clone(), pair]).is_err());
    }

    #[test]
    fn metrics_files_never_override_nor_collide() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).unwrap();
            MetricsFile { path: folder.path().join(name), name: name.to_owned(), is_explicit: true }
        };
        let files = [file("a.json", r#"{"x": 1, "y": 2}"#), file("b.json", r#"{"y": 3, "z": 4}"#)];
        let given = IndexMap::from([("x".to_owned(), Number::Int(9))]);
        let mut remarks = Remarks { tolerant: true, ..Remarks::default() };
        let metrics = metrics(&given, &files, None, &mut remarks).unwrap();
        let last: Vec<_> = metrics.iter().map(|(name, summary)| (name.as_str(), summary.last)).collect();
        assert_eq!(last, [("x", Number::Int(9)), ("y", Number::Int(2)), ("z", Number::Int(4))]);
        assert_eq!(remarks.faults, 1);
        assert!(super::metrics(&given, &files, None, &mut Remarks::default()).is_err());
    }
}
