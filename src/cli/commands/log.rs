//! `git xtrack log`: the runs, the newest first, or as a question, an order and columns ask for them.

mod look;

use std::collections::{BTreeSet, HashMap};
use std::process::ExitCode;

use anyhow::Result;
use serde_json::Value as Json;

use crate::cli::commands::log::look::Look;
use crate::cli::form::{Form, Shape};
use crate::cli::{Session, choice};
use crate::error::Problem;
use crate::human;
use crate::ops::ranking::{self, Ranking};
use crate::ops::select::{self, Selected, Wanted};
use crate::ops::{baseline, done, points};
use crate::query::order::Order;
use crate::query::{Field, Part};
use crate::run::Run;
use crate::run::attempt::Number;
use crate::run::id::RunId;
use crate::tracker::Tracker;
use crate::view;
use crate::view::against::Against;
use crate::view::columns::{self, Around, Content};
use crate::view::group::{self, GroupOptions};

/// List runs, the newest first
///
/// Runs tagged `pin` stay on top. What --where, --sort, --columns and --group-by take is told in docs/query.md.
#[derive(clap::Args, Default)]
#[command(after_help = "\
Examples:
  git xtrack log -n 10                        The ten newest
  git xtrack log --where 'accuracy > 0.9 and params.lr = 0.1' --sort -accuracy,lr
  git xtrack log --best -n 5                  By the primary metric
  git xtrack log --columns 'id,name,metrics.*,params.lr,spark(loss)'
  git xtrack log --group-by lr,model.depth    Mean, spread and best over seeds
  git xtrack log --against baseline           With the differences to the baseline
  git xtrack log --duplicates                 What was run more than once
  git xtrack log --view good                  As `[view.good]` of xtrack.toml has it
  git xtrack log main..HEAD                   The runs of this branch's code, rebased ones included
  git xtrack log -- src/model.py              The runs whose code changed that file
  git xtrack log --json | jq '.[].id'         For programs")]
pub struct Args {
    /// Keep runs whose code lies in this range, as `git log` reads it
    #[arg(value_name = "REVISION-RANGE", allow_hyphen_values = false)]
    range: Option<String>,

    /// Keep runs that this holds of
    #[arg(long = "where", value_name = "QUERY")]
    query: Option<String>,

    /// Show at most N runs, besides pinned ones; with --group-by, N groups
    #[arg(short = 'n', long = "max-count", value_name = "N")]
    count: Option<usize>,

    /// Keep runs of this experiment
    #[arg(long, short = 'e', value_name = "NAME")]
    experiment: Option<String>,

    /// Keep runs of mine
    #[arg(long, conflicts_with = "user")]
    mine: bool,

    /// Keep runs of this person: part of a name or mail
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// Sort by metrics, params or attributes, the first that differs deciding; `-FIELD` the largest first
    #[arg(long, value_name = "[-]FIELD,…", allow_hyphen_values = true)]
    sort: Vec<String>,

    /// Show the best runs first, by the primary metric or this one; those without it are left out
    #[arg(long, value_name = "METRIC", num_args = 0..=1, require_equals = true, conflicts_with = "sort")]
    best: Option<Option<String>>,

    /// Show these columns: fields and globs of them, `age`, and `spark(METRIC)`, its course
    #[arg(long, value_name = "FIELD,…")]
    columns: Vec<String>,

    /// Show groups of runs that have the same there, with count, mean ± deviation, best, min and max of each metric
    #[arg(long, value_name = "FIELD,…", conflicts_with_all = ["oneline", "against"])]
    group_by: Vec<String>,

    /// Show the differences to this run, or to each experiment's `baseline`
    #[arg(long, value_name = "RUN")]
    against: Option<String>,

    /// Take the options of a view in xtrack.toml; those that are typed replace its own
    #[arg(long, value_name = "NAME")]
    view: Option<String>,

    /// Show the runs that did what others did: the same code, command, params and inputs
    #[arg(long, conflicts_with_all = ["group_by", "oneline", "best", "deleted"])]
    duplicates: bool,

    /// Show the deleted and hidden runs instead
    #[arg(long)]
    deleted: bool,

