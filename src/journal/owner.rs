//! Who owns a run in progress, and whether that process still lives.
//!
//! Knows hosts, boots and processes; not what the process does. All that only the operating system knows of processes of
//! others is here. When in doubt the answer is [`Life::Elsewhere`]: nothing is ever taken from a process that may live.

use std::sync::LazyLock;

use crate::run::id::sha256;
use crate::run::value::{Table, Value};

/// How long a host's name may be in a [`mark`], in which it is cut.
const MARK_HOST_MAX: usize = 40;

/// What can be said of a process from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It runs on this machine.
    Alive,
    /// It is gone for good.
    Dead,
    /// Nobody here can tell: it is of another host or container, or did not say where it is.
    Elsewhere,
}

/// What tells this process from all others, for those who find what it left behind.
pub fn this_process() -> Table {
    describe(std::process::id())
}

/// The same of another living process of this machine.
pub fn process(pid: u32) -> Option<Table> {
    system::is_alive(pid, None).then(|| describe(pid))
}

/// Whether the process still lives.
pub fn state(owner: &Table) -> Life {
    let pid = owner.get("pid").and_then(Value::as_int).and_then(|pid| u32::try_from(pid).ok());
    let Some(pid) = pid.filter(|pid| *pid > 0) else {
        return Life::Elsewhere;
    };
    match place(owner, &HERE) {
        Place::Elsewhere => Life::Elsewhere,
        Place::EarlierBoot => Life::Dead,
        Place::Here => match system::is_alive(pid, owner.get("start_ticks").and_then(Value::as_int)) {
            true => Life::Alive,
            false => Life::Dead,
        },
    }
}

/// Whether a process lives that was started with the variable naming this folder: it may write there, though it has not
/// yet, or did not say who it is. Only where the system tells of it.
pub fn is_given_to_others(folder: &std::path::Path, variable: &str) -> bool {
    system::is_given_to_others(folder, variable)
}

/// Whether the process is or was one of this machine and container.
pub fn is_here(owner: &Table) -> bool {
    place(owner, &HERE) != Place::Elsewhere
}

/// The name of this machine.
pub fn host() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// The process that called this program. Neither git, which passes the call on, nor a subshell, which ends long before
/// its shell does.
pub fn caller() -> Option<u32> {
    system::caller()
}

/// This process as a part of a file's name: pid, start, boot, pid namespace, host.
pub fn mark() -> String {
    let owner = this_process();
    let int =
        |key| owner.get(key).and_then(Value::as_int).map(|int: i64| int.to_string()).unwrap_or_default();
    let boot = text(&owner, "boot").unwrap_or_default().replace('-', "");
    [int("pid"), int("start_ticks"), boot, int("pid_namespace"), marked_host(&host())].join(",")
}

/// Whether the process of a [`mark`] still lives.
pub fn state_of_mark(mark: &str) -> Life {
    let here = this_process();
    let parts: Vec<&str> = mark.split(',').collect();
    let [pid, start_ticks, boot, pid_namespace, host] = parts.as_slice() else {
        return Life::Elsewhere;
    };
    let mut owner = Table::new();
    for (key, digits) in [("pid", pid), ("start_ticks", start_ticks), ("pid_namespace", pid_namespace)] {
        owner.extend(digits.parse().ok().map(|int| (key.to_owned(), Value::Int(int))));
    }
    // A mark holds less than an owner's description: what was cut is compared as it was cut.
    let known = |key: &str, marked: String, part: &str| match text(&here, key) {
        Some(ours) if marked == part => ours.to_owned(),
        _ => part.to_owned(),
    };
    let our_boot = text(&here, "boot").unwrap_or_default().replace('-', "");
    owner.insert("boot".to_owned(), known("boot", our_boot, boot).into());
    owner.insert("host".to_owned(), known("host", marked_host(&self::host()), host).into());
    state(&owner)
}

