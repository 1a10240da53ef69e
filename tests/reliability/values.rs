//! Every number that a training can have, through the whole way: logged by the client, recorded, and read back exactly as
//! JSON, as a series and as CSV.

use serde_json::Value;

use crate::support::Repo;
use crate::support::live::json;

const PROGRAM: &str = r#"
import xtrack

xtrack.log({"x": float("nan")}, step=0)
xtrack.log({"x": float("inf")}, step=1)
xtrack.log({"x": float("-inf")}, step=2)
xtrack.log({"x": -0.0}, step=3)
xtrack.log({"x": 5e-324}, step=4)
xtrack.log({"x": 2**53 + 1}, step=5)
xtrack.log({"x": 2**64 - 1}, step=6)
xtrack.log({"x": -2**63}, step=7)
xtrack.log({"x": 10**30}, step=8)
xtrack.log({"x": 1.7976931348623157e308}, step=9)
xtrack.log({"x": 0.1 + 0.2}, step=10)
xtrack.log({"x": True}, step=11)
# The same step again, one before it, a fraction, the least and the greatest.
xtrack.log({"x": 1.0}, step=11)
xtrack.log({"x": 2.0}, step=3)
xtrack.log({"x": 3.0}, step=11.5)
xtrack.log({"x": 4.0}, step=-2**63)
xtrack.log({"x": 5.0}, step=2**63 - 1)
xtrack.log({"x": 6.0})
xtrack.log({})
xtrack.log({"Loss": 1.0, "loss": 2.0, "\uff4coss": 3.0, "a/b": 4.0, "a\\b": 5.0, "x \"y\"": 7.0, "two\nlines": 8.0}, step=0)
run = xtrack.init()
run.config.update({"bytes": b"\x00\xff", "nan": float("nan"), "big": 2**70, "negative_zero": -0.0, "tiny": 5e-324, "nested": {"a.b": {"c": [1, 2.0, None]}}})
"#;

/// What `x` was, as JSON says it.
const VALUES: &[&str] = &[
    r#""NaN""#,
    r#""Infinity""#,
    r#""-Infinity""#,
    "-0.0",
    "5e-324",
    "9007199254740993",
    "18446744073709551615",
    "-9223372036854775808",
    "1000000000000000000000000000000",
    "1.7976931348623157e308",
    "0.30000000000000004",
];

#[test]
fn every_value_comes_back_as_it_was() {
    let repo = Repo::new();
    repo.write("train.py", PROGRAM);
    repo.commit("first");
    let output = repo.xtrack(&["record", "--", "python3", "train.py"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    let series = repo.xtrack(&["show", "@", "--series", "x", "--json", "--all"]).ok().stdout;
    // As text: a reader of JSON would round what is to be compared.
    for (step, value) in VALUES.iter().enumerate() {
        let wanted = format!("\"value\": {value}");
        let line = series.lines().find(|line| line.contains(&format!("\"step\": {step},")));
        assert!(
            line.is_some_and(|line| line.trim_end_matches([',', '}', ' ']).ends_with(&wanted)),
            "{step}: {line:?}, not {wanted}"
        );
    }
    for step in ["11.5", "-9223372036854775808", "9223372036854775807"] {
        assert!(series.contains(&format!("\"step\": {step},")), "{step}: {series}");
    }
    assert_eq!(series.matches("\"step\": 11,").count(), 2, "the same step twice: {series}");
    assert_eq!(series.matches("\"step\": 3,").count(), 2, "a step backwards: {series}");
    let points: Vec<Value> = serde_json::from_str(&series).unwrap();
    assert_eq!(points.len(), 18);
    let csv = repo.xtrack(&["show", "@", "--series", "x", "--csv", "--all"]).ok().stdout;
    assert_eq!(csv.lines().count(), 19, "{csv}");
    for value in ["nan", "inf", "-inf", "-0.0", "5e-324", "9007199254740993", "18446744073709551615"] {
        assert!(csv.lines().any(|line| line.ends_with(&format!(",{value}"))), "{value}: {csv}");
    }
    let whole = repo.xtrack(&["show", "@", "--json"]).ok().stdout;
    assert!(!whole.contains(": NaN") && !whole.contains(": Infinity"), "bare: {whole}");
    let run: Value = serde_json::from_str(&whole).unwrap();
    for (name, value) in
        [("Loss", 1.0), ("loss", 2.0), ("\u{ff4c}oss", 3.0), ("a/b", 4.0), ("a\\b", 5.0), ("x \"y\"", 7.0)]
    {
        assert_eq!(run["metrics"][name]["last"], value, "{name:?}: {}", run["metrics"]);
    }
    // What cannot be a name is passed over, and said.
    assert!(output.stderr.contains(r#""two\nlines""#), "{}", output.stderr);
    let params = &run["params"];
    assert_eq!(params["nan"], "NaN", "{params}");
    assert_eq!(params["bytes"]["$bytes"], "AP8=", "{params}");
    assert_eq!(params["nested"]["a.b"]["c"], serde_json::json!([1, 2.0, null]), "{params}");
    assert!(whole.contains("\"big\": 1180591620717411303424"), "{params}");
    assert!(whole.contains("\"negative_zero\": -0.0"), "{params}");
    assert_eq!(json(&repo, &["log", "--json"]).as_array().unwrap().len(), 1);
    repo.git(&["fsck", "--strict", "--full", "--no-dangling", "--no-progress"]);
}
