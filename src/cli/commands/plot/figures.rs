//! From what was typed to figures: which runs, what of them, and which form.

use anyhow::Result;

use crate::cli::Session;
use crate::cli::choice;
use crate::cli::commands::diff;
use crate::cli::commands::plot::words::{self, Words};
use crate::cli::commands::plot::{Args, Kind};
use crate::error::Problem;
use crate::ops::plot::{self, Across, Traced, Wanted};
use crate::ops::select::{self, Wanted as Runs};
use crate::ops::things::{self, Logged};
use crate::query::{Field, Part, Vocabulary};
use crate::render::plot::{Figure, Spot};
use crate::run::Run;
use crate::tracker::Tracker;
use crate::view::plot::fields::Fields;
use crate::view::plot::lines::{self, Lines};
use crate::view::plot::things::{DRAWN, Of};
use crate::view::plot::{self as view, Group, parallel};

/// The run that is drawn where none is named.
const LATEST: &str = "@";

/// The runs that were chosen, and what is known of all.
struct Chosen {
    runs: Vec<Run>,
    names: Vec<String>,
    groups: Option<Vec<Group>>,
    known: Vocabulary,
}

/// The figures that were asked for.
pub fn of(args: &Args, tracker: &Tracker, session: &Session) -> Result<Vec<Figure>> {
    let known = known(tracker)?;
    match args.kind {
        _ if args.thing().is_some() => named_things(args, tracker, session, known),
        None | Some(Kind::Line) => drawn(args, tracker, session, known),
        Some(kind) => over_runs(args, kind, tracker, session, known),
    }
}

/// The names that the runs of the repository use.
fn known(tracker: &Tracker) -> Result<Vocabulary> {
    if let Some(Ok(known)) = tracker.index().map(|index| index.vocabulary()) {
        return Ok(known);
    }
    Ok(Vocabulary::of(&select::select(tracker, &Runs::default())?.loaded.runs))
}

impl Args {
    /// The words told apart, where it is not told by flags or by `--`.
    fn told(&self, split: impl FnOnce(&[String]) -> Result<Words>) -> Result<Words> {
        let all = || [self.words.clone(), self.runs.clone()].concat();
        match (self.metrics.is_empty(), self.runs.is_empty()) {
            (false, _) => Ok(Words { drawn: self.metrics.clone(), runs: all() }),
            (true, false) => Ok(Words { drawn: self.words.clone(), runs: self.runs.clone() }),
            (true, true) => split(&self.words),
        }
    }
}

fn choose(
    args: &Args,
    runs: Vec<String>,
    otherwise: Option<&str>,
    tracker: &Tracker,
    session: &Session,
    known: Vocabulary,
) -> Result<Chosen> {
    let is_any = runs.is_empty() && args.query.is_none() && args.count.is_none();
    let names = match otherwise.filter(|_| is_any) {
        Some(otherwise) => vec![otherwise.to_owned()],
        None => runs,
    };
    let wanted = Runs {
        names: names.clone(),
        query: args.query.clone(),
        sort: args.sort.clone(),
        count: args.count,
        ..Runs::default()
    };
    let selected = select::select(tracker, &wanted)?;
    choice::tell(session, &selected);
    let mut runs = selected.loaded.runs;
    if args.sort.is_empty() && !names.is_empty() {
        // As they were named.
        let order: Vec<_> = names.iter().filter_map(|name| tracker.resolve(name).ok()).collect();
        runs.sort_by_key(|run| order.iter().position(|id| *id == run.id));
    }
    if runs.is_empty() {
        return Err(Problem::usage("there are no such runs to draw")
            .hint("`git xtrack log` lists the runs")
            .into());
    }
    let labels: Vec<Field> =
        args.label.iter().map(|field| Ok(Field::parse(field, &known)?)).collect::<Result<_>>()?;
    let names = view::names(&runs, &labels);
    let by = diff::fields(&args.group_by, &known)?;
    let groups = (!by.is_empty()).then(|| view::groups(&runs, &by));
    Ok(Chosen { runs, names, groups, known })
}

