//! The runs that are wanted, in the order wanted, of which only those are decoded that are needed for it.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Result, anyhow};
use rusqlite::{OptionalExtension as _, Row};

use crate::index::find::{Finder, Found};
use crate::index::rows::oid;
use crate::index::set::Set;
use crate::index::values::{Definitions, Values};
use crate::index::{Damage, Index, Now, brief, count, fresh};
use crate::query::order::{Key, Order, Sorted};
use crate::query::{Attribute, Bound, Field, Outside, Part};
use crate::run::Run;
use crate::run::attempt::Code;
use crate::run::id::RunId;
use crate::store::{Oid, Stray, strays};

/// What is asked of the index.
pub struct Ask<'a> {
    /// Only these, deleted or not.
    pub ids: Option<&'a BTreeSet<RunId>>,
    /// Those that are deleted or hidden, instead of those that are not; of no concern for runs asked for by id.
    pub deleted: bool,
    /// The hidden ones.
    pub hidden: &'a BTreeSet<RunId>,
    /// The experiment.
    pub experiment: Option<&'a str>,
    /// Part of the user's name.
    pub user: Option<&'a str>,
    /// A question.
    pub condition: Option<&'a Bound>,
    /// The order.
    pub order: &'a Order,
    /// How many, the first in that order.
    pub count: Option<usize>,
    /// What the settings say of metrics.
    pub definitions: &'a Definitions,
}

/// Whether runs are wanted because they ran this code.
pub type OfCode<'a> = &'a mut dyn FnMut(&Code) -> Result<bool>;

/// What is asked of others about runs that may be wanted.
pub struct Asked<'a> {
    /// Answers what a question asks of Git and of series.
    pub outside: &'a mut dyn Outside,
    /// Whether a run is wanted because of its code; asked once for each code state.
    pub code: Option<OfCode<'a>>,
    /// Adds what the settings say of metrics.
    pub define: &'a dyn Fn(&mut Run),
}

/// A run that was found.
pub struct FoundRun {
    /// As lists need it: without attempts, edits, environment and artifacts.
    pub run: Run,
    /// The end of its chain, as far as it has one that is known.
    pub tip: Option<Oid>,
    /// The remote it was fetched from, if it is not ours.
    pub remote: Option<String>,
}

/// What was found.
#[derive(Default)]
pub struct Answer {
    /// The runs, in order.
    pub runs: Vec<FoundRun>,
    /// How many there are, before the count.
    pub total: usize,
}

/// Reads runs out of the tables, each code state once.
struct Decoder<'a> {
    index: &'a Index,
    codes: HashMap<i64, Code>,
}

impl Index {
    /// The runs that are asked for.
    pub fn select(&self, ask: &Ask<'_>, asked: &mut Asked<'_>) -> Result<Answer> {
        self.connection.execute_batch("BEGIN")?;
        let answer = self.select_now(ask, asked);
        self.connection.execute_batch("COMMIT")?;
        answer
    }

