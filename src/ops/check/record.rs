//! One run's record: its objects, what its files say, what its history says that its tip does not, the code and the
//! artifacts that it names.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;

use crate::error::Problem;
use crate::ops::check::artifacts;
use crate::ops::check::{Candidate, Fault, Found, Look, Mend, Severity, What};
use crate::ops::sync::check::{check_files, is_disputed, is_text, unread};
use crate::run::join;
use crate::run::record::{Files, Place, TOMBSTONE};
use crate::run::{Run, fold};
use crate::store::{Chain, Lack, Link, Oid, Store, Trouble};

/// Looks at one run.
pub(super) fn check(look: &Look<'_>, store: &Store, candidate: &Candidate) -> Found {
    let mut found = Found::default();
    let full = look.options.full;
    let chain = match store.chain(&candidate.tip, &|path| full || is_read(path)) {
        Ok(chain) => chain,
        Err(error) => {
            found.faults.push(schema(candidate, &candidate.place, &format!("{error:#}")));
            return found;
        }
    };
    found.commits = chain.links.len();
    let is_readable = troubles(look, candidate, &chain, &mut found.faults);
    if is_readable && chain.has_tip(&candidate.tip) {
        let again = read(look, store, candidate, &chain, &mut found);
        found
            .faults
            .extend(again.err().map(|error| schema(candidate, &candidate.place, &format!("{error:#}"))));
    }
    found
}

/// Whether a file is read to find out what the run says.
pub(super) fn is_read(path: &str) -> bool {
    Place::parse(path).is_ok_and(|place| is_text(&place) || is_disputed(&place))
}

fn schema(candidate: &Candidate, place: &str, why: &str) -> Fault {
    let fault =
        Fault::new(What::Schema, Severity::Error, place, format!("the record cannot be used: it {why}"));
    fault.of(&candidate.id).advise(again(candidate, None))
}

/// How a run is had again from where it is whole.
fn again(candidate: &Candidate, remote: Option<&str>) -> String {
    let id = &candidate.id;
    match (&candidate.remote, remote) {
        (Some(remote), _) => {
            format!("`git update-ref -d {}`, then `git xtrack fetch {remote}`", candidate.place)
        }
        (None, Some(remote)) => format!(
            "`git fetch --refetch {remote} refs/runs/{id}` brings its objects again, if '{remote}' has them"
        ),
        (None, None) => format!(
            "`git show {}` shows what is there; `git log {}` who wrote it",
            candidate.place, candidate.place
        ),
    }
}

/// Tells of objects that are missing or damaged; whether the tip's own words can be read all the same.
fn troubles(look: &Look<'_>, candidate: &Candidate, chain: &Chain, faults: &mut Vec<Fault>) -> bool {
    let tip = chain.links.first().filter(|link| link.commit == candidate.tip);
    let mut is_readable = tip.is_some();
    for Trouble { object, role, path, lack, is_of_tip } in &chain.troubles {
        is_readable &= !is_of_tip || path.as_ref().is_some_and(|path| !is_read(path));
        let (severity, why) = match lack {
            Lack::Missing => (Severity::Error, "is missing".to_owned()),
            Lack::Promised => {
                (Severity::Note, "is not here; the remote of this partial clone has promised it".to_owned())
            }
            Lack::Damaged(why) => (Severity::Error, format!("is damaged: {why}")),
        };
        let message = format!("{role} (object {object}) {why}");
        let fault = Fault::new(What::Object, severity, &candidate.place, message).of(&candidate.id);
        faults.push(match severity {
            Severity::Note => fault.advise(format!("`git cat-file -e {object}` brings it")),
            _ => fault.advise(again(candidate, look.remote.as_deref())),
        });
    }
    if chain.is_cut {
        let message = "its beginning is not in this shallow clone";
        let fault = Fault::new(What::Object, Severity::Note, &candidate.place, message).of(&candidate.id);
        faults.push(fault.advise("`git fetch --unshallow` brings it"));
    }
    is_readable
}

