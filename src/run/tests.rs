//! Laws over generated facts, edits, pointers and runs: what is written is read back, and the fold is a function
//! of the set of files.

use indexmap::IndexMap;
use proptest::prelude::*;

use crate::run::attempt::{
    ArtifactTotal, Code, CodeFile, Definition, Facts, Goal, Input, LeftOut, Number, Status, Summary,
};
use crate::run::edit::{Edit, Verdict};
use crate::run::fold::{fold, heads};
use crate::run::id::{AttemptId, EditId, RunId, Time};
use crate::run::join::join;
use crate::run::pointer::{self, Pointer};
use crate::run::record::{Files, Place, RUN, edit_path};
use crate::run::text;
use crate::run::value::{Table, Value};

/// As many cases as `XTRACK_PROPTEST_CASES` asks for, else `default`.
pub fn cases(default: u32) -> ProptestConfig {
    let asked = std::env::var("XTRACK_PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(asked.unwrap_or(default)) }
}

fn maybe<S: Strategy>(strategy: S) -> impl Strategy<Value = Option<S::Value>> {
    prop::option::weighted(0.3, strategy)
}

fn few<S: Strategy>(strategy: S) -> impl Strategy<Value = Vec<S::Value>> {
    prop::collection::vec(strategy, 0..3)
}

fn named<S: Strategy>(strategy: S) -> impl Strategy<Value = IndexMap<String, S::Value>> {
    few((word(), strategy)).prop_map(|pairs| pairs.into_iter().collect())
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-z$.=/ é\"\\\\]{0,6}", 1 => any::<String>()]
}

fn hex() -> impl Strategy<Value = String> {
    "[0-9a-f]{64}"
}

fn object() -> impl Strategy<Value = String> {
    prop_oneof!["[0-9a-f]{40}", "[0-9a-f]{64}"]
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![0..5u64, 0..=i64::MAX as u64]
}

fn time() -> impl Strategy<Value = Time> {
    (0..253_402_300_800_000_000i64).prop_map(Time)
}

fn attempt_id() -> impl Strategy<Value = AttemptId> {
    any::<[u8; 8]>().prop_map(AttemptId::new)
}

fn edit_id() -> impl Strategy<Value = EditId> {
    (time(), any::<u8>()).prop_map(|(at, byte)| EditId::of(at, &[byte]))
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i16>().prop_map(|int| Number::Int(int.into())),
        any::<i128>().prop_map(Number::Int),
        any::<f64>().prop_map(Number::Float),
        prop::sample::select(vec![-0.0, f64::NAN, f64::INFINITY]).prop_map(Number::Float),
    ]
}

fn text_or_bytes() -> impl Strategy<Value = Value> {
    prop_oneof![word().prop_map(Value::Text), few(any::<u8>()).prop_map(Value::Bytes)]
}

fn table() -> impl Strategy<Value = Table> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number().prop_map(Number::value),
        text_or_bytes(),
    ];
    let value = leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![few(inner.clone()).prop_map(Value::List), named(inner).prop_map(Value::Table)]
    });
    named(value)
}

fn summary() -> impl Strategy<Value = Summary> {
    let point = (number(), maybe(number())).prop_map(|(value, step)| Summary::at(value, step));
    prop::collection::vec(point, 1..4).prop_map(|points| {
        let mut points = points.into_iter();
        let mut whole = points.next().unwrap_or_else(|| Summary::plain(Number::Int(0)));
        points.for_each(|point| whole.then(&point));
        whole
    })
}

fn definition() -> impl Strategy<Value = Definition> {
    let goal = maybe(prop::sample::select(vec![Goal::Min, Goal::Max]));
    (goal, maybe(word()), maybe(word()), maybe(word())).prop_map(|(goal, unit, x, summary)| Definition {
        goal,
        unit,
        x,
        summary,
    })
}