    /// The runs that cannot be read, and why.
    pub fn damaged(&self) -> Result<Vec<(RunId, String)>> {
        let mut found = Vec::new();
        let mut statement = self.connection.prepare("SELECT id, damage FROM run WHERE damage IS NOT NULL")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id = crate::index::rows::run_id(row.get_ref(0)?.as_str()?)?;
            if !self.overlay.runs.contains_key(&id) {
                found.push((id, row.get(1)?));
            }
        }
        count::add(found.len() as u64);
        for (id, now) in &self.overlay.runs {
            if let Now::Damaged(Damage { why, .. }) = now {
                found.push((id.clone(), why.clone()));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Of these runs those that a remote has otherwise than we do, as it was last fetched: our tip, the remote, its tip.
    pub fn strays(&self, ids: &[&RunId]) -> Result<Vec<Stray>> {
        let any = "SELECT EXISTS(SELECT 1 FROM ref INDEXED BY ref_fetched WHERE place <> '')";
        if !self.connection.query_row(any, [], |row| row.get(0))? {
            return Ok(Vec::new());
        }
        let mut statement =
            self.connection.prepare("SELECT id, place, packed, loose FROM ref WHERE id = ?")?;
        let mut refs = Vec::new();
        for id in ids {
            for row in statement.query_map([id.as_str()], fresh::ref_row)? {
                refs.extend(row??.target());
            }
        }
        count::add(refs.len() as u64);
        Ok(strays(refs))
    }

    fn select_now(&self, ask: &Ask<'_>, asked: &mut Asked<'_>) -> Result<Answer> {
        let mut decoder = Decoder { index: self, codes: HashMap::new() };
        let mut beside = self.beside(ask, asked)?;
        let Found { sure, maybe } = self.candidates(ask, asked, &mut decoder)?;
        let sure = self.decide(ask, asked, &mut decoder, sure, maybe)?;
        let total = sure.len() + beside.len();
        let first = self.first(ask, sure)?;
        let mut runs = Vec::with_capacity(first.len() + beside.len());
        decoder.each(&first, asked.define, |_, found| {
            runs.push(found);
            Ok(())
        })?;
        runs.append(&mut beside);
        ask.order.sort_by(&mut runs, |found| &found.run);
        runs.truncate(ask.count.unwrap_or(usize::MAX));
        Ok(Answer { runs, total })
    }

    /// Those of the overlay that are wanted.
    fn beside(&self, ask: &Ask<'_>, asked: &mut Asked<'_>) -> Result<Vec<FoundRun>> {
        let mut wanted = Vec::new();
        for now in self.overlay.runs.values() {
            let Now::Read(run, remote) = now else { continue };
            let mut run = (**run).clone();
            (asked.define)(&mut run);
            if ask.takes(&run) && asked.takes_code(run.code.as_ref())? && ask.matches(&run, asked.outside)? {
                wanted.push(FoundRun { run, tip: None, remote: remote.clone() });
            }
        }
        Ok(wanted)
    }

    /// The rows of runs that are wanted, surely or perhaps.
    fn candidates(&self, ask: &Ask<'_>, asked: &mut Asked<'_>, decoder: &mut Decoder<'_>) -> Result<Found> {
        let values = Values { connection: &self.connection, definitions: ask.definitions, as_micros: false };
        let outside = &mut *asked.outside;
        let define = asked.define;
        let mut code = |term: &_, run| outside.code(term, &decoder.run(run, define)?.run);
        let mut finder = Finder { values, all: Set::default(), code: &mut code };
        finder.all = match ask.ids {
            Some(ids) => self.rows_of(ids.iter())?,
            None => self.all(&finder, ask)?,
        };
        let masked: Set = self.masked()?.into_iter().collect();
        finder.all = finder.all.without(&masked);
        if let Some(experiment) = ask.experiment {
            let query = "SELECT run FROM run WHERE experiment = ?";
            finder.all = finder.set(query, [experiment])?.and(&finder.all);
        }
        if let Some(user) = ask.user {
            let query = "SELECT run FROM run WHERE instr(user, ?)";
            finder.all = finder.set(query, [user])?.and(&finder.all);
        }
        let found = match ask.condition {
            Some(bound) => finder.find(&bound.condition)?,
            None => Found { sure: finder.all.clone(), maybe: finder.all.clone() },
        };
        let Some(takes) = &mut asked.code else { return Ok(found) };
        let mut taken = Set::default();
        let mut known: HashMap<i64, bool> = HashMap::new();
        for run in found.maybe.iter() {
            let Some(code) = decoder.code_of(run)? else { continue };
            let is_taken = match known.get(&code) {
                Some(known) => *known,
                None => takes(decoder.code(code)?)?,
            };
            known.insert(code, is_taken);
            if is_taken {
                taken.insert(run);
            }
        }
        Ok(Found { sure: found.sure.and(&taken), maybe: found.maybe.and(&taken) })
    }

    /// All runs that can be read, deleted or not as it is asked.
    fn all(&self, finder: &Finder<'_>, ask: &Ask<'_>) -> Result<Set> {
        let deleted = finder.set("SELECT run FROM run INDEXED BY run_deleted WHERE deleted", [])?;
        let deleted = deleted.or(&self.rows_of(ask.hidden.iter())?);
        if ask.deleted {
            return Ok(deleted);
        }
        let last: Option<i64> =
            self.connection.query_row("SELECT max(run) FROM run", [], |row| row.get(0))?;
        let damaged = "SELECT run FROM run INDEXED BY run_damaged WHERE damage IS NOT NULL";
        let all = Set::up_to(last.unwrap_or_default());
        let all = all.without(&finder.set("SELECT run FROM free", [])?).without(&finder.set(damaged, [])?);
        Ok(all.without(&deleted))
    }

    fn rows_of<'a>(&self, ids: impl Iterator<Item = &'a RunId>) -> Result<Set> {
        let query = "SELECT run FROM run WHERE id = ? AND damage IS NULL";
        let mut statement = self.connection.prepare_cached(query)?;
        let mut found = Set::default();
        for id in ids {
            let run: Option<i64> = statement.query_row([id.as_str()], |row| row.get(0)).optional()?;
            run.into_iter().for_each(|run| found.insert(run));
            count::add(1);
        }
        Ok(found)
    }

    /// Looks at those runs themselves of which the tables leave it open.
    fn decide(
        &self,
        ask: &Ask<'_>,
        asked: &mut Asked<'_>,
        decoder: &mut Decoder<'_>,
        mut sure: Set,
        maybe: Set,
    ) -> Result<Set> {
        decoder.each(&maybe.without(&sure), asked.define, |run, found| {
            if ask.matches(&found.run, asked.outside)? {
                sure.insert(run);
            }
            Ok(())
        })?;
        Ok(sure)
    }

    /// Of the runs those that may be among the first, which are all where no count is asked for.
    fn first(&self, ask: &Ask<'_>, runs: Set) -> Result<Set> {
        let Some(count) = ask.count.filter(|count| *count < runs.len()) else { return Ok(runs) };
        let Some(key) = ask.order.0.first() else { return Ok(runs) };
        if count == 0 {
            return Ok(Set::default());
        }
        let values = Values { connection: &self.connection, definitions: ask.definitions, as_micros: true };
        match self.walk(&values, key, &runs, count)? {
            Some(first) => Ok(first),
            None => first_by_rank(&values, key, runs, count),
        }
    }

    /// Walks along an index that has the runs in the order of the key, if one has, until there are enough; those that
    /// are equal to the last are taken as well.
    fn walk(&self, values: &Values<'_>, key: &Key, runs: &Set, count: usize) -> Result<Option<Set>> {
        let Some((query, name)) = walkable(values, key)? else { return Ok(None) };
        let mut statement = self.connection.prepare_cached(&query)?;
        let mut rows = match name {
            Some(name) => statement.query([name])?,
            None => statement.query([])?,
        };
        let mut first = Set::default();
        let mut last = None;
        let (mut taken, mut looked) = (0, 0);
        while let Some(row) = rows.next()? {
            looked += 1;
            let (run, value) = (row.get(0)?, number(row)?);
            if taken >= count && last != Some(value) {
                break;
            }
            if runs.has(run) {
                first.insert(run);
                taken += 1;
                last = Some(value);
            }
        }
        count::add(looked);
        // Those that are NaN or absent come after all of these.
        Ok((taken >= count).then_some(first))
    }
}

impl Ask<'_> {
    /// Whether a run is wanted, as far as the question does not say.
    fn takes(&self, run: &Run) -> bool {
        let is_asked = match self.ids {
            Some(ids) => ids.contains(&run.id),
            None => self.deleted == (run.deleted || self.hidden.contains(&run.id)),
        };
        let user = |part: &str| run.user.as_deref().is_some_and(|known| known.contains(part));
        is_asked
            && (self.experiment.is_none() || run.experiment.as_deref() == self.experiment)
            && self.user.is_none_or(user)
    }

