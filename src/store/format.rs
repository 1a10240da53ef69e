//! Which repository formats are understood; one that git would refuse is refused.
//!
//! Knows `core.repositoryFormatVersion` and `extensions.*` only.

use anyhow::Result;
use gix::config::Source;

use crate::error::{Kind, Problem};

/// Extensions that any format version may have.
const ALWAYS: [&str; 5] =
    ["noop", "partialclone", "preciousobjects", "worktreeconfig", "submodulepathconfig"];
/// Extensions of format version 1.
const SINCE_ONE: [&str; 4] = ["noop-v1", "objectformat", "refstorage", "relativeworktrees"];

/// What a repository's format says of how it is to be handled.
pub(super) struct Format {
    /// Its refs are not files that gix understands.
    pub is_reftable: bool,
    /// Objects may have to be fetched when they are needed.
    pub is_partial: bool,
}

/// Reads the format, and refuses what is not understood.
pub(super) fn check(repository: &gix::Repository) -> Result<Format> {
    let snapshot = repository.config_snapshot();
    let file = snapshot.plumbing();
    let local = |name: &'static str| {
        let sections = file.sections_by_name(name).into_iter().flatten();
        sections.filter(|section| section.meta().source == Source::Local)
    };
    let version = local("core").filter_map(|section| section.value("repositoryformatversion")).last();
    let version = version.map_or(Ok(0), |text| text.to_string().trim().parse::<i64>());
    let version =
        version.map_err(|_| refused("its 'core.repositoryFormatVersion' is no number".to_owned()))?;
    let extensions = local("extensions").flat_map(|section| {
        let names: Vec<String> = section.value_names().collect();
        names.into_iter().map(move |name| {
            let value =
                section.value(&name).map(|value| value.to_string().to_lowercase()).unwrap_or_default();
            (name.to_lowercase(), value)
        })
    });
    Ok(judge(version, &extensions.collect::<Vec<_>>())?)
}

fn judge(version: i64, extensions: &[(String, String)]) -> Result<Format, Problem> {
    if version > 1 {
        return Err(refused(format!("expected git repo version <= 1, found {version}")));
    }
    for (name, value) in extensions {
        let name = name.as_str();
        if name == "compatobjectformat" && version == 1 {
            let problem = refused("'extensions.compatObjectFormat' needs two ids for each object".to_owned());
            return Err(
                problem.hint("git still calls it an experiment; git xtrack does not write such objects")
            );
        }
        let is_known = ALWAYS.contains(&name) || SINCE_ONE.contains(&name);
        if version == 1 && !is_known {
            return Err(refused(format!("unknown repository extension found: '{name}'")));
        }
        if version == 0 && SINCE_ONE.contains(&name) {
            return Err(refused(format!("repo version is 0, but v1-only extension found: '{name}'")));
        }
        if name == "refstorage" && !["files", "reftable"].contains(&value.as_str()) {
            return Err(refused(format!("invalid value for 'extensions.refStorage': '{value}'")));
        }
    }
    let has = |wanted: &str, value: &str| extensions.iter().any(|(name, is)| name == wanted && is == value);
    Ok(Format {
        is_reftable: has("refstorage", "reftable"),
        is_partial: extensions.iter().any(|(name, _)| name == "partialclone"),
    })
}

fn refused(why: String) -> Problem {
    Problem::new(format!("cannot open the repository: {why}"))
        .of(Kind::NoRepository)
        .hint("a newer git made it; a newer git-xtrack may understand it")
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn what_git_refuses_is_refused() {
        let extension = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        assert!(judge(0, &[]).is_ok());
        assert!(judge(0, &extension("anything", "true")).is_ok());
        assert!(judge(1, &extension("anything", "true")).is_err());
        assert!(judge(0, &extension("refstorage", "reftable")).is_err());
        assert!(judge(1, &extension("refstorage", "reftable")).is_ok_and(|format| format.is_reftable));
        assert!(judge(1, &extension("refstorage", "novel")).is_err());
        assert!(judge(1, &extension("compatobjectformat", "sha1")).is_err());
        assert!(judge(0, &extension("partialclone", "origin")).is_ok_and(|format| format.is_partial));
        assert!(judge(2, &[]).is_err());
    }
}
