//! A few runs to ask questions about, made by hand through the bytes that would be on disk.

use crate::query::{CodeTerm, Outside, Part};
use crate::run::Run;
use crate::run::attempt::{Code, Definition, Facts, Goal, Input, Number, Status, Summary};
use crate::run::fold::fold;
use crate::run::id::{AttemptId, RunId, Time};
use crate::run::record::{Files, RUN};
use crate::run::text;
use crate::run::value::{Table, Value};

/// 2026-01-02 12:00:00 UTC, when it is asked.
pub const NOON: Time = Time(1_767_355_200_000_000);

/// A moment some hours before or after [`NOON`].
pub fn at(hours: f64) -> Time {
    Time(NOON.0 + (hours * 3.6e9) as i64)
}

/// A nested dict from pairs.
pub fn table<const N: usize>(pairs: [(&str, Value); N]) -> Table {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The facts of a finished run without anything in it, begun some hours after [`NOON`].
pub fn plain(number: u8, hours: f64) -> Facts {
    let started = at(hours);
    let id = RunId::new(started, [number; 8]);
    let mut facts = Facts::new(id, AttemptId::new([number + 10; 8]), started);
    facts.status = Status::Finished;
    facts.ended = Some(Time(started.0 + 90_500_000));
    facts.exit_code = Some(0);
    facts.name = Some(number.to_string());
    facts
}

/// The run of these facts.
pub fn run(facts: &Facts) -> Run {
    let files = Files::from([(RUN.to_owned(), text::write(&facts.to_table()).into_bytes())]);
    fold(&facts.id, &files).expect("facts made by hand fold")
}

/// Five runs, named `1` to `5`; the last has nothing in it.
pub fn runs() -> Vec<Run> {
    let input = |name: &str| Input {
        name: name.to_owned(),
        path: format!("data/{name}.csv").into(),
        kind: "file".to_owned(),
        sha256: Some(name[..1].repeat(64).replace(|digit: char| !digit.is_ascii_hexdigit(), "0")),
        digest: None,
        size: None,
        files: None,
    };
    let metric = |facts: &mut Facts, name: &str, points: &[f64]| {
        let step = |index: usize| Some(Number::Int(index as i128 * 10));
        let mut points = points.iter().enumerate();
        let (_, first) = points.next().expect("a metric has points");
        let mut summary = Summary::at(Number::Float(*first), step(0));
        points.for_each(|(index, value)| summary.then(&Summary::at(Number::Float(*value), step(index))));
        facts.metrics.insert(name.to_owned(), summary);
    };

    let mut one = plain(1, -1.0);
    one.experiment = Some("digits".into());
    one.user = Some("Ana <ana@example.org>".into());
    one.host = Some("node7".into());
    one.command = ["python3", "train.py", "--note=two words"].map(Value::from).to_vec();
    one.tags = vec!["baseline".into(), "stage=dev".into(), "fold=3".into()];
    one.params = table([
        ("lr", 0.1.into()),
        ("epochs", 20.into()),
        ("flag", true.into()),
        ("optimizer", "adam".into()),
        ("scheduler", Value::Null),
        ("layers", Value::List(vec![64.into(), 32.into()])),
        ("model", Value::Table(table([("depth", 3.into()), ("act.fn", "relu".into())]))),
    ]);
    metric(&mut one, "acc", &[0.5, 0.95, 0.9]);
    metric(&mut one, "loss", &[1.0, 0.25, f64::NAN]);
    metric(&mut one, "val loss", &[0.5]);
    one.definitions.insert("acc".into(), Definition { goal: Some(Goal::Max), ..Definition::default() });
    one.code = Some(Code {
        commit: Some("1f".repeat(20)),
        tree: Some("2".repeat(40)),
        branch: Some("main".into()),
        changed_count: 1,
        ..Code::default()
    });
    one.inputs = vec![input("digits"), input("extra")];
    one.notes = vec!["the best so far".into(), "keep".into()];

    let mut two = plain(2, -25.0);
    two.experiment = Some("digits".into());
    two.user = Some("bo@node8".into());
    two.status = Status::Failed;
    two.exit_code = Some(1);
    two.tags = vec!["stage=prod".into(), "fold=12".into(), "mlflow.source.type=LOCAL".into()];
    two.params = table([
        ("lr", "0.1".into()),
        ("epochs", 5.into()),
        ("flag", false.into()),
        ("optimizer", "sgd".into()),
        ("model.depth", 3.into()),
        ("seed", Value::BigInt("18446744073709551617".into())),
    ]);
    metric(&mut two, "acc", &[0.7]);
    metric(&mut two, "loss", &[0.5]);
    metric(&mut two, "loss.min", &[7.0]);
    two.code = Some(Code { commit: Some("1e".repeat(20)), branch: Some("try".into()), ..Code::default() });
    two.inputs = vec![input("digits")];

    let mut three = plain(3, -49.0);
    three.ended = Some(at(-46.0));
    three.user = Some("Anabel <anabel@example.org>".into());
    three.status = Status::Killed;
    three.signal = Some("SIGKILL".into());
    three.exit_code = None;
    three.params =
        table([("lr", 1e-5.into()), ("epochs", (1_i64 << 53).into()), ("optimizer", "Adam".into())]);
    metric(&mut three, "acc", &[0.1, f64::INFINITY]);

    let mut four = plain(4, -500.0);
    four.params =
        table([("lr", Value::Int(1)), ("epochs", Value::Int((1 << 53) + 1)), ("key", "odd".into())]);
    four.metrics.insert("images".into(), Summary::plain(Number::Int(1797)));
    four.experiment = Some("letters".into());
    four.tags = vec!["quote's".into()];

    let mut five = plain(5, -0.001);
    five.status = Status::Running;
    five.ended = None;
    five.exit_code = None;
    [one, two, three, four, five].iter().map(run).collect()
}

/// Who knows nothing of Git, and of a series only that its mean is 0.5, its first value 1 and the one at step 100 its
/// hundredth part.
pub struct Nobody;

impl Outside for Nobody {
    fn code(&mut self, term: &CodeTerm, run: &Run) -> anyhow::Result<bool> {
        Ok(match term {
            CodeTerm::In(range) => range == "main..HEAD" && run.name.as_deref() == Some("1"),
            CodeTerm::Touches(path) => path == "src/model.py" && run.name.as_deref() == Some("2"),
            CodeTerm::AncestorOf(revision) => revision == "HEAD~2",
        })
    }

    fn point(&mut self, metric: &str, part: &Part, run: &Run) -> anyhow::Result<Option<Number>> {
        let number = match part {
            Part::Mean => Number::Float(0.5),
            Part::First => Number::Int(1),
            _ => Number::Float(0.01),
        };
        Ok(run.metrics.contains_key(metric).then_some(number))
    }
}
