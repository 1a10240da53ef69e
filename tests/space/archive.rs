//! Old runs put into a bundle, as `docs/space.md` advises: its commands, one after the other.

use std::fs;

use crate::sharing::{Bare, clone_of, make_runs, run_id};
use crate::space::refs;
use crate::support::Repo;
use crate::support::repo::run;

/// The commands of the advice, without what they are said to be for.
fn recipe() -> Vec<String> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/space.md")).unwrap();
    let (_, advice) = text.split_once("**Archiving.**").unwrap();
    let (_, block) = advice.split_once("```console\n").unwrap();
    let lines = block.lines().take_while(|line| *line != "```").map(|line| line.strip_prefix("$ ").unwrap());
    lines.map(|line| line.split("  #").next().unwrap().trim().to_owned()).collect()
}

fn follow(repo: &Repo, command: &str) {
    // The runs of the tests are of 2026.
    let command = command.replace("2025", "2026").replace("/a/safe/place", "../safe");
    // The program is found as git finds it.
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_git-xtrack")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output = run(repo.command("sh").args(["-c", &command]).env("PATH", path));
    assert_eq!(output.code, 0, "{command}: {output:?}");
}

#[test]
fn the_advice_loses_nothing_and_what_went_comes_back() {
    let bare = Bare::new();
    let (ada, bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    make_runs(&ada, 0..1200);
    ada.xtrack(&["push"]).ok();
    bo.xtrack(&["pull"]).ok();
    let recipe = recipe();
    assert_eq!(recipe.len(), 8, "{recipe:#?}");
    let (mut bundled, mut before) = (false, String::new());
    for command in &recipe {
        match command.as_str() {
            // There is no store here.
            store if store.contains("artifact push") => continue,
            remove if remove.contains("git push") => {
                // Bo says something more at the last moment, and that is in no bundle.
                bo.xtrack(&["tag", run_id(7).as_str(), "+late"]).ok();
                bo.xtrack(&["push"]).ok();
                follow(&ada, remove);
                let left = bare.refs(&ada, "refs/runs");
                assert_eq!(left.lines().count(), 1, "{left}");
                assert!(left.contains(run_id(7).as_str()));
            }
            back if back.contains("git xtrack pull 2025.bundle") => {
                assert!(bundled);
                assert_eq!(ada.refs("refs/runs").len(), 0);
                fs::remove_file(ada.path().join("2026.bundle")).unwrap();
                fs::copy(ada.root().join("safe"), ada.path().join("2026.bundle")).unwrap();
                follow(&ada, back);
            }
            other => {
                bundled |= other.contains("bundle create");
                follow(&ada, other);
                if other.contains("bundle create") {
                    before = refs(&ada);
                }
            }
        }
    }
    let runs = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("refs/runs/")).map(str::to_owned).collect()
    };
    assert_eq!(runs(&refs(&ada)), runs(&before));
    assert_eq!(runs(&before).len(), 1200);
    // What was said meanwhile comes by the remote.
    ada.xtrack(&["pull", "origin"]).ok();
    assert!(ada.xtrack(&["show", run_id(7).as_str()]).ok().stdout.contains("late"));
}
