//! What is a secret, by its name or by its shape, and what stands in its place in the record.
//!
//! Names are taken apart into words, so that `hf_token` is a secret and `max_tokens` and `tokenizer` are not. Errs on the
//! side of hiding: what is hidden wrongly is lost from the record, what is shown wrongly is pushed to everyone.

#[cfg(test)]
mod corpus;
/// Names.
mod names;
/// Programs that take secrets without a name.
mod programs;
/// Tokens that show what they are.
mod shapes;

use std::borrow::Cow;
use std::ffi::OsString;
use std::sync::LazyLock;

use regex::{Captures, Regex, RegexBuilder};

use crate::error::Problem;
use crate::ops::record::redact::names::{
    Strength, ends_as_secret, is_all_secret, is_doubtful, strength, words,
};
use crate::ops::record::redact::programs::Programs;
use crate::run::value::{Table, Value};

/// What stands where a secret stood.
pub const REDACTED: &str = "[redacted]";

/// Hides secrets: those everyone has, and what the settings add.
#[derive(Debug, Default)]
pub struct Redactor {
    names: Vec<String>,
    patterns: Vec<Regex>,
}

/// What a word of a command makes of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Anything,
    /// The value of an option that is a secret's.
    Value(Strength),
    /// The value of a setting that is a secret's: `aws configure set aws_secret_access_key …`.
    Setting,
    /// Code: several words in one.
    Code,
}

impl Redactor {
    /// A redactor that knows `extra` besides: plain names, and patterns whose matches in any text are hidden.
    pub fn new(extra: &[String]) -> Result<Self, Problem> {
        let mut redactor = Self::default();
        for entry in extra {
            match is_plain_name(entry) {
                true => redactor.names.push(normal(entry)),
                false => redactor.patterns.push(pattern(entry)?),
            }
        }
        Ok(redactor)
    }

    /// Whether what has this name is a secret.
    pub fn is_secret_name(&self, name: &str) -> bool {
        self.strength(name) > Strength::Plain
    }

    /// A command with its secrets hidden, as it is recorded.
    pub fn command(&self, argv: &[OsString]) -> Vec<Value> {
        let texts: Vec<Cow<'_, str>> = argv.iter().map(|word| word.to_string_lossy()).collect();
        let hidden = self.hidden_words(&texts.iter().map(AsRef::as_ref).collect::<Vec<_>>());
        let shown = argv.iter().zip(hidden).map(|(word, hidden)| match (hidden, word.to_str()) {
            (Some(hidden), _) => Value::Text(hidden),
            (None, Some(text)) => Value::Text(text.to_owned()),
            (None, None) => Value::Bytes(word.as_encoded_bytes().to_vec()),
        });
        shown.collect()
    }

    /// Hides secrets in a nested dict, by name and by shape; how many were hidden.
    pub fn table(&self, table: &mut Table) -> usize {
        if let Some(hidden) = self.named_value(table) {
            return hidden;
        }
        let hide = |(name, value): (&String, &mut Value)| match (value, self.strength(name)) {
            (Value::Table(table), _) if is_all_secret(name) => hide_all(table),
            (Value::Table(table), _) => self.table(table),
            (value, Strength::Plain) => match value {
                Value::Text(text) if is_doubtful(name) && looks_like_password(text) => {
                    hide(value, Strength::Certain)
                }
                value => self.value(value),
            },
            (value, strength) => hide(value, strength),
        };
        table.iter_mut().map(hide).sum()
    }

    /// A text with its secrets hidden: known shapes of tokens, credentials in addresses, `NAME=VALUE` of a secret name.
    pub fn text(&self, text: &str) -> String {
        self.hidden(text).unwrap_or_else(|| text.to_owned())
    }

    fn strength(&self, name: &str) -> Strength {
        let last = name.rsplit('.').next().unwrap_or(name);
        let is_extra =
            !self.names.is_empty() && [name, last].iter().any(|name| self.names.contains(&normal(name)));
        if is_extra { Strength::Certain } else { strength(name) }
    }