fn marked_host(host: &str) -> String {
    let harmless = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' => character,
        _ => '_',
    };
    host.chars().map(harmless).take(MARK_HOST_MAX).collect()
}

fn describe(pid: u32) -> Table {
    let mut owner = HERE.clone();
    owner.insert_before(0, "pid".to_owned(), Value::Int(pid.into()));
    owner.extend(system::start_ticks(pid).map(|ticks| ("start_ticks".to_owned(), Value::Int(ticks))));
    owner
}

/// It is asked for every run in progress, and stays the same as long as this process lives.
static HERE: LazyLock<Table> = LazyLock::new(this_machine);

fn this_machine() -> Table {
    let known = [
        ("host", Some(Value::Text(host()))),
        ("machine", system::machine_id().map(|id| Value::Text(anonymous(&id)))),
        ("boot", system::boot_id().map(Value::Text)),
        ("pid_namespace", system::pid_namespace().map(Value::Int)),
    ];
    known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// A machine's id is not to be shown around; a digest of it tells machines apart as well.
fn anonymous(machine_id: &str) -> String {
    sha256(format!("git-xtrack {machine_id}").as_bytes())[..16].to_owned()
}

/// Where a process is or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Its pid means what it means to us.
    Here,
    /// On this machine, before it was started anew.
    EarlierBoot,
    /// Anywhere else, or nobody knows.
    Elsewhere,
}

fn place(owner: &Table, here: &Table) -> Place {
    let both = |key| Some((owner.get(key)?, here.get(key)?));
    let is_other = |key| both(key).is_some_and(|(theirs, ours)| theirs != ours);
    let is_same = |key| both(key).is_some_and(|(theirs, ours)| theirs == ours);
    if is_other("pid_namespace") {
        return Place::Elsewhere;
    }
    match both("boot") {
        // A boot's id is given by the kernel: whatever else differs, it is the same one.
        Some((theirs, ours)) if theirs == ours => match is_same("pid_namespace") || is_same("host") {
            true => Place::Here,
            false => Place::Elsewhere,
        },
        // Cloned machines share names, or ids, seldom both.
        Some(_) if is_same("host") && !is_other("machine") => Place::EarlierBoot,
        Some(_) => Place::Elsewhere,
        None if !here.contains_key("boot") && !owner.contains_key("boot") && !system::HAS_BOOTS => {
            if is_same("host") { Place::Here } else { Place::Elsewhere }
        }
        None => Place::Elsewhere,
    }
}

fn text<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    table.get(key).and_then(Value::as_text)
}

#[cfg(target_os = "linux")]
mod system {
    use std::ffi::OsStr;
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    /// Whether boots have ids here.
    pub const HAS_BOOTS: bool = true;

    /// How many processes lie at most between this one and the one that called it.
    const PASSERS_MAX: usize = 16;

    /// What `/proc/<pid>/stat` says of a process.
    struct Stat {
        name: String,
        state: String,
        parent: Option<u32>,
        start_ticks: Option<i64>,
        /// Where its program lies in memory: drawn anew by every start of a program, kept by a fork.
        layout: Vec<u64>,
    }

    impl Stat {
        fn read(pid: u32) -> std::io::Result<Self> {
            let bytes = fs::read(format!("/proc/{pid}/stat"))?;
            Self::parse(&String::from_utf8_lossy(&bytes)).ok_or_else(|| ErrorKind::InvalidData.into())
        }

        /// The name in field 2 may hold spaces and parentheses.
        fn parse(text: &str) -> Option<Self> {
            let (start, rest) = text.rsplit_once(')')?;
            let fields: Vec<&str> = rest.split_whitespace().collect();
            let field = |number: usize| fields.get(number - 3).copied();
            let layout = [26, 27, 28, 48, 50].into_iter().filter_map(field);
            Some(Self {
                name: start.split_once('(')?.1.to_owned(),
                state: field(3)?.to_owned(),
                parent: field(4).and_then(|text| text.parse().ok()),
                start_ticks: field(22).and_then(|text| text.parse().ok()),
                layout: layout.filter_map(|text| text.parse().ok()).collect(),
            })
        }

