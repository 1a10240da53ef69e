//! Where a remote is, and who may come in: git's own configuration and credential helpers are asked.
//!
//! Knows git's words for that; what is done at the address is others' business.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::error::Problem;
use crate::store::remote::Remote;
use crate::store::{Store, output_of, output_with_input};

/// A name and a password for an address.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password, or a token.
    pub password: String,
}

/// Where a remote is fetched from and pushed to.
#[derive(Debug, PartialEq, Eq)]
struct Addresses {
    fetch: Vec<String>,
    push: Vec<String>,
}

/// `url.<base>.insteadOf = <prefix>`, or `pushInsteadOf`.
struct Rule {
    base: String,
    prefix: String,
    is_push: bool,
}

impl Addresses {
    /// What git makes of a remote's settings: where none of its own is set for pushes, those for fetches are rewritten for
    /// pushes, and go for those that are not.
    fn of(urls: &[&str], push_urls: &[&str], rules: &[Rule]) -> Self {
        let fetched = |url: &&str| rewritten(url, rules, false).unwrap_or_else(|| (*url).to_owned());
        let fetch: Vec<String> = urls.iter().map(fetched).collect();
        let push: Vec<String> = match push_urls.is_empty() {
            true => urls.iter().filter_map(|url| rewritten(url, rules, true)).collect(),
            false => push_urls.iter().map(fetched).collect(),
        };
        let push = if push.is_empty() { fetch.clone() } else { push };
        Self { fetch, push }
    }
}

/// An address by the rule that fits the most of it, if one does.
fn rewritten(url: &str, rules: &[Rule], is_push: bool) -> Option<String> {
    let fitting = rules.iter().filter(|rule| rule.is_push == is_push && url.starts_with(&rule.prefix));
    // Of several that are as long the first counts.
    let best = fitting.rev().max_by_key(|rule| rule.prefix.len())?;
    Some(format!("{}{}", best.base, &url[best.prefix.len()..]))
}

/// Asks git's credential helpers, from any thread.
#[derive(Debug, Clone)]
pub struct Helper {
    git: Vec<(String, Option<std::ffi::OsString>)>,
    directory: std::path::PathBuf,
    is_attended: bool,
}

impl Store {
    /// Where the remote is, as git resolves it: `url.<base>.insteadOf` included. It may hold credentials.
    pub fn address(&self, remote: &Remote, is_push: bool) -> String {
        if let Some(place) = &remote.place {
            return place.clone();
        }
        let addresses = self.addresses(remote);
        let first = if is_push { addresses.push.first() } else { addresses.fetch.first() };
        first.unwrap_or(&remote.word).clone()
    }

    /// The repositories that a push to this remote goes to: itself, unless git's configuration says otherwise.
    pub fn push_places(&self, remote: &Remote) -> Vec<Remote> {
        let addresses = self.addresses(remote);
        if addresses.push.is_empty()
            || addresses.fetch.first() == Some(&addresses.push[0]) && addresses.push.len() == 1
        {
            return vec![remote.clone()];
        }
        let is_of_many = addresses.push.len() > 1;
        addresses.push.into_iter().map(|address| remote.at(address, is_of_many)).collect()
    }

    fn addresses(&self, remote: &Remote) -> Addresses {
        let settings = self.config_section("remote");
        let values = |key: &str| {
            let key = format!("{}.{key}", remote.name.as_deref()?);
            let mut values: Vec<&str> = Vec::new();
            for (_, value) in settings.iter().filter(|(known, _)| *known == key) {
                // What is empty takes back what was said before.
                if value.is_empty() { values.clear() } else { values.push(value) }
            }
            Some(values)
        };
        let (urls, push_urls) = (values("url"), values("pushurl"));
        let urls = urls.filter(|urls| !urls.is_empty()).unwrap_or_else(|| vec![&remote.word]);
        Addresses::of(&urls, &push_urls.unwrap_or_default(), &self.rules())
    }

    fn rules(&self) -> Vec<Rule> {
        let rule = |(key, prefix): (String, String)| {
            let (base, key) = key.rsplit_once('.')?;
            let is_push = match key {
                "insteadof" => false,
                "pushinsteadof" => true,
                _ => return None,
            };
            Some(Rule { base: base.to_owned(), prefix, is_push })
        };
        self.config_section("url").into_iter().filter_map(rule).collect()
    }

    /// A value in a file of git's format, such as one at the top of the work tree.
    pub fn config_of_file(&self, file: &str, key: &str) -> Option<String> {
        let path = self.work_tree()?.join(file);
        if !path.is_file() {
            return None;
        }
        // Nothing that such a file includes is read.
        let mut git = self.git();
        git.args(["config", "--no-includes", "--file"]).arg(path).args(["--get", "--", key]);
        let said = output_of(&mut git).ok()?;
        Some(String::from_utf8_lossy(&said).trim_end_matches('\n').to_owned())
    }

    /// Adds a value to this clone's own settings.
    pub fn add_config(&self, key: &str, value: &str) -> Result<()> {
        output_of(self.git().args(["config", "--local", "--add", "--", key, value])).map(drop)
    }

