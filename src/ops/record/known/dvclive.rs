//! DVCLive's folder: histories in `plots/metrics/**/*.tsv`, last values in `metrics.json`, params in `params.yaml`, and
//! plots beside them.
//!
//! A history's name is its path, as DVCLive makes folders of the `/` in names; the step is the column `step`, the time
//! the column `timestamp` where there is one. Values in `metrics.json` that have no history are values without a step.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::ops::record::files;
use crate::ops::record::known::json_rows::Objects;
use crate::ops::record::known::out::Out;
use crate::ops::record::known::{Source, csv, json_rows};
use crate::ops::record::walk::{Links, walk};

/// The most plots that are taken.
const PLOTS_MAX: usize = 1_000;

/// The folder that a history or a `metrics.json` belongs to.
pub fn source(file: &Path) -> Option<PathBuf> {
    if file.extension()? == "tsv" {
        return folder(file);
    }
    let parent = file.parent()?;
    let is_ours = parent.file_name() == Some(OsStr::new("dvclive")) || parent.join("plots/metrics").is_dir();
    (file.file_name()? == "metrics.json" && is_ours).then(|| parent.to_owned())
}

/// What lies above `plots/metrics`.
fn folder(file: &Path) -> Option<PathBuf> {
    let metrics = file.ancestors().find(|above| above.ends_with("plots/metrics"))?;
    Some(metrics.parent()?.parent()?.to_owned())
}

/// Reads histories, last values, params and plots.
pub fn read(source: &Source, out: &mut Out) -> Result<()> {
    params(source, out)?;
    let below = source.path.join("plots/metrics");
    for fresh in source.files.iter().filter(|fresh| fresh.path.starts_with(&below)) {
        let Some(name) = history(&below, &fresh.path) else {
            out.leave_out("history", "its name is not UTF-8");
            continue;
        };
        // The column bears only the last part of the name.
        csv::read(fresh, out, Some("timestamp"), &|_| name.clone())?;
    }
    last_values(source, &below, out)?;
    plots(source, out)
}

fn history(below: &Path, file: &Path) -> Option<String> {
    Some(file.strip_prefix(below).ok()?.with_extension("").to_str()?.replace('\\', "/"))
}

fn params(source: &Source, out: &mut Out) -> Result<()> {
    let file = source.path.join("params.yaml");
    if !source.is_fresh(&file) {
        return Ok(());
    }
    match files::read_params("params.yaml", &fs::read(&file)?) {
        Ok(params) => out.params(params),
        Err(problem) => {
            out.note(&problem.message);
            Ok(())
        }
    }
}

fn last_values(source: &Source, below: &Path, out: &mut Out) -> Result<()> {
    let file = source.path.join("metrics.json");
    if !source.is_fresh(&file) {
        return Ok(());
    }
    let text = json_rows::text(&file)?;
    let mut objects = Objects::new(&text, false);
    let has_history = |name: &str| below.join(format!("{name}.tsv")).is_file();
    for (table, _) in objects.by_ref() {
        let values = json_rows::flatten(&table, "/").into_iter();
        out.summary(values.filter(|(name, _)| name != "step" && !has_history(name)).collect::<Vec<_>>())?;
    }
    if objects.unreadable > 0 || objects.torn > 0 {
        out.note("its metrics.json is not whole and was left out");
    }
    Ok(())
}

/// Images and plot data, which stay where they are until the record is made.
fn plots(source: &Source, out: &mut Out) -> Result<()> {
    let plots = source.path.join("plots");
    let Ok(found) = walk(&plots, Links::Inside) else {
        return Ok(());
    };
    let fresh =
        found.files.iter().filter(|file| !file.starts_with(plots.join("metrics")) && source.is_fresh(file));
    let mut taken = HashSet::new();
    for file in fresh {
        match taken.len() < PLOTS_MAX {
            true if taken.insert(file) => out.file(source.name(file), file)?,
            true => {}
            false => out.leave_out("plot", "over the limit"),
        }
    }
    Ok(())
}
