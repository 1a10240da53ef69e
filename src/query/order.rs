//! In which order runs come.

use std::cmp::Ordering;

use crate::error::Problem;
use crate::human;
use crate::query::test::{is_number, order};
use crate::query::{Attribute, Field, Part, Vocabulary, column, name, parse, written};
use crate::run::Run;
use crate::run::attempt::Status;
use crate::run::value::Value;

/// Fields, the first that differs deciding; ties are in the order of ids.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Order(pub Vec<Key>);

/// One field to sort by.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// By what.
    pub field: Field,
    /// Whether the largest comes first. What is NaN comes late and what is absent last, whichever the direction.
    pub descending: bool,
}

impl Order {
    /// The newest first.
    pub fn newest() -> Self {
        let key = |attribute| Key { field: Field::Attribute(attribute), descending: true };
        Order(vec![key(Attribute::Started), key(Attribute::Id)])
    }

    /// Reads what is typed after `--sort`: `FIELD` or `-FIELD` each, MLflow's `FIELD ASC` and `FIELD DESC` too. Without
    /// any the newest come first. A field that no run has is an error, unless there are no names at all.
    pub fn parse(words: &[String], known: &Vocabulary) -> Result<Self, Problem> {
        match words.is_empty() {
            true => Ok(Self::newest()),
            false => words.iter().map(|word| key(word, known)).collect::<Result<_, _>>().map(Order),
        }
    }

    /// Sorts the runs.
    pub fn sort(&self, runs: &mut [Run]) {
        self.sort_by(runs, |run| run);
    }

    /// Sorts what has a run each.
    pub fn sort_by<T>(&self, items: &mut [T], run: impl Fn(&T) -> &Run) {
        items.sort_by_cached_key(|item| {
            let run = run(item);
            let keys: Vec<Sorted> = self.0.iter().map(|key| Sorted::of(key, run)).collect();
            (keys, run.id.clone())
        });
    }
}

fn key(word: &str, known: &Vocabulary) -> Result<Key, Problem> {
    let word = word.trim();
    let (name, descending) = match word.strip_prefix('-') {
        Some(name) => (name, true),
        None => direction(word),
    };
    let field = field(name.trim(), known)?;
    refuse_of_series(&field)?;
    Ok(Key { field, descending })
}

/// MLflow's direction after the field.
fn direction(word: &str) -> (&str, bool) {
    let Some((name, last)) = word.rsplit_once(char::is_whitespace) else { return (word, false) };
    match () {
        () if last.eq_ignore_ascii_case("desc") => (name, true),
        () if last.eq_ignore_ascii_case("asc") => (name, false),
        () => (word, false),
    }
}

fn field(text: &str, known: &Vocabulary) -> Result<Field, Problem> {
    let parsed = parse::name(text)?;
    let no_names = known.params.is_empty() && known.metrics.is_empty() && known.tags.is_empty();
    match name::field(text, known) {
        Ok(field) if no_names || name::is_known(&field, known) => Ok(field),
        Err(_) if no_names => Ok(Field::Metric(parsed.text(), Part::Shown)),
        Err(problem) if name::is_ambiguous(&parsed, known) => Err(problem),
        _ => Err(unknown(text, known)),
    }
}

/// What only the points of single series say is in no order: all of them would have to be read.
pub fn refuse_of_series(field: &Field) -> Result<(), Problem> {
    match field {
        Field::Metric(name, part) if part.is_of_series() => {
            let problem = Problem::usage(format!("'{}' is known of single series only", field.title()));
            Err(problem.hint(format!(
                "take the last, the smallest or the largest: `{name}`, `{name}.min`, `{name}.max`"
            )))
        }
        _ => Ok(()),
    }
}

fn unknown(name: &str, known: &Vocabulary) -> Problem {
    let names = known.metrics.iter().chain(&known.params).map(String::as_str);
    let attributes = || column::ATTRIBUTES.iter().map(|(_, names)| names[0]);
    let bare = name.split_once('.').filter(|_| name.starts_with("metrics.") || name.starts_with("params."));
    let bare = bare.map_or(name, |(_, bare)| bare);
    let problem = Problem::usage(format!("no run here has '{}' to sort by", parse::shown(name)));
    match human::nearest(bare, attributes().chain(names)) {
        Some(near) => problem.hint(format!("did you mean '{near}'?")),
        None => {
            let some: Vec<&str> = attributes().take(7).collect();
            problem.hint(format!("sort by a metric, a param, or one of {}", some.join(", ")))
        }
    }
}

impl Key {
    /// Where a run comes that has this there, as [`Field::get`] gives it, but for moments, which are microseconds.
    pub fn rank(&self, value: Option<Value>) -> Sorted {
        let value = match &self.field {
            Field::Attribute(Attribute::Status) => {
                value.as_ref().and_then(Value::as_text).and_then(Status::parse).map(severity).map(Value::Int)
            }
            _ => value.and_then(sortable),
        };
        Sorted { value, descending: self.descending }
    }
}

/// What a run is sorted by.
#[derive(Debug, Clone)]
pub struct Sorted {
    value: Option<Value>,
    descending: bool,
}