fn code() -> impl Strategy<Value = Code> {
    let file = (text_or_bytes(), maybe(object())).prop_map(|(path, blob)| CodeFile { path, blob }).boxed();
    let left_out = (text_or_bytes(), word(), maybe(count())).prop_map(|(path, reason, size)| LeftOut {
        path,
        reason,
        size,
    });
    let objects = (maybe(object()), maybe(object()), maybe(object()), maybe(object()));
    let names = (maybe(word()), maybe(word()));
    let files = (few(file.clone()), count(), few(file), count(), few(left_out), count());
    (objects, names, files).prop_map(|((commit, tree, snapshot, patch_id), (branch, remote), files)| {
        let (changed, changed_count, untracked, untracked_count, left_out, left_out_count) = files;
        Code {
            commit,
            tree,
            snapshot,
            branch,
            remote,
            patch_id,
            changed,
            changed_count,
            untracked,
            untracked_count,
            left_out,
            left_out_count,
        }
    })
}

fn input() -> impl Strategy<Value = Input> {
    let digests = (maybe(hex()), maybe(word()), maybe(count()), maybe(count()));
    (word(), text_or_bytes(), word(), digests).prop_map(
        |(name, path, kind, (sha256, digest, size, files))| Input {
            name,
            path,
            kind,
            sha256,
            digest,
            size,
            files,
        },
    )
}

pub fn run_id() -> RunId {
    RunId::new(Time(1_767_225_600_000_000), [7; 8])
}

/// Facts that say a little of everything; any attempt, any predecessors.
fn facts() -> impl Strategy<Value = Facts> {
    let standing = (
        attempt_id(),
        few(attempt_id()),
        1..=i64::MAX as u64,
        prop::sample::select(Status::ALL.to_vec()),
        maybe(time()),
        maybe(time()),
        maybe(any::<i64>()),
    );
    let people = (maybe(word()), maybe(word()), maybe(word()), maybe(word()), maybe(word()), maybe(word()));
    let command = (few(text_or_bytes()), maybe(text_or_bytes()), maybe(word()), maybe(word()));
    let said = (few(word()), few(word()), maybe(code()), table(), maybe(hex()));
    let measured = (named(summary()), named(definition()), few(input()), few(table()));
    let total =
        (count(), count(), hex()).prop_map(|(count, bytes, sha256)| ArtifactTotal { count, bytes, sha256 });
    let around = (maybe(table()), maybe(table()), maybe(table()), maybe(total));
    (standing, people, command, said, measured, around).prop_map(
        |(standing, people, command, said, measured, around)| {
            let (attempt, after, revision, status, started, ended, exit_code) = standing;
            let mut facts = Facts::new(run_id(), attempt, Time(0));
            (facts.after, facts.revision, facts.status) = (after, revision, status);
            (facts.started, facts.ended, facts.exit_code) = (started, ended, exit_code);
            (facts.name, facts.experiment, facts.user, facts.host, facts.xtrack, facts.parent) = people;
            (facts.command, facts.cwd, facts.signal, facts.group) = command;
            (facts.tags, facts.notes, facts.code, facts.params, facts.fingerprint) = said;
            (facts.metrics, facts.definitions, facts.inputs, facts.writers) = measured;
            (facts.scheduler, facts.ci, facts.imported, facts.artifacts) = around;
            facts
        },
    )
}

/// Edits that say a little of everything.
fn edit() -> impl Strategy<Value = Edit> {
    let verdict = (prop::sample::select(Status::ALL.to_vec()), few(attempt_id()))
        .prop_map(|(status, attempts)| Verdict { status, attempts });
    let words = (maybe(word()), maybe(word()), maybe(word()), few(word()), few(word()), few(word()));
    let things = (few(word()), few(word()), maybe(verdict), named(number()), table());
    let rest = (maybe(any::<bool>()), maybe(hex()));
    (word(), time(), few(edit_id()), words, things, rest).prop_map(|(by, at, after, words, things, rest)| {
        let mut edit = Edit::new(by, at, after);
        (edit.name, edit.experiment, edit.note, edit.tags_added, edit.tags_removed, edit.metrics_hidden) =
            words;
        (edit.withdrawn, edit.reinstated, edit.verdict, edit.metrics, edit.params) = things;
        (edit.deleted, edit.artifacts) = rest;
        edit
    })
}

