//! How `log` looks at the runs: a view of the settings, and over it what was typed.

use crate::cli::commands::log::Args;
use crate::config::Config;
use crate::error::Problem;
use crate::human;

/// Which runs, in which order, with what, grouped by what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// A question.
    pub query: Option<String>,
    /// Fields, `-` before one the largest first.
    pub sort: Vec<String>,
    /// Columns.
    pub columns: Vec<String>,
    /// Fields.
    pub group_by: Vec<String>,
    /// At most how many.
    pub count: Option<usize>,
}

impl Look {
    /// What was typed, and where nothing was, what the view says.
    pub fn of(args: &Args, config: &Config) -> Result<Self, Problem> {
        let view = match &args.view {
            Some(name) => config.views.get(name).cloned().ok_or_else(|| unknown(name, config))?,
            None => Default::default(),
        };
        let typed = |words: &[String], otherwise: Vec<String>| match words.is_empty() {
            true => otherwise,
            false => words.iter().flat_map(|word| human::parts(word)).collect(),
        };
        Ok(Self {
            query: args.query.clone().or(view.condition),
            sort: typed(&args.sort, view.sort),
            columns: typed(&args.columns, view.columns),
            group_by: typed(&args.group_by, view.group_by),
            count: args.count.or(view.count),
        })
    }
}

fn unknown(name: &str, config: &Config) -> Problem {
    let problem = Problem::usage(format!("there is no view '{}'", name.escape_debug()));
    let known = || config.views.keys().map(String::as_str);
    match (human::nearest(name, known()), known().next()) {
        (Some(nearest), _) => problem.hint(format!("did you mean '{nearest}'?")),
        (None, Some(_)) => problem.hint(format!("the views are {}", known().collect::<Vec<_>>().join(", "))),
        (None, None) => problem.hint("views are told in xtrack.toml: `[view.NAME]`, see docs/settings.md"),
    }
}
