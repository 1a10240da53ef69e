//! From names to fields, and from what was written to what it means for a field of its kind.

use crate::error::Problem;
use crate::human;
use crate::query::parse::shown;
use crate::query::syntax::{Check, Expression, Literal as Given, Name};
use crate::query::{
    Attribute, Bound, Comparison, Condition, Field, Literal, Pattern, Query, Test, Vocabulary, moment, name,
    parse, place, written,
};
use crate::run::attempt::Status;
use crate::run::id::Time;
use crate::run::value::Value;

/// Resolves a question among the names that runs use.
pub fn bind(query: &Query, known: &Vocabulary, now: Time) -> Result<Bound, Problem> {
    let mut binder = Binder { source: &query.source, known, now, notes: Vec::new() };
    let condition = match &query.root {
        None => Condition::All(Vec::new()),
        Some(root) => binder.expression(root)?,
    };
    Ok(Bound { condition, notes: binder.notes })
}

struct Binder<'a> {
    source: &'a str,
    known: &'a Vocabulary,
    now: Time,
    notes: Vec<String>,
}

/// What a field holds, as far as that is known before any run is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A param: a value of any type.
    Any,
    Number,
    Moment,
    Length,
    Bool,
    Status,
    /// A name and mail, each of which is meant by itself too.
    Person,
    /// An id that its last eight characters are enough for.
    RunId,
    /// An object id that its first digits are enough for.
    ObjectId,
    /// The value of a tag: text that may be meant as a number.
    TagValue,
    /// The tags themselves.
    Tags,
    Text,
}

impl Kind {
    fn of(field: &Field) -> Self {
        match field {
            Field::Param(_) => Kind::Any,
            Field::Metric(..) => Kind::Number,
            Field::Tag(_) => Kind::TagValue,
            Field::Attribute(attribute) => match attribute {
                Attribute::ExitCode => Kind::Number,
                Attribute::Started | Attribute::Ended => Kind::Moment,
                Attribute::Duration => Kind::Length,
                Attribute::Deleted | Attribute::CodeDirty => Kind::Bool,
                Attribute::Status => Kind::Status,
                Attribute::User => Kind::Person,
                Attribute::Id | Attribute::Parent => Kind::RunId,
                Attribute::CodeCommit | Attribute::CodeTree => Kind::ObjectId,
                Attribute::Tags => Kind::Tags,
                _ => Kind::Text,
            },
        }
    }
}

