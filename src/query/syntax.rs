//! What a question is made of once it is parsed: words and where they stand, no names resolved.
//!
//! Prints itself as a question that parses to the same.

use std::fmt;

use crate::query::{CodeTerm, Comparison, Pattern};
use crate::run::attempt::Number;
use crate::run::text;
use crate::run::value::Value;

/// Where something stands in the question: bytes from the first to before the last.
pub type Span = std::ops::Range<usize>;

/// A part of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// All of these: two at least.
    All(Vec<Expression>),
    /// One of these: two at least.
    Any(Vec<Expression>),
    /// Not this.
    Not(Box<Expression>),
    /// What is asked of a field.
    Field(Name, Check),
    /// `has tag X`
    HasTag(String),
    /// `code in RANGE`, `code touches PATH`, `ancestor of REVISION`
    Code(CodeTerm),
}

/// What is asked of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// Nothing more than its name: whether it is true.
    Alone,
    /// `has NAME`
    Has,
    /// `NAME is null`, `NAME is not null`
    Null {
        /// Whether it is asked not to be.
        negated: bool,
    },
    /// `NAME = VALUE` and so on.
    Compare(Comparison, Literal),
    /// `NAME in (VALUE, …)`
    In {
        /// Whether it is asked to be none of them.
        negated: bool,
        /// The values.
        literals: Vec<Literal>,
    },
    /// `NAME like 'PATTERN'`
    Like {
        /// Whether it is asked not to be.
        negated: bool,
        /// Whether case does not matter.
        ignore_case: bool,
        /// The pattern.
        pattern: String,
    },
    /// `NAME ~ 'PATTERN'`
    Matches {
        /// Whether it is asked not to.
        negated: bool,
        /// The pattern.
        pattern: Pattern,
    },
}

/// A name as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    /// Where it stands.
    pub span: Span,
    /// What the dots part.
    pub segments: Vec<Segment>,
    /// The step after `at`.
    pub step: Option<Number>,
}

/// A part of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The text, without quotes.
    pub text: String,
    /// Whether it was quoted: a dot in it parts nothing.
    pub is_quoted: bool,
}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal {
    /// Where it stands.
    pub span: Span,
    /// Its text, without quotes.
    pub text: String,
    /// Whether it was quoted.
    pub is_quoted: bool,
}

impl Name {
    /// The text of the whole name, without quotes.
    pub fn text(&self) -> String {
        joined(&self.segments)
    }
}

/// The text of these parts of a name, without quotes.
pub fn joined(segments: &[Segment]) -> String {
    segments.iter().map(|segment| segment.text.as_str()).collect::<Vec<_>>().join(".")
}

impl fmt::Display for Expression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expression::All(parts) => write_parts(out, parts, " and ", |part| {
                matches!(part, Expression::All(_) | Expression::Any(_))
            }),
            Expression::Any(parts) => {
                write_parts(out, parts, " or ", |part| matches!(part, Expression::Any(_)))
            }
            Expression::Not(part) => {
                out.write_str("not ")?;
                write_part(out, part, matches!(**part, Expression::All(_) | Expression::Any(_)))
            }
            Expression::Field(name, Check::Has) => write!(out, "has {name}"),
            Expression::Field(name, check) => write!(out, "{name}{check}"),
            Expression::HasTag(tag) => write!(out, "has tag {}", quoted(tag)),
            Expression::Code(CodeTerm::In(range)) => write!(out, "code in {}", quoted(range)),
            Expression::Code(CodeTerm::Touches(path)) => write!(out, "code touches {}", quoted(path)),
            Expression::Code(CodeTerm::AncestorOf(revision)) => {
                write!(out, "ancestor of {}", quoted(revision))
            }
        }
    }
}

fn write_parts(
    out: &mut fmt::Formatter<'_>,
    parts: &[Expression],
    between: &str,
    needs_parentheses: impl Fn(&Expression) -> bool,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.write_str(between)?;
        }
        write_part(out, part, needs_parentheses(part))?;
    }
    Ok(())
}