fn pointer() -> impl Strategy<Value = Pointer> {
    let flags = (any::<bool>(), any::<bool>());
    (text_or_bytes(), hex(), count(), maybe(word()), flags, maybe(number()), maybe(word())).prop_map(
        |(path, sha256, size, media_type, (executable, inline), step, key)| Pointer {
            path,
            sha256,
            size,
            media_type,
            executable,
            step,
            key,
            inline,
        },
    )
}

/// As text, in which NaN is equal to itself and order counts.
pub fn shown(thing: &impl std::fmt::Debug) -> String {
    format!("{thing:?}")
}

fn facts_bytes(facts: &Facts) -> Vec<u8> {
    text::write(&facts.to_table()).into_bytes()
}

/// A run of one to three attempts, `after` forged at times, and a few edits that know of some of those before them.
pub fn record() -> impl Strategy<Value = Files> {
    let attempts = prop::collection::vec((facts(), few(0..3usize)), 1..4);
    let edits = prop::collection::vec((edit(), few(0..6usize)), 0..6);
    (attempts, edits).prop_map(|(attempts, edits)| {
        let ids: Vec<AttemptId> = attempts.iter().filter_map(|(facts, _)| facts.attempt.clone()).collect();
        let mut files = Files::new();
        for (index, (mut facts, after)) in attempts.into_iter().enumerate() {
            facts.after.extend(after.into_iter().filter_map(|index| ids.get(index).cloned()));
            let path = if index == 0 { RUN.to_owned() } else { format!("attempts/{}.toml", ids[index]) };
            files.insert(path, facts_bytes(&facts));
        }
        let mut made: Vec<EditId> = Vec::new();
        for (mut edit, after) in edits {
            edit.after.extend(after.into_iter().filter_map(|index| made.get(index).cloned()));
            let (id, bytes) = edit.encode();
            files.insert(edit_path(&id), bytes);
            made.push(id);
        }
        files
    })
}

/// `files` and an edit made by one who knows all of them.
fn edited(files: &Files, change: impl FnOnce(&mut Edit)) -> (EditId, Files) {
    let run = fold(&run_id(), files).expect("generated records are whole");
    let mut edit = Edit::new("a".to_owned(), Time(0), heads(&run.edits));
    change(&mut edit);
    let (id, bytes) = edit.encode();
    let mut files = files.clone();
    files.insert(edit_path(&id), bytes);
    (id, files)
}

