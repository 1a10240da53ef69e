//! Programs that take secrets without a name: `mysql -pX`, `wandb login X`, `curl -u name:X`.
//!
//! Knows a few programs' options; a new one is a row.

use crate::ops::record::redact::REDACTED;

/// A program, and where it takes a secret.
struct Program {
    names: &'static [&'static str],
    /// The word after which it does so at all.
    subcommand: Option<&'static str>,
    /// Options whose value is a secret, which may also be joined to a short one.
    options: &'static [&'static str],
    /// Options of which it must be joined: the next word is something else.
    joined: &'static [&'static str],
    /// Whether it is a word of its own.
    is_word: bool,
    /// What parts the secret from a name before it.
    after: Option<char>,
}

const fn program(names: &'static [&'static str]) -> Program {
    Program { names, subcommand: None, options: &[], joined: &[], is_word: false, after: None }
}

const PROGRAMS: &[Program] = &[
    Program {
        joined: &["-p"],
        ..program(&[
            "mysql",
            "mysqldump",
            "mysqladmin",
            "mysqlimport",
            "mariadb",
            "mariadb-dump",
            "7z",
            "7za",
            "7zz",
            "7zr",
        ])
    },
    Program {
        options: &["-p"],
        ..program(&["sshpass", "mongo", "mongosh", "mongodump", "mongorestore", "twine", "ncftp"])
    },
    Program { options: &["-P"], ..program(&["zip", "unzip", "sqlcmd", "bcp"]) },
    Program { options: &["-a"], ..program(&["redis-cli"]) },
    Program { options: &["-w"], ..program(&["ldapsearch", "ldapmodify", "ldapadd", "ldapwhoami"]) },
    Program { options: &["-u", "-U", "--user", "--proxy-user"], after: Some(':'), ..program(&["curl"]) },
    Program { options: &["-U", "--user"], after: Some('%'), ..program(&["smbclient"]) },
    Program {
        subcommand: Some("login"),
        options: &["-p"],
        ..program(&["docker", "podman", "nerdctl", "buildah", "skopeo", "az", "oc"])
    },
    Program { subcommand: Some("login"), is_word: true, ..program(&["wandb", "vault"]) },
    Program { subcommand: Some("secret"), options: &["-b", "--body"], ..program(&["gh"]) },
];

/// The program that the words are being given to.
#[derive(Default)]
pub struct Programs {
    program: Option<&'static Program>,
    has_subcommand: bool,
    is_next: bool,
}

impl Programs {
    /// Takes the next word; what is to be shown of it if it is a secret.
    pub fn hidden(&mut self, word: &str) -> Option<String> {
        if matches!(word, ";" | "&" | "|" | "&&" | "||") {
            *self = Self::default();
            return None;
        }
        if std::mem::take(&mut self.is_next) {
            return self.program?.shown("", word);
        }
        // How OpenSSL is told one.
        if word.strip_prefix("pass:").is_some_and(|value| !value.is_empty()) {
            return Some(format!("pass:{REDACTED}"));
        }
        let name = word.rsplit(['/', '\\']).next().unwrap_or(word).trim_end_matches(".exe");
        if let Some(program) = PROGRAMS.iter().find(|program| program.names.contains(&name)) {
            (self.program, self.has_subcommand) = (Some(program), program.subcommand.is_none());
            return None;
        }
        let program = self.program?;
        if !self.has_subcommand {
            self.has_subcommand = program.subcommand == Some(word);
            return None;
        }
        match word.starts_with('-') {
            true => self.option(program, word),
            false if program.is_word && !word.contains("://") => program.shown("", word),
            false => None,
        }
    }

    fn option(&mut self, program: &Program, word: &str) -> Option<String> {
        self.is_next = program.options.contains(&word);
        let is_short = |option: &&&str| !option.starts_with("--");
        let joined = program.options.iter().chain(program.joined).filter(is_short);
        let joined = joined.filter_map(|option| Some((*option, word.strip_prefix(option)?)));
        let (option, value) = joined.into_iter().find(|(_, value)| !value.is_empty())?;
        program.shown(option, value)
    }
}

impl Program {
    fn shown(&self, before: &str, value: &str) -> Option<String> {
        match self.after {
            None => Some(format!("{before}{REDACTED}")),
            Some(mark) => {
                let (name, secret) = value.split_once(mark)?;
                (!secret.is_empty()).then(|| format!("{before}{name}{mark}{REDACTED}"))
            }
        }
    }
}
