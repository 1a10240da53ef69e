//! How the repository is found and opened, and what is said when it is not.
//!
//! Honours git's environment variables and `git -c`; refuses what git refuses.

use std::cell::RefCell;
use std::path::Path;

use anyhow::Result;
use gix::discover::upwards;
use gix::sec::trust::Mapping;

use crate::error::{Kind, Problem};
use crate::store::bases::Bases;
use crate::store::operation::Current;
use crate::store::platform::Sharing;
use crate::store::refs::PackedRefs;
use crate::store::{Store, format};

/// Where runs are, unless `xtrack.runsPrefix` says otherwise.
const RUNS_PREFIX: &str = "refs/runs/";

impl Store {
    /// Opens the repository that `directory` is in, or the one that `GIT_DIR` names.
    pub fn open(directory: &Path) -> Result<Store> {
        let parameters = std::env::var("GIT_CONFIG_PARAMETERS").unwrap_or_default();
        let mut overrides = parameters_of(&parameters)
            .ok_or_else(|| Problem::usage("bogus format in GIT_CONFIG_PARAMETERS"))?;
        // A record is what its ids name, whatever `refs/replace/*` puts in their place: those may have come with a mirror.
        overrides.push("core.useReplaceRefs=false".to_owned());
        let options = gix::open::Options::default().bail_if_untrusted(true).cli_overrides(overrides);
        let discovery = upwards::Options { match_ceiling_dir_or_error: false, ..Default::default() };
        let trust = Mapping { full: options.clone(), reduced: options };
        let found =
            gix::ThreadSafeRepository::discover_with_environment_overrides_opts(directory, discovery, trust);
        let mut repository = found.map_err(|error| refused(directory, &error))?.to_thread_local();
        // Git heeds GIT_NAMESPACE only when it serves a repository.
        repository.clear_namespace();
        repository.objects.set_pack_cache(|| Box::new(Bases::default()));
        from_repository(repository)
    }
}

fn from_repository(repository: gix::Repository) -> Result<Store> {
    let format = format::check(&repository)?;
    let absolute = |path: &Path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        path.canonicalize().unwrap_or(path)
    };
    let (sharing, runs_prefix, has_promisor) = {
        let snapshot = repository.config_snapshot();
        let sharing =
            snapshot.string("core.sharedRepository").map(|value| Sharing::parse(&value.to_string()));
        let runs_prefix = snapshot
            .string("xtrack.runsPrefix")
            .map(|prefix| checked_prefix("xtrack.runsPrefix", &prefix.to_string()));
        let promises = |section: gix::config::file::SectionRef<'_>| {
            section.contains_value_name("promisor") || section.contains_value_name("partialclonefilter")
        };
        let mut remotes = snapshot.plumbing().sections_by_name("remote").into_iter().flatten();
        (sharing, runs_prefix.transpose()?, remotes.any(promises))
    };
    Ok(Store {
        git_dir: absolute(repository.git_dir()),
        common_dir: absolute(repository.common_dir()),
        work_tree: repository.workdir().map(absolute),
        is_reftable: format.is_reftable,
        has_promisor: has_promisor || format.is_partial,
        sharing: sharing.unwrap_or_default(),
        runs_prefix: runs_prefix.unwrap_or_else(|| RUNS_PREFIX.to_owned()),
        packed_refs: RefCell::new(PackedRefs::default()),
        signer: None,
        warnings: RefCell::default(),
        current: Current::default(),
        repository,
    })
}

/// A place for refs as the setting `key` gives it; it ends in a slash.
pub(super) fn checked_prefix(key: &str, prefix: &str) -> Result<String, Problem> {
    let trimmed = prefix.trim_end_matches('/');
    let is_name = trimmed.starts_with("refs/") && gix::refs::FullName::try_from(trimmed).is_ok();
    if !is_name {
        let problem = Problem::usage(format!("'{key}' is {prefix:?}, which is no place for refs"));
        return Err(problem.hint("it begins with 'refs/', as in 'refs/runs/' or 'refs/heads/runs/'"));
    }
    Ok(format!("{trimmed}/"))
}

