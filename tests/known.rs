//! What `--harvest` makes of files that other libraries wrote, whole and damaged.
//!
//! Quick by default; `XTRACK_EVERY_OFFSET=1` truncates at every offset and flips 10,000 bits of each sample.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use xtrack::journal::event::{Body, Event, Step, Thing};
use xtrack::journal::{line, replay};
use xtrack::ops::record::known::{self, Gathered, Wanted};
use xtrack::ops::record::place::Places;
use xtrack::run::attempt::Number;
use xtrack::run::value::Value;

/// What one source became.
#[derive(Debug, Clone)]
struct Journal {
    kind: String,
    source: String,
    events: Vec<Event>,
}

impl Journal {
    fn told(&self) -> Vec<String> {
        self.events.iter().map(told).collect()
    }

    fn points(&self) -> Vec<String> {
        self.events.iter().filter(|event| matches!(event.body, Body::Points(_))).map(told).collect()
    }
}

/// A work tree and a live folder.
struct Trial {
    _folder: TempDir,
    top: PathBuf,
    live: PathBuf,
}

impl Trial {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (top, live) = (root.join("work"), root.join("live"));
        fs::create_dir_all(&top).unwrap();
        fs::create_dir_all(&live).unwrap();
        Self { _folder: folder, top, live }
    }

    /// Harvests what `during` writes.
    fn harvest(&self, wanted: &[&str], during: impl FnOnce(&Path)) -> (Gathered, Vec<Journal>) {
        let explicit = |text: &&str| Wanted { is_explicit: true, ..known::parse_wanted(text).unwrap() };
        let wanted: Vec<_> = wanted.iter().map(explicit).collect();
        let watch = known::begin(&self.top, &wanted);
        let since = SystemTime::now();
        during(&self.top);
        let gathered = watch.gather(&self.live, since);
        (gathered, self.journals())
    }

    fn journals(&self) -> Vec<Journal> {
        let files = fs::read_dir(&self.live).unwrap().flatten().map(|child| child.path());
        let mut journals: Vec<_> = files
            .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
            .map(|path| journal(&path))
            .collect();
        journals.sort_by(|one, other| (&one.kind, &one.source).cmp(&(&other.kind, &other.source)));
        journals
    }

    /// A file as it was an hour ago.
    fn old(&self, name: &str, bytes: &[u8]) {
        write(&self.top.join(name), bytes);
        let file = File::options().write(true).open(self.top.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    }
}

fn journal(path: &Path) -> Journal {
    let bytes = fs::read(path).unwrap();
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let mut events: Vec<_> = lines.map(|line| line::decode(line).unwrap()).collect();
    assert!(events.iter().enumerate().all(|(index, event)| event.number == index as u64));
    let Body::Begin(begin) = events.remove(0).body else { panic!("a journal begins with who writes") };
    assert_eq!(begin.role.as_deref(), Some("harvest"));
    assert!(begin.owner.contains_key("pid"));
    let fact = |key: &str| begin.facts[key].as_text().unwrap().to_owned();
    Journal { kind: fact("kind"), source: fact("source"), events }
}

fn told(event: &Event) -> String {
    let step = match event.step {
        Step::At(step) => step.write(),
        Step::Nowhere => "-".to_owned(),
        Step::Next => "next".to_owned(),
    };
    let time = event.time.map_or("-".to_owned(), Number::write);
    let values = |values: &indexmap::IndexMap<String, Number>| {
        values.iter().map(|(name, value)| format!("{name}={}", value.write())).collect::<Vec<_>>().join(" ")
    };
    let body = match &event.body {
        Body::Points(points) => values(points),
        Body::Summary(summary) => format!("summary {}", values(summary)),
        Body::Params(params) => format!("params {}", shown(&Value::Table(params.clone()))),
        Body::Thing(thing) => {
            assert!(thing.has_shape(), "{thing:?}");
            format!("{} {} {}", thing.kind, thing.name, shown(&thing.value))
        }
        Body::Artifact(file) => {
            let place = if file.file.is_some() { "copied" } else { "linked" };
            let key = file.key.as_deref().unwrap_or("-");
            format!("{place} {} {} {key}", file.path, file.media_type.as_deref().unwrap_or("-"))
        }
        other => format!("{other:?}"),
    };
    format!("{step} {time} {body}")
}

