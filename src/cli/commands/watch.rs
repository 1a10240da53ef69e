//! `git xtrack watch`: follows runs in progress in the terminal.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::cli::Session;
use crate::human;
use crate::ops::live::watch::Watch;
use crate::render::terminal::{self, Terminal};
use crate::view;

/// Follow runs in progress
///
/// Shows how far each run is, its latest metrics and their course, until the runs have ended. Where the output is no
/// terminal, one frame is printed, and another whenever something changed.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack watch                  All runs in progress in this clone
  git xtrack watch quiet-otter      One of them
  git xtrack watch --once           How they stand now")]
pub struct Args {
    /// The run; all that are in progress if absent
    #[arg(value_name = "RUN")]
    run: Option<String>,

    /// Print one frame and end
    #[arg(long)]
    once: bool,

    /// Look every TIME
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    every: Duration,
}

fn interval(text: &str) -> Result<Duration, String> {
    let least = Duration::from_millis(50);
    human::parse_duration(text)
        .filter(|every| *every >= least)
        .ok_or_else(|| "write '1s' or '500ms'".to_owned())
}

/// Watches until the runs have ended.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let wanted = args.run.as_deref().map(|name| tracker.resolve(name)).transpose()?;
    let mut watch = Watch::new(wanted);
    let terminal = Terminal { width: session.width, colour: session.takes_colour(&tracker.store) };
    let is_terminal = std::io::stdout().is_terminal() && !args.once;
    let mut shown = String::new();
    loop {
        let runs = watch.look(&tracker)?;
        if runs.is_empty() {
            return Err(Watch::nothing().into());
        }
        let have_ended = runs.values().all(|followed| followed.has_ended);
        let report = view::watch::frame(runs.values(), tracker.config.primary.as_deref(), tracker.now());
        let frame = terminal::write(&report, &terminal);
        if frame != shown {
            session.out(&if is_terminal { over(&shown, &frame) } else { frame.clone() })?;
            shown = frame;
        }
        if have_ended || args.once {
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(args.every);
    }
}

/// The frame, written over the one before.
fn over(before: &str, frame: &str) -> String {
    let up = match before.lines().count() {
        0 => String::new(),
        lines => format!("\x1b[{lines}F"),
    };
    // Each line clears what is left of the old one; what stood below it goes too.
    let lines: String = frame.lines().map(|line| format!("{line}\x1b[K\n")).collect();
    format!("{up}{lines}\x1b[J")
}
