//! The golden vectors of format 1: what is written today is those bytes, and those bytes are read for ever.
//!
//! Vectors are only ever added. `XTRACK_WRITE_FIXTURES=1` writes the ones that are missing; what it wrote is to be
//! read by eye before it is committed. And the join agrees with what plain Git merges.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use indexmap::IndexMap;
use xtrack::error::Problem;
use xtrack::run::attempt::{
    ArtifactTotal, Code, CodeFile, Definition, Facts, Goal, Input, LeftOut, Number, Status, Summary,
};
use xtrack::run::edit::{Edit, Verdict};
use xtrack::run::fold::{fold, heads, tombstone};
use xtrack::run::id::{AttemptId, EditId, RunId, Time, hex, sha256, slug};
use xtrack::run::join::{disputed_path, join, normalise};
use xtrack::run::pointer::{self, Pointer};
use xtrack::run::record::{Files, Place, edit_path};
use xtrack::run::value::{Table, Value};
use xtrack::run::{Run, text};
use xtrack::series::{self, encode};

const STARTED: Time = Time(1_767_261_600_123_456);

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/format/v1")
}

fn may_write() -> bool {
    std::env::var_os("XTRACK_WRITE_FIXTURES").is_some()
}

/// Compares `bytes` with the vector `name`.
fn golden(name: &str, bytes: &[u8]) {
    let path = vectors().join(name);
    if !path.exists() && may_write() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
    }
    let vector = fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(
        vector == bytes,
        "{name} holds\n{}\nbut is written as\n{}",
        String::from_utf8_lossy(&vector),
        String::from_utf8_lossy(bytes)
    );
}

fn golden_tree(name: &str, files: &Files) {
    for (path, bytes) in files {
        golden(&format!("{name}/{path}"), bytes);
    }
    assert_eq!(&read_tree(&vectors().join(name)), files, "{name}");
}