fn write_part(out: &mut fmt::Formatter<'_>, part: &Expression, in_parentheses: bool) -> fmt::Result {
    match in_parentheses {
        true => write!(out, "({part})"),
        false => write!(out, "{part}"),
    }
}

impl fmt::Display for Check {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = |negated: &bool| if *negated { "not " } else { "" };
        match self {
            Check::Alone | Check::Has => Ok(()),
            Check::Null { negated } => write!(out, " is {}null", not(negated)),
            Check::Compare(comparison, literal) => write!(out, " {} {literal}", comparison.as_str()),
            Check::In { negated, literals } => {
                let literals: Vec<String> = literals.iter().map(ToString::to_string).collect();
                write!(out, " {}in ({})", not(negated), literals.join(", "))
            }
            Check::Like { negated, ignore_case, pattern } => {
                let like = if *ignore_case { "ilike" } else { "like" };
                write!(out, " {}{like} {}", not(negated), quoted(pattern))
            }
            Check::Matches { negated, pattern } => {
                let operator = if *negated { "!~" } else { "~" };
                write!(out, " {operator} {}", quoted(pattern.0.as_str()))
            }
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.segments.iter().enumerate() {
            let dot = if index > 0 { "." } else { "" };
            match segment.is_quoted {
                true => write!(out, "{dot}{}", text::write_value(&Value::from(segment.text.as_str())))?,
                false => write!(out, "{dot}{}", segment.text)?,
            }
        }
        self.step.map_or(Ok(()), |step| write!(out, " at {}", step.write()))
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_quoted {
            true => out.write_str(&quoted(&self.text)),
            false => out.write_str(&self.text),
        }
    }
}

impl Comparison {
    /// The sign for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::Unequal => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::query::lex::is_word;
    use crate::query::{Query, parse};
    use crate::run::tests::cases;
    use proptest::prelude::*;

    fn word() -> impl Strategy<Value = String> {
        let plain = |text: &String| !["and", "or", "not"].contains(&text.to_lowercase().as_str());
        let odd =
            any::<String>().prop_map(|text| text.chars().filter(|c| is_word(*c) && *c != '.').collect());
        let known = prop::sample::select(vec![
            "has",
            "exists",
            "tag",
            "tags",
            "code",
            "in",
            "is",
            "like",
            "at",
            "of",
            "ancestor",
            "null",
            "params",
            "metrics",
            "lr",
            "val/loss",
            "-1",
            "2d",
            "ago",
            "last_step",
        ]);
        prop_oneof![3 => known.prop_map(str::to_owned), 2 => "[a-z_0-9/@-]{1,6}", 1 => odd]
            .prop_filter("a word", move |text: &String| !text.is_empty() && plain(text))
    }

    fn segment() -> impl Strategy<Value = Segment> {
        let quoted = any::<String>().prop_map(|text| Segment { text, is_quoted: true });
        prop_oneof![3 => word().prop_map(|text| Segment { text, is_quoted: false }), 1 => quoted]
    }

    fn name() -> impl Strategy<Value = Name> {
        let step = prop::option::weighted(
            0.1,
            prop_oneof![
                any::<i64>().prop_map(|step| Number::Int(step.into())),
                any::<f64>().prop_filter("finite", |step| step.is_finite()).prop_map(Number::Float),
            ],
        );
        (prop::collection::vec(segment(), 1..4), step).prop_map(|(segments, step)| Name {
            span: 0..0,
            segments,
            step,
        })
    }

    fn literal() -> impl Strategy<Value = Literal> {
        let several =
            prop::sample::select(vec!["2 days ago", "1 h 30 min", "2026-01-02 13:00", "1.5 hours", "-inf"]);
        let bare = prop_oneof![3 => word(), 1 => several.prop_map(str::to_owned)];
        let of = |is_quoted| move |text| Literal { span: 0..0, text, is_quoted };
        prop_oneof![bare.prop_map(of(false)), any::<String>().prop_map(of(true))]
    }

