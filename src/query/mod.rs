//! The query language: which runs, in which order, by which fields (`docs/query.md`).
//!
//! Knows what may be asked of a run and what the answer is; nothing of the index, which answers the same questions by
//! SQL, nor of Git or series: what a run itself does not say is asked of [`Outside`].

mod bind;
mod column;
mod eval;
#[cfg(test)]
mod fuzz;
mod lex;
mod moment;
mod name;
pub mod order;
mod parse;
mod place;
#[cfg(test)]
mod sample;
pub mod syntax;
pub mod test;
#[cfg(test)]
mod tests;
mod written;

use std::collections::BTreeSet;

use anyhow::Result;

use crate::error::Problem;
use crate::run::Run;
use crate::run::attempt::Number;
use crate::run::id::Time;
use crate::run::value::{Value, named_leaves};

/// A question that was understood, its names not resolved yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    source: String,
    /// Nothing asks for every run.
    root: Option<syntax::Expression>,
}

/// The names that runs use: what a bare name may mean, and what a mistyped one was likely meant to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// Params, dotted ([`crate::run::value::dotted`]).
    pub params: BTreeSet<String>,
    /// Metrics.
    pub metrics: BTreeSet<String>,
    /// Keys of tags: the whole tag, or what stands before its `=`.
    pub tags: BTreeSet<String>,
}

/// A question whose names are resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// What holds of the runs asked for.
    pub condition: Condition,
    /// What a person should know: names under a prefix that no run has, and the nearest that some have.
    pub notes: Vec<String>,
}

/// What may hold of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All of these hold; of none, always.
    All(Vec<Condition>),
    /// One of these holds; of none, never.
    Any(Vec<Condition>),
    /// This does not hold.
    Not(Box<Condition>),
    /// The field is there and passes the test. What is absent passes none.
    Test(Field, Test),
    /// The run has this tag, whole, or as the key of `key=value`.
    HasTag(String),
    /// Of the code that ran.
    Code(CodeTerm),
}

/// A test that a field's value passes or not.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// It is there.
    Exists,
    /// It compares so with the literal.
    Compare(Comparison, Literal),
    /// It equals one of these.
    In(Vec<Literal>),
    /// Its text is like the pattern: `%` any text, `_` one character, as in SQL.
    Like {
        /// The pattern.
        pattern: String,
        /// Whether case does not matter (`ILIKE`).
        ignore_case: bool,
    },
    /// Its text holds a match of the pattern, in the syntax of the `regex` crate.
    Matches(Pattern),
    /// It is there and does not pass this.
    Fails(Box<Test>),
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`, `==`
    Equal,
    /// `!=`, `<>`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// Unquoted: a typed value; compares with values of its type only, numbers of any type with each other.
    Typed(Value),
    /// Quoted: text; equals also a typed value whose text, as TOML, JSON or Python writes it, it is.
    Quoted(String),
    /// Unquoted, where the field holds nothing but text (a tag): equals this text, and text that reads as a number
    /// compares with one.
    Loose(String),
    /// A moment, where the field is one.
    Moment(Time),
    /// A length of time in seconds, where the field is one.
    Seconds(f64),
}

/// A compiled regular expression, which equals another of the same source.
#[derive(Debug, Clone)]
pub struct Pattern(pub regex::Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// Something of a run that can be asked for, shown, sorted by and grouped by.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// What every run has or may have.
    Attribute(Attribute),
    /// The param with this dotted name.
    Param(String),
    /// Of a metric.
    Metric(String, Part),
    /// The value of the tag `key=value`; a bare tag has empty text.
    Tag(String),
}

/// What of a metric.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// What stands for it in tables: the last, unless its definition says another.
    Shown,
    /// The last logged.
    Last,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The step of the last.
    LastStep,
    /// The step of the first smallest.
    MinStep,
    /// The step of the first largest.
    MaxStep,
    /// How many points there are.
    Count,
    /// How many of them are NaN or infinite.
    Nonfinite,
    /// The first value: of the series, which is not part of a brief run.
    First,
    /// The mean of the finite values: of the series.
    Mean,
    /// The value at this step: of the series.
    At(Number),
    /// The smallest or the largest, by its goal; absent where no goal is known.
    Best,
}

/// What every run has or may have. `id` and MLflow's `run_id` are one, and so on: see `docs/query.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Attribute {
    /// The id.
    Id,
    /// The name.
    Name,
    /// The experiment.
    Experiment,
    /// The status.
    Status,
    /// When the first attempt began.
    Started,
    /// When the last attempt ended.
    Ended,
    /// How long it took.
    Duration,
    /// The exit code.
    ExitCode,
    /// The signal that ended it.
    Signal,
    /// Who ran it.
    User,
    /// Where.
    Host,
    /// The command line, as a shell reads it.
    Command,
    /// The notes, a line each.
    Note,
    /// The group.
    Group,
    /// The parent.
    Parent,
    /// The key of a keyed run.
    Key,
    /// Whether it is deleted.
    Deleted,
    /// HEAD when it began.
    CodeCommit,
    /// The branch.
    CodeBranch,
    /// The tree that ran.
    CodeTree,
    /// Whether what ran differs from the commit.
    CodeDirty,
    /// The names of the inputs: passes a test if one of them does (MLflow's `dataset.name`).
    InputName,
    /// Their digests, likewise (`dataset.digest`).
    InputDigest,
    /// The tags, whole each, likewise.
    Tags,
}

