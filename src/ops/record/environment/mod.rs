//! The machine and its surroundings: system, processor, GPUs, interpreter and its packages, chosen variables, scheduler
//! and CI facts.
//!
//! Reads small files and starts nothing, so that it costs next to nothing; nothing in it changes from run to run on one
//! machine, so that equal environments are one blob. What only the process itself knows, or what takes long to learn, is
//! added by [`complete`].

pub mod gpu;
mod packages;
mod python;

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::ops::record::environment::python::{Interpreter, Surroundings};
use crate::ops::record::place::text_or_bytes;
use crate::ops::record::redact::{REDACTED, Redactor};
use crate::run::attempt::{FORMAT, Writer};
use crate::run::value::{Table, Value};

/// The variables of schedulers that tell which job this is.
const SCHEDULERS: &[(&str, &str, &[&str])] = &[
    (
        "slurm",
        "SLURM_JOB_ID",
        &[
            "SLURM_JOB_ID",
            "SLURM_JOB_NAME",
            "SLURM_JOB_PARTITION",
            "SLURM_JOB_NODELIST",
            "SLURM_JOB_NUM_NODES",
            "SLURM_NTASKS",
            "SLURM_PROCID",
            "SLURM_ARRAY_JOB_ID",
            "SLURM_ARRAY_TASK_ID",
            "SLURM_RESTART_COUNT",
            "SLURM_CLUSTER_NAME",
        ],
    ),
    ("pbs", "PBS_JOBID", &["PBS_JOBID", "PBS_JOBNAME", "PBS_QUEUE", "PBS_ARRAY_INDEX"]),
    ("lsf", "LSB_JOBID", &["LSB_JOBID", "LSB_JOBNAME", "LSB_QUEUE", "LSB_JOBINDEX"]),
];

/// The variables of CI systems that tell which build this is.
const CI_SYSTEMS: &[(&str, &str, &[&str])] = &[
    (
        "github",
        "GITHUB_ACTIONS",
        &[
            "GITHUB_REPOSITORY",
            "GITHUB_WORKFLOW",
            "GITHUB_JOB",
            "GITHUB_RUN_ID",
            "GITHUB_RUN_ATTEMPT",
            "GITHUB_SHA",
            "GITHUB_REF",
        ],
    ),
    (
        "gitlab",
        "GITLAB_CI",
        &["CI_PROJECT_PATH", "CI_PIPELINE_ID", "CI_JOB_ID", "CI_JOB_NAME", "CI_COMMIT_SHA"],
    ),
    ("jenkins", "JENKINS_URL", &["JOB_NAME", "BUILD_NUMBER", "BUILD_TAG"]),
    ("buildkite", "BUILDKITE", &["BUILDKITE_PIPELINE_SLUG", "BUILDKITE_BUILD_NUMBER", "BUILDKITE_JOB_ID"]),
];