fn refused(directory: &Path, error: &gix::Error) -> Problem {
    let shown = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let shown = shown.display();
    if let Some(upwards::Error::NoTrustedGitRepository { candidate, .. }) = error.downcast_any_ref() {
        return untrusted(&candidate.display().to_string());
    }
    if error.is_permission_denied() {
        let top = gix::discover::upwards(directory)
            .ok()
            .map(|(path, _)| path.into_repository_and_work_tree_directories());
        let top = top.map(|(git_dir, work_tree)| work_tree.unwrap_or(git_dir));
        let top = top.map(|top| std::path::absolute(&top).unwrap_or(top));
        return untrusted(&top.map_or(shown.to_string(), |top| top.display().to_string()));
    }
    if let Some(git_dir) = std::env::var_os("GIT_DIR") {
        let problem = Problem::new(format!("not a git repository: {git_dir:?}")).of(Kind::NoRepository);
        return problem.hint("GIT_DIR names it; unset GIT_DIR, or point it at a repository");
    }
    if error.downcast_any_ref::<upwards::Error>().is_none() {
        return Problem::new(format!("cannot open the repository of '{shown}': {error}"))
            .of(Kind::NoRepository);
    }
    Problem::new(format!("not a git repository (or any of the parent directories): '{shown}'"))
        .of(Kind::NoRepository)
        .hint("make one here: git init")
        .hint("or name one: git xtrack -C DIR …, or set GIT_DIR")
}

fn untrusted(path: &str) -> Problem {
    Problem::new(format!("detected dubious ownership in repository at '{path}'"))
        .of(Kind::NoRepository)
        .hint(format!("if you trust its owner: git config --global --add safe.directory '{path}'"))
}

/// The `key=value` pairs that `git -c` hands on: shell-quoted `'key=value'`, or `'key'='value'` since git 2.31.
fn parameters_of(text: &str) -> Option<Vec<String>> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (mut pair, after) = unquoted(rest)?;
        rest = after;
        if let Some(after) = rest.strip_prefix('=') {
            rest = after;
            if rest.starts_with('\'') {
                let (value, after) = unquoted(rest)?;
                pair = format!("{pair}={value}");
                rest = after;
            }
        }
        if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
            return None;
        }
        pairs.push(pair);
        rest = rest.trim_start();
    }
    Some(pairs)
}

/// One single-quoted word of git's own quoting, in which `'` and `!` are written `'\''` and `'\!'`; and what follows.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut word = String::new();
    let mut rest = text.strip_prefix('\'')?;
    loop {
        let (part, after) = rest.split_once('\'')?;
        word.push_str(part);
        let escaped = after.strip_prefix("\\'").map(|rest| ('\'', rest));
        match escaped.or_else(|| after.strip_prefix("\\!").map(|rest| ('!', rest))) {
            Some((character, after)) => {
                word.push(character);
                rest = after.strip_prefix('\'')?;
            }
            None => return Some((word, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{checked_prefix, parameters_of};

    #[test]
    fn git_c_is_understood_in_both_spellings() {
        let pairs = |text: &str| parameters_of(text);
        let owned = |pairs: &[&str]| Some(pairs.iter().map(|pair| (*pair).to_owned()).collect::<Vec<_>>());
        assert_eq!(pairs(""), owned(&[]));
        assert_eq!(pairs("'user.name'='Ada L' 'a.b.c'=''"), owned(&["user.name=Ada L", "a.b.c="]));
        assert_eq!(pairs("'user.name=Ada L' 'core.bare'"), owned(&["user.name=Ada L", "core.bare"]));
        assert_eq!(pairs("'core.bare'="), owned(&["core.bare"]));
        assert_eq!(pairs(r"'a.b'='it'\''s'\!''"), owned(&["a.b=it's!"]));
        assert_eq!(pairs("user.name=x"), None);
        assert_eq!(pairs("'unclosed"), None);
    }

    #[test]
    fn a_prefix_is_a_place_for_refs() {
        assert_eq!(checked_prefix("key", "refs/heads/runs").ok().as_deref(), Some("refs/heads/runs/"));
        for bad in ["", "runs", "refs/", "refs/a..b", "refs/a b"] {
            assert!(checked_prefix("key", bad).is_err(), "{bad}");
        }
    }
}