/// All files under a folder, by their path in it.
fn read_tree(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn each(folder: &str) -> Vec<(String, Vec<u8>)> {
    let files: Vec<_> = read_tree(&vectors().join(folder)).into_iter().collect();
    assert!(!files.is_empty(), "{folder} is empty");
    files
}

fn run_id() -> RunId {
    RunId::new(STARTED, [0, 1, 2, 3, 4, 5, 6, 7])
}

fn attempt(first: u8) -> AttemptId {
    AttemptId::new([first, 17, 3, 9, 25, 31, 0, 11])
}

fn table<const N: usize>(pairs: [(&str, Value); N]) -> Table {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn facts_bytes(facts: &Facts) -> Vec<u8> {
    text::write(&facts.to_table()).into_bytes()
}

fn read_facts(bytes: &[u8]) -> Result<Facts, Problem> {
    Facts::from_table(&text::read(bytes)?)
}

fn summary(points: &[(f64, i128)]) -> Summary {
    let mut points =
        points.iter().map(|(value, step)| Summary::at(Number::Float(*value), Some(Number::Int(*step))));
    let mut whole = points.next().unwrap();
    points.for_each(|point| whole.then(&point));
    whole
}

fn small_facts() -> Facts {
    let mut facts = Facts::new(run_id(), attempt(0), STARTED);
    facts.name = some("quiet-otter");
    facts.status = Status::Finished;
    facts.ended = Some(Time(STARTED.0 + 61_000_000));
    facts.exit_code = Some(0);
    facts.command = vec!["python3".into(), "train.py".into(), "--lr=0.1".into()];
    facts.cwd = Some(".".into());
    facts.params = table([("lr", 0.1.into())]);
    facts.metrics.insert("loss".into(), summary(&[(0.9, 0), (0.25, 1), (0.5, 2)]));
    facts
}

fn full_facts() -> Facts {
    let mut facts = small_facts();
    facts.experiment = some("digits");
    facts.after = vec![attempt(1), attempt(2)];
    facts.revision = 3;
    facts.status = Status::Killed;
    facts.exit_code = None;
    facts.signal = some("SIGTERM");
    facts.command.push(Value::Bytes(b"caf\xe9".to_vec()));
    facts.cwd = Some("a folder/é".into());
    facts.user = some("Ada <ada@example.org>");
    facts.host = some("lab-1");
    facts.xtrack = some("0.1.0");
    facts.parent = some("20251231-235959-z0000000");
    facts.group = some("sweep 1");
    facts.tags = texts(&["baseline", "data=v2", "été"]);
    facts.notes = texts(&["one line", "two\nlines \"quoted\" \\ \u{1b}[31m\u{7f}"]);
    facts.code = Some(Code {
        commit: some(&"a1".repeat(20)),
        tree: some(&"b2".repeat(20)),
        snapshot: some(&"c3".repeat(32)),
        branch: some("main"),
        remote: some("https://example.org/repo.git"),
        patch_id: some(&"d4".repeat(20)),
        changed: vec![
            CodeFile { path: "train.py".into(), blob: some(&"e5".repeat(20)) },
            CodeFile { path: "gone.py".into(), blob: None },
        ],
        changed_count: 2,
        untracked: vec![CodeFile { path: Value::Bytes(b"\xff.py".to_vec()), blob: some(&"f6".repeat(20)) }],
        untracked_count: 101,
        left_out: vec![
            LeftOut { path: ".env".into(), reason: "looks like a secret".into(), size: Some(12) },
            LeftOut { path: ".venv/".into(), reason: "holds too many files".into(), size: None },
        ],
        left_out_count: 2,
    });
    facts.params = all_values();
    facts.metrics.insert("accuracy".into(), Summary::plain(Number::Float(0.97)));
    facts.metrics.insert("val/loss \"é\"".into(), summary(&[(f64::NAN, 0), (1e300, 5), (-0.0, 3)]));
    facts.metrics.insert("steps".into(), Summary::plain(Number::Int(i128::from(u64::MAX))));
    facts.metrics.insert("broken".into(), Summary::plain(Number::Float(f64::NAN)));
    facts.definitions.insert(
        "loss".into(),
        Definition { goal: Some(Goal::Min), unit: some("nats"), x: some("epoch"), summary: some("min") },
    );
    facts
        .definitions
        .insert("accuracy".into(), Definition { goal: Some(Goal::Max), ..Definition::default() });
    facts.inputs = vec![
        Input {
            name: "digits".into(),
            path: "data/digits.csv".into(),
            kind: "file".into(),
            sha256: some(&sha256(b"digits")),
            digest: None,
            size: Some(6),
            files: None,
        },
        Input {
            name: "images".into(),
            path: "s3://bucket/images".into(),
            kind: "dir".into(),
            sha256: None,
            digest: some("md5:0cc175b9c0f1b6a831c399e269772661.dir"),
            size: Some(4096),
            files: Some(12),
        },
    ];
    facts.writers = vec![table([("number", 0.into()), ("rank", 0.into()), ("pid", 4711.into())])];
    facts.scheduler = Some(table([("kind", "slurm".into()), ("job", "123_4".into())]));
    facts.ci = Some(table([("kind", "github".into()), ("url", "https://example.org/1".into())]));
    facts.imported = Some(table([("from", "mlflow".into()), ("id", "0af3".into())]));
    let pointers = pointer::encode(&pointers());
    facts.artifacts = Some(ArtifactTotal { count: 2, bytes: 5_000_000_007, sha256: sha256(&pointers) });
    facts
}

/// Each kind of value, and each way that a key or text can be awkward.
fn all_values() -> Table {
    let nested = table([
        ("depth", 3.into()),
        ("dropout", Value::Float(0.0)),
        ("empty", Value::Table(Table::new())),
        ("layers", Value::List(vec![64.into(), "relu".into(), Value::Null, Value::List(Vec::new())])),
    ]);
    let awkward = table([
        ("a.b", 1.into()),
        ("", 2.into()),
        ("$null", true.into()),
        ("$$x", 3.into()),
        ("été 🎉", "été 🎉".into()),
        ("quote\"\\\n", "\"\\\n\t\r\u{8}\u{c}\u{0}\u{1b}\u{7f}\u{85}".into()),
    ]);
    table([
        ("model", Value::Table(nested)),
        ("none", Value::Null),
        ("yes", true.into()),
        ("int", (-7).into()),
        ("int_min", i64::MIN.into()),
        ("int_max", i64::MAX.into()),
        ("int_big", Value::BigInt("18446744073709551616".into())),
        ("int_big_negative", Value::BigInt("-9223372036854775809".into())),
        ("float", 1.0.into()),
        ("float_tenth", 0.1.into()),
        ("float_third", (1.0 / 3.0).into()),
        ("float_large", 1e300.into()),
        ("float_1e16", 1e16.into()),
        ("float_small", 1e-7.into()),
        ("float_least", 5e-324.into()),
        ("float_zero_negative", (-0.0).into()),
        ("float_nan", f64::NAN.into()),
        ("float_inf", f64::INFINITY.into()),
        ("float_inf_negative", f64::NEG_INFINITY.into()),
        ("text", "".into()),
        ("text_like_a_date", "2026-01-01".into()),
        ("bytes", Value::Bytes(vec![0, 255, 10])),
        ("deep", Value::Json("[[1]]".into())),
        ("mixed", Value::List(vec![1.into(), 1.5.into(), Value::Table(table([("k", Value::Null)]))])),
        ("tables", Value::List(vec![Value::Table(table([("x", 1.into())])), Value::Table(Table::new())])),
        ("awkward", Value::Table(awkward)),
    ])
}

fn pointers() -> Vec<Pointer> {
    let plot = Pointer {
        path: "plots/Loss curve.PNG".into(),
        sha256: sha256(b"plot"),
        size: 4,
        media_type: some("image/png"),
        executable: false,
        step: Some(Number::Int(10)),
        key: some("loss"),
        inline: true,
    };
    let weights = Pointer {
        path: Value::Bytes(b"w\xff.bin".to_vec()),
        sha256: sha256(b"weights"),
        size: 5_000_000_003,
        media_type: None,
        executable: true,
        step: Some(Number::Float(0.5)),
        key: None,
        inline: false,
    };
    vec![plot, weights]
}

fn edits() -> Vec<Edit> {
    let note = Edit {
        note: some("looks good\nto me"),
        ..Edit::new("Ada <ada@example.org>".into(), STARTED, vec![])
    };
    let mut full = Edit::new("bob@lab-1".into(), Time(STARTED.0 + 1), vec![note.encode().0]);
    full.name = some("renamed");
    full.experiment = some("digits 2");
    full.tags_added = texts(&["best", "data=v3"]);
    full.tags_removed = texts(&["baseline"]);
    full.note = some("also a note");
    full.withdrawn = vec![format!("{}/1", note.encode().0)];
    full.reinstated = vec![format!("{}/a1", attempt(0))];
    full.verdict = Some(Verdict { status: Status::Failed, attempts: vec![attempt(0)] });
    full.metrics.insert("accuracy".into(), Number::Float(0.5));
    full.metrics.insert("count".into(), Number::Int(7));
    full.metrics_hidden = texts(&["loss"]);
    full.params = table([("lr", 0.2.into()), ("model", Value::Table(table([("depth", 4.into())])))]);
    full.deleted = Some(true);
    full.artifacts = Some(sha256(&pointer::encode(&pointers())));
    let restored = Edit {
        deleted: Some(false),
        ..Edit::new("Ada <ada@example.org>".into(), Time(STARTED.0 + 2), vec![full.encode().0])
    };
    vec![note, full, restored]
}

const NEWER_EDIT: &str =
    "format = 2\nby = \"Ada\"\nat = \"2026-01-01T10:00:00.000000Z\"\nfrom_the_future = [1, 2]\n";

fn environment() -> Table {
    let packages = table([("numpy", "2.3.1".into()), ("torch", "2.8.0+cu128".into())]);
    table([
        ("format", 1.into()),
        ("os", "Linux 6.8 x86_64".into()),
        ("cpus", 16.into()),
        ("python", Value::Table(table([("version", "3.13.1".into()), ("path", "/usr/bin/python3".into())]))),
        ("packages", Value::Table(packages)),
        ("variables", Value::Table(table([("OMP_NUM_THREADS", "4".into())]))),
    ])
}

fn stone(why: &str) -> Vec<u8> {
    text::write(&table([
        ("format", 1.into()),
        ("id", run_id().as_str().into()),
        ("by", "Ada <ada@example.org>".into()),
        ("at", STARTED.to_string().into()),
        ("why", why.into()),
    ]))
    .into_bytes()
}

#[test]
fn facts_are_the_vectors() {
    let mut running = small_facts();
    (running.status, running.ended, running.exit_code) = (Status::Running, None, None);
    let keyed = Facts::keyed(RunId::keyed("job-1"), "job-1".into());
    for (name, facts) in
        [("small", small_facts()), ("full", full_facts()), ("running", running), ("keyed", keyed)]
    {
        golden(&format!("facts/{name}.toml"), &facts_bytes(&facts));
        let read = read_facts(&facts_bytes(&facts)).unwrap();
        assert_eq!(format!("{read:?}"), format!("{facts:?}"), "{name}");
    }
    for (name, bytes) in each("facts") {
        assert_eq!(facts_bytes(&read_facts(&bytes).unwrap()), bytes, "{name}");
    }
}

#[test]
fn edits_are_the_vectors() {
    for edit in edits() {
        let (id, bytes) = edit.encode();
        golden(&format!("edit/{id}.toml"), &bytes);
        assert_eq!(Edit::decode(&id, &bytes), Ok(edit));
    }
    golden(
        &format!("edit/{}.toml", EditId::of(Time(1_767_261_600_000_000), NEWER_EDIT.as_bytes())),
        NEWER_EDIT.as_bytes(),
    );
    for (name, bytes) in each("edit") {
        let id = EditId::parse(name.strip_suffix(".toml").unwrap()).unwrap();
        let edit = Edit::decode(&id, &bytes).unwrap();
        assert!(!edit.understood || edit.encode() == (id, bytes), "{name}");
    }
}

#[test]
fn pointers_environments_tombstones_and_values_are_the_vectors() {
    golden("pointers/two.toml", &pointer::encode(&pointers()));
    golden("pointers/none.toml", &pointer::encode(&[]));
    assert_eq!(pointer::decode(&pointer::encode(&pointers())), Ok(pointers()));
    for (name, bytes) in each("pointers") {
        assert_eq!(pointer::encode(&pointer::decode(&bytes).unwrap()), bytes, "{name}");
    }
    golden("environment/python.toml", text::write(&environment()).as_bytes());
    golden("tombstone/tombstone.toml", &stone("it held a key"));
    assert_eq!(
        tombstone(&stone("it held a key")).map(|stone| (stone.at, stone.why)),
        Ok((STARTED, "it held a key".into()))
    );
    let values = table([
        ("format", 1.into()),
        ("params", Value::Table(all_values())),
        ("other", Value::Table(all_values())),
    ]);
    golden("values/all.toml", text::write(&values).as_bytes());
    assert_eq!(
        format!("{:?}", text::read(text::write(&values).as_bytes())),
        format!("{:?}", Ok::<_, Problem>(&values))
    );
    for folder in ["environment", "tombstone", "values"] {
        for (name, bytes) in each(folder) {
            assert_eq!(text::write(&text::read(&bytes).unwrap()).as_bytes(), bytes, "{folder}/{name}");
        }
    }
}

#[test]
fn series_are_the_vectors() {
    let mut writer = series::Writer::new();
    let values = |pairs: &[(&str, Number)]| -> IndexMap<String, Number> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    };
    let (int, float) = (Number::Int, Number::Float);
    let time = |offset: f64| Some(float(1_767_261_600.5 + offset));
    writer.log(Some(int(0)), time(0.0), &values(&[("loss", float(0.9)), ("lr", float(0.1))]));
    writer.log(Some(int(1)), time(1.25), &values(&[("lr", float(1e-7)), ("loss", float(f64::NAN))]));
    writer.log(
        Some(int(1)),
        time(1.5),
        &values(&[("loss", float(f64::INFINITY)), ("lr", float(f64::NEG_INFINITY))]),
    );
    writer.log(Some(float(0.5)), None, &values(&[("loss", int(1)), ("lr", float(-0.0))]));
    writer.log(
        None,
        Some(int(1_767_261_600)),
        &values(&[("seen", int(i128::from(u64::MAX))), ("a\tb\n\\c\r", int(-3))]),
    );
    for index in 0..15 {
        let name = format!("rare/{index:02}");
        writer.log(Some(int(index)), time(2.0), &values(&[(&name, float(1.0)), ("a\tb", float(1e300))]));
    }
    let files = writer.files("a5g3fkpr", 0);
    golden_tree("series", &files);
    for (name, bytes) in each("series") {
        let table = series::SegmentName::parse(&name).unwrap().table;
        assert_eq!(encode::encode(&encode::decode(table, &bytes).unwrap()), bytes, "{name}");
    }
    let points: usize = series::read(&files).unwrap().iter().map(|series| series.points.len()).sum();
    assert_eq!(points, 8 + 2 + 30);
}

#[test]
fn samples_and_whole_series_are_the_vectors() {
    let int = |int: i128| Some(Number::Int(int));
    let point = |step: Option<Number>, time: Option<f64>, value: Number| series::Point {
        step,
        time: time.map(Number::Float),
        value,
    };
    let logged = [
        ("loss", 0, point(int(0), Some(1_767_261_600.5), Number::Float(0.9))),
        ("loss", 0, point(Some(Number::Float(0.5)), None, Number::Float(-0.0))),
        ("loss", 1, point(None, Some(-1.25), Number::Float(f64::NEG_INFINITY))),
        ("a\tb", 0, point(int(i64::MAX.into()), None, Number::Int(i64::MIN.into()))),
        ("été", 0, point(int(2), None, Number::Float(1e300))),
    ];
    // The bytes depend on the compressor; what they say does not.
    let mut file = series::whole::Writer::new(Vec::new()).unwrap();
    let mut chunk = series::whole::Chunk::default();
    for (name, writer, point) in &logged {
        let number = chunk.number(*writer, name);
        chunk.push(number, point);
    }
    file.write(&mut chunk).unwrap();
    let bytes = file.finish().unwrap();
    let path = vectors().join("whole/a5g3fkpr.parquet");
    if !path.exists() && may_write() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &bytes).unwrap();
    }
    for name in ["loss", "a\tb", "été"] {
        let found = series::whole::read(fs::File::open(&path).unwrap(), name).unwrap();
        let found: Vec<(u64, series::Point)> = found
            .into_iter()
            .flat_map(|(writer, points)| points.into_iter().map(move |point| (writer, point)))
            .collect();
        let expected: Vec<(u64, series::Point)> = logged
            .iter()
            .filter(|(logged, ..)| *logged == name)
            .map(|(_, writer, point)| (*writer, *point))
            .collect();
        assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{name}");
    }

    let mut samples = series::sample::Samples::default();
    let number = samples.begin();
    for step in 0..5000 {
        let value = if (2000..2100).contains(&step) { f64::NAN } else { (step % 1000) as f64 };
        samples.push(number, &point(int(step), None, Number::Float(value)));
    }
    let mut text = encode::LONG_HEADER.to_owned();
    samples.points(number).iter().for_each(|point| encode::push_point(&mut text, "a\tb", point));
    let name = series::SampleName { attempt: "a5g3fkpr".into(), writer: 0, table: 0, revision: 2 };
    assert_eq!(Place::parse(&name.path()), Ok(Place::Metrics));
    golden_tree("sampled", &[(name.path(), text.into_bytes())].into());
}

