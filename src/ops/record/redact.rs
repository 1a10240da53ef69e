//! What is a secret, by its name or by its shape, and what stands in its place in the record.
//!
//! Names are taken apart into words, so that `hf_token` is a secret and `max_tokens` and `tokenizer` are not. Errs on the
//! side of hiding: what is hidden wrongly is lost from the record, what is shown wrongly is pushed to everyone.

use std::borrow::Cow;
use std::ffi::OsString;
use std::sync::LazyLock;

use regex::{Captures, Regex, RegexBuilder};

use crate::error::Problem;
use crate::run::value::{Table, Value};

/// What stands where a secret stood.
pub const REDACTED: &str = "[redacted]";

/// Hides secrets: those everyone has, and what the settings add.
#[derive(Debug, Default)]
pub struct Redactor {
    names: Vec<String>,
    patterns: Vec<Regex>,
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
        let last = name.rsplit('.').next().unwrap_or(name);
        let is_extra = [name, last].iter().any(|name| self.names.contains(&normal(name)));
        is_extra || is_secret(&words(name))
    }

    /// A command with its secrets hidden, as it is recorded.
    pub fn command(&self, argv: &[OsString]) -> Vec<Value> {
        let (mut is_value, mut is_code) = (false, false);
        let mut out = Vec::new();
        for word in argv {
            let text = word.to_string_lossy();
            let hidden = match std::mem::take(&mut is_value) && !text.starts_with("--") {
                true => (!is_harmless(&text)).then(|| REDACTED.to_owned()),
                // Code is several words in one: `sh -c 'TOKEN=x train --lr 1'`.
                false if std::mem::take(&mut is_code) && !text.starts_with('-') => self.hidden(&text),
                false => {
                    is_value = self.is_secret_option(&text);
                    is_code = is_code_option(&text);
                    self.word(&text)
                }
            };
            out.push(match (hidden, word.to_str()) {
                (Some(hidden), _) => Value::Text(hidden),
                (None, Some(text)) => Value::Text(text.to_owned()),
                (None, None) => Value::Bytes(word.as_encoded_bytes().to_vec()),
            });
        }
        out
    }

    /// Hides secrets among params, by name and by shape; how many were hidden.
    pub fn params(&self, params: &mut Table) -> usize {
        let hide = |(name, value): (&String, &mut Value)| match value {
            Value::Table(table) if is_all_secret(name) => hide_all(table),
            Value::Table(table) => self.params(table),
            value if self.is_secret_name(name) => hide(value),
            value => self.value(value),
        };
        params.iter_mut().map(hide).sum()
    }

    /// A text with its secrets hidden: known shapes of tokens, credentials in addresses, `NAME=VALUE` of a secret name.
    pub fn text(&self, text: &str) -> String {
        self.hidden(text).unwrap_or_else(|| text.to_owned())
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
            Value::List(list) => list.iter_mut().map(|item| self.value(item)).sum(),
            Value::Table(table) => self.params(table),
            _ => 0,
        }
    }

    /// `--token`, `-token`: an option whose value is the next word.
    fn is_secret_option(&self, word: &str) -> bool {
        let name = word.trim_start_matches('-');
        word.starts_with('-') && !name.contains(['=', ' ']) && self.is_secret_name(name)
    }

    /// One word of a command: `--token=X`, `TOKEN=X`, `+db.password=X`, or any text; `None` where nothing is hidden.
    fn word(&self, word: &str) -> Option<String> {
        let is_name = |name: &&str| {
            !name.is_empty() && !name.contains([' ', '\t', '\n', '\'', '"', '/', '?', '(', ';'])
        };
        let is_secret = |name: &str| self.is_secret_name(name.trim_start_matches(['-', '+']));
        match word.split_once('=').filter(|(name, _)| is_name(name) && is_secret(name)) {
            Some((name, value)) => (!is_harmless(value)).then(|| format!("{name}={REDACTED}")),
            None => self.hidden(word),
        }
    }

    /// The text with secrets hidden, or `None` where there are none.
    fn hidden(&self, text: &str) -> Option<String> {
        let mut out = Cow::Borrowed(text);
        if text.len() >= SHORTEST {
            replace(&mut out, &SHAPES, |_| REDACTED.to_owned());
            replace(&mut out, &ADDRESSES, |found| format!("{}{}:{REDACTED}@", &found[1], &found[2]));
            replace(&mut out, &BEARERS, |found| {
                let before = found.get(1).or(found.get(2)).map_or("", |before| before.as_str());
                format!("{before}{REDACTED}")
            });
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
            let name = found.get(1).or(found.get(2)).map_or("", |name| name.as_str());
            // In code and prose `key=…` is seldom a secret; a whole word of a command was looked at already. What is
            // after `Authorization:` is hidden by then. `==` compares.
            let is_other = name.eq_ignore_ascii_case("key")
                || words(name).last().is_some_and(|word| word == "authorization");
            if is_other || text[at..].starts_with('=') || !self.is_secret_name(name) {
                continue;
            }
            let value = &text[at..at + value_length(&text[at..])];
            if value != REDACTED && !is_harmless(value.trim_matches(['"', '\''])) {
                out.push_str(&text[kept..at]);
                out.push_str(REDACTED);
                at += value.len();
                kept = at;
            }
        }
        (kept > 0).then(|| out + &text[kept..])
    }
}

