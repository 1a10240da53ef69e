//! `git xtrack diff`: what differs between two runs, between a run and others, or between groups of runs.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use crate::cli::Session;
use crate::cli::choice;
use crate::cli::form::{Answer, Form};
use crate::error::{Kind, Problem};
use crate::ops::code;
use crate::ops::select::{self, Selected, Wanted};
use crate::query::{Field, Vocabulary};
use crate::run::Run;
use crate::tracker::Tracker;
use crate::view;
use crate::view::compare::CompareOptions;
use crate::view::compare::groups::split;
use crate::view::diff::groups::{self, GroupDiffOptions, Side};

/// Compare runs with one, or groups of runs: params, metrics, environment, inputs, code
///
/// Of two runs everything that differs is shown; of more, each beside the first. Two --where compare groups, as over
/// seeds: the means with their 95 % confidence intervals, and whether the difference is more than chance, as far as that
/// can be told at so many runs.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  git xtrack diff @~1 @                  The last two
  git xtrack diff quiet-otter @ --code   With the difference of their code
  git xtrack diff @~1 @ --md             For a pull request
  git xtrack diff quiet-otter @ @~1      Each of the others with the first
  git xtrack diff @ --where 'lr = 0.1'   The same with what a question finds
  git xtrack diff --where 'optimizer = sgd' --where 'optimizer = adam'
  git xtrack diff --where 'tags.sweep = a' --group-by optimizer -m accuracy")]
pub struct Args {
    /// The run to compare with, then those to compare [default of the second: @]
    #[arg(value_name = "RUN")]
    runs: Vec<String>,

    /// Compare groups: the runs of the first question with those of each other one
    #[arg(long = "where", value_name = "QUERY")]
    queries: Vec<String>,

    /// Compare groups of runs that have the same here, the first of them with each other one
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    group_by: Vec<String>,

    /// Of groups, compare only these metrics: fewer questions, surer answers
    #[arg(short = 'm', long = "metric", value_name = "NAME")]
    metrics: Vec<String>,

    /// Leave out what is the same
    #[arg(long)]
    only_changed: bool,

    /// Show the difference of the code
    #[arg(long)]
    code: bool,

    /// Show which files of the code differ, and by how much
    #[arg(long)]
    stat: bool,

    #[command(flatten)]
    form: Form,
}

/// What is compared with what.
enum Compared {
    Pair(Box<Run>, Box<Run>),
    /// The first with the others.
    Several(Vec<Run>),
    Groups(Side, Vec<Side>),
}

/// Compares the runs.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let compared = args.compared(session, &tracker)?;
    if (args.code || args.stat) && !matches!(compared, Compared::Pair(..)) {
        return Err(Problem::usage("the code of two runs is compared, not of more").into());
    }
    let answer = match compared {
        Compared::Pair(before, after) => args.pair(session, &tracker, &before, &after)?,
        Compared::Several(runs) => args.several(session, &tracker, &runs),
        Compared::Groups(before, others) => args.groups(&tracker, &before, &others),
    };
    args.form.print(session, &tracker.store, &answer)?;
    Ok(ExitCode::SUCCESS)
}

/// The fields of these names; of what only series say there is no group.
pub fn fields(names: &[String], known: &Vocabulary) -> Result<Vec<Field>> {
    let field = |name: &String| {
        let field = Field::parse(name, known)?;
        match is_of_series(&field) {
            true => Err(Problem::usage(format!(
                "runs cannot be grouped by '{name}', which only their series tell"
            ))
            .into()),
            false => Ok(field),
        }
    };
    names.iter().map(field).collect()
}

/// Whether only the series say what a run has there.
pub fn is_of_series(field: &Field) -> bool {
    matches!(field, Field::Metric(_, part) if part.is_of_series())
}