    /// Print a line each: id, name, status, the main metric
    #[arg(long, group = "form", help_heading = "Form of the output")]
    oneline: bool,

    #[command(flatten)]
    form: Form,

    /// Keep runs whose code changed one of these paths
    #[arg(last = true, value_name = "PATH")]
    paths: Vec<String>,
}

/// Lists the runs.
pub fn run(args: Args, session: &Session) -> Result<ExitCode> {
    let tracker = session.tracker()?;
    let look = Look::of(&args, &tracker.config)?;
    let ranking = args.best.as_ref().map(|metric| ranking::by(&tracker, metric.as_deref())).transpose()?;
    let mut wanted = args.wanted(&tracker, &look, ranking.as_ref());
    let alike = if args.duplicates { done::duplicates(&tracker)? } else { Vec::new() };
    if args.duplicates {
        wanted.names = alike.iter().flatten().map(|id| id.as_str().to_owned()).collect();
        // No name at all would mean every run.
        wanted.count = alike.is_empty().then_some(0);
    }
    let mut selected = select::select(&tracker, &wanted)?;
    choice::tell(session, &selected);
    if let Some(ranking) = &ranking {
        selected.loaded.runs.retain(|run| is_ranked(run, &ranking.metric));
    }
    let list = List { args: &args, look: &look, tracker: &tracker, session, selected: &selected };
    match () {
        () if args.duplicates => list.print_alike(&alike)?,
        () if look.group_by.is_empty() => list.print_runs()?,
        () => list.print_groups()?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn wanted(&self, tracker: &Tracker, look: &Look, ranking: Option<&Ranking>) -> Wanted {
        // Whole, as it stands in `name <mail>`: others' mails may end the same.
        let mine = self.mine.then(|| format!("<{}>", tracker.store.identity().mail));
        let is_grouped = !look.group_by.is_empty() || self.duplicates;
        let best = ranking.map(Ranking::sort);
        Wanted {
            names: Vec::new(),
            query: look.query.clone(),
            range: self.range.clone(),
            paths: self.paths.clone(),
            experiment: self.experiment.clone(),
            user: self.user.clone().or(mine),
            deleted: self.deleted,
            sort: best.map_or_else(|| look.sort.clone(), |best| vec![best]),
            count: look.count.filter(|_| !is_grouped),
            // A person wants to see them; a program gets the order that it asked for.
            pins_first: ranking.is_none()
                && !is_grouped
                && (self.oneline || self.form.shape() == Shape::Report),
            listed: (is_grouped && !self.duplicates) || self.shape() != Shape::Json,
        }
    }

    fn shape(&self) -> Shape {
        match self.form.shape() {
            // What attempts a run had is told element by element too.
            Shape::Elements => Shape::Json,
            shape => shape,
        }
    }

    fn is_narrowed(&self, look: &Look) -> bool {
        self.range.is_some()
            || look.query.is_some()
            || self.best.is_some()
            || self.experiment.is_some()
            || self.user.is_some()
            || self.mine
            || self.deleted
            || !self.paths.is_empty()
    }
}

/// What is listed, and how.
struct List<'a> {
    args: &'a Args,
    look: &'a Look,
    tracker: &'a Tracker,
    session: &'a Session,
    selected: &'a Selected,
}

