//! Operations: what each command did to refs, as the log tells it, and taking one back.
//!
//! Knows which refs hold what of whom; how moves are written down is `store`'s.

mod opposite;
pub mod undo;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::error::{Kind, Problem};
use crate::run::id::{RunId, Time};
use crate::store::{Entry, Move, Purpose, Store};
use crate::tracker::Tracker;

/// The command of an operation that nobody asked for: recovering what killed runs left.
pub const RECOVERY: &str = "recovery";

/// Commands that record what others do, at any time and beside anything else: `undo` takes them back only when they are named.
const RECORDINGS: &[&str] = &[RECOVERY, "record", "begin", "finish", "recover", "adopt", "demo"];

/// The fewest letters that name an operation.
const PREFIX_MIN: usize = 3;

/// What one call of a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its id.
    pub id: String,
    /// When it moved the first ref.
    pub at: Time,
    /// The command, by its name.
    pub command: String,
    /// Who ran it.
    pub user: String,
    /// The operation that it took back.
    pub undoes: Option<String>,
    /// From where to where it moved each ref, in the end.
    pub moves: Vec<Move>,
    /// The runs that it hid in this clone, and those that it showed again.
    pub hiding: BTreeMap<RunId, bool>,
}

/// How many refs of each sort an operation moved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Runs that came.
    pub new: BTreeSet<RunId>,
    /// Runs that changed.
    pub changed: BTreeSet<RunId>,
    /// Runs that went.
    pub gone: BTreeSet<RunId>,
    /// Tips of runs noted of each remote.
    pub noted: BTreeMap<String, usize>,
    /// Code states that refs came to keep.
    pub code: usize,
    /// Code states that refs no longer keep.
    pub code_gone: usize,
    /// What earlier operations had dropped and is let go.
    pub expired: usize,
    /// Other refs.
    pub others: usize,
    /// Runs that were hidden in this clone.
    pub hidden: BTreeSet<RunId>,
    /// Runs that were hidden, and are shown again.
    pub shown: BTreeSet<RunId>,
}

impl Operation {
    /// What it moved, by sort.
    pub fn tally(&self, store: &Store) -> Tally {
        let mut tally = Tally::default();
        for moved in &self.moves {
            match (store.purpose_of(&moved.name), &moved.before, &moved.after) {
                (Purpose::Run(id), None, _) => drop(tally.new.insert(id)),
                (Purpose::Run(id), _, Some(_)) => drop(tally.changed.insert(id)),
                (Purpose::Run(id), _, None) => drop(tally.gone.insert(id)),
                (Purpose::Tracked { remote, .. }, ..) => *tally.noted.entry(remote).or_default() += 1,
                (Purpose::Code(_), None, _) => tally.code += 1,
                (Purpose::Code(_), _, None) => tally.code_gone += 1,
                (Purpose::Undo, Some(_), None) => tally.expired += 1,
                (Purpose::Undo, ..) => {}
                _ => tally.others += 1,
            }
        }
        for (id, hidden) in &self.hiding {
            let runs = if *hidden { &mut tally.hidden } else { &mut tally.shown };
            runs.insert(id.clone());
        }
        tally
    }

    /// Whether there is anything in it that can be taken back.
    pub fn can_be_undone(&self, store: &Store) -> bool {
        !["push", "purge"].contains(&self.command.as_str())
            && (!self.hiding.is_empty() || self.moves.iter().any(|moved| can_go_back(store, moved)))
    }
}

/// Whether a ref is moved back at all: a code state stays where another run may have come to need it, and what is kept of
/// operations is the log's own affair.
fn can_go_back(store: &Store, moved: &Move) -> bool {
    match store.purpose_of(&moved.name) {
        Purpose::Undo => false,
        Purpose::Code(_) => moved.after.is_none(),
        // A log is a file that anything may write to.
        Purpose::Other => moved.name.starts_with("refs/xtrack/") && !moved.name.contains(".."),
        _ => true,
    }
}

/// All operations that the log knows, the latest first.
pub fn list(tracker: &Tracker) -> Result<Vec<Operation>> {
    let mut operations: Vec<Operation> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut order: BTreeMap<String, usize> = BTreeMap::new();
    for (number, entry) in tracker.store.operations()?.into_iter().enumerate() {
        let place = *places.entry(entry.operation.clone()).or_insert_with(|| {
            operations.push(begun(&entry));
            operations.len() - 1
        });
        order.insert(entry.operation.clone(), number);
        add(&mut operations[place], entry);
    }
    operations.iter_mut().for_each(sum_up);
    operations.retain(|operation| !(operation.moves.is_empty() && operation.hiding.is_empty()));
    operations.sort_by_key(|operation| std::cmp::Reverse(order.get(&operation.id).copied()));
    Ok(operations)
}

fn begun(entry: &Entry) -> Operation {
    Operation {
        id: entry.operation.clone(),
        at: entry.at,
        command: entry.command.clone(),
        user: entry.user.clone(),
        undoes: entry.undoes.clone(),
        moves: Vec::new(),
        hiding: BTreeMap::new(),
    }
}

