//! What a run does to the machine: a thread that measures now and then, and what it came to in the end.
//!
//! Knows when and what to measure; `processes`, `machine` and `gpu` know how. Writes its own journal file, and stands
//! back: a run of less than a second leaves nothing, and nothing here can fail a run or make it wait.
//!
//! | Metric | Unit | |
//! |---|---|---|
//! | `system/cpu` | % | of one core, of all processes of the run together |
//! | `system/memory` | B | resident memory of all processes; what they share is counted for each |
//! | `system/threads` | | of all processes |
//! | `system/disk_read`, `system/disk_written` | B/s | of all processes, from and to disks |
//! | `system/network_received`, `system/network_sent` | B/s | of the machine, loopback aside |
//! | `system/machine_cpu`, `system/machine_memory` | % | of all that the machine has |
//! | `system/gpu.N.utilisation`, `.memory`, `.power`, `.temperature` | %, B, W, °C | of each GPU of the run |

mod gpu;
mod machine;
mod processes;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indexmap::IndexMap;

use crate::human;
use crate::journal::event::{Begin, Body, PROTOCOL, Step};
use crate::journal::owner;
use crate::journal::write::JournalWriter;
use crate::ops::record::system::gpu::{Gpus, Reading};
use crate::ops::record::system::machine::{Gauge, Machine};
use crate::ops::record::system::processes::{Totals, Tree, waited_for};
use crate::run::attempt::{Definition, Number};

/// When a run is looked at first; only its peak of memory is of interest then.
const FIRST_LOOK: Duration = Duration::from_millis(200);

/// How long a run takes before anything is written of it.
const WORTH_WRITING: Duration = Duration::from_secs(1);

/// How long the end of a run waits for a last look.
const PATIENCE: Duration = Duration::from_millis(50);

/// How many times longer than a look took it rests at least until the next.
const REST: u32 = 20;

/// What a run took.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Usage {
    /// Time on the clock, in seconds.
    pub wall_seconds: f64,
    /// Processor time of all its processes, in seconds.
    pub cpu_seconds: Option<f64>,
    /// The most memory that was seen, in bytes.
    pub memory_peak: Option<u64>,
    /// The share of time that its GPUs were at work, in percent, on average.
    pub gpu_utilisation: Option<f64>,
    /// The most memory of one of its GPUs that was seen, in bytes.
    pub gpu_memory_peak: Option<u64>,
}

