//! `git xtrack sql`.

use serde_json::{Value, json};

use crate::support::repo::Repo;

fn repository() -> Repo {
    let mut repo = Repo::new();
    repo.set("XTRACK_TEST_NOW", "2026-01-02T10:00:00Z");
    for (name, accuracy, lr) in [("one", "0.5", "0.1"), ("two", "0.75", "3"), ("three", "nan", "adam")] {
        let (accuracy, lr) = (format!("accuracy={accuracy}"), format!("lr={lr}"));
        let flags = ["record", "--name", name, "-m", &accuracy, "-p", &lr, "-t", "stage=prod", "-t", "pin"];
        repo.xtrack(&flags).ok();
    }
    repo
}

#[track_caller]
fn rows(repo: &Repo, question: &str) -> Value {
    let output = repo.xtrack(&["sql", question, "--json"]).ok();
    assert_eq!(output.stderr, "");
    serde_json::from_str(&output.stdout).unwrap()
}

#[test]
fn views_are_asked_and_every_form_is_given() {
    let repo = repository();
    let question =
        "SELECT runs.name AS name, value FROM metrics JOIN runs ON runs.id = run ORDER BY value DESC, name";
    insta::assert_snapshot!(repo.xtrack(&["sql", question]).ok().stdout, @"
    name   value
    two     0.75
    one     0.5
    three
    ");
    let csv = repo.xtrack(&["sql", question, "--csv"]).ok().stdout;
    assert_eq!(csv.replace('\r', ""), "name,value\ntwo,0.75\none,0.5\nthree,\n");
    assert_eq!(
        rows(&repo, question),
        json!([{"name": "two", "value": 0.75}, {"name": "one", "value": 0.5}, {"name": "three", "value": null}])
    );
    assert_eq!(
        rows(&repo, "SELECT type, value FROM params ORDER BY typeof(value), value"),
        json!([{"type": "int", "value": 3}, {"type": "float", "value": 0.1}, {"type": "text", "value": "adam"}])
    );
    assert_eq!(
        rows(&repo, "SELECT DISTINCT name, value FROM tags ORDER BY name"),
        json!([{"name": "pin", "value": null}, {"name": "stage", "value": "prod"}])
    );
    assert_eq!(
        rows(&repo, "SELECT DISTINCT started, started_micros, deleted, status FROM runs"),
        json!([{
            "started": "2026-01-02T10:00:00.000000Z",
            "started_micros": 1_767_348_000_000_000_i64,
            "deleted": 0,
            "status": "finished"
        }])
    );
}

#[test]
fn what_is_said_and_deleted_is_there() {
    let repo = repository();
    repo.xtrack(&["rm", "one"]).ok();
    repo.xtrack(&["note", "two", "slow at first"]).ok();
    assert_eq!(rows(&repo, "SELECT name FROM runs WHERE deleted"), json!([{"name": "one"}]));
    assert_eq!(rows(&repo, "SELECT text FROM notes"), json!([{"text": "slow at first"}]));
}

#[test]
fn without_a_question_the_views_are_told() {
    let output = repository().xtrack(&["sql", "--json"]).ok();
    let views: Value = serde_json::from_str(&output.stdout).unwrap();
    let names: Vec<&String> = views.as_object().unwrap().keys().collect();
    assert_eq!(names, ["runs", "params", "metrics", "tags", "notes", "inputs"]);
    // The page describes what there is.
    let page = include_str!("../../docs/sql.md");
    for columns in views.as_object().unwrap().values() {
        for column in columns.as_array().unwrap() {
            let column = column.as_str().unwrap();
            assert!(page.contains(&format!("`{column}`")), "docs/sql.md lacks {column}");
        }
    }
}

#[test]
fn the_examples_of_the_page_are_answered() {
    let repo = repository();
    let page = include_str!("../../docs/sql.md");
    let examples: Vec<&str> =
        page.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() > 3);
    examples.iter().for_each(|example| drop(rows(&repo, example)));
}

#[test]
fn nothing_else_is_done_and_why_is_said() {
    let repo = repository();
    for (statement, why) in [
        ("DELETE FROM run", "only questions are answered"),
        ("PRAGMA journal_mode = WAL", "only questions are answered"),
        ("ATTACH 'x.sqlite' AS x", "only questions are answered"),
        ("SELECT nonsense FROM runs", "no such column: nonsense"),
        ("SELECT 1; DELETE FROM run", "ultiple"),
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        (" ", "question"),
    ] {
        let output = repo.xtrack(&["sql", statement]);
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{statement}: {}", output.stderr);
        assert!(output.stderr.contains(why), "{statement}: {}", output.stderr);
    }
    assert!(!repo.path().join("x.sqlite").exists());
    assert_eq!(rows(&repo, "SELECT count(*) AS runs FROM runs"), json!([{"runs": 3}]));
}
