//! Lightning's `CSVLogger`: `metrics.csv`, most of whose cells are empty, and `hparams.yaml` beside it.
//!
//! The step is the column `step`; `epoch` is a metric, as Lightning logs it. Only cells that hold numbers are logged,
//! a row in one event.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::ops::record::files;
use crate::ops::record::known::out::Out;
use crate::ops::record::known::{Source, csv};

/// The file itself, if it has a column `step`.
pub fn source(file: &Path) -> Option<PathBuf> {
    let is_ours = file.file_name()? == "metrics.csv" && csv::header(file)?.iter().any(|name| name == "step");
    is_ours.then(|| file.to_owned())
}

/// Reads rows and hyperparameters.
pub fn read(source: &Source, out: &mut Out) -> Result<()> {
    let hyperparameters = source.path.with_file_name("hparams.yaml");
    if source.is_fresh(&hyperparameters) {
        match files::read_params("hparams.yaml", &fs::read(&hyperparameters)?) {
            Ok(params) => out.params(params)?,
            Err(problem) => out.note(&problem.message),
        }
    }
    for fresh in &source.files {
        csv::read(fresh, out, None, &str::to_owned)?;
    }
    Ok(())
}
