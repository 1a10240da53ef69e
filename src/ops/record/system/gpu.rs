//! What the GPUs of a run do, from NVML, or from `nvidia-smi` where NVML does not load.
//!
//! Where neither is, nothing is loaded and nothing started. Both may take seconds to answer, so that only the sampler's
//! thread asks. Whose GPUs they are: those that `CUDA_VISIBLE_DEVICES` names; without it those that a process of the run
//! was seen on, and in a container, where processes cannot be told, all that are visible there.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;

use crate::ops::record::environment::gpu::{gpu, table};
use crate::ops::record::system::processes::taken_by;
use crate::run::value::Table;

/// What one GPU does; what it does not tell is absent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// Its number, as the driver counts.
    pub index: u32,
    /// Its name for ever.
    pub uuid: String,
    /// The share of time that something ran on it, in percent.
    pub utilisation: Option<f64>,
    /// Memory that is taken, in bytes.
    pub memory: Option<u64>,
    /// Power in watts.
    pub power: Option<f64>,
    /// Temperature in degrees Celsius.
    pub temperature: Option<f64>,
    /// What it is called.
    name: String,
    /// Memory that it has, in bytes.
    memory_total: Option<u64>,
    /// The processes on it.
    pids: Vec<u32>,
}

/// The GPUs of a run.
pub struct Gpus {
    source: Source,
    choice: Choice,
    driver: Option<String>,
    cuda: Option<String>,
    seen: Vec<Reading>,
    /// The processor time that asking took in processes of our own.
    pub asking: f64,
}

enum Source {
    Nothing,
    Nvml(Box<Nvml>),
    Program(Program),
}

/// Which GPUs are the run's.
#[derive(Debug, Clone, PartialEq)]
enum Choice {
    /// Those named.
    Named(Vec<String>),
    /// All there are.
    All,
    /// Those that a process of the run was seen on.
    Used(BTreeSet<u32>),
}

impl Gpus {
    /// Those of this machine. May take long where there are some.
    pub fn open() -> Self {
        let source = nvml().map(|nvml| Source::Nvml(Box::new(nvml)));
        let source = source.or_else(|| program().map(Source::Program)).unwrap_or(Source::Nothing);
        let is_contained =
            [Path::new("/.dockerenv"), Path::new("/run/.containerenv")].iter().any(|path| path.exists());
        let is_contained = is_contained || env::var_os("NVIDIA_VISIBLE_DEVICES").is_some();
        let named = env::var("CUDA_VISIBLE_DEVICES").ok();
        // The program does not say who uses what without being asked a second time.
        let tells_processes = matches!(source, Source::Nvml(_)) && !is_contained;
        let choice = Choice::new(named.as_deref(), tells_processes);
        Self { source, choice, driver: None, cuda: None, seen: Vec::new(), asking: 0.0 }
    }

    /// What those of the run do, whose processes are `pids`; nothing when it is not time to ask again, or `is_over`.
    pub fn measure(&mut self, pids: &[u32], is_over: &dyn Fn() -> bool) -> Vec<Reading> {
        let all = match &mut self.source {
            Source::Nothing => return Vec::new(),
            Source::Nvml(nvml) => {
                if self.seen.is_empty() {
                    self.driver = nvml.sys_driver_version().ok();
                    self.cuda = nvml.sys_cuda_driver_version().ok().map(cuda_version);
                }
                from_nvml(nvml)
            }
            Source::Program(program) => {
                let (all, driver) = program.ask(is_over);
                self.asking = program.taken;
                self.driver = driver.or(self.driver.take());
                all
            }
        };
        if self.seen.is_empty() {
            self.seen.clone_from(&all);
        }
        self.choice.of(all, pids)
    }

    /// What the environment says of them: all of the machine, once they were measured.
    pub fn facts(&self) -> Table {
        let gpus = self.seen.iter().map(|seen| gpu(seen.name.clone(), seen.memory_total)).collect();
        table(gpus, self.driver.clone(), self.cuda.clone())
    }
}

impl Choice {
    fn new(named: Option<&str>, tells_processes: bool) -> Self {
        match named {
            Some(named) => Choice::Named(names(named)),
            None if tells_processes => Choice::Used(BTreeSet::new()),
            None => Choice::All,
        }
    }

    fn of(&mut self, all: Vec<Reading>, pids: &[u32]) -> Vec<Reading> {
        if let Choice::Used(used) = self {
            let is_used = |reading: &&Reading| reading.pids.iter().any(|pid| pids.contains(pid));
            used.extend(all.iter().filter(is_used).map(|reading| reading.index));
        }
        let is_chosen = |reading: &Reading| match self {
            Choice::All => true,
            Choice::Used(used) => used.contains(&reading.index),
            Choice::Named(names) => names.iter().any(|name| {
                // A part of a GPU is named after no GPU; its own is not told.
                let is_uuid = name.starts_with("GPU-") && reading.uuid.starts_with(name.as_str());
                is_uuid || name.parse() == Ok(reading.index)
            }),
        };
        all.into_iter().filter(is_chosen).collect()
    }
}

