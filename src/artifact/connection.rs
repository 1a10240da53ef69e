//! How web servers are reached: through which proxy, and by which certificates, as git's settings and environment say.
//!
//! Knows what those mean; git tells which hold for an address. What is asked there is `http`'s.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::blocking::{Client, ClientBuilder};
use reqwest::{Certificate, Identity, NoProxy, Proxy, Url};

use crate::artifact::guard::{Guard, Resolver};
use crate::artifact::stores::{Credentials, Settings};
use crate::error::Problem;

/// The variables that name proxies, where git's settings name none.
const PROXIES: &[&str] =
    &["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// A client for requests to this address and others of its origin.
pub fn client(
    url: &Url,
    guard: &Arc<Guard>,
    credentials: &dyn Credentials,
    patience: Duration,
) -> Result<Client> {
    use_tls();
    let mut address = url.clone();
    address.set_query(None);
    let settings = credentials.settings(address.as_str());
    let proxy = proxy(&settings, credentials)?;
    let certificates = Certificates::of(&settings, &variable)?;
    let build = |roots: Option<&[Certificate]>| {
        let client = Client::builder()
            .user_agent(concat!("git-xtrack/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(patience)
            .timeout(patience)
            .dns_resolver(Arc::new(Resolver { guard: Arc::clone(guard), proxies: proxy.hosts() }));
        certificates.apply(proxy.apply(client), roots).build()
    };
    let built = match build(certificates.roots.as_deref()) {
        // Nothing there is encrypted, and nobody has to be trusted.
        Err(_) if url.scheme() == "http" => build(Some(&[])),
        built => built,
    };
    Ok(built.map_err(|error| unbuilt(&error))?)
}

fn unbuilt(error: &reqwest::Error) -> Problem {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let problem = Problem::new(format!("cannot speak HTTP: {cause}"));
    match cause.to_string().contains("CA certificates") {
        true => problem.hint("install those of the system (the package `ca-certificates`), or name a file of them: `git config http.sslCAInfo FILE`"),
        false => problem,
    }
}

/// Chooses how connections are encrypted, once in a process.
pub fn use_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Whoever uses this as a library may have chosen already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Which proxy is used.
enum Via {
    /// The one that the environment names, if it does.
    Environment,
    /// None, whatever the environment says.
    Nobody,
    /// The one that git's settings name.
    Named(Box<Proxy>, String),
}

impl Via {
    fn apply(&self, client: ClientBuilder) -> ClientBuilder {
        match self {
            Via::Environment => client,
            Via::Nobody => client.no_proxy(),
            Via::Named(proxy, _) => client.proxy((**proxy).clone()),
        }
    }

    /// The hosts that are proxies: the user's own, wherever they are.
    fn hosts(&self) -> Vec<String> {
        match self {
            Via::Environment => PROXIES.iter().filter_map(|name| host(&variable(name)?)).collect(),
            Via::Nobody => Vec::new(),
            Via::Named(_, host) => vec![host.clone()],
        }
    }
}

/// `http.proxy`, as git takes it: an empty one means none, and `no_proxy` counts for it as well.
fn proxy(settings: &Settings, credentials: &dyn Credentials) -> Result<Via> {
    let Some(text) = settings.get("proxy") else {
        return Ok(Via::Environment);
    };
    if text.is_empty() {
        return Ok(Via::Nobody);
    }
    let odd = || {
        Problem::new("git's setting 'http.proxy' is no address of a proxy")
            .hint("it is like `http://proxy.example.org:3128` or `socks5h://localhost:1080`")
    };
    let mut url = parsed(text).ok_or_else(odd)?;
    let host = url.host_str().ok_or_else(odd)?.to_owned();
    if !url.username().is_empty()
        && url.password().is_none()
        && let Some((user, password)) = credentials.fill(url.as_str())?
    {
        // Only addresses without a host refuse that.
        let _ = url.set_username(&user);
        let _ = url.set_password(Some(&password));
    }
    let proxy = Proxy::all(url.as_str()).map_err(|_| odd())?;
    let except = variable("no_proxy").or_else(|| variable("NO_PROXY"));
    let proxy = proxy.no_proxy(except.and_then(|list| NoProxy::from_string(&list)));
    Ok(Via::Named(Box::new(proxy), host))
}

/// A proxy's address, which may lack the scheme.
fn parsed(text: &str) -> Option<Url> {
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&text).ok()?;
    matches!(url.scheme(), "http" | "https" | "socks4" | "socks4a" | "socks5" | "socks5h").then_some(url)
}

fn host(proxy: &str) -> Option<String> {
    Some(parsed(proxy)?.host_str()?.to_owned())
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whom to believe, and who we are.
struct Certificates {
    /// Those that are believed instead of the system's.
    roots: Option<Vec<Certificate>>,
    own: Option<Identity>,
    is_anybody_believed: bool,
}

impl Certificates {
    /// What git's settings and variables say of certificates; the variables count more.
    fn of(settings: &Settings, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let of = |counting_more: &str, name: &str| {
            variable(counting_more).or_else(|| settings.get(name).filter(|set| !set.is_empty()).cloned())
        };
        let (file, folder) = (of("GIT_SSL_CAINFO", "sslcainfo"), of("GIT_SSL_CAPATH", "sslcapath"));
        let mut roots = Vec::new();
        for path in file.iter().map(|file| expanded(file)).chain(files_in(folder.as_deref())?) {
            let bytes = read(&path)?;
            let bundle = Certificate::from_pem_bundle(&bytes);
            roots.extend(bundle.with_context(|| format!("cannot understand '{}'", path.display()))?);
        }
        let own = match of("GIT_SSL_CERT", "sslcert") {
            Some(certificate) => Some(identity(&certificate, of("GIT_SSL_KEY", "sslkey").as_deref())?),
            None => None,
        };
        let is_anybody_believed = variable("GIT_SSL_NO_VERIFY").is_some()
            || settings.get("sslverify").is_some_and(|set| is_false(set));
        let roots = (file.is_some() || folder.is_some()).then_some(roots);
        Ok(Self { roots, own, is_anybody_believed })
    }

    fn apply(&self, client: ClientBuilder, roots: Option<&[Certificate]>) -> ClientBuilder {
        let client = client.tls_danger_accept_invalid_certs(self.is_anybody_believed);
        let client = match &self.own {
            Some(own) => client.identity(own.clone()),
            None => client,
        };
        match roots {
            Some(roots) => client.tls_certs_only(roots.iter().cloned()),
            None => client,
        }
    }
}

/// What git takes for false.
fn is_false(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "false" | "no" | "off" | "0" | "")
}

/// The certificate by which we are known, and its key, be it in the same file.
fn identity(certificate: &str, key: Option<&str>) -> Result<Identity> {
    let path = expanded(certificate);
    let mut bytes = read(&path)?;
    if let Some(key) = key {
        bytes.push(b'\n');
        bytes.extend(read(&expanded(key))?);
    }
    let odd = || {
        Problem::new(format!("cannot use the certificate '{}' with its key", path.display())).hint(
            "both are PEM, and the key has no password: `http.sslCert` and `http.sslKey` in git's config",
        )
    };
    Ok(Identity::from_pem(&bytes).map_err(|_| odd())?)
}

fn files_in(folder: Option<&str>) -> Result<Vec<PathBuf>> {
    let Some(folder) = folder.map(expanded) else {
        return Ok(Vec::new());
    };
    let cannot = || format!("cannot read '{}', which git's settings name for certificates", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| {
        format!("cannot read '{}', which git's settings name for certificates", path.display())
    })
}

/// A path as git's settings have it, which may begin at the user's home.
fn expanded(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct Nobody;

    impl Credentials for Nobody {
        fn fill(&self, _: &str) -> Result<Option<(String, String)>> {
            Ok(Some(("ada".into(), "secret".into())))
        }
        fn judge(&self, _: &str, _: &(String, String), _: bool) {}
        fn settings(&self, _: &str) -> Settings {
            Settings::new()
        }
    }

    fn via(text: &str) -> Result<Via> {
        proxy(&Settings::from([("proxy".to_owned(), text.to_owned())]), &Nobody)
    }

    #[test]
    fn proxies_are_named_as_git_takes_them() {
        for (text, host) in [
            ("proxy.example.org:3128", "proxy.example.org"),
            ("http://ada@proxy.example.org", "proxy.example.org"),
            ("socks5h://127.0.0.1:1080", "127.0.0.1"),
        ] {
            assert_eq!(via(text).unwrap().hosts(), [host]);
        }
        assert!(matches!(via("").unwrap(), Via::Nobody));
        assert!(matches!(proxy(&Settings::new(), &Nobody).unwrap(), Via::Environment));
        for odd in ["ftp://x", "http://", "file:///etc/passwd"] {
            assert!(via(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn what_is_named_and_cannot_be_read_is_told() {
        let of = |name: &str, value: &str| {
            Certificates::of(&Settings::from([(name.to_owned(), value.to_owned())]), &|_| None)
        };
        let told = |name: &str| (name == "GIT_SSL_NO_VERIFY").then(|| "1".to_owned());
        assert!(Certificates::of(&Settings::new(), &told).unwrap().is_anybody_believed);
        assert!(of("sslcainfo", "/nowhere").is_err());
        assert!(of("sslcapath", "/nowhere").is_err());
        assert!(of("sslcert", "/nowhere").is_err());
        assert!(of("sslverify", "no").unwrap().is_anybody_believed);
        assert!(!of("sslverify", "true").unwrap().is_anybody_believed);
        assert!(of("sslcainfo", "").unwrap().roots.is_none());
    }
}