impl Args {
    fn compared(&self, session: &Session, tracker: &Tracker) -> Result<Compared> {
        let load = |name: &String| tracker.load(&tracker.resolve(name)?);
        if !self.group_by.is_empty() {
            return self.grouped(session, tracker);
        }
        match (self.runs.as_slice(), self.queries.as_slice()) {
            ([], []) => Err(Problem::usage("no run is named")
                .hint("name runs, or compare groups: `--where QUERY --where QUERY`")
                .into()),
            ([one], []) => match (load(one)?, load(&"@".to_owned())?) {
                (one, latest) if one.id == latest.id => {
                    Err(Problem::usage("that is the latest run, with which one run is compared")
                        .hint("name another: `git xtrack diff RUN RUN`")
                        .into())
                }
                (one, latest) => pair(one, latest),
            },
            ([one, other], []) => pair(load(one)?, load(other)?),
            (names, []) => Ok(Compared::Several(names.iter().map(load).collect::<Result<_>>()?)),
            ([], [_]) => Err(Problem::usage("one question is one group, with nothing to compare it with")
                .hint("ask for the other group by a second --where, or split it by --group-by FIELD")
                .into()),
            ([name], [query]) => {
                let first = load(name)?;
                let mut others = asked(session, tracker, Some(query), &[])?.loaded.runs;
                others.retain(|run| run.id != first.id);
                let others = others.iter().map(|run| tracker.load(&run.id)).collect::<Result<Vec<_>>>()?;
                match others.is_empty() {
                    true => Err(nothing(query)),
                    false => Ok(Compared::Several(std::iter::once(first).chain(others).collect())),
                }
            }
            ([], queries) => {
                let side = |query: &String| -> Result<Side> {
                    let runs = asked(session, tracker, Some(query), &[])?.loaded.runs;
                    match runs.is_empty() {
                        true => Err(nothing(query)),
                        false => Ok(Side { title: query.clone(), runs }),
                    }
                };
                let mut sides = queries.iter().map(side).collect::<Result<Vec<_>>>()?;
                match sides.as_slice() {
                    [one, other] if one.runs.len() == 1 && other.runs.len() == 1 => {
                        pair(tracker.load(&one.runs[0].id)?, tracker.load(&other.runs[0].id)?)
                    }
                    _ => Ok(Compared::Groups(sides.remove(0), sides)),
                }
            }
            _ => Err(Problem::usage("runs are named and asked for by several questions")
                .hint("name one run to compare others with, or ask for groups only")
                .into()),
        }
    }

    fn grouped(&self, session: &Session, tracker: &Tracker) -> Result<Compared> {
        if self.queries.len() > 1 {
            return Err(
                Problem::usage("groups are made by several --where, or by --group-by, not by both").into()
            );
        }
        let selected = asked(session, tracker, self.queries.first(), &self.runs)?;
        let groups = split(selected.loaded.runs, &fields(&self.group_by, &selected.known)?);
        let mut sides: Vec<Side> =
            groups.into_iter().map(|group| Side { title: group.title(), runs: group.runs }).collect();
        match sides.len() {
            0 => Err(Problem::usage("there is nothing to compare: no runs match").into()),
            1 => Err(Problem::usage(format!(
                "there is nothing to compare: all have the same {}",
                self.group_by.join(", ")
            ))
            .hint("`git xtrack compare --group-by …` shows the groups")
            .into()),
            _ => Ok(Compared::Groups(sides.remove(0), sides)),
        }
    }

    fn pair(&self, session: &Session, tracker: &Tracker, before: &Run, after: &Run) -> Result<Answer> {
        let colour = self.form.is_for_terminal() && session.takes_colour(&tracker.store);
        let between = |stat: bool| code::between(tracker, before, after, stat, colour);
        let options = view::diff::DiffOptions {
            only_changed: self.only_changed,
            code: self.code.then(|| between(false)).transpose()?,
            code_stat: self.stat.then(|| between(true)).transpose()?,
        };
        let report = view::diff::diff(before, after, &options);
        Ok(Answer { report, exact: None, json: view::diff::to_json(before, after) })
    }

    fn several(&self, session: &Session, tracker: &Tracker, runs: &[Run]) -> Answer {
        let options = CompareOptions {
            now: tracker.now(),
            primary: tracker.config.primary.clone(),
            all: false,
            width: if self.form.is_for_terminal() { session.width } else { usize::MAX },
            with_first: true,
        };
        let (first, others) = runs.split_first().expect("runs that are compared are several");
        let others: Vec<_> = others.iter().map(|other| view::diff::to_json(first, other)).collect();
        Answer {
            report: view::compare::compare(runs, &options),
            exact: Some(view::compare::exact::exact(runs, &options)),
            json: json!({"format": view::run::FORMAT, "differences": others}),
        }
    }

    fn groups(&self, tracker: &Tracker, before: &Side, others: &[Side]) -> Answer {
        let options = GroupDiffOptions {
            primary: tracker.config.primary.clone(),
            metrics: self.metrics.clone(),
            only_changed: self.only_changed,
        };
        Answer {
            report: groups::diff(before, others, &options),
            exact: Some(groups::exact(before, others, &options)),
            json: groups::to_json(before, others, &options),
        }
    }
}

fn pair(before: Run, after: Run) -> Result<Compared> {
    Ok(Compared::Pair(Box::new(before), Box::new(after)))
}

fn asked(session: &Session, tracker: &Tracker, query: Option<&String>, names: &[String]) -> Result<Selected> {
    let wanted = Wanted { names: names.to_vec(), query: query.cloned(), ..Wanted::default() };
    let selected = select::select(tracker, &wanted)?;
    choice::tell(session, &selected);
    Ok(selected)
}

fn nothing(query: &str) -> anyhow::Error {
    Problem::new(format!("no runs match '{query}'")).of(Kind::NotFound).into()
}
