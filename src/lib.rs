//! `git xtrack`, a serverless experiment tracker: every run of a training is a commit under `refs/runs/*`.
//!
//! The layers, lowest first; a module uses only those above it in this table (`tests/layers.rs` checks that).
//!
//! | module | what it is | what it owns on disk |
//! |---|---|---|
//! | [`error`], [`human`] | failures and their hints; durations, sizes, "did you mean" | |
//! | [`series`] | the points of metrics | `metrics/*.tsv` of a record |
//! | [`statistics`] | intervals, tests, which inputs mattered: plain numbers in and out | |
//! | [`run`] | what a run is: facts, edits, how copies join, what they come to | every other file of a record |
//! | [`query`] | the query language: what may be asked of runs | |
//! | [`render`] | reports as terminal text, Markdown, CSV | |
//! | [`config`] | settings as types | `xtrack.toml`, git config `xtrack.*` |
//! | [`journal`] | what a run in progress appends to | `<common git dir>/xtrack/live/` |
//! | [`store`] | runs and code as git keeps them; the only user of `gix` | `refs/runs/*`, `refs/xtrack/*`, `<common git dir>/xtrack/{tmp-…,refused}` |
//! | [`artifact`] | bytes named by their sha256 | `<common git dir>/xtrack/objects/` |
//! | [`index`] | a cache of what the store says, in SQLite | `<common git dir>/xtrack/index.sqlite` |
//! | [`tracker`] | the opened repository: joins those above, names and loads runs | `<common git dir>/xtrack/{recorded,hidden}` |
//! | [`ops`] | use cases: record, edit, select, init, demo | |
//! | [`view`] | answers: the JSON contract, and reports | |
//! | [`cli`] | the command line; all printing | |
//!
//! `run`, `series`, `render` and `view` are pure: no I/O, no clock, no randomness. Begin with [`run`], then
//! [`ops::record`]; `docs/format.md` is what lies on disk, `docs/architecture.md` the longer map.

pub mod artifact;
pub mod cli;
pub mod config;
pub mod error;
pub mod human;
pub mod index;
pub mod journal;
pub mod ops;
pub mod query;
pub mod render;
pub mod run;
pub mod series;
pub mod statistics;
pub mod store;
pub mod tracker;
pub mod view;
