//! Use cases: functions of the opened repository and what is asked for, that return what they did. Nothing here prints.

pub mod code;
pub mod console;
pub mod demo;
pub mod edit;
pub mod init;
pub mod live;
pub mod record;
pub mod select;
pub mod series;
