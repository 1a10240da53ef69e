//! `git xtrack index`.

use serde_json::Value;

use crate::support::repo::Repo;

#[test]
fn it_is_told_built_anew_and_verified() {
    let repo = Repo::new();
    for lr in ["0.1", "0.2"] {
        repo.xtrack(&["record", "-p", &format!("lr={lr}")]).ok();
    }
    let state = |arguments: &[&str]| -> Value {
        let output = repo.xtrack(&[&["index", "--json"], arguments].concat()).ok();
        serde_json::from_str(&output.stdout).unwrap()
    };
    let first = state(&[]);
    assert_eq!((&first["runs"], &first["damaged"], &first["beside"]), (&2.into(), &0.into(), &0.into()));
    assert!(first["path"].as_str().unwrap().ends_with(".git/xtrack/index.sqlite"), "{first}");
    repo.xtrack(&["record", "-p", "lr=0.3"]).ok();
    let second = state(&[]);
    assert_eq!(second["runs"], 3);
    assert!(second["changes"].as_i64() > first["changes"].as_i64());
    assert_eq!(state(&["--rebuild"])["changes"], 1);
    assert_eq!(repo.xtrack(&["index", "--verify"]).ok().stderr, "the index is what the runs are\n");
    let table = repo.xtrack(&["index"]).ok().stdout;
    assert!(table.contains("index.sqlite") && table.contains("runs"), "{table}");
}
