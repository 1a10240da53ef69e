//! What a run keeps of its surroundings: the packages of its Python, its lock files, chosen variables, and no secret.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::Repo;

/// The only run there is, as `show --json` gives it.
#[track_caller]
fn only_run(repo: &Repo) -> Value {
    let refs = repo.refs("refs/runs");
    assert_eq!(refs.len(), 1, "{refs:?}");
    let id = refs[0].trim_start_matches("refs/runs/");
    serde_json::from_str(&repo.xtrack(&["show", id, "--json"]).ok().stdout).unwrap()
}

/// Everything that git keeps, as one text.
fn objects(repo: &Repo) -> String {
    let mut command = repo.command("git");
    command.args(["cat-file", "--batch-all-objects", "--batch"]).stdout(Stdio::piped());
    String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
}

fn names(inputs: &Value) -> Vec<&str> {
    inputs.as_array().unwrap().iter().map(|input| input["name"].as_str().unwrap()).collect()
}

#[cfg(unix)]
#[test]
fn the_packages_of_the_commands_own_python_are_kept() {
    let repo = Repo::new();
    repo.write(".gitignore", ".venv\n");
    let made = repo.command("python3").args(["-m", "venv", "--without-pip", ".venv"]).output();
    if !made.is_ok_and(|made| made.status.success()) {
        eprintln!("there is no Python that makes environments here: nothing to test");
        return;
    }
    let library = fs::read_dir(repo.path().join(".venv/lib")).unwrap().next().unwrap().unwrap().path();
    let packages = library.strip_prefix(repo.path()).unwrap().join("site-packages");
    repo.write(packages.join("Scikit_Learn-1.5.1.dist-info/METADATA"), "");
    repo.write(
        packages.join("mine-0.1.dist-info/direct_url.json"),
        r#"{"url": "https://me:hunter2@host/mine.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}"#,
    );
    repo.xtrack(&["record", "--", ".venv/bin/python", "-c", "pass"]).ok();
    let environment = &only_run(&repo)["environment"];
    let expected = json!({"mine": "0.1 (git+https://host/mine.git@abc)", "scikit-learn": "1.5.1"});
    assert_eq!(environment["packages"], expected);
    let mut command = repo.command(".venv/bin/python");
    let version = command.args(["-c", "import platform; print(platform.python_version())"]).output().unwrap();
    assert_eq!(environment["python"], String::from_utf8(version.stdout).unwrap().trim());
    assert!(environment["python_prefix"].as_str().unwrap().ends_with(".venv"), "{environment}");
    assert!(!objects(&repo).contains("hunter2"));
}

#[cfg(unix)]
#[test]
fn an_active_conda_environment_counts_for_a_script() {
    let mut repo = Repo::new();
    let prefix = repo.home().join("conda/envs/ml");
    for folder in ["conda-meta", "lib/python3.11/site-packages/numpy-2.1.0.dist-info"] {
        fs::create_dir_all(prefix.join(folder)).unwrap();
    }
    fs::write(prefix.join("conda-meta/python-3.11.7-h955ad1f_0.json"), "{}").unwrap();
    repo.set("CONDA_PREFIX", prefix.to_str().unwrap());
    repo.xtrack(&["record", "--", "sh", "-c", "true"]).ok();
    let environment = &only_run(&repo)["environment"];
    assert_eq!(environment["python"], "3.11.7");
    assert_eq!(environment["python_prefix"], "~/conda/envs/ml");
    assert_eq!(environment["packages"], json!({"numpy": "2.1.0"}));
}

#[test]
fn the_same_machine_gives_the_same_environment() {
    let repo = Repo::new();
    for _ in 0..2 {
        repo.xtrack(&["record", "--", "git", "--version"]).ok();
    }
    let blobs: Vec<String> = repo
        .refs("refs/runs")
        .iter()
        .map(|name| repo.git(&["rev-parse", &format!("{name}:environment.toml")]))
        .collect();
    assert_eq!(blobs[0], blobs[1]);
}

#[test]
fn lock_files_are_inputs_without_being_asked_for() {
    let repo = Repo::new();
    repo.write("uv.lock", "version = 1\n");
    repo.write("requirements-dev.txt", "pytest\n");
    repo.write("pyproject.toml", "[project]\n");
    repo.write("sub/requirements.txt", "numpy\n");
    repo.commit("first");
    repo.write("environment.yml", "name: untracked\n");
    repo.at("sub").xtrack(&["record", "--input", "pinned=../uv.lock", "--", "git", "--version"]).ok();
    let run = only_run(&repo);
    assert_eq!(
        names(&run["inputs"]),
        ["pinned", "requirements.txt", "environment.yml", "requirements-dev.txt"]
    );
    assert_eq!(run["inputs"][1]["path"], "sub/requirements.txt");
    assert_eq!(run["inputs"][1]["size"], 6);
}

#[test]
fn a_setting_leaves_lock_files_alone() {
    let repo = Repo::new();
    repo.write("uv.lock", "version = 1\n");
    repo.write("xtrack.toml", "record.lock_files = false\n");
    repo.xtrack(&["record", "--", "git", "--version"]).ok();
    assert_eq!(only_run(&repo)["inputs"], json!([]));
}

#[test]
fn nothing_of_the_environment_is_kept_unless_it_was_chosen() {
    let mut repo = Repo::new();
    for at in 0..200 {
        let name = ["HF_TOKEN", "DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "MY_SETTING"][at % 4];
        repo.set(&format!("{name}_{at}"), &format!("planted-{at}-secret"));
    }
    repo.set("CUDA_VISIBLE_DEVICES", "0,1");
    repo.set("MIRROR", "https://me:planted-pass@host/simple");
    repo.set("MY_TOKEN", "planted-token");
    repo.write("xtrack.toml", "record.environment = ['CUDA_*', 'MIRROR', 'MY_TOKEN']\n");
    repo.xtrack(&["record", "--", "git", "--version"]).ok();
    let variables = &only_run(&repo)["environment"]["variables"];
    let expected = json!({
        "CUDA_VISIBLE_DEVICES": "0,1",
        "MIRROR": "https://me:[redacted]@host/simple",
        "MY_TOKEN": "[redacted]",
    });
    assert_eq!(*variables, expected);
    assert!(!objects(&repo).contains("planted-"));
}

#[test]
fn no_secret_of_a_command_is_kept() {
    let repo = Repo::new();
    let words =
        ["record", "--", "git", "--version", "--hf-token", "planted-1", "api_key=planted-2", "--lr", "0.1"];
    repo.xtrack(&words);
    let script = "--password=planted-3; mysql -pplanted-4; curl -u me:planted-5 https://x:planted-6@host";
    repo.xtrack(&["record", "--", "git", "-c", script]);
    assert_eq!(repo.refs("refs/runs").len(), 2);
    assert!(!objects(&repo).contains("planted-"), "{}", objects(&repo));
}
