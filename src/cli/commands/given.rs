//! What a run may be given on the command line, for the commands that record.
//!
//! Knows how it is typed; what is made of it is `ops::record`'s.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueHint};

use crate::ops::record::{Options, key_value};

/// What a run is given when it begins.
#[derive(Args)]
pub struct Given {
    /// Name the run; one is made up otherwise
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// The experiment it belongs to
    #[arg(short = 'e', long, value_name = "NAME")]
    experiment: Option<String>,

    /// The group it belongs to
    #[arg(long, value_name = "NAME")]
    group: Option<String>,

    /// The run that this one belongs under
    #[arg(long, value_name = "RUN")]
    parent: Option<String>,

    /// Add an attempt to the run with this key, the same in every clone
    #[arg(long, value_name = "KEY")]
    run_key: Option<String>,

    /// Add an attempt to a run that is here: go on where it broke off
    #[arg(long, value_name = "RUN", conflicts_with = "run_key")]
    resume: Option<String>,

    /// A tag, bare or key=value
    #[arg(short = 't', long, value_name = "TAG")]
    tag: Vec<String>,

    /// A note
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    note: Vec<String>,

    /// A param; dots nest, values are typed
    #[arg(short = 'p', long = "param", value_name = "KEY=VALUE", allow_hyphen_values = true)]
    param: Vec<String>,

    /// A TOML, YAML or JSON file of params
    #[arg(long = "params", value_name = "FILE", value_hint = ValueHint::FilePath)]
    params: Vec<PathBuf>,

    /// A file or folder that the run reads, kept by digest
    #[arg(long, value_name = "[NAME=]PATH", value_hint = ValueHint::AnyPath)]
    input: Vec<OsString>,
}

/// What a run has produced when it ends.
#[derive(Args)]
pub struct Produced {
    /// A metric
    #[arg(short = 'm', long = "metric", value_name = "KEY=VALUE", allow_hyphen_values = true)]
    metric: Vec<String>,

    /// A TOML, YAML or JSON file of metrics, read when the run has ended
    #[arg(long = "metrics", value_name = "FILE", value_hint = ValueHint::FilePath)]
    metrics: Vec<PathBuf>,

    /// A file, folder or glob that the run produces
    #[arg(short = 'a', long = "artifact", value_name = "PATH|GLOB", value_hint = ValueHint::AnyPath)]
    artifact: Vec<PathBuf>,
}

/// With what care a run is recorded.
#[derive(Args)]
pub struct Care {
    /// Write the run's id to FILE when it begins
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    id_file: Option<PathBuf>,

    /// Fail if anything cannot be recorded as asked
    #[arg(long)]
    strict: bool,

    /// Take no snapshot of changed code
    #[arg(long)]
    no_snapshot: bool,

    /// Leave untracked files out of the snapshot
    #[arg(long)]
    no_untracked: bool,
}

impl Given {
    /// Adds it to what is to be recorded.
    pub fn add_to(self, options: &mut Options) -> Result<()> {
        options.name = self.name;
        options.experiment = self.experiment;
        options.group = self.group;
        options.parent = self.parent;
        options.key = self.run_key;
        options.resume = self.resume;
        options.tags = self.tag;
        options.notes = self.note;
        options.params =
            self.param.iter().map(|text| key_value::parse_param(text)).collect::<Result<_, _>>()?;
        options.params_files = self.params;
        options.inputs = self.input;
        Ok(())
    }
}

impl Produced {
    /// Adds it to what is to be recorded.
    pub fn add_to(self, options: &mut Options) -> Result<()> {
        options.metrics =
            self.metric.iter().map(|text| key_value::parse_metric(text)).collect::<Result<_, _>>()?;
        options.metrics_files = self.metrics;
        options.artifacts = self.artifact;
        Ok(())
    }
}

impl Care {
    /// Adds it to what is to be recorded.
    pub fn add_to(self, options: &mut Options) {
        options.id_file = self.id_file;
        options.strict = self.strict;
        options.no_snapshot = self.no_snapshot;
        options.no_untracked = self.no_untracked;
    }
}
