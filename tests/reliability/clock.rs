//! Clocks that jump, stand still or are years off: order comes from steps and places, no duration is negative, ids differ,
//! git accepts the dates.

use std::collections::BTreeSet;

use crate::reliability::{logger, trials};
use crate::support::Repo;
use crate::support::live::{self, json};

const MOMENTS: &[&str] = &[
    "1970-01-01T00:00:00Z",
    "1999-12-31T23:59:59Z",
    "2026-03-29T01:59:59Z",
    "2016-12-31T23:59:59Z",
    "2038-01-19T03:14:07Z",
    "2038-01-19T03:14:08Z",
    "2100-03-01T00:00:00Z",
];

#[test]
fn any_moment_is_recorded_and_git_accepts_it() {
    let mut repo = Repo::new();
    repo.commit("first");
    for moment in MOMENTS {
        repo.env.retain(|(name, _)| name != "XTRACK_TEST_NOW");
        repo.set("XTRACK_TEST_NOW", moment);
        let id = repo.xtrack(&["record", "-p", "lr=0.1"]).ok().stdout.trim().to_owned();
        let run = json(&repo, &["show", &id, "--json"]);
        assert!(run["started"].as_str().unwrap().starts_with(&moment[..19]), "{moment}: {}", run["started"]);
        repo.xtrack(&["tag", &id, "seen"]).ok();
        repo.xtrack(&["record", "--", "true"]).ok();
    }
    let listed = repo.xtrack(&["log"]).ok().stdout;
    assert!(!listed.contains(" -"), "a negative age: {listed}");
    assert_eq!(logger::runs(&repo).len(), 2 * MOMENTS.len());
    repo.git(&["fsck", "--strict", "--full", "--no-dangling", "--no-progress"]);
}

#[test]
fn a_clock_that_stands_still_gives_no_id_twice() {
    let mut repo = Repo::new();
    repo.commit("first");
    repo.set("XTRACK_TEST_NOW", "2026-07-01T09:14:00Z");
    let count = trials(40);
    let mut ids = BTreeSet::new();
    for _ in 0..count.div_ceil(8) {
        let mut recorders: Vec<_> = (0..8).map(|_| logger::start(&repo, &["record", "--", "true"])).collect();
        recorders.iter_mut().for_each(|recorder| assert!(recorder.wait().unwrap().success()));
    }
    ids.extend(logger::runs(&repo));
    assert_eq!(ids.len(), count.div_ceil(8) * 8, "{}", logger::said(&repo));
}

/// A journal whose clock goes back an hour, back ten years and on ten years while it is written.
#[test]
fn a_clock_that_jumps_while_a_run_lasts_neither_reorders_nor_loses() {
    let mut repo = Repo::new();
    repo.commit("first");
    repo.set("XTRACK_TEST_NOW", "2026-07-01T09:14:00Z");
    let jumps: [f64; 8] = [0.0, 1.0, -3_600.0, -3_599.0, -315_360_000.0, 315_360_000.0, 2.0, -1.0e10];
    for (ending, name) in [(None, "crashed"), (Some("finished"), "finished")] {
        let folder = live::begin_dead(&repo, &["--name", name]);
        let mut text = live::first_line("{}") + "\n";
        for (step, jump) in jumps.iter().enumerate() {
            let at = 1_782_897_300.0 + jump;
            text += &format!(
                "{{\"n\":{},\"t\":{at:?},\"step\":{step},\"points\":{{\"loss\":{step}.5}}}}\n",
                step + 1
            );
        }
        if let Some(status) = ending {
            text += &format!("{{\"n\":9,\"t\":1782890000.0,\"finish\":{{\"status\":\"{status}\"}}}}\n");
        }
        live::journal(&folder, "w", &text);
        let output = repo.xtrack(&["recover"]).ok();
        assert!(!output.stderr.contains("after -"), "{}", output.stderr);
        let run = json(&repo, &["show", name, "--json"]);
        let (started, ended) = (run["started"].as_str().unwrap(), run["ended"].as_str().unwrap());
        assert!(ended >= started, "{started} to {ended}");
        assert_eq!(run["metrics"]["loss"]["last"], 7.5);
        assert_eq!(run["metrics"]["loss"]["count"], 8);
        let points = json(&repo, &["show", name, "--series", "loss", "--json"]);
        let steps: Vec<_> =
            points.as_array().unwrap().iter().map(|point| point[0].as_u64().unwrap()).collect();
        assert_eq!(steps, (0..8).collect::<Vec<_>>());
        for shown in [repo.xtrack(&["show", name]).ok().stdout, repo.xtrack(&["log"]).ok().stdout] {
            assert!(!shown.contains(" -1") && !shown.contains(" -3"), "{shown}");
        }
    }
    repo.git(&["fsck", "--strict", "--full", "--no-dangling", "--no-progress"]);
}

/// The recorder's own clock goes back while the command runs.
#[test]
fn a_run_that_ends_before_it_began_took_no_time() {
    let mut repo = Repo::new();
    repo.commit("first");
    repo.set("XTRACK_TEST_NOW", "2036-07-01T09:14:00Z");
    let owner = live::Sleeper::new();
    let folder = live::begin(&repo, &owner, &["--name", "back"]);
    live::journal(&folder, "w", &live::lines("{}", 3, None));
    repo.env.retain(|(name, _)| name != "XTRACK_TEST_NOW");
    repo.set("XTRACK_TEST_NOW", "2026-07-01T09:14:00Z");
    repo.xtrack(&["log"]).ok();
    repo.xtrack(&["status"]).ok();
    repo.xtrack(&["finish", folder.to_str().unwrap()]).ok();
    let run = json(&repo, &["show", "back", "--json"]);
    let (started, ended) = (run["started"].as_str().unwrap(), run["ended"].as_str().unwrap());
    let shown = repo.xtrack(&["show", "back"]).ok().stdout + &repo.xtrack(&["log"]).ok().stdout;
    assert!(ended >= started, "{started} to {ended}\n{shown}");
    assert!(!shown.contains(" -"), "{shown}");
    repo.git(&["fsck", "--strict", "--full", "--no-dangling", "--no-progress"]);
}