    fn matches(&self, run: &Run, outside: &mut dyn Outside) -> Result<bool> {
        self.condition.map_or(Ok(true), |bound| bound.matches(run, outside))
    }
}

impl Asked<'_> {
    fn takes_code(&mut self, code: Option<&Code>) -> Result<bool> {
        match (&mut self.code, code) {
            (None, _) => Ok(true),
            (Some(_), None) => Ok(false),
            (Some(takes), Some(code)) => takes(code),
        }
    }
}

impl Decoder<'_> {
    fn run(&mut self, run: i64, define: &dyn Fn(&mut Run)) -> Result<FoundRun> {
        let mut only = None;
        self.each(&[run].into_iter().collect(), define, |_, found| {
            only = Some(found);
            Ok(())
        })?;
        only.ok_or_else(|| anyhow!("the index lacks a run"))
    }

    /// Hands on each of the runs, one after the other.
    fn each(
        &mut self,
        runs: &Set,
        define: &dyn Fn(&mut Run),
        mut take: impl FnMut(i64, FoundRun) -> Result<()>,
    ) -> Result<()> {
        let query = "SELECT bytes, code, tip, remote FROM brief WHERE run = ?";
        let index = self.index;
        let mut statement = index.connection.prepare_cached(query)?;
        for run in runs.iter() {
            let mut rows = statement.query([run])?;
            let row = rows.next()?.ok_or_else(|| anyhow!("the index lacks a run"))?;
            count::add(1);
            let code: Option<i64> = row.get(1)?;
            let code = code.map(|code| self.code(code).cloned()).transpose()?;
            let mut decoded = brief::decode(row.get_ref(0)?.as_blob()?, code)?;
            define(&mut decoded);
            let tip = Some(oid(row.get_ref(2)?.as_blob()?));
            take(run, FoundRun { run: decoded, tip, remote: row.get(3)? })?;
        }
        Ok(())
    }

    fn code_of(&self, run: i64) -> Result<Option<i64>> {
        let mut statement = self.index.connection.prepare_cached("SELECT code FROM run WHERE run = ?")?;
        count::add(1);
        Ok(statement.query_row([run], |row| row.get(0))?)
    }

    fn code(&mut self, code: i64) -> Result<&Code> {
        if !self.codes.contains_key(&code) {
            let query = "SELECT bytes FROM code WHERE code = ?";
            let mut statement = self.index.connection.prepare_cached(query)?;
            let bytes: Vec<u8> = statement.query_row([code], |row| row.get(0))?;
            count::add(1);
            self.codes.insert(code, brief::decode_code(&bytes)?);
        }
        Ok(&self.codes[&code])
    }
}

