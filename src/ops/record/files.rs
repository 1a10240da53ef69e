//! Files of params and metrics, as values: TOML, YAML and JSON, told by the name's ending.
//!
//! Takes bytes and does no I/O. What cannot be kept exactly is refused with the reason and the line.

/// JSON.
pub mod json_text;
/// Sizes, depths and keys.
pub mod limits;
/// TOML.
pub mod toml_text;
/// YAML.
mod yaml_text;

use indexmap::IndexMap;

use crate::error::Problem;
use crate::human;
use crate::ops::record::files::limits::FILE_MAX;
use crate::ops::record::key_value;
use crate::run::attempt::Number;
use crate::run::value::{Table, Value};

/// Reads a file of params: a dict, nested as it is written.
pub fn read_params(name: &str, bytes: &[u8]) -> Result<Table, Problem> {
    read(name, bytes).and_then(limits::settle).map_err(|problem| about(name, problem))
}

/// Reads a file of metrics: a dict of numbers; nested ones are named `a.b`.
pub fn read_metrics(name: &str, bytes: &[u8]) -> Result<IndexMap<String, Number>, Problem> {
    let mut metrics = IndexMap::new();
    let flat = read(name, bytes).and_then(|table| flatten(&mut metrics, "", table));
    flat.map(|()| metrics).map_err(|problem| about(name, problem))
}

type Reader = fn(&str) -> Result<Value, Problem>;

/// The notations, by how a name ends.
const READERS: &[(&str, Reader)] = &[
    (".toml", |text| toml_text::read(text).map(Value::Table)),
    (".yaml", yaml_text::read),
    (".yml", yaml_text::read),
    (".json", json_text::read),
];

