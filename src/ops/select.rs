//! Which runs a command is about, and in which order: by name, by question, by the code they ran, the experiment, the
//! person, and whether they are deleted.
//!
//! Knows how a run is found again after a rebase or a squash; not how the list looks.

mod code;
pub mod outside;

use std::collections::{BTreeSet, HashMap, HashSet};

use anyhow::Result;

use crate::error::Problem;
use crate::index::{Ask, Asked, FoundRun, Index};
use crate::ops::select::code::{Changes, from_top, place_in};
use crate::query::order::Order;
use crate::query::{Bound, Condition, Query, Vocabulary};
use crate::run::attempt::Code;
use crate::run::id::RunId;
use crate::run::{PIN, Run};
use crate::store::{Range, RunTip, Stray, strays};
use crate::tracker::{Damaged, Loaded, Tracker};

/// How far a chain is followed to tell whether a remote has more of it.
const CHAIN_MAX: usize = 100;

/// What is wanted of the runs.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Runs by name; if there are any, only these count, whether deleted or not.
    pub names: Vec<String>,
    /// A question of the query language.
    pub query: Option<String>,
    /// A revision range that their code lies in, as `git rev-list` reads it.
    pub range: Option<String>,
    /// Paths one of which their code changed, as typed.
    pub paths: Vec<String>,
    /// The experiment.
    pub experiment: Option<String>,
    /// Part of the person's name or mail.
    pub user: Option<String>,
    /// Only the deleted and hidden ones, instead of only the others.
    pub deleted: bool,
    /// Fields to sort by, `-` before one the largest first; without any, the newest come first.
    pub sort: Vec<String>,
    /// At most so many, the first in that order.
    pub count: Option<usize>,
    /// Whether those tagged `pin` come before the others, also where the count would leave them out.
    pub pins_first: bool,
    /// Whether lists are all they are for: then attempts and edits may be missing, and 100,000 runs are no matter.
    pub listed: bool,
}

/// The runs that were wanted, and what is to be said of some.
#[derive(Default)]
pub struct Selected {
    /// The runs in the order wanted, and those that could not be read.
    pub loaded: Loaded,
    /// Why a run is in the range though its commit is not; where it is from, if it is not one of ours yet, or where there
    /// is more of it.
    pub marks: HashMap<RunId, String>,
    /// What a person should know, such as the nearest name to one that no run has.
    pub notes: Vec<String>,
    /// How many runs were wanted, before the count.
    pub total: usize,
    /// The names that the repository's runs use.
    pub known: Vocabulary,
}

/// What is wanted, once it was understood.
struct Question<'a> {
    wanted: &'a Wanted,
    query: Option<Query>,
    range: Option<Range>,
    ids: Option<BTreeSet<RunId>>,
    hidden: BTreeSet<RunId>,
}

/// The runs of the repository that are wanted.
pub fn select(tracker: &Tracker, wanted: &Wanted) -> Result<Selected> {
    let question = Question::understand(tracker, wanted)?;
    let Some(index) = tracker.index() else { return question.scan(tracker) };
    match question.ask_index(tracker, &index) {
        // Whatever is wrong with the index, the runs themselves tell.
        Err(error) if !error.chain().any(|cause| cause.is::<Problem>()) => {
            index.distrust();
            question.scan(tracker)
        }
        answered => answered,
    }
}

/// The same, without the index: what it is compared with.
pub fn select_by_scan(tracker: &Tracker, wanted: &Wanted) -> Result<Selected> {
    Question::understand(tracker, wanted)?.scan(tracker)
}

impl<'a> Question<'a> {
    /// What cannot be understood is refused before the runs are read.
    fn understand(tracker: &Tracker, wanted: &'a Wanted) -> Result<Self> {
        let query = wanted.query.as_deref().map(Query::parse).transpose()?;
        let range = wanted.range.as_deref().map(|range| tracker.store.range(range)).transpose()?;
        let ids = match wanted.names.is_empty() {
            true => None,
            false => Some(tracker.resolve_all(&wanted.names)?.into_iter().collect()),
        };
        Ok(Self { wanted, query, range, ids, hidden: tracker.hidden() })
    }