/// `0,2`, `GPU-8932f937`: CUDA takes all before the first that it does not know, as `-1`.
fn names(text: &str) -> Vec<String> {
    let names = text.split(',').map(|name| name.trim().to_owned());
    names.take_while(|name| !name.is_empty() && !name.starts_with('-')).collect()
}

/// NVML, where the driver is. Its files are looked for first: to search for a library takes longer.
fn nvml() -> Option<Nvml> {
    let signs = ["/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg"];
    let may_be = cfg!(not(target_os = "linux")) || signs.iter().any(|sign| Path::new(sign).exists());
    may_be.then_some(())?;
    // The name without a number comes with the packages for developers only.
    let versioned = || Nvml::builder().lib_path(OsStr::new("libnvidia-ml.so.1")).init();
    let nvml = if cfg!(target_os = "linux") { versioned().or_else(|_| Nvml::init()) } else { Nvml::init() };
    nvml.ok().filter(|nvml| nvml.device_count().is_ok_and(|count| count > 0))
}

fn from_nvml(nvml: &Nvml) -> Vec<Reading> {
    let reading = |index: u32| {
        let device = nvml.device_by_index(index).ok()?;
        let memory = device.memory_info().ok();
        let processes = device.running_compute_processes().unwrap_or_default();
        Some(Reading {
            index,
            uuid: device.uuid().unwrap_or_default(),
            utilisation: device.utilization_rates().ok().map(|rates| f64::from(rates.gpu)),
            memory: memory.as_ref().map(|memory| memory.used),
            power: device.power_usage().ok().map(|milliwatts| f64::from(milliwatts) / 1000.0),
            temperature: device.temperature(TemperatureSensor::Gpu).ok().map(f64::from),
            name: device.name().unwrap_or_default(),
            memory_total: memory.map(|memory| memory.total),
            pids: processes.into_iter().map(|process| process.pid).collect(),
        })
    };
    (0..nvml.device_count().unwrap_or_default()).filter_map(reading).collect()
}

/// 12040 is 12.4.
fn cuda_version(number: i32) -> String {
    format!("{}.{}", number / 1000, number % 1000 / 10)
}

/// `nvidia-smi`, and when to ask it next.
struct Program {
    path: PathBuf,
    next: Option<Instant>,
    /// The processor time that it took so far.
    taken: f64,
}

impl Program {
    /// The longest that it may take.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// It works for as long as it takes; so that this stays a hundredth of one core, it rests this many times longer.
    const REST: u32 = 100;

    const QUERY: &str = "--query-gpu=index,uuid,name,driver_version,memory.total,memory.used,utilization.gpu,power.draw,temperature.gpu";

    fn ask(&mut self, is_over: &dyn Fn() -> bool) -> (Vec<Reading>, Option<String>) {
        let begun = Instant::now();
        if self.next.is_some_and(|next| begun < next) {
            return Default::default();
        }
        let text = self.run(is_over).unwrap_or_default();
        self.next = Some(begun + begun.elapsed() * Self::REST);
        let lines: Vec<_> = text.lines().filter_map(line).collect();
        let driver = lines.first().map(|(_, driver)| driver.clone()).filter(|driver| !driver.is_empty());
        (lines.into_iter().map(|(reading, _)| reading).collect(), driver)
    }

