//! Hugging Face's `trainer_state.json`: the Trainer's `log_history`, in the output folder and in each checkpoint.
//!
//! One file is read: the output folder's own, else the newest checkpoint's. The step is `step`; `epoch` is a metric.
//! A training that went on from a checkpoint has that one's rows before its own: those are left out. The training
//! arguments lie in a pickle, which is never read; what the state itself holds of them becomes params.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::journal::event::Step;
use crate::ops::record::files::json_text;
use crate::ops::record::known::json_rows::Objects;
use crate::ops::record::known::out::Out;
use crate::ops::record::known::{Source, json_rows};
use crate::run::value::{Table, Value};

const FILE: &str = "trainer_state.json";

const PARAMS: &[&str] =
    &["num_train_epochs", "max_steps", "train_batch_size", "logging_steps", "eval_steps", "save_steps"];

const SUMMARY: &[&str] = &["best_metric", "best_global_step", "total_flos"];

/// The output folder.
pub fn source(file: &Path) -> Option<PathBuf> {
    let folder = if file.file_name()? == FILE { file.parent()? } else { return None };
    let is_checkpoint = checkpoint(folder).is_some();
    if is_checkpoint { folder.parent() } else { Some(folder) }.map(Path::to_owned)
}

/// The step of a checkpoint's folder.
fn checkpoint(folder: &Path) -> Option<u64> {
    folder.file_name()?.to_str()?.strip_prefix("checkpoint-")?.parse().ok()
}

/// Reads the rows, and what the state says of the training.
pub fn read(source: &Source, out: &mut Out) -> Result<()> {
    let order = |file: &&Path| file.parent().and_then(checkpoint).unwrap_or(u64::MAX);
    let Some(newest) = source.files.iter().map(|fresh| fresh.path.as_path()).max_by_key(order) else {
        return Ok(());
    };
    let state = State::read(newest)?;
    let of = |keys: &'static [&str]| keys.iter().filter_map(|key| Some((*key, state.fields.get(*key)?)));
    let params = of(PARAMS).filter(|(_, value)| **value != Value::Null);
    out.params(params.map(|(key, value)| (key.to_owned(), value.clone())).collect())?;
    let known = continued(source);
    let before = known.iter().map(|rows| common(rows, &state.rows)).max().unwrap_or_default();
    if before > 0 {
        out.note(&format!("{before} rows of the checkpoint that it went on from were left out"));
    }
    for row in &state.rows[before..] {
        let step = row.get("step").and_then(json_rows::number).map_or(Step::Nowhere, Step::At);
        let values = json_rows::flatten(row, "/").into_iter().filter(|(name, _)| name != "step");
        out.points(None, step, values.collect::<Vec<_>>())?;
    }
    out.summary(of(SUMMARY).filter_map(|(key, value)| Some((key.to_owned(), json_rows::number(value)?))))?;
    out.lose(state.unreadable, "row", "not readable");
    if state.is_torn {
        out.note(&format!(
            "'{}' is not whole: what follows its readable rows was left out",
            source.name(newest)
        ));
    }
    Ok(())
}

/// The rows of checkpoints that were there before.
fn continued(source: &Source) -> Vec<Vec<Table>> {
    let children = fs::read_dir(&source.path).into_iter().flatten().flatten().map(|child| child.path());
    let states = children.filter(|folder| checkpoint(folder).is_some()).map(|folder| folder.join(FILE));
    let old = states.filter(|file| file.is_file() && !source.is_fresh(file));
    old.filter_map(|file| State::read(&file).ok()).map(|state| state.rows).collect()
}

/// How many rows both begin with; NaN is like NaN.
fn common(old: &[Table], new: &[Table]) -> usize {
    old.iter().zip(new).take_while(|(old, new)| format!("{old:?}") == format!("{new:?}")).count()
}

struct State {
    fields: Table,
    rows: Vec<Table>,
    unreadable: u64,
    is_torn: bool,
}

impl State {
    fn read(file: &Path) -> Result<Self> {
        let text = json_rows::text(file)?;
        let mut state = Self { fields: Table::new(), rows: Vec::new(), unreadable: 0, is_torn: false };
        if let Ok(Value::Table(mut fields)) = json_text::read(&text) {
            let rows = fields.shift_remove("log_history");
            let rows = rows.as_ref().and_then(Value::as_list).unwrap_or_default();
            state.rows = rows.iter().filter_map(Value::as_table).cloned().collect();
            state.unreadable = (rows.len() - state.rows.len()) as u64;
            state.fields = fields;
            return Ok(state);
        }
        state.is_torn = true;
        if let Some((_, history)) = text.split_once("\"log_history\"") {
            let history = history.trim_start().trim_start_matches(':').trim_start().trim_start_matches('[');
            let mut objects = Objects::new(history, true);
            state.rows = objects.by_ref().map(|(row, _)| row).collect();
            state.unreadable = objects.unreadable;
        }
        Ok(state)
    }
}