/// `-c`, `-lc`, `-e`: what a shell or an interpreter takes code after.
fn is_code_option(word: &str) -> bool {
    let cluster = word.strip_prefix('-').filter(|cluster| !cluster.is_empty() && cluster.len() <= 4);
    cluster.is_some_and(|cluster| {
        cluster.ends_with(['c', 'e']) && cluster.bytes().all(|byte| byte.is_ascii_alphabetic())
    })
}

/// How long the value at the beginning of `text` is: a quoted text, or all before a space or a mark that ends one.
fn value_length(text: &str) -> usize {
    if text.starts_with(REDACTED) {
        return REDACTED.len();
    }
    if let Some(quote) = text.chars().next().filter(|first| matches!(first, '"' | '\'')) {
        return text[1..].find([quote, '\n']).map_or(text.len(), |end| end + 2);
    }
    let ends = |character: char| {
        character.is_whitespace() || matches!(character, '"' | '\'' | '&' | ';' | ',' | '|' | ')' | '}' | ']')
    };
    text.find(ends).unwrap_or(text.len())
}

/// No secret is shorter, names and all.
const SHORTEST: usize = 8;

/// Tokens that show by their beginnings what they are, JSON web tokens and private keys.
static SHAPES: LazyLock<Regex> = LazyLock::new(|| {
    let shapes = [
        r"gh[pousr]_[A-Za-z0-9]{16,}",
        r"github_pat_[A-Za-z0-9_]{16,}",
        r"glpat-[A-Za-z0-9_-]{16,}",
        r"hf_[A-Za-z0-9]{16,}",
        r"(?:AKIA|ASIA)[0-9A-Z]{16}",
        r"sk-(?:ant|proj|svcacct|admin|or|lf|live|test)-[A-Za-z0-9_-]{16,}",
        r"[sr]k-[A-Za-z0-9]{16,}",
        r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
        r"xox[abeoprs]-[A-Za-z0-9-]{10,}",
        r"AIza[A-Za-z0-9_-]{30,}",
        r"npm_[A-Za-z0-9]{30,}",
        r"pypi-[A-Za-z0-9_-]{40,}",
        r"dckr_pat_[A-Za-z0-9_-]{20,}",
        r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    ];
    let keys = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)";
    built_in(&format!(r"(?-u:\b)(?:{})|{keys}", shapes.join("|")))
});