    fn check() -> impl Strategy<Value = Check> {
        use Comparison::*;
        let comparison =
            prop::sample::select(vec![Equal, Unequal, Less, LessOrEqual, Greater, GreaterOrEqual]);
        let pattern = prop_oneof![
            prop::sample::select(vec!["^a.*'$", "\\d+", "(?i)x|y", ""]).prop_map(str::to_owned),
            "[a-z ']{0,9}",
        ];
        prop_oneof![
            Just(Check::Alone),
            Just(Check::Has),
            any::<bool>().prop_map(|negated| Check::Null { negated }),
            (comparison, literal()).prop_map(|(comparison, literal)| Check::Compare(comparison, literal)),
            (any::<bool>(), prop::collection::vec(literal(), 1..4))
                .prop_map(|(negated, literals)| Check::In { negated, literals }),
            (any::<bool>(), any::<bool>(), any::<String>())
                .prop_map(|(negated, ignore_case, pattern)| Check::Like { negated, ignore_case, pattern }),
            (any::<bool>(), pattern).prop_map(|(negated, pattern)| Check::Matches {
                negated,
                pattern: parse::pattern(&pattern).expect("a small pattern"),
            }),
        ]
    }

    fn expression() -> impl Strategy<Value = Expression> {
        let leaf = prop_oneof![
            8 => (name(), check()).prop_map(|(name, check)| match &name.segments[0] {
                // After `has` these are what follows a name that is `has` itself.
                Segment { text, is_quoted: false } if check == Check::Has && parse::OPERATORS.contains(&text.as_str()) => {
                    Expression::Field(name, Check::Alone)
                }
                _ => Expression::Field(name, check),
            }),
            1 => any::<String>().prop_map(Expression::HasTag),
            1 => any::<String>().prop_map(|text| Expression::Code(CodeTerm::In(text))),
            1 => any::<String>().prop_map(|text| Expression::Code(CodeTerm::Touches(text))),
            1 => any::<String>().prop_map(|text| Expression::Code(CodeTerm::AncestorOf(text))),
        ];
        leaf.prop_recursive(5, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::All),
                prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::Any),
                inner.prop_map(|part| Expression::Not(Box::new(part))),
            ]
        })
    }

    /// The expression as if nothing stood anywhere.
    pub fn without_places(expression: &Expression) -> Expression {
        let all = |parts: &[Expression]| parts.iter().map(without_places).collect();
        match expression {
            Expression::All(parts) => Expression::All(all(parts)),
            Expression::Any(parts) => Expression::Any(all(parts)),
            Expression::Not(part) => Expression::Not(Box::new(without_places(part))),
            Expression::Field(name, check) => {
                let unplaced = |literal: &Literal| Literal { span: 0..0, ..literal.clone() };
                let check = match check {
                    Check::Compare(comparison, literal) => Check::Compare(*comparison, unplaced(literal)),
                    Check::In { negated, literals } => {
                        Check::In { negated: *negated, literals: literals.iter().map(unplaced).collect() }
                    }
                    other => other.clone(),
                };
                Expression::Field(Name { span: 0..0, ..name.clone() }, check)
            }
            other => other.clone(),
        }
    }

    proptest! {
        #![proptest_config(cases(512))]

        #[test]
        fn what_is_printed_is_parsed_back(expression in expression()) {
            let text = expression.to_string();
            let parsed = Query::parse(&text)
                .map_err(|problem| TestCaseError::fail(format!("{text}\n{problem}\n{:?}", problem.excerpt)))?;
            prop_assert_eq!(parsed.root.as_ref().map(without_places), Some(expression), "{}", text);
        }
    }
}
