//! Which names are a secret's: `hf_token` and `dbPassword`, not `max_tokens`, `tokenizer` or `sort_key`.
//!
//! Knows words and what stands beside them; nothing of values.

/// How sure a name is to be a secret's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// It is none.
    Plain,
    /// It is one unless the value says otherwise: a `token` may be counted, a `key` be a number.
    Likely,
    /// It is one.
    Certain,
}

/// How sure the name is to be a secret's.
pub fn strength(name: &str) -> Strength {
    let words = words(name);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_pair =
        |pair: &[&str]| PAIRS.iter().any(|(last, firsts)| *last == pair[1] && firsts.contains(&pair[0]));
    match words.iter().any(|word| ALWAYS.contains(word))
        || words.windows(2).any(is_pair) && !is_counted(&words)
    {
        true => Strength::Certain,
        false if is_secret_at_the_end(&words) => Strength::Likely,
        false => Strength::Plain,
    }
}

/// `num_access_tokens` and `id_token_ids` are about tokens.
fn is_counted(words: &[&str]) -> bool {
    matches!(words.first(), Some(&("num" | "n" | "max" | "min"))) || words.ends_with(&["ids"])
}

/// Whether a dict of this name holds nothing but secrets: `secrets`, `credentials`; not `auth` or `key`.
pub fn is_all_secret(name: &str) -> bool {
    words(name).last().is_some_and(|word| ALWAYS.contains(&word.as_str()))
}

/// Whether the name of a setting ends in what makes it a secret's, so that a value may follow: `aws_secret_access_key`,
/// not `private_key.pem`.
pub fn ends_as_secret(name: &str) -> bool {
    let words = words(name);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let last_pair = words.windows(2).last();
    words.last().is_some_and(|word| ALWAYS.contains(word))
        || last_pair.is_some_and(|pair| {
            PAIRS.iter().any(|(last, firsts)| *last == pair[1] && firsts.contains(&pair[0]))
        })
}

/// Whether the name is one that is a password's only if the value looks like one: `pass`, `pwd`, `pw`.
pub fn is_doubtful(name: &str) -> bool {
    let words = words(name);
    matches!(words.last().map(String::as_str), Some("pass" | "pwd" | "pw" | "pat" | "passwort" | "pin"))
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
pub fn words(name: &str) -> Vec<String> {
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
    "sshkey",
    "masterkey",
    "encryptionkey",
    "wandbkey",
    "mnemonic",
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
            "shared",
        ],
    ),
    ("signature", &["amz", "goog", "hmac"]),
    (
        "token",
        &[
            "auth", "access", "api", "bearer", "refresh", "session", "id", "private", "hf", "github", "gh",
            "gitlab",
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
            "user",
            "assistant",
            "instruction",
            "think",
            "tool",
            "bot",
            "eot",
            "sot",
            "boi",
            "eoi",
            "fim",
            "prefix",
            "suffix",
            "middle",
            "sos",
            "go",
            "null",
            "empty",
            "placeholder",
            "trigger",
            "modifier",
            "initializer",
            "instance",
            "rare",
            "pooling",
            "global",
            "memory",
            "summary",
            "state",
            "latent",
            "action",
            "vision",
            "cost",
            "price",
            "distill",
            "head",
            "visual",
            "frame",
            "answer",
            "question",
            "chat",
            "turn",
            "role",
            "document",
            "doc",
            "sentence",
            "entity",
            "relation",
            "marker",
            "dummy",
            "fake",
            "reserved",
            "timestamp",
            "language",
            "lang",
            "task",
            "domain",
            "style",
            "concept",
            "identifier",
            "noise",
            "sink",
            "cut",
            "all",
            "attention",
            "predicted",
            "generated",
            "draft",
            "stopping",
            "terminator",
            "newline",
            "line",
            "unknown",
            "padding",
            "masked",
            "masking",
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
            "prompt",
            "chosen",
            "rejected",
            "answer",
            "question",
            "response",
            "src",
            "tgt",
            "source",
            "audio",
            "video",
            "fn",
            "value",
            "id",
            "name",
            "field",
            "json",
            "s",
            "object",
            "gcs",
            "bucket",
            "record",
            "obs",
            "observation",
            "action",
            "shard",
            "timestamp",
            "class",
            "eval",
            "val",
            "train",
            "test",
            "grad",
            "hdf",
            "h",
            "dataset",
            "split",
            "mapping",
            "config",
            "param",
            "params",
            "file",
            "mask",
            "attention",
            "latent",
            "embedding",
            "pixel",
            "tag",
            "ckpt",
            "checkpoint",
            "model",
            "dataframe",
            "df",
            "header",
            "row",
            "lookup",
            "hash",
            "unique",
            "search",
            "storage",
            "blob",
            "entity",
            "message",
            "messages",
            "content",
            "conversation",
            "instruction",
            "completion",
            "category",
            "y",
            "x",
            "context",
            "summary",
            "document",
            "doc",
            "passage",
            "sentence",
            "title",
            "url",
            "path",
            "dim",
            "head",
            "cross",
            "self",
            "kv",
            "q",
            "qk",
            "node",
            "edge",
            "graph",
            "attribute",
            "attr",
            "meta",
            "metadata",
            "info",
            "item",
            "sample",
            "stratify",
            "order",
            "by",
            "lr",
            "step",
            "best",
            "hot",
            "hotkey",
            "shift",
            "layer",
            "module",
            "weight",
            "weights",
            "scheduler",
            "optimizer",
            "rank",
            "device",
            "version",
            "env",
            "log",
            "logging",
            "tracker",
            "tensor",
            "array",
            "npz",
            "lmdb",
            "db",
            "tb",
            "result",
            "results",
            "reference",
            "ref",
            "hypothesis",
            "pred",
            "prediction",
            "logit",
            "logits",
            "prob",
            "features",
            "channel",
            "pose",
            "depth",
            "camera",
            "images",
            "img",
            "rgb",
            "frame",
            "clip",
            "speaker",
            "wav",
            "mel",
            "token",
            "tokens",
            "language",
            "lang",
            "translation",
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