    fn scan(&self, tracker: &Tracker) -> Result<Selected> {
        let mut selected = self.ask_runs(tracker)?;
        let refs = tracker.store.run_refs()?;
        let shown: HashSet<&RunId> = selected.loaded.runs.iter().map(|run| &run.id).collect();
        let refs = refs.into_iter().filter(|found| shown.contains(&found.id)).collect();
        self.mark(tracker, &mut selected, &strays(refs));
        Ok(selected)
    }
}

impl Question<'_> {
    fn ask_index(&self, tracker: &Tracker, index: &Index) -> Result<Selected> {
        let known = index.vocabulary()?;
        let order = Order::parse(&self.wanted.sort, &known)?;
        let bound = self.query.as_ref().map(|query| query.bind(&known, tracker.now())).transpose()?;
        let mut notes: Vec<String> = bound.iter().flat_map(|bound| bound.notes.clone()).collect();
        let ask = Ask {
            ids: self.ids.as_ref(),
            deleted: self.wanted.deleted,
            hidden: &self.hidden,
            experiment: self.wanted.experiment.as_deref(),
            user: self.wanted.user.as_deref(),
            condition: bound.as_ref(),
            order: &order,
            count: self.wanted.count,
            definitions: &tracker.config.definitions,
        };
        let mut outside = outside::Repository::new(tracker);
        let mut changes = Changes::new(tracker, &from_top(tracker, &self.wanted.paths));
        let mut code = |code: &Code| Ok(self.takes_code(code, &mut changes));
        let is_narrowed = self.range.is_some() || !self.wanted.paths.is_empty();
        let answer = index.select(
            &ask,
            &mut Asked {
                outside: &mut outside,
                code: if is_narrowed { Some(&mut code) } else { None },
                define: &|run| tracker.define(run),
            },
        )?;
        let damaged = index.damaged()?.into_iter();
        let mut loaded = Loaded {
            damaged: damaged.map(|(id, why)| Damaged { id, error: anyhow::anyhow!(why) }).collect(),
            ..Loaded::default()
        };
        self.take(tracker, answer.runs, &mut loaded)?;
        if self.wanted.pins_first && loaded.runs.len() < answer.total && known.tags.contains(PIN) {
            // Those that the count left out are to be shown as well.
            let pinned = Condition::All(vec![
                Condition::HasTag(PIN.to_owned()),
                bound.clone().map_or(Condition::All(Vec::new()), |bound| bound.condition),
            ]);
            let pinned = Bound { condition: pinned, notes: Vec::new() };
            let mut code = |code: &Code| Ok(self.takes_code(code, &mut changes));
            let answer = index.select(
                &Ask { condition: Some(&pinned), count: None, ..ask },
                &mut Asked {
                    outside: &mut outside,
                    code: if is_narrowed { Some(&mut code) } else { None },
                    define: &|run| tracker.define(run),
                },
            )?;
            loaded.runs.retain(|run| !run.has_tag(PIN));
            self.take(tracker, answer.runs, &mut loaded)?;
        }
        notes.extend(outside.into_notes());
        self.put_pins_first(&mut loaded.runs);
        let strays = index.strays(&loaded.runs.iter().map(|run| &run.id).collect::<Vec<_>>())?;
        let mut selected = Selected { loaded, notes, total: answer.total, marks: HashMap::new(), known };
        self.mark(tracker, &mut selected, &strays);
        Ok(selected)
    }

    /// Puts the pinned runs before the others, each in their order.
    fn put_pins_first(&self, runs: &mut [Run]) {
        if self.wanted.pins_first {
            runs.sort_by_key(|run| !run.has_tag(PIN));
        }
    }

    /// Adds runs that were found, with as much of them as is wanted.
    fn take(&self, tracker: &Tracker, found: Vec<FoundRun>, loaded: &mut Loaded) -> Result<()> {
        // What has no tip was read whole.
        let tip_of = |found: &FoundRun| found.tip.clone().filter(|_| !self.wanted.listed);
        let tip = |found: &FoundRun| {
            Some(RunTip { id: found.run.id.clone(), tip: tip_of(found)?, remote: found.remote.clone() })
        };
        let whole = tracker.load_tips(&found.iter().filter_map(tip).collect::<Vec<_>>())?;
        loaded.damaged.extend(whole.damaged);
        let mut whole = whole.runs.into_iter().peekable();
        for found in found {
            let id = found.run.id.clone();
            let run = match tip_of(&found) {
                None => Some(found.run),
                Some(_) => whole.next_if(|run| run.id == id).map(|mut run| {
                    tracker.define(&mut run);
                    run
                }),
            };
            let Some(run) = run else { continue };
            loaded.runs.push(run);
            loaded.remotes.extend(found.remote.map(|remote| (id, remote)));
        }
        Ok(())
    }

    fn ask_runs(&self, tracker: &Tracker) -> Result<Selected> {
        let wanted = self.wanted;
        let mut loaded = tracker.load_all()?;
        let known = Vocabulary::of(&loaded.runs);
        let order = Order::parse(&wanted.sort, &known)?;
        match &self.ids {
            None => {
                loaded.runs.retain(|run| wanted.deleted == (run.deleted || self.hidden.contains(&run.id)))
            }
            Some(ids) => loaded.runs.retain(|run| ids.contains(&run.id)),
        }
        loaded.runs.retain(|run| wanted.matches(run));
        if self.range.is_some() || !wanted.paths.is_empty() {
            let mut changes = Changes::new(tracker, &from_top(tracker, &wanted.paths));
            let mut takes =
                |run: &Run| run.code.as_ref().is_some_and(|code| self.takes_code(code, &mut changes));
            loaded.runs.retain(|run| takes(run));
        }
        let mut notes = Vec::new();
        if let Some(query) = &self.query {
            let bound = query.bind(&known, tracker.now())?;
            notes.extend(bound.notes.iter().cloned());
            let mut outside = outside::Repository::new(tracker);
            let mut kept = Vec::new();
            for run in std::mem::take(&mut loaded.runs) {
                if bound.matches(&run, &mut outside)? {
                    kept.push(run);
                }
            }
            loaded.runs = kept;
            notes.extend(outside.into_notes());
        }
        order.sort(&mut loaded.runs);
        let total = loaded.runs.len();
        let mut places = 0..wanted.count.unwrap_or(usize::MAX);
        loaded.runs.retain(|run| places.next().is_some() || (wanted.pins_first && run.has_tag(PIN)));
        self.put_pins_first(&mut loaded.runs);
        let shown: HashSet<&RunId> = loaded.runs.iter().map(|run| &run.id).collect();
        loaded.remotes.retain(|id, _| shown.contains(id));
        Ok(Selected { loaded, marks: HashMap::new(), notes, total, known })
    }

    /// Whether runs of this code are wanted.
    fn takes_code(&self, code: &Code, changes: &mut Changes<'_>) -> bool {
        self.range.as_ref().is_none_or(|range| place_in(range, code).is_some())
            && (self.wanted.paths.is_empty() || changes.touch(code))
    }

    /// Says of the runs what is not plain to see.
    fn mark(&self, tracker: &Tracker, selected: &mut Selected, strays: &[Stray]) {
        let mut newer: HashMap<&RunId, String> = HashMap::new();
        for stray in strays {
            // What cannot be told is not said.
            if tracker.store.descends(&stray.remote_tip, &stray.tip, CHAIN_MAX).unwrap_or_default() {
                newer.entry(&stray.id).or_insert_with(|| format!("newer on {}", stray.remote));
            }
        }
        for run in &selected.loaded.runs {
            let place =
                self.range.as_ref().zip(run.code.as_ref()).and_then(|(range, code)| place_in(range, code));
            let place = place.filter(|place| !place.is_empty());
            let remote = selected.loaded.remotes.get(&run.id).or(newer.get(&run.id)).map(String::as_str);
            let words: Vec<&str> = place.into_iter().chain(remote).collect();
            if !words.is_empty() {
                selected.marks.insert(run.id.clone(), words.join(", "));
            }
        }
    }
}

impl Wanted {
    fn matches(&self, run: &Run) -> bool {
        let experiment = self.experiment.is_none() || run.experiment == self.experiment;
        let user = self
            .user
            .as_deref()
            .is_none_or(|user| run.user.as_deref().is_some_and(|known| known.contains(user)));
        experiment && user
    }
}
