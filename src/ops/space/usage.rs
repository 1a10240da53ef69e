//! What takes the space: runs, code, artifacts, and what is kept or left besides; in sum, and run by run.
//!
//! Sizes are those on the disk. What several runs hold is told apart from what goes with one of them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::thread;

use anyhow::Result;

use crate::ops::space::gc::size_of;
use crate::ops::space::survey::{self, Holder, Named};
use crate::run::id::RunId;
use crate::store::{Objects, Oid, Store, Weight, remote_of};
use crate::tracker::{Level, Tracker};

/// Below this many tips a second thread costs more than it saves.
const PARALLEL_MIN: usize = 500;
/// How many bytes a ref takes in the list that a remote gives to everybody who pushes.
const LISTED_BYTES: usize = 96;
/// From how many refs on that list is worth a word.
const LISTED_MANY: usize = 5_000;

/// How many of something there are, and what they take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Part {
    /// How many.
    pub count: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// What takes the space.
#[derive(Debug, Default)]
pub struct Usage {
    /// Records of our runs.
    pub runs: Part,
    /// Records as fetched, where ours do not hold the same.
    pub fetched: Part,
    /// Code states, where branches and tags do not hold the same.
    pub code: Part,
    /// What operations dropped.
    pub kept: Part,
    /// Artifacts in the store of this clone.
    pub artifacts: Part,
    /// Those of them that several runs name.
    pub shared: Part,
    /// Those that no run names.
    pub nameless: Part,
    /// The index of runs.
    pub index: u64,
    /// Runs in progress.
    pub live: Part,
    /// All else in our folder.
    pub others: u64,
    /// How many refs of runs are files of their own.
    pub loose_refs: usize,
    /// How many runs each remote had when it was fetched from.
    pub remotes: BTreeMap<String, usize>,
    /// The runs asked for, those that take most first.
    pub each: Vec<RunUsage>,
    /// What cannot be read, and why.
    pub unreadable: Vec<String>,
}

/// What one run takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunUsage {
    /// Which.
    pub id: RunId,
    /// Its name.
    pub name: Option<String>,
    /// Whether it is deleted.
    pub deleted: bool,
    /// Its record.
    pub record: Weight,
    /// Its artifacts.
    pub artifacts: Weight,
    /// Those of them that are here: digest, size, and how many runs name them.
    pub held: Vec<(String, u64, usize)>,
}

impl RunUsage {
    /// All that goes with the run.
    pub fn own(&self) -> u64 {
        self.record.own + self.artifacts.own
    }

    /// All that it holds.
    pub fn total(&self) -> u64 {
        self.own() + self.record.shared + self.artifacts.shared
    }
}

/// Which runs are told of, one by one.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// These; all if absent.
    pub runs: Option<Vec<RunId>>,
    /// At most so many.
    pub count: usize,
}

