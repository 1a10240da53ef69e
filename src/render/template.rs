//! Writes answers by a template that the person gives: `{{ id }} {{ metrics.loss.last }}`, once for each element.
//!
//! Knows the template language (Jinja's, by minijinja) and what of it is here: values, filters, conditions and loops;
//! no files, no includes, and an end to every loop. What a run lacks is written as nothing.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use minijinja::value::{Rest, Value, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use serde_json::Value as Json;

use crate::error::Problem;
use crate::human;
use crate::render::{escape, json};
use crate::run::id::Time;

/// How many steps a template may take for one element.
const FUEL: u64 = 5_000_000;
/// How many characters of an object's id, and of a run's, tell it apart.
const SHORT: usize = 10;
const SHORT_RUN: usize = 8;
/// The most digits that a number is rounded to; it has no more.
const DIGITS_MAX: usize = 17;

/// The filters that a mistyped one was likely meant to be.
const FILTERS: [&str; 30] = [
    "age", "duration", "size", "short", "json", "round", "default", "abs", "attr", "bool", "dictsort",
    "first", "float", "format", "int", "items", "join", "last", "length", "list", "lower", "map", "max",
    "min", "replace", "safe", "sort", "split", "trim", "upper",
];

/// A template that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
}

/// What the elements are written against.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings {
    /// The moment that ages are counted from.
    pub now: Time,
    /// Whether `safe` gives text as it is: not on a terminal.
    pub exact: bool,
}

impl Template {
    /// Reads a template; outside of its tags `\t` and `\n` are what they are in most programs' formats.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let source = unescape(text);
        let mut environment = Environment::new();
        environment.set_debug(true);
        match environment.template_from_str(&source) {
            Ok(_) => Ok(Self { source: source.clone() }),
            Err(error) => Err(refused(&error, &source)),
        }
    }

    /// Writes each element, an end of line after each. What is returned a person should know: names that no element
    /// has.
    pub fn write(
        &self,
        elements: impl IntoIterator<Item = Result<Json>>,
        surroundings: Surroundings,
        out: &mut dyn FnMut(&str) -> Result<()>,
    ) -> Result<Vec<String>> {
        let environment = environment(surroundings);
        let template =
            environment.template_from_str(&self.source).map_err(|error| refused(&error, &self.source))?;
        let mut names = Names::of(&template.undeclared_variables(true), &environment);
        for element in elements {
            let element = element?;
            names.look(&element)?;
            let text = template.render(context(&element));
            let mut text =
                text.map_err(|error| refused(&error, &self.source)).with_context(|| of(&element))?;
            text.push('\n');
            out(&text)?;
        }
        Ok(names.notes())
    }
}

/// For which element it failed.
fn of(element: &Json) -> String {
    match element.get("id").and_then(Json::as_str) {
        Some(id) => format!("cannot write '{id}' by the template"),
        None => "cannot write by the template".to_owned(),
    }
}

/// `\t`, `\n` and `\\` outside of `{{ … }}`, `{% … %}` and `{# … #}` as the characters they stand for.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let tag =
            [("{{", "}}"), ("{%", "%}"), ("{#", "#}")].into_iter().find(|(open, _)| rest.starts_with(open));
        let escaped =
            [("\\t", '\t'), ("\\n", '\n'), ("\\\\", '\\')].into_iter().find(|(two, _)| rest.starts_with(two));
        let length = match (tag, escaped) {
            (Some((_, close)), _) => rest[2..].find(close).map_or(rest.len(), |end| 2 + end + 2),
            (None, Some((two, character))) => {
                out.push(character);
                rest = &rest[two.len()..];
                continue;
            }
            (None, None) => first.len_utf8(),
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out
}

/// What is said of a template that cannot be read or followed: why, and the place.
fn refused(error: &Error, source: &str) -> Problem {
    let range = error.range();
    let place = range.clone().and_then(|range| place(source, range.start, range.end));
    let why = match (error.kind(), error.detail()) {
        (ErrorKind::UnknownFilter, _) => {
            return unknown_filter(range.and_then(|range| source.get(range)), place);
        }
        (ErrorKind::OutOfFuel, _) => "the template takes too many steps".to_owned(),
        (ErrorKind::SyntaxError, Some(detail)) => format!("the template cannot be read: {detail}"),
        (kind, Some(detail)) => format!("the template cannot be followed: {kind}: {detail}"),
        (kind, None) => format!("the template cannot be followed: {kind}"),
    };
    with_place(Problem::usage(why), place)
}