impl List<'_> {
    fn runs(&self) -> &[Run] {
        &self.selected.loaded.runs
    }

    fn print_runs(&self) -> Result<()> {
        let (form, runs) = (&self.args.form, self.runs());
        if runs.is_empty() && form.shape() != Shape::Json {
            return self.say_none();
        }
        let mut around = self.around()?;
        let asked = self.asked_columns()?;
        self.look_at_series(asked.as_deref().unwrap_or_default(), &mut around)?;
        match form.shape() {
            _ if self.args.oneline => {
                self.session.show(&self.tracker.store, &view::log::oneline(runs, &around))?;
            }
            Shape::Report => {
                let report = view::log::log(runs, asked.as_deref(), &around);
                form.print_report(self.session, &self.tracker.store, &report)?;
            }
            Shape::Table => {
                let (table, left_out) = view::log::exact(runs, asked.as_deref(), &around);
                if left_out > 0 {
                    let columns = human::count(left_out, "column");
                    self.session.warn(&format!("{columns} are left out; --columns chooses which are shown"));
                }
                form.print_table(self.session, &table)?;
            }
            Shape::Json => form.print_array(runs.iter().map(|run| view::log::element(run, &around)))?,
            Shape::Elements => {
                let elements = runs.iter().map(|run| Ok(view::log::element(run, &around)));
                form.print_elements(self.session, elements)?;
            }
        }
        self.say_more(self.selected.total.saturating_sub(runs.len()), "run");
        Ok(())
    }

    fn print_groups(&self) -> Result<()> {
        let (form, runs) = (&self.args.form, self.runs());
        if runs.is_empty() && form.shape() != Shape::Json {
            return self.say_none();
        }
        let known = &self.selected.known;
        let by =
            self.look.group_by.iter().map(|name| group_field(name, known)).collect::<Result<Vec<_>>>()?;
        let mut around = self.around()?;
        let asked = self.asked_columns()?;
        self.look_at_series(asked.as_deref().unwrap_or_default(), &mut around)?;
        let metrics = match &asked {
            Some(asked) => asked.iter().filter_map(metric_of).collect(),
            None => self.metrics(&around, &by),
        };
        let mut groups = group::groups(runs, &by);
        if !self.look.sort.is_empty() {
            group::sort(&mut groups, &Order::parse(&self.look.sort, known)?, &by);
        }
        let total = groups.len();
        groups.truncate(self.look.count.unwrap_or(usize::MAX));
        let options = GroupOptions { by: &by, metrics: &metrics, around: &around };
        match form.shape() {
            Shape::Report => {
                form.print_report(self.session, &self.tracker.store, &group::report(&groups, &options))?;
            }
            Shape::Table => form.print_table(self.session, &group::exact(&groups, &options))?,
            Shape::Json => form.print_json(self.session, &group::to_json(&groups, &options))?,
            Shape::Elements => {
                let Json::Array(elements) = group::to_json(&groups, &options) else { return Ok(()) };
                form.print_elements(self.session, elements.into_iter().map(Ok))?;
            }
        }
        self.say_more(total - groups.len(), "group");
        Ok(())
    }

    /// Of the runs that are wanted those that did the same as another one, together.
    fn print_alike(&self, alike: &[Vec<RunId>]) -> Result<()> {
        let form = &self.args.form;
        let runs: HashMap<&RunId, &Run> = self.runs().iter().map(|run| (&run.id, run)).collect();
        let of = |id: &RunId| runs.get(id).map(|run| (*run).clone());
        let groups = alike.iter().map(|ids| ids.iter().filter_map(of).collect::<Vec<Run>>());
        let mut groups: Vec<Vec<Run>> = groups.filter(|runs| runs.len() > 1).collect();
        if groups.is_empty() && form.shape() != Shape::Json {
            self.session.note("no two runs did the same");
            return Ok(());
        }
        let total = groups.len();
        groups.truncate(self.look.count.unwrap_or(usize::MAX));
        let mut around = self.around()?;
        let asked = self.asked_columns()?;
        self.look_at_series(asked.as_deref().unwrap_or_default(), &mut around)?;
        let elements = || groups.iter().map(|runs| view::log::alike_element(runs, &around));
        match form.shape() {
            Shape::Report => {
                let report = view::log::alike(&groups, asked.as_deref(), &around);
                form.print_report(self.session, &self.tracker.store, &report)?;
            }
            Shape::Table => {
                let (table, _) = view::log::exact_alike(&groups, asked.as_deref(), &around);
                form.print_table(self.session, &table)?;
            }
            Shape::Json => form.print_array(elements())?,
            Shape::Elements => form.print_elements(self.session, elements().map(Ok))?,
        }
        self.say_more(total - groups.len(), "group");
        Ok(())
    }

    /// The metrics whose numbers are told of groups that none were asked for.
    fn metrics(&self, around: &Around, by: &[Field]) -> Vec<Field> {
        let names = columns::metric_names(self.runs(), around.primary.as_deref());
        let fields = names.into_iter().map(|name| Field::Metric(name, Part::Shown));
        fields.filter(|field| !by.contains(field)).take(columns::COLUMNS_MAX).collect()
    }

    fn around(&self) -> Result<Around> {
        let best = self.args.best.clone().flatten();
        Ok(Around {
            primary: best.or(self.tracker.config.primary.clone()),
            marks: self.selected.marks.clone(),
            against: self.args.against.as_deref().map(|name| against(self.tracker, name)).transpose()?,
            ..Around::plain(self.tracker.now())
        })
    }

    fn asked_columns(&self) -> Result<Option<Vec<Content>>> {
        if self.look.columns.is_empty() {
            return Ok(None);
        }
        let choice = columns::choose(&self.look.columns, &self.selected.known, self.runs())?;
        choice.notes.iter().for_each(|note| self.session.note(note));
        Ok(Some(choice.contents))
    }

    /// Reads what of the columns only series tell.
    fn look_at_series(&self, contents: &[Content], around: &mut Around) -> Result<()> {
        let course = |content: &Content| match content {
            Content::Spark(metric) => Some(metric.clone()),
            _ => None,
        };
        let courses: BTreeSet<String> = contents.iter().filter_map(course).collect();
        let fields: Vec<&Field> = contents.iter().filter_map(field_of_series).collect();
        if !courses.is_empty() || !fields.is_empty() {
            around.points = points::of_runs(self.tracker, self.runs(), &courses, &fields)?;
            around.points.notes.iter().for_each(|note| self.session.warn(note));
        }
        Ok(())
    }

    fn say_none(&self) -> Result<()> {
        let is_narrowed = self.args.is_narrowed(self.look) || self.selected.total > 0;
        self.session.note(match is_narrowed {
            true => "no runs match",
            false if self.tracker.store.run_tips()?.is_empty() => NO_RUNS,
            false => NONE_SHOWN,
        });
        Ok(())
    }

    /// Says how much a count leaves out, to a person.
    fn say_more(&self, more: usize, what: &str) {
        if more > 0 && self.args.best.is_none() && self.session.is_attended() {
            self.session.note(&format!("… {} more", human::count(more, what)));
        }
    }
}

