//! The demo, from beginning to end, and the tour in README.md, which is taken in the demo's repository.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::repo::run;
use crate::support::{Output, Repo};

#[test]
fn it_records_real_trainings_and_the_readme_goes_on_from_there() {
    let mut home = without_identity();
    let temporary = home.root().to_owned();
    home.set("TMPDIR", temporary.to_str().unwrap());
    let output = home.xtrack(&["demo"]).ok();
    let folder = folder_named_in(&output);
    assert_eq!(folder.parent(), Some(home.root()), "{}", output.stdout);

    shows_what_it_does(&output);
    records_are_real(&home, &folder);
    leaves_no_identity_behind(&home, &folder);
    every_command_of_the_tour_succeeds(&home, &folder);
}

fn shows_what_it_does(output: &Output) {
    for part in [
        "$ git xtrack record --name baseline",
        "epoch  1  loss",
        "$ git xtrack log --sort -accuracy",
        "$ git xtrack diff baseline small-batch --code",
        "+BATCH = 5",
        "git push REMOTE 'refs/runs/*'",
    ] {
        assert!(output.stdout.contains(part), "no {part:?} in:\n{}\n{}", output.stdout, output.stderr);
    }
}

fn records_are_real(home: &Repo, folder: &Path) {
    let runs = home.at(folder).xtrack(&["log", "--json"]).ok().stdout;
    let runs: Vec<serde_json::Value> = serde_json::from_str(&runs).unwrap();
    assert!(runs.len() >= 6, "{} runs", runs.len());
    let named = |name: &str| runs.iter().find(|run| run["name"] == name).unwrap();

    let baseline = named("baseline");
    assert_eq!(baseline["status"], "finished");
    assert_eq!(baseline["params"]["lr"].to_string(), "0.1");
    assert_eq!(baseline["code"]["dirty"], false);
    let accuracy = baseline["metrics"]["accuracy"]["last"].to_string().parse::<f64>().unwrap();
    assert!((0.8..1.0).contains(&accuracy), "{accuracy}");

    assert_eq!(named("too-fast")["status"], "failed");
    assert_eq!(named("too-fast")["exit_code"].to_string(), "1");
    assert_eq!(named("small-batch")["code"]["dirty"], true);
    assert!(named("small-batch")["tags"].as_array().unwrap().contains(&"best".into()));
}

fn leaves_no_identity_behind(home: &Repo, folder: &Path) {
    let settings = home.at(folder).git(&["config", "--list", "--local"]);
    assert!(!settings.contains("user."), "{settings}");
}

/// Lines that begin with `$ ` in README.md's console blocks; those that name another machine are marked there.
fn every_command_of_the_tour_succeeds(home: &Repo, folder: &Path) {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let tour = readme.split("\n## ").find(|part| part.starts_with("Five-minute tour")).unwrap();
    let commands: Vec<&str> = tour.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert!(commands.len() >= 6, "{commands:?}");
    for command in commands {
        let output = run(shell(home, folder).arg(command));
        assert_eq!(output.code, 0, "$ {command}\n{}\n{}", output.stdout, output.stderr);
    }
}

/// A shell that finds `git xtrack`, with an identity as a reader of the tour has one.
fn shell(home: &Repo, folder: &Path) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_git-xtrack")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let folders = [program.to_owned()].into_iter().chain(std::env::split_paths(&path));
    let mut shell = home.command("bash");
    shell.current_dir(folder).env("PATH", std::env::join_paths(folders).unwrap());
    shell.env("GIT_PAGER", "cat").args(["-e", "-c"]);
    shell
}

#[test]
fn a_folder_that_is_not_empty_is_refused() {
    let home = Repo::folder("work");
    home.write("tour/mine.txt", "mine");
    let output = home.xtrack(&["demo", "tour"]);
    assert_eq!(output.code, 2, "{}", output.stderr);
    assert!(output.stderr.contains("is not empty\nhint: "), "{}", output.stderr);
    let left: Vec<_> = std::fs::read_dir(home.path().join("tour")).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[cfg(unix)]
#[test]
fn without_python_it_says_so_and_makes_nothing() {
    let mut home = Repo::folder("work");
    let programs = home.root().join("programs");
    std::fs::create_dir(&programs).unwrap();
    std::os::unix::fs::symlink(find("git"), programs.join("git")).unwrap();
    home.set("PATH", programs.to_str().unwrap());
    let output = home.xtrack(&["demo", "tour"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stderr.contains("there is no 'python3' on the path\nhint: "), "{}", output.stderr);
    assert!(!home.path().join("tour").exists());
}

fn without_identity() -> Repo {
    let home = Repo::folder("work");
    std::fs::write(home.home().join(".gitconfig"), "").unwrap();
    home
}

fn folder_named_in(output: &Output) -> PathBuf {
    let line = output.stdout.lines().next().unwrap();
    PathBuf::from(line.split_once(", in ").unwrap().1)
}

#[cfg(unix)]
fn find(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file()).unwrap()
}
