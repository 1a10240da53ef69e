//! `git xtrack plot`: draws metrics and params of runs.

mod figures;
mod output;
mod words;

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::Session;
use crate::cli::commands::plot::output::Output;
use crate::error::Problem;
use crate::view::plot::{Axes, Reach};

/// Draw metrics and params of runs
///
/// Names of metrics come first, those of runs after them; `--` parts them where a name could be both. Without a run the
/// latest one started in this clone is drawn, or all runs where a dot or a bar stands for each. The plot is drawn in the
/// terminal, or written as SVG, PNG or a page that opens offline. docs/plots.md shows them all.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack plot loss                                  Of the latest run
  git xtrack plot train/loss val/loss quiet-otter       Two metrics of a run
  git xtrack plot loss @ @~1 --log-y --smooth 0.9       Two runs
  git xtrack plot loss --where 'params.lr < 0.1' --group-by lr    Mean and spread of each group
  git xtrack plot 'train/*' @ --x time --panels         Metrics by pattern, a plot each
  git xtrack plot loss @ --html loss.html               A page to zoom in
  git xtrack plot --kind scatter lr acc --log-x         All runs, a dot each
  git xtrack plot --kind parallel --where 'acc > 0.5'   Params that vary, and the primary metric
  git xtrack plot --kind bar acc --group-by optimizer   Means with their spread
  git xtrack plot roc @ @~1                             A curve that the runs logged")]
pub struct Args {
    /// Metrics (or what else was logged: curves, confusion matrices, histograms, tables), then runs
    #[arg(value_name = "METRIC|RUN")]
    words: Vec<String>,

    /// Runs, whatever they are called
    #[arg(last = true, value_name = "RUN")]
    runs: Vec<String>,

    /// Draw this metric or field; then all other names are of runs
    #[arg(short, long = "metric", value_name = "METRIC")]
    metrics: Vec<String>,

    /// Take the runs that this holds of: `metrics.acc > 0.9 and params.lr = 0.1`
    #[arg(long = "where", value_name = "QUERY")]
    query: Option<String>,

    /// Order the runs by a field, `-` before it the largest first
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    sort: Vec<String>,

    /// Draw at most COUNT runs, the first in that order
    #[arg(short = 'n', long, value_name = "COUNT")]
    count: Option<usize>,

    /// What to draw
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Option<Kind>,

    /// What stands across: `step`, `time`, `relative` (since the run began), or a metric
    #[arg(long, value_name = "X")]
    x: Option<String>,

    /// Make each power of ten across as long as the next
    #[arg(long)]
    log_x: bool,

    /// Make each power of ten upwards as long as the next
    #[arg(long)]
    log_y: bool,

    /// Smooth lines as TensorBoard does, from 0 to below 1; what they were stays behind them, faint
    #[arg(long, value_name = "WEIGHT", value_parser = weight)]
    smooth: Option<f64>,

    /// Draw only this part of the x axis: `100:200`, `100:`, `:200`
    #[arg(long, value_name = "FROM:TO", value_parser = part, allow_hyphen_values = true)]
    range: Option<(f64, f64)>,

    /// Draw only this part of the y axis; `all` for all of it, however far some values are off
    #[arg(long, value_name = "FROM:TO|all", value_parser = reach, allow_hyphen_values = true)]
    y_range: Option<Reach>,

    /// Draw the mean of the runs that agree in this field, and how far they spread
    #[arg(long, value_name = "FIELD")]
    group_by: Vec<String>,

    /// Call the runs by this field instead of their names
    #[arg(long, value_name = "FIELD")]
    label: Vec<String>,

    /// Give each metric a plot of its own
    #[arg(long)]
    panels: bool,

    /// Draw so many columns of a histogram
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=60))]
    bins: Option<u16>,

    /// Draw what was logged at this step, of curves, matrices and the like; the last otherwise
    #[arg(long, value_name = "STEP", allow_hyphen_values = true)]
    step: Option<f64>,

    /// Draw a curve that the runs logged (`log_curve`)
    #[arg(long, value_name = "NAME", conflicts_with_all = ["kind", "metrics"])]
    curve: Option<String>,

    /// Draw a confusion matrix that the runs logged
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "confusion_matrix", conflicts_with_all = ["kind", "metrics", "curve"])]
    confusion: Option<String>,

    /// Draw a histogram that the runs logged (`log_histogram`)
    #[arg(long, value_name = "NAME", conflicts_with_all = ["kind", "metrics", "curve", "confusion"])]
    histogram: Option<String>,

    /// Draw a table that the runs logged (`log_table`)
    #[arg(long, value_name = "NAME", conflicts_with_all = ["kind", "metrics", "curve", "confusion", "histogram"])]
    table: Option<String>,

    #[command(flatten)]
    output: Output,
}