fn read(name: &str, bytes: &[u8]) -> Result<Table, Problem> {
    let lower = name.to_ascii_lowercase();
    let reader = READERS.iter().find(|(ending, _)| lower.ends_with(ending));
    let Some((_, reader)) = reader else {
        let known: Vec<_> = READERS.iter().map(|(ending, _)| *ending).collect();
        return Err(Problem::usage("its name does not say what it holds")
            .hint(format!("params and metrics are read from files that end in {}", known.join(", "))));
    };
    if bytes.len() > FILE_MAX {
        let (size, limit) = (human::size(bytes.len() as u64), human::size(FILE_MAX as u64));
        return Err(Problem::usage(format!("it has {size}: {limit} is the limit"))
            .hint("record it as an artifact (`-a`) or an input (`--input`)"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Problem::usage("it is not UTF-8"))?;
    match reader(text.strip_prefix('\u{feff}').unwrap_or(text))? {
        Value::Table(table) => Ok(table),
        // A YAML file whose lines are all comments.
        Value::Null => Ok(Table::new()),
        _ => Err(Problem::usage("it holds no dict: names and values are needed at the top")),
    }
}

fn flatten(metrics: &mut IndexMap<String, Number>, prefix: &str, table: Table) -> Result<(), Problem> {
    for (key, value) in table {
        limits::check_key(&key)?;
        let name = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(nested) => flatten(metrics, &name, nested)?,
            value => {
                let number = key_value::metric_number(&name, &value)?;
                key_value::insert_metric(metrics, name, number)?;
            }
        }
    }
    Ok(())
}

fn about(name: &str, problem: Problem) -> Problem {
    Problem { message: format!("cannot read '{}': {}", name.escape_debug(), problem.message), ..problem }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::run::text;
    use proptest::prelude::*;

    /// The params of a file, as the record would hold them.
    fn params(name: &str, content: &str) -> String {
        match read_params(name, content.as_bytes()) {
            Ok(table) => {
                let document: Table = [("params".to_owned(), Value::Table(table))].into_iter().collect();
                text::write(&document).strip_prefix("[params]\n").unwrap_or_default().to_owned()
            }
            Err(problem) => format!("refused: {problem}"),
        }
    }

    #[test]
    fn the_three_notations_say_the_same() {
        let toml = "lr = 0.1\nsteps = 1_000\nbig = 0xFFFFFFFFFFFFFFFF\ndate = 2026-01-02\n[model]\ndepth = 3\n\"a.b\" = [1, 'x']\n";
        let yaml = "# a comment\nlr: 1e-1\nsteps: 1_000\nbig: 18446744073709551615\ndate: 2026-01-02\nmodel:\n  depth: 3\n  a.b: [1, x]\n";
        let json = r#"{"lr": 0.1, "steps": 1000, "big": 18446744073709551615, "date": "2026-01-02", "model": {"depth": 3, "a.b": [1, "x"]}}"#;
        let expected = "lr = 0.1\nsteps = 1000\nbig = { \"$int\" = \"18446744073709551615\" }\ndate = \"2026-01-02\"\nmodel.depth = 3\nmodel.\"a.b\" = [1, \"x\"]\n";
        assert_eq!(params("p.toml", toml), expected);
        assert_eq!(params("p.yaml", yaml), expected);
        assert_eq!(params("conf/P.YML", yaml), expected);
        assert_eq!(params("p.json", json), expected);
        assert_eq!(params("p.json", &format!("\u{feff}{json}")), expected);
    }

    #[test]
    fn each_notation_has_its_own_ways() {
        let table = [
            (
                "p.json",
                r#"{"a": NaN, "b": [-Infinity, Infinity], "c": -0, "d": "\ud83d\ude00\u00e9"}"#,
                "a = nan\nb = [-inf, inf]\nc = 0\nd = \"😀é\"\n",
            ),
            ("p.json", "{}", ""),
            ("p.yaml", "", ""),
            ("p.yaml", "# nothing\n", ""),
            (
                "p.yaml",
                "a: yes\nb: ~\nc:\nd: True\ne: .nan\nf: -.inf\ng: 010\nh: 0x1F\ni: '1'\nj: 1:30\nk: inf\nl: .5\nm: 1.\n",
                "a = \"yes\"\nb = { \"$null\" = true }\nc = { \"$null\" = true }\nd = true\ne = nan\nf = -inf\ng = \"010\"\nh = 31\ni = \"1\"\nj = \"1:30\"\nk = \"inf\"\nl = 0.5\nm = 1.0\n",
            ),
            ("p.yaml", "1: a\ntrue: b\n2.50: c\n", "1 = \"a\"\ntrue = \"b\"\n\"2.50\" = \"c\"\n"),
            (
                "p.yaml",
                "base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\nagain: *b\n",
                "base.x = 1\nbase.y = 2\nuse.x = 1\nuse.y = 3\nagain.x = 1\nagain.y = 2\n",
            ),
            (
                "p.yaml",
                "a: !!str 1\nb: !!float 1\nc: !!binary aGk=\nd: !!python/tuple [1, 2]\ne: !ENV x\n",
                "a = \"1\"\nb = 1.0\nc = { \"$bytes\" = \"aGk=\" }\nd = [1, 2]\ne = \"x\"\n",
            ),
            ("p.yaml", "---\na: 1\n...\n", "a = 1\n"),
            ("p.yaml", "a: |\n  two\n  lines\n", "a = \"two\\nlines\\n\"\n"),
            (
                "p.toml",
                "a = 1979-05-27 07:32:00Z\nb = [07:32:00]\n",
                "a = \"1979-05-27 07:32:00Z\"\nb = [\"07:32:00\"]\n",
            ),
            ("p.toml", "[[layers]]\nn = 1\n[[layers]]\nn = 2\n", "layers = [{ n = 1 }, { n = 2 }]\n"),
        ];
        for (name, content, expected) in table {
            let got = params(name, content).replace("[\n  ", "[").replace(",\n  ", ", ").replace(",\n]", "]");
            assert_eq!(got, expected, "{content}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused_with_a_reason() {
        let large = format!("{{\"a\": \"{}\"}}", "x".repeat(2 << 20));
        let huge = format!("{{\"a\": \"{}\"}}", "x".repeat(10 << 20));
        let table = [
            ("p.txt", "a = 1", "does not say what it holds"),
            ("p.json", "{\"a\": 1,\n \"a\": 2}", "line 2: the key \"a\" is there twice"),
            ("p.yaml", "a: 1\nb: 2\na: 3\n", "line 3: the key \"a\" is there twice"),
            ("p.yaml", "1: a\n\"1\": b\n", "twice"),
            ("p.toml", "a = 1\na = 2\n", "line 2: duplicate key"),
            ("p.toml", "a = \n", "line 1:"),
            ("p.json", "{\"a\": \n", "line 2: it ends where a value should be"),
            ("p.json", "{\"a\": 1} {\"a\": 2}", "more after the end"),
            ("p.json", r#"{"a": "\ud800"}"#, "surrogate"),
            ("p.json", r#"{"a": "\udc00x"}"#, "surrogate"),
            ("p.json", r#"{"a": 1e999}"#, "beyond what a double holds"),
            ("p.json", r#"{"a": 01}"#, "',' or '}'"),
            ("p.json", r#"{"a": 'x'}"#, "a value should be here"),
            ("p.json", "{\"a\": \"\\é\"}", "unknown '\\' escape"),
            ("p.json", "{\"a\": \"\t\"}", "control character"),
            ("p.json", "[1]", "holds no dict"),
            ("p.json", "{\"\": 1}", "a key is empty"),
            ("p.json", "{\"a\": [{\"x\\u001by\": 1}]}", "U+001B"),
            ("p.yaml", "a: 1\n---\nb: 2\n", "second document"),
            ("p.yaml", "a: [1, 2\nb: 3\n", "line "),
            ("p.yaml", "? [1]\n: 2\n", "cannot be a key"),
            ("p.yaml", "a: &x [*x]\n", "an alias stands within what it names"),
            ("p.yaml", "a: *nope\n", "line 1"),
            ("p.yaml", "a: !!int x\n", "is no integer"),
            ("p.yaml", "<<: 1\n", "'<<' takes"),
            ("p.json", &large, "a param holds at most 1.0 MiB"),
            ("p.json", &huge, "10.0 MiB is the limit"),
        ];
        for (name, content, expected) in table {
            let got = params(name, content);
            let shown = &content[..content.len().min(80)];
            assert!(got.starts_with("refused: cannot read ") && got.contains(expected), "{shown}: {got}");
        }
        assert!(read_params("p.json", b"{\"a\": \"\xff\"}").unwrap_err().message.contains("not UTF-8"));
    }

    #[test]
    fn deep_nesting_is_json_text_and_deeper_is_refused() {
        let nested = |depth: usize| format!("{{\"a\": {}1{}}}", "[".repeat(depth), "]".repeat(depth));
        for name in ["p.json", "p.yaml"] {
            assert!(!params(name, &nested(64)).contains("$json"), "{name}");
            assert!(params(name, &nested(65)).contains("\"$json\" = \"[1]\""), "{name}");
            assert!(params(name, &nested(100)).contains("$json"), "{name}");
            assert!(params(name, &nested(129)).contains("nests deeper than 128"), "{name}");
            assert!(params(name, &nested(100_000)).starts_with("refused"), "{name}");
        }
        let deep = format!("a = {}1{}", "[".repeat(70), "]".repeat(70));
        assert!(params("p.toml", &deep).contains("$json"));
        assert!(params("p.toml", &format!("a = {}", "[".repeat(100_000))).starts_with("refused"));
        let dotted = "a.".repeat(70);
        let multiplied = format!("x = {}1{}", format!("{{ {dotted}a = ").repeat(70), "}".repeat(70));
        assert!(params("p.toml", &multiplied).starts_with("refused"));
        let blocks: String = (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        assert!(params("p.yaml", &blocks).starts_with("refused"));
    }

    #[test]
    fn aliases_do_not_multiply_without_limit() {
        let mut bomb = "a0: &a0 [xxxxxxxxxx, xxxxxxxxxx]\n".to_owned();
        for level in 1..40 {
            let last = format!("*a{}", level - 1);
            bomb.push_str(&format!("a{level}: &a{level} [{last}, {last}, {last}, {last}]\n"));
        }
        assert!(params("p.yaml", &bomb).contains("multiply"));
    }

    #[test]
    fn metrics_are_flat_numbers() {
        let metrics = |content: &str| match read_metrics("m.json", content.as_bytes()) {
            Ok(metrics) => format!("{metrics:?}"),
            Err(problem) => format!("refused: {problem}"),
        };
        assert_eq!(
            metrics(r#"{"acc": 0.5, "val": {"loss": 1, "big": 18446744073709551616}, "nan": NaN}"#),
            "{\"acc\": Float(0.5), \"val.loss\": Int(1), \"val.big\": Int(18446744073709551616), \"nan\": Float(NaN)}"
        );
        let refused = [
            (r#"{"acc": "high"}"#, "the metric 'acc' is text"),
            (r#"{"acc": true}"#, "the metric 'acc' is a boolean"),
            (r#"{"acc": [1]}"#, "the metric 'acc' is a list"),
            (r#"{"acc": null}"#, "the metric 'acc' is null"),
            (r#"{"a.b": 1, "a": {"b": 2}}"#, "the metric 'a.b' is given twice"),
            (r#"{"a\tb": 1}"#, "U+0009"),
        ];
        for (content, expected) in refused {
            let got = metrics(content);
            assert!(got.contains(expected), "{content}: {got}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for name in ["p.toml", "p.yaml", "p.json"] {
                let _ = read_params(name, &bytes);
                let _ = read_metrics(name, &bytes);
            }
        }

        #[test]
        fn no_text_panics(text in "[\\[\\]{}:,\"'&*!<>|#a1e.=\\\\u \n-]{0,60}") {
            for name in ["p.toml", "p.yaml", "p.json"] {
                if let Ok(params) = read_params(name, text.as_bytes()) {
                    let document: Table = [("params".to_owned(), Value::Table(params))].into_iter().collect();
                    let written = text::write(&document);
                    prop_assert_eq!(text::write(&text::read(written.as_bytes()).unwrap()), written);
                }
            }
        }
    }
}
