//! Use cases: functions of the opened repository and what is asked for, that return what they did. Nothing here prints.

pub mod artifact;
pub mod baseline;
pub mod check;
pub mod code;
pub mod console;
pub mod demo;
pub mod done;
pub mod edit;
pub mod importance;
pub mod init;
pub mod live;
pub mod names;
pub mod operation;
pub mod plot;
pub mod points;
pub mod ranking;
pub mod record;
pub mod select;
pub mod series;
pub mod space;
pub mod sync;
pub mod things;
