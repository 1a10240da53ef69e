//! All integration tests, in one binary so that they link once.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod cli;
mod demo;
mod docs;
mod format;
mod frameworks;
mod known;
mod layers;
mod man;
mod protocol;
mod python;
mod reliability;
mod sharing;
mod store;
mod support;
