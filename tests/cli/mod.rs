//! Each command as a user meets it: its output, its JSON, its errors and hints, its exit code.

mod adopt;
mod begin;
mod checkpoint;
mod console;
mod diff;
mod edit;
mod environment;
mod harvest;
mod help;
mod hostile;
mod log;
mod record;
mod recover;
mod resume;
mod series;
mod show;
mod status;
mod system;
mod watch;
