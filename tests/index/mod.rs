//! The index: its answers are those of the runs themselves, whatever happened to refs, runs and to its own file.

mod history;
mod law;
mod robust;