fn add(operation: &mut Operation, entry: Entry) {
    operation.undoes = operation.undoes.take().or(entry.undoes);
    operation.moves.extend(entry.moves);
    operation.hiding.extend(entry.hiding);
    if entry.struck.is_empty() {
        return;
    }
    operation.hiding.retain(|id, _| !entry.struck.iter().any(|struck| struck == id.as_str()));
    // Of each ref the latest move: it was tried, and did not come about.
    let mut struck: BTreeSet<&String> = entry.struck.iter().collect();
    let mut kept = Vec::new();
    for moved in std::mem::take(&mut operation.moves).into_iter().rev() {
        if !struck.remove(&moved.name) {
            kept.push(moved);
        }
    }
    kept.reverse();
    operation.moves = kept;
}

/// Of several moves of one ref only the first beginning and the last end count.
fn sum_up(operation: &mut Operation) {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut sum: Vec<Move> = Vec::new();
    for moved in std::mem::take(&mut operation.moves) {
        match places.get(&moved.name) {
            Some(place) => sum[*place].after = moved.after,
            None => {
                places.insert(moved.name.clone(), sum.len());
                sum.push(moved);
            }
        }
    }
    sum.retain(|moved| moved.before != moved.after);
    operation.moves = sum;
}

/// The operation that a word names: its id or the beginning of it, or its place in the list, 1 the latest.
pub fn find<'a>(operations: &'a [Operation], word: &str) -> Result<&'a Operation> {
    let list = "`git xtrack oplog` lists them";
    if let Ok(place) = word.parse::<usize>() {
        let found = place.checked_sub(1).and_then(|place| operations.get(place));
        return Ok(found.ok_or_else(|| not_found(word).hint(list))?);
    }
    let found: Vec<&Operation> = operations.iter().filter(|one| one.id.starts_with(word)).collect();
    match found.as_slice() {
        [one] if word.len() >= PREFIX_MIN => Ok(one),
        [_, _, ..] if word.len() >= PREFIX_MIN => {
            let ids: Vec<&str> = found.iter().map(|one| one.id.as_str()).collect();
            Err(Problem::usage(format!("'{word}' begins several operations: '{}'", ids.join("', '"))).into())
        }
        _ => Err(not_found(word).hint(list).into()),
    }
}

fn not_found(word: &str) -> Problem {
    Problem::new(format!("there is no operation '{}'", word.escape_debug())).of(Kind::NotFound)
}

/// The operation that `undo` takes back where none is named, and how many newer ones it leaves alone: those that record, which
/// others may have ended meanwhile, and those in which nothing can be taken back.
pub fn latest<'a>(store: &Store, operations: &'a [Operation]) -> Option<(&'a Operation, usize)> {
    let is_meant = |one: &Operation| {
        !RECORDINGS.contains(&one.command.as_str()) && (one.command == "push" || one.can_be_undone(store))
    };
    let place = operations.iter().position(is_meant)?;
    Some((&operations[place], place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(operation: &str, moves: &[(&str, Option<&str>, Option<&str>)], struck: &[&str]) -> Entry {
        let owned = |text: &&str| (*text).to_owned();
        let moved = |(name, before, after): &(&str, Option<&str>, Option<&str>)| Move {
            name: (*name).to_owned(),
            before: before.as_ref().map(owned),
            after: after.as_ref().map(owned),
        };
        Entry {
            operation: operation.to_owned(),
            at: Time(0),
            command: "edit".to_owned(),
            user: String::new(),
            undoes: None,
            moves: moves.iter().map(moved).collect(),
            struck: struck.iter().map(owned).collect(),
            uses: Vec::new(),
            hiding: Vec::new(),
        }
    }

    #[test]
    fn what_did_not_move_is_not_told_and_several_moves_are_one() {
        let first = entry("a", &[("x", None, Some("1")), ("y", Some("1"), Some("2"))], &[]);
        let mut operation = begun(&first);
        add(&mut operation, first);
        add(&mut operation, entry("a", &[("x", Some("1"), Some("3"))], &[]));
        add(&mut operation, entry("a", &[("x", Some("3"), Some("4"))], &[]));
        add(&mut operation, entry("a", &[], &["x", "y"]));
        sum_up(&mut operation);
        assert_eq!(operation.moves, entry("a", &[("x", None, Some("3"))], &[]).moves);
    }

    #[test]
    fn operations_are_named_by_place_and_by_id() {
        let operation = |id: &str| Operation { id: id.to_owned(), ..begun(&entry(id, &[], &[])) };
        let all = [operation("k7f3q2ab"), operation("k7f9zzzz"), operation("w1111111")];
        let found = |word: &str| find(&all, word).ok().map(|one| one.id.as_str());
        assert_eq!(found("1"), Some("k7f3q2ab"));
        assert_eq!(found("3"), Some("w1111111"));
        assert_eq!(found("k7f9"), Some("k7f9zzzz"));
        assert_eq!(found("w1"), None, "too short");
        for word in ["0", "4", "k7f", "", "x", "-1"] {
            assert_eq!(found(word), None, "{word}");
        }
    }
}
