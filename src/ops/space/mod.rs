//! Space: what the repository's runs take, and what of it can go.

pub mod elsewhere;
pub mod gc;
pub mod maintenance;
pub mod purge;
pub mod survey;
pub mod usage;