/// Says what a run took, in one line: `4m 12s cpu · 1.2 GiB peak · gpu 73%`; nothing where nothing is known.
pub fn describe(usage: &Usage) -> String {
    let parts = [
        // A clock that ticks a hundred times a second has not seen anything shorter.
        usage
            .cpu_seconds
            .filter(|seconds| *seconds >= 0.01)
            .map(|seconds| format!("{} cpu", human::duration(seconds))),
        usage.memory_peak.map(|bytes| format!("{} peak", human::size(bytes))),
        usage.gpu_utilisation.map(|share| format!("gpu {share:.0}%")),
        usage.gpu_memory_peak.map(|bytes| format!("{} gpu peak", human::size(bytes))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// Measures a run until it is stopped.
#[derive(Debug)]
pub struct Sampler {
    shared: Arc<Shared>,
    begun: Instant,
    /// The processor time of what this process had waited for before.
    before: Option<f64>,
}

impl Sampler {
    /// Begins to measure the processes that `root` is the first of, or that this process starts if it is that, every
    /// `interval`; without one nothing is measured.
    pub fn start(folder: &Path, root: u32, interval: Option<Duration>) -> Self {
        let shared = Arc::new(Shared::default());
        let begun = Instant::now();
        let before = waited_for();
        let sampler = Self { shared: Arc::clone(&shared), begun, before };
        let folder = folder.to_owned();
        let thread = thread::Builder::new().name("sampler".to_owned());
        let Some(interval) = interval else {
            sampler.shared.has_ended();
            return sampler;
        };
        // Without a thread nothing is measured, which is no reason not to run.
        let started = thread.spawn(move || {
            Samples::new(folder, root, Beginning { at: begun, before }, &shared).take(interval);
            shared.has_ended();
        });
        if started.is_err() {
            sampler.shared.has_ended();
        }
        sampler
    }

    /// Stops to measure, once the command was waited for; what the run took.
    pub fn stop(self) -> Usage {
        let mut state = self.shared.lock();
        state.is_stopped = true;
        self.shared.changed.notify_all();
        let waiting = |state: &mut State| !state.has_ended;
        let waited = self.shared.changed.wait_timeout_while(state, PATIENCE, waiting);
        // One that hangs in a driver is left there: it finds that it is over.
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let mut usage = std::mem::take(&mut state.usage);
        let waited_for = waited_for().zip(self.before).map(|(after, before)| after - before - state.asking);
        let known = [waited_for.map(|cpu| cpu.max(0.0)), usage.cpu_seconds];
        usage.cpu_seconds = known.into_iter().flatten().reduce(f64::max);
        Usage { wall_seconds: self.begun.elapsed().as_secs_f64(), ..usage }
    }
}

/// What the thread that measures and the one that stops it share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_stopped: bool,
    has_ended: bool,
    usage: Usage,
    /// The processor time of what was started to measure, which is none of the run's.
    asking: f64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.lock().is_stopped
    }

    fn has_ended(&self) {
        self.lock().has_ended = true;
        self.changed.notify_all();
    }

    /// Waits; whether it was not stopped meanwhile.
    fn wait_until(&self, moment: Instant) -> bool {
        let rest = moment.saturating_duration_since(Instant::now());
        let waiting = |state: &mut State| !state.is_stopped;
        let waited = self.changed.wait_timeout_while(self.lock(), rest, waiting);
        !waited.unwrap_or_else(PoisonError::into_inner).0.is_stopped
    }
}

/// What was measured at one moment.
struct Sample {
    at: Instant,
    processes: Totals,
    machine: Machine,
}

/// Where measuring began.
struct Beginning {
    at: Instant,
    /// The processor time of what this process had waited for before.
    before: Option<f64>,
}

/// The samples of a run, as they are taken.
struct Samples<'a> {
    folder: PathBuf,
    shared: &'a Shared,
    beginning: Beginning,
    /// The root is this process itself, whose children are not only the run's.
    is_own: bool,
    tree: Tree,
    gauge: Gauge,
    gpus: Option<Gpus>,
    last: Option<Sample>,
    journal: Option<JournalWriter>,
    /// Which metrics were said to have which unit.
    defined: Vec<String>,
    has_facts: bool,
    /// The sum of all shares of GPUs that were seen, and how many they are.
    gpu_shares: (f64, u32),
}

impl<'a> Samples<'a> {
    fn new(folder: PathBuf, root: u32, beginning: Beginning, shared: &'a Shared) -> Self {
        let tree = Tree::new(root, &folder);
        Self {
            folder,
            shared,
            beginning,
            is_own: root == std::process::id(),
            tree,
            gauge: Gauge::new(),
            gpus: None,
            last: None,
            journal: None,
            defined: Vec::new(),
            has_facts: false,
            gpu_shares: (0.0, 0),
        }
    }

    /// Measures until it is over.
    fn take(&mut self, interval: Duration) {
        let mut next_look = self.beginning.at + FIRST_LOOK;
        while self.shared.wait_until(next_look) {
            next_look = self.look(interval);
        }
        // When the last was a moment ago, rates would be of that moment only.
        let is_due = |last: &Sample| last.at.elapsed() >= WORTH_WRITING.min(interval) / 2;
        if self.journal.is_some() && self.last.as_ref().is_some_and(is_due) {
            self.write_last();
        }
    }

