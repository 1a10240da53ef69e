//! What differs between two groups of runs, as over seeds: each metric's means with their intervals, whether the difference is
//! more than chance, and the params in which the groups differ.
//!
//! Knows what may be said at how many runs; the tests are `statistics`'.

use std::collections::BTreeSet;

use indexmap::IndexSet;
use serde_json::{Map, Value as Json, json};

use crate::human;
use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Report, Table};
use crate::run::Run;
use crate::run::attempt::{Goal, Number};
use crate::run::id::RunId;
use crate::run::value::{Value, named_leaves};
use crate::statistics::significance::{self, Comparison, FEW, Verdict, holm};
use crate::statistics::summary::CONFIDENCE;
use crate::view::compare::groups::{Measured, measured_json, numbers, with_interval};
use crate::view::{columns, run as one_run, value};

/// How many values of a param that varies within a group are named.
const VALUES_SHOWN: usize = 3;
/// How wide a column may become.
const COLUMN_MAX: usize = 28;

/// A group of runs.
#[derive(Debug, Clone)]
pub struct Side {
    /// What it is called: the question that chose it, or what its runs have in common.
    pub title: String,
    /// Its runs.
    pub runs: Vec<Run>,
}

/// How groups are compared.
#[derive(Debug, Clone, Default)]
pub struct GroupDiffOptions {
    /// The metric that matters most.
    pub primary: Option<String>,
    /// The metrics that are compared; all but those of the machine if there are none.
    pub metrics: Vec<String>,
    /// Whether to leave out params in which the groups do not differ.
    pub only_changed: bool,
}

/// A metric of both groups.
struct Tested {
    metric: String,
    goal: Option<Goal>,
    before: Measured,
    after: Measured,
    /// Absent where a group has no finite number.
    comparison: Option<Comparison>,
    /// The probabilities, corrected for how many metrics were asked about.
    welch: Option<f64>,
    rank: Option<f64>,
    verdict: Option<Verdict>,
}

/// A group and one that it is compared with.
struct Compared<'a> {
    before: &'a Side,
    after: &'a Side,
    tested: Vec<Tested>,
    /// How many probabilities each was corrected for.
    count: usize,
}

/// What differs between the first group and each of the others.
pub fn diff(before: &Side, others: &[Side], options: &GroupDiffOptions) -> Report {
    let mut report = Report::default();
    for Compared { before, after, tested, count } in compared(before, others, options) {
        report.title(title(before).and(Role::Plain, " → ").joined(title(after)));
        if !tested.is_empty() {
            report.section("Metrics", Block::Table(metrics_table(&tested)));
            notes(&tested, before, after, count).into_iter().for_each(|note| report.prose(note));
        }
        let params = params(before, after);
        if params.iter().any(|param| param.differs || !options.only_changed) {
            report.section("Params", Block::Table(params_table(&params, options)));
        }
        if let Some(code) = code(before, after) {
            report.section("Code", Block::Prose(code));
        }
    }
    report
}

fn compared<'a>(before: &'a Side, others: &'a [Side], options: &GroupDiffOptions) -> Vec<Compared<'a>> {
    let mut compared: Vec<Compared<'a>> = others
        .iter()
        .map(|after| Compared { before, after, tested: tested(before, after, options), count: 0 })
        .collect();
    let mut all: Vec<&mut Tested> = compared.iter_mut().flat_map(|one| &mut one.tested).collect();
    let count = correct(&mut all);
    compared.iter_mut().for_each(|one| one.count = count);
    compared
}

fn title(side: &Side) -> Cell {
    Cell::of(Role::Heading, side.title.as_str())
        .and(Role::Plain, format!(" ({})", human::count(side.runs.len(), "run")))
}

fn tested(before: &Side, after: &Side, options: &GroupDiffOptions) -> Vec<Tested> {
    let all: Vec<Run> = before.runs.iter().chain(&after.runs).cloned().collect();
    let names = match options.metrics.is_empty() {
        true => columns::metric_names(&all, options.primary.as_deref()),
        false => options.metrics.clone(),
    };
    let tested = names.into_iter().map(|metric| {
        let [one, other] = [before, after].map(|side| numbers(&side.runs, &metric));
        let comparison = significance::compare(&one, &other);
        let goal = columns::goal_of(&all, &metric);
        let [before, after] = [one, other].map(|numbers| Measured::of(&numbers));
        let (welch, rank, verdict) = (None, None, None);
        Tested { metric, goal, before, after, comparison, welch, rank, verdict }
    });
    tested.collect()
}

