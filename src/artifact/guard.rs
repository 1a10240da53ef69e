//! Which addresses are gone to: a server names others, in answers and redirects, and may mean ill.
//!
//! Knows addresses and networks; what is asked there is others' business.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::error::Problem;

/// Knows the address that the user, or git, named; what others name is measured by it.
#[derive(Debug, Clone)]
pub struct Guard {
    base: Url,
    /// Whether that is in a network of one's own, where others may then be, too.
    is_private: bool,
}

impl Guard {
    /// Measures by this address.
    pub fn new(base: Url) -> Self {
        let is_private = addresses(&base).iter().any(is_private);
        Self { base, is_private }
    }

    /// The address that it measures by.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Whether an address has the same scheme, host and port: only there credentials go.
    pub fn is_same_origin(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// Refuses an address that a server named and nobody should go to.
    pub fn check(&self, url: &Url) -> Result<(), Problem> {
        let refuse = |why: &str| {
            let host = url.host_str().unwrap_or_default();
            Err(Problem::new(format!("the server sends us to '{}://{host}', {why}", url.scheme())))
        };
        if self.is_same_origin(url) {
            return Ok(());
        }
        match url.scheme() {
            "https" => {}
            "http" if self.base.scheme() == "http" => {}
            "http" => return refuse("which is not encrypted"),
            _ => return refuse("which is no web address"),
        }
        let Some(host) = url.host_str() else {
            return refuse("which names no host");
        };
        let literal: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        match literal {
            Some(address) if !self.allows(&address) => refuse("which is inside of a network of ours"),
            _ => Ok(()),
        }
    }

    fn allows(&self, address: &IpAddr) -> bool {
        !is_link_local(address) && (self.is_private || !is_private(address))
    }
}

/// Looks names up, and leaves out addresses that the guard refuses: a name of a server's choice may lead anywhere.
pub struct Resolver {
    /// Who refuses.
    pub guard: Arc<Guard>,
    /// Hosts of the user's own choice, which may be where they like.
    pub proxies: Vec<String>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.guard);
        let is_own = guard.base.host_str() == Some(name.as_str())
            || self.proxies.iter().any(|proxy| proxy == name.as_str());
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found = tokio::task::spawn_blocking(move || (name.as_str(), 0).to_socket_addrs()).await??;
            let allowed: Vec<SocketAddr> =
                found.filter(|found| is_own || guard.allows(&found.ip())).collect();
            match allowed.is_empty() {
                true => Err("it leads to no address that is gone to".into()),
                false => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

fn addresses(url: &Url) -> Vec<IpAddr> {
    let found = url.socket_addrs(|| None).unwrap_or_default();
    found.into_iter().map(|found| found.ip()).collect()
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_unspecified(),
        IpAddr::V6(address) => match embedded(address) {
            Some(address) => is_link_local(&IpAddr::V4(address)),
            None => (address.segments()[0] & 0xffc0) == 0xfe80 || address.is_unspecified(),
        },
    }
}

/// The older address that a newer one stands for: mapped, or translated on the way (NAT64, 6to4).
fn embedded(address: &Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(of(high, low)),
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => address.to_ipv4_mapped(),
    }
}

fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let shared = address.octets()[0] == 100 && (address.octets()[1] & 0xc0) == 64;
            address.is_private() || address.is_loopback() || shared || address.is_broadcast()
        }
        IpAddr::V6(address) => match embedded(address) {
            Some(address) => is_private(&IpAddr::V4(address)),
            None => address.is_loopback() || (address.segments()[0] & 0xfe00) == 0xfc00,
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn allows(base: &str, url: &str) -> bool {
        let is_private = base.contains("//10.") || base.contains("//127.");
        let guard = Guard { base: Url::parse(base).unwrap(), is_private };
        guard.check(&Url::parse(url).unwrap()).is_ok()
    }

    #[test]
    fn nobody_is_sent_where_he_should_not_go() {
        let public = "https://lfs.example.org/x";
        for good in
            ["https://lfs.example.org/y", "https://bucket.example.net/y?sign=1", "https://203.0.113.7/y"]
        {
            assert!(allows(public, good), "{good}");
        }
        let bad = [
            "http://lfs.example.org/y",
            "http://other.example.org/y",
            "file:///etc/passwd",
            "ftp://lfs.example.org/y",
            "https://127.0.0.1/y",
            "https://10.1.2.3/y",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/y",
            "https://[fe80::1]/y",
            "https://[::ffff:10.0.0.1]/y",
            "https://[64:ff9b::a9fe:a9fe]/latest/meta-data",
            "https://[2002:7f00:1::1]/y",
            "https://[fd00::1]/y",
            "https://100.64.0.1/y",
            "https://0.0.0.0/y",
            "https://2130706433/y",
        ];
        for bad in bad {
            assert!(!allows(public, bad), "{bad}");
        }
        assert!(allows("http://10.0.0.1/x", "http://10.0.0.2/y"));
        assert!(allows("http://127.0.0.1:1/x", "http://127.0.0.1:2/y"));
        assert!(!allows("http://127.0.0.1:1/x", "http://169.254.169.254/y"));
    }
}
