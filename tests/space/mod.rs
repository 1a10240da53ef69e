//! What runs take, what of it can go, what commands did to refs, and taking that back.

mod archive;
mod borrowed;
mod faults;
mod gc;
mod maintenance;
mod oplog;
mod purge;
mod usage;

use serde_json::Value;

use crate::support::Repo;

/// What the program answers as JSON.
pub fn json(repo: &Repo, arguments: &[&str]) -> Value {
    let output = repo.xtrack(arguments);
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {}", output.stderr))
}

/// The operations, the latest first.
pub fn operations(repo: &Repo) -> Vec<Value> {
    json(repo, &["oplog", "--json", "-n", "1000"]).as_array().unwrap().clone()
}

/// All refs and what they point at, but those that keep what operations dropped.
pub fn refs(repo: &Repo) -> String {
    let all = repo.git(&["for-each-ref", "--format=%(refname) %(objectname)", "refs/runs", "refs/xtrack"]);
    all.lines()
        .filter(|line| !line.starts_with("refs/xtrack/undo/"))
        .map(|line| format!("{line}\n"))
        .collect()
}