    /// Git's credential helpers, which may ask on the terminal if somebody is there.
    pub fn credential_helper(&self, is_attended: bool) -> Helper {
        let git = self.git();
        let variables = git
            .get_envs()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.map(std::ffi::OsStr::to_owned)));
        let directory = self.work_tree().unwrap_or(&self.git_dir).to_owned();
        Helper { git: variables.collect(), directory, is_attended }
    }
}

impl Helper {
    /// A login for the address, if there is one.
    pub fn fill(&self, address: &str) -> Result<Option<Login>> {
        let said = self.ask("fill", &described(address)?)?;
        let text = String::from_utf8_lossy(&said);
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.map(str::to_owned)
        };
        Ok(value("username").zip(value("password")).map(|(user, password)| Login { user, password }))
    }

    /// Tells whether the login was taken, so that it is kept or forgotten.
    pub fn judge(&self, address: &str, login: &Login, is_good: bool) -> Result<()> {
        let input = format!("{}username={}\npassword={}\n", described(address)?, login.user, login.password);
        self.ask(if is_good { "approve" } else { "reject" }, &input).map(drop)
    }

    /// The settings `http.*` that hold for this address, those of `http.<address>.*` included, by their last word.
    pub fn settings(&self, address: &str) -> BTreeMap<String, String> {
        let mut git = self.git();
        git.args(["config", "-z", "--get-urlmatch", "http", address]).stdin(Stdio::null());
        let said = output_of(&mut git).unwrap_or_default();
        let text = String::from_utf8_lossy(&said);
        let setting = |entry: &str| {
            // A key without a value stands for true.
            let (key, value) = entry.split_once('\n').unwrap_or((entry, "true"));
            Some((key.strip_prefix("http.")?.to_owned(), value.to_owned()))
        };
        text.split('\0').filter_map(setting).collect()
    }

    fn git(&self) -> Command {
        let mut git = Command::new("git");
        git.current_dir(&self.directory).args(["-c", "core.fsmonitor=false"]);
        for (name, value) in &self.git {
            match value {
                Some(value) => git.env(name, value),
                None => git.env_remove(name),
            };
        }
        git
    }

    fn ask(&self, what: &str, input: &str) -> Result<Vec<u8>> {
        let mut git = self.git();
        git.args(["credential", what]);
        // What the user set stands; else git asks on the terminal if somebody is there.
        match std::env::var_os("GIT_TERMINAL_PROMPT") {
            Some(set) => git.env("GIT_TERMINAL_PROMPT", set),
            None if self.is_attended => git.env_remove("GIT_TERMINAL_PROMPT"),
            None => git.env("GIT_TERMINAL_PROMPT", "0"),
        };
        output_with_input(&mut git, input.as_bytes())
    }
}

/// The address in the words of git's credential helpers; what could say more than one line is refused.
fn described(address: &str) -> Result<String, Problem> {
    let lower = address.to_ascii_lowercase();
    let is_odd =
        address.chars().any(char::is_control) || ["%0a", "%0d", "%00"].iter().any(|odd| lower.contains(odd));
    let parts = address.split_once("://").filter(|_| !is_odd);
    let (scheme, rest) =
        parts.ok_or_else(|| Problem::new(format!("{address:?} is no address to log in at")))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (user.split(':').next(), host),
        None => (None, authority),
    };
    if host.is_empty() {
        return Err(Problem::new(format!("{address:?} names no host to log in at")));
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let user = user.map(|user| format!("username={user}\n")).unwrap_or_default();
    Ok(format!("protocol={scheme}\nhost={host}\npath={path}\n{user}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_git_goes_to() {
        let rule =
            |base: &str, prefix: &str, is_push| Rule { base: base.into(), prefix: prefix.into(), is_push };
        let rules = [
            rule("https://h/", "h:", false),
            rule("https://h/long/", "h:l/", false),
            rule("ssh://git@h/", "https://h/", true),
        ];
        let of = |urls: &[&str], push_urls: &[&str]| {
            let Addresses { fetch, push } = Addresses::of(urls, push_urls, &rules);
            (fetch.join(" "), push.join(" "))
        };
        let said = |fetch: &str, push: &str| (fetch.to_owned(), push.to_owned());
        assert_eq!(of(&["/a"], &[]), said("/a", "/a"));
        assert_eq!(of(&["h:x"], &[]), said("https://h/x", "https://h/x"), "made one by one rule only");
        assert_eq!(of(&["h:l/x"], &[]), said("https://h/long/x", "https://h/long/x"));
        assert_eq!(of(&["https://h/x"], &[]), said("https://h/x", "ssh://git@h/x"));
        assert_eq!(of(&["https://h/x"], &["h:y", "/z"]), said("https://h/x", "https://h/y /z"));
        assert_eq!(of(&["/a", "https://h/x"], &[]), said("/a https://h/x", "ssh://git@h/x"));
    }

    #[test]
    fn no_address_says_more_than_it_should() {
        let good = described("https://me@host:8443/a/b.git?x#y").unwrap();
        assert_eq!(good, "protocol=https\nhost=host:8443\npath=a/b.git\nusername=me\n");
        let bad = [
            "https://h%0ahost=evil/x",
            "https://h/%0D",
            "https://h\nhost=e/x",
            "https:///x",
            "host/x",
            "https://u@/x",
            "https://h/\u{0}",
            "https://h/%00",
        ];
        for bad in bad {
            assert!(described(bad).is_err(), "{bad:?}");
        }
    }
}