/// What may hold of the code that ran, which Git knows.
#[derive(Debug, Clone, PartialEq)]
pub enum CodeTerm {
    /// Its commit, or what a rebase or squash made of it, lies in this range, as `git rev-list` reads it.
    In(String),
    /// It changed this path, a file or a folder.
    Touches(String),
    /// Its commit is an ancestor of this revision, or it.
    AncestorOf(String),
}

/// What is asked of those who can read more than a brief run holds.
pub trait Outside {
    /// Whether the term holds of the run's code.
    fn code(&mut self, term: &CodeTerm, run: &Run) -> Result<bool>;

    /// The first value, the mean, or the value at a step, of a metric's series; nothing if there is none.
    fn point(&mut self, metric: &str, part: &Part, run: &Run) -> Result<Option<Number>>;
}

impl Test {
    /// Whether the value passes it.
    pub fn passes(&self, value: &Value) -> bool {
        test::passes(self, value)
    }
}

impl Part {
    /// Whether only the series tells: it is asked of [`Outside`].
    pub fn is_of_series(&self) -> bool {
        matches!(self, Part::First | Part::Mean | Part::At(_))
    }
}

impl Vocabulary {
    /// The names that these runs use.
    pub fn of<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Self {
        let mut known = Self::default();
        runs.into_iter().for_each(|run| known.take(run));
        known
    }

    /// Takes in the names that this run uses.
    pub fn take(&mut self, run: &Run) {
        self.params.extend(named_leaves(&run.params).into_iter().map(|(name, _)| name));
        self.metrics.extend(run.metrics.keys().cloned());
        let key = |tag: &String| tag.split_once('=').map_or(tag.as_str(), |(key, _)| key).to_owned();
        self.tags.extend(run.tags.iter().map(key));
    }
}

impl Query {
    /// Reads a question; where it cannot be understood, the error shows the place.
    pub fn parse(source: &str) -> Result<Self, Problem> {
        parse::parse(source)
    }

    /// Resolves its names among those that runs use; ages count back from `now`.
    pub fn bind(&self, known: &Vocabulary, now: Time) -> Result<Bound, Problem> {
        bind::bind(self, known, now)
    }
}

impl Bound {
    /// Whether the question holds of the run.
    pub fn matches(&self, run: &Run, outside: &mut dyn Outside) -> Result<bool> {
        eval::holds(&self.condition, run, outside)
    }
}

impl Field {
    /// Resolves a name as questions do: `params.lr`, `metrics.loss.min`, `tags.stage`, `status`, or a bare name where
    /// that is unambiguous. An unknown name under a prefix is a field that no run has; an unknown bare name is an error.
    pub fn parse(source: &str, known: &Vocabulary) -> Result<Self, Problem> {
        name::field(source, known)
    }

    /// The fields that a word like `metrics.*` or `params.opt*` stands for, in which `*` is any text and `?` one
    /// character; a word without those is one field.
    pub fn matching(glob: &str, known: &Vocabulary) -> Result<Vec<Self>, Problem> {
        column::matching(glob, known)
    }

    /// What the run has there; moments as RFC 3339 text, lengths of time in seconds, several texts joined by `, `. What
    /// only the series says ([`Part::First`], [`Part::Mean`], [`Part::At`]) is absent here.
    pub fn get(&self, run: &Run) -> Option<Value> {
        eval::get(self, run)
    }

    /// What to write above it: a short name, which may be a param's as well as a metric's.
    pub fn title(&self) -> String {
        column::title(self)
    }

    /// Its name with its prefix, which [`Field::parse`] reads back.
    pub fn full_name(&self) -> String {
        column::full_name(self)
    }
}
