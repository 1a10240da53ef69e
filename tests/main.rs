//! All integration tests, in one binary so that they link once.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod artifact;
mod cli;
mod completion;
mod demo;
mod docs;
mod format;
mod frameworks;
#[path = "../benches/generate/mod.rs"]
mod generate;
mod index;
mod json;
mod known;
mod layers;
mod maintenance;
mod man;
mod output;
mod protocol;
mod python;
mod query;
mod reliability;
mod scale;
mod sharing;
mod space;
mod store;
mod support;