    /// Measures once; when to do so again.
    fn look(&mut self, interval: Duration) -> Instant {
        let sample = self.sample();
        let age = sample.at - self.beginning.at;
        if age < WORTH_WRITING {
            self.last = Some(sample);
            return self.beginning.at + WORTH_WRITING;
        }
        let gpus = self.gpus.get_or_insert_with(Gpus::open);
        let readings = gpus.measure(&sample.processes.pids, &|| self.shared.is_stopped());
        self.note_gpus(&readings);
        let mut points = self.points(&sample);
        points.extend(readings.iter().flat_map(gpu_points));
        let at = sample.at;
        self.last = Some(sample);
        self.write(&points);
        // Where a look takes long (a driver that hangs, a machine that is overloaded), fewer are taken.
        (at + interval).max(Instant::now() + at.elapsed() * REST)
    }

    fn sample(&mut self) -> Sample {
        let mut sample =
            Sample { at: Instant::now(), processes: self.tree.measure(), machine: self.gauge.measure() };
        if self.is_own {
            sample.processes.cpu = (sample.processes.cpu - self.asking()).max(0.0);
        }
        let usage = &mut self.shared.lock().usage;
        let (seen, now) = (&sample.processes, usage.memory_peak.unwrap_or_default());
        let peak = now.max(seen.memory).max(seen.memory_peak);
        usage.memory_peak = (peak > 0).then_some(peak);
        usage.cpu_seconds = Some(usage.cpu_seconds.unwrap_or_default().max(seen.cpu));
        sample
    }

    fn asking(&self) -> f64 {
        self.gpus.as_ref().map_or(0.0, |gpus| gpus.asking)
    }

    fn note_gpus(&mut self, readings: &[Reading]) {
        for share in readings.iter().filter_map(|reading| reading.utilisation) {
            self.gpu_shares = (self.gpu_shares.0 + share, self.gpu_shares.1 + 1);
        }
        let most = readings.iter().filter_map(|reading| reading.memory).max();
        let asking = self.asking();
        let state = &mut *self.shared.lock();
        state.asking = asking;
        let usage = &mut state.usage;
        usage.gpu_memory_peak = usage.gpu_memory_peak.max(most);
        let (sum, count) = self.gpu_shares;
        usage.gpu_utilisation = (count > 0).then(|| sum / f64::from(count));
    }

    fn points(&self, sample: &Sample) -> IndexMap<String, Number> {
        let mut points = Points::default();
        let processes = &sample.processes;
        if !processes.pids.is_empty() {
            points.whole("system/memory", Some(processes.memory));
            points.whole("system/threads", Some(processes.threads));
        }
        if let Some(last) = &self.last {
            let elapsed = (sample.at - last.at).as_secs_f64();
            if !processes.pids.is_empty() {
                points.rounded("system/cpu", Some(share(last.processes.cpu, processes.cpu, elapsed)));
                points.whole("system/disk_read", rate(last.processes.read, processes.read, elapsed));
                points.whole("system/disk_written", rate(last.processes.written, processes.written, elapsed));
            }
            let (before, after) = (&last.machine, &sample.machine);
            points.whole("system/network_received", rate(before.received, after.received, elapsed));
            points.whole("system/network_sent", rate(before.sent, after.sent, elapsed));
            points.rounded("system/machine_cpu", after.cpu_since(before));
        }
        points.rounded("system/machine_memory", sample.machine.memory);
        points.0
    }

    /// When the processes are gone, what is known of the time since the last look is what they took in all.
    fn write_last(&mut self) {
        let sample = self.sample();
        let mut points = self.points(&sample);
        let in_all =
            waited_for().zip(self.beginning.before).map(|(after, before)| after - before - self.asking());
        if let (true, Some(last), Some(cpu)) = (sample.processes.pids.is_empty(), &self.last, in_all) {
            let elapsed = (sample.at - last.at).as_secs_f64();
            let mut more = Points::default();
            more.rounded("system/cpu", Some(share(last.processes.cpu, cpu, elapsed)));
            points.extend(more.0);
        }
        self.append(&points);
    }

    fn write(&mut self, points: &IndexMap<String, Number>) {
        // What is over may have been read, and its folder removed.
        if self.shared.is_stopped() {
            return;
        }
        if self.journal.is_none() {
            self.journal = JournalWriter::create(&self.folder, begin()).ok();
        }
        self.append(points);
    }