/// What everything takes.
pub fn usage(tracker: &Tracker, wanted: &Wanted) -> Result<Usage> {
    let store = &tracker.store;
    let survey = survey::survey(tracker)?;
    let ours = |named: &&Named| matches!(named.holder, Holder::Run(_));
    let own: Vec<&Named> = survey.named.iter().filter(ours).collect();
    let fetched: Vec<&Named> =
        survey.named.iter().filter(|named| matches!(named.holder, Holder::Fetched(..))).collect();
    let mut usage = Usage {
        unreadable: survey.unreadable.iter().map(|(what, error)| format!("{what}: {error:#}")).collect(),
        loose_refs: store.loose_run_count(usize::MAX),
        ..Usage::default()
    };
    let own_tips: Vec<Oid> = own.iter().map(|named| named.tip.clone()).collect();
    let chains = chains(tracker, &own_tips, &mut usage)?;
    let known: HashSet<&Oid> = own_tips.iter().collect();
    let other_tips: BTreeSet<Oid> =
        fetched.iter().map(|named| &named.tip).filter(|tip| !known.contains(tip)).cloned().collect();
    let others = self::chains(tracker, &other_tips.into_iter().collect::<Vec<_>>(), &mut usage)?;
    let distinct: HashSet<_> = chains.iter().flatten().collect();
    let beyond: HashSet<_> = others.iter().flatten().filter(|id| !distinct.contains(id)).collect();
    let sizes = store.sizes(distinct.iter().chain(&beyond).copied())?;
    usage.runs = Part { count: own.len(), bytes: sizes.of(distinct.iter().copied()) };
    usage.fetched = Part { count: fetched.len(), bytes: sizes.of(beyond.iter().copied()) };
    for named in &fetched {
        if let Holder::Fetched(place, _) = &named.holder {
            let remote = remote_of(place).unwrap_or(place).to_owned();
            *usage.remotes.entry(remote).or_default() += 1;
        }
    }
    weigh_refs(store, &survey, &mut usage);
    let holders = holders(&survey.named);
    weigh_artifacts(&survey, &holders, &mut usage);
    weigh_folder(tracker, &mut usage);
    let weights = sizes.weigh(&chains);
    usage.each =
        own.iter().zip(weights).map(|(named, record)| one(named, record, &survey, &holders)).collect();
    choose(tracker, wanted, &own, &mut usage);
    Ok(usage)
}

/// Everything that the chains hold, one for each tip; one that cannot be read holds nothing.
fn chains(tracker: &Tracker, tips: &[Oid], usage: &mut Usage) -> Result<Vec<Objects>> {
    let read = |store: &Store, tips: &[Oid]| -> Vec<Result<Objects>> {
        tips.iter().map(|tip| store.objects_behind(tip)).collect()
    };
    let workers = thread::available_parallelism().map_or(1, usize::from).min(8);
    let parts: Vec<Result<Objects>> = if tips.len() < PARALLEL_MIN || workers == 1 {
        read(&tracker.store, tips)
    } else {
        let directory = tracker.directory();
        let parts: Result<Vec<Vec<Result<Objects>>>> = thread::scope(|scope| {
            // A store is of one thread: each opens its own.
            let spawn = |tips| scope.spawn(move || Ok(read(&Store::open(directory)?, tips)));
            let handles: Vec<_> = tips.chunks(tips.len().div_ceil(workers)).map(spawn).collect();
            handles.into_iter().map(|handle| handle.join().expect("a reader does not panic")).collect()
        });
        parts?.into_iter().flatten().collect()
    };
    let take = |part: Result<Objects>| {
        part.unwrap_or_else(|error| {
            usage.unreadable.push(format!("{error:#}"));
            Objects::default()
        })
    };
    Ok(parts.into_iter().map(take).collect())
}

fn weigh_refs(store: &Store, survey: &survey::Survey, usage: &mut Usage) {
    let code: Vec<Oid> = survey.code.iter().cloned().collect();
    let public = ["HEAD", "--branches", "--tags", "--remotes"];
    let public =
        if store.head().is_ok_and(|head| head.commit.is_some()) { &public[..] } else { &public[1..] };
    let bytes = store.disk_usage(&[], public, &code).unwrap_or_default();
    usage.code = Part { count: code.len(), bytes };
    let kept: Vec<Oid> = survey.kept.iter().map(|keep| keep.tip.clone()).collect();
    let bytes = match kept.is_empty() {
        true => 0,
        false => store.disk_usage(&[], &["--exclude=refs/xtrack/undo/*", "--all"], &kept).unwrap_or_default(),
    };
    usage.kept = Part { count: kept.len(), bytes };
}

/// The runs that name each artifact, ours and others'.
fn holders(named: &[Named]) -> HashMap<&str, BTreeSet<&RunId>> {
    let mut holders: HashMap<&str, BTreeSet<&RunId>> = HashMap::new();
    for named in named {
        let (Holder::Run(id) | Holder::Fetched(_, id)) = &named.holder else { continue };
        for sha256 in &named.artifacts {
            holders.entry(sha256).or_default().insert(id);
        }
    }
    holders
}

