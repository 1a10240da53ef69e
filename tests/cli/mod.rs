//! Each command as a user meets it: its output, its JSON, its errors and hints, its exit code.

mod diff;
mod edit;
mod help;
mod log;
mod record;
mod show;