/// The runs whose ranks are among the `count` first, with all that are equal to the last of them.
fn first_by_rank(values: &Values<'_>, key: &Key, runs: Set, count: usize) -> Result<Set> {
    // Of several values only the run itself knows what it is sorted by.
    let is_plain = !matches!(
        key.field,
        Field::Attribute(Attribute::InputName | Attribute::InputDigest | Attribute::Tags)
    );
    if !is_plain || matches!(&key.field, Field::Metric(_, part) if part.is_of_series()) {
        return Ok(runs);
    }
    let mut ranks: Vec<(Sorted, i64)> = Vec::new();
    let mut seen = Set::default();
    let mut open = Set::default();
    values.each(&key.field, None, &mut |run, value| {
        if !runs.has(run) {
            return;
        }
        seen.insert(run);
        match value {
            Some(value) => ranks.push((key.rank(Some(value.clone())), run)),
            None => open.insert(run),
        }
    })?;
    let absent = runs.clone().without(&seen);
    ranks.extend(absent.iter().map(|run| (key.rank(None), run)));
    if ranks.len() <= count {
        return Ok(runs);
    }
    ranks.select_nth_unstable_by(count - 1, |one, other| one.0.cmp(&other.0));
    let last = ranks[count - 1].0.clone();
    let first = ranks.into_iter().filter(|(rank, _)| *rank <= last).map(|(_, run)| run);
    Ok(first.collect::<Set>().or(&open))
}

/// What gives runs with their numbers in the order of the key, and the name it is asked for: where an index has them so,
/// and all are numbers as the language compares them.
fn walkable(values: &Values<'_>, key: &Key) -> Result<Option<(String, Option<i64>)>> {
    use crate::index::rows::Shown;
    use crate::index::write::{METRIC, PARAM};
    let direction = if key.descending { "DESC" } else { "ASC" };
    let exists = |query: &str, name: i64| -> Result<bool> {
        count::add(1);
        Ok(values.connection.prepare_cached(query)?.exists([name])?)
    };
    match &key.field {
        Field::Attribute(Attribute::Started) => {
            let query = "SELECT run, started FROM run WHERE started IS NOT NULL ORDER BY started";
            Ok(Some((format!("{query} {direction}"), None)))
        }
        Field::Param(name) => {
            let Some(name) = values.name(PARAM, name)? else { return Ok(None) };
            // What is neither is sorted among them, or after them, in ways of its own.
            let others = ["value >= ''", "value IS NULL"].map(|other| {
                format!("SELECT 1 FROM param INDEXED BY param_by_value WHERE name = ? AND {other}")
            });
            if exists(&others[0], name)? || exists(&others[1], name)? {
                return Ok(None);
            }
            let query = "SELECT run, value FROM param WHERE name = ? ORDER BY value";
            Ok(Some((format!("{query} {direction}"), Some(name))))
        }
        Field::Metric(name, Part::Shown)
            if values.definitions.get(name).is_none_or(|said| Shown::of(said) == Shown::Last) =>
        {
            let Some(name) = values.name(METRIC, name)? else { return Ok(None) };
            if exists("SELECT 1 FROM metric INDEXED BY metric_rough WHERE name = ? AND own & 4", name)? {
                return Ok(None);
            }
            let query = "SELECT run, shown FROM metric WHERE name = ? AND shown IS NOT NULL ORDER BY shown";
            Ok(Some((format!("{query} {direction}"), Some(name))))
        }
        _ => Ok(None),
    }
}

/// The number that a walk is sorted by, such that equal ones are equal as the language has it.
fn number(row: &Row<'_>) -> rusqlite::Result<(i64, u64)> {
    use rusqlite::types::ValueRef;
    Ok(match row.get_ref(1)? {
        ValueRef::Integer(int) => same_number(int as f64, Some(int)),
        ValueRef::Real(real) => same_number(real, None),
        _ => (0, 0),
    })
}

/// An integer and a double that are equal give the same.
fn same_number(float: f64, int: Option<i64>) -> (i64, u64) {
    /// 2^63: doubles below it that are whole are integers of 64 bits.
    const END: f64 = 9_223_372_036_854_775_808.0;
    let is_whole = float.trunc() == float && (-END..END).contains(&float);
    match int.or(is_whole.then_some(float as i64)) {
        Some(whole) => (whole, 0),
        None => (0, float.to_bits()),
    }
}
