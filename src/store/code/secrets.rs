//! Which files look like secrets, by their names.

use anyhow::Result;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::Problem;

/// Names that are left out of every snapshot; any part of a path counts.
const NAMES: [&str; 15] = [
    ".env*",
    "*.pem",
    "*.key",
    "id_*",
    "*credentials*",
    "*secret*",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".htpasswd",
    "*.p12",
    "*.pfx",
    "*.kdbx",
    "*.keystore",
];

/// The names that look like secrets.
pub(in crate::store) struct Secrets(GlobSet);

impl Secrets {
    /// The usual ones, and `more` globs.
    pub fn new(more: &[String]) -> Result<Self> {
        let mut set = GlobSetBuilder::new();
        for glob in NAMES.into_iter().chain(more.iter().map(String::as_str)) {
            let built = GlobBuilder::new(glob).case_insensitive(true).build();
            set.add(
                built.map_err(|error| Problem::usage(format!("{glob:?} is no pattern of names: {error}")))?,
            );
        }
        Ok(Self(
            set.build()
                .map_err(|error| Problem::usage(format!("cannot use the patterns of secrets: {error}")))?,
        ))
    }

    /// Whether a path from the top looks like a secret.
    pub fn has(&self, path: &[u8]) -> bool {
        let path = String::from_utf8_lossy(path);
        let path = path.trim_end_matches('/');
        self.0.is_match(path) || path.split('/').any(|part| self.0.is_match(part))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Secrets;

    #[test]
    fn secrets_are_known_by_name() {
        let secrets = Secrets::new(&["*.vault".to_owned(), "conf/*.txt".to_owned()]).unwrap();
        for path in [
            ".env",
            "a/.env.local",
            "x.PEM",
            "keys/id_rsa",
            "my-Credentials.json",
            ".netrc",
            "a.vault",
            "conf/a.txt",
            "secrets/plain.toml",
            ".env/x",
        ] {
            assert!(secrets.has(path.as_bytes()), "{path}");
        }
        for path in ["train.py", "environment.toml", "keys.py", "a.txt", "pem/x", "identity.rs"] {
            assert!(!secrets.has(path.as_bytes()), "{path}");
        }
        assert!(Secrets::new(&["[".to_owned()]).is_err());
    }
}