fn with_place(problem: Problem, place: Option<[String; 2]>) -> Problem {
    place.into_iter().flatten().fold(problem, Problem::hint)
}

fn unknown_filter(name: Option<&str>, place: Option<[String; 2]>) -> Problem {
    let name = name.unwrap_or_default();
    let problem = with_place(Problem::usage(format!("there is no filter '{name}' for templates")), place);
    match human::nearest(name, FILTERS) {
        Some(near) => problem.hint(format!("did you mean '{near}'?")),
        None => problem.hint("`git xtrack help output` lists them"),
    }
}

/// The line of the template that holds the place, and marks under it.
fn place(source: &str, start: usize, end: usize) -> Option<[String; 2]> {
    let line_start = source.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
    let line_end = source[start..].find('\n').map_or(source.len(), |at| start + at);
    let width = |text: &str| escape::visible(text).chars().count();
    let marked = source.get(start..end.clamp(start, line_end)).map_or(1, width).max(1);
    let marks = format!("{}{}", " ".repeat(width(&source[line_start..start])), "^".repeat(marked));
    Some([source[line_start..line_end].to_owned(), marks])
}

fn environment(surroundings: Surroundings) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_debug(true);
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_formatter(move |out, _, value| format(out, value, surroundings.exact));
    environment.add_filter("age", move |value: Value| on_time(&value, surroundings.now));
    environment.add_filter("duration", |value: Value| {
        on_number(&value, |seconds| Ok(human::duration(seconds).into()))
    });
    environment.add_filter("size", |value: Value| {
        on_number(&value, |bytes| Ok(human::size(bytes.max(0.0) as u64).into()))
    });
    environment.add_filter("short", short);
    environment.add_filter("json", |value: Value| Value::from_safe_string(json::line(&to_json(&value))));
    environment.add_filter("round", round);
    // These two make text as long as they are told to, which no count of steps bounds.
    environment.remove_filter("indent");
    environment.add_filter("format", format_within);
    environment
}

/// Python's `%` formats, in which nothing is made wider than a line of a large terminal.
fn format_within(state: &mut State, pattern: &Value, values: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let text = pattern.as_str().unwrap_or_default();
    let is_layout = |character: &char| "#0- +.*123456789".contains(*character);
    let is_wide = |layout: &str| layout.contains('*') || layout.split(['.', ' ']).any(|part| part.len() > 5);
    let layouts = text.split('%').skip(1).map(|rest| rest.chars().take_while(is_layout).collect::<String>());
    if layouts.into_iter().any(|layout| is_wide(&layout)) {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "a width has few digits, and is not given as '*'",
        ));
    }
    minijinja::filters::format(state, pattern, values)
}

/// Writes a value: nothing for what is not there, numbers as JSON has them, text so that it is harmless.
fn format(out: &mut Output, value: &Value, exact: bool) -> Result<(), Error> {
    if value.is_none() || value.is_undefined() {
        return Ok(());
    }
    let text = match value.as_str() {
        Some(text) if exact && value.is_safe() => text.to_owned(),
        Some(text) => escape::visible(text),
        None => json::line(&to_json(value)),
    };
    Ok(out.write_str(&text)?)
}

/// The element's own keys, and `this` for the whole of it.
fn context(element: &Json) -> Value {
    let own = element.as_object().into_iter().flatten();
    let own: Vec<(&str, Value)> = own.map(|(key, value)| (key.as_str(), from_json(value))).collect();
    let whole = if element.is_object() { Value::from_pairs(own.clone()) } else { from_json(element) };
    Value::from_pairs(std::iter::once(("this", whole)).chain(own))
}

fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(bool) => Value::from(*bool),
        Json::Number(number) => from_number(number),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(array) => array.iter().map(from_json).collect(),
        Json::Object(object) => {
            Value::from_pairs(object.iter().map(|(key, value)| (key.as_str(), from_json(value))))
        }
    }
}

