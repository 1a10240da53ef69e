//! Makes a repository of many runs, for others to measure: `cargo bench --bench repository -- RUNS FOLDER`.

mod generate;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::generate::Shape;

const USAGE: &str = "usage: cargo bench --bench repository -- RUNS FOLDER [--steps N] [--seed N] [--loose N] [--reftable]
makes a repository of RUNS runs (10 params, 5 metrics of N steps, 3 tags) in a new FOLDER; the last `--loose` refs are files";

#[allow(clippy::print_stdout)]
fn main() -> Result<()> {
    // Cargo adds `--bench`; without anything else there is nothing to do.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench").peekable();
    if arguments.peek().is_none_or(|first| first.starts_with('-')) {
        println!("{USAGE}");
        return Ok(());
    }
    let number = |text: Option<String>| -> Result<usize> {
        let text = text.context(USAGE)?;
        text.replace('_', "").parse().with_context(|| format!("{text:?} is no number\n{USAGE}"))
    };
    let mut shape = Shape { runs: number(arguments.next())?, ..Shape::default() };
    let folder = PathBuf::from(arguments.next().context(USAGE)?);
    while let Some(option) = arguments.next() {
        match option.as_str() {
            "--steps" => shape.steps = number(arguments.next())?,
            "--seed" => shape.seed = number(arguments.next())? as u64,
            "--loose" => shape.loose = number(arguments.next())?,
            "--reftable" => shape.reftable = true,
            _ => anyhow::bail!("{option:?} is no option\n{USAGE}"),
        }
    }
    let began = Instant::now();
    let made = generate::make(&shape, &folder)?;
    println!("{} runs in {:.1} s; {made:?}", shape.runs, began.elapsed().as_secs_f64());
    Ok(())
}