#[test]
fn slugs_and_ids_are_the_vectors() {
    let long = "x".repeat(70);
    let paths: [&[u8]; 13] = [
        b"",
        b"a",
        b"plots/Loss curve.PNG",
        b"a__b",
        b"x.",
        b"..",
        b".hidden",
        "é/ü".as_bytes(),
        b"CON",
        b"a\nb\xffc",
        b"-rf",
        b"a$(b)`c`|d",
        long.as_bytes(),
    ];
    let slugs = paths.map(|path| {
        let written = match std::str::from_utf8(path) {
            Ok(text) => Value::from(text),
            Err(_) => Value::Bytes(path.to_vec()),
        };
        Value::Table(table([("path", written), ("slug", slug(path).into())]))
    });
    let slugs = table([("slugs", Value::List(slugs.into()))]);
    golden("slugs.toml", text::write(&slugs).as_bytes());

    let keyed = ["job-1", "", "été", "4711"]
        .map(|key| Value::Table(table([("key", key.into()), ("id", RunId::keyed(key).as_str().into())])));
    let random = [[0; 8], [255; 8], [0, 1, 2, 3, 4, 5, 6, 7]];
    let drawn = random.map(|random| {
        let (run, attempt) = (RunId::new(STARTED, random), AttemptId::new(random));
        Value::Table(table([
            ("started", STARTED.to_string().into()),
            ("random", hex(&random).into()),
            ("run", run.as_str().into()),
            ("attempt", attempt.as_str().into()),
        ]))
    });
    let accepted = ["20260101-100000-a1234567", "00000000-000000-zzzzzzzz", "99999999-999999-iloulilo"];
    let refused = [
        "",
        "20260101-100000-1abcdefg",
        "20260101-100000-Abcdefgh",
        "20260101-100000-abcdefgh/",
        "20260101-100000-abcdefg",
        "2026010a-100000-abcdefgh",
        "20260101_100000-abcdefgh",
        "20260101-100000-abcdefg\n",
        "20260101-100000-abcdefé",
    ];
    assert!(accepted.iter().all(|text| RunId::parse(text).is_some()));
    assert!(refused.iter().all(|text| RunId::parse(text).is_none()));
    let list = |texts: &[&str]| Value::List(texts.iter().map(|text| Value::from(*text)).collect());
    let ids = table([
        ("accepted", list(&accepted)),
        ("refused", list(&refused)),
        ("keyed", Value::List(keyed.into())),
        ("drawn", Value::List(drawn.into())),
    ]);
    golden("ids.toml", text::write(&ids).as_bytes());
}

