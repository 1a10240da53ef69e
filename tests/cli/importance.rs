//! `git xtrack importance`.

use serde_json::Value;

use crate::cli::compare::recorded;
use crate::support::Repo;

/// Runs whose loss depends on one param and one word, and on nothing else.
fn sweep(repo: &Repo, count: u32) {
    for number in 0..count {
        let lr = f64::from(number * 7 % 31) / 31.0;
        let optimizer = ["adam", "sgd"][(number / 2 % 2) as usize];
        let loss = 2.0 * lr + if optimizer == "sgd" { 1.0 } else { 0.0 };
        let seed = number * 13 % 29;
        recorded(
            repo,
            &[&format!(
                "run-{number} -p optim.lr={lr} -p optim.name={optimizer} -p seed={seed} -p epochs=3 -m loss={loss} -m noise=0.{}",
                number * 7919 % 97
            )],
        );
    }
}

#[track_caller]
fn json(repo: &Repo, arguments: &[&str]) -> Value {
    serde_json::from_str(&repo.xtrack(&[arguments, &["--json"]].concat()).ok().stdout).unwrap()
}

#[test]
fn what_mattered_comes_first_and_noise_is_noise() {
    let repo = Repo::new();
    sweep(&repo, 36);
    let shown = json(&repo, &["importance", "loss"]);
    assert_eq!(shown["trust"], "fair", "{shown:#}");
    let params = shown["params"].as_array().unwrap();
    let names: Vec<&str> = params.iter().map(|param| param["name"].as_str().unwrap()).collect();
    assert_eq!((&names[..2], names.len()), (&["optim.lr", "optim.name"][..], 3), "{shown:#}");
    assert_eq!(
        (&params[0]["clear"], &params[1]["values"][0]["value"]),
        (&true.into(), &"sgd".into()),
        "{shown:#}"
    );
    assert_eq!(shown["left_out"][0]["name"], "epochs");
    assert_eq!(shown, json(&repo, &["importance", "loss"]));
    let noise = json(&repo, &["importance", "noise"]);
    assert_eq!(noise["trust"], "nothing", "{noise:#}");
    assert_eq!(noise["params"][0]["importance"], Value::Null);
    let text = repo.xtrack(&["importance", "loss"]).ok().stdout;
    assert!(text.contains("the params foretell") && text.contains('█'), "{text}");
    let csv = repo.xtrack(&["importance", "loss", "--csv"]).ok().stdout;
    assert!(
        csv.starts_with("param,importance,error,clear,spearman,pearson,runs,trust,r2\r\noptim.lr,"),
        "{csv}"
    );
}

#[test]
fn few_runs_have_no_weights() {
    let repo = Repo::new();
    sweep(&repo, 6);
    let output = repo.xtrack(&["importance", "loss", "--where", "loss >= 0"]).ok();
    assert!(output.stdout.contains("6 runs are too few to weigh params"), "{}", output.stdout);
    assert!(output.stdout.contains("Spearman") && !output.stdout.contains('█'), "{}", output.stdout);
}

#[test]
fn what_is_no_result_is_said() {
    let repo = Repo::new();
    sweep(&repo, 2);
    for (metric, said) in [("seed", "is a param"), ("losss", "loss"), ("loss.mean", "single series")] {
        let output = repo.xtrack(&["importance", metric]);
        assert_eq!(output.code, 2, "{metric}: {}", output.stderr);
        assert!(output.stderr.contains(said), "{metric}: {}", output.stderr);
    }
    let empty = Repo::new().xtrack(&["importance", "loss"]);
    assert_ne!(empty.code, 101, "{}", empty.stderr);
}
