//! What was known of a run when it began, as one digest: the code tree, the command and where it ran, the params that
//! it was given, and what it was to read.
//!
//! Two runs with one fingerprint were asked to do the same. What the training says only later is no part of it: that is
//! not known at the moment when somebody asks whether a run has been done.

use crate::run::Run;
use crate::run::attempt::{Code, Facts, Input, Writer};
use crate::run::id::sha256;
use crate::run::text;
use crate::run::value::{Table, Value};

/// The version of what the digest is of.
const VERSION: i64 = 1;

/// Where a snapshot that takes no untracked files says so.
const ALL_UNTRACKED: &str = "./";

/// The fingerprint of an attempt that begins with these facts. It has none without a command, and none where it is not
/// known exactly which code ran.
pub fn begun(facts: &Facts) -> Option<String> {
    let tree = facts.code.as_ref().filter(|code| is_exact(code))?.tree.clone()?;
    if facts.command.is_empty() {
        return None;
    }
    let mut writer = Writer(Table::new());
    writer.put("fingerprint", VERSION);
    writer.put("tree", tree);
    writer.list("command", facts.command.iter().cloned());
    writer.some("cwd", facts.cwd.clone());
    write_given(&mut writer, facts);
    Some(sha256(text::write(&writer.0).as_bytes()))
}

/// The fingerprint of a recorded attempt: as it was when it began; of one that does not say, as its facts now stand.
pub fn of_attempt(facts: &Facts) -> Option<String> {
    facts.fingerprint.clone().or_else(|| begun(facts))
}