    fn append(&mut self, points: &IndexMap<String, Number>) {
        let new = points.keys().filter(|name| !self.defined.contains(name));
        let definitions: IndexMap<String, Definition> =
            new.filter_map(|name| Some((name.clone(), definition(name)?))).collect();
        let facts = self.gpus.as_ref().filter(|_| !self.has_facts).map(Gpus::facts);
        let Some(journal) = &mut self.journal else {
            return;
        };
        // An event that cannot be written is one sample less.
        if !definitions.is_empty() {
            let _ = journal.append(Step::Nowhere, &Body::Define(definitions));
        }
        if let Some(facts) = facts.filter(|facts| !facts.is_empty()) {
            self.has_facts = journal.append(Step::Nowhere, &Body::Environment(facts)).is_ok();
        }
        if !points.is_empty() {
            let _ = journal.append(Step::Nowhere, &Body::Points(points.clone()));
        }
        self.defined
            .extend(points.keys().filter(|name| !self.defined.contains(name)).cloned().collect::<Vec<_>>());
    }
}

fn begin() -> Begin {
    let owner = owner::this_process();
    Begin { protocol: PROTOCOL, owner, role: Some("system".to_owned()), ..Begin::default() }
}

/// Percent of one core.
fn share(before: f64, after: f64, elapsed: f64) -> f64 {
    if elapsed > 0.0 { (after - before).max(0.0) / elapsed * 100.0 } else { 0.0 }
}

/// What a second brought; nothing where that is not told.
fn rate(before: Option<u64>, after: Option<u64>, elapsed: f64) -> Option<u64> {
    let more = after?.saturating_sub(before?);
    (elapsed > 0.0).then(|| (more as f64 / elapsed).round() as u64)
}

/// Points that are gathered.
#[derive(Default)]
struct Points(IndexMap<String, Number>);

impl Points {
    fn whole(&mut self, name: &str, value: Option<u64>) {
        self.0.extend(value.map(|value| (name.to_owned(), Number::Int(value.into()))));
    }

    /// Further digits would be noise.
    fn rounded(&mut self, name: &str, value: Option<f64>) {
        let value = value.map(|value| Number::Float((value * 10.0).round() / 10.0));
        self.0.extend(value.map(|value| (name.to_owned(), value)));
    }
}

fn gpu_points(reading: &Reading) -> IndexMap<String, Number> {
    let name = |what: &str| format!("system/gpu.{}.{what}", reading.index);
    let mut points = Points::default();
    points.rounded(&name("utilisation"), reading.utilisation);
    points.whole(&name("memory"), reading.memory);
    points.rounded(&name("power"), reading.power);
    points.rounded(&name("temperature"), reading.temperature);
    points.0
}

