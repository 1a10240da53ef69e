//! `git xtrack plot`: in the terminal, and as SVG, PNG, pages and JSON.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::live::{self, Sleeper};
use crate::support::{Output, Repo};

/// A run as a program without a repository would have written it.
struct Logged {
    number: usize,
    name: &'static str,
    lines: Vec<Value>,
}

impl Logged {
    fn new(number: usize, name: &'static str) -> Self {
        let start = json!({
            "format": 1, "id": format!("20260701-0900{number:02}-r{number:07}"), "attempt": format!("a{number:07}"),
            "started": "2026-07-01T09:00:00Z", "name": name, "command": ["train.py"],
        });
        let begin = json!({"t": 1_782_896_400, "begin": {"protocol": 1, "start": start}});
        Self { number, name, lines: vec![begin] }
    }

    fn say(mut self, line: Value) -> Self {
        self.lines.push(line);
        self
    }

    fn params(self, params: Value) -> Self {
        self.say(json!({"params": params}))
    }

    /// Points of one metric, a second apart, from step 0.
    fn points(mut self, metric: &str, values: impl IntoIterator<Item = f64>) -> Self {
        for (step, value) in values.into_iter().enumerate() {
            let value = match value {
                value if value.is_nan() => json!("NaN"),
                value if value.is_infinite() => json!(if value > 0.0 { "Infinity" } else { "-Infinity" }),
                value => json!(value),
            };
            self.lines.push(json!({"t": 1_782_896_401 + step, "step": step, "points": {metric: value}}));
        }
        self
    }

    fn thing(self, name: &str, kind: &str, step: i64, value: Value) -> Self {
        self.say(
            json!({"t": 1_782_896_500, "step": step, "thing": {"name": name, "kind": kind, "value": value}}),
        )
    }

    fn adopt(self, repo: &Repo) {
        let id = self.lines[0]["begin"]["start"]["id"].as_str().unwrap().to_owned();
        let finish = json!({"t": 1_782_896_999, "finish": {"status": "finished", "exit_code": 0}});
        let mut text = String::new();
        for (number, line) in self.lines.iter().chain([&finish]).enumerate() {
            let mut line = line.clone();
            line["n"] = number.into();
            writeln!(text, "{line}").unwrap();
        }
        repo.write(format!("runs/{id}/{:0>16}.jsonl", self.number), text);
        repo.xtrack(&["adopt", &format!("runs/{id}")]).ok();
        fs::remove_dir_all(repo.path().join("runs")).unwrap();
        assert!(!self.name.is_empty());
    }
}

fn decay(from: f64, rate: f64, to: f64) -> impl Iterator<Item = f64> {
    (0..100).map(move |step| to + (from - to) * (-rate * f64::from(step)).exp())
}

/// Two healthy runs, one that diverged, one with gaps.
fn four(repo: &Repo) {
    let healthy = |number, name, lr: f64, rate| {
        Logged::new(number, name)
            .params(json!({"lr": lr, "optimizer": "sgd"}))
            .say(json!({"define": {"loss": {"goal": "min", "unit": "nats"}}}))
            .points("loss", decay(2.3, rate, 0.1))
            .points("acc", decay(0.1, rate, 0.9))
    };
    healthy(1, "quiet-otter", 0.1, 0.05).adopt(repo);
    healthy(2, "bold-fox", 0.03, 0.02).adopt(repo);
    let diverged = (0..100).map(|step| if step < 50 { 0.5 } else { 0.5 * 10_f64.powi(step - 50) });
    Logged::new(3, "diverged").params(json!({"lr": 10.0})).points("loss", diverged).adopt(repo);
    let gappy = (0..100).map(|step| match step {
        30..50 => f64::NAN,
        70 => f64::INFINITY,
        _ => 1.0 - f64::from(step) / 200.0,
    });
    Logged::new(4, "gappy").params(json!({"lr": 0.1, "optimizer": "adam"})).points("loss", gappy).adopt(repo);
}

fn plot(repo: &Repo, arguments: &[&str]) -> Output {
    repo.xtrack(&[&["plot"], arguments].concat())
}

fn figures(repo: &Repo, arguments: &[&str]) -> Vec<Value> {
    let output = plot(repo, &[&["--json"], arguments].concat()).ok();
    let answer: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(answer["format"], 1);
    answer["figures"].as_array().unwrap().clone()
}