/// Metrics over steps, or what the runs logged under the names that are no metrics.
fn drawn(args: &Args, tracker: &Tracker, session: &Session, known: Vocabulary) -> Result<Vec<Figure>> {
    let Words { mut drawn, runs } = args.told(|words| words::split(words, &known, tracker))?;
    let is_latest = runs.is_empty() && args.query.is_none() && args.count.is_none();
    let is_unknown = |word: &&String| !known.metrics.contains(*word);
    // Of no run at all it may be the name that was mistyped.
    if let (true, Some(word), Err(none)) = (is_latest, drawn.iter().find(is_unknown), tracker.resolve(LATEST))
    {
        let names: Vec<String> = tracker.names()?.into_iter().filter_map(|(_, name)| name).collect();
        let problem = words::unknown(word, &known, std::iter::empty(), names.iter().map(String::as_str));
        return Err(problem.hint(format!("{none:#}, which would be drawn otherwise")).into());
    }
    let chosen = choose(args, runs, Some(LATEST), tracker, session, known)?;
    if drawn.is_empty() {
        drawn.push(primary(tracker, &chosen.known, "name what to draw")?);
    }
    let is_metric = |name: &String| chosen.runs.iter().any(|run| run.metrics.contains_key(name));
    let (metrics, others): (Vec<String>, Vec<String>) = drawn.into_iter().partition(is_metric);
    let mut figures = Vec::new();
    if !metrics.is_empty() {
        figures.extend(of_metrics(args, tracker, session, &chosen, metrics)?);
    }
    if !others.is_empty() {
        let logged = logged(tracker, &chosen)?;
        for name in &others {
            figures.extend(of_thing(args, session, &chosen, &logged, name, None)?);
        }
    }
    Ok(figures)
}

fn of_metrics(
    args: &Args,
    tracker: &Tracker,
    session: &Session,
    chosen: &Chosen,
    metrics: Vec<String>,
) -> Result<Vec<Figure>> {
    let wanted = Wanted {
        x: across(args, chosen, &metrics)?,
        metrics,
        smooth: args.smooth.unwrap_or(0.0),
        range: args.range.unwrap_or((f64::NEG_INFINITY, f64::INFINITY)),
        is_log: args.log_x,
        is_averaged: chosen.groups.is_some(),
    };
    let gathered = plot::gather(tracker, &chosen.runs, &wanted)?;
    gathered.notes.iter().for_each(|note| session.warn(note));
    if let ([metric], None, true) = (wanted.metrics.as_slice(), args.kind, lines::are_points(&gathered)) {
        session
            .note(&format!("each run has one value of '{metric}': bars show it; '--kind line' draws dots"));
        let fields = Fields {
            runs: &chosen.runs,
            names: &chosen.names,
            groups: chosen.groups.as_deref(),
            axes: args.axes(),
        };
        return Ok(vec![fields.bars(&Field::Metric(metric.clone(), Part::Shown))]);
    }
    let is_drawn = |spot: &Spot| spot.y.is_finite() && (!args.log_y || spot.y > 0.0);
    if !gathered.traced.iter().flat_map(|traced| &traced.spots).any(is_drawn) {
        return Err(nothing(args, &gathered).into());
    }
    let groups = chosen.groups.as_deref();
    let lines = Lines {
        runs: &chosen.runs,
        names: &chosen.names,
        groups,
        wanted: &wanted,
        gathered: &gathered,
        axes: args.axes(),
    };
    let all: Vec<usize> = (0..wanted.metrics.len()).collect();
    if args.panels {
        return Ok(all.iter().map(|metric| lines::figure(&lines, &[*metric])).collect());
    }
    for flat in lines::flat(&gathered, wanted.metrics.len(), args.axes()) {
        session.note(&format!(
            "'{}' is a flat line beside the others: '--panels' gives each its own axis",
            wanted.metrics[flat]
        ));
    }
    Ok(vec![lines::figure(&lines, &all)])
}

/// Why there are runs and metrics and nothing to draw.
fn nothing(args: &Args, gathered: &plot::Gathered) -> Problem {
    let problem = Problem::usage("there is nothing to draw");
    let sum = |count: fn(&Traced) -> usize| gathered.traced.iter().map(count).sum::<usize>();
    let count = sum(|traced| traced.count);
    match () {
        () if count > 0 && count == sum(|traced| traced.unplaced) => {
            problem.hint("no point has a place on that x axis: try another '--x'")
        }
        () if count > 0 && count == sum(|traced| traced.nonfinite) => {
            problem.hint("all values are NaN or infinite")
        }
        () if args.range.is_some() => problem.hint("no point lies in that '--range'"),
        () if args.log_x || args.log_y => {
            problem.hint("a log axis has nothing at or below zero: leave out '--log-x' and '--log-y'")
        }
        () => problem.hint("`git xtrack show RUN --series METRIC` prints the points of a metric"),
    }
}