/// What a fold comes to, as far as the vectors say it.
fn told(run: &Run) -> Table {
    let texts = |texts: Vec<String>| Value::List(texts.into_iter().map(Value::Text).collect());
    let time = |time: Option<Time>| time.map_or(Value::Null, |time| time.to_string().into());
    let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::Text);
    let notes = run.notes.iter().map(|note| {
        Value::Table(table([
            ("id", note.id.clone().into()),
            ("text", note.text.clone().into()),
            ("by", text(&note.by)),
        ]))
    });
    let metrics = run.metrics.iter().map(|(name, summary)| {
        let numbers = table([
            ("last", summary.last.value()),
            ("min", summary.min.value()),
            ("max", summary.max.value()),
            ("count", (summary.count as i64).into()),
        ]);
        (name.clone(), Value::Table(numbers))
    });
    let artifacts = run.artifacts.iter().map(|artifact| {
        Value::Table(table([("id", artifact.id.clone().into()), ("path", artifact.pointer.path.clone())]))
    });
    table([
        ("id", run.id.as_str().into()),
        ("name", text(&run.name)),
        ("experiment", text(&run.experiment)),
        ("status", run.status.as_str().into()),
        ("started", time(run.started)),
        ("ended", time(run.ended)),
        ("deleted", run.deleted.into()),
        ("tags", texts(run.tags.clone())),
        (
            "attempts",
            texts(
                run.attempts.iter().filter_map(|facts| Some(facts.attempt.as_ref()?.to_string())).collect(),
            ),
        ),
        ("edits", texts(run.edits.iter().map(|(id, _)| id.to_string()).collect())),
        ("heads", texts(heads(&run.edits).iter().map(ToString::to_string).collect())),
        ("disputed", texts(run.disputed.clone())),
        ("tombstone", run.tombstone.is_some().into()),
        ("params", Value::Table(run.params.clone())),
        ("metrics", Value::Table(metrics.collect())),
        ("notes", Value::List(notes.collect())),
        ("artifacts", Value::List(artifacts.collect())),
    ])
}

