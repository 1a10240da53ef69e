//! The GPUs of the machine as the driver's own files tell them: names and the driver's version, without loading anything.
//!
//! Their memory and the CUDA version take the driver's library, which can take seconds to answer: the sampler adds them.

use std::fs;
use std::path::Path;

use crate::run::value::{Table, Value};

/// The files of the driver.
const DRIVER: &str = "/proc/driver/nvidia";

/// What is known of the GPUs; nothing where there is none.
pub fn gpus() -> Table {
    facts(Path::new(DRIVER))
}

fn facts(driver: &Path) -> Table {
    let mut folders: Vec<_> =
        fs::read_dir(driver.join("gpus")).into_iter().flatten().flatten().map(|child| child.path()).collect();
    // Their names are addresses on the bus, by which the driver counts them too.
    folders.sort();
    let named = folders.iter().filter_map(|folder| {
        let text = fs::read_to_string(folder.join("information")).ok()?;
        let name = text.lines().find_map(|line| line.strip_prefix("Model:"))?.trim().to_owned();
        Some(gpu(name, None))
    });
    let version = fs::read_to_string(driver.join("version")).ok().and_then(|text| driver_version(&text));
    table(named.collect(), version, None)
}

/// One GPU.
pub fn gpu(name: String, memory: Option<u64>) -> Value {
    let mut gpu = Table::from([("name".to_owned(), Value::Text(name))]);
    let memory = memory.and_then(|bytes| i64::try_from(bytes).ok());
    gpu.extend(memory.map(|bytes| ("memory".to_owned(), Value::Int(bytes))));
    Value::Table(gpu)
}

/// The facts as the environment names them; none where there is no GPU.
pub fn table(gpus: Vec<Value>, driver: Option<String>, cuda: Option<String>) -> Table {
    let mut facts = Table::new();
    if !gpus.is_empty() {
        facts.insert("gpus".to_owned(), Value::List(gpus));
        facts.extend(driver.map(|version| ("gpu_driver".to_owned(), version.into())));
        facts.extend(cuda.map(|version| ("cuda".to_owned(), version.into())));
    }
    facts
}

/// `NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 …`.
fn driver_version(text: &str) -> Option<String> {
    let is_version = |word: &&str| {
        word.contains('.')
            && word.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    text.lines().next()?.split_whitespace().find(is_version).map(str::to_owned)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_driver_are_read() {
        let driver = tempfile::tempdir().unwrap();
        assert_eq!(facts(driver.path()), Table::new());
        for (address, name) in [("0000:65:00.0", "Model A"), ("0000:17:00.0", "Model B 80GB")] {
            let folder = driver.path().join("gpus").join(address);
            fs::create_dir_all(&folder).unwrap();
            let text = format!("Model: \t\t {name}\nIRQ:   \t\t 1\nGPU UUID: \t GPU-1\n");
            fs::write(folder.join("information"), text).unwrap();
        }
        let version = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version:  x\n";
        fs::write(driver.path().join("version"), version).unwrap();
        let expected = table(
            vec![gpu("Model B 80GB".to_owned(), None), gpu("Model A".to_owned(), None)],
            Some("535.104.05".to_owned()),
            None,
        );
        assert_eq!(facts(driver.path()), expected);
    }
}