    fn run(&mut self, is_over: &dyn Fn() -> bool) -> Option<String> {
        let mut command = Command::new(&self.path);
        command.args([Self::QUERY, "--format=csv,noheader,nounits"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().ok()?;
        let (has_ended, taken) = wait(&mut child, is_over);
        self.taken += taken;
        if !has_ended {
            // It may have ended meanwhile.
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        // A few hundred bytes a GPU: the pipe held them while it ran.
        let mut text = String::new();
        child.stdout.take()?.take(1 << 16).read_to_string(&mut text).ok()?;
        Some(text)
    }
}

/// Waits for it to end; whether it did, and well, and the processor time that it took.
fn wait(child: &mut Child, is_over: &dyn Fn() -> bool) -> (bool, f64) {
    let (begun, mut taken) = (Instant::now(), 0.0);
    while begun.elapsed() < Program::PATIENCE && !is_over() {
        taken = taken_by(child.id()).unwrap_or(taken);
        match child.try_wait() {
            Ok(Some(status)) => return (status.success(), taken),
            Ok(None) => thread::sleep(Duration::from_millis(10)),
            Err(_) => break,
        }
    }
    (false, taken)
}

fn program() -> Option<Program> {
    let name = if cfg!(windows) { "nvidia-smi.exe" } else { "nvidia-smi" };
    let path = env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())?;
    Some(Program { path, next: None, taken: 0.0 })
}

/// One line of its answer, and the driver's version; what it does not know is `[N/A]`.
fn line(line: &str) -> Option<(Reading, String)> {
    const MIB: f64 = 1024.0 * 1024.0;
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let [index, uuid, name, driver, total, used, utilisation, power, temperature] = fields[..] else {
        return None;
    };
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    let bytes = |text: &str| number(text).map(|mebibytes| (mebibytes * MIB) as u64);
    let reading = Reading {
        index: index.parse().ok()?,
        uuid: uuid.to_owned(),
        utilisation: number(utilisation),
        memory: bytes(used),
        power: number(power),
        temperature: number(temperature),
        name: name.to_owned(),
        memory_total: bytes(total),
        pids: Vec::new(),
    };
    Some((reading, driver.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ANSWER: &str = "0, GPU-aaaa-1, NVIDIA H100 80GB HBM3, 535.104.05, 81559, 1024, 73, 312.53, 54\n\
                          1, GPU-bbbb-2, NVIDIA H100 80GB HBM3, 535.104.05, 81559, 0, [N/A], [N/A], 31\n";

    fn readings() -> Vec<Reading> {
        ANSWER.lines().map(|text| line(text).unwrap().0).collect()
    }

    #[test]
    fn the_answer_of_the_program_is_read() {
        let (first, driver) = line(ANSWER.lines().next().unwrap()).unwrap();
        assert_eq!(driver, "535.104.05");
        assert_eq!((first.index, first.utilisation, first.memory), (0, Some(73.0), Some(1 << 30)));
        assert_eq!((first.power, first.temperature), (Some(312.53), Some(54.0)));
        assert_eq!(readings()[1].power, None);
        assert_eq!(line("NVIDIA-SMI has failed because it couldn't communicate"), None);
        assert_eq!(cuda_version(12040), "12.4");
    }

    #[test]
    fn only_those_of_the_run_are_told() {
        let chosen = |mut choice: Choice, pids: &[u32]| -> Vec<u32> {
            choice.of(readings(), pids).iter().map(|reading| reading.index).collect()
        };
        assert_eq!(chosen(Choice::new(None, false), &[]), [0, 1]);
        assert_eq!(chosen(Choice::new(Some("1"), true), &[]), [1]);
        assert_eq!(chosen(Choice::new(Some("GPU-aaaa,7"), true), &[]), [0]);
        for none in ["", "-1", "-1,0", "MIG-GPU-1/2/3"] {
            assert_eq!(chosen(Choice::new(Some(none), true), &[]), [0; 0], "{none:?}");
        }
        let mut choice = Choice::new(None, true);
        assert_eq!(choice.of(readings(), &[7]), []);
        let mut busy = readings();
        busy[1].pids = vec![7, 8];
        assert_eq!(choice.of(busy, &[7]).len(), 1);
        assert_eq!(choice.of(readings(), &[]).len(), 1, "what was used once stays the run's");
    }

    #[cfg(unix)]
    fn fake(script: &str) -> (tempfile::TempDir, Program) {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nvidia-smi");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        (folder, Program { path, next: None, taken: 0.0 })
    }

    #[cfg(unix)]
    #[test]
    fn the_program_is_asked_and_left_when_it_hangs() {
        let (_folder, mut program) = fake(&format!("cat <<'END'\n{ANSWER}END"));
        let (readings, driver) = program.ask(&|| false);
        assert_eq!((readings.len(), driver.as_deref()), (2, Some("535.104.05")));
        assert!(program.ask(&|| false).0.is_empty(), "it rests");
        let (_folder, mut program) = fake("exit 9");
        assert!(program.ask(&|| false).0.is_empty());
        let (_folder, mut program) = fake("exec sleep 60");
        let begun = Instant::now();
        assert!(program.ask(&|| begun.elapsed() > Duration::from_millis(100)).0.is_empty());
        assert!(begun.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn where_there_is_none_it_costs_nothing() {
        let begun = Instant::now();
        let mut gpus = Gpus::open();
        if matches!(gpus.source, Source::Nothing) {
            assert_eq!((gpus.measure(&[], &|| false), gpus.facts()), (Vec::new(), Table::new()));
            // A millisecond is meant; a loaded machine gets some slack.
            assert!(begun.elapsed() < Duration::from_millis(50));
        }
    }
}