        /// A fork that never started a program of its own: a shell's subshell.
        fn is_fork_of(&self, parent: &Self) -> bool {
            self.name == parent.name && self.layout == parent.layout && self.layout.iter().all(|at| *at > 0)
        }
    }

    pub fn is_alive(pid: u32, start_ticks: Option<i64>) -> bool {
        match Stat::read(pid) {
            Ok(stat) => {
                let is_another = start_ticks.zip(stat.start_ticks).is_some_and(|(known, now)| known != now);
                let has_ended = matches!(stat.state.as_str(), "Z" | "X" | "x") && !has_threads(pid);
                !is_another && !has_ended
            }
            // Where processes of others are hidden, only signals tell.
            Err(_) => exists(pid),
        }
    }

    /// A process whose first thread ended is shown as a zombie while others still run.
    fn has_threads(pid: u32) -> bool {
        fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|tasks| tasks.count() > 1)
    }

    fn exists(pid: u32) -> bool {
        let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
    }

    pub fn is_given_to_others(folder: &Path, variable: &str) -> bool {
        let Ok(folder) = fs::canonicalize(folder) else {
            return false;
        };
        let named = |process: &Path| {
            let environment = fs::read(process.join("environ")).ok()?;
            let mut variables = environment.split(|byte| *byte == 0);
            let value = variables
                .find_map(|text| text.strip_prefix(variable.as_bytes())?.strip_prefix(b"="))
                .map(|value| Path::new(OsStr::from_bytes(value)).to_owned())?;
            (value.file_name() == folder.file_name()).then(|| fs::canonicalize(value).ok())?
        };
        // This program itself, called from a process of the run, and git, which passed the call on.
        let is_passer = |process: &Path| {
            let name = fs::read(process.join("comm")).unwrap_or_default();
            matches!(name.trim_ascii_end(), b"git" | b"git-xtrack")
        };
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
        let mut others = processes.filter(|process| named(process).is_some_and(|named| named == folder));
        others.any(|process| !is_passer(&process))
    }

    pub fn start_ticks(pid: u32) -> Option<i64> {
        Stat::read(pid).ok()?.start_ticks
    }

    pub fn boot_id() -> Option<String> {
        line("/proc/sys/kernel/random/boot_id")
    }

    pub fn machine_id() -> Option<String> {
        line("/etc/machine-id")
    }

    fn line(path: &str) -> Option<String> {
        fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    pub fn pid_namespace() -> Option<i64> {
        let name = fs::read_link("/proc/self/ns/pid").ok()?;
        name.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
    }

    pub fn caller() -> Option<u32> {
        let mut pid = u32::try_from(rustix::process::getppid()?.as_raw_pid()).ok()?;
        for _ in 0..PASSERS_MAX {
            let Ok(stat) = Stat::read(pid) else {
                break;
            };
            let Some((parent, above)) = stat.parent.and_then(|id| Some((id, Stat::read(id).ok()?))) else {
                break;
            };
            if stat.name != "git" && !stat.is_fork_of(&above) {
                break;
            }
            pid = parent;
        }
        Some(pid)
    }

    #[cfg(test)]
    #[allow(clippy::unwrap_used)]
    mod tests {
        use super::*;

        #[test]
        fn a_process_is_read_past_a_hostile_name() {
            let fields: Vec<String> = (5..=52).map(|field| field.to_string()).collect();
            let stat = Stat::parse(&format!("7 (a) (b c) S 4 {}", fields.join(" "))).unwrap();
            assert_eq!((stat.name.as_str(), stat.state.as_str()), ("a) (b c", "S"));
            assert_eq!((stat.parent, stat.start_ticks), (Some(4), Some(22)));
            assert_eq!(stat.layout, [26, 27, 28, 48, 50]);
        }
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
mod system {
    /// Whether boots have ids here.
    pub const HAS_BOOTS: bool = false;

    pub fn is_given_to_others(_: &std::path::Path, _: &str) -> bool {
        false
    }

    pub fn is_alive(pid: u32, _: Option<i64>) -> bool {
        let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
    }

    pub fn start_ticks(_: u32) -> Option<i64> {
        None
    }

    pub fn boot_id() -> Option<String> {
        None
    }

    pub fn machine_id() -> Option<String> {
        None
    }

    pub fn pid_namespace() -> Option<i64> {
        None
    }

    pub fn caller() -> Option<u32> {
        u32::try_from(rustix::process::getppid()?.as_raw_pid()).ok()
    }
}

#[cfg(not(unix))]
mod system {
    /// Whether boots have ids here; where nothing tells whether a process lives, nothing is taken for dead.
    pub const HAS_BOOTS: bool = true;

    pub fn is_given_to_others(_: &std::path::Path, _: &str) -> bool {
        false
    }

    pub fn is_alive(_: u32, _: Option<i64>) -> bool {
        true
    }

    pub fn start_ticks(_: u32) -> Option<i64> {
        None
    }

    pub fn boot_id() -> Option<String> {
        None
    }

    pub fn machine_id() -> Option<String> {
        None
    }

    pub fn pid_namespace() -> Option<i64> {
        None
    }

    pub fn caller() -> Option<u32> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn with(owner: &Table, key: &str, value: impl Into<Value>) -> Table {
        let mut owner = owner.clone();
        owner.insert(key.to_owned(), value.into());
        owner
    }

    fn without(owner: &Table, keys: &[&str]) -> Table {
        owner
            .iter()
            .filter(|(key, _)| !keys.contains(&key.as_str()))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }

    #[test]
    fn this_process_lives() {
        let owner = this_process();
        assert_eq!(state(&owner), Life::Alive);
        assert_eq!(state_of_mark(&mark()), Life::Alive);
        assert_eq!(state(&with(&owner, "host", "renamed-meanwhile")), Life::Alive);
    }

    #[test]
    fn another_start_of_the_same_pid_is_another_process() {
        let owner = this_process();
        assert_eq!(state(&with(&owner, "start_ticks", 1i64)), Life::Dead);
        let marked = mark();
        let parts: Vec<&str> = marked.split(',').collect();
        assert_eq!(state_of_mark(&[parts[0], "1", parts[2], parts[3], parts[4]].join(",")), Life::Dead);
    }

    #[test]
    fn who_is_elsewhere_is_not_judged() {
        let owner = this_process();
        assert_eq!(state(&with(&owner, "boot", "another")), Life::Dead);
        let other = with(&owner, "boot", "another");
        assert_eq!(state(&with(&other, "host", "node7")), Life::Elsewhere);
        assert_eq!(state(&with(&other, "machine", "0123")), Life::Elsewhere);
        assert_eq!(state(&with(&owner, "pid_namespace", 7i64)), Life::Elsewhere);
        assert_eq!(state(&without(&owner, &["boot"])), Life::Elsewhere);
        assert_eq!(state(&Table::new()), Life::Elsewhere);
        assert_eq!(state(&with(&owner, "pid", -1i64)), Life::Elsewhere);
        assert_eq!(state_of_mark("nonsense"), Life::Elsewhere);
    }

    #[test]
    fn a_zombie_is_dead() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let owner = process(child.id()).unwrap();
        assert_eq!(state(&owner), Life::Alive);
        child.kill().unwrap();
        let begin = std::time::Instant::now();
        while state(&owner) == Life::Alive && begin.elapsed().as_secs() < 10 {
            std::thread::yield_now();
        }
        assert_eq!(state(&owner), Life::Dead);
        child.wait().unwrap();
        assert_eq!(state(&owner), Life::Dead);
        assert_eq!(process(child.id()), None);
    }
}
