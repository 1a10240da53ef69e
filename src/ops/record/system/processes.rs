//! The processes of a run: the command, what it started, what those started, and what each of them took so far.
//!
//! A process belongs to the run if it descends from the command, was seen to descend from it once, or lost its parent
//! and has the run's folder in its environment: a daemon that a script leaves behind. Reads `/proc`; where there is none
//! (`portable`) the operating system is asked through `sysinfo`.

/// What the processes took, all that they waited for included.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Totals {
    /// Who they are.
    pub pids: Vec<u32>,
    /// Processor time in seconds.
    pub cpu: f64,
    /// Memory now, in bytes: pages that several share are counted for each.
    pub memory: u64,
    /// The most that one of them ever had.
    pub memory_peak: u64,
    /// Threads now.
    pub threads: u64,
    /// Bytes that came from disks, if that may be known.
    pub read: Option<u64>,
    /// Bytes that went to disks, if that may be known.
    pub written: Option<u64>,
}

#[cfg(target_os = "linux")]
pub use linux::{Tree, taken_by, waited_for};
#[cfg(not(target_os = "linux"))]
pub use portable::{Tree, taken_by, waited_for};

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::{HashMap, HashSet};
    use std::ffi::OsStr;
    use std::fs::{self, File};
    use std::io::Read as _;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use crate::ops::record::system::processes::Totals;

    /// How many parts of `/proc`'s second there are, on every machine that is still made.
    const TICKS: f64 = 100.0;

    /// To look for new processes takes a look at all there are; so that it stays below a two-thousandth of one core,
    /// the next look waits this many times as long as the last took.
    const SEARCH_REST: u32 = 2_000;
    const SEARCH_REST_MAX: Duration = Duration::from_secs(60);

    /// The processes of a run.
    #[derive(Debug)]
    pub struct Tree {
        root: u32,
        /// The root is this process itself: only what it started belongs to the run, and of that only what it waited
        /// for since then.
        before: Option<f64>,
        /// What a process without a parent has in its environment if it belongs to the run.
        sign: Vec<u8>,
        /// Members by number, with when each began: a number is used again.
        members: HashMap<u32, u64>,
        /// Processes without a parent of the run that were looked at.
        strangers: HashSet<(u32, u64)>,
        next_search: Option<Instant>,
    }

    /// What `/proc/<pid>/stat` says.
    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Stat {
        parent: u32,
        is_dead: bool,
        own: f64,
        waited_for: f64,
        threads: u64,
        begun: u64,
    }

    impl Tree {
        /// The processes that `root` is the first of; or those that this process starts, if it is that.
        pub fn new(root: u32, folder: &Path) -> Self {
            let sign = [b"XTRACK_RUN_DIR=", folder.as_os_str().as_encoded_bytes(), b"\0"].concat();
            let before = (root == std::process::id()).then(|| waited_for().unwrap_or_default());
            Self { root, before, sign, members: HashMap::new(), strangers: HashSet::new(), next_search: None }
        }

        /// What they took so far.
        pub fn measure(&mut self) -> Totals {
            let begun = Instant::now();
            let stats = match self.next_search {
                Some(next) if begun < next => self.known(),
                _ => {
                    let stats = self.search();
                    let rest = (begun.elapsed() * SEARCH_REST).min(SEARCH_REST_MAX);
                    self.next_search = Some(begun + rest);
                    stats
                }
            };
            self.members = stats.iter().map(|(pid, stat)| (*pid, stat.begun)).collect();
            let mut totals = Totals::default();
            for (pid, stat) in stats {
                self.add(&mut totals, pid, &stat);
            }
            totals.pids.sort_unstable();
            totals
        }

        fn add(&self, totals: &mut Totals, pid: u32, stat: &Stat) {
            if let Some(before) = self.before.filter(|_| pid == self.root) {
                totals.cpu += stat.waited_for - before;
                return;
            }
            totals.cpu += stat.own + stat.waited_for;
            if stat.is_dead {
                return;
            }
            totals.pids.push(pid);
            totals.threads += stat.threads;
            if let Some(text) = read(format!("/proc/{pid}/status")) {
                let bytes = |key: &str| number_after(&text, key).unwrap_or_default() * 1024;
                totals.memory += bytes("VmRSS:");
                totals.memory_peak = totals.memory_peak.max(bytes("VmHWM:"));
            }
            // Another user's, or one that changed its user, does not tell.
            if let Some(text) = read(format!("/proc/{pid}/io")) {
                let add = |total: &mut Option<u64>, key: &str| {
                    if let Some(bytes) = number_after(&text, key) {
                        *total = Some(total.unwrap_or_default() + bytes);
                    }
                };
                add(&mut totals.read, "\nread_bytes:");
                add(&mut totals.written, "\nwrite_bytes:");
            }
        }

        /// The members that still are there, and what their main threads started since.
        fn known(&self) -> Vec<(u32, Stat)> {
            let is_same =
                |pid: &u32, stat: &Stat| self.members.get(pid).is_none_or(|begun| *begun == stat.begun);
            let mut found: HashMap<u32, Stat> = HashMap::new();
            let mut waiting: Vec<u32> = self.members.keys().copied().collect();
            while let Some(pid) = waiting.pop() {
                if found.contains_key(&pid) {
                    continue;
                }
                if let Some(stat) = stat(pid).filter(|stat| is_same(&pid, stat)) {
                    found.insert(pid, stat);
                    let children = read(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
                    waiting.extend(children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
                }
            }
            found.into_iter().collect()
        }

        /// All members, found among all processes.
        fn search(&mut self) -> Vec<(u32, Stat)> {
            let names = fs::read_dir("/proc").into_iter().flatten().flatten();
            let pids = names.filter_map(|child| child.file_name().to_str()?.parse::<u32>().ok());
            let all: HashMap<u32, Stat> = pids.filter_map(|pid| Some((pid, stat(pid)?))).collect();
            let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
            for (pid, stat) in &all {
                children.entry(stat.parent).or_default().push(*pid);
            }
            let known = self.members.iter().map(|(pid, begun)| (*pid, *begun));
            let still: Vec<u32> = known
                .filter(|(pid, begun)| all.get(pid).is_some_and(|stat| stat.begun == *begun))
                .map(|(pid, _)| pid)
                .collect();
            let orphans = self.orphans(&all);
            let mut found: HashMap<u32, Stat> = HashMap::new();
            let mut waiting: Vec<u32> = [self.root].into_iter().chain(still).chain(orphans).collect();
            while let Some(pid) = waiting.pop() {
                if let Some(stat) = all.get(&pid).filter(|_| !found.contains_key(&pid)) {
                    found.insert(pid, *stat);
                    waiting.extend(children.get(&pid).into_iter().flatten());
                }
            }
            found.into_iter().collect()
        }

        /// Those that began after the command, whose parent began before it, and that carry the run's sign.
        fn orphans(&mut self, all: &HashMap<u32, Stat>) -> Vec<u32> {
            let Some(begun) = all.get(&self.root).map(|root| root.begun) else {
                return Vec::new();
            };
            let is_older = |pid: u32| all.get(&pid).is_none_or(|stat| stat.begun < begun);
            let mut orphans = Vec::new();
            for (pid, stat) in all {
                let is_candidate = stat.begun >= begun && *pid != self.root && is_older(stat.parent);
                // Each is looked at once: nobody joins later.
                if is_candidate && self.strangers.insert((*pid, stat.begun)) && self.carries_the_sign(*pid) {
                    orphans.push(*pid);
                }
            }
            self.strangers.retain(|(pid, begun)| all.get(pid).is_some_and(|stat| stat.begun == *begun));
            orphans
        }

        fn carries_the_sign(&self, pid: u32) -> bool {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.windows(self.sign.len()).any(|part| part == self.sign)
        }
    }

    /// The processor time in seconds of all that this process started and waited for.
    pub fn waited_for() -> Option<f64> {
        parse(&read("/proc/self/stat")?).map(|stat| stat.waited_for)
    }

    /// The processor time in seconds of one process.
    pub fn taken_by(pid: u32) -> Option<f64> {
        stat(pid).map(|stat| stat.own)
    }

    fn stat(pid: u32) -> Option<Stat> {
        parse(&read(format!("/proc/{pid}/stat"))?)
    }

    /// The name in the second field may hold spaces and parentheses.
    fn parse(text: &str) -> Option<Stat> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        let seconds = |at: usize| Some(number(at)? as f64 / TICKS);
        Some(Stat {
            is_dead: matches!(*fields.first()?, "Z" | "X" | "x"),
            parent: number(1)?.try_into().ok()?,
            own: seconds(11)? + seconds(12)?,
            waited_for: seconds(13)? + seconds(14)?,
            threads: number(17)?,
            begun: number(19)?,
        })
    }

    fn number_after(text: &str, key: &str) -> Option<u64> {
        let (_, after) = text.split_once(key)?;
        after.split_whitespace().next()?.parse().ok()
    }

    fn read(path: impl AsRef<OsStr>) -> Option<String> {
        // A file of `/proc` has no size to ask for; these fit one page.
        let mut bytes = Vec::with_capacity(4096);
        File::open(path.as_ref()).ok()?.read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    #[cfg(test)]
    #[allow(clippy::unwrap_used)]
    mod tests {
        use super::*;

        #[test]
        fn a_name_may_hold_anything() {
            let text = "7 (a ) b (c) S 3 7 7 0 -1 4194560 1 2 3 4 150 50 25 25 20 0 9 0 1234 1 2 3";
            let stat = parse(text).unwrap();
            let expected =
                Stat { parent: 3, is_dead: false, own: 2.0, waited_for: 0.5, threads: 9, begun: 1234 };
            assert_eq!(stat, expected);
            assert_eq!(parse("7 (a"), None);
            assert_eq!(parse(""), None);
        }
    }
}

#[cfg(any(test, not(target_os = "linux")))]
mod portable {
    use std::collections::{HashMap, HashSet};
    use std::path::Path;

    use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

    use crate::ops::record::system::processes::Totals;

    /// The processes of a run.
    #[derive(Debug)]
    pub struct Tree {
        system: System,
        root: Pid,
        members: HashMap<Pid, u64>,
        /// What those took that have ended.
        ended: f64,
        last: HashMap<Pid, f64>,
    }

    impl Tree {
        /// The processes that `root` is the first of; or those that this process starts, if it is that.
        pub fn new(root: u32, _folder: &Path) -> Self {
            Self {
                system: System::new(),
                root: Pid::from_u32(root),
                members: HashMap::new(),
                ended: 0.0,
                last: HashMap::new(),
            }
        }

        /// What they took so far.
        pub fn measure(&mut self) -> Totals {
            let kind = ProcessRefreshKind::nothing().with_cpu().with_memory().with_disk_usage();
            self.system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
            self.search();
            let mut totals = Totals::default();
            let mut now = HashMap::new();
            for pid in self.members.keys() {
                let Some(process) = self.system.process(*pid) else {
                    continue;
                };
                let cpu = process.accumulated_cpu_time() as f64 / 1000.0;
                now.insert(*pid, cpu);
                totals.cpu += cpu;
                totals.pids.push(pid.as_u32());
                totals.memory += process.memory();
                totals.threads += process.tasks().map_or(1, |tasks| tasks.len() as u64);
                let disk = process.disk_usage();
                totals.read = Some(totals.read.unwrap_or_default() + disk.total_read_bytes);
                totals.written = Some(totals.written.unwrap_or_default() + disk.total_written_bytes);
            }
            let gone = self.last.iter().filter(|(pid, _)| !now.contains_key(pid));
            self.ended += gone.map(|(_, cpu)| cpu).sum::<f64>();
            self.last = now;
            totals.cpu += self.ended;
            totals.memory_peak = totals.memory;
            totals.pids.sort_unstable();
            totals
        }

        fn search(&mut self) {
            let all = self.system.processes();
            self.members
                .retain(|pid, begun| all.get(pid).is_some_and(|process| process.start_time() == *begun));
            let mut children: HashMap<Pid, Vec<Pid>> = HashMap::new();
            for (pid, process) in all.iter().filter(|(_, process)| process.thread_kind().is_none()) {
                if let Some(parent) = process.parent() {
                    children.entry(parent).or_default().push(*pid);
                }
            }
            let mut waiting: Vec<Pid> = self.members.keys().copied().chain([self.root]).collect();
            let mut seen = HashSet::new();
            while let Some(pid) = waiting.pop() {
                if let Some(process) = all.get(&pid).filter(|_| seen.insert(pid)) {
                    if pid.as_u32() != std::process::id() {
                        self.members.insert(pid, process.start_time());
                    }
                    waiting.extend(children.get(&pid).into_iter().flatten());
                }
            }
        }
    }

    /// The processor time of all that this process started and waited for: not told here.
    #[allow(dead_code, reason = "the system that tests run on knows it")]
    pub fn waited_for() -> Option<f64> {
        None
    }

    /// The processor time of one process: not needed here, where no sum holds that of others.
    #[allow(dead_code, reason = "the system that tests run on knows it")]
    pub fn taken_by(_: u32) -> Option<f64> {
        None
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    /// A shell that starts `script`, ended with all of its group when this is dropped.
    struct Started(Child);

    impl Started {
        fn new(script: &str) -> Self {
            use std::os::unix::process::CommandExt as _;
            let mut command = Command::new("sh");
            command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
            Self(command.env("XTRACK_RUN_DIR", "/the/run").spawn().unwrap())
        }
    }

    impl Drop for Started {
        fn drop(&mut self) {
            let group = rustix::process::Pid::from_child(&self.0);
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            let _ = self.0.wait();
        }
    }

    /// Measures until it is as it should be.
    #[track_caller]
    fn until(mut measure: impl FnMut() -> Totals, is_right: impl Fn(&Totals) -> bool) -> Totals {
        let begun = Instant::now();
        loop {
            let totals = measure();
            if is_right(&totals) {
                return totals;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{totals:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    const BUSY: &str = "sh -c 'while :; do :; done' & while :; do :; done";

    #[test]
    fn children_of_children_count() {
        let started = Started::new(BUSY);
        let mut tree = Tree::new(started.0.id(), Path::new("/the/run"));
        let is_right = |totals: &Totals| {
            totals.pids.len() == 2 && totals.cpu > 0.1 && totals.threads == 2 && totals.memory > 0
        };
        let totals = until(|| tree.measure(), is_right);
        assert!(totals.memory_peak > 0 && totals.memory_peak <= totals.memory, "{totals:?}");
        let mut portable = portable::Tree::new(started.0.id(), Path::new("/the/run"));
        until(
            || portable.measure(),
            |totals| totals.pids.len() == 2 && totals.cpu > 0.1 && totals.memory > 0,
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_lost_its_parent_still_counts() {
        let started = Started::new("(sleep 50 &) ; sleep 60");
        // A new tree each time, because a search rests after it.
        let measure = |folder: &str| Tree::new(started.0.id(), Path::new(folder)).measure();
        until(|| measure("/the/run"), |totals| totals.pids.len() == 3);
        assert_eq!(measure("/another/run").pids.len(), 2);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_has_ended_was_taken_all_the_same() {
        let started = Started::new("sh -c 'n=0; while [ $n -lt 100000 ]; do n=$((n+1)); done'; sleep 60");
        let mut tree = Tree::new(started.0.id(), Path::new("/the/run"));
        let is_over = |totals: &Totals| totals.cpu > 0.02 && totals.pids.len() == 2 && totals.threads == 2;
        let before = until(|| tree.measure(), is_over).cpu;
        thread::sleep(Duration::from_millis(300));
        assert!(tree.measure().cpu >= before);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn of_this_process_only_what_it_starts_counts() {
        let _ = Command::new("sh").args(["-c", "n=0; while [ $n -lt 200000 ]; do n=$((n+1)); done"]).status();
        let before = waited_for().unwrap();
        let mut tree = Tree::new(std::process::id(), Path::new("/the/run"));
        let _started = Started::new("sleep 60");
        let totals = until(|| tree.measure(), |totals| !totals.pids.is_empty());
        assert!(before > 0.0 && totals.cpu < before + 5.0, "{before}: {totals:?}");
        assert!(!totals.pids.contains(&std::process::id()));
    }

    #[test]
    fn nobody_is_no_fault() {
        // Numbers do not go that far.
        let totals = Tree::new(u32::MAX / 2, Path::new("/x")).measure();
        assert_eq!(totals, Totals::default());
    }
}
