//! Where the Git LFS server of a remote is: as git's configuration says, else `.lfsconfig`, else as git-lfs guesses it.
//!
//! `.lfsconfig` is read from the work tree only, and only for addresses; another host than the remote's needs leave.

use anyhow::Result;

use crate::artifact::{LfsPlace, Ssh, Url};
use crate::error::Problem;
use crate::ops::artifact::stores::{Chosen, Kind};
use crate::ops::sync;
use crate::store::Remote;
use crate::tracker::Tracker;

/// The file of git-lfs that comes with the code.
const SHARED: &str = ".lfsconfig";

/// The LFS server of the usual remote, or of the one that is named. A repository on this machine has none, and serves as
/// one itself.
pub fn of_remote(tracker: &Tracker, name: Option<&str>) -> Result<Chosen> {
    let remote = sync::remote(tracker, name)?;
    let configured = Configured::of(tracker, &remote)?;
    if configured.is_none()
        && let Some(common_dir) = tracker.store.local_remote(&remote, false)
    {
        return Ok(Chosen { shown: remote.shown(), proposal: None, kind: Kind::Clone(common_dir) });
    }
    let address = tracker.store.address(&remote, false);
    let pushed = tracker.store.address(&remote, true);
    let (download, upload, is_own) = match configured {
        Some(configured) => (parse(&configured.download)?, parse(&configured.upload)?, configured.is_own),
        None => (guess(tracker, &address)?, guess(tracker, &pushed)?, true),
    };
    let is_guessed = guess(tracker, &address).is_ok_and(|guessed| guessed == download);
    // The host that has the runs already, and not less safely than git goes there.
    let is_known = |url: &Url| {
        [&address, &pushed].iter().any(|known| {
            let is_as_safe = url.scheme() == "https" || known.starts_with("http://");
            is_as_safe && host(known).as_deref() == url.host_str()
        })
    };
    let is_free = is_own || (is_known(&download) && is_known(&upload));
    let shown = without_credentials(&download);
    let ssh = if is_guessed { Ssh::of(&pushed, ssh_program(tracker)) } else { None };
    let proposal = (!is_free).then(|| match download == upload {
        true => format!("lfs+{shown}"),
        false => format!("lfs+{shown} lfs+{}", without_credentials(&upload)),
    });
    Ok(Chosen { proposal, shown: shown.clone(), kind: Kind::Lfs(LfsPlace { download, upload, ssh, shown }) })
}

/// The LFS server at an address.
pub fn at(tracker: &Tracker, address: &str, is_own: bool) -> Result<Chosen> {
    let url = parse(address)?;
    let shown = without_credentials(&url);
    let remote = sync::usual_remote(tracker).ok();
    let known = remote.and_then(|remote| host(&tracker.store.address(&remote, false)));
    let is_free =
        is_own || (url.scheme() == "https" && known.is_some() && known.as_deref() == url.host_str());
    let place = LfsPlace { download: url.clone(), upload: url, ssh: None, shown: shown.clone() };
    Ok(Chosen { proposal: (!is_free).then(|| format!("lfs+{shown}")), shown, kind: Kind::Lfs(place) })
}

/// What is set for a remote.
struct Configured {
    download: String,
    upload: String,
    is_own: bool,
}

impl Configured {
    /// Git's own configuration counts more than the file that came with the code.
    fn of(tracker: &Tracker, remote: &Remote) -> Result<Option<Self>> {
        let name = remote.name.as_deref();
        let own = |key: &str| tracker.store.config(key);
        let shared = |key: &str| tracker.store.config_of_file(SHARED, key);
        for (read, is_own) in [(&own as &dyn Fn(&str) -> Option<String>, true), (&shared, false)] {
            let of_remote = |key: &str| read(&format!("remote.{}.{key}", name?));
            let Some(download) = read("lfs.url").or_else(|| of_remote("lfsurl")) else {
                continue;
            };
            let upload =
                read("lfs.pushurl").or_else(|| of_remote("lfspushurl")).unwrap_or_else(|| download.clone());
            return Ok(Some(Self { download, upload, is_own }));
        }
        Ok(None)
    }
}

/// The LFS server that git-lfs would guess for a remote's address.
fn guess(tracker: &Tracker, address: &str) -> Result<Url> {
    if let Some(ssh) = Ssh::of(address, ssh_program(tracker)) {
        return ssh.guessed().ok_or_else(|| none(address).into());
    }
    let web = address.strip_prefix("git://").map(|rest| format!("https://{rest}"));
    let mut url = Url::parse(web.as_deref().unwrap_or(address)).map_err(|_| none(address))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(none(address).into());
    }
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path).to_owned();
    url.set_path(&format!("{path}.git/info/lfs"));
    Ok(url)
}

fn parse(address: &str) -> Result<Url> {
    let url =
        Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    Ok(url.ok_or_else(|| {
        Problem::usage(format!("{address:?} is no address of an LFS server")).hint("it begins with https://")
    })?)
}

fn none(address: &str) -> Problem {
    let shown = Url::parse(address).map_or_else(|_| address.to_owned(), |url| without_credentials(&url));
    Problem::usage(format!("the remote '{shown}' has no LFS server"))
        .hint("`git config lfs.url https://…` says where one is")
}

/// The host of a remote's address.
fn host(address: &str) -> Option<String> {
    if let Some(ssh) = Ssh::of(address, Vec::new()) {
        return Some(ssh.host.rsplit('@').next()?.to_owned());
    }
    Url::parse(address).ok()?.host_str().map(str::to_owned)
}

/// The ssh that git uses, in words.
fn ssh_program(tracker: &Tracker) -> Vec<String> {
    let set = std::env::var("GIT_SSH_COMMAND").ok().or_else(|| tracker.store.config("core.sshCommand"));
    let words = set.and_then(|command| shell_words::split(&command).ok()).filter(|words| !words.is_empty());
    words.unwrap_or_else(|| vec![std::env::var("GIT_SSH").unwrap_or_else(|_| "ssh".to_owned())])
}

/// An address as it is shown and remembered.
pub fn without_credentials(url: &Url) -> String {
    let mut url = url.clone();
    // Only addresses without a host refuse that.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}
