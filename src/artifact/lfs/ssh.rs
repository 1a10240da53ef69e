//! Where the LFS server of an ssh remote is, and what lets us in: `git-lfs-authenticate` on the other side tells.
//!
//! The host and the path are arguments of the ssh that git uses, never words of a shell of ours.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result};
use reqwest::Url;
use serde_json::Value as Json;

use crate::artifact::lfs::batch::{read_expiry, read_headers};
use crate::error::Problem;

/// How to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// The program, with the arguments that come first.
    pub program: Vec<String>,
    /// Whom to connect to: `[user@]host`.
    pub host: String,
    /// At which port, if at another.
    pub port: Option<u16>,
    /// The repository's path there.
    pub path: String,
}

/// What was told.
#[derive(Debug, Clone)]
pub struct Access {
    /// The server, if it is another than one would guess.
    pub href: Option<String>,
    /// Headers that let us in.
    pub headers: Vec<(String, String)>,
    /// When they run out.
    pub expiry: Option<Instant>,
}

impl Ssh {
    /// The ssh remote at an address: `ssh://[user@]host[:port]/path`, `[user@]host:path`.
    pub fn of(address: &str, program: Vec<String>) -> Option<Self> {
        let (host, port, path) = match address.split_once("://") {
            Some(("ssh" | "git+ssh" | "ssh+git", rest)) => {
                // With its slash, as git-lfs tells it.
                let (authority, path) = rest.split_at(rest.find('/')?);
                match authority.rsplit_once(':') {
                    Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?), path),
                    _ => (authority, None, path),
                }
            }
            Some(_) => return None,
            None => {
                let (host, path) = address.split_once(':')?;
                (host, None, path)
            }
        };
        let is_sound =
            |text: &str| !text.is_empty() && !text.starts_with('-') && !text.contains(['\n', '\0', '/']);
        let name = host.rsplit('@').next().unwrap_or_default();
        let is_named = !path.trim_matches('/').is_empty() && !path.starts_with('-');
        if !is_sound(host) || !is_sound(name) || !is_named {
            return None;
        }
        Some(Self { program, host: host.to_owned(), port, path: path.to_owned() })
    }

    /// The web address at which its LFS server is guessed to be.
    pub fn guessed(&self) -> Option<Url> {
        let host = self.host.rsplit('@').next()?;
        let path = self.path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        Url::parse(&format!("https://{host}/{path}.git/info/lfs")).ok()
    }

    /// Asks the other side; nothing, if it does not know the command.
    pub fn authenticate(&self, operation: &str) -> Result<Option<Access>> {
        let cannot = || format!("cannot ask '{}' over ssh for its LFS server", self.host);
        let (program, first) = self.program.split_first().context("no ssh is set")?;
        let mut ssh = Command::new(program);
        ssh.args(first);
        if let Some(port) = self.port {
            ssh.args(["-p", &port.to_string()]);
        }
        // The other side's shell parts it into words.
        let path = shell_words::quote(&self.path);
        ssh.arg(&self.host).arg(format!("git-lfs-authenticate {path} {operation}"));
        let output = ssh.stdin(Stdio::null()).output().with_context(cannot)?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            let is_unknown = output.status.code() == Some(127)
                || (said.contains("git-lfs-authenticate") && said.contains("not found"));
            let line = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it failed");
            return match is_unknown {
                true => Ok(None),
                false => Err(Problem::new(line.trim().to_owned())).with_context(cannot),
            };
        }
        let answer: Json = serde_json::from_slice(&output.stdout)
            .map_err(|_| Problem::new("its answer is no JSON"))
            .with_context(cannot)?;
        let href = answer["href"].as_str().filter(|href| !href.is_empty()).map(str::to_owned);
        let expiry = read_expiry(&answer, Instant::now());
        Ok(Some(Access { href, headers: read_headers(&answer), expiry }))
    }
}

/// An address that ssh told, if credentials may go there.
pub fn checked(href: &str) -> Result<Url, Problem> {
    let url = Url::parse(href)
        .map_err(|_| Problem::new(format!("ssh tells the LFS server {href:?}, which is no address")))?;
    let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_here => Ok(url),
        _ => Err(Problem::new("ssh tells an LFS server that is not encrypted, and nothing goes there")
            .hint("`lfs.url` in git's config says where it is")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_understood_and_options_are_none() {
        let of = |address: &str| Ssh::of(address, vec!["ssh".into()]);
        let parts = |address: &str| of(address).map(|ssh| (ssh.host, ssh.port, ssh.path)).unwrap();
        assert_eq!(parts("git@h:foo/bar.git"), ("git@h".into(), None, "foo/bar.git".into()));
        assert_eq!(
            parts("ssh://git@h:2222/foo/bar.git"),
            ("git@h".into(), Some(2222), "/foo/bar.git".into())
        );
        assert_eq!(parts("ssh://h/~/foo"), ("h".into(), None, "/~/foo".into()));
        assert_eq!(parts("h:/foo"), ("h".into(), None, "/foo".into()));
        assert_eq!(
            of("git@h:foo/bar.git").unwrap().guessed().unwrap().as_str(),
            "https://h/foo/bar.git/info/lfs"
        );
        assert_eq!(
            of("ssh://git@h:22/foo").unwrap().guessed().unwrap().as_str(),
            "https://h/foo.git/info/lfs"
        );
        for bad in [
            "-oProxyCommand=x:y",
            "ssh://-oProxyCommand=x/y",
            "https://h/x",
            "/a/b",
            "ssh://u@-x/y",
            "h:",
            "ssh://h/",
            "h:-x",
        ] {
            assert!(of(bad).is_none(), "{bad}");
        }
        assert!(checked("https://h/x").is_ok() && checked("http://127.0.0.1:9/x").is_ok());
        assert!(checked("http://h/x").is_err() && checked("file:///x").is_err());
    }
}