/// Corrects the probabilities for how many are looked at, of each test by itself, and judges by them; how many they are.
fn correct(tested: &mut [&mut Tested]) -> usize {
    // What is one number in all runs is no question.
    let is_asked = |comparison: &&Comparison| is_told(comparison) && !is_constant(comparison);
    let corrected = |of: &dyn Fn(&Comparison) -> Option<f64>, tested: &[&mut Tested]| -> Vec<Option<f64>> {
        let raw: Vec<Option<f64>> =
            tested.iter().map(|one| one.comparison.as_ref().filter(is_asked).and_then(of)).collect();
        let mut adjusted = holm(&raw.iter().flatten().copied().collect::<Vec<_>>()).into_iter();
        raw.into_iter().map(|p| p.and_then(|_| adjusted.next())).collect()
    };
    let welch = corrected(&|comparison| comparison.welch.map(|welch| welch.p), tested);
    let rank = corrected(&|comparison| Some(comparison.rank.p), tested);
    for (one, (welch, rank)) in tested.iter_mut().zip(welch.into_iter().zip(rank)) {
        (one.welch, one.rank) = (welch, rank);
        let comparison = one.comparison.as_ref().filter(|comparison| is_told(comparison));
        one.verdict = comparison.map(|comparison| comparison.verdict(welch, rank.unwrap_or(1.0)));
    }
    tested.iter().filter(|one| one.rank.is_some()).count()
}

/// Whether both sides are groups: of one run nothing is told.
fn is_told(comparison: &Comparison) -> bool {
    comparison.before.count > 1 && comparison.after.count > 1
}

fn is_constant(comparison: &Comparison) -> bool {
    let (before, after) = (&comparison.before, &comparison.after);
    before.min == before.max && after.min == after.max && comparison.difference == 0.0
}

fn metrics_table(tested: &[Tested]) -> Table {
    let decimal = |title: &str| Column::new(title).align(Align::Decimal).width_max(COLUMN_MAX);
    let mut table = Table::new(vec![
        Column::new("name").width_max(COLUMN_MAX),
        decimal("before"),
        decimal("after"),
        decimal("difference").rank(1),
        decimal("p (Welch)").rank(3),
        decimal("p (ranks)").rank(4),
        decimal("effect").rank(5),
        Column::new("verdict").rank(2),
    ]);
    for one in tested {
        let comparison = one.comparison.as_ref();
        let (word, role) = verdict(one);
        table.rows.push(vec![
            format!("{}{}", one.metric, value::goal_arrow(one.goal)).into(),
            measured_cell(&one.before),
            measured_cell(&one.after),
            comparison.map(difference).unwrap_or_default().into(),
            one.welch.map(probability).unwrap_or_default().into(),
            one.rank.map(probability).unwrap_or_default().into(),
            comparison
                .and_then(|comparison| comparison.effect)
                .map(|effect| value::signed(Number::Float(round(effect))))
                .unwrap_or_default()
                .into(),
            Cell::of(role, word),
        ]);
    }
    table
}

fn measured_cell(measured: &Measured) -> Cell {
    let cell: Cell = match &measured.summary {
        Some(summary) => with_interval(summary.mean, summary.half_width()).into(),
        None => Cell::default(),
    };
    match measured.nonfinite {
        0 => cell,
        lost => cell.and(Role::Bad, format!(" ({lost} nan)")),
    }
}

fn difference(comparison: &Comparison) -> String {
    let text = with_interval(comparison.difference, comparison.half_width);
    if text.starts_with('-') { text } else { format!("+{text}") }
}

fn round(effect: f64) -> f64 {
    (effect * 100.0).round() / 100.0
}

/// A probability in two digits; below a thousandth it makes no odds how far.
fn probability(p: f64) -> String {
    match p {
        _ if p < 0.001 => "<0.001".to_owned(),
        _ if p >= 0.995 => "1".to_owned(),
        _ => value::rough(p),
    }
}