/// Integers are exact as far as templates calculate with them; beyond, they are text.
fn from_number(number: &serde_json::Number) -> Value {
    let digits = number.to_string();
    match number.as_i128() {
        Some(int) => Value::from(int),
        None if digits.contains(['.', 'e', 'E']) => {
            number.as_f64().map_or_else(|| Value::from(digits), Value::from)
        }
        None => Value::from(digits),
    }
}

fn to_json(value: &Value) -> Json {
    match value.kind() {
        ValueKind::Number if !value.is_integer() => {
            let number = f64::try_from(value.clone()).unwrap_or(f64::NAN);
            match serde_json::Number::from_f64(number) {
                Some(number) => Json::Number(number),
                None => Json::from(number.to_string()),
            }
        }
        ValueKind::Undefined | ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => serde_json::from_str(&value.to_string()).unwrap_or(Json::Null),
        ValueKind::Map => {
            let keys = value.try_iter().into_iter().flatten();
            let pair = |key: Value| {
                (key.to_string(), value.get_item(&key).map_or(Json::Null, |item| to_json(&item)))
            };
            Json::Object(keys.map(pair).collect())
        }
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().into_iter().flatten().map(|item| to_json(&item)).collect()
        }
        _ => Json::from(value.to_string()),
    }
}

/// What a filter of numbers makes of a value: what is not there, and NaN, which JSON has as text, stay what they are.
fn on_number(value: &Value, of: impl Fn(f64) -> Result<Value, Error>) -> Result<Value, Error> {
    let is_word = matches!(value.as_str(), Some("NaN" | "Infinity" | "-Infinity"));
    if value.is_none() || value.is_undefined() || is_word {
        return Ok(value.clone());
    }
    match f64::try_from(value.clone()) {
        Ok(number) if value.is_number() => of(number),
        _ => Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("a number is wanted, not a {}", value.kind()),
        )),
    }
}

/// How long ago a time was.
fn on_time(value: &Value, now: Time) -> Result<Value, Error> {
    if value.is_none() || value.is_undefined() {
        return Ok(value.clone());
    }
    match value.as_str().and_then(Time::parse) {
        Some(time) => Ok(human::age(now.seconds() - time.seconds()).into()),
        None => Err(Error::new(ErrorKind::InvalidOperation, "a time is wanted, such as 'started'")),
    }
}

/// The short form of a run's id or of an object's; anything else is cut to as many characters as are asked for.
fn short(value: Value, length: Option<usize>) -> Result<Value, Error> {
    let Some(text) = value.as_str() else {
        return Ok(value);
    };
    let run = crate::run::id::RunId::parse(text);
    Ok(match (run, length) {
        (Some(run), None) => run.suffix().into(),
        (Some(run), Some(length)) => {
            run.suffix().chars().take(length.min(SHORT_RUN)).collect::<String>().into()
        }
        (None, length) => text.chars().take(length.unwrap_or(SHORT)).collect::<String>().into(),
    })
}

/// A number with so many digits after the point; whole numbers stay as they are.
fn round(value: Value, digits: Option<usize>) -> Result<Value, Error> {
    on_number(&value, |number| match value.is_integer() {
        true => Ok(value.clone()),
        false => {
            let rounded = format!("{number:.*}", digits.unwrap_or_default().min(DIGITS_MAX));
            Ok(rounded.parse::<f64>().unwrap_or(number).into())
        }
    })
}

/// The names that a template asks for, and which of them no element had yet.
struct Names {
    roots: BTreeSet<String>,
    unseen: BTreeSet<String>,
    near: Vec<String>,
    count: usize,
}

impl Names {
    fn of(asked: &std::collections::HashSet<String>, environment: &Environment) -> Self {
        let given: BTreeSet<&str> = environment.globals().map(|(name, _)| name).chain(["this"]).collect();
        let root = |name: &&String| !given.contains(name.split('.').next().unwrap_or(name.as_str()));
        let asked: BTreeSet<String> = asked.iter().filter(root).cloned().collect();
        let roots = asked.iter().filter_map(|name| name.split('.').next()).map(str::to_owned).collect();
        Self { roots, unseen: asked, near: Vec::new(), count: 0 }
    }