fn put_edit(files: &mut Files, edit: &Edit) -> EditId {
    let (id, bytes) = edit.encode();
    files.insert(edit_path(&id), bytes);
    id
}

/// A run that was killed and resumed, and of which two clones said different things.
fn resumed() -> Files {
    let mut first = small_facts();
    (first.status, first.exit_code, first.signal) = (Status::Killed, None, some("SIGKILL"));
    first.notes = texts(&["first try"]);
    first.tags = texts(&["data=v1", "slow"]);
    let mut second = small_facts();
    second.attempt = Some(attempt(5));
    second.after = vec![attempt(0)];
    second.started = Some(Time(STARTED.0 + 120_000_000));
    second.ended = Some(Time(STARTED.0 + 180_000_000));
    second.params = table([("lr", 0.01.into()), ("resume", true.into())]);
    second.metrics.insert("loss".into(), summary(&[(0.2, 3), (0.3, 4)]));
    let listed = pointer::encode(&pointers());
    second.artifacts = Some(ArtifactTotal { count: 2, bytes: 5_000_000_007, sha256: sha256(&listed) });
    let mut files = Files::from([
        ("run.toml".to_owned(), facts_bytes(&first)),
        ("environment.toml".to_owned(), text::write(&environment()).into_bytes()),
        (format!("attempts/{}.toml", attempt(5)), facts_bytes(&second)),
        (format!("artifacts/{}-1.toml", attempt(5)), listed),
        (pointers()[0].inline_path(attempt(5).as_str()), b"plot".to_vec()),
        (format!("console/{}-head.log", attempt(0)), b"epoch 1\nepoch 2\n".to_vec()),
    ]);
    let at = |seconds: i64| Time(STARTED.0 + seconds * 1_000_000);
    let ada = put_edit(
        &mut files,
        &Edit {
            note: some("which data?"),
            tags_added: texts(&["data=v2"]),
            ..Edit::new("ada".into(), at(300), vec![])
        },
    );
    // Later by its clock, and unaware of the other: both are heads until the next.
    let bob = put_edit(
        &mut files,
        &Edit {
            name: some("bobs-run"),
            tags_removed: texts(&["slow"]),
            ..Edit::new("bob".into(), at(301), vec![])
        },
    );
    let after = put_edit(
        &mut files,
        &Edit {
            name: some("our-run"),
            withdrawn: vec![format!("{ada}/1")],
            ..Edit::new("ada".into(), at(200), vec![ada, bob])
        },
    );
    put_edit(
        &mut files,
        &Edit {
            withdrawn: vec![format!("{}/a2", attempt(5))],
            ..Edit::new("ada".into(), at(400), vec![after])
        },
    );
    files
}

/// Attempts that each say they came after the other.
fn cycle() -> Files {
    let mut one = small_facts();
    one.after = vec![attempt(5)];
    let mut other = small_facts();
    (other.attempt, other.after) = (Some(attempt(5)), vec![attempt(0)]);
    other.status = Status::Failed;
    Files::from([
        ("run.toml".to_owned(), facts_bytes(&one)),
        (format!("attempts/{}.toml", attempt(5)), facts_bytes(&other)),
    ])
}

#[test]
fn folds_are_the_vectors() {
    let mut newer = Files::from([("run.toml".to_owned(), facts_bytes(&small_facts()))]);
    let id = EditId::of(Time(1_767_261_600_000_000), NEWER_EDIT.as_bytes());
    newer.insert(edit_path(&id), NEWER_EDIT.as_bytes().to_vec());
    put_edit(&mut newer, &Edit { name: some("after it"), ..Edit::new("ada".into(), Time(0), vec![id]) });
    let purged = Files::from([("tombstone.toml".to_owned(), stone("it held a key"))]);
    for (name, files) in
        [("resumed", resumed()), ("cycle", cycle()), ("newer-edit", newer), ("purged", purged)]
    {
        golden_tree(&format!("fold/{name}/record"), &files);
        golden(
            &format!("fold/{name}/expected.toml"),
            text::write(&told(&fold(&run_id(), &files).unwrap())).as_bytes(),
        );
    }
    for case in fs::read_dir(vectors().join("fold")).unwrap() {
        let case = case.unwrap().path();
        let run = fold(&run_id(), &read_tree(&case.join("record"))).unwrap();
        let expected = fs::read_to_string(case.join("expected.toml")).unwrap();
        assert_eq!(text::write(&told(&run)), expected, "{}", case.display());
    }
}

