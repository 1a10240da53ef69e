//! All integration tests, in one binary so that they link once.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

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
mod man;
mod output;
mod protocol;
mod python;
mod query;
mod reliability;
mod scale;
mod sharing;
mod store;
mod support;