fn read(
    look: &Look<'_>,
    store: &Store,
    candidate: &Candidate,
    chain: &Chain,
    found: &mut Found,
) -> Result<()> {
    let tip = &chain.links[0];
    let misplaced = tip.files.keys().find_map(|path| Place::parse(path).err());
    let files = load(store, &tip.files, &|_| false)?;
    let id = &candidate.id;
    if join::is_newer(&files) {
        let message = "a newer git-xtrack wrote it; what it says is not looked at";
        let fault = Fault::new(What::Schema, Severity::Note, &candidate.place, message).of(id);
        found.faults.push(fault.advise("`git xtrack --version` tells which this is"));
        return Ok(());
    }
    misplaced.map_or(Ok(()), Err)?;
    // Most records are small and in their form: each is folded once only.
    if files.keys().any(|path| path == TOMBSTONE || claimed(path).is_some()) {
        check_files(id, &files)?;
    }
    let normal = join::normalise(&files)?;
    if normal != files {
        let message = "the record says the same in another form than its own";
        let fault = Fault::new(What::Form, Severity::Warning, &candidate.place, message).of(id);
        found.faults.push(match candidate.remote {
            None => fault.mended_by(Mend::Form),
            Some(_) => fault.advise("`git xtrack merge` takes it, in its own form"),
        });
    }
    let run = fold::fold(id, &normal)?;
    check_tombstone(store, candidate, chain, &run, found);
    if run.tombstone.is_some() {
        return Ok(());
    }
    check_words(store, candidate, chain, found)?;
    found.faults.extend(run.disputed.iter().map(|path| dispute(candidate, path)));
    check_lists(candidate, &run, &normal, found);
    check_code(look, store, candidate, &run, found);
    found.artifacts = artifacts::needed(look, store, candidate, &run, tip, &mut found.faults);
    Ok(())
}