/// The cases of the join: a name and both sides.
fn joins() -> Vec<(&'static str, Files, Files)> {
    let run = |change: &dyn Fn(&mut Facts)| {
        let mut facts = small_facts();
        change(&mut facts);
        Files::from([("run.toml".to_owned(), facts_bytes(&facts))])
    };
    let at =
        |revision: u64, status: Status| run(&|facts| (facts.revision, facts.status) = (revision, status));
    let one = |path: &str, bytes: &[u8]| Files::from([(path.to_owned(), bytes.to_vec())]);
    let head = format!("console/{}-head.log", attempt(0));
    let tail = format!("console/{}-tail-1.log", attempt(0));
    let mut ada = run(&|_| ());
    put_edit(&mut ada, &Edit { note: some("from ada"), ..Edit::new("ada".into(), STARTED, vec![]) });
    let mut bob = run(&|_| ());
    put_edit(&mut bob, &Edit { note: some("from bob"), ..Edit::new("bob".into(), STARTED, vec![]) });
    let mut settled = at(2, Status::Crashed);
    settled.insert(
        disputed_path("run.toml", &at(1, Status::Crashed)["run.toml"]),
        at(1, Status::Crashed)["run.toml"].clone(),
    );
    let other_run = |facts: &mut Facts| {
        facts.id = RunId::parse("20260101-100000-b1234567").unwrap();
        facts.revision = 9;
    };
    vec![
        ("two-edits", ada, bob),
        ("higher-revision", at(1, Status::Running), at(2, Status::Finished)),
        ("recovered-then-finished", at(2, Status::Crashed), at(3, Status::Finished)),
        ("finished-is-never-superseded", at(2, Status::Finished), at(9, Status::Crashed)),
        ("same-revision", run(&|facts| facts.name = some("a")), run(&|facts| facts.name = some("b"))),
        ("facts-of-another-run", at(1, Status::Running), run(&other_run)),
        ("facts-unreadable", at(1, Status::Running), one("run.toml", b"no facts\n")),
        ("grown", one(&head, b"epoch 1\n"), one(&head, b"epoch 1\nepoch 2\n")),
        ("grown-apart", one(&head, b"epoch 1\na\n"), one(&head, b"epoch 1\nb\n")),
        ("written-once-twice", one(&tail, b"a\n"), one(&tail, b"a\nb\n")),
        ("dispute-settled", settled, at(1, Status::Running)),
        ("dispute-without-its-path", one(&disputed_path(&tail, b"b"), b"b"), one(&tail, b"c")),
        ("purged", run(&|_| ()), one("tombstone.toml", &stone("it held a key"))),
        ("purged-twice", one("tombstone.toml", &stone("a")), one("tombstone.toml", &stone("b"))),
    ]
}

#[test]
fn joins_are_the_vectors() {
    for (name, ours, theirs) in joins() {
        golden_tree(&format!("join/{name}/ours"), &ours);
        golden_tree(&format!("join/{name}/theirs"), &theirs);
        golden_tree(&format!("join/{name}/joined"), &join(&ours, &theirs).unwrap());
    }
    for case in fs::read_dir(vectors().join("join")).unwrap() {
        let case = case.unwrap().path();
        let [ours, theirs, joined] = ["ours", "theirs", "joined"].map(|side| read_tree(&case.join(side)));
        assert_eq!(join(&ours, &theirs), Ok(joined.clone()), "{}", case.display());
        assert_eq!(join(&theirs, &ours), Ok(joined.clone()), "{}", case.display());
        assert_eq!(normalise(&joined), Ok(joined), "{}", case.display());
    }
}

