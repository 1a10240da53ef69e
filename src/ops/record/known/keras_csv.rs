//! Keras' `CSVLogger`: a file `*.csv` or `*.log` whose first column is `epoch`; also any CSV file that was asked for by
//! its path.
//!
//! The step is the column `epoch`, or `step` and its like where a file has one; rows without any count from 0. `NA`
//! and text are no values.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::ops::record::known::out::Out;
use crate::ops::record::known::{Source, csv};

/// The file itself, if its first column is `epoch`.
pub fn source(file: &Path) -> Option<PathBuf> {
    let is_table = ["csv", "log"].iter().any(|ending| file.extension().is_some_and(|given| given == *ending));
    let header = if is_table { csv::header(file)? } else { return None };
    (header.len() > 1 && header[0] == "epoch").then(|| file.to_owned())
}

/// Reads rows.
pub fn read(source: &Source, out: &mut Out) -> Result<()> {
    source.files.iter().try_for_each(|fresh| csv::read(fresh, out, None, &str::to_owned))
}