/// The files of a record that say something, those under dispute and those `wanted`; the others are stood for by their
/// blobs' ids.
pub(super) fn load(
    store: &Store,
    blobs: &BTreeMap<String, Oid>,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Files> {
    let disputed: BTreeSet<String> = blobs.keys().filter_map(|path| claimed(path)).collect();
    let file = |(path, oid): (&String, &Oid)| -> Result<(String, Vec<u8>)> {
        let bytes = match wanted(path) || is_read(path) || disputed.contains(path) {
            false => unread(oid),
            true => store
                .whole_blob(oid)
                .map_err(|lack| Problem::new(format!("cannot be read: '{path}' {}", told(&lack))))?,
        };
        Ok((path.clone(), bytes))
    };
    blobs.iter().map(file).collect()
}

/// What is wrong with an object, in words that follow its name.
pub(super) fn told(lack: &Lack) -> String {
    match lack {
        Lack::Missing => "is missing".to_owned(),
        Lack::Promised => "is not here".to_owned(),
        Lack::Damaged(why) => format!("is damaged: {why}"),
    }
}

fn check_tombstone(store: &Store, candidate: &Candidate, chain: &Chain, run: &Run, found: &mut Found) {
    let place = &candidate.place;
    let purge = format!("`git xtrack purge {}`", candidate.id.suffix());
    let mut tell = |severity: Severity, place: &str, message: String, advice: String| {
        let fault = Fault::new(What::Tombstone, severity, place, message).of(&candidate.id);
        found.faults.push(fault.advise(advice));
    };
    let is_purged = run.tombstone.is_some();
    if is_purged && (chain.links.len() > 1 || chain.is_cut) {
        let message = "it was purged, and the commits behind its tombstone still hold what was to go";
        let advice = format!("{purge} takes them away here; whoever fetches the run gets them too");
        tell(Severity::Warning, place, message.to_owned(), advice);
    }
    for link in chain.links.iter().filter(|link| !is_purged && link.files.contains_key(TOMBSTONE)) {
        let message = format!("it was purged in commit {}, and came back", link.commit);
        tell(Severity::Error, place, message, format!("{purge} buries it again"));
    }
    for (copy, tip) in &candidate.copies {
        match store.is_stone(tip) {
            Ok(false) if is_purged => {
                let message =
                    "the run was purged here, and what was fetched of it still holds what was to go";
                let advice = format!("{purge} takes it away here, and with --remote there");
                tell(Severity::Warning, copy, message.to_owned(), advice);
            }
            Ok(true) if !is_purged => {
                let message = "the run was purged there, and is still here";
                let advice = "`git xtrack merge` asks whether it goes here, too";
                tell(Severity::Note, copy, message.to_owned(), advice.to_owned());
            }
            _ => {}
        }
    }
}

fn dispute(candidate: &Candidate, path: &str) -> Fault {
    let message =
        format!("two different copies of '{path}', of which one must be forged or damaged; both are kept");
    let advice = format!(
        "`git xtrack verify {0}` tells who brought them; `git ls-tree -r {1} disputed/` lists the others",
        candidate.id, candidate.place
    );
    Fault::new(What::Dispute, Severity::Warning, &candidate.place, message).of(&candidate.id).advise(advice)
}

/// Words that were said in the record's history, and that nobody took back, but the tip has not.
fn check_words(store: &Store, candidate: &Candidate, chain: &Chain, found: &mut Found) -> Result<()> {
    let lost = lost_words(store, chain)?;
    for (commit, paths) in &lost {
        let message =
            format!("its history says more than its tip: '{}' of commit {commit}", paths.join("', '"));
        let severity = Severity::Error;
        let mut fault = Fault::new(What::Words, severity, &candidate.place, message).of(&candidate.id);
        fault = match candidate.remote {
            None => fault.mended_by(Mend::Words(vec![commit.clone()])),
            Some(_) => fault.advise("`git xtrack merge` takes all of it"),
        };
        found.faults.push(fault);
    }
    Ok(())
}

/// The commits of a chain whose words are not in its tip, with the paths.
pub(super) fn lost_words(store: &Store, chain: &Chain) -> Result<Vec<(Oid, Vec<String>)>> {
    let links: HashMap<&Oid, &Link> = chain.links.iter().map(|link| (&link.commit, link)).collect();
    let mut doubtful = BTreeSet::new();
    for link in &chain.links {
        let parents = link.parents.iter().filter_map(|parent| links.get(parent));
        // Whatever a commit took over as it was is not lost in it.
        let changed =
            parents.filter(|parent| parent.files.iter().any(|(path, oid)| link.files.get(path) != Some(oid)));
        doubtful.extend(changed.map(|parent| &parent.commit));
    }
    let mut lost: Vec<(Oid, Vec<String>)> = Vec::new();
    // What of them is missing or damaged is told by itself.
    let troubled: BTreeSet<&Oid> = chain.troubles.iter().map(|trouble| &trouble.object).collect();
    let is_whole =
        |link: &&Link| !link.files.iter().any(|(path, oid)| is_read(path) && troubled.contains(oid));
    for link in chain.links.iter().filter(|link| doubtful.contains(&link.commit)).filter(is_whole) {
        let paths = missing_in(store, &link.files, &chain.links[0].files)?;
        // Who says all that an older one does stands for it.
        let mut is_said = paths.is_empty();
        for (later, _) in &lost {
            is_said = is_said || missing_in(store, &link.files, &links[later].files)?.is_empty();
        }
        if !is_said {
            lost.push((link.commit.clone(), paths));
        }
    }
    Ok(lost)
}

/// The paths at which `tip` lacks what `before` says.
pub(super) fn missing_in(
    store: &Store,
    before: &BTreeMap<String, Oid>,
    tip: &BTreeMap<String, Oid>,
) -> Result<Vec<String>> {
    if [before, tip].iter().any(|files| files.contains_key(TOMBSTONE)) {
        return Ok(Vec::new());
    }
    let (joined, tip) = joined(store, before, tip)?;
    let tip = join::normalise(&tip)?;
    Ok(joined
        .into_iter()
        .filter(|(path, bytes)| tip.get(path) != Some(bytes))
        .map(|(path, _)| path)
        .collect())
}

/// The path that a disputed file is for.
fn claimed(path: &str) -> Option<String> {
    match Place::parse(path) {
        Ok(Place::Disputed { path, .. }) => Some(path),
        _ => None,
    }
}

/// What two records come to, and the second as it was loaded.
pub(super) fn joined(
    store: &Store,
    one: &BTreeMap<String, Oid>,
    other: &BTreeMap<String, Oid>,
) -> Result<(Files, Files)> {
    let disputed: BTreeSet<String> =
        one.keys().chain(other.keys()).filter_map(|path| claimed(path)).collect();
    let differ = |path: &str| matches!((one.get(path), other.get(path)), (Some(a), Some(b)) if a != b);
    let wanted = |path: &str| differ(path) || disputed.contains(path);
    let (one, other) = (load(store, one, &wanted)?, load(store, other, &wanted)?);
    Ok((join::join(&one, &other)?, other))
}

/// Lists of artifacts that facts or edits name and the record does not hold.
fn check_lists(candidate: &Candidate, run: &Run, files: &Files, found: &mut Found) {
    let digests: BTreeSet<String> = files
        .iter()
        .filter(|(path, _)| {
            matches!(Place::parse(path), Ok(Place::AttemptArtifacts(_) | Place::EditArtifacts(_)))
        })
        .map(|(_, bytes)| crate::run::id::sha256(bytes))
        .collect();
    let by_attempts = run.attempts.iter().filter_map(|facts| Some(facts.artifacts.as_ref()?.sha256.as_str()));
    let by_edits = run.edits.iter().filter_map(|(_, edit)| edit.artifacts.as_deref());
    for digest in by_attempts.chain(by_edits).filter(|digest| !digests.contains(*digest)) {
        let message = format!(
            "the list of artifacts that it names (sha256 {digest}) is not in the record, or is another"
        );
        let fault = Fault::new(What::Schema, Severity::Error, &candidate.place, message).of(&candidate.id);
        found.faults.push(fault.advise(again(candidate, None)));
    }
}

/// The code that it ran: here, or absent where that is no wonder.
fn check_code(look: &Look<'_>, store: &Store, candidate: &Candidate, run: &Run, found: &mut Found) {
    // What `gc` may have let go is no fault.
    let is_ours = look.recorded.contains(&candidate.id) && !run.deleted;
    for code in run.attempts.iter().filter_map(|facts| facts.code.as_ref()) {
        let Some(state) = code.snapshot.as_ref().or(code.commit.as_ref()) else { continue };
        match store.kind_of(state).as_deref() {
            Some("commit") if is_ours => found.states.push((state.clone(), candidate.id.clone())),
            Some("commit") => {}
            Some(other) => {
                let message = format!("the code that it names, {state}, is a {other}, not a commit");
                let advice = format!("`git cat-file -p {state}` shows it");
                found.faults.push(
                    Fault::new(What::Code, Severity::Error, &candidate.place, message)
                        .of(&candidate.id)
                        .advise(advice),
                );
            }
            None => {
                let severity = if is_ours { Severity::Warning } else { Severity::Note };
                let message = format!("the code that it ran, {state}, is not here");
                let fault = Fault::new(What::Code, severity, &candidate.place, message).of(&candidate.id);
                found.faults.push(match &look.remote {
                    Some(remote) => fault.advise(format!(
                        "`git xtrack fetch {remote} --code` brings it, if somebody pushed it"
                    )),
                    None => {
                        fault.advise("the record tells which files it changed: `git xtrack show` lists them")
                    }
                });
            }
        }
    }
}