/// What the runs are compared with: a run, or the baselines.
fn against(tracker: &Tracker, name: &str) -> Result<Against> {
    if name == crate::run::BASELINE {
        let baselines = baseline::all(tracker, None)?;
        if !baselines.is_empty() {
            let runs = baselines.into_iter().map(|(experiment, baseline)| (experiment, baseline.run));
            return Ok(Against::Baselines(runs.collect()));
        }
        // Somebody may have named a run so.
        return match tracker.resolve(name) {
            Ok(id) => Ok(Against::Run(Box::new(tracker.load(&id)?))),
            Err(_) => Err(Problem::usage("no run is named the baseline of its experiment")
                .hint("`git xtrack baseline RUN` does that")
                .into()),
        };
    }
    Ok(Against::Run(Box::new(tracker.load(&tracker.resolve(name)?)?)))
}

fn is_ranked(run: &Run, metric: &Field) -> bool {
    metric.get(run).as_ref().and_then(Number::of).is_some_and(|number| !number.as_f64().is_nan())
}

fn group_field(name: &str, known: &crate::query::Vocabulary) -> Result<Field> {
    let field = Field::parse(name, known)?;
    match &field {
        Field::Metric(_, part) if part.is_of_series() => {
            Err(Problem::usage(format!("runs cannot be grouped by '{name}', which only series tell")).into())
        }
        _ => Ok(field),
    }
}

fn metric_of(content: &Content) -> Option<Field> {
    match content {
        Content::Field(field @ Field::Metric(..)) => Some(field.clone()),
        _ => None,
    }
}

fn field_of_series(content: &Content) -> Option<&Field> {
    match content {
        Content::Field(field @ Field::Metric(_, part)) if part.is_of_series() => Some(field),
        _ => None,
    }
}

const NO_RUNS: &str =
    "no runs yet: record one with `git xtrack record -- python train.py`, see `git xtrack help record`";
const NONE_SHOWN: &str = "no runs are shown: those here are deleted, hidden or purged; `git xtrack log --deleted` lists what can come back";