/// What must be refused: a file, what it claims to be, and its bytes.
fn hostile() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let small = String::from_utf8(facts_bytes(&small_facts())).unwrap();
    let with = |old: &str, new: &str| {
        assert!(small.contains(old), "{old}");
        small.replacen(old, new, 1).into_bytes()
    };
    let edit = String::from_utf8(edits()[0].encode().1).unwrap();
    let deep = format!("format = 1\nx = {}1{}\n", "[".repeat(5000), "]".repeat(5000));
    vec![
        ("facts-crlf.toml", "facts", small.replace('\n', "\r\n").into_bytes()),
        ("facts-cut.toml", "facts", small.as_bytes()[..40].to_vec()),
        ("facts-no-newline.toml", "facts", small.trim_end().as_bytes().to_vec()),
        ("facts-empty.toml", "facts", Vec::new()),
        ("facts-not-utf8.toml", "facts", b"format = 1\nname = \"\xff\"\n".to_vec()),
        ("facts-key-twice.toml", "facts", with("revision = 1\n", "revision = 1\nrevision = 2\n")),
        ("facts-comment.toml", "facts", with("revision = 1\n", "revision = 1 # mine\n")),
        ("facts-hexadecimal.toml", "facts", with("revision = 1\n", "revision = 0x1\n")),
        (
            "facts-bare-date.toml",
            "facts",
            with("\"2026-01-01T10:00:00.123456Z\"", "2026-01-01T10:00:00.123456Z"),
        ),
        ("facts-format-0.toml", "facts", with("format = 1\n", "format = 0\n")),
        ("facts-format-2.toml", "facts", with("format = 1\n", "format = 2\n")),
        ("facts-no-format.toml", "facts", with("format = 1\n", "")),
        ("facts-id-with-slash.toml", "facts", with(run_id().as_str(), "../../heads/main")),
        (
            "facts-attempt-upper-case.toml",
            "facts",
            with(&format!("attempt = \"{}\"", attempt(0)), "attempt = \"AAAAAAAA\""),
        ),
        ("facts-revision-0.toml", "facts", with("revision = 1\n", "revision = 0\n")),
        ("facts-revision-negative.toml", "facts", with("revision = 1\n", "revision = -1\n")),
        ("facts-status-unheard-of.toml", "facts", with("\"finished\"", "\"winning\"")),
        ("facts-name-a-number.toml", "facts", with("\"quiet-otter\"", "7")),
        ("facts-params-a-list.toml", "facts", with("[params]\nlr = 0.1\n", "[[params]]\nlr = 0.1\n")),
        (
            "facts-key-of-another-id.toml",
            "facts",
            format!("format = 1\nid = \"{}\"\nkey = \"job-1\"\n", RunId::keyed("job-2")).into_bytes(),
        ),
        ("value-null-false.toml", "values", b"x = { \"$null\" = false }\n".to_vec()),
        ("value-int-small.toml", "values", b"x = { \"$int\" = \"7\" }\n".to_vec()),
        ("value-int-zeros.toml", "values", b"x = { \"$int\" = \"018446744073709551616\" }\n".to_vec()),
        ("value-bytes-no-base64.toml", "values", b"x = { \"$bytes\" = \"!\" }\n".to_vec()),
        ("value-unheard-of.toml", "values", b"x = { \"$exec\" = \"rm\" }\n".to_vec()),
        ("value-reserved-key.toml", "values", b"x = { \"$a\" = 1, b = 2 }\n".to_vec()),
        ("value-float-long.toml", "values", b"x = 0.10\n".to_vec()),
        ("value-nan-signed.toml", "values", b"x = -nan\n".to_vec()),
        ("value-escape-needless.toml", "values", b"x = \"\\u0061\"\n".to_vec()),
        ("value-control-bare.toml", "values", b"x = \"\x1b[31m\"\n".to_vec()),
        ("value-deep.toml", "values", deep.into_bytes()),
        ("edit-renamed.toml", "edit", edit.clone().into_bytes()),
        (
            "edit-without-by.toml",
            "edit",
            edit.replacen("by = \"Ada <ada@example.org>\"\n", "", 1).into_bytes(),
        ),
        (
            "pointers-digest-short.toml",
            "pointers",
            b"format = 1\n\n[[artifacts]]\npath = \"a\"\nsha256 = \"abc\"\nsize = 1\n".to_vec(),
        ),
        (
            "pointers-size-negative.toml",
            "pointers",
            format!("format = 1\n\n[[artifacts]]\npath = \"a\"\nsha256 = \"{}\"\nsize = -1\n", sha256(b""))
                .into_bytes(),
        ),
        (
            "pointers-mode.toml",
            "pointers",
            format!(
                "format = 1\n\n[[artifacts]]\npath = \"a\"\nsha256 = \"{}\"\nsize = 1\nmode = \"s\"\n",
                sha256(b"")
            )
            .into_bytes(),
        ),
        (
            "tombstone-without-by.toml",
            "tombstone",
            b"format = 1\nat = \"2026-01-01T10:00:00.000000Z\"\n".to_vec(),
        ),
        ("tombstone-no-date.toml", "tombstone", b"format = 1\nby = \"a\"\nat = \"today\"\n".to_vec()),
        ("series-no-header.tsv", "series", b"1\t\t0.5\n".to_vec()),
        ("series-column-twice.tsv", "series", b"step\ttime\ta\ta\n".to_vec()),
        ("series-hole.tsv", "series", b"step\ttime\ta\tb\n1\t\t0.5\t\n".to_vec()),
        ("series-ragged.tsv", "series", b"step\ttime\ta\n1\t\t0.5\t0.5\n".to_vec()),
        ("series-torn.tsv", "series", b"step\ttime\ta\n1\t\t0.5\n2\t\t0.".to_vec()),
        ("series-crlf.tsv", "series", b"step\ttime\ta\r\n1\t\t0.5\r\n".to_vec()),
        ("series-plus.tsv", "series", b"step\ttime\ta\n1\t\t+1\n".to_vec()),
        ("series-nan-upper-case.tsv", "series", b"step\ttime\ta\n1\t\tNaN\n".to_vec()),
        ("series-escape-unheard-of.tsv", "series", b"step\ttime\ta\\x\n".to_vec()),
        ("series-not-utf8.tsv", "series", b"step\ttime\t\xff\n".to_vec()),
        ("series-long-header.tsv", "series-long", b"step\ttime\ta\n".to_vec()),
        ("run-of-another-id.toml", "run", with(run_id().as_str(), "20260101-100000-b1234567")),
        ("run-bare-identity.toml", "run", format!("format = 1\nid = \"{}\"\n", run_id()).into_bytes()),
    ]
}

/// The message with which `bytes` are refused as what they claim to be.
fn refusal(claim: &str, bytes: &[u8]) -> Option<String> {
    let result = match claim {
        "facts" => read_facts(bytes).map(drop),
        "values" => text::read(bytes).map(drop),
        "edit" => Edit::decode(&EditId::parse("20260101-100000-0123456789abcdef").unwrap(), bytes).map(drop),
        "pointers" => pointer::decode(bytes).map(drop),
        "tombstone" => tombstone(bytes).map(drop),
        "series" => encode::decode(0, bytes).map(drop).map_err(|malformed| Problem::new(malformed.0)),
        "series-long" => {
            encode::decode(series::TABLE_LONG, bytes).map(drop).map_err(|malformed| Problem::new(malformed.0))
        }
        "run" => fold(&run_id(), &Files::from([("run.toml".to_owned(), bytes.to_vec())])).map(drop),
        other => panic!("no such claim: {other}"),
    };
    // What the TOML reader says beyond this is its own affair, and may change.
    result.err().map(|problem| match problem.message.starts_with("is not TOML:") {
        true => "is not TOML".to_owned(),
        false => problem.message,
    })
}

#[test]
fn hostile_files_are_refused_as_the_vectors_say() {
    let mut expected = Table::new();
    for (name, claim, bytes) in hostile() {
        golden(&format!("hostile/{name}"), &bytes);
        let message = refusal(claim, &bytes).unwrap_or_else(|| panic!("{name} is taken"));
        let entry = table([("as", claim.into()), ("refused", message.into())]);
        expected.insert(name.to_owned(), Value::Table(entry));
    }
    let document = table([("files", Value::Table(expected))]);
    golden("hostile/expected.toml", text::write(&document).as_bytes());
    let listed: BTreeSet<&str> = hostile().into_iter().map(|(name, ..)| name).collect();
    for (name, _) in each("hostile") {
        assert!(listed.contains(name.as_str()) || name.starts_with("expected"), "{name} has no expectation");
    }
}