impl Binder<'_> {
    fn expression(&mut self, expression: &Expression) -> Result<Condition, Problem> {
        let all = |binder: &mut Self, parts: &[Expression]| {
            let bound = parts.iter().map(|part| binder.expression(part));
            let mut bound = bound.collect::<Result<Vec<_>, _>>()?;
            // What decides cheaply decides first.
            bound.sort_by_key(cost);
            Ok(bound)
        };
        Ok(match expression {
            Expression::All(parts) => Condition::All(all(self, parts)?),
            Expression::Any(parts) => Condition::Any(all(self, parts)?),
            Expression::Not(part) => not(self.expression(part)?),
            Expression::HasTag(tag) => Condition::HasTag(tag.clone()),
            Expression::Code(term) => Condition::Code(term.clone()),
            Expression::Field(name, check) => self.field(name, check)?,
        })
    }

    fn field(&mut self, name: &Name, check: &Check) -> Result<Condition, Problem> {
        let resolved = name::resolve(self.source, name, self.known)?;
        self.note(resolved.note);
        if let Check::Null { negated: false } = check {
            return Ok(not(any(resolved.fields.into_iter().map(is_there).collect())));
        }
        let conditions = resolved.fields.into_iter().map(|field| self.check(field, name, check));
        conditions.collect::<Result<_, _>>().map(any)
    }

    fn note(&mut self, note: Option<String>) {
        self.notes.extend(note.filter(|note| !self.notes.contains(note)));
    }

    fn check(&mut self, field: Field, name: &Name, check: &Check) -> Result<Condition, Problem> {
        match check {
            Check::Has => Ok(Condition::Test(field, Test::Exists)),
            Check::Null { .. } => Ok(is_there(field)),
            Check::Alone => self.alone(field, name),
            Check::Compare(comparison, given) => self.compare(field, *comparison, given),
            Check::In { negated, literals } => self.within(field, literals, *negated),
            Check::Like { negated, ignore_case, pattern } => {
                let ignore_case = *ignore_case || Kind::of(&field) == Kind::Status;
                Ok(tested(field, Test::Like { pattern: pattern.clone(), ignore_case }, *negated))
            }
            Check::Matches { negated, pattern } => {
                let pattern = match Kind::of(&field) {
                    Kind::Status => any_case(pattern),
                    _ => pattern.clone(),
                };
                Ok(tested(field, Test::Matches(pattern), *negated))
            }
        }
    }

    /// A name alone asks whether it is true.
    fn alone(&self, field: Field, name: &Name) -> Result<Condition, Problem> {
        match Kind::of(&field) {
            Kind::Any | Kind::Bool => Ok(Condition::Test(field, equals(Literal::Typed(Value::Bool(true))))),
            _ => {
                let text = shown(&name.text());
                let message = format!("'{text}' alone says nothing: a comparison should follow");
                let problem = place::problem(self.source, &name.span, message);
                Err(problem.hint(format!("to ask whether it is there: has {text}")))
            }
        }
    }

    fn compare(&mut self, field: Field, comparison: Comparison, given: &Given) -> Result<Condition, Problem> {
        let kind = Kind::of(&field);
        match (comparison, kind) {
            (Comparison::Equal, Kind::Tags) => Ok(Condition::HasTag(given.text.clone())),
            (Comparison::Unequal, Kind::Tags) => Ok(not(Condition::HasTag(given.text.clone()))),
            (Comparison::Equal, _) => Ok(held(field, self.meaning(kind, given)?)),
            (Comparison::Unequal, _) => Ok(unheld(field, self.meaning(kind, given)?)),
            (_, Kind::Moment) => {
                let (comparison, moment) = self.bound_of_stretch(comparison, given)?;
                Ok(Condition::Test(field, Test::Compare(comparison, Literal::Moment(moment))))
            }
            (_, Kind::Bool | Kind::Tags | Kind::Status) => {
                let what = match kind {
                    Kind::Bool => "true and false",
                    Kind::Tags => "tags",
                    _ => "statuses",
                };
                Err(self.problem(given, format!("{what} have no order")).hint("compare with =, != or in"))
            }
            _ => {
                if kind == Kind::Any && given.is_quoted && written::number(&given.text).is_some() {
                    let text = shown(&given.text);
                    self.note(Some(format!("'{text}' in quotes is in an order with text only, not with numbers: without quotes it is")));
                }
                Ok(Condition::Test(field, Test::Compare(comparison, self.ordered(kind, given)?)))
            }
        }
    }

    fn within(&mut self, field: Field, literals: &[Given], negated: bool) -> Result<Condition, Problem> {
        let kind = Kind::of(&field);
        if kind == Kind::Tags {
            let tags = literals.iter().map(|given| Condition::HasTag(given.text.clone())).collect();
            return Ok(if negated { not(any(tags)) } else { any(tags) });
        }
        let meanings: Vec<Vec<Test>> =
            literals.iter().map(|given| self.meaning(kind, given)).collect::<Result<_, _>>()?;
        if let Some(literals) = meanings.iter().map(|tests| plain_equality(tests)).collect::<Option<Vec<_>>>()
        {
            return Ok(tested(field, Test::In(literals), negated));
        }
        let one = any(meanings.into_iter().map(|tests| held(field.clone(), tests)).collect());
        Ok(if negated { Condition::All(vec![is_there(field), not(one)]) } else { one })
    }

    /// What passes where something equals the literal: all of these tests.
    fn meaning(&mut self, kind: Kind, given: &Given) -> Result<Vec<Test>, Problem> {
        let text = &given.text;
        Ok(match kind {
            Kind::Moment => {
                let stretch = self.stretch(given)?;
                vec![
                    Test::Compare(Comparison::GreaterOrEqual, Literal::Moment(stretch.from)),
                    Test::Compare(Comparison::Less, Literal::Moment(stretch.to)),
                ]
            }
            Kind::Number if given.is_quoted => vec![equals(Literal::Quoted(text.clone()))],
            Kind::Status => {
                self.note(unknown_status(text));
                vec![equals(Literal::Quoted(text.to_lowercase()))]
            }
            Kind::Person => vec![person(text)],
            Kind::RunId if is_suffix(text) => vec![like(format!("%-{text}"))],
            Kind::ObjectId if is_abbreviated(text) => vec![like(format!("{}%", text.to_lowercase()))],
            Kind::Bool => match written::read(text) {
                Value::Bool(bool) => vec![equals(Literal::Typed(Value::Bool(bool)))],
                _ => return Err(self.problem(given, "this is neither true nor false")),
            },
            kind => vec![equals(self.ordered(kind, given)?)],
        })
    }

    /// What a value of this kind is compared with.
    fn ordered(&self, kind: Kind, given: &Given) -> Result<Literal, Problem> {
        let text = given.text.clone();
        Ok(match kind {
            Kind::Number => Literal::Typed(self.number(given)?),
            Kind::Length => match moment::seconds(&text) {
                Some(seconds) => Literal::Seconds(seconds),
                None => {
                    let problem = self.problem(given, format!("'{}' is no length of time", shown(&text)));
                    return Err(problem.hint("write it as 90s, 1.5h, 1h30m or 2 days"));
                }
            },
            Kind::Any if !given.is_quoted => Literal::Typed(written::read(&text)),
            Kind::TagValue if !given.is_quoted => Literal::Loose(text),
            Kind::Status => Literal::Quoted(text.to_lowercase()),
            _ => Literal::Quoted(text),
        })
    }

    fn number(&self, given: &Given) -> Result<Value, Problem> {
        let text = &given.text;
        match written::number(text) {
            Some(number) if !given.is_quoted => Ok(number),
            Some(_) => {
                let problem = self.problem(given, "text in quotes is in no order with numbers");
                Err(problem.hint(format!("without quotes: {text}")))
            }
            None => Err(self.problem(given, format!("a number should be here, not '{}'", shown(text)))),
        }
    }

    /// The moment that the stretch's beginning or end is compared with. A day is compared by its beginning, but `<=`
    /// takes all of it in.
    fn bound_of_stretch(&self, comparison: Comparison, given: &Given) -> Result<(Comparison, Time), Problem> {
        let stretch = self.stretch(given)?;
        Ok(match comparison {
            Comparison::LessOrEqual => (Comparison::Less, stretch.to),
            Comparison::Greater if !stretch.is_day => (Comparison::GreaterOrEqual, stretch.to),
            other => (other, stretch.from),
        })
    }

    fn stretch(&self, given: &Given) -> Result<moment::Stretch, Problem> {
        moment::read(&given.text, self.now).ok_or_else(|| {
            let problem = self.problem(given, format!("'{}' is no moment", shown(&given.text)));
            problem.hint("write it as 2026-01-02, '2026-01-02 13:00', yesterday, 2 days ago, or in milliseconds since 1970")
        })
    }

    fn problem(&self, given: &Given, message: impl Into<String>) -> Problem {
        place::problem(self.source, &given.span, message)
    }
}