/// `scheme://user:password@`.
static ADDRESSES: LazyLock<Regex> =
    LazyLock::new(|| built_in(r#"([A-Za-z][A-Za-z0-9+.-]*://)([^ \t\r\n/@:"']*):([^ \t\r\n/"']+)@"#));

/// `Authorization: Bearer …`.
static BEARERS: LazyLock<Regex> = LazyLock::new(|| {
    built_in(
        r#"((?i:authorization)["']?[ \t]*[:=][ \t]*["']?(?:[A-Za-z]+[ \t]+)?)[^ \t\r\n"']+|((?i:bearer)[ \t]+)[^ \t\r\n"']{8,}"#,
    )
});

/// `NAME=`, `NAME: `, `"NAME":` and `--NAME ` within a longer text, up to the value.
static ASSIGNMENTS: LazyLock<Regex> = LazyLock::new(|| {
    built_in(
        r#"([A-Za-z_][A-Za-z0-9_.-]*)(?:["']?[ \t]*=[ \t]*|[ \t]*:[ \t]+|["'][ \t]*:[ \t]*)|--([A-Za-z][A-Za-z0-9_.-]*)[ \t]+"#,
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

/// What says nothing even under a secret name: `--use-auth-token True`, `token=null`, a flag's `1`.
fn is_harmless(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "" | "true" | "false" | "none" | "null" | "0" | "1")
}

fn hide(value: &mut Value) -> usize {
    let is_hidden = match value {
        Value::Null | Value::Bool(_) => false,
        Value::Text(text) => !is_harmless(text) && text != REDACTED,
        Value::Int(int) => !(0..=1).contains(int),
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
        value => hide(value),
    };
    table.values_mut().map(each).sum()
}

/// Whether a dict of this name holds nothing but secrets: `secrets`, `credentials`; not `auth` or `key`.
fn is_all_secret(name: &str) -> bool {
    words(name).last().is_some_and(|word| ALWAYS.contains(&word.as_str()))
}

/// Words that make a name a secret's wherever they stand.
const ALWAYS: &[&str] = &[
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "secrets",
    "credential",
    "credentials",
    "jwt",
    "apikey",
    "apikeys",
    "secretkey",
    "privatekey",
    "accesskey",
    "authtoken",
    "accesstoken",
    "apitoken",
    "refreshtoken",
    "sessiontoken",
    "idtoken",
    "bearertoken",
    "hftoken",
    "githubtoken",
    "ghtoken",
    "dbpassword",
    "userpassword",
];

/// Pairs of words that do, side by side.
const PAIRS: &[(&str, &[&str])] = &[
    (
        "key",
        &[
            "api",
            "access",
            "private",
            "secret",
            "ssh",
            "signing",
            "encryption",
            "account",
            "deploy",
            "master",
            "licence",
            "license",
        ],
    ),
    ("keys", &["api", "access", "private", "secret", "ssh", "signing", "encryption"]),
    ("tokens", &["access", "api", "auth", "refresh", "bearer"]),
    ("pass", &["db", "user", "smtp", "ftp", "mysql", "ssh", "admin", "root", "http", "proxy", "sudo", "git"]),
];

/// Words that do at the end of a name, unless one of the words after them stands before.
const LAST: &[(&str, &[&str])] = &[
    (
        "token",
        &[
            "pad",
            "eos",
            "bos",
            "unk",
            "mask",
            "sep",
            "cls",
            "special",
            "image",
            "img",
            "audio",
            "video",
            "start",
            "end",
            "begin",
            "prompt",
            "stop",
            "next",
            "per",
            "new",
            "class",
            "register",
            "text",
            "input",
            "output",
            "decoder",
            "encoder",
            "patch",
            "word",
            "num",
            "n",
            "by",
            "each",
            "additional",
            "first",
            "last",
            "speech",
            "box",
            "point",
            "query",
            "label",
            "target",
            "blank",
            "space",
            "separator",
            "system",
            "max",
            "min",
            "sub",
            "byte",
            "time",
            "forced",
        ],
    ),
    (
        "key",
        &[
            "public",
            "primary",
            "foreign",
            "sort",
            "group",
            "partition",
            "rng",
            "prng",
            "random",
            "seed",
            "num",
            "n",
            "image",
            "text",
            "label",
            "input",
            "output",
            "target",
            "metric",
            "column",
            "feature",
            "monitor",
            "cache",
            "index",
            "dict",
            "state",
            "query",
            "loss",
            "score",
            "data",
            "batch",
            "caption",
            "reward",
            "join",
            "run",
            "max",
            "min",
        ],
    ),
    ("auth", &["no", "use", "with", "require", "requires", "enable", "skip"]),
    ("authorization", &[]),
    ("pwd", &["old"]),
    (
        "pass",
        &[
            "num", "n", "forward", "backward", "single", "first", "second", "multi", "two", "one", "per",
            "low", "high", "band", "by", "max", "min", "all",
        ],
    ),
    ("cookie", &[]),
    ("cookies", &[]),
    ("bearer", &[]),
    ("pat", &[]),
];

/// Whether these words of a name are a secret's: see [`ALWAYS`], [`PAIRS`], [`LAST`].
fn is_secret(words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let has_pair =
        |pair: &[&str]| PAIRS.iter().any(|(last, firsts)| *last == pair[1] && firsts.contains(&pair[0]));
    words.iter().any(|word| ALWAYS.contains(word))
        || words.windows(2).any(has_pair)
        || is_secret_at_the_end(&words)
}

fn is_secret_at_the_end(words: &[&str]) -> bool {
    let Some((last, before)) = words.split_last() else {
        return false;
    };
    // The working folder, and a pass over the data, have the name of a password.
    let is_alone_harmless = before.is_empty() && matches!(*last, "pwd" | "pass" | "pat");
    let rule = LAST.iter().find(|(word, _)| word == last);
    rule.is_some_and(|(_, unless)| {
        !is_alone_harmless && before.last().is_none_or(|word| !unless.contains(word))
    })
}

/// The words of a name in lower case: parted at what is no letter, and where `camelCase` begins a new one.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let characters: Vec<char> = name.chars().collect();
    for (at, &character) in characters.iter().enumerate() {
        let last = at.checked_sub(1).map(|last| characters[last]);
        let next = characters.get(at + 1);
        let begins = character.is_uppercase()
            && last.is_some_and(|last| {
                last.is_lowercase() || (last.is_uppercase() && next.is_some_and(|next| next.is_lowercase()))
            });
        if begins || !character.is_alphabetic() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| character.is_alphabetic()) {
            word.extend(character.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
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
        assert_eq!(redactor().params(&mut params), 6);
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
        assert_eq!(redactor().params(&mut params), 0, "what is hidden is not hidden again");
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
