//! `git xtrack diff`.

use crate::support::repo::Repo;

#[test]
fn what_differs_is_shown_and_what_is_the_same_is_not() {
    let repo = Repo::new();
    repo.write("train.py", "print(1)\n");
    repo.commit("base");
    repo.xtrack(&["record", "--name", "a", "-p", "lr=0.1", "-p", "seed=1", "-m", "loss=0.5"]);
    repo.write("train.py", "print(2)\n");
    repo.xtrack(&["record", "--name", "b", "-p", "lr=0.2", "-p", "seed=1", "-m", "loss=0.25"]);
    let output = repo.xtrack(&["diff", "a", "b", "--only-changed", "--code"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    for text in ["lr", "0.1", "0.2", "loss", "-50", "+print(2)"] {
        assert!(output.stdout.contains(text), "{text}: {}", output.stdout);
    }
    assert!(!output.stdout.contains("seed"), "{}", output.stdout);
    let json: serde_json::Value =
        serde_json::from_str(&repo.xtrack(&["diff", "a", "b", "--json"]).stdout).expect("JSON");
    assert_eq!(json["params"]["lr"], serde_json::json!({"change": "changed", "before": 0.1, "after": 0.2}));
    assert!(repo.xtrack(&["diff", "a", "b", "--stat"]).stdout.contains("train.py"));
    assert!(repo.xtrack(&["diff", "a", "b", "--md"]).stdout.contains('|'));
}
