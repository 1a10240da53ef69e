//! Answers about runs: as reports for people, and as JSON for programs (`docs/json.md` is the contract).
//!
//! Pure: runs come in loaded, and the moment that ages are counted from comes in as an argument.

pub mod against;
pub mod alike;
pub mod artifact;
pub mod baseline;
pub mod check;
pub mod columns;
pub mod compare;
pub mod console;
pub mod diff;
pub mod experiments;
pub mod group;
pub mod history;
pub mod importance;
pub mod index;
pub mod leaderboard;
pub mod log;
pub mod operation;
pub mod plot;
pub mod run;
pub mod series;
pub mod space;
pub mod status;
pub mod sync;
pub mod value;
pub mod watch;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod sample {
    //! Runs made by hand, through the bytes that would be on disk.

    use crate::run::Run;
    use crate::run::attempt::{
        ArtifactTotal, Code, CodeFile, Definition, Facts, Goal, LeftOut, Number, Status, Summary,
    };
    use crate::run::edit::Edit;
    use crate::run::fold::fold;
    use crate::run::id::{AttemptId, RunId, Time, sha256};
    use crate::run::pointer::{self, Pointer};
    use crate::run::record::{ENVIRONMENT, Files, RUN, edit_path};
    use crate::run::text;
    use crate::run::value::{Table, Value};

    /// 2026-01-02 12:00:00 UTC.
    pub const NOON: i64 = 1_767_355_200;

    /// The moment some seconds after [`NOON`].
    pub fn at(seconds: i64) -> Time {
        Time((NOON + seconds) * 1_000_000)
    }

    /// A nested dict from pairs.
    pub fn table<const N: usize>(pairs: [(&str, Value); N]) -> Table {
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// The facts of a finished run without anything in it; `number` tells runs apart.
    pub fn plain(number: u8) -> Facts {
        let started = at(i64::from(number) * 3600);
        let id = RunId::new(started, [number; 8]);
        let mut facts = Facts::new(id, AttemptId::new([number + 10; 8]), started);
        facts.status = Status::Finished;
        facts.ended = Some(Time(started.0 + 90_500_000));
        facts.exit_code = Some(0);
        facts.name = Some(format!("quiet-otter-{number}"));
        facts
    }

    /// The facts of a training that ended well.
    pub fn training(number: u8, rate: f64, accuracy: f64) -> Facts {
        let mut facts = plain(number);
        facts.experiment = Some("digits".into());
        facts.user = Some("Ana <ana@example.org>".into());
        facts.host = Some("node7".into());
        facts.command = ["python3", "train.py", "--note=two words"].map(Value::from).to_vec();
        facts.tags = vec!["baseline".into(), "stage=dev".into()];
        facts.params = table([
            ("lr", rate.into()),
            ("epochs", Value::Int(20)),
            ("model", Value::Table(table([("depth", Value::Int(3)), ("act.fn", "relu".into())]))),
        ]);
        let step = |step| Some(Number::Int(step));
        let mut accuracies = Summary::at(Number::Float(0.1), step(1));
        accuracies.then(&Summary::at(Number::Float(accuracy), step(20)));
        facts.metrics.insert("loss".into(), Summary::at(Number::Float(f64::NAN), step(20)));
        facts.metrics.insert("accuracy".into(), accuracies);
        facts.metrics.insert("images".into(), Summary::plain(Number::Int(1797)));
        let definition = Definition { goal: Some(Goal::Max), ..Definition::default() };
        facts.definitions.insert("accuracy".into(), definition);
        facts.code = Some(Code {
            commit: Some("1".repeat(40)),
            tree: Some("2".repeat(40)),
            branch: Some("main".into()),
            ..Code::default()
        });
        facts
    }

    /// The same facts as if the work tree had had changes.
    pub fn with_changes(mut facts: Facts) -> Facts {
        if let Some(code) = &mut facts.code {
            code.tree = Some("3".repeat(40));
            code.snapshot = Some("4".repeat(40));
            code.changed = vec![CodeFile { path: "train.py".into(), blob: Some("5".repeat(40)) }];
            code.changed_count = 1;
            code.left_out =
                vec![LeftOut { path: ".env".into(), reason: "looks like a secret".into(), size: Some(12) }];
            code.left_out_count = 1;
        }
        facts
    }

    /// The run that these facts, packages and edits come to, with one artifact.
    pub fn whole(mut facts: Facts, packages: Table, edits: &[Edit]) -> Run {
        let mut files = Files::new();
        let pointers = pointer::encode(&[Pointer {
            path: "plots/loss curve.png".into(),
            sha256: "a".repeat(64),
            size: 2048,
            media_type: None,
            executable: false,
            step: None,
            key: None,
            inline: true,
        }]);
        let attempt = facts.attempt.clone().unwrap();
        facts.artifacts = Some(ArtifactTotal { count: 1, bytes: 2048, sha256: sha256(&pointers) });
        files.insert(format!("artifacts/{attempt}-1.toml"), pointers);
        let environment = table([("format", Value::Int(1)), ("packages", Value::Table(packages))]);
        files.insert(ENVIRONMENT.into(), text::write(&environment).into_bytes());
        for edit in edits {
            let (id, bytes) = edit.encode();
            files.insert(edit_path(&id), bytes);
        }
        files.insert(RUN.into(), text::write(&facts.to_table()).into_bytes());
        fold(&facts.id, &files).unwrap()
    }

    /// The run that these facts come to.
    pub fn run(facts: Facts) -> Run {
        let files = Files::from([(RUN.to_owned(), text::write(&facts.to_table()).into_bytes())]);
        fold(&facts.id, &files).unwrap()
    }
}
