//! From words to a question: the grammar of `docs/query.md`.
//!
//! Knows where a name, a value, a revision may stand; not which names there are. Length and depth are limited, so that
//! no question costs more than it can say.

use regex::RegexBuilder;

use crate::error::Problem;
use crate::human;
use crate::query::lex::{Cursor, Unclosed, is_word};
use crate::query::syntax::{Check, Expression, Literal, Name, Segment, Span};
use crate::query::{CodeTerm, Comparison, Pattern, Query, moment, place};
use crate::run::attempt::Number;

/// How many bytes a question may have.
pub const LENGTH_MAX: usize = 64 * 1024;
/// How deep parentheses and `not` may nest.
pub const DEPTH_MAX: usize = 64;
/// How many bytes a name may have: every place where it may be parted is looked at.
const NAME_MAX: usize = 4096;
/// How many bytes a pattern may have, how deep it may nest, and how large it may become once compiled.
const PATTERN_MAX: usize = 1024;
/// How many patterns a question may have.
const PATTERNS_MAX: usize = 16;
const PATTERN_DEPTH_MAX: u32 = 32;
const PATTERN_SIZE_MAX: usize = 256 * 1024;

/// What may stand after a name, besides signs.
pub const OPERATORS: [&str; 6] = ["in", "not", "like", "ilike", "is", "at"];
/// What a question's words are, as far as the grammar knows them.
const KEYWORDS: [&str; 3] = ["and", "or", "not"];

/// Reads a question.
pub fn parse(source: &str) -> Result<Query, Problem> {
    if source.len() > LENGTH_MAX {
        let message = format!("cannot read a question of {} bytes: {LENGTH_MAX} is the limit", source.len());
        return Err(Problem::usage(message).hint("name the runs instead, or ask several questions"));
    }
    let mut parser = Parser { cursor: Cursor::new(source), depth: 0, patterns: 0 };
    let root = parser.question()?;
    Ok(Query { source: source.to_owned(), root })
}

/// Reads a name, and nothing after it.
pub fn name(source: &str) -> Result<Name, Problem> {
    let mut parser = Parser { cursor: Cursor::new(source), depth: 0, patterns: 0 };
    let name = parser.name()?;
    match parser.cursor.skip_space() {
        false => Ok(name),
        true => Err(parser.unexpected("a name ends here")),
    }
}

/// Compiles a pattern within the limits; what the failure says has no place yet.
pub fn pattern(text: &str) -> Result<Pattern, String> {
    if text.len() > PATTERN_MAX {
        return Err(format!("it has {} bytes: {PATTERN_MAX} is the limit", text.len()));
    }
    let compiled = RegexBuilder::new(text)
        .size_limit(PATTERN_SIZE_MAX)
        .dfa_size_limit(PATTERN_SIZE_MAX)
        .nest_limit(PATTERN_DEPTH_MAX)
        .build();
    compiled.map(Pattern).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "it would become too large".to_owned(),
        error => {
            let said = error.to_string();
            let last = said.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
    })
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    depth: usize,
    patterns: usize,
}

