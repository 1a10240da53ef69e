//! Whatever three clones do in whatever order, they end with the same tips, and nothing that was said is lost.
//!
//! In one process: what is tried is the order of doing, not the command line.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use xtrack::ops::edit::{Words, edit};
use xtrack::ops::sync::{Cause, fetch, merge, plan, pull, push};
use xtrack::run::id::RunId;
use xtrack::store::{Remote, Talk};
use xtrack::tracker::Tracker;

use crate::sharing::{Bare, bury, clone_of, make_runs, paths, run_id, tips, tips_at, trials};
use crate::support::{Repo, alone};

const CLONES: usize = 3;
const RUNS: u32 = 3;

/// One thing that one of the clones does.
#[derive(Debug, Clone)]
enum Act {
    Record,
    Say(u32, Word),
    /// Whether runs go that were purged elsewhere.
    Pull(bool),
    Push,
    PlainPush,
    FetchAndMerge,
    PullFrom(usize),
    PlainFetchAndMerge(usize),
    PackAll,
    /// Whether the remote is told at once.
    Purge(u32, bool),
}

/// Something that is said of a run.
#[derive(Debug, Clone)]
enum Word {
    Note,
    Name(u8),
    Tag(bool, u8),
    Param(u8),
    Deleted(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let word = prop_oneof![
        Just(Word::Note),
        (0..3u8).prop_map(Word::Name),
        (any::<bool>(), 0..2u8).prop_map(|(added, tag)| Word::Tag(added, tag)),
        (0..3u8).prop_map(Word::Param),
        any::<bool>().prop_map(Word::Deleted),
    ];
    prop_oneof![
        1 => Just(Act::Record),
        6 => (0..RUNS, word).prop_map(|(run, word)| Act::Say(run, word)),
        3 => any::<bool>().prop_map(Act::Pull),
        3 => Just(Act::Push),
        1 => Just(Act::PlainPush),
        1 => Just(Act::FetchAndMerge),
        2 => (0..CLONES).prop_map(Act::PullFrom),
        1 => (0..CLONES).prop_map(Act::PlainFetchAndMerge),
        1 => Just(Act::PackAll),
        1 => (0..RUNS, any::<bool>()).prop_map(|(run, at_once)| Act::Purge(run, at_once)),
    ]
}

/// The clones, and what was ever said in any of them.
struct World {
    bare: Bare,
    clones: Vec<Repo>,
    said: BTreeSet<(RunId, String)>,
    purged: BTreeSet<u32>,
    notes: u32,
    recorded: u32,
}

impl World {
    fn new() -> Self {
        let bare = Bare::new();
        let clones: Vec<Repo> = ["Ada", "Bo", "Cy"].map(|name| clone_of(&bare, name)).into();
        make_runs(&clones[0], 0..RUNS);
        let world =
            Self { bare, clones, said: BTreeSet::new(), purged: BTreeSet::new(), notes: 0, recorded: RUNS };
        world.push(0, BTreeSet::new());
        (1..CLONES).for_each(|clone| world.pull(clone, true));
        world
    }

    fn open(&self, clone: usize) -> Tracker {
        Tracker::open(self.clones[clone].path()).unwrap()
    }

    fn pull(&self, clone: usize, takes_purges: bool) {
        let tracker = self.open(clone);
        let remote = tracker.store.remote_named("origin").unwrap().unwrap();
        self.pull_from(&tracker, &remote, takes_purges);
    }

    fn pull_from(&self, tracker: &Tracker, remote: &Remote, takes_purges: bool) {
        let options = pull::Options { takes_purges, ..pull::Options::default() };
        let (fetched, outcome) = pull::pull(tracker, remote, options, &Talk::default()).unwrap();
        assert!(
            fetched.refused.is_empty() && outcome.refused.is_empty(),
            "{:?} {outcome:?}",
            fetched.refused
        );
        assert!(!takes_purges || outcome.purges.is_empty(), "{outcome:?}");
    }

    /// Pushes; where a run was purged here, the remote's copy of it goes.
    fn push(&self, clone: usize, replaced: BTreeSet<RunId>) {
        let tracker = self.open(clone);
        let remote = tracker.store.remote_named("origin").unwrap().unwrap();
        let options = plan::Options { replaced, ..plan::Options::default() };
        let planned = plan::plan(&tracker, &remote, &options, &Talk::default()).unwrap();
        let pushed = push::push(&tracker, planned, &options, &Talk::default()).unwrap();
        let expected = |cause| matches!(cause, Cause::Diverged | Cause::Purged);
        assert!(pushed.refused.iter().all(|refused| expected(refused.cause)), "{:?}", pushed.refused);
    }

    fn merge(&self, clone: usize) {
        let tracker = self.open(clone);
        for (_, tips) in merge::fetched(&tracker, None).unwrap() {
            let outcome = merge::merge(&tracker, &tips, &merge::Options::default()).unwrap();
            assert!(outcome.refused.is_empty(), "{outcome:?}");
        }
    }

