//! Who the user is, as git would say it, or the best guess where git would refuse.

use std::fmt;

use crate::store::{Store, platform};

/// Who makes a commit or an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name.
    pub name: String,
    /// The address.
    pub mail: String,
    /// Whether some of it is guessed from the account and the host, because git is not told.
    pub is_fallback: bool,
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} <{}>", self.name, self.mail)
    }
}

impl Store {
    /// The user's identity; `user@host` where git has none.
    pub fn identity(&self) -> Identity {
        let variable = |name: &str| std::env::var(name).ok();
        let clean = |text: String| Some(cleaned(&text)).filter(|text| !text.is_empty());
        let settings = |keys: [&str; 2]| keys.into_iter().find_map(|key| self.config(key).and_then(clean));
        let name =
            variable("GIT_AUTHOR_NAME").and_then(clean).or_else(|| settings(["author.name", "user.name"]));
        let mail = variable("GIT_AUTHOR_EMAIL").and_then(clean);
        let mail = mail
            .or_else(|| settings(["author.email", "user.email"]))
            .or_else(|| variable("EMAIL").and_then(clean));
        let is_fallback = name.is_none() || mail.is_none();
        let account = || clean(platform::account()).unwrap_or_else(|| "unknown".to_owned());
        Identity {
            mail: mail.unwrap_or_else(|| format!("{}@{}", account(), host())),
            name: name.unwrap_or_else(account),
            is_fallback,
        }
    }
}

fn host() -> String {
    let host = cleaned(&gethostname::gethostname().to_string_lossy());
    if host.is_empty() { "localhost".to_owned() } else { host }
}

/// A name as a commit can hold it: git drops the same characters.
fn cleaned(text: &str) -> String {
    let kept: String =
        text.chars().filter(|character| !matches!(character, '<' | '>' | '\n' | '\0')).collect();
    let crud = |character: char| character <= ' ' || ".,:;\"\\'".contains(character);
    kept.trim_matches(crud).to_owned()
}

#[cfg(test)]
mod tests {
    use super::cleaned;

    #[test]
    fn a_name_is_cleaned_as_git_does() {
        assert_eq!(cleaned(" Ada <L>\n, "), "Ada L");
        assert_eq!(cleaned("O'Hara Jr."), "O'Hara Jr");
        assert_eq!(cleaned("..."), "");
    }
}