impl Sorted {
    fn of(key: &Key, run: &Run) -> Self {
        key.rank(match &key.field {
            Field::Attribute(Attribute::Started) => run.started.map(|time| Value::Int(time.0)),
            Field::Attribute(Attribute::Ended) => run.ended.map(|time| Value::Int(time.0)),
            field => field.get(run),
        })
    }

    /// Numbers, text, NaN, nothing: this order holds in both directions.
    fn class(&self) -> u8 {
        match &self.value {
            Some(Value::Float(float)) if float.is_nan() => 2,
            Some(number) if is_number(number) => 0,
            Some(_) => 1,
            None => 3,
        }
    }
}

/// Numbers and text as they are, false before true, all else by its text; nothing is nothing.
fn sortable(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Bool(bool) => Some(Value::Int(bool.into())),
        Value::Text(_) | Value::Int(_) | Value::BigInt(_) | Value::Float(_) => Some(value),
        other => written::texts(&other).into_iter().next().map(Value::Text),
    }
}

fn severity(status: Status) -> i64 {
    Status::ALL.iter().position(|known| *known == status).unwrap_or_default() as i64
}

impl Ord for Sorted {
    fn cmp(&self, other: &Self) -> Ordering {
        let within = match (&self.value, &other.value) {
            (Some(one), Some(other)) => order(one, other).unwrap_or(Ordering::Equal),
            _ => Ordering::Equal,
        };
        let within = if self.descending { within.reverse() } else { within };
        self.class().cmp(&other.class()).then(within)
    }
}

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Sorted {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Sorted {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::sample::{plain, run, runs, table};

    fn order_of(words: &[&str]) -> Result<String, Problem> {
        let mut runs = runs();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Order::parse(&words, &Vocabulary::of(&runs))?.sort(&mut runs);
        Ok(runs.into_iter().filter_map(|run| run.name).collect())
    }

    #[test]
    fn sorted_by_anything_with_the_absent_last() {
        let table: &[(&[&str], &str)] = &[
            (&[], "51234"),
            (&["started"], "43215"),
            (&["-started"], "51234"),
            (&["id"], "43215"),
            // Infinity is a number; what has none is last in both directions, by id.
            (&["acc"], "21345"),
            (&["-metrics.acc"], "31245"),
            (&["metrics.acc DESC"], "31245"),
            (&["metrics.`acc` asc"], "21345"),
            // NaN comes late, the absent later.
            (&["loss"], "21435"),
            (&["-loss"], "21435"),
            (&["-acc.min"], "21345"),
            (&["experiment", "-started"], "12453"),
            (&["-experiment", "started"], "42135"),
            // Numbers before text, exactly.
            (&["params.lr"], "31425"),
            (&["-params.lr"], "41325"),
            (&["-epochs"], "43125"),
            (&["flag"], "21435"),
            (&["-status", "id"], "53241"),
            (&["duration"], "42135"),
            (&["model.depth"], "14325"),
            (&["tags.fold"], "21435"),
        ];
        for (words, wanted) in table {
            assert_eq!(order_of(words).as_deref(), Ok(*wanted), "{words:?}");
        }
    }

    #[test]
    fn an_unknown_field_names_the_nearest() {
        let problem = order_of(&["banana"]).expect_err("no run has it");
        assert_eq!(problem.message, "no run here has 'banana' to sort by");
        assert_eq!(
            problem.hints,
            ["sort by a metric, a param, or one of id, name, experiment, status, started, ended, duration"]
        );
        for word in ["-metrics.lss", "lss", "params.lss"] {
            let problem = order_of(&[word]).expect_err("no run has it");
            assert_eq!(problem.hints, ["did you mean 'loss'?"], "{word}");
        }
        let problem = order_of(&["-key"]).expect_err("a param and an attribute");
        assert_eq!(problem.message, "'key' is ambiguous: it may be 'attributes.key' or 'params.key'");
        let problem = order_of(&["loss min"]).expect_err("two words");
        assert_eq!(problem.message, "a name ends here");
        assert_eq!(problem.excerpt, ["  loss min", "       ^^^"]);
    }

    #[test]
    fn without_any_names_any_field_will_do() {
        let words = ["-accuracy".to_owned()];
        assert!(Order::parse(&words, &Vocabulary::default()).is_ok());
        let named = Vocabulary::of([&run(&plain(1, 0.0))]);
        assert!(Order::parse(&words, &named).is_ok());
    }

    #[test]
    fn nothing_is_not_text() {
        let mut facts = plain(1, 0.0);
        facts.params = table([("note", Value::Null)]);
        let mut other = plain(2, 1.0);
        other.params = table([("note", "".into())]);
        let mut runs = [run(&facts), run(&other)];
        Order::parse(&["note".to_owned()], &Vocabulary::of(&runs)).expect_err("an attribute too");
        let order = Order::parse(&["params.note".to_owned()], &Vocabulary::of(&runs)).expect("a param");
        order.sort(&mut runs);
        assert_eq!(runs[0].name.as_deref(), Some("2"));
    }
}