fn weigh_artifacts(survey: &survey::Survey, holders: &HashMap<&str, BTreeSet<&RunId>>, usage: &mut Usage) {
    for (sha256, held) in &survey.held {
        let add = |part: &mut Part| {
            part.count += 1;
            part.bytes += held.size;
        };
        add(&mut usage.artifacts);
        match holders.get(sha256.as_str()).map_or(0, BTreeSet::len) {
            0 if survey.live.contains(sha256) => {}
            0 => add(&mut usage.nameless),
            1 => {}
            _ => add(&mut usage.shared),
        }
    }
}

/// What lies in our folder besides artifacts.
fn weigh_folder(tracker: &Tracker, usage: &mut Usage) {
    for entry in fs::read_dir(tracker.state_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let size = size_of(&entry.path());
        match name.as_str() {
            "objects" => usage.others += size_of(&entry.path().join("tmp")),
            "live" => usage.live = Part { count: tracker.live().len(), bytes: size },
            _ if name.starts_with("index.") => usage.index += size,
            _ => usage.others += size,
        }
    }
}

fn one(
    named: &Named,
    record: Weight,
    survey: &survey::Survey,
    holders: &HashMap<&str, BTreeSet<&RunId>>,
) -> RunUsage {
    let Holder::Run(id) = &named.holder else { unreachable!("only our own runs are weighed") };
    let mut artifacts = Weight::default();
    let mut held = Vec::new();
    for sha256 in &named.artifacts {
        let size = survey.held.get(sha256).map_or(0, |held| held.size);
        let count = holders.get(sha256.as_str()).map_or(1, BTreeSet::len);
        *(if count > 1 { &mut artifacts.shared } else { &mut artifacts.own }) += size;
        held.push((sha256.clone(), size, count));
    }
    held.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    RunUsage { id: id.clone(), name: None, deleted: false, record, artifacts, held }
}

/// Leaves the runs that are wanted, the largest first, and names them.
fn choose(tracker: &Tracker, wanted: &Wanted, own: &[&Named], usage: &mut Usage) {
    if let Some(runs) = &wanted.runs {
        let runs: HashSet<&RunId> = runs.iter().collect();
        usage.each.retain(|one| runs.contains(&one.id));
    }
    usage.each.sort_by(|a, b| (b.own(), b.total()).cmp(&(a.own(), a.total())).then_with(|| a.id.cmp(&b.id)));
    usage.each.truncate(wanted.count);
    let tips: HashMap<&RunId, &Oid> = own
        .iter()
        .filter_map(|named| match &named.holder {
            Holder::Run(id) => Some((id, &named.tip)),
            _ => None,
        })
        .collect();
    for one in &mut usage.each {
        if let Some(run) = tips.get(&one.id).and_then(|tip| tracker.load_at(&one.id, tip, Level::Brief).ok())
        {
            (one.name, one.deleted) = (run.name, run.deleted);
        }
    }
}

/// A word on lists of refs that get long, and what to do.
pub fn advice(usage: &Usage) -> Vec<String> {
    let most = usage.remotes.iter().map(|(remote, count)| (format!("'{remote}'"), *count));
    let most = most.chain([("a remote that has all runs of this clone".to_owned(), usage.runs.count)]);
    let longest = most.max_by_key(|(_, count)| *count).filter(|(_, count)| *count >= LISTED_MANY);
    let long = longest.map(|(remote, count)| {
        format!(
            "{remote} lists {} to everybody who pushes to it, about {} each time: keep runs in a repository of their \
             own, and archive old ones (`git xtrack help du`)",
            crate::human::count(count, "run"),
            crate::human::size((count * LISTED_BYTES) as u64)
        )
    });
    let loose = (usage.loose_refs >= LISTED_MANY)
        .then(|| "many refs are files of their own: `git pack-refs --all` makes them one".to_owned());
    long.into_iter().chain(loose).collect()
}
