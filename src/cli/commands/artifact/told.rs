//! What is said of artifacts that move, or would: the same words whichever way they go.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::{Exit, Session};
use crate::ops::artifact::Held;
use crate::ops::artifact::moves::{Moved, Plan};
use crate::view;
use crate::view::artifact::Way;

/// How it is told.
pub(super) struct Told<'a> {
    pub session: &'a Session,
    /// The artifacts that were chosen.
    pub artifacts: &'a [Held],
    /// The store, as people know it.
    pub shown: &'a str,
    pub way: Way,
    pub json: bool,
}

impl Told<'_> {
    /// Tells what would move.
    pub fn plan(&self, plan: &Plan) -> Result<ExitCode> {
        match self.json {
            true => {
                let json = view::artifact::planned_json(self.artifacts, plan, self.shown, self.way);
                self.session.json(&json)?;
            }
            false => self.note(&view::artifact::planned(plan, self.shown, self.way)),
        }
        self.warn(&view::artifact::faults(self.artifacts, &plan.missing, &plan.refused));
        Ok(ExitCode::SUCCESS)
    }

    /// Tells what moved; it fails unless all did that were chosen, and all runs could be read.
    pub fn moved(&self, moved: &Moved, is_whole: bool) -> Result<ExitCode> {
        match self.json {
            true => {
                let json = view::artifact::moved_json(self.artifacts, moved, self.shown, self.way);
                self.session.json(&json)?;
            }
            false => self.note(&view::artifact::moved(moved, self.shown, self.way)),
        }
        self.warn(&view::artifact::faults(self.artifacts, &moved.missing, &moved.failed));
        let is_whole = is_whole && moved.failed.is_empty() && moved.missing.is_empty();
        Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(Exit::Failed as u8) })
    }

    fn note(&self, lines: &[String]) {
        lines.iter().for_each(|line| self.session.note(line));
    }

    fn warn(&self, lines: &[String]) {
        lines.iter().for_each(|line| self.session.warn(line));
    }
}