/// A refusal: its exit code and what was said.
#[track_caller]
fn refused(repo: &Repo, arguments: &[&str]) -> String {
    let output = plot(repo, arguments);
    assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{}", output.stderr);
    output.stderr
}

#[test]
fn a_run_is_drawn_in_the_terminal() {
    let repo = Repo::new();
    four(&repo);
    insta::assert_snapshot!(plot(&repo, &["loss", "quiet-otter", "--size", "60x12"]).ok().stdout, @r"
    loss of quiet-otter
    nats, less is better
      │⢢
    2 ┤ ⠱⢄
      │  ⠈⠣⣀
      │    ⠈⠳⢄
      │       ⠑⠤⣀
    1 ┤         ⠈⠙⠢⢄⡀
      │             ⠈⠙⠒⠤⢄⣀⡀
      │                   ⠈⠉⠑⠒⠒⠤⠤⠤⣄⣀⣀⣀⣀
    0 ┤                               ⠈⠉⠉⠉⠉⠉⠉⠉⠑⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒
      └┬──────────┬───────────┬──────────┬──────────┬───────────
       0         20          40         60         80       step
    ━━ quiet-otter 0.11558
    ");
}

#[test]
fn without_colour_letters_tell_curves_apart_and_with_it_colours_do() {
    let mut repo = Repo::new();
    four(&repo);
    let arguments = ["loss", "quiet-otter", "bold-fox", "--size", "40x12"];
    insta::assert_snapshot!(plot(&repo, &arguments).ok().stdout, @r"
    loss of 2 runs
    nats, less is better
      │B⡀
    2 ┤⠈⢮⠓⢄
      │ ⠈⢧⡀⠉⠢⢄⡀
      │   A⡀  ⠈⠒⠤B
      │    ⠈⠦⡀    ⠉⠒⠤⢄⡀
    1 ┤      ⠈⠢⣀      ⠈⠉⠒⠢⠤B⣀
      │         ⠑⠢⢄⡀         ⠉⠑⠒⠒⠤⠤⢄⣀B
      │            ⠈A⠒⠢⠤⢤⣀⣀⣀          ⠉⠉⠉⠑⠒⠒
    0 ┤                    ⠈⠉⠉A⠉⠑⠒⠒⠒⠒⠒⠒⠒A⠒⠒⠒
      └┬─────────────────┬──────────────────
       0                50              step
    A quiet-otter 0.11558
    B bold-fox 0.40375
    ");
    repo.git(&["config", "color.ui", "always"]);
    let coloured = plot(&repo, &arguments).ok().stdout;
    assert!(coloured.contains("\u{1b}[38;5;33m━━ ") && !coloured.contains("A quiet"), "{coloured}");
    // What git's own setting says goes before the variable, as in git.
    repo.git(&["config", "--unset", "color.ui"]);
    repo.set("NO_COLOR", "1");
    assert!(!plot(&repo, &arguments).ok().stdout.contains('\u{1b}'));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let mut repo = Repo::new();
    four(&repo);
    for columns in ["20", "40", "79", "200"] {
        repo.env.retain(|(name, _)| name != "COLUMNS");
        repo.set("COLUMNS", columns);
        for arguments in [
            &["loss", "acc", "--where", "params.lr > 0", "--panels"][..],
            &["--kind", "bar", "acc"],
            &["--kind", "parallel", "acc"],
        ] {
            let output = plot(&repo, arguments).ok().stdout;
            let widest = output.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= columns.parse().unwrap(), "{columns} {arguments:?}:\n{output}");
        }
    }
}

#[test]
fn metrics_come_first_and_runs_after_them() {
    let repo = Repo::new();
    four(&repo);
    Logged::new(5, "loss").points("loss", [1.0, 0.5]).adopt(&repo);
    let labels = |arguments: &[&str]| -> Vec<String> {
        let figures = figures(&repo, arguments);
        let curves = figures[0]["curves"].as_array().unwrap().iter();
        curves.map(|curve| curve["label"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(labels(&["loss", "bold-fox", "quiet-otter"]), ["bold-fox", "quiet-otter"]);
    assert_eq!(labels(&["loss", "acc", "bold-fox"]), ["loss", "acc"]);
    assert_eq!(labels(&["loss", "acc", "bold-fox", "quiet-otter"]).len(), 4);
    assert_eq!(labels(&["{loss,acc}", "bold-fox"]), ["acc", "loss"]);
    assert_eq!(labels(&["loss", "--", "loss"]), ["loss"]);
    assert_eq!(labels(&["-m", "loss", "loss", "bold-fox"]), ["loss", "bold-fox"]);
    assert_eq!(labels(&["loss", "--where", "params.lr = 0.1"]), ["gappy", "quiet-otter"]);
    assert_eq!(labels(&["loss", "--where", "params.lr < 1", "--sort", "params.lr", "-n", "1"]), ["bold-fox"]);
    assert_eq!(labels(&["loss", "bold-fox", "diverged", "--label", "params.lr"]), ["lr=0.03", "lr=10.0"]);
    let two = figures(&repo, &["loss", "acc", "bold-fox", "--panels"]);
    assert_eq!(
        (two[0]["title"].as_str(), two[1]["title"].as_str()),
        (Some("loss of bold-fox"), Some("acc of bold-fox"))
    );
}

#[test]
fn what_cannot_be_meant_is_said() {
    let repo = Repo::new();
    four(&repo);
    insta::assert_snapshot!(refused(&repo, &["los", "bold-fox"]), @r"
    error: 'los' is neither a metric, nor a run, nor anything that these runs logged
    hint: did you mean 'loss'?
    ");
    insta::assert_snapshot!(refused(&repo, &["bold-fox"]), @r"
    error: no metric is named: name what to draw
    hint: the metrics are acc, loss
    hint: `git config xtrack.primary METRIC` says which one is meant without a name
    ");
    insta::assert_snapshot!(refused(&repo, &["loss", "bold-fox", "acc"]), @r"
    error: no run is called 'acc', which is a metric
    hint: name metrics before runs: `git xtrack plot loss acc quiet-otter`
    ");
    insta::assert_snapshot!(refused(&repo, &["acc", "diverged"]), @r"
    error: 'acc' is neither a metric, nor a run, nor anything that these runs logged
    hint: did you mean 'acc'?
    ");
    insta::assert_snapshot!(refused(&repo, &["val*", "diverged"]), @r"
    error: no metric matches 'val*'
    hint: the metrics are acc, loss
    ");
    insta::assert_snapshot!(refused(&repo, &["loss", "bold-fox", "--x", "stp"]), @r"
    error: nothing called 'stp' can stand across
    hint: did you mean 'step'?
    ");
    insta::assert_snapshot!(refused(&repo, &["loss", "bold-fox", "--range", "200:300"]), @r"
    error: there is nothing to draw
    hint: no point lies in that '--range'
    ");
    insta::assert_snapshot!(refused(&repo, &["--kind", "scatter", "acc"]), @r"
    error: dots want two fields: what stands across, and what stands upwards
    hint: as in `git xtrack plot --kind scatter params.lr metrics.acc`
    ");
    insta::assert_snapshot!(refused(&repo, &["--kind", "bar", "acc", "--smooth", "0.5"]), @r"
    error: '--smooth' is for lines
    hint: leave it out, or draw '--kind line'
    ");
    insta::assert_snapshot!(refused(&repo, &["loss", "-o", "plot.gif"]), @r"
    error: cannot tell from 'plot.gif' what to write
    hint: end it in .svg, .png, .html or .json
    ");
    insta::assert_snapshot!(refused(&repo, &["--svg", "loss", "bold-fox"]), @r"
    error: 'loss' does not end in .svg
    hint: to print what '--svg' gives, let it be the last argument
    ");
    let output = plot(&repo, &["loss", "no-such-run", "bold-fox"]);
    assert!(output.code != 0 && output.stderr.contains("no-such-run"), "{}", output.stderr);
    let output = plot(&repo, &["loss", "bold-fox", "no-such-run"]);
    assert_eq!(output.code, 4, "{}", output.stderr);
}

#[test]
fn a_run_that_diverged_does_not_flatten_the_others() {
    let repo = Repo::new();
    four(&repo);
    let drawn = &figures(&repo, &["loss", "quiet-otter", "bold-fox", "diverged"])[0];
    assert!(drawn["y"]["to"].as_f64().unwrap() < 3.0, "{}", drawn["y"]);
    assert_eq!(
        drawn["notes"],
        json!(["diverged leaves the chart, as far as 5e48: --log-y or --y-range all shows it"])
    );
    let all = &figures(&repo, &["loss", "quiet-otter", "diverged", "--y-range", "all"])[0];
    assert!(all["y"]["to"].as_f64().unwrap() > 1e48 && all["notes"] == json!([]));
    let log = &figures(&repo, &["loss", "quiet-otter", "diverged", "--log-y"])[0];
    assert_eq!((log["y"]["kind"].as_str(), &log["notes"]), (Some("log"), &json!([])));
    let part = &figures(&repo, &["loss", "diverged", "--y-range", "0:1", "--range", "10:60"])[0];
    assert_eq!((part["y"]["to"].as_f64(), part["x"]["from"].as_f64()), (Some(1.0), Some(10.0)));
}

#[test]
fn gaps_stay_gaps_and_are_said() {
    let repo = Repo::new();
    four(&repo);
    let drawn = &figures(&repo, &["loss", "gappy"])[0];
    assert_eq!(drawn["notes"], json!(["× 21 values NaN or infinite: gappy"]));
    let points = drawn["curves"][0]["points"].as_array().unwrap();
    let gap = points.iter().position(|point| point[1].is_null()).unwrap();
    assert_eq!((&points[gap - 1][0], &points[gap][0]), (&json!(29.0), &json!(30.0)));
    let text = plot(&repo, &["loss", "gappy", "--size", "60x12"]).ok().stdout;
    // A mark in each character that a gap is in, and one in the note.
    assert_eq!(text.matches('×').count(), 14, "{text}");
}

#[test]
fn a_single_value_is_a_dot_and_many_are_bars() {
    let repo = Repo::new();
    for (number, name) in ["one", "two", "three"].into_iter().enumerate() {
        let define = json!({"define": {"test": {"goal": "max"}}});
        Logged::new(number, name).say(define).points("test", [0.5 + number as f64 / 10.0]).adopt(&repo);
    }
    let dot = plot(&repo, &["test", "two", "--size", "40x8"]).ok().stdout;
    assert_eq!(dot.matches('●').count(), 1, "{dot}");
    let bars = plot(&repo, &["test", "one", "two", "three", "--size", "50x8"]).ok();
    insta::assert_snapshot!(bars.stdout, @r"
    test of 3 runs
    more is better
    three ███████████████████████████████████████ 0.7
    two   █████████████████████████████████▍ 0.6
    one   ███████████████████████████▉ 0.5
    ");
    assert_eq!(bars.stderr, "each run has one value of 'test': bars show it; '--kind line' draws dots\n");
    let dots = plot(&repo, &["test", "one", "two", "--kind", "line"]).ok();
    assert_eq!((dots.stderr.as_str(), dots.stdout.contains('A')), ("", true));
}

#[test]
fn what_a_log_axis_lacks_is_said() {
    let repo = Repo::new();
    Logged::new(1, "a")
        .points("loss", (0..50).map(|step| f64::from(step) / 10.0))
        .points("neg", [-1.0, -2.0])
        .adopt(&repo);
    let drawn = &figures(&repo, &["loss", "a", "--log-y", "--log-x"])[0];
    let notes = "× values at or below zero, which a log axis does not have";
    assert_eq!(drawn["notes"], json!(["what lies at or below zero is not on the log x axis", notes]));
    insta::assert_snapshot!(refused(&repo, &["neg", "a", "--log-y"]), @r"
    error: there is nothing to draw
    hint: a log axis has nothing at or below zero: leave out '--log-x' and '--log-y'
    ");
}

#[test]
fn time_and_other_metrics_can_stand_across() {
    let repo = Repo::new();
    let mut run = Logged::new(1, "a").say(json!({"define": {"loss": {"x": "epoch"}}}));
    for step in 0..20 {
        let points = json!({"loss": 1.0 / f64::from(step + 1), "epoch": step / 4, "plain": 1.0});
        run = run.say(json!({"t": 1_782_896_460 + 60 * step, "step": step, "points": points}));
    }
    run.adopt(&repo);
    let axis = |arguments: &[&str]| {
        let x = &figures(&repo, arguments)[0]["x"];
        (
            x["title"].as_str().unwrap().to_owned(),
            x["kind"].as_str().unwrap().to_owned(),
            x["to"].as_f64().unwrap(),
        )
    };
    let said = |title: &str, kind: &str, to: f64| (title.to_owned(), kind.to_owned(), to);
    assert_eq!(axis(&["loss", "a"]), said("epoch", "linear", 4.0));
    assert_eq!(axis(&["plain", "a"]), said("step", "linear", 19.0));
    assert_eq!(axis(&["loss", "plain", "a"]), said("step", "linear", 19.0));
    assert_eq!(axis(&["loss", "a", "--x", "step"]), said("step", "linear", 19.0));
    assert_eq!(axis(&["loss", "a", "--x", "time"]), said("time (UTC)", "unix seconds", 1_782_897_600.0));
    assert_eq!(axis(&["loss", "a", "--x", "relative"]), said("time since the run began", "seconds", 1200.0));
    assert_eq!(axis(&["plain", "a", "--x", "loss"]), said("loss", "linear", 1.0));
    let text = plot(&repo, &["plain", "a", "--x", "time", "--size", "60x8"]).ok().stdout;
    assert!(text.contains("07-01 09:05") && text.contains("09:15"), "{text}");
}

#[test]
fn smoothing_keeps_what_was_smoothed() {
    let repo = Repo::new();
    Logged::new(1, "a").points("loss", [1.0, 0.0, 0.0]).adopt(&repo);
    let curves = &figures(&repo, &["loss", "a", "--smooth", "0.5"])[0]["curves"];
    assert_eq!(
        (curves[0]["look"].as_str(), curves[0]["points"][1][1].as_f64()),
        (Some("unsmoothed"), Some(0.0))
    );
    assert_eq!(curves[1]["look"].as_str(), Some("line"));
    let smooth = curves[1]["points"][1][1].as_f64().unwrap();
    assert!((smooth - 1.0 / 3.0).abs() < 1e-12, "{smooth}");
}

#[test]
fn groups_are_averaged_with_their_spread() {
    let repo = Repo::new();
    for (number, (lr, loss)) in [(0.1, 1.0), (0.1, 3.0), (0.01, 5.0)].into_iter().enumerate() {
        Logged::new(number, "x").params(json!({"lr": lr})).points("loss", [loss, loss + 1.0]).adopt(&repo);
    }
    let drawn = &figures(&repo, &["loss", "--where", "metrics.loss > 0", "--group-by", "lr"])[0];
    let curves = drawn["curves"].as_array().unwrap();
    assert_eq!((curves[0]["label"].as_str(), curves[1]["label"].as_str()), (Some("lr=0.01"), Some("lr=0.1")));
    assert_eq!(curves[1]["points"], json!([[0.0, 2.0], [1.0, 3.0]]));
    assert_eq!(curves[1]["of"].as_array().unwrap().len(), 2);
    let band = drawn["bands"][1][0].as_array().unwrap();
    assert!((band[1].as_f64().unwrap() - (2.0 - 2.0_f64.sqrt())).abs() < 1e-12, "{band:?}");
    let bars = &figures(&repo, &["--kind", "bar", "loss", "--group-by", "lr"])[0]["bars"];
    assert_eq!((bars[0]["value"].as_f64(), bars[1]["value"].as_f64()), (Some(6.0), Some(3.0)));
    assert!((bars[1]["std"].as_f64().unwrap() - 2.0_f64.sqrt()).abs() < 1e-12);
}

#[test]
fn fields_of_many_runs_are_dots_bars_columns_and_lines() {
    let repo = Repo::new();
    for number in 0..9 {
        let params = json!({"lr": 10_f64.powi(-(number % 3)), "optimizer": if number % 2 == 0 { "sgd" } else { "adam" }, "width": 64});
        Logged::new(number as usize, "x")
            .params(params)
            .points("acc", [0.1 * f64::from(number)])
            .adopt(&repo);
    }
    let scatter =
        &figures(&repo, &["--kind", "scatter", "lr", "acc", "--log-x", "--group-by", "optimizer"])[0];
    assert_eq!(
        (scatter["title"].as_str(), scatter["x"]["kind"].as_str()),
        (Some("acc by lr of 9 runs"), Some("log"))
    );
    assert_eq!(scatter["curves"].as_array().unwrap().len(), 2);
    let columns = figures(&repo, &["--kind", "histogram", "acc", "--bins", "4"])[0]["columns"]
        .as_array()
        .unwrap()
        .clone();
    let heights: Vec<f64> = columns.iter().map(|column| column[2].as_f64().unwrap()).collect();
    assert_eq!(heights, [2.0, 2.0, 2.0, 3.0]);
    let parallel = &figures(&repo, &["--kind", "parallel", "acc"])[0];
    let titles: Vec<&str> =
        parallel["axes"].as_array().unwrap().iter().map(|axis| axis["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["lr (log)", "optimizer", "acc"]);
    assert_eq!(parallel["axes"][1]["names"], json!(["adam", "sgd"]));
    assert_eq!(parallel["lines"].as_array().unwrap().len(), 9);
    insta::assert_snapshot!(refused(&repo, &["--kind", "bar", "optimizer"]), @r"
    error: no run has numbers for 'optimizer'
    hint: text is drawn by '--group-by', as '--kind bar METRIC --group-by FIELD'
    ");
    insta::assert_snapshot!(refused(&repo, &["--kind", "scatter", "lrr", "acc"]), @r"
    error: 'lrr' is no param, metric or attribute here
    hint: did you mean 'lr'?
    ");
}

fn things(repo: &Repo) {
    for (number, name, height) in [(11, "good", 1.0), (12, "bad", 0.5)] {
        let roc = |height: f64| json!({"kind": "roc", "x": [0, 0.0, 1], "y": [0, height, 1], "x_name": "fpr", "y_name": "tpr"});
        Logged::new(number, name)
            .points("loss", [1.0, 0.5])
            .thing("roc", "curve", 1, roc(0.25))
            .thing("roc", "curve", 2, roc(height))
            .thing(
                "confusion_matrix",
                "confusion_matrix",
                2,
                json!({"labels": ["cat", "dog"], "counts": [[8, 2], [1, 9]]}),
            )
            .thing("weights", "histogram", 2, json!({"edges": [-1.0, 0.0, 1.0, 2.0], "counts": [1, 4, 2]}))
            .thing(
                "errors",
                "table",
                2,
                json!({"columns": ["y_true", "y_pred"], "rows": [["a", "b"], ["a", "a"]]}),
            )
            .thing("depth", "table", 2, json!({"columns": ["depth", "error"], "rows": [[1, 0.5], [2, 0.25]]}))
            .thing("words", "table", 2, json!({"columns": ["a"], "rows": [["x"]]}))
            .adopt(repo);
    }
}

#[test]
fn what_runs_logged_is_drawn_by_its_name() {
    let repo = Repo::new();
    things(&repo);
    let roc = &figures(&repo, &["roc", "good", "bad"])[0];
    assert_eq!((roc["title"].as_str(), roc["x"]["title"].as_str()), (Some("roc of 2 runs"), Some("fpr")));
    assert_eq!(roc["curves"].as_array().unwrap().len(), 3);
    assert_eq!(figures(&repo, &["roc", "bad"])[0]["curves"][0]["points"][1], json!([0.0, 0.5]));
    assert_eq!(
        figures(&repo, &["--curve", "roc", "bad", "--step", "1"])[0]["curves"][0]["points"][1],
        json!([0.0, 0.25])
    );
    let terminal = plot(&repo, &["good", "--confusion", "--size", "60x12"]).ok().stdout;
    insta::assert_snapshot!(terminal, @r"
    confusion_matrix of good at step 2
    true ↓  predicted →
          cat  dog
     cat    8    2
     dog    1    9
    85% of 20 right; shades are parts of their row
    ");
    assert_eq!(figures(&repo, &["confusion_matrix", "good", "bad"]).len(), 2);
    assert_eq!(figures(&repo, &["weights", "good"])[0]["columns"][1], json!([0.0, 1.0, 4.0]));
    assert_eq!(figures(&repo, &["--histogram", "weights", "good"])[0]["columns"][1], json!([0.0, 1.0, 4.0]));
    assert_eq!(figures(&repo, &["errors", "good"])[0]["counts"], json!([[1.0, 1.0], [0.0, 0.0]]));
    assert_eq!(
        figures(&repo, &["--table", "depth", "good"])[0]["curves"][0]["points"],
        json!([[1.0, 0.5], [2.0, 0.25]])
    );
    assert_eq!(figures(&repo, &["loss", "roc", "good"]).len(), 2);
    insta::assert_snapshot!(refused(&repo, &["rocc", "good"]), @r"
    error: 'rocc' is neither a metric, nor a run, nor anything that these runs logged
    hint: did you mean 'roc'?
    ");
    insta::assert_snapshot!(refused(&repo, &["--curve", "weights", "good"]), @r"
    error: these runs logged no curve 'weights'
    hint: they logged roc
    ");
    insta::assert_snapshot!(refused(&repo, &["roc", "good", "--step", "9"]), @r"
    error: 'roc' was not logged at step 9
    hint: leave out '--step' for the last
    ");
    insta::assert_snapshot!(refused(&repo, &["words", "good"]), @"error: the table 'words' has no two columns of numbers to draw");
}

#[test]
fn svg_is_one_picture_with_nothing_from_outside() {
    let repo = Repo::new();
    four(&repo);
    let output = plot(&repo, &["loss", "quiet-otter", "bold-fox", "--svg"]).ok();
    let svg = &output.stdout;
    assert!(
        svg.starts_with("<svg width=\"900\" height=\"540\" viewBox=\"0 0 7200 4320\" xmlns="),
        "{}",
        &svg[..90]
    );
    assert!(svg.trim_end().ends_with("</svg>"));
    assert_eq!(svg.matches("stroke=\"#0072B2\"").count(), 2, "the curve and its sign in the legend");
    for text in ["loss of 2 runs", "quiet-otter", "bold-fox", "step", "nats, less is better"] {
        assert!(svg.contains(&format!("\n{text}")), "{text}");
    }
    assert!(!svg.contains("href") && !svg.contains("<script") && !svg.contains("url("));
    let drawn = plot(&repo, &["loss", "bold-fox", "-o", "plots.svg", "--size", "400x300"]);
    assert_eq!((drawn.code, drawn.stdout.as_str()), (0, ""), "{}", drawn.stderr);
    assert!(repo.read("plots.svg").starts_with("<svg width=\"400\" height=\"300\""));
}

#[test]
fn png_is_of_the_size_that_was_asked_for() {
    let repo = Repo::new();
    four(&repo);
    let size = |file: &str| {
        let file = std::io::BufReader::new(fs::File::open(repo.path().join(file)).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let colours: std::collections::BTreeSet<&[u8]> = pixels.chunks_exact(3).collect();
        assert!(colours.contains(&[0, 114, 178][..]) && colours.contains(&[255, 255, 255][..]));
        (info.width, info.height)
    };
    plot(&repo, &["loss", "quiet-otter", "bold-fox", "--png", "a.png"]).ok();
    assert_eq!(size("a.png"), (1800, 1080));
    plot(&repo, &["loss", "acc", "quiet-otter", "--panels", "-o", "b.png", "--size", "640x360"]).ok();
    assert_eq!(size("b.png"), (640, 720));
}

#[test]
fn a_page_needs_nothing_from_outside_and_is_allowed_nothing() {
    let repo = Repo::new();
    four(&repo);
    plot(&repo, &["loss", "quiet-otter", "--html", "loss.html"]).ok();
    let page = repo.read("loss.html");
    assert!(page.contains("content=\"default-src 'none';") && page.contains("plotly.js v"));
    for outside in ["src=\"http", "src='http", "href=\"http", "<link", "<img", "<iframe", "@import"] {
        let tags =
            page.split("<script").map(|part| part.split_once("</script>").map_or(part, |(_, rest)| rest));
        assert!(!tags.collect::<String>().contains(outside), "{outside}");
    }
    assert_eq!(page.matches("</script>").count(), 2);
}

#[test]
fn hostile_names_are_harmless_everywhere() {
    let repo = Repo::new();
    let name = "<b>\"&'</script><script>alert(1)</script>";
    let metric = "x</title>${{7*7}}";
    Logged::new(1, name).points(metric, [1.0, 2.0]).adopt(&repo);
    repo.xtrack(&["record", "--name", "twin", "-p", "p=\u{1b}[2J\u{202e}", "-m", "acc=1"]).ok();
    repo.xtrack(&["record", "--name", "twin", "-p", "p=b", "-m", "acc=2"]).ok();
    let svg = plot(&repo, &[metric, name, "--svg"]).ok().stdout;
    assert!(!svg.contains("<script") && !svg.contains("<b>") && svg.contains("&lt;b&gt;"), "{svg}");
    let html = plot(&repo, &[metric, name, "--html"]).ok().stdout;
    assert_eq!((html.matches("<script").count(), html.matches("<b>").count()), (2, 0));
    assert!(!html.contains("alert(1)</script>"));
    for form in [&[][..], &["--svg"], &["--json"]] {
        let arguments = [&["--kind", "bar", "acc", "--label", "params.p"], form].concat();
        let output = plot(&repo, &arguments).ok().stdout;
        assert!(
            !output.contains('\u{1b}') && (form == ["--json"] || !output.contains('\u{202e}')),
            "{output:?}"
        );
    }
    let names = &figures(&repo, &["--kind", "bar", "acc"])[0]["bars"];
    assert_ne!(names[0]["label"], names[1]["label"], "two runs of one name are told apart");
}

#[test]
fn a_spike_among_many_points_is_drawn() {
    let repo = Repo::new();
    let values =
        (0..50_000).map(|step| if step == 33_333 { 50.0 } else { 1.0 + f64::from(step % 7) / 100.0 });
    Logged::new(1, "a").points("loss", values).adopt(&repo);
    let curve = &figures(&repo, &["loss", "a"])[0]["curves"][0];
    let points = curve["points"].as_array().unwrap();
    assert!(points.len() < 50_000 && points.contains(&json!([33_333.0, 50.0])), "{}", points.len());
    let svg = plot(&repo, &["loss", "a", "--svg"]).ok().stdout;
    assert!(svg.len() < 120_000, "{}", svg.len());
}

#[test]
fn a_live_run_is_drawn_as_far_as_it_is() {
    let repo = Repo::new();
    let owner = Sleeper::new();
    let folder = live::begin(&repo, &owner, &["--name", "live"]);
    let roc = json!({"n": 4, "step": 2, "thing": {"name": "roc", "kind": "curve", "value": {"kind": "roc", "x": [0, 1], "y": [0, 1]}}});
    live::journal(&folder, "w", &format!("{}{roc}\n", live::lines("{\"pid\":1}", 3, None)));
    let drawn = &figures(&repo, &["loss", "live"])[0];
    assert_eq!(drawn["curves"][0]["points"], json!([[0.0, 3.5], [1.0, 2.5], [2.0, 1.5]]));
    assert_eq!(figures(&repo, &["roc", "live"])[0]["curves"][0]["points"], json!([[0.0, 0.0], [1.0, 1.0]]));
    owner.kill();
}

/// The examples of docs/plots.md, run as they stand, print what stands below them.
#[test]
fn the_examples_of_the_page_are_true() {
    let repo = Repo::new();
    four(&repo);
    things(&repo);
    repo.git(&["config", "xtrack.primary", "acc"]);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/plots.md");
    let text = fs::read_to_string(&page).unwrap();
    let mut written = String::new();
    for (index, part) in text.split("```").enumerate() {
        written.push_str(if index > 0 { "```" } else { "" });
        let Some(block) = part.strip_prefix("console\n").filter(|_| index % 2 == 1) else {
            written.push_str(part);
            continue;
        };
        written.push_str("console\n");
        for command in block.lines().filter_map(|line| line.strip_prefix("$ git xtrack ")) {
            let words = shell_words::split(command).unwrap();
            let output = repo.xtrack(&words);
            assert_eq!(output.code, 0, "{command}: {}", output.stderr);
            let printed: String =
                output.stdout.lines().map(|line| format!("{}\n", line.trim_end())).collect();
            write!(written, "$ git xtrack {command}\n{printed}").unwrap();
        }
    }
    if std::env::var_os("XTRACK_BLESS").is_some() {
        fs::write(&page, &written).unwrap();
    }
    let text = fs::read_to_string(&page).unwrap();
    for (shown, printed) in text.lines().zip(written.lines()) {
        assert_eq!(shown, printed, "`XTRACK_BLESS=1 cargo test plot` writes what is printed");
    }
    assert_eq!(text.lines().count(), written.lines().count());
}