fn verdict(one: &Tested) -> (&'static str, Role) {
    let rises = one.comparison.as_ref().is_some_and(|comparison| comparison.difference > 0.0);
    match one.verdict {
        None => ("", Role::Plain),
        Some(Verdict::TooFew) => ("too few to tell", Role::Dim),
        Some(Verdict::Same) => ("the same", Role::Dim),
        Some(Verdict::NotSeen) => ("no difference seen", Role::Dim),
        Some(Verdict::Unclear) => ("unclear", Role::Dim),
        Some(Verdict::Differs) => match (one.goal, rises) {
            (None, true) => ("↑ higher", Role::Strong),
            (None, false) => ("↓ lower", Role::Strong),
            (Some(Goal::Max), true) => ("↑ better", Role::Good),
            (Some(Goal::Min), false) => ("↓ better", Role::Good),
            (Some(Goal::Max), false) => ("↓ worse", Role::Bad),
            (Some(Goal::Min), true) => ("↑ worse", Role::Bad),
        },
    }
}

/// How far the table can be trusted.
fn notes(tested: &[Tested], before: &Side, after: &Side, count: usize) -> Vec<Cell> {
    let mut notes = Vec::new();
    let shared = shared(before, after);
    if !shared.is_empty() {
        let text =
            format!("{} on both sides: the groups are not independent, and no test holds", are(shared.len()));
        notes.push(Cell::of(Role::Warning, text));
    }
    let smallest = before.runs.len().min(after.runs.len());
    if smallest < 2 {
        notes.push(Cell::of(Role::Warning, "one run has no spread: nothing can be told of the difference"));
        return notes;
    }
    if smallest < FEW {
        let text = format!(
            "{smallest} runs on one side are too few to tell a difference from chance; from {FEW} on each side it is tried"
        );
        notes.push(Cell::of(Role::Warning, text));
    }
    let corrected = match count {
        0 | 1 => String::new(),
        _ => format!(", corrected for {count} at once (Holm)"),
    };
    let text = format!(
        "± is half the {:.0} % confidence interval; p by Welch's t and by ranks (Mann–Whitney), two-sided{corrected}; effect is Hedges' g",
        CONFIDENCE * 100.0
    );
    notes.push(Cell::of(Role::Dim, text));
    if tested.iter().any(|one| one.verdict == Some(Verdict::Unclear)) {
        notes
            .push(Cell::of(Role::Dim, "unclear: one of the two tests sees a difference, the other does not"));
    }
    notes
}

fn are(count: usize) -> String {
    match count {
        1 => "1 run is".to_owned(),
        _ => format!("{count} runs are"),
    }
}

fn shared(before: &Side, after: &Side) -> Vec<RunId> {
    let of = |side: &Side| side.runs.iter().map(|run| run.id.clone()).collect::<BTreeSet<_>>();
    of(before).intersection(&of(after)).cloned().collect()
}

/// A param of both groups: its values on each side, each once.
struct Param<'a> {
    name: String,
    before: Vec<Option<&'a Value>>,
    after: Vec<Option<&'a Value>>,
    /// Whether the sides have other values.
    differs: bool,
    /// Whether the runs of a side do.
    varies: bool,
}

/// The params in which any of the runs differ: first those in which the groups do.
fn params<'a>(before: &'a Side, after: &'a Side) -> Vec<Param<'a>> {
    let runs = || before.runs.iter().chain(&after.runs);
    let names: IndexSet<String> =
        runs().flat_map(|run| named_leaves(&run.params)).map(|(name, _)| name).collect();
    let values = |side: &'a Side, name: &str| {
        let mut found: Vec<Option<&'a Value>> = Vec::new();
        for run in &side.runs {
            let given = run.param(name);
            if !found.iter().any(|known| same(known, &given)) {
                found.push(given);
            }
        }
        found
    };
    let mut params: Vec<Param<'a>> = names
        .into_iter()
        .map(|name| {
            let (before, after) = (values(before, &name), values(after, &name));
            let all_in = |one: &[Option<&Value>], other: &[Option<&Value>]| {
                one.iter().all(|value| other.iter().any(|known| same(value, known)))
            };
            let differs = !all_in(&before, &after) || !all_in(&after, &before);
            let varies = before.len() > 1 || after.len() > 1;
            Param { name, before, after, differs, varies }
        })
        .filter(|param| param.differs || param.varies)
        .collect();
    // What is one value here and another there is what was changed.
    params.sort_by_key(|param| (param.varies, !param.differs));
    params
}