    /// `{ name = "HF_TOKEN", value = "…" }`, as lists of variables are written.
    fn named_value(&self, table: &mut Table) -> Option<usize> {
        let name = ["name", "key"].iter().find_map(|key| table.get(*key)?.as_text());
        let strength = self.strength(name.filter(|_| table.len() <= 3)?);
        (strength > Strength::Plain).then_some(())?;
        Some(hide(table.get_mut("value")?, strength))
    }

    fn value(&self, value: &mut Value) -> usize {
        match value {
            Value::Text(text) | Value::Json(text) => match self.hidden(text) {
                Some(hidden) => {
                    *value = Value::Text(hidden);
                    1
                }
                None => 0,
            },
            Value::List(list) => self.list(list),
            Value::Table(table) => self.table(table),
            _ => 0,
        }
    }

    /// A list of texts may be a command.
    fn list(&self, list: &mut [Value]) -> usize {
        let words: Option<Vec<&str>> = list.iter().map(Value::as_text).collect();
        let Some(words) = words.filter(|words| words.iter().any(|word| word.starts_with('-'))) else {
            return list.iter_mut().map(|item| self.value(item)).sum();
        };
        let hidden = self.hidden_words(&words);
        let mut count = 0;
        for (item, hidden) in list.iter_mut().zip(hidden) {
            if let Some(hidden) = hidden {
                *item = Value::Text(hidden);
                count += 1;
            }
        }
        count
    }

    /// What is to be shown of each word of a command in which something is hidden.
    fn hidden_words(&self, words: &[&str]) -> Vec<Option<String>> {
        let (mut next, mut programs) = (Next::Anything, Programs::default());
        let mut shown = Vec::with_capacity(words.len());
        for (at, word) in words.iter().enumerate() {
            let by_program = programs.hidden(word);
            shown.push(match std::mem::replace(&mut next, Next::Anything) {
                Next::Value(strength) if !word.starts_with("--") => {
                    (!is_harmless(word, strength)).then(|| REDACTED.to_owned())
                }
                Next::Setting if !word.starts_with('-') => {
                    (!is_harmless(word, Strength::Likely)).then(|| REDACTED.to_owned())
                }
                Next::Code if !word.starts_with('-') => self.code(word),
                _ => {
                    next = self.next(word, &words[..at]);
                    by_program.or_else(|| self.word(word))
                }
            });
        }
        shown
    }

    fn next(&self, word: &str, before: &[&str]) -> Next {
        if is_code_option(word) {
            return Next::Code;
        }
        let name = word.trim_start_matches('-');
        // `--token= X` was meant as one.
        let name = name.strip_suffix('=').unwrap_or(name);
        let is_name = !name.is_empty() && !name.contains(['=', ' ', '/', ':']);
        match if is_name { self.strength(name) } else { Strength::Plain } {
            Strength::Plain if word.starts_with('-') && is_name && is_doubtful(name) => {
                Next::Value(Strength::Plain)
            }
            Strength::Plain => Next::Anything,
            strength if word.starts_with('-') || word.ends_with('=') => Next::Value(strength),
            Strength::Certain if !before.is_empty() && ends_as_secret(name) => Next::Setting,
            _ if before.iter().any(|word| matches!(*word, "config" | "configure" | "modify" | "set")) => {
                Next::Setting
            }
            _ => Next::Anything,
        }
    }

    /// One word of a command: `--token=X`, `TOKEN=X`, `+db.password=X`, or any text; `None` where nothing is hidden.
    fn word(&self, word: &str) -> Option<String> {
        let is_name = |name: &&str| {
            !name.is_empty() && !name.contains([' ', '\t', '\n', '\'', '"', '/', '?', '(', ';', '['])
        };
        if let Some((name, value)) = word.split_once('=').filter(|(name, _)| is_name(name)) {
            let bare = name.trim_start_matches(['-', '+', '~']);
            let is_secret = match self.strength(bare) {
                Strength::Plain => is_doubtful(bare) && looks_like_password(value),
                strength => !is_harmless(value, strength),
            };
            if is_secret {
                return Some(format!("{name}={REDACTED}"));
            }
        }
        self.hidden(word)
    }

