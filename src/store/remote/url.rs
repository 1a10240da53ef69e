//! Where a branch is shared, without credentials.

use crate::store::Store;

impl Store {
    /// The address of the branch's remote, else of `origin`.
    pub(in crate::store) fn remote_url(&self, branch: Option<&str>) -> Option<String> {
        let named = branch.and_then(|branch| self.config(&format!("branch.{branch}.remote")));
        let url = |remote: &str| self.config(&format!("remote.{remote}.url"));
        // `.` is this repository itself.
        let url =
            named.filter(|remote| remote != ".").and_then(|remote| url(&remote)).or_else(|| url("origin"))?;
        Some(without_credentials(&url))
    }
}

/// An address without its password; of a web address also without the user, the query and the fragment.
pub(in crate::store) fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let end = rest.find(|character| "/?#".contains(character)).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = match authority.rsplit_once('@') {
        Some((_, host)) if is_web => host.to_owned(),
        Some((user, host)) => format!("{}@{host}", user.split(':').next().unwrap_or_default()),
        None => authority.to_owned(),
    };
    let path = if is_web { path.split(['?', '#']).next().unwrap_or_default() } else { path };
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::without_credentials;

    #[test]
    fn credentials_are_stripped() {
        let cases = [
            ("https://me:token@example.com/a/b.git", "https://example.com/a/b.git"),
            ("https://token@example.com/a", "https://example.com/a"),
            ("https://me:p@ss@example.com/a?key=1#x", "https://example.com/a"),
            ("ssh://git:pw@example.com:22/a", "ssh://git@example.com:22/a"),
            ("git@example.com:a/b.git", "git@example.com:a/b.git"),
            ("/srv/git/a@b.git", "/srv/git/a@b.git"),
            ("file:///srv/a@b", "file:///srv/a@b"),
        ];
        for (url, stripped) in cases {
            assert_eq!(without_credentials(url), stripped);
        }
    }
}