    /// Puts a tombstone in the place of a run, which no other clone knows of yet.
    fn purge(&mut self, clone: usize, run: u32, at_once: bool) {
        self.notes += 1;
        bury(&self.clones[clone], run, &format!("secret {}", self.notes));
        self.purged.insert(run);
        if at_once {
            self.push(clone, BTreeSet::from([run_id(run)]));
        }
    }

    fn is_purged(&self, clone: usize, run: u32) -> bool {
        paths(&self.clones[clone], run) == ["tombstone.toml"]
    }

    fn say(&mut self, clone: usize, run: u32, word: &Word) {
        self.notes += 1;
        let id = run_id(run);
        let mut words = Words::default();
        match word {
            Word::Note => words.note = Some(format!("note {}", self.notes)),
            Word::Name(name) => words.name = Some(format!("name-{name}")),
            Word::Tag(true, tag) => words.tags = vec![format!("+tag{tag}")],
            Word::Tag(false, tag) => words.tags = vec![format!("-tag{tag}")],
            Word::Param(value) => words.params = vec![format!("lr={value}")],
            Word::Deleted(is) => words.deleted = Some(*is),
        }
        // Some words make no sense as the run stands, and are refused.
        if let Ok(Some(edit)) = edit(&self.open(clone), &id, &words) {
            self.said.insert((id, format!("edits/{edit}.toml")));
        }
    }

    fn act(&mut self, clone: usize, act: &Act) {
        let path = |other: usize| self.clones[other].path().to_str().unwrap().to_owned();
        match act {
            Act::Record => {
                make_runs(&self.clones[clone], self.recorded..self.recorded + 1);
                self.recorded += 1;
            }
            Act::Say(run, word) => self.say(clone, *run, word),
            Act::Pull(takes_purges) => self.pull(clone, *takes_purges),
            Act::Push => self.push(clone, BTreeSet::new()),
            // What others said meanwhile, it refuses.
            Act::PlainPush => drop(self.clones[clone].try_git(&["push", "-q", "origin", "refs/runs/*"])),
            Act::FetchAndMerge => {
                let tracker = self.open(clone);
                let remote = tracker.store.remote_named("origin").unwrap().unwrap();
                fetch::fetch(&tracker, &remote, false, &Talk::default()).unwrap();
                self.merge(clone);
            }
            Act::PullFrom(other) => {
                let tracker = self.open(clone);
                let remote = tracker.store.remote_at(&path(*other)).unwrap();
                self.pull_from(&tracker, &remote, false);
            }
            Act::PlainFetchAndMerge(other) => {
                let spec = "+refs/runs/*:refs/xtrack/remotes/origin/runs/*";
                self.clones[clone].git(&["fetch", "-q", &path(*other), spec]);
                self.merge(clone);
            }
            Act::PackAll => drop(self.clones[clone].git(&["pack-refs", "--all"])),
            Act::Purge(run, at_once) => self.purge(clone, *run, *at_once),
        }
    }

    /// Lets all of them pull and push until nothing changes any more, here or there.
    fn settle(&self) {
        for _ in 0..10 {
            let before = self.tips();
            for clone in 0..CLONES {
                self.pull(clone, true);
                let buried = self.purged.iter().filter(|run| self.is_purged(clone, **run));
                self.push(clone, buried.map(|run| run_id(*run)).collect());
            }
            if self.tips() == before {
                return;
            }
        }
        panic!("it never rests");
    }

    /// All tips of all clones, and of the bare repository at last.
    fn tips(&self) -> Vec<String> {
        let bare = tips_at(&self.clones[0], self.bare.path());
        self.clones.iter().map(tips).chain([bare]).collect()
    }

    fn check(&self) {
        let tips = self.tips();
        let first = &tips[0];
        tips.iter().for_each(|other| assert_eq!(other, first));
        assert_eq!(first.lines().count() as u32, self.recorded, "no run is lost");
        for run in 0..RUNS {
            let there: BTreeSet<String> = paths(&self.clones[0], run).into_iter().collect();
            if self.purged.contains(&run) {
                assert!(self.is_purged(0, run), "run {run} came back: {there:?}");
                continue;
            }
            let lost: Vec<_> =
                self.said.iter().filter(|(id, path)| *id == run_id(run) && !there.contains(path)).collect();
            assert!(lost.is_empty(), "lost {lost:?}");
            assert!(!there.iter().any(|path| path.starts_with("disputed/")));
        }
    }
}

#[test]
fn clones_that_share_in_any_order_end_alike_and_lose_nothing() {
    let count = trials(12).to_string();
    let name = "sharing::convergence::clones_that_share_in_any_order_end_alike_and_lose_nothing";
    alone(name, &[("XTRACK_TRIALS", &count)], |home: &Path| {
        let config = "[user]\nname = Ada\nemail = ada@example.com\n[gc]\nauto = 0\n";
        std::fs::write(home.join(".gitconfig"), config).unwrap();
        let histories = prop::collection::vec((0..CLONES, act()), 4..24);
        let cases = u32::try_from(trials(12)).unwrap();
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let tried = TestRunner::new(config).run(&histories, |history| {
            let mut world = World::new();
            for (clone, act) in &history {
                world.act(*clone, act);
            }
            world.settle();
            world.check();
            Ok(())
        });
        tried.unwrap();
    });
}