fn broken(problem: crate::error::Problem) -> TestCaseError {
    TestCaseError::fail(problem.to_string())
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn facts_are_read_back(facts in facts()) {
        let bytes = facts_bytes(&facts);
        let read = text::read(&bytes).and_then(|table| Facts::from_table(&table));
        let read = read.map_err(|problem| TestCaseError::fail(format!("{problem}\n{}", text::write(&facts.to_table()))))?;
        prop_assert_eq!(shown(&read), shown(&facts));
        prop_assert_eq!(facts_bytes(&read), bytes);
    }

    #[test]
    fn edits_are_read_back_under_their_own_name_only(edit in edit(), other in edit_id()) {
        let (id, bytes) = edit.encode();
        let read = Edit::decode(&id, &bytes).map_err(broken)?;
        prop_assert_eq!(shown(&read), shown(&edit));
        prop_assert_eq!(read.encode(), (id.clone(), bytes.clone()));
        prop_assert!(matches!(Place::parse(&edit_path(&id)), Ok(Place::Edit(named)) if named == id));
        prop_assert!(other == id || Edit::decode(&other, &bytes).is_err());
    }

    #[test]
    fn pointers_are_read_back(pointers in few(pointer())) {
        let bytes = pointer::encode(&pointers);
        let read = pointer::decode(&bytes).map_err(broken)?;
        prop_assert_eq!(shown(&read), shown(&pointers));
        prop_assert_eq!(pointer::encode(&read), bytes);
        for pointer in &pointers {
            prop_assert!(Place::parse(&pointer.inline_path("aaaaaaaa")).is_ok(), "{}", pointer.inline_path("aaaaaaaa"));
        }
    }

    #[test]
    fn whatever_order_files_arrive_in_the_run_is_the_same(files in record(), shares in any::<[u8; 16]>()) {
        // Each file goes to one clone, the other or both; then both merge.
        let share = |wanted: u8| -> Files {
            let chosen = files.iter().zip(shares.iter().cycle()).filter(|(_, share)| **share % 3 != wanted);
            chosen.map(|((path, bytes), _)| (path.clone(), bytes.clone())).collect()
        };
        let merged = join(&share(0), &share(1)).map_err(broken)?;
        prop_assert_eq!(&merged, &files);
        let run = fold(&run_id(), &files).map_err(broken)?;
        prop_assert_eq!(run.attempts.len() + run.edits.len(), files.len(), "cycles lose nothing");
        for (index, (_, edit)) in run.edits.iter().enumerate() {
            prop_assert!(run.edits[index..].iter().all(|(later, _)| !edit.after.contains(later)));
        }
    }

    #[test]
    fn an_edit_that_knows_the_others_has_the_last_word(files in record(), name in word(), deleted in any::<bool>()) {
        let tag = format!("k={name}");
        let (id, files) = edited(&files, |edit| {
            edit.name = Some(name.clone());
            edit.deleted = Some(deleted);
            edit.tags_added = vec![tag.clone()];
            edit.metrics.insert("m".into(), Number::Int(7));
            edit.params.insert("p".into(), Value::Int(7));
        });
        let run = fold(&run_id(), &files).map_err(broken)?;
        prop_assert_eq!(run.edits.last().map(|(last, _)| last), Some(&id));
        prop_assert_eq!(heads(&run.edits), vec![id]);
        prop_assert_eq!((run.name, run.deleted), (Some(name), deleted));
        prop_assert_eq!(run.tags.iter().filter(|tag| tag.starts_with("k=")).collect::<Vec<_>>(), vec![&tag]);
        prop_assert_eq!(run.metrics.get("m"), Some(&Summary::plain(Number::Int(7))));
        prop_assert_eq!(run.params.get("p"), Some(&Value::Int(7)));
    }

    #[test]
    fn an_edit_takes_no_note_away_but_the_one_it_withdraws(files in record(), edit in edit()) {
        let before = fold(&run_id(), &files).map_err(broken)?;
        let (id, bytes) = edit.encode();
        let mut after = files.clone();
        after.insert(edit_path(&id), bytes);
        let after = fold(&run_id(), &after).map_err(broken)?;
        for note in before.notes.iter().filter(|note| !edit.withdrawn.contains(&note.id)) {
            prop_assert!(after.notes.iter().any(|kept| shown(kept) == shown(note)), "{:?}", note);
        }
    }

    #[test]
    fn a_withdrawal_is_taken_back(files in record()) {
        let (id, files) = edited(&files, |edit| edit.note = Some("said".into()));
        let noted = fold(&run_id(), &files).map_err(broken)?;
        let note = format!("{id}/1");
        let (_, files) = edited(&files, |edit| edit.withdrawn = vec![note.clone()]);
        let run = fold(&run_id(), &files).map_err(broken)?;
        prop_assert!(run.notes.iter().all(|kept| kept.id != note));
        let (_, files) = edited(&files, |edit| edit.reinstated = vec![note.clone()]);
        let run = fold(&run_id(), &files).map_err(broken)?;
        prop_assert_eq!(shown(&run.notes), shown(&noted.notes));
    }

    #[test]
    fn a_verdict_covers_no_later_attempt(facts in facts(), status in prop::sample::select(Status::ALL.to_vec())) {
        let mut files = Files::from([(RUN.to_owned(), facts_bytes(&facts))]);
        let verdict = Verdict { status, attempts: facts.attempt.clone().into_iter().collect() };
        files = edited(&files, |edit| edit.verdict = Some(verdict)).1;
        let run = fold(&run_id(), &files).map_err(broken)?;
        prop_assert_eq!(run.status, status);
        let mut resumed = Facts::new(run_id(), AttemptId::new([9; 8]), Time(0));
        resumed.after = facts.attempt.into_iter().collect();
        files.insert(format!("attempts/{}.toml", AttemptId::new([9; 8])), facts_bytes(&resumed));
        let run = fold(&run_id(), &files).map_err(broken)?;
        prop_assert_eq!(run.status, Status::Running);
    }
}