fn definition(name: &str) -> Option<Definition> {
    let (of_gpu, last) = (name.starts_with("system/gpu."), name.rsplit(['.', '/']).next()?);
    let unit = match last {
        "cpu" | "machine_cpu" | "machine_memory" | "utilisation" => "%",
        "memory" => "B",
        "disk_read" | "disk_written" | "network_received" | "network_sent" => "B/s",
        "power" if of_gpu => "W",
        "temperature" if of_gpu => "°C",
        _ => return None,
    };
    Some(Definition { unit: Some(unit.to_owned()), ..Definition::default() })
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Runs a script under a sampler: what it took, and the lines of the sampler's journal.
    fn sampled(script: &str, interval: Option<Duration>) -> (Usage, Vec<String>, Duration) {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh").args(["-c", script]).spawn().unwrap();
        let sampler = Sampler::start(folder.path(), child.id(), interval);
        child.wait().unwrap();
        let begun = Instant::now();
        let usage = sampler.stop();
        let stopped = begun.elapsed();
        let files: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|child| child.unwrap().path()).collect();
        assert!(files.len() <= 1, "{files:?}");
        let text = files.first().map(|path| std::fs::read_to_string(path).unwrap()).unwrap_or_default();
        (usage, text.lines().map(str::to_owned).collect(), stopped)
    }

    fn points(lines: &[String]) -> Vec<serde_json::Value> {
        let lines = lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter(|line| !line["points"].is_null()).collect()
    }

    const BUSY: &str =
        "timeout 1.8 sh -c 'while :; do :; done' & timeout 1.8 sh -c 'while :; do :; done'; wait";

    #[test]
    fn a_busy_tree_shows_what_it_takes() {
        let (usage, lines, stopped) = sampled(BUSY, Some(Duration::from_millis(300)));
        let points = points(&lines);
        assert!(points.len() >= 2, "{lines:?}");
        assert!(points.iter().all(|line| line["step"].is_null() && line.get("step").is_some()), "{lines:?}");
        let largest =
            |name: &str| points.iter().filter_map(|line| line["points"][name].as_f64()).fold(0.0, f64::max);
        // Two loops would take two cores; on a loaded machine they get what is left.
        assert!(largest("system/cpu") > 1.0, "{lines:?}");
        assert!(largest("system/memory") > 100_000.0, "{lines:?}");
        assert!(largest("system/threads") >= 3.0, "{lines:?}");
        assert!(largest("system/machine_memory") > 0.0, "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("\"role\":\"system\"")), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains(r#""system/cpu":{"unit":"%"}"#)), "{lines:?}");
        assert!(usage.cpu_seconds.unwrap() > 0.05, "{usage:?}");
        assert!(usage.memory_peak.unwrap() > 100_000, "{usage:?}");
        assert!(usage.wall_seconds > 1.5, "{usage:?}");
        // Fifty milliseconds are meant; a loaded machine gets some slack.
        assert!(stopped < Duration::from_millis(500), "{stopped:?}");
    }

    #[test]
    fn a_short_run_leaves_nothing() {
        let (usage, lines, _) = sampled("true", Some(Duration::from_secs(10)));
        assert_eq!(lines, [""; 0]);
        assert!(usage.wall_seconds < 1.0, "{usage:?}");
        let (_, lines, _) = sampled("sleep 0.4", Some(Duration::from_millis(100)));
        assert_eq!(lines, [""; 0]);
    }

    #[test]
    fn without_an_interval_nothing_is_measured() {
        let (usage, lines, _) = sampled("sleep 1.2", None);
        assert_eq!((lines.len(), usage.memory_peak), (0, None));
    }

    #[test]
    fn a_folder_that_is_gone_is_no_fault() {
        let mut child = Command::new("sleep").arg("1.3").spawn().unwrap();
        let sampler =
            Sampler::start(Path::new("/does/not/exist"), child.id(), Some(Duration::from_millis(100)));
        child.wait().unwrap();
        assert!(sampler.stop().memory_peak.is_some());
    }

    #[test]
    fn what_it_took_is_one_line() {
        let usage = Usage {
            wall_seconds: 100.0,
            cpu_seconds: Some(252.0),
            memory_peak: Some(1_300_000_000),
            gpu_utilisation: Some(72.6),
            gpu_memory_peak: Some(41 << 30),
        };
        assert_eq!(describe(&usage), "4m 12s cpu · 1.2 GiB peak · gpu 73% · 41.0 GiB gpu peak");
        assert_eq!(describe(&Usage { cpu_seconds: Some(0.02), ..Usage::default() }), "20ms cpu");
        assert_eq!(describe(&Usage { cpu_seconds: Some(0.0), ..Usage::default() }), "");
        assert_eq!(describe(&Usage::default()), "");
    }

    #[test]
    fn every_metric_with_a_unit_has_it() {
        let unit = |name: &str| definition(name).and_then(|definition| definition.unit);
        assert_eq!(unit("system/gpu.0.memory").as_deref(), Some("B"));
        assert_eq!(unit("system/gpu.11.temperature").as_deref(), Some("°C"));
        assert_eq!(unit("system/network_sent").as_deref(), Some("B/s"));
        assert_eq!(unit("system/threads"), None);
    }
}