    /// Refuses a name that the element, all keys of which are always there, does not have.
    fn look(&mut self, element: &Json) -> Result<(), Problem> {
        self.count += 1;
        let keys: Vec<&str> =
            element.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        if let Some(name) = self.roots.iter().find(|name| !keys.contains(&name.as_str())) {
            let problem = Problem::usage(format!("there is no '{name}' to write by the template"));
            return Err(match human::nearest(name, keys.iter().copied()) {
                Some(near) => problem.hint(format!("did you mean '{near}'?")),
                None => problem.hint(format!("an element has {}", keys.join(", "))),
            });
        }
        let near = &mut self.near;
        self.unseen.retain(|name| !has(element, name, near));
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        let unseen = self.unseen.iter().filter(|_| self.count > 0);
        let note = |name: &String| match human::nearest(name, self.near.iter().map(String::as_str)) {
            Some(near) => format!("nothing here has '{name}': did you mean '{near}'?"),
            None => format!("nothing here has '{name}'"),
        };
        unseen.map(note).collect()
    }
}

/// Whether the path of names leads somewhere; if not, the names that would have.
fn has(element: &Json, path: &str, near: &mut Vec<String>) -> bool {
    let mut at = element;
    let mut walked = String::new();
    for name in path.split('.') {
        match at {
            Json::Object(object) => match object.get(name) {
                Some(found) => at = found,
                None => {
                    let rest = &path[walked.len() + name.len() + usize::from(!walked.is_empty())..];
                    let known = object.keys().map(|key| match walked.is_empty() {
                        true => format!("{key}{rest}"),
                        false => format!("{walked}.{key}{rest}"),
                    });
                    let known: Vec<String> = known.filter(|known| !near.contains(known)).collect();
                    near.extend(known);
                    return false;
                }
            },
            // Nothing is known of what is null, and lists have no names to mistype.
            _ => return true,
        }
        if !walked.is_empty() {
            walked.push('.');
        }
        walked.push_str(name);
    }
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(text: &str, element: Json) -> Result<String, String> {
        let now = Time::parse("2026-01-02T12:00:00Z").unwrap();
        let mut out = String::new();
        let mut push = |text: &str| {
            out.push_str(text);
            Ok(())
        };
        let told =
            |problem: &Problem| [std::slice::from_ref(&problem.message), &problem.hints].concat().join("\n");
        let template = Template::parse(text).map_err(|problem| told(&problem))?;
        match template.write([Ok(element)], Surroundings { now, exact: true }, &mut push) {
            Ok(notes) => Ok([vec![out], notes].concat().join("note: ")),
            Err(error) => Err(error.downcast_ref::<Problem>().map_or_else(|| format!("{error:#}"), told)),
        }
    }

    fn run() -> Json {
        json!({
            "id": "20260102-130000-b1111111", "name": "quiet-otter", "ended": null, "tags": ["a", "b\tc"],
            "started": "2026-01-02T10:30:00.000000Z",
            "metrics": { "loss": { "last": 0.123456, "min": "NaN", "max": 1e-7, "count": 20 }, "val/acc": { "last": 1.0 } },
            "params": { "deep": { "seed": 18446744073709551616_f64 }, "text": "a\u{1b}[2J\u{202e}\nb<i>" },
            "size": 2048,
        })
    }

    #[test]
    fn values_are_written_as_json_has_them_and_what_is_missing_as_nothing() {
        let ok = |text| render(text, run()).unwrap();
        assert_eq!(
            ok("{{ name }}: {{ metrics.loss.last }} {{ metrics.loss.max }}"),
            "quiet-otter: 0.123456 1e-7\n"
        );
        assert_eq!(
            ok("[{{ ended }}{{ metrics.loss.nothing.more }}{{ ended.more }}]"),
            "[]\nnote: nothing here has 'metrics.loss.nothing.more'"
        );
        assert_eq!(ok("{{ metrics['val/acc'].last }} {{ metrics.loss.min }}"), "1.0 NaN\n");
        assert_eq!(
            ok("{{ tags }} {{ metrics.loss | json }}"),
            "[\"a\",\"b\\tc\"] {\"last\":0.123456,\"min\":\"NaN\",\"max\":1e-7,\"count\":20}\n"
        );
        assert_eq!(ok(r"{{ name }}\t{{ size }}\\n"), "quiet-otter\t2048\\n\n");
        assert_eq!(ok("{% for tag in tags %}{{ loop.index }}={{ tag }};{% endfor %}"), "1=a;2=b\\tc;\n");
    }

    #[test]
    fn filters_say_things_as_people_do() {
        let ok = |text| render(text, run()).unwrap();
        assert_eq!(
            ok("{{ id | short }} {{ 'abcdefabcdefabcdef' | short }} {{ 'abcdef' | short(3) }}"),
            "b1111111 abcdefabcd abc\n"
        );
        assert_eq!(
            ok("{{ started | age }} {{ ended | age }}.{{ 75 | duration }} {{ size | size }}"),
            "1h .1m 15s 2.0 KiB\n"
        );
        assert_eq!(
            ok("{{ metrics.loss.last | round(3) }} {{ metrics.loss.min | round }} {{ size | round(1) }}"),
            "0.123 NaN 2048\n"
        );
        assert_eq!(
            ok("{{ metrics.none | round(3) | default('-') }}"),
            "-\nnote: nothing here has 'metrics.none': did you mean 'metrics.loss'?"
        );
    }

    #[test]
    fn text_is_harmless_unless_it_is_wanted_as_it_is() {
        assert_eq!(render("{{ params.text }}", run()).unwrap(), "a\\x1b[2J\\u{202e}\\nb<i>\n");
        assert_eq!(render("{{ params.text | json }}", run()).unwrap(), "\"a\\u001b[2J\\u202e\\nb<i>\"\n");
        assert_eq!(render("{{ params.text | safe }}", run()).unwrap(), "a\u{1b}[2J\u{202e}\nb<i>\n");
        let template = Template::parse("{{ params.text | safe }}").unwrap();
        let mut out = String::new();
        let on_terminal = Surroundings { now: Time(0), exact: false };
        template
            .write([Ok(run())], on_terminal, &mut |text| {
                out.push_str(text);
                Ok(())
            })
            .unwrap();
        assert_eq!(out, "a\\x1b[2J\\u{202e}\\nb<i>\n");
    }

    #[test]
    fn no_filter_makes_more_text_than_anybody_wants() {
        let one = || json!({ "n": 1, "x": "x" });
        assert_eq!(
            render("{{ '100%% of %-3d, * %.2f' | format(n, 2.0) }}", one()).unwrap(),
            "100% of 1  , * 2.00\n"
        );
        for wide in
            ["'%99999999999d' | format(1)", "'%*d' | format(999999999, 1)", "'x' | indent(9999999999)"]
        {
            render(&format!("{{{{ {wide} }}}}"), one()).unwrap_err();
        }
    }

    #[test]
    fn mistakes_show_their_place() {
        let error = |text| render(text, run()).unwrap_err();
        insta::assert_snapshot!(error("{{ id }"), @"
        the template cannot be read: unexpected `}`, expected end of variable block
        {{ id }
              ^
        ");
        insta::assert_snapshot!(error("a\n{{ id | shrt }} b"), @"
        there is no filter 'shrt' for templates
        {{ id | shrt }} b
                ^^^^
        did you mean 'short'?
        ");
        insta::assert_snapshot!(error("{{ naem }}"), @"
        there is no 'naem' to write by the template
        did you mean 'name'?
        ");
        insta::assert_snapshot!(error("{{ name + 1 }}"), @"
        the template cannot be followed: invalid operation: tried to use + operator on unsupported types string and number
        {{ name + 1 }}
           ^^^^^^^^
        ");
        insta::assert_snapshot!(error("{% include 'x' %}"), @"
        the template cannot be read: unknown statement include
        {% include 'x' %}
           ^^^^^^^
        ");
        insta::assert_snapshot!(error("{{ name | size }}"), @"
        the template cannot be followed: invalid operation: a number is wanted, not a string
        {{ name | size }}
                  ^^^^
        ");
        insta::assert_snapshot!(error("{{ open('x') }}"), @"
        there is no 'open' to write by the template
        an element has id, name, ended, tags, started, metrics, params, size
        ");
        insta::assert_snapshot!(error("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"), @"the template takes too many steps");
        assert_eq!(
            render("{{ metrics.lss.last }}", run()).unwrap(),
            "\nnote: nothing here has 'metrics.lss.last': did you mean 'metrics.loss.last'?"
        );
    }
}