impl Parser<'_> {
    fn question(&mut self) -> Result<Option<Expression>, Problem> {
        if !self.cursor.skip_space() {
            return Ok(None);
        }
        let root = self.any()?;
        match self.cursor.skip_space() {
            false => Ok(Some(root)),
            true if self.cursor.peek() == Some(')') => {
                let at = self.cursor.at();
                Err(self.problem(at..at + 1, "a parenthesis is closed here that none opens"))
            }
            true => Err(self.not_connected()),
        }
    }

    fn any(&mut self) -> Result<Expression, Problem> {
        let mut parts = vec![self.all()?];
        while self.cursor.keyword("or") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, Problem> {
        let mut parts = vec![self.part()?];
        while self.cursor.keyword("and") {
            parts.push(self.part()?);
        }
        Ok(one_or(parts, Expression::All))
    }

    fn part(&mut self) -> Result<Expression, Problem> {
        self.cursor.skip_space();
        let start = self.cursor.at();
        // Before a sign it would be a name, which nobody means.
        if self.cursor.keyword("not") {
            return self.deeper(start, |parser| Ok(Expression::Not(Box::new(parser.part()?))));
        }
        if !self.cursor.take('(') {
            return self.term();
        }
        let inside = self.deeper(start, Self::any)?;
        self.cursor.skip_space();
        match self.cursor.take(')') {
            true => Ok(inside),
            false if self.cursor.peek().is_none() => {
                Err(self.problem(start..start + 1, "a parenthesis is opened here and never closed"))
            }
            false => Err(self.not_connected()),
        }
    }

    fn deeper<T>(
        &mut self,
        start: usize,
        read: impl FnOnce(&mut Self) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.problem(start..start + 1, format!("this nests deeper than {DEPTH_MAX}")));
        }
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn term(&mut self) -> Result<Expression, Problem> {
        match self.special()? {
            Some(term) => Ok(term),
            None => {
                let name = self.name()?;
                let check = self.check(&name)?;
                Ok(Expression::Field(name, check))
            }
        }
    }

    /// What begins with a word of its own: `has`, `exists`, `code in`, `code touches`, `ancestor of`. Those words are
    /// names where something follows that follows names.
    fn special(&mut self) -> Result<Option<Expression>, Problem> {
        let begin = self.cursor.clone();
        for word in ["has", "exists"] {
            if self.cursor.keyword(word) && !self.ends_name() {
                return self.has().map(Some);
            }
            self.cursor = begin.clone();
        }
        type Term = fn(String) -> CodeTerm;
        let terms: [(&str, &str, Term); 3] = [
            ("code", "in", CodeTerm::In),
            ("code", "touches", CodeTerm::Touches),
            ("ancestor", "of", CodeTerm::AncestorOf),
        ];
        for (first, second, term) in terms {
            if self.cursor.keyword(first) && self.cursor.keyword(second) && !self.opens_list() {
                let what = if second == "touches" { "a path" } else { "a revision" };
                return Ok(Some(Expression::Code(term(self.raw(what)?))));
            }
            self.cursor = begin.clone();
        }
        Ok(None)
    }

    /// Whether what follows can only follow a name.
    fn ends_name(&self) -> bool {
        let mut ahead = self.cursor.clone();
        if !ahead.skip_space() {
            return true;
        }
        match ahead.peek() {
            Some('=' | '<' | '>' | '!' | '~' | ')' | ',') => true,
            _ => OPERATORS.iter().chain(&KEYWORDS).any(|word| ahead.is_keyword(word)),
        }
    }

    fn opens_list(&self) -> bool {
        let mut ahead = self.cursor.clone();
        ahead.skip_space() && ahead.peek() == Some('(')
    }

    fn has(&mut self) -> Result<Expression, Problem> {
        let begin = self.cursor.clone();
        if self.cursor.keyword("tag") && !self.ends_name() {
            return Ok(Expression::HasTag(self.raw("a tag")?));
        }
        self.cursor = begin;
        Ok(Expression::Field(self.name()?, Check::Has))
    }

    /// A revision, a path or a tag: quoted, or up to the next white space.
    fn raw(&mut self, what: &str) -> Result<String, Problem> {
        self.cursor.skip_space();
        match self.cursor.peek() {
            Some('\'' | '"') => self.quoted_value().map(|literal| literal.text),
            _ => match self.cursor.raw() {
                Some((text, _)) => Ok(text.to_owned()),
                None => Err(self.missing(what)),
            },
        }
    }

    fn name(&mut self) -> Result<Name, Problem> {
        self.cursor.skip_space();
        let start = self.cursor.at();
        match self.cursor.peek() {
            Some('"' | '`') => {}
            Some('\'') => {
                return Err(self
                    .unexpected("a name should be here, not a text")
                    .hint("put names into double quotes or backticks: params.\"a.b\" = 'text'"));
            }
            Some(first) if is_word(first) && first != '.' => {}
            _ => return Err(self.missing("a name")),
        }
        self.refuse_keyword()?;
        let mut segments = vec![self.segment()?];
        while self.cursor.take('.') {
            segments.push(self.segment()?);
        }
        if segments.last().is_some_and(|last| last.text.is_empty() && !last.is_quoted) {
            let at = self.cursor.at();
            return Err(self.problem(at..at, "a name should go on here"));
        }
        let length = self.cursor.at() - start;
        if length > NAME_MAX {
            let message = format!("this name has {length} bytes: {NAME_MAX} is the limit");
            return Err(self.problem(start..start + 1, message));
        }
        let mut name = Name { span: start..self.cursor.at(), segments, step: None };
        name.step = self.step()?;
        name.span.end = self.cursor.at();
        Ok(name)
    }

    fn refuse_keyword(&self) -> Result<(), Problem> {
        match KEYWORDS.iter().find(|keyword| self.cursor.is_keyword(keyword)) {
            None => Ok(()),
            Some(keyword) => Err(self.unexpected(format!("a name should be here, not '{keyword}'"))),
        }
    }

    fn segment(&mut self) -> Result<Segment, Problem> {
        let read = match self.cursor.peek() {
            Some('"') => self.cursor.escaped(),
            Some('`') => self.cursor.doubled(),
            _ => return Ok(Segment { text: self.cursor.segment().to_owned(), is_quoted: false }),
        };
        let text = read.map_err(|unclosed| self.unclosed(&unclosed, true))?;
        Ok(Segment { text, is_quoted: true })
    }

    fn step(&mut self) -> Result<Option<Number>, Problem> {
        if !self.cursor.keyword("at") {
            return Ok(None);
        }
        let Some((word, span)) = self.cursor.word() else { return Err(self.missing("a step")) };
        let number = Number::read(word).filter(|number| !number.as_f64().is_nan());
        let number =
            number.or_else(|| word.parse().ok().filter(|step: &f64| step.is_finite()).map(Number::Float));
        number.map(Some).ok_or_else(|| {
            self.problem(span, format!("'{}' is no step: a number should follow 'at'", shown(word)))
        })
    }

    fn check(&mut self, name: &Name) -> Result<Check, Problem> {
        if !self.cursor.skip_space() {
            return Ok(Check::Alone);
        }
        if let Some((sign, span)) = self.cursor.operator() {
            return self.signed(sign, span);
        }
        let before = self.cursor.clone();
        let negated = self.cursor.keyword("not");
        for (word, ignore_case) in [("like", false), ("ilike", true)] {
            if self.cursor.keyword(word) {
                let pattern = self.like_pattern()?;
                return Ok(Check::Like { negated, ignore_case, pattern });
            }
        }
        if self.cursor.keyword("in") {
            return Ok(Check::In { negated, literals: self.list()? });
        }
        if negated {
            return Err(self.unexpected("'in', 'like' or 'ilike' should follow 'not'"));
        }
        if self.cursor.keyword("is") {
            return self.null();
        }
        self.cursor = before;
        match self.cursor.peek() {
            Some(')' | ',') => Ok(Check::Alone),
            _ if self.is_connected() => Ok(Check::Alone),
            _ => Err(self.no_operator(name)),
        }
    }

    fn signed(&mut self, sign: &str, span: Span) -> Result<Check, Problem> {
        let comparison = match sign {
            "=" | "==" => Comparison::Equal,
            "!=" | "<>" => Comparison::Unequal,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            "~" | "=~" => return Ok(Check::Matches { negated: false, pattern: self.pattern()? }),
            "!~" => return Ok(Check::Matches { negated: true, pattern: self.pattern()? }),
            other => {
                let problem = self.problem(span, format!("'{other}' is no comparison"));
                let meant = match other {
                    "=>" => ">=",
                    "=<" => "<=",
                    "===" => "=",
                    "!==" | "!" | "=!" | "~=" => "!=",
                    _ => return Err(problem.hint("use one of = != < <= > >= ~ !~")),
                };
                return Err(problem.hint(format!("did you mean '{meant}'?")));
            }
        };
        Ok(Check::Compare(comparison, self.literal()?))
    }

    fn null(&mut self) -> Result<Check, Problem> {
        let negated = self.cursor.keyword("not");
        match ["null", "none"].iter().any(|word| self.cursor.keyword(word)) {
            true => Ok(Check::Null { negated }),
            false => {
                Err(self.unexpected("'null' should be here").hint("compare with '=' : status = finished"))
            }
        }
    }

    fn list(&mut self) -> Result<Vec<Literal>, Problem> {
        self.cursor.skip_space();
        if !self.cursor.take('(') {
            return Err(self.unexpected("a list should be here").hint("write it as ('a', 'b')"));
        }
        let mut literals = vec![self.literal()?];
        loop {
            self.cursor.skip_space();
            if self.cursor.take(')') {
                return Ok(literals);
            }
            if !self.cursor.take(',') {
                return Err(self.unexpected("',' or ')' should be here"));
            }
            self.cursor.skip_space();
            // As in Python, the last may be followed by a comma.
            if self.cursor.take(')') {
                return Ok(literals);
            }
            literals.push(self.literal()?);
        }
    }

    fn pattern(&mut self) -> Result<Pattern, Problem> {
        self.cursor.skip_space();
        let start = self.cursor.at();
        let text = self.text()?;
        self.patterns += 1;
        if self.patterns > PATTERNS_MAX {
            let span = start..self.cursor.at();
            return Err(self.problem(span, format!("there are more than {PATTERNS_MAX} regular expressions")));
        }
        pattern(&text).map_err(|why| {
            self.problem(start..self.cursor.at(), format!("this is no regular expression: {why}"))
        })
    }

    fn like_pattern(&mut self) -> Result<String, Problem> {
        self.cursor.skip_space();
        let start = self.cursor.at();
        let text = self.text()?;
        match text.len() <= PATTERN_MAX {
            true => Ok(text),
            false => {
                let message = format!("this pattern has {} bytes: {PATTERN_MAX} is the limit", text.len());
                Err(self.problem(start..self.cursor.at(), message))
            }
        }
    }

    /// Text, of which it does not matter whether it is quoted.
    fn text(&mut self) -> Result<String, Problem> {
        self.literal().map(|literal| literal.text)
    }

    fn literal(&mut self) -> Result<Literal, Problem> {
        self.cursor.skip_space();
        if matches!(self.cursor.peek(), Some('\'' | '"')) {
            return self.quoted_value();
        }
        if KEYWORDS.iter().any(|keyword| self.cursor.is_keyword(keyword)) {
            return Err(self.missing("a value"));
        }
        let Some((word, mut span)) = self.cursor.word() else { return Err(self.missing("a value")) };
        let mut text = word.to_owned();
        // `2 days ago`, `1 h 30 min` and `2026-01-02 13:00` are one value.
        while let Some(next) = self.cursor.peek_word().filter(|next| moment::continues(&text, next)) {
            text.push(' ');
            text.push_str(next);
            self.cursor.word();
            span.end = self.cursor.at();
        }
        Ok(Literal { span, text, is_quoted: false })
    }

    fn quoted_value(&mut self) -> Result<Literal, Problem> {
        let start = self.cursor.at();
        let text = self.cursor.doubled().map_err(|unclosed| self.unclosed(&unclosed, false))?;
        Ok(Literal { span: start..self.cursor.at(), text, is_quoted: true })
    }

    fn is_connected(&self) -> bool {
        ["and", "or"].iter().any(|keyword| self.cursor.is_keyword(keyword))
    }

    /// Something follows where only `and`, `or` or the end can.
    fn not_connected(&self) -> Problem {
        let mut ahead = self.cursor.clone();
        let Some((word, _)) = ahead.word() else {
            return self.unexpected("'and', 'or' or the end should be here");
        };
        let problem = self.unexpected("'and', 'or' or the end should be here");
        let at = self.unskipped();
        match word {
            _ if at.ends_with(['\'', '"']) => problem.hint("a quote within the text is doubled: 'it''s'"),
            "&&" | "&" => problem.hint("did you mean 'and'?"),
            "||" | "|" => problem.hint("did you mean 'or'?"),
            _ => match human::nearest(word, ["and", "or"]) {
                Some(keyword) => problem.hint(format!("did you mean '{keyword}'?")),
                None => problem.hint("put text that holds spaces into quotes: name = 'quiet otter'"),
            },
        }
    }

    /// What was read so far, if nothing but a word follows it at once.
    fn unskipped(&self) -> &str {
        &self.cursor.source()[..self.cursor.at()]
    }

    fn no_operator(&self, name: &Name) -> Problem {
        let problem = self.unexpected(format!("a comparison should follow '{}'", shown(&name.text())));
        let word = self.cursor.peek_word().unwrap_or_default();
        match human::nearest(word, OPERATORS.into_iter().chain(KEYWORDS)) {
            Some(operator) => problem.hint(format!("did you mean '{operator}'?")),
            None => problem.hint("compare with one of = != < <= > >= ~ !~ in like, or put a name that holds spaces into backticks"),
        }
    }

    fn missing(&self, what: &str) -> Problem {
        let mut ahead = self.cursor.clone();
        match ahead.skip_space() {
            true => self.unexpected(format!("{what} should be here")),
            false => {
                let end = self.cursor.source().trim_end().len();
                self.problem(end..end, format!("{what} is missing at the end"))
            }
        }
    }

    /// A failure at the next word, sign or quoted text.
    fn unexpected(&self, message: impl Into<String>) -> Problem {
        let mut ahead = self.cursor.clone();
        ahead.skip_space();
        let at = ahead.at();
        let quoted = matches!(ahead.peek(), Some('\'' | '"' | '`')) && ahead.clone().doubled().is_ok();
        let span = match ahead.word().or_else(|| ahead.operator()) {
            Some((_, span)) => span,
            None if quoted => {
                let _ = ahead.doubled();
                at..ahead.at()
            }
            None => at..at + ahead.peek().map_or(0, char::len_utf8),
        };
        self.problem(span, message)
    }

    fn unclosed(&self, Unclosed(start): &Unclosed, is_name: bool) -> Problem {
        let quote = self.cursor.source()[*start..].chars().next().unwrap_or('"');
        let problem =
            self.problem(*start..start + 1, format!("a quote ({quote}) is opened here and never closed"));
        problem.hint(match quote {
            '"' if is_name => "a quote within a name is written \\\"".to_owned(),
            quote => format!("a quote within the text is doubled: {quote}{quote}"),
        })
    }

    fn problem(&self, span: Span, message: impl Into<String>) -> Problem {
        place::problem(self.cursor.source(), &span, message)
    }
}

fn one_or(mut parts: Vec<Expression>, several: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.len() {
        1 => parts.remove(0),
        _ => several(parts),
    }
}

/// A word fit for a message.
pub fn shown(word: &str) -> String {
    crate::error::shorten(word)
}