/// The environment that `command` runs in, in the folder `here`; `kept` names the variables to keep, `*` at the end of
/// one stands for anything.
pub fn environment(command: &[OsString], here: &Path, kept: &[String], redactor: &Redactor) -> Table {
    let processors = beginning_of("/proc/cpuinfo");
    let mut writer = Writer(Table::new());
    writer.put("format", FORMAT);
    writer.put("os", env::consts::OS);
    writer.some("os_name", os_name());
    writer.some("os_release", beginning_of("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()));
    writer.put("arch", env::consts::ARCH);
    writer.some("cpu_model", processors.as_deref().and_then(cpu_model));
    writer.some("cpu_count", std::thread::available_parallelism().ok().map(|count| count.get() as i64));
    writer.some("cpu_cores", processors.as_deref().and_then(cpu_cores));
    writer.some("memory", beginning_of("/proc/meminfo").and_then(|text| memory_bytes(&text)));
    writer.0.extend(gpu::gpus());
    let around = Surroundings { variable: &|name| env::var_os(name), here };
    let mut environment = writer.0;
    if let Some(found) = python::of_command(command, &around) {
        put_python(&mut environment, &found);
    }
    let mut writer = Writer(environment);
    writer.table("variables", variables(env::vars_os(), kept, redactor));
    in_order(writer.0)
}

/// Adds what the run itself said of its environment, on the machine that it ran on: the packages of its Python are
/// looked up unless they are known already, and for a run from elsewhere, of whose files there are none here, by
/// [`complete_from_elsewhere`].
pub fn complete(environment: &mut Table, said: &Table) {
    let text = |key: &str| said.get(key).and_then(Value::as_text);
    let texts = |key: &str| said.get(key).and_then(Value::as_list).unwrap_or_default();
    let prefix = text("prefix").map(|prefix| shown(Path::new(prefix)));
    // What was found when it began is of that time; since then packages may have come and gone.
    let is_known = environment.contains_key("packages")
        && prefix.is_some()
        && prefix.as_deref() == environment.get("python_prefix").and_then(Value::as_text);
    if !is_known && let Some(prefix) = text("prefix") {
        let folders = texts("site_packages").iter().filter_map(|folder| folder.as_text().map(PathBuf::from));
        let version = text("python").map(str::to_owned);
        put_python(environment, &Interpreter { version, prefix: prefix.into(), folders: folders.collect() });
    }
    complete_from_elsewhere(environment, said);
}

/// Adds what the run itself said of its environment, and nothing else.
pub fn complete_from_elsewhere(environment: &mut Table, said: &Table) {
    if let Some(prefix) = said.get("prefix").and_then(Value::as_text) {
        put_prefix(environment, Path::new(prefix));
    }
    for (key, value) in said {
        // Places on one machine make no environment differ from another.
        let is_place = matches!(key.as_str(), "prefix" | "executable" | "site_packages");
        let is_ours = matches!(key.as_str(), "format" | "variables" | "python_prefix");
        if !is_place && !is_ours {
            environment.insert(key.clone(), value.clone());
        }
    }
    *environment = in_order(std::mem::take(environment));
}

fn put_python(environment: &mut Table, found: &Interpreter) {
    environment.extend(found.version.clone().map(|version| ("python".to_owned(), version.into())));
    put_prefix(environment, &found.prefix);
    let packages = packages::packages(&found.folders);
    environment.shift_remove("packages");
    if !packages.is_empty() {
        environment.insert("packages".to_owned(), Value::Table(packages));
    }
}

/// Where the Python is; not for one that is made for one run only, as `uv run --with` does.
fn put_prefix(environment: &mut Table, prefix: &Path) {
    environment.shift_remove("python_prefix");
    let is_temporary = |part: &str| part.starts_with("builds-v");
    if !prefix.iter().any(|part| part.to_str().is_some_and(is_temporary)) {
        environment.insert("python_prefix".to_owned(), shown(prefix).into());
    }
}

/// The path with `~` for the home folder: who runs it makes no environment differ.
fn shown(path: &Path) -> String {
    let home = env::home_dir().filter(|home| home.components().count() > 1);
    let below = home.as_ref().and_then(|home| path.strip_prefix(home).ok());
    match below {
        Some(below) => Path::new("~").join(below).display().to_string(),
        None => path.display().to_string(),
    }
}

/// The same with single values first and tables last, so that equal environments are equal bytes.
fn in_order(environment: Table) -> Table {
    const FIRST: &[&str] = &[
        "format",
        "os",
        "os_name",
        "os_release",
        "arch",
        "cpu_model",
        "cpu_count",
        "cpu_cores",
        "memory",
        "gpus",
        "gpu_driver",
        "cuda",
        "python",
        "python_prefix",
    ];
    const LAST: &[&str] = &["variables", "packages"];
    let place = |key: &str| match FIRST.iter().position(|known| *known == key) {
        Some(place) => place,
        None => FIRST.len() + LAST.iter().position(|known| *known == key).map_or(0, |place| place + 1),
    };
    let mut environment = environment;
    environment.sort_by(|a, _, b, _| place(a).cmp(&place(b)).then_with(|| a.cmp(b)));
    environment
}

/// The facts of the scheduler that started this process, if one did.
pub fn scheduler() -> Option<Table> {
    system(SCHEDULERS, &|name| env::var_os(name))
}

/// The facts of the CI system that this process runs under, if it does.
pub fn ci() -> Option<Table> {
    system(CI_SYSTEMS, &|name| env::var_os(name))
}

fn system(systems: &[(&str, &str, &[&str])], read: &dyn Fn(&str) -> Option<OsString>) -> Option<Table> {
    let is_set = |name: &str| read(name).is_some_and(|value| !value.is_empty());
    let (system, _, names) = systems.iter().find(|(_, sign, _)| is_set(sign))?;
    let mut table = Table::new();
    table.insert("system".to_owned(), (*system).into());
    for name in *names {
        if let Some(value) = read(name).filter(|value| !value.is_empty()) {
            table.insert((*name).to_owned(), text_or_bytes(&value));
        }
    }
    Some(table)
}

fn variables(
    all: impl Iterator<Item = (OsString, OsString)>,
    kept: &[String],
    redactor: &Redactor,
) -> Vec<(String, Value)> {
    let mut found: Vec<(String, Value)> = all
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| kept.iter().any(|pattern| matches(pattern, name)))
        .map(|(name, value)| {
            let value = match (redactor.is_secret_name(&name), text_or_bytes(&value)) {
                (true, _) => REDACTED.into(),
                (false, Value::Text(text)) => redactor.text(&text).into(),
                (false, other) => other,
            };
            (name, value)
        })
        .collect();
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

/// The first few kilobytes: `/proc/cpuinfo` of a large machine takes milliseconds to make.
fn beginning_of(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(4096).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The cores of all sockets: of one socket it says how many cores and threads it has, of the machine how many threads.
fn cpu_cores(cpuinfo: &str) -> Option<i64> {
    let online = beginning_of("/sys/devices/system/cpu/online");
    let threads = online.and_then(|text| count_in_ranges(text.trim()))?;
    cores(cpuinfo, threads)
}

fn cores(cpuinfo: &str, threads: i64) -> Option<i64> {
    let number = |key: &str| -> Option<i64> {
        let line = cpuinfo.lines().find(|line| line.starts_with(key))?;
        line.split_once(':')?.1.trim().parse().ok()
    };
    let (cores, siblings) = (number("cpu cores")?, number("siblings")?);
    (siblings > 0).then(|| threads * cores / siblings)
}

/// How many numbers `0-3,8` holds.
fn count_in_ranges(text: &str) -> Option<i64> {
    let length = |range: &str| -> Option<i64> {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(last.parse::<i64>().ok()? - first.parse::<i64>().ok()? + 1)
    };
    text.split(',').map(length).sum()
}

/// What people call the system: `Debian GNU/Linux 12 (bookworm)`, `macOS 15.1`.
fn os_name() -> Option<String> {
    let linux = || beginning_of("/etc/os-release").or_else(|| beginning_of("/usr/lib/os-release"));
    if let Some(text) = linux() {
        return pretty_name(&text);
    }
    let text = fs::read_to_string("/System/Library/CoreServices/SystemVersion.plist").ok()?;
    let (_, after) = text.split_once("<key>ProductVersion</key>")?;
    let (_, value) = after.split_once("<string>")?;
    Some(format!("macOS {}", value.split_once('<')?.0))
}

fn pretty_name(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    let value = value.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

fn memory_bytes(meminfo: &str) -> Option<i64> {
    let text = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    text.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_system_are_read() {
        assert_eq!(
            cpu_model("processor : 0\nmodel name\t: Fast CPU @ 3GHz\n").as_deref(),
            Some("Fast CPU @ 3GHz")
        );
        assert_eq!(memory_bytes("MemTotal:       16 kB\nMemFree: 1 kB\n"), Some(16384));
        let release = "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        assert_eq!(pretty_name(release).as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!(cores("siblings\t: 32\ncpu cores\t: 16\n", 64), Some(32));
        assert_eq!(count_in_ranges("0-3,8,10-11"), Some(7));
        assert_eq!(count_in_ranges(""), None);
    }

    #[test]
    fn only_chosen_variables_are_kept() {
        let all = [("CUDA_VISIBLE_DEVICES", "0"), ("HOME", "/me"), ("CUDA_X", "1")];
        let all = || all.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let redactor = Redactor::new(&[]).unwrap();
        let kept = variables(all(), &["CUDA_*".to_owned()], &redactor);
        assert_eq!(
            kept,
            [("CUDA_VISIBLE_DEVICES".to_owned(), "0".into()), ("CUDA_X".to_owned(), "1".into())]
        );
        assert_eq!(variables(all(), &[], &redactor), []);
    }

    #[test]
    fn a_scheduler_is_told_by_its_sign() {
        let read = |name: &str| (name == "SLURM_JOB_ID").then(|| OsString::from("17"));
        let table = system(SCHEDULERS, &read).unwrap();
        assert_eq!(table["system"], "slurm".into());
        assert_eq!(table["SLURM_JOB_ID"], "17".into());
        assert_eq!(system(CI_SYSTEMS, &read), None);
    }

    #[test]
    fn it_costs_next_to_nothing() {
        let redactor = Redactor::new(&[]).unwrap();
        let begin = std::time::Instant::now();
        environment(&["python3".into()], Path::new("/"), &[], &redactor);
        // A few milliseconds are meant; a loaded machine gets some slack.
        assert!(begin.elapsed().as_millis() < 200);
    }

    #[test]
    fn the_same_machine_gives_the_same_bytes() {
        let redactor = Redactor::new(&[]).unwrap();
        let text = || {
            let environment = environment(&["python3".into()], Path::new("/"), &[], &redactor);
            crate::run::text::write(&environment)
        };
        assert_eq!(text(), text());
    }

    fn said(folder: &Path) -> Table {
        Table::from([
            ("python".to_owned(), "3.12.1".into()),
            ("executable".to_owned(), "/v/bin/python".into()),
            ("prefix".to_owned(), "/v".into()),
            ("site_packages".to_owned(), Value::List(vec![folder.display().to_string().into()])),
            ("gpus".to_owned(), Value::List(vec![gpu::gpu("A".to_owned(), Some(7))])),
            ("format".to_owned(), 9i64.into()),
            ("julia".to_owned(), "1.11".into()),
        ])
    }

    #[test]
    fn what_the_process_says_of_itself_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("numpy-2.1.0.dist-info")).unwrap();
        let begun = Table::from([("format".to_owned(), 1i64.into()), ("os".to_owned(), "linux".into())]);
        let mut environment = begun.clone();
        complete(&mut environment, &said(folder.path()));
        let expected = r#"format = 1
os = "linux"
python = "3.12.1"
python_prefix = "/v"
julia = "1.11"

[[gpus]]
name = "A"
memory = 7

[packages]
numpy = "2.1.0"
"#;
        assert_eq!(crate::run::text::write(&environment), expected);
        let mut elsewhere = begun;
        complete_from_elsewhere(&mut elsewhere, &said(folder.path()));
        assert!(!elsewhere.contains_key("packages") && elsewhere["python"] == "3.12.1".into());
    }

    #[test]
    fn packages_that_were_found_at_the_start_stay() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("numpy-2.1.0.dist-info")).unwrap();
        let old = Value::Table(Table::from([("numpy".to_owned(), "1.0".into())]));
        let begun =
            Table::from([("python_prefix".to_owned(), "/v".into()), ("packages".to_owned(), old.clone())]);
        let mut same = begun.clone();
        complete(&mut same, &said(folder.path()));
        assert_eq!(same["packages"], old);
        let mut other =
            Table::from([("python_prefix".to_owned(), "/other".into()), ("packages".to_owned(), old)]);
        complete(&mut other, &said(folder.path()));
        assert_eq!(other["packages"].as_table().unwrap()["numpy"], "2.1.0".into());
    }
}
