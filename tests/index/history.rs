//! Histories of repositories, made up: runs with awkward values, edits, damage, and refs that plain git moved.

use indexmap::IndexMap;
use proptest::prelude::*;

use xtrack::run::attempt::{Code, Definition, Facts, Goal, Input, Number, Status, Summary};
use xtrack::run::edit::Edit;
use xtrack::run::id::{AttemptId, RunId, Time};
use xtrack::run::record::{Files, RUN, edit_path};
use xtrack::run::value::{Table, Value};
use xtrack::run::{fold, text};
use xtrack::store::{RunWrite, Store};
use xtrack::tracker::Tracker;

use crate::support::Repo;

/// How many runs there are at most.
pub const RUNS: u8 = 8;

/// Something that happens to a repository.
#[derive(Debug, Clone)]
pub enum Event {
    /// A run is recorded, or an attempt of it again.
    Record(u8, Box<Facts>),
    /// Something is said of it.
    Edit(u8, Box<Edit>),
    /// Its record comes to hold what is none.
    Spoil(u8, &'static str),
    /// It is purged.
    Bury(u8),
    /// An object of it is gone.
    Lose(u8),
    /// Its ref is removed by plain git.
    Delete(u8),
    /// Its ref is moved by plain git to where it was before, if it was.
    Rewind(u8),
    /// It becomes what another run is.
    Copy(u8, u8),
    /// It arrives from a remote, as it is here; ours may stay.
    Fetch(u8, &'static str, bool),
    /// Refs are packed.
    Pack,
    /// Objects are packed.
    Repack,
    /// This clone hides it, or shows it again.
    Hide(u8, bool),
    /// The settings come to say something of metrics.
    Settings(&'static str),
}

pub fn id(number: u8) -> RunId {
    RunId::new(Time(1_767_225_600_000_000 + i64::from(number % 3) * 1_000_000), [number; 8])
}

pub fn events() -> impl Strategy<Value = Vec<Event>> {
    let run = 0..RUNS;
    let spoiled = prop::sample::select(vec!["run.toml", "strange.txt", "attempts/zzzzzzzz.toml"]);
    let remote = prop::sample::select(vec!["origin/runs", "origin", "lab/runs"]);
    let settings = prop::sample::select(vec![
        "",
        "[metric.acc]\ngoal = \"max\"\n",
        "[metric.acc]\ngoal = \"min\"\n\n[metric.loss]\ngoal = \"min\"\n",
    ]);
    let event = prop_oneof![
        10 => (run.clone(), facts()).prop_map(|(run, facts)| Event::Record(run, Box::new(facts))),
        5 => (run.clone(), edit()).prop_map(|(run, edit)| Event::Edit(run, Box::new(edit))),
        1 => (run.clone(), spoiled).prop_map(|(run, path)| Event::Spoil(run, path)),
        1 => run.clone().prop_map(Event::Bury),
        1 => run.clone().prop_map(Event::Lose),
        1 => run.clone().prop_map(Event::Delete),
        1 => run.clone().prop_map(Event::Rewind),
        1 => (run.clone(), run.clone()).prop_map(|(one, other)| Event::Copy(one, other)),
        2 => (run.clone(), remote, any::<bool>()).prop_map(|(run, remote, stays)| Event::Fetch(run, remote, stays)),
        1 => Just(Event::Pack),
        1 => Just(Event::Repack),
        1 => (run, any::<bool>()).prop_map(|(run, hidden)| Event::Hide(run, hidden)),
        1 => settings.prop_map(Event::Settings),
    ];
    prop::collection::vec(event, 1..14)
}

/// Lets it happen.
pub fn happen(repo: &Repo, event: &Event) {
    let store = Store::open(repo.path()).unwrap();
    let name = |run: u8| format!("refs/runs/{}", id(run));
    let tip = |run: u8| store.run_tip(&id(run)).unwrap();
    match event {
        Event::Record(run, facts) => {
            let facts = Facts { id: id(*run), ..(**facts).clone() };
            let attempt = facts.attempt.clone().unwrap();
            let path = match tip(*run) {
                None => RUN.to_owned(),
                Some(_) => format!("attempts/{attempt}.toml"),
            };
            write(&store, *run, Files::from([(path, text::write(&facts.to_table()).into_bytes())]));
        }
        Event::Edit(run, edit) if tip(*run).is_some() => {
            let mut edit = (**edit).clone();
            if let Ok(known) = Tracker::open(repo.path()).unwrap().load(&id(*run)) {
                edit.after = fold::heads(&known.edits);
            }
            let (edit_id, bytes) = edit.encode();
            write(&store, *run, Files::from([(edit_path(&edit_id), bytes)]));
        }
        Event::Spoil(run, path) => {
            write(&store, *run, Files::from([((*path).to_owned(), b"spoilt = \n".to_vec())]));
        }
        Event::Bury(run) => {
            let stone = "format = 1\nid = \"x\"\nby = \"a\"\nat = \"2026-01-01T00:00:00.000000Z\"\nwhy = ";
            let stone = format!("{stone}\"{run}\"\n");
            let blob = repo.git_stdin(&["hash-object", "-w", "--stdin"], &stone);
            let tree = repo.git_stdin(&["mktree"], &format!("100644 blob {blob}\ttombstone.toml\n"));
            let commit = repo.git(&["commit-tree", "-m", "stone", &tree]);
            repo.git(&["update-ref", &name(*run), &commit]);
        }
        Event::Lose(run) => {
            let Some(tip) = tip(*run) else { return };
            let tree = repo.git(&["log", "-1", "--format=%T", &tip]);
            let path = repo.path().join(format!(".git/objects/{}/{}", &tree[..2], &tree[2..]));
            let all = repo.git(&["for-each-ref", "--format=%(tree)"]);
            if !path.exists() || all.lines().filter(|other| *other == tree).count() > 1 {
                return;
            }
            std::fs::remove_file(path).unwrap();
            // A tip that stays says that its record stays: what was read of it before is remembered.
            let _ = std::fs::remove_file(repo.path().join(".git/xtrack/index.sqlite"));
        }
        Event::Delete(run) => drop(repo.try_git(&["update-ref", "-d", &name(*run)])),
        Event::Rewind(run) => drop(repo.try_git(&["update-ref", &name(*run), &format!("{}~", name(*run))])),
        Event::Copy(run, other) => drop(repo.try_git(&["update-ref", &name(*run), &name(*other)])),
        Event::Fetch(run, remote, stays) => {
            if let Some(tip) = tip(*run) {
                repo.git(&["update-ref", &format!("refs/xtrack/remotes/{remote}/{}", id(*run)), &tip]);
                if !stays {
                    repo.git(&["update-ref", "-d", &name(*run)]);
                }
            }
        }
        Event::Pack => drop(repo.try_git(&["pack-refs", "--all"])),
        // What objects are missing of is not packed.
        Event::Repack => drop(repo.try_git(&["repack", "-adq"])),
        Event::Hide(run, hidden) => {
            drop(Tracker::open(repo.path()).unwrap().hide(&[id(*run)], *hidden).unwrap())
        }
        Event::Settings(text) => repo.write("xtrack.toml", text),
        Event::Edit(..) => {}
    }
}

fn write(store: &Store, run: u8, files: Files) {
    let id = id(run);
    let expected = store.run_tip(&id).unwrap();
    // On a run of which objects are missing nothing can be laid.
    let _ = store.write_run(&RunWrite { id: &id, expected, files: &files, message: "x\n", at: Time(0) });
}

fn maybe<S: Strategy>(strategy: S) -> impl Strategy<Value = Option<S::Value>> {
    prop::option::weighted(0.6, strategy)
}

fn word() -> impl Strategy<Value = String> {
    let words = ["adam", "sgd", "0.1", "1", "true", "a b", "é", "", "A%_", "k=v", "finished", "2026-01-01"];
    prop::sample::select(words.to_vec()).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = Value> {
    let values = vec![
        Value::Null,
        Value::Bool(true),
        Value::Bool(false),
        Value::Int(1),
        Value::Int(-3),
        Value::Int((1 << 53) + 1),
        Value::Int(i64::MAX),
        Value::BigInt("18446744073709551616".into()),
        Value::BigInt(format!("-{}", "9".repeat(1500))),
        Value::Float(0.1),
        Value::Float(1.0),
        Value::Float(-0.0),
        Value::Float(f64::NAN),
        Value::Float(f64::INFINITY),
        Value::Float(9_007_199_254_740_992.0),
        Value::Float(1e-5),
        Value::Text("x".repeat(1024)),
        Value::Text("y".repeat(3000)),
        Value::Bytes(vec![0xff, 0]),
        Value::List(vec![Value::Int(1), Value::Text("a".into())]),
        Value::Table(Table::new()),
        Value::Json("[1]".into()),
    ];
    prop_oneof![2 => prop::sample::select(values), 1 => word().prop_map(Value::Text)]
}

fn params() -> impl Strategy<Value = Table> {
    let nested = (maybe(value()), maybe(value())).prop_map(|(depth, act)| {
        let pairs = [("depth", depth), ("act.fn", act)];
        pairs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect::<Table>()
    });
    (maybe(value()), maybe(value()), maybe(nested)).prop_map(|(lr, opt, model)| {
        let model = model.map(Value::Table);
        let pairs = [("lr", lr), ("opt", opt), ("model", model)];
        pairs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    })
}

fn number() -> impl Strategy<Value = Number> {
    prop::sample::select(vec![
        Number::Int(0),
        Number::Int(7),
        Number::Int((1 << 53) + 1),
        Number::Int(i128::MAX),
        Number::Int(i128::from(i64::MAX) + 1),
        Number::Float(0.1),
        Number::Float(0.9),
        Number::Float(9.223_372_036_854_776e18),
        Number::Float(7.0),
        Number::Float(f64::NAN),
        Number::Float(f64::NEG_INFINITY),
        Number::Float(-0.0),
    ])
}

fn summary() -> impl Strategy<Value = Summary> {
    prop::collection::vec((number(), maybe(number())), 1..4).prop_map(|points| {
        let mut points = points.into_iter().map(|(value, step)| Summary::at(value, step));
        let mut whole = points.next().unwrap();
        points.for_each(|point| whole.then(&point));
        whole
    })
}

fn metrics() -> impl Strategy<Value = IndexMap<String, Summary>> {
    (maybe(summary()), maybe(summary()), maybe(summary())).prop_map(|(acc, loss, val)| {
        let pairs = [("acc", acc), ("loss", loss), ("val/loss", val)];
        pairs.into_iter().filter_map(|(name, summary)| Some((name.to_owned(), summary?))).collect()
    })
}

fn definitions() -> impl Strategy<Value = IndexMap<String, Definition>> {
    let summary = maybe(prop::sample::select(vec!["min", "max", "last"]));
    let goal = maybe(prop::sample::select(vec![Goal::Min, Goal::Max]));
    prop::option::weighted(0.3, (summary, goal)).prop_map(|said| {
        let said = said.map(|(summary, goal)| Definition {
            goal,
            summary: summary.map(str::to_owned),
            ..Definition::default()
        });
        said.into_iter().map(|said| ("acc".to_owned(), said)).collect()
    })
}

fn tags() -> impl Strategy<Value = Vec<String>> {
    let tags = ["pin", "k", "k=v", "k=1", "stage=prod", "é=é", "="].map(str::to_owned).to_vec();
    prop::collection::vec(prop::sample::select(tags), 0..3)
}

fn code() -> impl Strategy<Value = Code> {
    (0..3u8, any::<bool>()).prop_map(|(commit, dirty)| Code {
        commit: Some(format!("{commit:040x}")),
        branch: Some("main".to_owned()).filter(|_| commit > 0),
        changed_count: u64::from(dirty),
        ..Code::default()
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    let names = (maybe(word()), maybe(word()), maybe(word()), maybe(word()), maybe(word()));
    let inputs = prop::collection::vec((word(), maybe("[0-9a-f]{64}"), maybe(word())), 0..3);
    let said = (tags(), prop::collection::vec(word(), 0..3), maybe(code()), inputs);
    let times = (maybe(0..100_000_000i64), maybe(0..100_000_000i64), maybe(any::<i64>()));
    let status = prop::sample::select(Status::ALL.to_vec());
    (any::<[u8; 8]>(), status, names, said, times, params(), (metrics(), definitions())).prop_map(
        |(attempt, status, names, said, times, params, (metrics, definitions))| {
            let mut facts = Facts::new(id(0), AttemptId::new(attempt), Time(0));
            facts.status = status;
            (facts.name, facts.experiment, facts.user, facts.host, facts.group) = names;
            let (tags, notes, code, inputs) = said;
            (facts.tags, facts.notes, facts.code) = (tags, notes, code);
            facts.inputs = inputs
                .into_iter()
                .map(|(name, sha256, digest)| Input {
                    name,
                    path: Value::from("data"),
                    kind: "file".into(),
                    sha256,
                    digest,
                    size: Some(3),
                    files: None,
                })
                .collect();
            // Near now, so that ages tell them apart.
            let now = 1_790_000_000_000_000;
            facts.started = times.0.map(|ago| Time(now - ago * 1000));
            facts.ended = times.1.map(|after| Time(now + after));
            facts.exit_code = times.2;
            facts.command = vec![Value::from("python"), Value::Bytes(vec![0xff])];
            (facts.params, facts.metrics, facts.definitions) = (params, metrics, definitions);
            facts
        },
    )
}

fn edit() -> impl Strategy<Value = Edit> {
    let words = (maybe(word()), maybe(word()), maybe(word()), tags(), tags());
    let changes = (params(), prop::collection::vec(number(), 0..2), maybe(any::<bool>()));
    (words, changes).prop_map(|(words, (params, metrics, deleted))| {
        let mut edit = Edit::new("Ada <ada@example.com>".into(), Time(1_767_225_700_000_000), Vec::new());
        (edit.name, edit.experiment, edit.note, edit.tags_added, edit.tags_removed) = words;
        (edit.params, edit.deleted) = (params, deleted);
        edit.metrics = metrics.into_iter().map(|number| ("acc".to_owned(), number)).collect();
        edit
    })
}