fn same(one: &Option<&Value>, other: &Option<&Value>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => value::same(one, other),
        (None, None) => true,
        _ => false,
    }
}

fn params_table(params: &[Param<'_>], options: &GroupDiffOptions) -> Table {
    let mut table = Table::new(vec![
        Column::new("name").width_max(COLUMN_MAX),
        Column::new("before"),
        Column::new("after"),
        Column::new("within").rank(1),
    ]);
    for param in params.iter().filter(|param| param.differs || !options.only_changed) {
        let [before, after] = [&param.before, &param.after].map(|values| values_text(values));
        let is_change = param.differs && !param.varies;
        let role = |role| if is_change { role } else { Role::Dim };
        table.rows.push(vec![
            param.name.as_str().into(),
            Cell::of(role(Role::Removed), before),
            Cell::of(role(Role::Added), after),
            Cell::of(Role::Dim, if param.varies { "varies" } else { "" }),
        ]);
    }
    table
}

fn values_text(values: &[Option<&Value>]) -> String {
    let shown = |given: &Option<&Value>| given.map_or_else(|| "-".to_owned(), value::value);
    let listed: Vec<String> = values.iter().take(VALUES_SHOWN).map(shown).collect();
    let more = values.len().saturating_sub(VALUES_SHOWN);
    let more = if more > 0 { format!(", … {more} more") } else { String::new() };
    if values == [None] { String::new() } else { format!("{}{more}", listed.join(", ")) }
}

/// What is to be said of the code, if it is not the same in all runs.
fn code(before: &Side, after: &Side) -> Option<Cell> {
    let trees = |side: &Side| -> BTreeSet<Option<String>> {
        side.runs.iter().map(|run| run.code.as_ref().and_then(|code| code.tree.clone())).collect()
    };
    let (one, other) = (trees(before), trees(after));
    let count = |trees: &BTreeSet<Option<String>>| human::count(trees.len(), "tree");
    match one == other && one.len() == 1 {
        true if one.contains(&None) => Some(Cell::of(Role::Warning, "not known which code ran")),
        true => None,
        false if one.len() == 1 && other.len() == 1 => Some("the groups ran different code".into()),
        false => Some(format!("{} of code before, {} after", count(&one), count(&other)).into()),
    }
}

/// What differs between the first group and each of the others as JSON; probabilities are as they are and corrected.
pub fn to_json(before: &Side, others: &[Side], options: &GroupDiffOptions) -> Json {
    let comparisons = compared(before, others, options);
    json!({
        "format": one_run::FORMAT,
        "confidence": CONFIDENCE,
        "corrected_for": comparisons.first().map_or(0, |compared| compared.count),
        "comparisons": comparisons.into_iter().map(|compared| compared_json(compared, options)).collect::<Vec<_>>(),
    })
}

fn compared_json(compared: Compared<'_>, options: &GroupDiffOptions) -> Json {
    let Compared { before, after, tested, .. } = compared;
    let float =
        |number: Option<f64>| number.map_or(Json::Null, |number| value::number_json(Number::Float(number)));
    let side = |side: &Side| json!({"title": side.title, "runs": side.runs.iter().map(|run| run.id.as_str()).collect::<Vec<_>>()});
    let metrics = tested.into_iter().map(|one| {
        let comparison = one.comparison.as_ref();
        let welch = comparison.and_then(|comparison| comparison.welch);
        let told = comparison.filter(|comparison| is_told(comparison));
        let json = json!({
            "goal": one.goal.map(Goal::as_str),
            "before": measured_json(&one.before),
            "after": measured_json(&one.after),
            "difference": float(comparison.map(|comparison| comparison.difference)),
            "half_width": float(comparison.and_then(|comparison| comparison.half_width)),
            "effect": float(comparison.and_then(|comparison| comparison.effect)),
            "welch": welch.map(|welch| json!({
                "t": float(Some(welch.t)),
                "freedom": float(Some(welch.freedom)),
                "p": float(Some(welch.p)),
                "p_corrected": float(one.welch),
            })),
            "rank": told.map(|comparison| json!({
                "u": float(Some(comparison.rank.u)),
                "superiority": float(Some(comparison.rank.superiority)),
                "p": float(Some(comparison.rank.p)),
                "p_corrected": float(one.rank),
                "exact": comparison.rank.is_exact,
            })),
            "verdict": one.verdict.map(word),
        });
        (one.metric, json)
    });
    let metrics: Map<String, Json> = metrics.collect();
    let values = |values: &[Option<&Value>]| {
        values.iter().map(|given| given.map_or(Json::Null, value::to_json)).collect::<Vec<_>>()
    };
    let params = params(before, after).into_iter().filter(|param| param.differs || !options.only_changed);
    let params = params.map(|param| {
        let json =
            json!({"before": values(&param.before), "after": values(&param.after), "differs": param.differs});
        (param.name, json)
    });
    json!({
        "before": side(before),
        "after": side(after),
        "shared": shared(before, after).iter().map(RunId::as_str).collect::<Vec<_>>(),
        "metrics": metrics,
        "params": Json::Object(params.collect()),
    })
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::TooFew => "too few",
        Verdict::Same => "same",
        Verdict::Differs => "differs",
        Verdict::Unclear => "unclear",
        Verdict::NotSeen => "not seen",
    }
}