/// What stands across: what was asked for, else what all runs say of all the metrics, else the step.
fn across(args: &Args, chosen: &Chosen, metrics: &[String]) -> Result<Across> {
    match args.x.as_deref() {
        Some("step") => return Ok(Across::Step),
        Some("time") => return Ok(Across::Time),
        Some("relative") => return Ok(Across::Relative),
        Some(name) => {
            let is_known = chosen.runs.iter().any(|run| run.metrics.contains_key(name));
            let unknown = || {
                let problem = Problem::usage(format!("nothing called '{name}' can stand across"));
                let names = ["step", "time", "relative"]
                    .into_iter()
                    .chain(chosen.known.metrics.iter().map(String::as_str));
                match crate::human::nearest(name, names) {
                    Some(nearest) => problem.hint(format!("did you mean '{nearest}'?")),
                    None => problem.hint("name 'step', 'time', 'relative' or a metric of the runs"),
                }
            };
            return if is_known { Ok(Across::Metric(name.to_owned())) } else { Err(unknown().into()) };
        }
        None => {}
    }
    let defined =
        |run: &Run, metric: &String| run.definitions.get(metric).and_then(|definition| definition.x.clone());
    let drawn = || {
        chosen.runs.iter().flat_map(|run| {
            metrics
                .iter()
                .filter(|metric| run.metrics.contains_key(*metric))
                .map(move |metric| defined(run, metric))
        })
    };
    match drawn().next().flatten() {
        Some(name) if drawn().all(|x| x.as_ref() == Some(&name)) => Ok(Across::Metric(name)),
        _ => Ok(Across::Step),
    }
}

/// The metric that matters most, where nothing is named.
fn primary(tracker: &Tracker, known: &Vocabulary, otherwise: &str) -> Result<String> {
    tracker.config.primary.clone().ok_or_else(|| {
        Problem::usage(format!("no metric is named: {otherwise}"))
            .hint(words::have(known))
            .hint("`git config xtrack.primary METRIC` says which one is meant without a name")
            .into()
    })
}

/// What each of the runs logged that is no number.
fn logged(tracker: &Tracker, chosen: &Chosen) -> Result<Vec<Vec<Logged>>> {
    chosen.runs.iter().map(|run| things::of_run(tracker, run)).collect()
}

fn named_things(args: &Args, tracker: &Tracker, session: &Session, known: Vocabulary) -> Result<Vec<Figure>> {
    let runs = [args.words.clone(), args.runs.clone()].concat();
    let chosen = choose(args, runs, Some(LATEST), tracker, session, known)?;
    let Some((name, kind)) = args.thing() else { return Ok(Vec::new()) };
    of_thing(args, session, &chosen, &logged(tracker, &chosen)?, name, Some(kind))
}

/// What the runs logged under a name, of one kind.
fn of_thing(
    args: &Args,
    session: &Session,
    chosen: &Chosen,
    logged: &[Vec<Logged>],
    name: &str,
    kind: Option<&str>,
) -> Result<Vec<Figure>> {
    let is_kind = |logged: &&Logged| kind.is_none_or(|kind| logged.thing.kind == kind);
    let picked: Vec<Option<&Logged>> =
        logged.iter().map(|logged| view::things::pick(logged, name, args.step).filter(is_kind)).collect();
    let first = picked.iter().flatten().next().map(|logged| logged.thing.kind.clone());
    let Some(first) = first else { return Err(no_thing(args, chosen, logged, name, kind).into()) };
    let of = |run: usize| {
        let logged = picked[run].filter(|logged| logged.thing.kind == first)?;
        Some(Of { id: chosen.runs[run].id.to_string(), name: &chosen.names[run], logged })
    };
    let found: Vec<Of<'_>> = (0..chosen.runs.len()).filter_map(of).collect();
    if found.len() < chosen.runs.len() {
        session.note(&format!(
            "{} of {} runs logged no '{name}'",
            chosen.runs.len() - found.len(),
            chosen.runs.len()
        ));
    }
    let figures = view::things::figures(name, &found, args.axes());
    match figures.is_empty() {
        true => {
            Err(Problem::usage(format!("the table '{name}' has no two columns of numbers to draw")).into())
        }
        false => Ok(figures),
    }
}

