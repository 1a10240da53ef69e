//! Each command as a user meets it: its output, its JSON, its errors and hints, its exit code.

mod adopt;
mod baseline;
mod begin;
mod checkpoint;
mod compare;
mod console;
mod diff;
mod done;
mod edit;
mod environment;
mod harvest;
mod help;
mod hostile;
mod importance;
mod index;
mod leaderboard;
mod log;
mod record;
mod recover;
mod resume;
mod series;
mod show;
mod sql;
mod status;
mod system;
mod watch;