/// A row for each metric of each comparison, numbers whole.
pub fn exact(before: &Side, others: &[Side], options: &GroupDiffOptions) -> Report {
    let titles = [
        "before",
        "after",
        "metric",
        "goal",
        "before.count",
        "before.mean",
        "before.half_width",
        "after.count",
        "after.mean",
        "after.half_width",
        "difference",
        "half_width",
        "p_welch",
        "p_welch_corrected",
        "p_rank",
        "p_rank_corrected",
        "effect",
        "superiority",
        "verdict",
    ];
    let mut table = Table::new(titles.map(Column::new).to_vec());
    let number = |number: Option<f64>| {
        number.map(|number| value::exact_number(Number::Float(number))).unwrap_or_default()
    };
    let comparisons = compared(before, others, options);
    let each =
        comparisons.iter().flat_map(|compared| compared.tested.iter().map(move |one| (compared.after, one)));
    for (after, one) in each {
        let comparison = one.comparison.as_ref();
        let told = comparison.filter(|comparison| is_told(comparison));
        let side = |measured: &Measured| {
            let summary = measured.summary.as_ref();
            [
                summary.map_or(0, |summary| summary.count).to_string(),
                number(summary.map(|summary| summary.mean)),
                number(summary.and_then(|summary| summary.half_width())),
            ]
        };
        let mut row = vec![before.title.clone(), after.title.clone()];
        row.extend([one.metric.clone(), one.goal.map(Goal::as_str).unwrap_or_default().to_owned()]);
        row.extend(side(&one.before));
        row.extend(side(&one.after));
        row.extend([
            number(comparison.map(|comparison| comparison.difference)),
            number(comparison.and_then(|comparison| comparison.half_width)),
            number(comparison.and_then(|comparison| Some(comparison.welch?.p))),
            number(one.welch),
            number(told.map(|comparison| comparison.rank.p)),
            number(one.rank),
            number(comparison.and_then(|comparison| comparison.effect)),
            number(told.map(|comparison| comparison.rank.superiority)),
            one.verdict.map(word).unwrap_or_default().to_owned(),
        ]);
        table.rows.push(row.into_iter().map(Cell::from).collect());
    }
    Report { blocks: vec![Block::Table(table)] }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::render::terminal::{Terminal, write};
    use crate::view::sample::{run, training};

    fn side(title: &str, rate: f64, first: u8, accuracies: &[f64]) -> Side {
        let runs = accuracies.iter().zip(first..).map(|(accuracy, number)| {
            let mut facts = training(number, rate, *accuracy);
            facts.params.insert("seed".into(), i64::from(number).into());
            run(facts)
        });
        Side { title: title.to_owned(), runs: runs.collect() }
    }

    fn shown(before: &Side, after: &Side) -> String {
        write(
            &diff(before, std::slice::from_ref(after), &GroupDiffOptions::default()),
            &Terminal { width: 130, colour: false },
        )
    }

    #[test]
    fn a_difference_that_is_there() {
        let before = side("lr 0.1", 0.1, 1, &[0.91, 0.93, 0.92, 0.95, 0.90]);
        let after = side("lr 0.01", 0.01, 10, &[0.94, 0.96, 0.97, 0.95, 0.99]);
        insta::assert_snapshot!(shown(&before, &after), @"
        lr 0.1 (5 runs) → lr 0.01 (5 runs)

        Metrics
          name                      before                 after          difference  p (Welch)  p (ranks)  effect  verdict
          loss         (5 nan)               (5 nan)
          accuracy ↑         0.922 ± 0.024         0.962 ± 0.024      +0.040 ± 0.028      0.011      0.024   +1.88  ↑ better
          images      1797 ± 0              1797 ± 0              +0 ± 0                                            the same
          ± is half the 95 % confidence interval; p by Welch's t and by ranks (Mann–Whitney), two-sided; effect is Hedges' g

        Params
          name  before             after                 within
          lr    0.1                0.01
          seed  1, 2, 3, … 2 more  10, 11, 12, … 2 more  varies
        ");
        let after = [after];
        let json = to_json(&before, &after, &GroupDiffOptions::default());
        insta::assert_snapshot!(format!("{:#}", json["comparisons"][0]["metrics"]["accuracy"]), @r#"
        {
          "goal": "max",
          "before": {
            "count": 5,
            "mean": 0.922,
            "std": 0.019235384061671322,
            "half_width": 0.02388388388099979,
            "min": 0.9,
            "max": 0.95,
            "nonfinite": 0
          },
          "after": {
            "count": 5,
            "mean": 0.962,
            "std": 0.01923538406167136,
            "half_width": 0.023883883880999837,
            "min": 0.94,
            "max": 0.99,
            "nonfinite": 0
          },
          "difference": 0.039999999999999925,
          "half_width": 0.028053751096665355,
          "effect": 1.8782589493523862,
          "welch": {
            "t": 3.28797974610714,
            "freedom": 8.0,
            "p": 0.011055318298292033,
            "p_corrected": 0.011055318298292033
          },
          "rank": {
            "u": 23.5,
            "superiority": 0.94,
            "p": 0.023809523809523808,
            "p_corrected": 0.023809523809523808,
            "exact": true
          },
          "verdict": "differs"
        }
        "#);
        let options =
            GroupDiffOptions { metrics: vec!["accuracy".to_owned()], ..GroupDiffOptions::default() };
        let alone = to_json(&before, &after, &options);
        let rank = &alone["comparisons"][0]["metrics"]["accuracy"]["rank"];
        assert_eq!((&rank["p_corrected"], &alone["corrected_for"]), (&rank["p"], &json!(1)));
        // Asked of two groups, each answer counts for less.
        let twice = [after[0].clone(), side("lr 1.0", 1.0, 20, &[0.91, 0.93, 0.92, 0.95, 0.90])];
        let both = to_json(&before, &twice, &options);
        let corrected = &both["comparisons"][0]["metrics"]["accuracy"]["rank"]["p_corrected"];
        assert!(corrected.as_f64() > rank["p"].as_f64(), "{both}");
    }

    #[test]
    fn too_few_to_tell() {
        let before = side("before", 0.1, 1, &[0.5, 0.6, 0.55]);
        let after = side("after", 0.1, 10, &[0.9, 0.95, f64::NAN]);
        insta::assert_snapshot!(shown(&before, &after), @"
        before (3 runs) → after (3 runs)

        Metrics
          name                    before                       after        difference  p (Welch)  p (ranks)  effect  verdict
          loss         (3 nan)             (3 nan)
          accuracy ↑         0.55 ± 0.12         0.93 ± 0.32 (1 nan)      +0.38 ± 0.12     0.0027        0.2   +5.98  too few to tell
          images      1797 ± 0            1797 ± 0                    +0 ± 0                                          the same
          3 runs on one side are too few to tell a difference from chance; from 5 on each side it is tried
          ± is half the 95 % confidence interval; p by Welch's t and by ranks (Mann–Whitney), two-sided; effect is Hedges' g

        Params
          name  before   after       within
          seed  1, 2, 3  10, 11, 12  varies
        ");
    }

    #[test]
    fn one_run_is_no_group_and_a_run_is_on_one_side_only() {
        let before = side("before", 0.1, 1, &[0.5]);
        let after = side("after", 0.1, 1, &[0.9, 0.95]);
        let text = shown(&before, &after);
        assert!(text.contains("1 run is on both sides") && text.contains("one run has no spread"), "{text}");
    }
}