#[test]
fn hostile_paths_are_refused_as_the_vectors_say() {
    let digest = sha256(b"");
    let paths = [
        "",
        "/run.toml",
        "run.toml/",
        "./run.toml",
        "../run.toml",
        "RUN.TOML",
        "run.toml\n",
        "hooks/post-merge",
        ".git/config",
        "edits/x.toml",
        "edits/20260101-100000-0123456789ABCDEF.toml",
        "edits/../run.toml",
        "attempts/1aaaaaaa.toml",
        "attempts/aaaaaaaa/x.toml",
        "metrics/aaaaaaaa-00-00-0000.tsv",
        "metrics/aaaaaaaa-0-0-0000.tsv",
        "metrics/aaaaaaaa-0-00-00000.tsv",
        "events/aaaaaaaa-0-00-0000.jsonl",
        "console/aaaaaaaa-tail-01.log",
        "artifacts/aaaaaaaa/0123456789abcdef-",
        "artifacts/aaaaaaaa/0123456789abcdef-a.",
        "artifacts/aaaaaaaa/0123456789abcdef-A",
        "artifacts/../0123456789abcdef-a",
        "artifacts/aaaaaaaa-.toml",
        "disputed/abc/run.toml",
        &format!("disputed/{digest}/tombstone.toml"),
        &format!("disputed/{digest}/disputed/{digest}/run.toml"),
        &format!("disputed/{digest}/../run.toml"),
        "disputed",
        "tombstone.toml/x",
    ];
    let refused = paths.map(|path| {
        let problem = Place::parse(path).expect_err(path);
        Value::Table(table([("path", path.into()), ("refused", problem.message.into())]))
    });
    let document = table([("paths", Value::List(refused.into()))]);
    golden("hostile/expected-paths.toml", text::write(&document).as_bytes());
}

/// A repository of its own, with no configuration but its own.
struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Repository(tempfile::tempdir().unwrap());
        repository.git(&["init", "-q", "-b", "main", "."], &[]);
        repository
    }

    fn git(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.0.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "t")))
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "t@example.org")))
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_DATE"), "1767261600 +0000")))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Writes the tree of `files` and a commit of it.
    fn commit(&self, files: &Files, parents: &[&str]) -> String {
        let tree = self.tree(files);
        let parents = parents.iter().flat_map(|parent| ["-p", parent]);
        let arguments: Vec<&str> = ["commit-tree", "-m", "x", &tree].into_iter().chain(parents).collect();
        self.git(&arguments, &[])
    }

    fn tree(&self, files: &Files) -> String {
        let folder = self.0.path().join("work");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        for (path, bytes) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let (folder, index) = (folder.to_str().unwrap(), self.0.path().join("work.index"));
        let _ = fs::remove_file(&index);
        let index = [("GIT_INDEX_FILE", index.to_str().unwrap())];
        let git_dir = self.0.path().join(".git");
        let at = ["--git-dir", git_dir.to_str().unwrap(), "--work-tree", folder];
        self.git(&[&at[..], &["-c", "core.autocrlf=false", "add", "-f", "-A", folder]].concat(), &index);
        self.git(&["write-tree"], &index)
    }
}

/// What one clone does to a record, as an honest one does: a set of paths that only it touches.
fn worked_on(base: &Files, who: u8, steps: &[u8]) -> Files {
    let mut files = base.clone();
    for (index, step) in steps.iter().enumerate() {
        let mine = attempt(10 + who);
        let at = Time(STARTED.0 + (index as i64) * 1_000_000);
        match step % 5 {
            0 => {
                let note = format!("note {index} of {who}");
                put_edit(
                    &mut files,
                    &Edit { note: Some(note), ..Edit::new(format!("clone {who}"), at, vec![]) },
                );
            }
            1 => {
                let mut facts = small_facts();
                (facts.attempt, facts.revision) = (Some(mine.clone()), 1 + index as u64);
                files.insert(format!("attempts/{mine}.toml"), facts_bytes(&facts));
            }
            2 => {
                let rows = files
                    .entry(format!("metrics/{mine}-0-00-0000.tsv"))
                    .or_insert(b"step\ttime\ta\n".to_vec());
                rows.extend(format!("{index}\t\t0.5\n").bytes());
            }
            3 => {
                // The same bytes under another name, which a merge could take for a rename.
                files.insert(
                    format!("attempts/{mine}.environment.toml"),
                    text::write(&environment()).into_bytes(),
                );
            }
            _ => {
                let head = format!("console/{mine}-head.log");
                files.entry(head).or_default().extend(format!("line {index}\n").bytes());
            }
        }
    }
    files
}

#[test]
fn plain_git_merges_to_the_same_tree_where_no_path_changed_on_both_sides() {
    let repository = Repository::new();
    let mut base = resumed();
    let losing = b"the losing side\n";
    base.insert(disputed_path(&format!("console/{}-tail-1.log", attempt(0)), losing), losing.to_vec());
    let base = normalise(&base).unwrap();
    let fixed: [(&[u8], &[u8]); 4] =
        [(&[0], &[0]), (&[3], &[3, 1]), (&[0, 1, 2, 3, 4], &[4, 3, 2, 1, 0]), (&[], &[0, 3])];
    let drawn = (0..10u8).map(|seed| {
        let digest = sha256(&[seed]).into_bytes();
        (digest[..usize::from(seed)].to_vec(), digest[20..25].to_vec())
    });
    let histories = fixed.map(|(left, right)| (left.to_vec(), right.to_vec())).into_iter().chain(drawn);
    let root = repository.commit(&base, &[]);
    for (left, right) in histories {
        let (ours, theirs) = (worked_on(&base, 0, &left), worked_on(&base, 1, &right));
        let (left, right) = (repository.commit(&ours, &[&root]), repository.commit(&theirs, &[&root]));
        let merged =
            repository.git(&["merge-tree", "--write-tree", "-X", "find-renames=100%", &left, &right], &[]);
        assert_eq!(merged, repository.tree(&join(&ours, &theirs).unwrap()));
    }
}

#[test]
fn the_vectors_say_what_they_are() {
    let readme = fs::read_to_string(vectors().join("README.md")).unwrap();
    let named: BTreeMap<String, bool> = fs::read_dir(vectors())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .map(|name| (name.clone(), readme.contains(&format!("`{name}"))))
        .collect();
    assert!(named.values().all(|is_named| *is_named), "{named:?}");
}