    /// Several words in one, `sh -c 'TOKEN=x train --lr 1; mysql -pX'`: looked at as a text, and as the words it holds.
    fn code(&self, code: &str) -> Option<String> {
        let mut shown = self.text(code);
        let mut spaced = code.to_owned();
        for operator in [";", "|", "&&", "\n"] {
            spaced = spaced.replace(operator, " ; ");
        }
        let words = shell_words::split(&spaced)
            .unwrap_or_else(|_| spaced.split_whitespace().map(str::to_owned).collect());
        let hidden = self.hidden_words(&words.iter().map(String::as_str).collect::<Vec<_>>());
        for (word, hidden) in words.iter().zip(hidden).filter_map(|(word, hidden)| Some((word, hidden?))) {
            // What shows by itself is hidden by now, as far as it is a secret within code.
            let is_by_place = self.word(word).as_ref() != Some(&hidden);
            let secret = what_was_hidden(word, &hidden).filter(|_| is_by_place);
            // What is shorter would be found where it is no secret.
            if let Some(secret) = secret.filter(|secret| secret.len() >= 4 && *secret != REDACTED) {
                shown = shown.replace(secret, REDACTED);
            }
        }
        (shown != code).then_some(shown)
    }

    /// The text with secrets hidden, or `None` where there are none.
    fn hidden(&self, text: &str) -> Option<String> {
        let mut out = Cow::Borrowed(text);
        if text.len() >= SHORTEST {
            shapes::hide(&mut out);
            if let Some(hidden) = self.assignments(&out) {
                out = Cow::Owned(hidden);
            }
        }
        for pattern in &self.patterns {
            replace(&mut out, pattern, |_| REDACTED.to_owned());
        }
        (out != text).then(|| out.into_owned())
    }

    /// Hides what stands after a secret's name; other values are looked into.
    fn assignments(&self, text: &str) -> Option<String> {
        let mut out = String::new();
        let (mut kept, mut at) = (0, 0);
        while let Some(found) = ASSIGNMENTS.captures_at(text, at) {
            at = found.get(0).map_or(text.len(), |found| found.end());
            let name = (1..=5).find_map(|group| found.get(group)).map_or("", |name| name.as_str());
            let value = &text[at..at + value_length(&text[at..])];
            // `==` compares.
            if text[at..].starts_with('=') || !self.is_secret_value(name, value, found.get(4).is_some()) {
                continue;
            }
            out.push_str(&text[kept..at]);
            out.push_str(REDACTED);
            at += value.len();
            kept = at;
        }
        (kept > 0).then(|| out + &text[kept..])
    }

    /// Whether what stands after the name in a text is a secret; `is_prose` if it is said in words.
    fn is_secret_value(&self, name: &str, value: &str, is_prose: bool) -> bool {
        let bare = value.trim_matches(['"', '\'', '\\']);
        if value == REDACTED || bare.is_empty() {
            return false;
        }
        let words = words(name);
        match self.strength(name) {
            _ if is_prose => looks_like_password(bare),
            Strength::Plain => is_doubtful(name) && looks_like_password(bare),
            // What is after `Authorization:` is hidden by then.
            _ if words.last().is_some_and(|word| word == "authorization") => false,
            // In code and prose `key=…` is seldom a secret; a whole word of a command was looked at already.
            Strength::Likely if words.len() == 1 && words[0] == "key" => looks_random(bare),
            strength => !is_harmless(bare, strength),
        }
    }
}

/// `-c`, `-lc`, `-e`: what a shell or an interpreter takes code after.
fn is_code_option(word: &str) -> bool {
    let cluster = word.strip_prefix('-').filter(|cluster| !cluster.is_empty() && cluster.len() <= 4);
    cluster.is_some_and(|cluster| {
        cluster.ends_with(['c', 'e']) && cluster.bytes().all(|byte| byte.is_ascii_alphabetic())
    })
}

/// The part of the word in whose place it was hidden.
fn what_was_hidden<'a>(word: &'a str, hidden: &str) -> Option<&'a str> {
    let (before, _) = hidden.split_once(REDACTED)?;
    let (_, after) = hidden.rsplit_once(REDACTED)?;
    word.strip_prefix(before)?.strip_suffix(after)
}

