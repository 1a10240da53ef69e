//! `git xtrack status`: the runs in progress.
#![cfg(target_os = "linux")]

use crate::support::Repo;
use crate::support::live::*;

#[test]
fn runs_in_progress_are_shown_with_what_they_logged_last() {
    let repo = Repo::new();
    repo.commit("first");
    let output = repo.xtrack(&["status"]).ok();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", "no run is in progress\n"));
    let owner = Sleeper::new();
    let folder = begin(&repo, &owner, &["--name", "quiet-otter", "-e", "digits"]);
    journal(&folder, "w", &lines("{}", 7, None));
    let status = json(&repo, &["status", "--json"]);
    let run = &status["runs"][0];
    assert_eq!(
        (&run["name"], &run["state"], &run["writers"]),
        (&"quiet-otter".into(), &"running".into(), &1.into())
    );
    assert_eq!((&run["step"], &run["metrics"]["loss"]), (&6.into(), &1.5.into()));
    assert_eq!((&run["pid"], &run["experiment"]), (&owner.0.id().into(), &"digits".into()));
    assert_eq!(run["id"], *id_of(&folder));
    let shown = repo.xtrack(&["status"]).ok().stdout;
    assert!(
        shown.contains("In progress") && shown.contains("quiet-otter") && shown.contains("loss 1.5"),
        "{shown}"
    );
    owner.kill();
    let output = repo.xtrack(&["status"]).ok();
    assert!(output.stderr.contains("recovered quiet-otter"), "{}", output.stderr);
    assert!(output.stdout.contains("Recovered lately"), "{}", output.stdout);
}