/// What can be drawn of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Metrics over steps or time
    Line,
    /// One field over another, a dot a run
    Scatter,
    /// Several fields at once, a line a run
    Parallel,
    /// How a field is spread over the runs
    Histogram,
    /// A bar a run
    Bar,
}

fn weight(text: &str) -> Result<f64, String> {
    let weight = text.parse().ok().filter(|weight| (0.0..1.0).contains(weight));
    weight.ok_or_else(|| "write a number from 0 to below 1, such as 0.9".to_owned())
}

fn part(text: &str) -> Result<(f64, f64), String> {
    let end = |text: &str, open: f64| if text.is_empty() { Some(open) } else { text.parse().ok() };
    let ends = text
        .split_once(':')
        .and_then(|(from, to)| Some((end(from, f64::NEG_INFINITY)?, end(to, f64::INFINITY)?)));
    ends.filter(|(from, to)| from < to)
        .ok_or_else(|| "write FROM:TO with FROM below TO, such as 100:200, or 100:".to_owned())
}

fn reach(text: &str) -> Result<Reach, String> {
    match text {
        "all" => Ok(Reach::All),
        _ => {
            let (low, high) = part(text)?;
            let is_whole = low.is_finite() && high.is_finite();
            is_whole
                .then_some(Reach::Between(low, high))
                .ok_or_else(|| "write both ends, such as 0:1, or 'all'".to_owned())
        }
    }
}

impl Args {
    fn axes(&self) -> Axes {
        let (log_x, log_y) = (self.log_x, self.log_y);
        Axes { log_x, log_y, x: self.range, y: self.y_range.unwrap_or_default() }
    }

    /// What the runs logged that is to be drawn, if it is named as such, and its kind.
    fn thing(&self) -> Option<(&str, &'static str)> {
        let named = [
            (&self.curve, "curve"),
            (&self.confusion, "confusion_matrix"),
            (&self.histogram, "histogram"),
            (&self.table, "table"),
        ];
        named.into_iter().find_map(|(name, kind)| Some((name.as_deref()?, kind)))
    }

    fn check(&self) -> Result<(), Problem> {
        let over_runs =
            matches!(self.kind, Some(Kind::Scatter | Kind::Parallel | Kind::Histogram | Kind::Bar));
        let only_lines =
            [("--smooth", self.smooth.is_some()), ("--x", self.x.is_some()), ("--panels", self.panels)];
        if let Some((flag, _)) = only_lines.iter().find(|(_, is_given)| over_runs && *is_given) {
            return Err(
                Problem::usage(format!("'{flag}' is for lines")).hint("leave it out, or draw '--kind line'")
            );
        }
        if matches!(self.kind, Some(Kind::Parallel | Kind::Histogram)) && !self.group_by.is_empty() {
            return Err(Problem::usage("'--group-by' is for lines, bars and dots")
                .hint("leave it out, or draw '--kind bar'"));
        }
        if self.bins.is_some() && self.kind != Some(Kind::Histogram) {
            return Err(Problem::usage("'--bins' is for histograms of runs").hint("add '--kind histogram'"));
        }
        self.output.check()
    }
}

/// Draws the plot.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    args.check()?;
    let tracker = session.tracker()?;
    let figures = figures::of(&args, &tracker, session)?;
    args.output.write(session, &tracker.store, &figures)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_axes_are_read() {
        assert_eq!(part("1:2"), Ok((1.0, 2.0)));
        assert_eq!(part("-1e3:"), Ok((-1000.0, f64::INFINITY)));
        assert_eq!(part(":5"), Ok((f64::NEG_INFINITY, 5.0)));
        for wrong in ["", "1", "2:1", "a:b", "1:1", "nan:1"] {
            assert!(part(wrong).is_err(), "{wrong}");
        }
        assert_eq!(reach("all"), Ok(Reach::All));
        assert!(reach("1:").is_err());
        assert!(weight("1").is_err() && weight("-0.1").is_err() && weight("nan").is_err());
        assert_eq!(weight("0.9"), Ok(0.9));
    }
}