fn shown(value: &Value) -> String {
    match value {
        Value::Table(table) => {
            let each = |(key, value): (&String, &Value)| format!("{key}={}", shown(value));
            format!("{{{}}}", table.iter().map(each).collect::<Vec<_>>().join(" "))
        }
        Value::List(list) => format!("[{}]", list.iter().map(shown).collect::<Vec<_>>().join(" ")),
        Value::Text(text) => text.clone(),
        Value::Int(int) => int.to_string(),
        Value::Float(float) => format!("{float:?}"),
        other => format!("{other:?}"),
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/known")
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(fixtures().join(name)).unwrap()
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn copy(from: &Path, to: &Path) {
    for child in fs::read_dir(from).unwrap().flatten() {
        let (path, target) = (child.path(), to.join(child.file_name()));
        if path.is_dir() { copy(&path, &target) } else { write(&target, &fs::read(&path).unwrap()) }
    }
}

/// What a fixture becomes that the command writes into `runs/x`.
fn of_fixture(kind: &str, name: &str) -> (Gathered, Vec<Journal>) {
    let (gathered, journals) =
        Trial::new().harvest(&[kind], |top| copy(&fixtures().join(name), &top.join("runs/x")));
    assert_eq!(gathered.hints, [""; 0]);
    (gathered, journals)
}

const TENSORBOARDX: &str = "tensorboardx/events.out.tfevents.1767225600.host";

#[test]
fn tensorboardx_writes_everything_it_can() {
    let (gathered, journals) = of_fixture("tensorboard", "tensorboardx");
    assert_eq!(gathered.notes, [""; 0]);
    let told: Vec<_> =
        journals.iter().map(|journal| format!("{}\n{}", journal.source, journal.told().join("\n"))).collect();
    insta::assert_snapshot!(told.join("\n\n"), @r"
    runs/x
    0 1767225600.25 loss=1.5
    0 1767225600.75 val/accuracy=0.0
    1 1767225601.25 loss=0.5
    10 1767225601.75 val/accuracy=0.25
    2 1767225602.25 loss=nan
    20 1767225602.75 val/accuracy=0.5
    3 1767225603.25 loss=inf
    30 1767225603.75 val/accuracy=0.75
    4 1767225604.25 loss=0.25
    40 1767225604.75 val/accuracy=1.0
    2 1767225609.25 loss=0.125
    3 1767225603.25 text note a *text*
    4 1767225604.25 copied images/samples-4.png image/png samples
    4 1767225604.25 histogram weights {edges=[-1.0 -0.25 0.5 1.25 2.0] counts=[2 1 2 1]}
    4 1767225604.25 curve pr {kind=pr x=[1.0 1.0 1.0 0.5 0.0] y=[0.5 0.6666666865348816 1.0 1.0 0.0] x_name=recall y_name=precision}

    runs/x/hp
    - - params {batch_size=64.0 lr=0.1 nesterov=Bool(true) solver=adam}
    5 1767225605.25 hp/hparam/accuracy=1.0
    ");
}

#[test]
fn tensorflow_2_names_what_a_tag_is_once_and_keeps_its_splits_apart() {
    let (gathered, journals) = of_fixture("tensorboard", "tensorflow2");
    assert_eq!(gathered.notes, [""; 0]);
    let told: Vec<_> =
        journals.iter().map(|journal| format!("{}\n{}", journal.source, journal.told().join("\n"))).collect();
    insta::assert_snapshot!(told.join("\n\n"), @r"
    runs/x/train
    0 1767225600.25 train/epoch_loss=0.75
    1 1767225601.25 train/epoch_loss=0.5
    2 1767225602.25 train/epoch_loss=0.25
    2 1767225603.25 histogram train/kernel {edges=[0.0 0.5 1.0] counts=[1 3]}
    2 1767225603.25 text train/note said in train
    2 1767225604.25 copied images/train/samples/0-2.png image/png train/samples/0
    2 1767225604.25 copied images/train/samples/1-2.png image/png train/samples/1

    runs/x/validation
    0 1767225600.25 validation/epoch_loss=1.0
    1 1767225601.25 validation/epoch_loss=0.75
    2 1767225602.25 validation/epoch_loss=0.5
    2 1767225603.25 histogram validation/kernel {edges=[0.0 0.5 1.0] counts=[1 3]}
    2 1767225603.25 text validation/note said in validation
    2 1767225604.25 copied images/validation/samples/0-2.png image/png validation/samples/0
    2 1767225604.25 copied images/validation/samples/1-2.png image/png validation/samples/1
    ");
}

#[test]
fn a_lone_split_keeps_its_name_and_another_single_folder_does_not() {
    let bytes = fixture(TENSORBOARDX);
    for (folder, first) in [("logs/train", "train/loss"), ("logs/Jan01_host", "loss"), ("", "loss")] {
        let name = format!("{folder}/events.out.tfevents.1.host");
        let (_, journals) =
            Trial::new().harvest(&["all"], |top| write(&top.join(name.trim_start_matches('/')), &bytes));
        assert!(
            journals[0].points()[0].contains(&format!("{first}=1.5")),
            "{folder}: {:?}",
            journals[0].points()[0]
        );
    }
}

#[test]
fn torch_restarts_and_crashes() {
    let (gathered, journals) = of_fixture("tensorboard", "torch/restarted");
    assert_eq!(gathered.notes, [""; 0]);
    // Both files are one writer, in the order of their names, and nothing that the second repeats is dropped.
    let losses: Vec<_> =
        journals[0].points().into_iter().filter(|point| point.contains(" val/loss=")).collect();
    let steps: Vec<_> =
        losses.iter().map(|point| point.split(' ').next().unwrap().parse::<i64>().unwrap()).collect();
    assert!(steps.windows(2).any(|pair| pair[1] < pair[0]), "{steps:?}");
    let (gathered, journals) = of_fixture("tensorboard", "torch/crashed");
    assert!(journals[0].points().len() > 100);
    insta::assert_snapshot!(gathered.notes.join("\n"), @"harvested 'runs/x': it ends in the middle of a record: the last 27 bytes were left out");
}

#[test]
fn dvclive_histories_last_values_params_and_plots() {
    let (gathered, journals) = of_fixture("dvclive", "dvclive");
    assert_eq!(gathered.notes, [""; 0]);
    insta::assert_snapshot!(journals[0].told().join("\n"), @r"
    - - params {lr=0.1 hidden=[24 12] data={name=digits shuffle=Bool(true)}}
    0 - train/loss=1.5
    1 - train/loss=0.5
    2 - train/loss=nan
    3 - train/loss=0.25
    0 - val/accuracy=0.0
    1 - val/accuracy=0.25
    2 - val/accuracy=0.5
    3 - val/accuracy=0.75
    - - summary best=0.75 worst=inf
    - - linked runs/x/plots/images/samples.png - -
    - - linked runs/x/plots/sklearn/confusion.json - -
    ");
}

#[test]
fn lightning_rows_hold_what_their_cells_hold() {
    let (gathered, journals) = of_fixture("lightning", "lightning");
    assert_eq!(gathered.notes, [""; 0]);
    let first: Vec<_> = journals.iter().flat_map(|journal| journal.told().into_iter().take(6)).collect();
    insta::assert_snapshot!(first.join("\n"), @r"
    - - params {dropout=0.0 hidden=16 lr=0.05 optimizer=sgd}
    4 - version_0/epoch=0 version_0/train/loss_step=2.3139123916625977
    9 - version_0/epoch=0 version_0/train/loss_step=2.2069807052612305
    14 - version_0/epoch=0 version_0/train/loss_step=2.148070812225342
    19 - version_0/epoch=0 version_0/train/loss_step=2.1947426795959473
    19 - version_0/epoch=0 version_0/val/acc=0.2944444417953491 version_0/val/loss=2.138151168823242
    - - params {dropout=0.0 hidden=8 lr=1000000.0 optimizer=sgd}
    4 - version_1/epoch=0 version_1/train/loss_step=nan
    9 - version_1/epoch=0 version_1/train/loss_step=nan
    14 - version_1/epoch=0 version_1/train/loss_step=nan
    19 - version_1/epoch=0 version_1/train/loss_step=nan
    19 - version_1/epoch=0 version_1/val/acc=0.10000000149011612 version_1/val/loss=nan
    ");
}

#[test]
fn keras_epochs_are_steps() {
    let (gathered, journals) = of_fixture("keras", "keras");
    assert_eq!(gathered.notes, [""; 0]);
    let first: Vec<_> = journals.iter().flat_map(|journal| journal.told().into_iter().take(2)).collect();
    insta::assert_snapshot!(first.join("\n"), @r"
    0 - diverges/accuracy=0.08830548822879791 diverges/loss=nan diverges/val_accuracy=0.10000000149011612 diverges/val_loss=nan
    1 - diverges/accuracy=0.0986475721001625 diverges/loss=nan diverges/val_accuracy=0.10000000149011612 diverges/val_loss=nan
    0 - sgd-fast/accuracy=0.3540174961090088 sgd-fast/loss=1.9762486219406128 sgd-fast/val_accuracy=0.5870370268821716 sgd-fast/val_loss=1.4329466819763184
    1 - sgd-fast/accuracy=0.6778042912483215 sgd-fast/loss=1.2091635465621948 sgd-fast/val_accuracy=0.7629629373550415 sgd-fast/val_loss=0.9771184921264648
    ");
}

#[test]
fn huggingface_history_is_read_once_however_many_checkpoints_hold_it() {
    let (gathered, journals) = of_fixture("huggingface", "huggingface");
    assert_eq!(gathered.notes, [""; 0]);
    assert_eq!((journals.len(), journals[0].points().len()), (1, 21));
    let mut told = journals[0].told();
    told.drain(4..20);
    insta::assert_snapshot!(told.join("\n"), @r"
    - - params {num_train_epochs=4 max_steps=80 train_batch_size=64 logging_steps=5 eval_steps=500 save_steps=500}
    5 - epoch=0.25 grad_norm=nan learning_rate=950000.0 loss=nan
    10 - epoch=0.5 grad_norm=nan learning_rate=887500.0 loss=nan
    15 - epoch=0.75 grad_norm=nan learning_rate=825000.0 loss=nan
    80 - epoch=4.0 eval_accuracy=0.1 eval_loss=nan eval_runtime=0.0274 eval_samples_per_second=19713.335 eval_steps_per_second=2482.42
    80 - epoch=4.0 total_flos=0.0 train_loss=nan train_runtime=0.2471 train_samples_per_second=20349.618 train_steps_per_second=323.781
    - - summary best_metric=0.1 best_global_step=20 total_flos=0.0
    ");
    // Before the end there are only checkpoints: the newest is read.
    let (_, journals) = Trial::new().harvest(&["huggingface"], |top| {
        for step in [20, 80] {
            let name = format!("checkpoint-{step}/trainer_state.json");
            write(&top.join("out").join(&name), &fixture(&format!("huggingface/{name}")));
        }
    });
    assert_eq!(journals[0].points().len(), 20);
}

#[test]
fn huggingface_goes_on_from_a_checkpoint() {
    let trial = Trial::new();
    trial.old(
        "out/checkpoint-20/trainer_state.json",
        &fixture("huggingface/checkpoint-20/trainer_state.json"),
    );
    let (gathered, journals) = trial.harvest(&["huggingface"], |top| {
        write(&top.join("out/trainer_state.json"), &fixture("huggingface/trainer_state.json"));
    });
    assert!(journals[0].points()[0].starts_with("25 "), "{}", journals[0].points()[0]);
    insta::assert_snapshot!(gathered.notes.join("\n"), @"harvested 'out': 5 rows of the checkpoint that it went on from were left out");
}

#[test]
fn metrics_json_in_each_of_its_shapes() {
    let table = [
        (
            r#"{"loss": 0.5, "val": {"acc": 1}, "name": "x", "bad": NaN}"#,
            "- - summary loss=0.5 val.acc=1 bad=nan",
        ),
        (r#"{"step": 7, "epoch": 2, "loss": 0.5}"#, "7 - epoch=2 loss=0.5"),
        (r#"[{"epoch": 0, "loss": 1.0}, {"epoch": 1, "loss": 0.5}]"#, "0 - loss=1.0|1 - loss=0.5"),
        (
            "{\"iteration\": 19, \"loss\": 1.0}\n{\"iteration\": 39, \"loss\": \"inf\"}\n",
            "19 - loss=1.0|39 - loss=inf",
        ),
        (
            r#"{"loss": [1.0, 0.5], "acc": [0.1], "best": 0.5}"#,
            "- - summary best=0.5|0 - loss=1.0 acc=0.1|1 - loss=0.5",
        ),
        ("{\"a\": 1}\n{\"a\": 2}\n", "0 - a=1|1 - a=2"),
        ("", ""),
    ];
    for (content, expected) in table {
        let (gathered, journals) = Trial::new()
            .harvest(&["metrics-json"], |top| write(&top.join("metrics.json"), content.as_bytes()));
        let told: Vec<_> = journals.iter().flat_map(Journal::told).collect();
        assert_eq!(told.join("|"), expected, "{content}");
        assert_eq!(gathered.notes, [""; 0], "{content}");
    }
}

#[test]
fn only_what_was_written_during_the_run_is_taken() {
    let rows = "epoch,loss\n0,1.0\n1,0.5\n";
    let event = fixture(TENSORBOARDX);
    let trial = Trial::new();
    trial.old("log.csv", rows.as_bytes());
    trial.old("same.csv", rows.as_bytes());
    trial.old("again.csv", rows.as_bytes());
    trial.old("lines/metrics.json", b"{\"step\": 1, \"a\": 1}\n{\"step\": 2, \"a\": 2}\n");
    trial.old("runs/old/events.out.tfevents.1.host", &event);
    trial.old("runs/new/events.out.tfevents.1.host", &event[..event.len() / 2]);
    let (gathered, journals) = trial.harvest(&["all"], |top| {
        append(&top.join("log.csv"), b"2,0.25\n");
        write(&top.join("again.csv"), b"epoch,loss\n0,9.0\n1,8.0\n2,7.0\n");
        append(&top.join("lines/metrics.json"), b"{\"step\": 3, \"a\": 3}\n");
        append(&top.join("runs/new/events.out.tfevents.1.host"), &event[event.len() / 2..]);
    });
    let csv: Vec<_> =
        journals.iter().filter(|journal| journal.kind == "keras").flat_map(Journal::told).collect();
    assert_eq!(csv, ["0 - again/loss=9.0", "1 - again/loss=8.0", "2 - again/loss=7.0", "2 - log/loss=0.25"]);
    let lines: Vec<_> =
        journals.iter().filter(|journal| journal.kind == "metrics-json").flat_map(Journal::told).collect();
    assert_eq!(lines, ["3 - a=3"]);
    let events: Vec<_> = journals.iter().filter(|journal| journal.kind == "tensorboard").collect();
    assert_eq!(events.len(), 1);
    let whole = of_fixture("tensorboard", "tensorboardx").1[0].told();
    let part = events[0].told();
    assert!(!part.is_empty() && part.len() < whole.len());
    // The first folder's prefix is its own: there is only one source here.
    assert_eq!(part.last(), whole.last());
    assert_eq!(gathered.notes, ["harvested 'log.csv': 2 rows were there before the run and were left out"]);
}

#[test]
fn paths_and_globs_are_asked_for_too() {
    let during = |top: &Path| {
        write(&top.join("logs/a/history.csv"), b"step;loss\n1;0.5\n");
        write(&top.join("logs/b/history.csv"), b"loss\n0.75\n0.5\n");
        write(&top.join("logs/c/other.txt"), b"x");
        write(&top.join("rows.jsonl"), b"{\"loss\": 1}\n{\"loss\": 2}\n");
        write(&top.join(".hidden/metrics.csv"), b"epoch,step,loss\n0,3,0.5\n");
    };
    let told = |wanted: &[&str]| {
        let (gathered, journals) = Trial::new().harvest(wanted, during);
        (journals.iter().flat_map(Journal::told).collect::<Vec<_>>().join("|"), gathered.notes.join("|"))
    };
    let nothing = String::new;
    assert_eq!(told(&["logs/a/history.csv"]), ("1 - loss=0.5".to_owned(), nothing()));
    assert_eq!(told(&["./rows.jsonl"]), ("0 - loss=1|1 - loss=2".to_owned(), nothing()));
    assert_eq!(
        told(&["logs/**/*.csv"]),
        ("1 - a/history/loss=0.5|0 - b/history/loss=0.75|1 - b/history/loss=0.5".to_owned(), nothing())
    );
    assert_eq!(told(&[".hidden"]), ("3 - epoch=0 loss=0.5".to_owned(), nothing()));
    assert_eq!(
        told(&["logs/c/other.txt"]).1,
        "cannot harvest 'logs/c/other.txt': it was not written during the run, or is of no known kind"
    );
    assert_eq!(told(&["nowhere/x.csv"]).1, "cannot harvest 'nowhere/x.csv': there is no such file or folder");
    assert_eq!(told(&["tensorboard"]).1, "cannot harvest 'tensorboard': the command wrote none");
    assert_eq!(told(&["logs/c"]).1, "cannot harvest 'logs/c': nothing of a known kind was written there");
}

#[test]
fn what_nobody_asked_for_is_one_hint() {
    let hints = |wanted: &[&str]| {
        let (gathered, journals) = Trial::new().harvest(wanted, |top| {
            copy(&fixtures().join("tensorboardx"), &top.join("runs/x"));
            copy(&fixtures().join("lightning"), &top.join("lightning_logs"));
            copy(&fixtures().join("dvclive"), &top.join("dvclive"));
            write(&top.join("node_modules/metrics.json"), b"{}");
            write(&top.join("data.csv"), b"a,b\n1,2\n");
        });
        assert_eq!(journals.is_empty(), wanted.is_empty());
        gathered.hints.join("\n")
    };
    insta::assert_snapshot!(hints(&[]), @r#"the command wrote TensorBoard events in 'runs/x' and 1 more, DVCLive files in 'dvclive' and a Lightning CSV log in 'lightning_logs/version_0/metrics.csv' and 1 more: `--harvest tensorboard --harvest dvclive --harvest lightning`, or `harvest = ["tensorboard", "dvclive", "lightning"]` under [record] in xtrack.toml, makes that the run's series"#);
    insta::assert_snapshot!(hints(&["tensorboard", "dvclive"]), @r#"the command wrote a Lightning CSV log in 'lightning_logs/version_0/metrics.csv' and 1 more: `--harvest lightning`, or `harvest = ["lightning"]` under [record] in xtrack.toml, makes that the run's series"#);
    assert_eq!(hints(&["all"]), "");
    // What the files of metrics are is read anyway.
    let trial = Trial::new();
    let mut watch = known::begin(&trial.top, &[]);
    watch.read_elsewhere([trial.top.join("metrics.json")]);
    let since = SystemTime::now();
    write(&trial.top.join("metrics.json"), b"{\"a\": 1}");
    assert_eq!(watch.gather(&trial.live, since), Gathered::default());
}

#[test]
fn what_is_asked_for_is_checked() {
    let refused = |text: &str| {
        let problem = known::parse_wanted(text).unwrap_err();
        format!("{problem} | {}", problem.hints.join(" | "))
    };
    insta::assert_snapshot!(refused("tensorbord"), @"there is no kind 'tensorbord' to harvest | did you mean 'tensorboard'? a file or folder of that name is './tensorbord'");
    insta::assert_snapshot!(refused(""), @"cannot harvest '': it is empty | it takes tensorboard, dvclive, huggingface, lightning, keras, metrics-json, all, a path or a glob");
    insta::assert_snapshot!(refused("logs/[x"), @"cannot harvest 'logs/[x': it is no glob: unclosed character class; missing ']' |");
    for path in ["runs", "./tensorbord", "logs/**/metrics.csv", "/var/log/x.csv"] {
        assert!(known::parse_wanted(path).unwrap().is_path, "{path}");
    }
    assert!(!known::parse_wanted("metrics-json").unwrap().is_path);
}

/// The samples: kind, the file as it is in the work tree, and the fixture.
const SAMPLES: &[(&str, &str, &str)] = &[
    ("tensorboard", "runs/x/events.out.tfevents.1.host", TENSORBOARDX),
    (
        "tensorboard",
        "runs/x/events.out.tfevents.1.host",
        "tensorflow2/train/events.out.tfevents.1767225600.host.1.0.v2",
    ),
    (
        "tensorboard",
        "runs/x/events.out.tfevents.1.host",
        "torch/crashed/events.out.tfevents.1795256138.train-host.26580.14",
    ),
    ("lightning", "logs/metrics.csv", "lightning/version_0/metrics.csv"),
    ("keras", "training.csv", "keras/sgd-fast.csv"),
    ("dvclive", "dvclive/plots/metrics/train/loss.tsv", "dvclive/plots/metrics/train/loss.tsv"),
    ("huggingface", "out/trainer_state.json", "huggingface/trainer_state.json"),
];

/// What these bytes become, and what is said of them.
fn of_bytes((kind, name): (&str, &str), bytes: &[u8]) -> (Vec<String>, Vec<String>) {
    let (gathered, journals) = Trial::new().harvest(&[name, kind], |top| write(&top.join(name), bytes));
    let points = journals.iter().flat_map(Journal::points).collect();
    (points, gathered.notes.into_iter().filter(|note| note.starts_with("harvested")).collect())
}

fn is_long() -> bool {
    std::env::var_os("XTRACK_EVERY_OFFSET").is_some()
}

#[test]
fn of_a_truncated_file_the_part_that_is_there_is_kept() {
    for (kind, name, fixture_name) in SAMPLES {
        let bytes = fixture(fixture_name);
        let (whole, _) = of_bytes((kind, name), &bytes);
        let mut kept = 0;
        for length in (0..bytes.len()).step_by(if is_long() { 1 } else { 97 }) {
            let (part, _) = of_bytes((kind, name), &bytes[..length]);
            assert_eq!(part, whole[..part.len()], "{fixture_name} at {length}");
            assert!(part.len() >= kept, "{fixture_name} at {length}: more bytes, fewer points");
            kept = part.len();
        }
    }
}

#[test]
fn a_flipped_bit_costs_what_it_hits_and_is_said() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for (kind, name, fixture_name) in SAMPLES {
        let bytes = fixture(fixture_name);
        let (whole, said) = of_bytes((kind, name), &bytes);
        for _ in 0..if is_long() { 10_000 } else { 60 } {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let mut bytes = bytes.clone();
            let place = random as usize / 8 % bytes.len();
            bytes[place] ^= 1 << (random % 8);
            let (kept, notes) = of_bytes((kind, name), &bytes);
            if *kind == "tensorboard" {
                assert!(kept.len() + 1 >= whole.len(), "{fixture_name}: {} of {}", kept.len(), whole.len());
                assert!(kept.len() == whole.len() || notes != said, "{fixture_name}: {notes:?}");
                assert!(kept.iter().all(|point| whole.contains(point)), "{fixture_name}");
            }
        }
    }
}

#[test]
fn joined_zero_filled_and_lying_files() {
    let event = fixture(TENSORBOARDX);
    let name = ("tensorboard", "runs/x/events.out.tfevents.1.host");
    let (whole, _) = of_bytes(name, &event);
    let joined = [&event[..], &event[..]].concat();
    assert_eq!(of_bytes(name, &joined), ([&whole[..], &whole[..]].concat(), vec![]));
    // A second writer went on behind the torn record of one that was killed.
    let (kept, notes) = of_bytes(name, &[&event[..200], &event[..]].concat());
    assert!(kept.ends_with(&whole) && kept.len() > whole.len());
    insta::assert_snapshot!(notes.join("\n"), @"harvested 'runs/x': it is damaged in 1 place: the records before and after were kept");
    let (kept, notes) = of_bytes(name, &[&event[..], &[0; 4096]].concat());
    assert_eq!(kept, whole);
    insta::assert_snapshot!(notes.join("\n"), @"harvested 'runs/x': it ends in the middle of a record: the last 4,096 bytes were left out");
    for length in [1_u64 << 20, 60 << 20, 1 << 40, u64::MAX] {
        let head = length.to_le_bytes();
        let checksum = crc32c::crc32c(&head).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes();
        let (kept, notes) = of_bytes(name, &[&event[..], &head, &checksum, b"xyz"].concat());
        assert_eq!((kept, notes.len()), (whole.clone(), 1), "{length}");
        let (kept, notes) = of_bytes(name, &[&head[..], &checksum, &event].concat());
        assert_eq!((kept, notes.len()), (whole.clone(), 1), "{length}");
    }
    let csv = "epoch,loss\n0,1.0\n1,0.5\n";
    let name = ("keras", "training.csv");
    let of_csv = |bytes: &[u8]| {
        let (kept, notes) = of_bytes(name, bytes);
        format!("{} | {}", kept.join(", "), notes.join(", "))
    };
    insta::assert_snapshot!(of_csv(&[csv.as_bytes(), csv.as_bytes()].concat()), @"0 - loss=1.0, 1 - loss=0.5, 0 - loss=1.0, 1 - loss=0.5 |");
    insta::assert_snapshot!(of_csv(&[csv.as_bytes(), b"2,0.2", &[0; 512]].concat()), @"0 - loss=1.0, 1 - loss=0.5 | harvested 'training.csv': it ends in the middle of a row: the last 517 bytes were left out");
    insta::assert_snapshot!(of_csv(&[csv.as_bytes(), b"2,0.\xff\n3,0.25\n4\n5,NA\n6,1,2\n7,inf\n"].concat()), @"0 - loss=1.0, 1 - loss=0.5, 3 - loss=0.25, 7 - loss=inf | harvested 'training.csv': 3 rows left out: not whole");
    insta::assert_snapshot!(of_csv(&[csv.as_bytes(), &vec![b'x'; 3 << 20], b"\n2,0.25\n"].concat()), @"0 - loss=1.0, 1 - loss=0.5, 2 - loss=0.25 | harvested 'training.csv': 1 line left out: longer than is read");
    insta::assert_snapshot!(of_csv(&[csv.as_bytes(), &vec![b'1'; 3 << 20]].concat()), @"0 - loss=1.0, 1 - loss=0.5 | harvested 'training.csv': it ends in the middle of a row: the last 3,145,728 bytes were left out");
    assert_eq!(of_csv(b"epoch,\"a \"\"b\"\", c\",x\r\n0,1,\"[0.1, 0.2]\"\r\n"), "0 - a \"b\", c=1 | ");
}

#[test]
fn names_that_no_metric_may_have_are_left_out() {
    let long = "x".repeat(300);
    let content = format!("epoch,a\u{202e}b,{long},ok\n0,1,2,3\n1,1,2,3\n");
    let (kept, notes) = of_bytes(("keras", "training.csv"), content.as_bytes());
    assert_eq!(kept, ["0 - ok=3", "1 - ok=3"]);
    insta::assert_snapshot!(notes.join("\n"), @r#"
    harvested 'training.csv': 2 values left out: cannot use "a\u{202e}b" as a metric: it holds the unprintable character U+202E
    harvested 'training.csv': 2 values left out: cannot use a a metric of 300 bytes: 256 is the limit
    "#);
}

#[test]
fn a_huge_tree_is_not_walked() {
    let trial = Trial::new();
    for folder in 0..60 {
        let folder = trial.top.join(format!("d{folder}"));
        fs::create_dir_all(&folder).unwrap();
        for file in 0..500 {
            File::create(folder.join(format!("{file}.txt"))).unwrap();
        }
    }
    let began = SystemTime::now();
    let watch = known::begin(&trial.top, &[known::parse_wanted("all").unwrap()]);
    let took = began.elapsed().unwrap();
    assert!(took < Duration::from_millis(500), "{took:?}");
    let gathered = watch.gather(&trial.live, SystemTime::now());
    assert!(gathered.notes[0].contains("naming their folder avoids that"), "{:?}", gathered.notes);
}

#[test]
fn links_and_cycles() {
    #[cfg(unix)]
    {
        let trial = Trial::new();
        let elsewhere = trial.live.join("scratch");
        fs::create_dir_all(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, trial.top.join("runs")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, elsewhere.join("again")).unwrap();
        std::os::unix::fs::symlink(&trial.top, elsewhere.join("up")).unwrap();
        let (_, journals) =
            trial.harvest(&["keras"], |top| write(&top.join("runs/log.csv"), b"epoch,loss\n0,1.0\n"));
        assert_eq!(
            journals.iter().map(|journal| journal.source.as_str()).collect::<Vec<_>>(),
            ["runs/log.csv"]
        );
    }
}

#[test]
fn settings_mean_paths_from_the_top_and_options_from_here() {
    let places = Places { here: PathBuf::from("/w/a[b]"), top: PathBuf::from("/w") };
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let wanted =
        known::wanted(&texts(&["dvclive", "logs"]), &texts(&["keras", "x.csv", "*.csv", "/t/x"]), &places)
            .unwrap();
    let wanted: Vec<_> =
        wanted.iter().map(|wanted| (wanted.text.as_str(), wanted.is_path, wanted.is_explicit)).collect();
    assert_eq!(
        wanted,
        [
            ("dvclive", false, false),
            ("logs", true, false),
            ("keras", false, true),
            ("/w/a[b]/x.csv", true, true),
            ("/w/a[[]b[]]/*.csv", true, true),
            ("/t/x", true, true),
        ]
    );
    assert!(known::wanted(&texts(&["kears"]), &[], &places).is_err());
}

#[test]
fn the_journals_say_the_same_when_they_are_replayed() {
    let trial = Trial::new();
    trial.harvest(&["all"], |top| {
        copy(&fixtures().join("tensorflow2"), &top.join("logs"));
        copy(&fixtures().join("dvclive"), &top.join("dvclive"));
    });
    let replay = replay::replay(&trial.live, &[], &mut Rows::default()).unwrap();
    assert!(replay.loss().is_none() && replay.remarks.is_empty(), "{:?}", replay.remarks);
    let mut sources: Vec<_> = replay.writers.iter().map(|writer| writer.number).collect();
    sources.sort_unstable();
    assert_eq!(sources, [0, 1, 2]);
    let names: Vec<_> = replay.metrics.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["train/epoch_loss", "validation/epoch_loss", "train/loss", "val/accuracy", "best", "worst"]
    );
    assert_eq!(replay.params_found["hidden"], Value::List(vec![Value::Int(24), Value::Int(12)]));
    assert_eq!(replay.artifacts.len(), 6);
}

/// Counts what is replayed.
#[derive(Default)]
struct Rows(usize);

impl replay::Sink for Rows {
    fn row(
        &mut self,
        _: u64,
        _: Option<Number>,
        _: Option<Number>,
        _: &indexmap::IndexMap<String, Number>,
    ) -> anyhow::Result<()> {
        self.0 += 1;
        Ok(())
    }

    fn thing(&mut self, _: u64, _: Option<Number>, _: Option<Number>, _: &Thing) -> anyhow::Result<()> {
        self.0 += 1;
        Ok(())
    }
}
