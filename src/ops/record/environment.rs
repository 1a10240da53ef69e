//! The machine and its surroundings: system, processor, interpreter, chosen variables, scheduler and CI facts.
//!
//! Reads a few small files and starts nothing, so that it costs next to nothing; nothing in it changes from run to run
//! on one machine, so that equal environments are one blob.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::ops::record::place::text_or_bytes;
use crate::ops::record::redact::Redactor;
use crate::run::attempt::{FORMAT, Writer};
use crate::run::value::{Table, Value};

/// What stands for the value of a variable whose name tells that it is a secret.
const REDACTED: &str = "<redacted>";

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

/// The environment that `command` runs in; `kept` names the variables to keep, `*` at the end of one stands for anything.
pub fn environment(command: &[OsString], kept: &[String], redactor: &Redactor) -> Table {
    let mut writer = Writer(Table::new());
    writer.put("format", FORMAT);
    writer.put("os", env::consts::OS);
    writer.some("os_release", beginning_of("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()));
    writer.put("arch", env::consts::ARCH);
    writer.some("cpu_model", beginning_of("/proc/cpuinfo").and_then(|text| cpu_model(&text)));
    writer.some("cpu_count", std::thread::available_parallelism().ok().map(|count| count.get() as i64));
    writer.some("memory", beginning_of("/proc/meminfo").and_then(|text| memory_bytes(&text)));
    writer.some("python", command.first().and_then(|program| python(program)));
    let kept = variables(env::vars_os(), kept, redactor);
    writer.table("variables", kept);
    writer.0
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
            let value = match redactor.is_secret_name(&name) {
                true => REDACTED.into(),
                false => text_or_bytes(&value),
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

fn memory_bytes(meminfo: &str) -> Option<i64> {
    let text = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    text.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()?.checked_mul(1024)
}

/// The version of Python that the program is, from its virtual environment or its real name; it is not started.
fn python(program: &OsStr) -> Option<String> {
    let name = Path::new(program).file_name()?.to_str()?;
    name.starts_with("python").then_some(())?;
    let path = locate(program)?;
    let settings = path.parent()?.parent()?.join("pyvenv.cfg");
    let from_settings = fs::read_to_string(settings).ok().and_then(|text| venv_version(&text));
    from_settings.or_else(|| version_in_name(&fs::canonicalize(&path).ok()?))
}

fn locate(program: &OsStr) -> Option<PathBuf> {
    if Path::new(program).components().count() > 1 {
        return Some(program.into());
    }
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn venv_version(settings: &str) -> Option<String> {
    let value = |line: &str| {
        let (key, value) = line.split_once('=')?;
        matches!(key.trim(), "version" | "version_info").then(|| value.trim().to_owned())
    };
    settings.lines().find_map(value)
}

fn version_in_name(path: &Path) -> Option<String> {
    let version = path.file_name()?.to_str()?.strip_prefix("python")?;
    version.contains('.').then(|| version.to_owned())
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
        assert_eq!(venv_version("home = /usr/bin\nversion = 3.12.1\n").as_deref(), Some("3.12.1"));
        assert_eq!(version_in_name(Path::new("/usr/bin/python3.11")).as_deref(), Some("3.11"));
        assert_eq!(version_in_name(Path::new("/usr/bin/python3")), None);
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
        environment(&["python3".into()], &[], &redactor);
        // Two milliseconds are meant; a loaded machine gets some slack.
        assert!(begin.elapsed().as_millis() < 50);
    }
}