/// How long the value at the beginning of `text` is: a quoted text, or all before a space or a mark that ends one.
fn value_length(text: &str) -> usize {
    if text.starts_with(REDACTED) {
        return REDACTED.len();
    }
    // A quote within a quoted text has a backslash.
    let slash = usize::from(text.starts_with('\\'));
    if let Some(quote) = text[slash..].chars().next().filter(|first| matches!(first, '"' | '\'')) {
        let begin = slash + 1;
        return text[begin..].find([quote, '\n']).map_or(text.len(), |end| begin + end + 1);
    }
    // YAML's text of several lines: the first of them.
    if let Some(rest) = ["|\n", ">\n", "|-\n", ">-\n"].iter().find_map(|mark| text.strip_prefix(mark)) {
        let marks = text.len() - rest.len();
        return marks + rest.find('\n').unwrap_or(rest.len());
    }
    let ends = |character: char| {
        character.is_whitespace() || matches!(character, '"' | '\'' | '&' | ';' | ',' | '|' | ')' | '}' | ']')
    };
    text.find(ends).unwrap_or(text.len())
}

/// No secret is shorter, names and all.
const SHORTEST: usize = 8;

/// What a value follows: `NAME=`, `NAME: `, `"NAME":`, `["NAME"] =`; `--NAME `; `setenv NAME `, `setdefault("NAME", `;
/// `the password is `; `login NAME password `.
static ASSIGNMENTS: LazyLock<Regex> = LazyLock::new(|| {
    built_in(
        r#"(?x)
        ([A-Za-z_][A-Za-z0-9_.-]*) (?: \\?["']?\]? [\ \t]* (?: := | = ) [\ \t]* | [\ \t]* : [\ \t]+ | \\?["'] [\ \t]* : [\ \t]* )
        | --([A-Za-z][A-Za-z0-9_.-]*) [\ \t]+
        | (?: setenv | putenv | setdefault | set [\ ] -g?x ) \(? [\ \t]* ["']? ([A-Za-z_][A-Za-z0-9_]*) ["']? [\ \t,]+
        | \b (?i: (password | passwd | passphrase | passwort | token | secret | api[\ _-]?key | pw) (?: [\ \t]+ (?: is | was | ist ) :? [\ \t] | [\ \t]* [:=] ) [\ \t]* )
        | \b login \s+ \S+ \s+ (password) [\ \t]+
        "#,
    )
});

fn built_in(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of ours is well formed: tests run each")
}

fn replace(text: &mut Cow<'_, str>, pattern: &Regex, with: impl Fn(&Captures<'_>) -> String) {
    if let Cow::Owned(replaced) = pattern.replace_all(text, with) {
        *text = Cow::Owned(replaced);
    }
}

fn pattern(entry: &str) -> Result<Regex, Problem> {
    let refuse = |reason: &str| {
        Problem::usage(format!("cannot redact by {entry:?}: {reason}"))
            .hint("give a name, like 'licence_code', or a regular expression for the secret itself")
    };
    let pattern = RegexBuilder::new(entry).case_insensitive(true).size_limit(1 << 20).build();
    let pattern = pattern.map_err(|_| refuse("it is no regular expression"))?;
    match pattern.is_match("") {
        true => Err(refuse("it matches the empty text")),
        false => Ok(pattern),
    }
}

fn is_plain_name(entry: &str) -> bool {
    !entry.is_empty()
        && entry.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '-' | '.'))
}

fn normal(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

/// What says nothing even under a secret's name: `--use-auth-token True`, `token=null`, a flag's `1`; a variable that
/// holds it; under a name that is only likely one, a number.
fn is_harmless(value: &str, strength: Strength) -> bool {
    let bare = value.trim_matches(['"', '\'']);
    let is_variable = bare.strip_prefix('$').is_some_and(|name| {
        let inner = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
        !inner.is_empty()
            && inner.chars().all(|character| character.is_ascii_alphanumeric() || "_:.".contains(character))
    });
    let is_word = matches!(
        bare.to_ascii_lowercase().as_str(),
        "" | "true" | "false" | "none" | "null" | "0" | "1" | "yes" | "no"
    );
    match strength {
        Strength::Plain => !looks_like_password(bare),
        Strength::Likely => is_word || is_variable || is_small_number(bare),
        Strength::Certain => is_word || is_variable,
    }
}

/// A count or a measure; a number that is longer may be a code.
fn is_small_number(text: &str) -> bool {
    text.len() <= 7 && text.parse::<f64>().is_ok()
}

/// Letters with digits or marks among them, and no path: nothing that a word or a number would be.
fn looks_like_password(text: &str) -> bool {
    let has = |is: fn(char) -> bool| text.chars().any(is);
    let is_path = text.starts_with(['/', '.', '~', '$', '-']) || text.contains(":\\") || text.contains("://");
    let is_mixed =
        has(|character| character.is_ascii_digit()) || has(|character| "!@#$%^&*?+".contains(character));
    text.chars().count() >= 6
        && !is_path
        && is_mixed
        && has(char::is_alphabetic)
        && !has(char::is_whitespace)
        && text.parse::<f64>().is_err()
}

fn looks_random(text: &str) -> bool {
    let is_token = |character: char| character.is_ascii_alphanumeric() || "+/_=-.".contains(character);
    text.len() >= 20 && text.chars().all(is_token) && looks_like_password(text)
}

fn hide(value: &mut Value, strength: Strength) -> usize {
    let is_hidden = match value {
        Value::Null | Value::Bool(_) => false,
        Value::Text(text) => !is_harmless(text, strength) && text != REDACTED,
        Value::Int(int) if strength < Strength::Certain => !(-9_999_999..=9_999_999).contains(int),
        Value::Int(int) => !(0..=1).contains(int),
        Value::Float(_) => strength == Strength::Certain,
        Value::List(list) => !list.is_empty(),
        _ => true,
    };
    if is_hidden {
        *value = Value::Text(REDACTED.to_owned());
    }
    usize::from(is_hidden)
}

fn hide_all(table: &mut Table) -> usize {
    let each = |value: &mut Value| match value {
        Value::Table(nested) => hide_all(nested),
        value => hide(value, Strength::Certain),
    };
    table.values_mut().map(each).sum()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn redactor() -> Redactor {
        Redactor::new(&[]).unwrap()
    }

    fn command(words: &[&str]) -> String {
        let argv: Vec<OsString> = words.iter().map(OsString::from).collect();
        let shown = redactor().command(&argv);
        shown.iter().map(|value| value.as_text().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_are_taken_by_their_words() {
        let secret = [
            "token",
            "hf_token",
            "HF_TOKEN",
            "HFToken",
            "access-token",
            "github_token",
            "token2",
            "auth.token",
            "password",
            "db_password",
            "dbPassword",
            "passwd",
            "passphrase",
            "secret",
            "client_secret",
            "secrets",
            "secret_name",
            "AWS_SECRET_ACCESS_KEY",
            "aws_access_key_id",
            "api_key",
            "apikey",
            "apiKey",
            "APIKey",
            "OPENAI_API_KEY",
            "WANDB_API_KEY",
            "api_keys",
            "credential",
            "google_credentials",
            "private_key",
            "privateKey",
            "ssh_key",
            "auth",
            "basic_auth",
            "authorization",
            "key",
            "license_key",
            "my_key",
            "db_pass",
            "user-pwd",
            "session_cookie",
            "jwt",
            "private_key_path",
        ];
        let plain = [
            "tokenizer",
            "tokenizer_name",
            "max_tokens",
            "num_tokens",
            "tokens",
            "max_new_tokens",
            "tokens_per_second",
            "token_dim",
            "token_type_ids",
            "pad_token",
            "eos_token",
            "pad_token_id",
            "keyboard",
            "key_dim",
            "key_size",
            "n_keys",
            "keys",
            "num_keys",
            "monkey",
            "keypoints",
            "sort_key",
            "rng_key",
            "public_key",
            "author",
            "authors",
            "auth_method",
            "authority",
            "lr",
            "secretary",
            "secretion",
            "compass",
            "pass",
            "n_pass",
            "forward_pass",
            "PWD",
            "OLDPWD",
            "bypass",
            "pattern",
            "path",
            "hash",
            "passes",
            "",
            "...",
            "monitor_key",
        ];
        for name in secret {
            assert!(redactor().is_secret_name(name), "{name}");
        }
        for name in plain {
            assert!(!redactor().is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn commands_lose_their_secrets_and_nothing_else() {
        let table: [(&[&str], &str); 21] = [
            (&["train", "--token", "abc", "--lr", "0.1"], "train --token [redacted] --lr 0.1"),
            (&["train", "--token=abc"], "train --token=[redacted]"),
            (&["train", "--token", "--lr", "1"], "train --token --lr 1"),
            (&["train", "-password", "-x"], "train -password [redacted]"),
            (&["env", "HF_TOKEN=abc", "python3"], "env HF_TOKEN=[redacted] python3"),
            (
                &["train", "token=abc", "+db.password=x", "lr=0.1"],
                "train token=[redacted] +db.password=[redacted] lr=0.1",
            ),
            (
                &["train", "--tokenizer", "gpt2", "--max-tokens=5", "--key-dim", "64"],
                "train --tokenizer gpt2 --max-tokens=5 --key-dim 64",
            ),
            (&["train", "--use-auth-token", "True"], "train --use-auth-token True"),
            (&["git", "clone", "https://user:pw@host/x.git"], "git clone https://user:[redacted]@host/x.git"),
            (&["train", "--db=postgres://u:p@ss@h:5432/d"], "train --db=postgres://u:[redacted]@h:5432/d"),
            (
                &["git", "clone", "ssh://git@host/x", "https://host:80/a@b"],
                "git clone ssh://git@host/x https://host:80/a@b",
            ),
            (
                &["curl", "-H", "Authorization: Bearer abcdefghijkl"],
                "curl -H Authorization: Bearer [redacted]",
            ),
            (
                &["sh", "-c", "HF_TOKEN=abc train --password hunter22 --lr 1"],
                "sh -c HF_TOKEN=[redacted] train --password [redacted] --lr 1",
            ),
            (
                &["sh", "-c", "--password", "x", "DB_PASSWORD=two words"],
                "sh -c --password [redacted] DB_PASSWORD=[redacted]",
            ),
            (
                &["curl", "https://x.org/?a=1&token=abcdef&b=2"],
                "curl https://x.org/?a=1&token=[redacted]&b=2",
            ),
            (&["curl", "--url=https://x.org/?token=abcdef"], "curl --url=https://x.org/?token=[redacted]"),
            (&["python3", "-c", "sorted(x, key=len); f(lr=0.1)"], "python3 -c sorted(x, key=len); f(lr=0.1)"),
            (&["train", "ghp_0123456789abcdefghij0123456789abcdef"], "train [redacted]"),
            (
                &["train", "--name=sk-learn-pipeline-experiment-1", "task-0123456789abcdefgh"],
                "train --name=sk-learn-pipeline-experiment-1 task-0123456789abcdefgh",
            ),
            (&["train", "--key", "val"], "train --key [redacted]"),
            (
                &["train", "{\"password\": \"hunter22\", \"lr\": 1}"],
                "train {\"password\": [redacted], \"lr\": 1}",
            ),
        ];
        for (words, expected) in table {
            assert_eq!(command(words), expected, "{words:?}");
        }
    }

    #[test]
    fn tokens_are_known_by_their_shape() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----";
        let secret = [
            "ghp_0123456789abcdefghij",
            "github_pat_0123456789abcdefghij",
            "glpat-0123456789abcdefghij",
            "hf_abcdefghijABCDEFGHIJ",
            "AKIAIOSFODNN7EXAMPLE",
            "sk-0123456789abcdefghij",
            "sk-ant-api03-abcdefghij0123456789",
            "sk-proj-abc_def-0123456789",
            "xoxb-123456789012-abcdef",
            "AIzaSyA0123456789abcdefghijklmnopqrstuv",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123",
            key,
            "-----BEGIN PRIVATE KEY-----\nMIIE",
        ];
        for token in secret {
            assert_eq!(redactor().text(&format!("a {token}")), format!("a {REDACTED}"), "{token}");
        }
        assert_eq!(redactor().text(&format!("x {key} y")), format!("x {REDACTED} y"));
        let plain = [
            "hf_hub_download",
            "sk-learn",
            "disk-0123456789abcdefghij",
            "-----BEGIN PUBLIC KEY-----\nMIIE",
            "lr=0.1, n_keys=3",
            "https://x.org/a:b",
            "ratio 3:4 @ noon",
            "tokenizer: gpt2",
            "xoxo",
            "max_tokens=512",
            "time: 12:30:45",
        ];
        for text in plain {
            assert_eq!(redactor().text(text), text);
        }
    }

    #[test]
    fn params_lose_their_secrets() {
        let text = "lr = 0.1\nhf_token = \"abc\"\nuse_token = true\nnone_token = { \"$null\" = true }\nauth = { method = \"basic\", password = \"x\" }\n\
                    credentials = { user = \"me\", id = 7 }\nurl = \"https://u:pw@h/\"\nkeys = [\"ghp_0123456789abcdefghij\", \"k\"]\nkey = { dim = 64 }\n";
        let mut params = crate::run::text::read(text.as_bytes());
        if params.is_err() {
            params = crate::ops::record::files::read_params("p.toml", text.as_bytes());
        }
        let mut params = params.unwrap();
        assert_eq!(redactor().table(&mut params), 6);
        let written = crate::run::text::write_value(&Value::Table(params.clone()));
        assert!(
            !["abc", "\"x\"", "me\"", "7", "pw@", "ghp_"].iter().any(|secret| written.contains(secret)),
            "{written}"
        );
        assert!(
            ["lr = 0.1", "use_token = true", "method = \"basic\"", "dim = 64", "\"k\""]
                .iter()
                .all(|kept| written.contains(kept)),
            "{written}"
        );
        assert_eq!(redactor().table(&mut params), 0, "what is hidden is not hidden again");
    }

    #[test]
    fn settings_add_names_and_patterns() {
        let extra = ["licence-code".to_owned(), r"corp-\d{4}".to_owned()];
        let redactor = Redactor::new(&extra).unwrap();
        assert!(redactor.is_secret_name("LICENCE_CODE") && redactor.is_secret_name("a.licence_code"));
        assert!(!redactor.is_secret_name("code"));
        assert_eq!(redactor.text("id CORP-1234!"), "id [redacted]!");
        for bad in ["(", "x*", ""] {
            assert!(Redactor::new(&[bad.to_owned()]).is_err(), "{bad:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_text_are_kept_unless_secret() {
        use std::os::unix::ffi::OsStringExt;
        let argv = [
            OsString::from_vec(b"x\xff".into()),
            OsString::from_vec(b"--token=\xff".into()),
            "--token".into(),
            OsString::from_vec(b"\xff".into()),
        ];
        let hidden = Value::Text(REDACTED.into());
        assert_eq!(
            redactor().command(&argv),
            [Value::Bytes(b"x\xff".into()), "--token=[redacted]".into(), "--token".into(), hidden]
        );
    }

    proptest! {
        #[test]
        fn nothing_panics_and_secrets_go(texts in prop::collection::vec("\\PC{0,20}|--[a-z]{1,5}(=[a-z]{0,4})?", 0..6), secret in "[a-zA-Z0-9]{9,30}") {
            let mut argv: Vec<OsString> = texts.iter().map(OsString::from).collect();
            prop_assert_eq!(redactor().command(&argv).len(), argv.len());
            argv.push("--api-key".into());
            argv.push(secret.clone().into());
            let shown = format!("{:?}", redactor().command(&argv)[texts.len()..].to_vec());
            prop_assert!(!shown.contains(&secret));
            redactor().text(&texts.concat());
        }

        #[test]
        fn any_setting_is_taken_or_refused(entry in "\\PC{0,20}") {
            let _ = Redactor::new(&[entry]);
        }
    }
}