/// The fingerprint of a run: of all its attempts, if they have the same.
pub fn of_run(run: &Run) -> Option<String> {
    let mut attempts = run.attempts.iter().map(of_attempt);
    let first = attempts.next()??;
    attempts.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

/// What went into these attempts once all was known, as a digest: what their training itself said of params and inputs
/// included, what people said of them afterwards not.
pub fn in_the_end(attempts: &[Facts]) -> String {
    let attempts = attempts.iter().map(|facts| {
        let mut writer = Writer(Table::new());
        write_given(&mut writer, facts);
        Value::Table(writer.0)
    });
    sha256(text::write_value(&Value::List(attempts.collect())).as_bytes())
}

/// The params and inputs, in the one order that says nothing.
fn write_given(writer: &mut Writer, facts: &Facts) {
    writer.put("params", sorted(&facts.params));
    let mut inputs: Vec<&Input> = facts.inputs.iter().collect();
    inputs.sort_by(|one, other| one.name.cmp(&other.name));
    writer.list("inputs", inputs.into_iter().map(content));
}

/// Whether the tree is all that ran: no tracked file ran otherwise than the tree has it, and untracked ones were looked at.
/// Single files that a snapshot leaves out (a secret, data) are no code.
fn is_exact(code: &Code) -> bool {
    let is_listed_whole = code.left_out_count == code.left_out.len() as u64;
    let left_out_all = || code.left_out.iter().any(|left| left.path == Value::from(ALL_UNTRACKED));
    let is_changed = |path: &Value| code.changed.iter().any(|file| file.path == *path);
    let as_in_head = code.changed_count > code.changed.len() as u64;
    match code.left_out_count {
        0 => true,
        _ if as_in_head || left_out_all() => false,
        // A submodule with changes of its own is both changed and left out.
        _ if code.changed_count > 0 => {
            is_listed_whole && !code.left_out.iter().any(|left| is_changed(&left.path))
        }
        _ => true,
    }
}

/// The same dict with its keys in order, nested ones too.
fn sorted(table: &Table) -> Table {
    let mut pairs: Vec<(&String, &Value)> = table.iter().collect();
    pairs.sort_by_key(|(key, _)| *key);
    let value = |value: &Value| match value {
        Value::Table(nested) => Value::Table(sorted(nested)),
        other => other.clone(),
    };
    pairs.into_iter().map(|(key, given)| (key.clone(), value(given))).collect()
}

/// An input by its content; where no digest is known, by where it lies.
fn content(input: &Input) -> Value {
    let mut writer = Writer(Table::new());
    writer.put("name", input.name.as_str());
    match (&input.sha256, &input.digest) {
        (Some(sha256), _) => writer.put("sha256", sha256.as_str()),
        (None, Some(digest)) => writer.put("digest", digest.as_str()),
        (None, None) => {
            writer.put("path", input.path.clone());
            writer.some("size", input.size.map(|size| size as i64));
        }
    }
    Value::Table(writer.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::attempt::{CodeFile, LeftOut};
    use crate::run::id::{AttemptId, RunId, Time};

    fn facts() -> Facts {
        let mut facts = Facts::new(RunId::new(Time(0), [1; 8]), AttemptId::new([2; 8]), Time(0));
        facts.command = vec!["python3".into(), "train.py".into()];
        facts.cwd = Some(".".into());
        facts.code = Some(Code { tree: Some("2".repeat(40)), ..Code::default() });
        facts.params = Table::from([("lr".to_owned(), 0.1.into()), ("epochs".to_owned(), 3.into())]);
        facts.inputs = vec![input("b", Some("b")), input("a", None)];
        facts
    }

    fn input(name: &str, digit: Option<&str>) -> Input {
        Input {
            name: name.to_owned(),
            path: format!("data/{name}").into(),
            kind: "file".to_owned(),
            sha256: digit.map(|digit| digit.repeat(64)),
            digest: None,
            size: None,
            files: None,
        }
    }

    fn changed(path: &str) -> CodeFile {
        CodeFile { path: path.into(), blob: None }
    }

    fn left_out(path: &str) -> LeftOut {
        LeftOut { path: path.into(), reason: String::new(), size: None }
    }

    #[test]
    fn what_makes_a_run_another_changes_it_and_nothing_else() {
        let known = begun(&facts());
        assert_eq!(known.as_deref().map(str::len), Some(64));
        let same = |change: fn(&mut Facts)| {
            let mut other = facts();
            change(&mut other);
            begun(&other) == known
        };
        assert!(same(|facts| facts.params.reverse()));
        assert!(same(|facts| facts.inputs.reverse()));
        assert!(same(|facts| facts.host = Some("other".to_owned())));
        assert!(same(|facts| facts.inputs[0].path = "elsewhere".into()));
        assert!(!same(|facts| facts.inputs[1].path = "elsewhere".into()));
        assert!(!same(|facts| facts.inputs[0].sha256 = Some("c".repeat(64))));
        assert!(!same(|facts| drop(facts.params.insert("lr".to_owned(), "0.1".into()))));
        assert!(!same(|facts| facts.command.push("--fast".into())));
        assert!(!same(|facts| facts.cwd = Some("below".into())));
        assert!(!same(|facts| facts.code = Some(Code { tree: Some("3".repeat(40)), ..Code::default() })));
    }

    #[test]
    fn it_is_the_same_for_ever() {
        // Recorded runs hold theirs: another one would find none of them.
        let expected = "9f996ee3bf4532b131f01b8854fa6b5ad0b70e650c91f1ab69c3601a2a85dd3f";
        assert_eq!(begun(&facts()).as_deref(), Some(expected));
    }

    #[test]
    fn code_that_is_not_known_exactly_has_none() {
        let with = |code: Code| {
            let code = Code { tree: Some("2".repeat(40)), ..code };
            begun(&Facts { code: Some(code), ..facts() }).is_some()
        };
        let left = |paths: &[&str]| Code {
            left_out: paths.iter().map(|path| left_out(path)).collect(),
            left_out_count: paths.len() as u64,
            ..Code::default()
        };
        assert!(with(left(&[".env", "data.bin"])));
        assert!(!with(left(&["./"])));
        assert!(with(Code { changed: vec![changed("train.py")], changed_count: 1, ..left(&[".env"]) }));
        // One stayed as in HEAD; a submodule has changes of its own.
        assert!(!with(Code { changed: vec![changed("train.py")], changed_count: 2, ..left(&["huge.py"]) }));
        assert!(!with(Code { changed: vec![changed("lib")], changed_count: 1, ..left(&["lib"]) }));
        assert_eq!(begun(&Facts { code: Some(Code::default()), ..facts() }), None);
        assert_eq!(begun(&Facts { code: None, ..facts() }), None);
        assert_eq!(begun(&Facts { command: Vec::new(), ..facts() }), None);
    }

    #[test]
    fn what_the_training_said_does_not_change_what_was_known_before() {
        let mut recorded = facts();
        recorded.fingerprint = begun(&recorded);
        recorded.params.insert("seed".to_owned(), 7.into());
        assert_eq!(of_attempt(&recorded), begun(&facts()));
        assert_ne!(begun(&recorded), begun(&facts()));
        let in_the_end = |facts: Facts| in_the_end(&[facts]);
        assert_ne!(in_the_end(recorded), in_the_end(facts()));
        let mut reversed = facts();
        reversed.params.reverse();
        assert_eq!(in_the_end(reversed), in_the_end(facts()));
    }
}