fn no_thing(args: &Args, chosen: &Chosen, logged: &[Vec<Logged>], name: &str, kind: Option<&str>) -> Problem {
    let all = || logged.iter().flatten().filter(|logged| DRAWN.contains(&logged.thing.kind.as_str()));
    let same = || all().filter(|logged| logged.thing.name == name);
    if let (Some(_), Some(step)) = (same().next(), args.step) {
        return Problem::usage(format!("'{name}' was not logged at step {step}"))
            .hint("leave out '--step' for the last");
    }
    let names = |kind: Option<&str>| {
        let mut names: Vec<&str> = all()
            .filter(|logged| kind.is_none_or(|kind| logged.thing.kind == kind))
            .map(|logged| logged.thing.name.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    match kind {
        Some(kind) => {
            let problem = Problem::usage(format!("these runs logged no {} '{name}'", kind.replace('_', " ")));
            match names(Some(kind)).as_slice() {
                [] => problem,
                names => problem.hint(format!("they logged {}", names.join(", "))),
            }
        }
        None => words::unknown(
            name,
            &chosen.known,
            names(None).into_iter(),
            chosen.names.iter().map(String::as_str),
        ),
    }
}

/// A field or several of many runs.
fn over_runs(
    args: &Args,
    kind: Kind,
    tracker: &Tracker,
    session: &Session,
    known: Vocabulary,
) -> Result<Vec<Figure>> {
    let most = match kind {
        Kind::Scatter => 2,
        Kind::Histogram | Kind::Bar | Kind::Line => 1,
        Kind::Parallel => usize::MAX,
    };
    let Words { drawn, runs } = args.told(|words| Ok(words::split_fields(words, most, &known)))?;
    let needed = if kind == Kind::Parallel { 0 } else { most };
    if let Some(word) =
        runs.first().filter(|_| drawn.len() < needed && args.metrics.is_empty() && args.runs.is_empty())
    {
        // What was to be a field and is none: its error tells what it may have been.
        Field::parse(word, &known)?;
    }
    let mut fields: Vec<Field> =
        drawn.iter().map(|name| Ok(Field::parse(name, &known)?)).collect::<Result<_>>()?;
    let chosen = choose(args, runs, None, tracker, session, known)?;
    if kind == Kind::Parallel {
        complete(&mut fields, tracker, session, &chosen)?;
        return Ok(vec![parallel::figure(&chosen.runs, &chosen.names, &fields)]);
    }
    if fields.is_empty() && needed == 1 {
        fields.push(Field::Metric(primary(tracker, &chosen.known, "name the field to draw")?, Part::Shown));
    }
    let all = Fields {
        runs: &chosen.runs,
        names: &chosen.names,
        groups: chosen.groups.as_deref(),
        axes: args.axes(),
    };
    let figure = match (kind, fields.as_slice()) {
        (Kind::Scatter, [x, y]) => all.scatter(x, y),
        (Kind::Bar, [field]) => all.bars(field),
        (Kind::Histogram, [field]) => all.histogram(field, args.bins.map(usize::from)),
        _ => return Err(wrong_count(kind, most).into()),
    };
    if figure.is_empty() {
        let names = fields.iter().map(Field::title).collect::<Vec<_>>().join("' and '");
        return Err(Problem::usage(format!("no run has numbers for '{names}'"))
            .hint("text is drawn by '--group-by', as '--kind bar METRIC --group-by FIELD'")
            .into());
    }
    Ok(vec![figure])
}

fn wrong_count(kind: Kind, most: usize) -> Problem {
    match kind {
        Kind::Scatter => Problem::usage("dots want two fields: what stands across, and what stands upwards")
            .hint("as in `git xtrack plot --kind scatter params.lr metrics.acc`"),
        _ => {
            Problem::usage(format!("that wants {most} field")).hint("as in `git xtrack plot --kind bar acc`")
        }
    }
}

/// Adds what parallel axes lack: the params that vary, and the metric that gives the colours.
fn complete(fields: &mut Vec<Field>, tracker: &Tracker, session: &Session, chosen: &Chosen) -> Result<()> {
    let is_metric = |field: &Field| matches!(field, Field::Metric(..));
    if !fields.iter().any(is_metric) {
        fields.push(Field::Metric(
            primary(tracker, &chosen.known, "name the one that the params led to")?,
            Part::Shown,
        ));
    }
    if fields.iter().all(is_metric) {
        let params: Vec<Field> = chosen.known.params.iter().map(|name| Field::Param(name.clone())).collect();
        let (varying, count) = parallel::varying(&chosen.runs, &params);
        if varying.is_empty() {
            return Err(Problem::usage("no param varies among these runs")
                .hint("name fields to draw, such as `duration` and `acc`")
                .into());
        }
        if count > varying.len() {
            session.note(&format!(
                "{count} params vary: the first {} are drawn; name others to see them",
                varying.len()
            ));
        }
        fields.splice(0..0, varying);
    }
    Ok(())
}