/// How much it costs to find out: the run itself tells, Git is asked, a series is read.
fn cost(condition: &Condition) -> u8 {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().map(cost).max().unwrap_or_default(),
        Condition::Not(part) => cost(part),
        Condition::Test(Field::Metric(_, part), _) if part.is_of_series() => 2,
        Condition::Code(_) => 1,
        Condition::Test(..) | Condition::HasTag(_) => 0,
    }
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

fn any(mut conditions: Vec<Condition>) -> Condition {
    match conditions.len() {
        1 => conditions.remove(0),
        _ => Condition::Any(conditions),
    }
}

fn equals(literal: Literal) -> Test {
    Test::Compare(Comparison::Equal, literal)
}

fn like(pattern: String) -> Test {
    Test::Like { pattern, ignore_case: false }
}

/// There, and not explicitly nothing.
fn is_there(field: Field) -> Condition {
    let test = match &field {
        Field::Param(_) => Test::Compare(Comparison::Unequal, Literal::Typed(Value::Null)),
        _ => Test::Exists,
    };
    Condition::Test(field, test)
}

/// Tags are a set, of which a run has none at worst: what is not so of them is so of no tag.
fn tested(field: Field, test: Test, negated: bool) -> Condition {
    match negated {
        false => Condition::Test(field, test),
        true if Kind::of(&field) == Kind::Tags => not(Condition::Test(field, test)),
        true => Condition::Test(field, Test::Fails(Box::new(test))),
    }
}

fn held(field: Field, mut tests: Vec<Test>) -> Condition {
    match tests.len() {
        1 => Condition::Test(field, tests.remove(0)),
        _ => Condition::All(tests.into_iter().map(|test| Condition::Test(field.clone(), test)).collect()),
    }
}

fn unheld(field: Field, mut tests: Vec<Test>) -> Condition {
    match (tests.len(), plain_equality(&tests)) {
        (_, Some(literal)) => Condition::Test(field, Test::Compare(Comparison::Unequal, literal)),
        (1, None) => tested(field, tests.remove(0), true),
        _ => Condition::All(vec![Condition::Test(field.clone(), Test::Exists), not(held(field, tests))]),
    }
}

/// The literal, if all that is asked is that it be equal.
fn plain_equality(tests: &[Test]) -> Option<Literal> {
    match tests {
        [Test::Compare(Comparison::Equal, literal)] => Some(literal.clone()),
        _ => None,
    }
}

/// The same pattern where case does not matter.
fn any_case(pattern: &Pattern) -> Pattern {
    parse::pattern(&format!("(?i:{})", pattern.0.as_str())).unwrap_or_else(|_| pattern.clone())
}

/// A person by the whole `name <mail>`, the name, the mail, or what the mail has before its `@`.
fn person(text: &str) -> Test {
    let name = regex::escape(text);
    let pattern = format!("^(?:{name}|{name} <[^>]*>|(?:.* )?<{name}(?:@[^>]*)?>|{name}@[^ <>]*)$");
    // What is too long to be looked for so is compared whole.
    parse::pattern(&pattern).map_or_else(|_| equals(Literal::Quoted(text.to_owned())), Test::Matches)
}

/// Whether it is the end of a run's id, by which people name it.
fn is_suffix(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    text.len() == 8 && text.bytes().all(is_plain)
}

fn is_abbreviated(text: &str) -> bool {
    (4..40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn unknown_status(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    // MLflow's own, which no run here is ever in.
    if Status::parse(&lower).is_some() || lower == "scheduled" {
        return None;
    }
    let names = Status::ALL.map(Status::as_str);
    Some(match human::nearest(&lower, names) {
        Some(nearest) => format!("there is no status '{}': did you mean '{nearest}'?", shown(text)),
        None => format!("there is no status '{}': it is one of {}", shown(text), names.join(", ")),
    })
}
