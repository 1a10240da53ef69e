//! The join of two copies of a record: what both come to, whatever each had seen of the other.
//!
//! A function of the two trees, without a base: commutative, associative and idempotent, because it keeps what no
//! other blob of the same path supersedes, and "supersedes" is a strict order. Knows nothing of commits but what
//! [`merge`] is told of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Problem;
use crate::run::attempt::{FORMAT, Facts, Reader};
use crate::run::edit::Edit;
use crate::run::fold;
use crate::run::id::{AttemptId, RunId, sha256};
use crate::run::record::{Change, Files, Place, TOMBSTONE};
use crate::run::{pointer, text};

/// The latest committer date that Git reads everywhere: the end of the year 9999.
const DATE_MAX: i64 = 253_402_300_799;

/// What two copies of a record come to.
///
/// A tombstone on either side is all that is left; of two, the one whose bytes have the smaller sha256.
pub fn join(ours: &Files, theirs: &Files) -> Result<Files, Problem> {
    if let Some(stone) = tombstone_of(ours, theirs)? {
        return Ok(Files::from([(TOMBSTONE.to_owned(), stone.to_vec())]));
    }
    let mut candidates = Candidates::new();
    gather(&mut candidates, ours)?;
    gather(&mut candidates, theirs)?;
    Ok(candidates.into_iter().flat_map(|(path, (place, blobs))| lay_out(path, &place, blobs)).collect())
}

/// The one form of a record that says what `files` says: its join with nothing.
pub fn normalise(files: &Files) -> Result<Files, Problem> {
    join(files, &Files::new())
}

/// A copy of a record, and the commit that holds it.
#[derive(Debug, Clone, Copy)]
pub struct Tip<'a> {
    /// The commit, in hex.
    pub commit: &'a str,
    /// Its tree.
    pub files: &'a Files,
}

/// How the commits behind two tips stand to one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ancestry {
    /// Our tip is an ancestor of theirs, or the same.
    Behind,
    /// Their tip is an ancestor of ours.
    Ahead,
    /// Neither, but both reach the same commits, our own merge commits aside.
    Equivalent,
    /// Each reaches a commit that the other does not.
    Diverged,
}

/// What becomes of our tip when another is merged into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// It stays.
    Ours,
    /// It becomes theirs.
    Theirs,
    /// It becomes a merge of both, with these files.
    Both(Files),
    /// It stays, unmerged: one of the two is of a format newer than this program's.
    Newer,
}

/// Decides what becomes of our tip.
///
/// A tombstone's commit is taken as it is, never as a parent, since a merge would publish again what was purged.
/// A descendant is followed only if it took nothing away. Tips that differ in nothing but merge commits settle on
/// the smaller commit id, without which a ring of clones would merge for ever.
pub fn merge(ours: Tip, theirs: Tip, ancestry: Ancestry) -> Result<Merged, Problem> {
    if ours.commit == theirs.commit {
        return Ok(Merged::Ours);
    }
    if let Some(stone) = tombstone_of(ours.files, theirs.files)? {
        return bury(ours, theirs, stone);
    }
    if is_newer(ours.files) || is_newer(theirs.files) {
        return Ok(Merged::Newer);
    }
    let joined = join(ours.files, theirs.files)?;
    let (is_ours, is_theirs) = (joined == *ours.files, joined == *theirs.files);
    let is_theirs_first = theirs.commit < ours.commit;
    Ok(match ancestry {
        Ancestry::Behind if is_theirs => Merged::Theirs,
        Ancestry::Ahead if is_ours => Merged::Ours,
        Ancestry::Equivalent if is_theirs && (is_theirs_first || !is_ours) => Merged::Theirs,
        Ancestry::Equivalent if is_ours => Merged::Ours,
        _ => Merged::Both(joined),
    })
}

/// The date of a merge commit: the later committer date of its parents, as far as Git can write it.
pub fn merge_date(ours: i64, theirs: i64) -> i64 {
    ours.max(theirs).clamp(0, DATE_MAX)
}

/// The parents of a merge commit, in the order that every clone writes them.
pub fn merge_parents<'a>(ours: &'a str, theirs: &'a str) -> [&'a str; 2] {
    if ours <= theirs { [ours, theirs] } else { [theirs, ours] }
}

/// Whether any facts in the record are of a format newer than this program's.
pub fn is_newer(files: &Files) -> bool {
    let is_facts = |path: &str| Place::parse(path).is_ok_and(|place| place.change() == Change::Revised);
    files.iter().filter(|(path, _)| is_facts(path)).any(|(_, bytes)| {
        let format = text::read(bytes).and_then(|table| Reader(&table).int("format"));
        format.is_ok_and(|format| format.is_some_and(|format| format > FORMAT))
    })
}

/// Where the losing side of two blobs for `path` lies.
pub fn disputed_path(path: &str, bytes: &[u8]) -> String {
    format!("disputed/{}/{path}", sha256(bytes))
}

/// By path: what it may hold, and the different blobs that claim it.
type Candidates<'a> = BTreeMap<String, (Place, BTreeSet<&'a [u8]>)>;

fn tombstone_of<'a>(ours: &'a Files, theirs: &'a Files) -> Result<Option<&'a [u8]>, Problem> {
    let stones: Vec<&[u8]> =
        [ours, theirs].into_iter().filter_map(|files| files.get(TOMBSTONE)).map(Vec::as_slice).collect();
    for stone in &stones {
        fold::tombstone(stone).map_err(|problem| Problem {
            message: format!("'{TOMBSTONE}' {}", problem.message),
            ..problem
        })?;
    }
    Ok(stones.into_iter().min_by_key(|stone| sha256(stone)))
}

/// The commit of the two that holds the tombstone, which must hold nothing else.
fn bury(ours: Tip, theirs: Tip, stone: &[u8]) -> Result<Merged, Problem> {
    let has_stone = |tip: &Tip| tip.files.get(TOMBSTONE).is_some_and(|bytes| bytes == stone);
    let (winner, merged) = match (has_stone(&ours), has_stone(&theirs)) {
        (true, true) if ours.commit < theirs.commit => (ours, Merged::Ours),
        (true, false) => (ours, Merged::Ours),
        _ => (theirs, Merged::Theirs),
    };
    match winner.files.len() {
        1 => Ok(merged),
        _ => Err(Problem::new(format!("holds other files beside its '{TOMBSTONE}'"))
            .hint("purge the run again, so that nothing of it is left")),
    }
}

fn gather<'a>(candidates: &mut Candidates<'a>, files: &'a Files) -> Result<(), Problem> {
    for (path, bytes) in files {
        let (path, place) = match Place::parse(path)? {
            Place::Disputed { sha256: digest, .. } if digest != sha256(bytes) => {
                return Err(Problem::new(format!("'{path}' does not hold the bytes that its name says")));
            }
            Place::Disputed { path: inner, .. } => (inner.clone(), Place::parse(&inner)?),
            place => (path.clone(), place),
        };
        candidates.entry(path).or_insert_with(|| (place, BTreeSet::new())).1.insert(bytes);
    }
    Ok(())
}

/// The files that one path comes to: one that can be read takes the path, of several the smallest digest; the others are
/// disputed. Rubbish thus never hides what was recorded, whatever digest it was given.
fn lay_out(path: String, place: &Place, blobs: BTreeSet<&[u8]>) -> Vec<(String, Vec<u8>)> {
    let mut kept = unsuperseded(place, blobs.into_iter().collect());
    if kept.len() > 1 {
        kept.sort_by_cached_key(|bytes| (!is_readable(place, bytes), sha256(bytes)));
    }
    let place_of = |(index, bytes): (usize, &[u8])| match index {
        0 => (path.clone(), bytes.to_vec()),
        _ => (disputed_path(&path, bytes), bytes.to_vec()),
    };
    kept.into_iter().enumerate().map(place_of).collect()
}

/// Whether the bytes are what the place may hold, as far as that can be told from them alone.
fn is_readable(place: &Place, bytes: &[u8]) -> bool {
    match place {
        Place::Run | Place::Attempt(_) => Standing::read(place, bytes).is_some(),
        Place::Edit(id) => Edit::decode(id, bytes).is_ok(),
        Place::Environment(_) => text::read(bytes).is_ok(),
        Place::AttemptArtifacts(_) | Place::EditArtifacts(_) => pointer::decode(bytes).is_ok(),
        _ => true,
    }
}

/// The blobs that no other of them supersedes. Whatever supersedes a dropped blob need not be kept itself: the
/// order is transitive, so one that is kept supersedes it too.
fn unsuperseded<'a>(place: &Place, blobs: Vec<&'a [u8]>) -> Vec<&'a [u8]> {
    if blobs.len() < 2 {
        return blobs;
    }
    match place.change() {
        Change::Once => blobs,
        Change::Growing => keep(&blobs, |old, new| new.len() > old.len() && new.starts_with(old)),
        Change::Revised => {
            let read: BTreeMap<&[u8], Standing> =
                blobs.iter().filter_map(|bytes| Some((*bytes, Standing::read(place, bytes)?))).collect();
            keep(&blobs, |old, new| match (read.get(old), read.get(new)) {
                (Some(old), Some(new)) => old.is_superseded_by(new),
                _ => false,
            })
        }
    }
}

fn keep<'a>(blobs: &[&'a [u8]], is_superseded: impl Fn(&[u8], &[u8]) -> bool) -> Vec<&'a [u8]> {
    blobs.iter().filter(|old| !blobs.iter().any(|new| is_superseded(old, new))).copied().collect()
}

/// What decides whether facts are superseded.
struct Standing {
    /// Whose facts they are: those of another run or attempt never supersede.
    owner: (RunId, Option<AttemptId>),
    revision: u64,
    is_final: bool,
}

impl Standing {
    /// Of facts that can be read and belong at `place`; others neither supersede nor are superseded.
    fn read(place: &Place, bytes: &[u8]) -> Option<Self> {
        let facts = Facts::from_table(&text::read(bytes).ok()?).ok()?;
        let belongs = match place {
            Place::Attempt(id) => facts.attempt.as_ref() == Some(id),
            _ => true,
        };
        belongs.then_some(Self {
            owner: (facts.id, facts.attempt),
            revision: facts.revision,
            is_final: facts.status.is_final(),
        })
    }

    fn is_superseded_by(&self, new: &Self) -> bool {
        self.owner == new.owner && !self.is_final && self.revision < new.revision
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::run::attempt::Status;
    use crate::run::tests::cases;
    use proptest::prelude::*;

    const HEAD: &str = "console/aaaaaaaa-head.log";

    fn facts(revision: u64, status: Status, name: &str, after: &[&str], run: char, attempt: &str) -> Vec<u8> {
        let id = RunId::parse(&format!("20260101-000000-{run}aaaaaaa")).unwrap();
        let mut facts = Facts::new(id, AttemptId::parse(attempt).unwrap(), crate::run::id::Time(0));
        facts.revision = revision;
        facts.status = status;
        facts.name = Some(name.to_owned());
        facts.after = after.iter().filter_map(|id| AttemptId::parse(id)).collect();
        text::write(&facts.to_table()).into_bytes()
    }

    fn stone(why: &str) -> Vec<u8> {
        format!("format = 1\nby = \"a\"\nat = \"2026-01-01T00:00:00.000000Z\"\nwhy = {why:?}\n").into_bytes()
    }

    /// Blobs for facts: honest, forged (another run or attempt, a cycle in `after`) and no facts at all.
    fn facts_pool() -> Vec<Vec<u8>> {
        let mut pool: Vec<Vec<u8>> = ["", "a", "ab"].map(|text| text.as_bytes().to_vec()).into();
        for (revision, status) in (1..5).flat_map(|revision| Status::ALL.map(|status| (revision, status))) {
            for name in ["a", "b"] {
                pool.push(facts(revision, status, name, &[], 'a', "aaaaaaaa"));
            }
            for (run, attempt) in [('b', "aaaaaaaa"), ('a', "baaaaaaa")] {
                if status >= Status::Killed {
                    pool.push(facts(revision, status, "a", &["aaaaaaaa", "baaaaaaa"], run, attempt));
                }
            }
        }
        pool
    }

    fn text_blob() -> impl Strategy<Value = Vec<u8>> {
        "[ab]{0,4}".prop_map(String::into_bytes)
    }

    /// A path and a blob for it; one in four lies under `disputed/`.
    fn file() -> impl Strategy<Value = (String, Vec<u8>)> {
        let facts_blob = prop::sample::select(facts_pool());
        let revised = (prop::sample::select(vec!["run.toml", "attempts/aaaaaaaa.toml"]), facts_blob);
        let growing = prop::sample::select(vec![
            HEAD,
            "metrics/aaaaaaaa-0-00-0000.tsv",
            "events/aaaaaaaa-0-0000.jsonl",
        ]);
        let once = prop::sample::select(vec![
            "edits/20260101-000000-0123456789abcdef.toml",
            "environment.toml",
            "console/aaaaaaaa-tail-1.log",
        ]);
        let file = prop_oneof![2 => revised, 1 => (growing, text_blob()), 1 => (once, text_blob())];
        (file, 0..4u8).prop_map(|((path, bytes), where_)| match where_ {
            0 => (disputed_path(path, &bytes), bytes),
            _ => (path.to_owned(), bytes),
        })
    }

    /// A record as anyone may have pushed it; one in thirty is purged.
    fn record() -> impl Strategy<Value = Files> {
        let files =
            prop::collection::vec(file(), 0..10).prop_map(|files| files.into_iter().collect::<Files>());
        (files, 0..30u8, "[abc]").prop_map(|(mut files, purged, why)| {
            if purged == 0 {
                files.insert(TOMBSTONE.to_owned(), stone(&why));
            }
            files
        })
    }

    /// All blobs that claim a path, whatever place they have.
    fn claims(files: &Files) -> BTreeSet<(String, Vec<u8>)> {
        let claimed = |path: &str| match Place::parse(path).unwrap() {
            Place::Disputed { path, .. } => path,
            _ => path.to_owned(),
        };
        files.iter().map(|(path, bytes)| (claimed(path), bytes.clone())).collect()
    }

    proptest! {
        #![proptest_config(cases(10_000))]

        #[test]
        fn the_join_is_lawful(a in record(), b in record(), c in record()) {
            let join = |one: &Files, other: &Files| join(one, other).unwrap();
            let normal = normalise(&a).unwrap();
            prop_assert_eq!(&normalise(&normal).unwrap(), &normal, "normal forms are normal");
            prop_assert_eq!(&join(&normal, &normal), &normal, "idempotent");
            prop_assert_eq!(&join(&a, &a), &normal, "a copy adds nothing");
            let ab = join(&a, &b);
            prop_assert_eq!(&join(&b, &a), &ab, "commutative");
            prop_assert_eq!(&join(&normal, &b), &ab, "normalising first changes nothing");
            prop_assert_eq!(&join(&a, &ab), &ab, "what is there already adds nothing");
            prop_assert_eq!(join(&ab, &c), join(&a, &join(&b, &c)), "associative");
        }
    }

    proptest! {
        #![proptest_config(cases(1_000))]

        #[test]
        fn nothing_is_invented_and_nothing_is_lost_but_what_was_superseded(a in record(), b in record()) {
            let joined = join(&a, &b).unwrap();
            let (kept, mut given) = (claims(&joined), claims(&a));
            given.extend(claims(&b));
            prop_assert!(kept.is_subset(&given));
            if !joined.contains_key(TOMBSTONE) {
                for (path, bytes) in given.difference(&kept) {
                    let change = Place::parse(path).unwrap().change();
                    let others = kept.iter().filter(|(other, _)| other == path);
                    let longer = others.clone().any(|(_, other)| other.starts_with(bytes));
                    prop_assert!(change == Change::Revised || (change == Change::Growing && longer), "{}", path);
                    prop_assert!(others.count() > 0);
                }
            }
        }

        #[test]
        fn clones_that_merge_in_any_order_end_with_one_tree(
            records in prop::collection::vec(record(), 2..5),
            order in prop::collection::vec((0..5usize, 0..5usize), 0..20),
        ) {
            let all = records.iter().fold(Files::new(), |all, files| join(&all, files).unwrap());
            let mut clones = records;
            for (to, from) in order {
                let (to, from) = (to % clones.len(), from % clones.len());
                clones[to] = join(&clones[to], &clones[from]).unwrap();
            }
            let reached = clones.iter().fold(Files::new(), |all, files| join(files, &all).unwrap());
            prop_assert_eq!(reached, all);
        }
    }

    fn one(path: &str, bytes: &[u8]) -> Files {
        Files::from([(path.to_owned(), bytes.to_vec())])
    }

    fn tip<'a>(commit: &'a str, files: &'a Files) -> Tip<'a> {
        Tip { commit, files }
    }

    #[test]
    fn higher_revisions_supersede_unless_the_attempt_itself_said_how_it_ended() {
        let of = |revision, status| one("run.toml", &facts(revision, status, "a", &[], 'a', "aaaaaaaa"));
        let running = of(1, Status::Running);
        let crashed = of(2, Status::Crashed);
        let finished = of(3, Status::Finished);
        let forged = of(9, Status::Crashed);
        assert_eq!(join(&running, &crashed), Ok(crashed.clone()));
        assert_eq!(join(&crashed, &finished), Ok(finished.clone()));
        assert_eq!(join(&finished, &forged).unwrap().len(), 2, "both are kept");
    }

    #[test]
    fn facts_of_another_run_or_attempt_never_supersede() {
        let ours = one("run.toml", &facts(1, Status::Running, "a", &[], 'a', "aaaaaaaa"));
        for forged in [
            facts(9, Status::Finished, "a", &[], 'b', "aaaaaaaa"),
            facts(9, Status::Finished, "a", &[], 'a', "baaaaaaa"),
            b"revision = 9\n".to_vec(),
        ] {
            assert_eq!(join(&ours, &one("run.toml", &forged)).unwrap().len(), 2);
        }
    }

    #[test]
    fn rubbish_never_hides_what_can_be_read() {
        let good = facts(1, Status::Finished, "a", &[], 'a', "aaaaaaaa");
        let smaller = (0..).map(|number: u32| format!("rubbish {number}").into_bytes());
        let rubbish = smaller.into_iter().find(|bytes| sha256(bytes) < sha256(&good)).unwrap();
        let file = |bytes: &[u8]| Files::from([("run.toml".to_owned(), bytes.to_vec())]);
        let joined = join(&file(&good), &file(&rubbish)).unwrap();
        assert_eq!(joined["run.toml"], good);
        assert_eq!(joined[&disputed_path("run.toml", &rubbish)], rubbish);
    }

    #[test]
    fn what_only_grew_is_its_longest() {
        let (short, long) = (one(HEAD, b"ab"), one(HEAD, b"abc"));
        assert_eq!(join(&long, &short), Ok(long.clone()));
        assert_eq!(join(&long, &one(HEAD, b"ax")).unwrap().len(), 2);
    }

    #[test]
    fn what_lies_outside_the_layout_or_under_a_false_digest_is_refused() {
        for path in ["../run.toml", "run.toml/", "Run.toml", "hooks/post-merge", "edits/x.toml"] {
            assert!(normalise(&one(path, b"")).is_err(), "{path}");
        }
        let nested = disputed_path(&disputed_path("run.toml", b"a"), b"a");
        assert!(normalise(&one(&nested, b"a")).is_err());
        assert!(normalise(&one(&disputed_path("tombstone.toml", b"a"), b"a")).is_err());
        let problem = normalise(&one(&disputed_path("run.toml", b"a"), b"b")).unwrap_err();
        assert!(problem.message.ends_with("does not hold the bytes that its name says"), "{problem}");
    }

    #[test]
    fn a_tombstone_wins_over_everything_and_is_never_merged() {
        let run = one(HEAD, b"secret");
        let grave = one(TOMBSTONE, &stone("a key was in it"));
        assert_eq!(join(&run, &grave), Ok(grave.clone()));
        let merged = |ours, theirs| merge(ours, theirs, Ancestry::Diverged);
        assert_eq!(merged(tip("a", &run), tip("b", &grave)), Ok(Merged::Theirs));
        assert_eq!(merged(tip("b", &grave), tip("a", &run)), Ok(Merged::Ours));
        assert_eq!(merged(tip("b", &grave), tip("a", &grave)), Ok(Merged::Theirs), "the smaller commit");
        let mut leaking = grave.clone();
        leaking.extend(run.clone());
        assert!(merged(tip("a", &run), tip("b", &leaking)).is_err());
        assert!(join(&run, &one(TOMBSTONE, b"no stone")).is_err());
    }

    #[test]
    fn a_descendant_is_followed_only_if_it_took_nothing_away() {
        let (before, after) = (one(HEAD, b"a"), one(HEAD, b"ab"));
        let merged = |ours, theirs, ancestry| merge(tip("b", ours), tip("a", theirs), ancestry).unwrap();
        assert_eq!(merged(&before, &after, Ancestry::Behind), Merged::Theirs);
        assert_eq!(merged(&after, &before, Ancestry::Ahead), Merged::Ours);
        assert_eq!(merged(&after, &before, Ancestry::Behind), Merged::Both(after.clone()));
        assert_eq!(merged(&before, &after, Ancestry::Diverged), Merged::Both(after.clone()));
    }

    #[test]
    fn tips_that_differ_in_merges_only_settle_on_the_smaller_commit() {
        let files = one(HEAD, b"a");
        let settled = |ours, theirs| merge(tip(ours, &files), tip(theirs, &files), Ancestry::Equivalent);
        assert_eq!(settled("a", "b"), Ok(Merged::Ours));
        assert_eq!(settled("b", "a"), Ok(Merged::Theirs));
        let less = Files::new();
        assert_eq!(merge(tip("b", &files), tip("a", &less), Ancestry::Equivalent), Ok(Merged::Ours));
        assert_eq!(merge(tip("a", &less), tip("b", &files), Ancestry::Equivalent), Ok(Merged::Theirs));
    }

    #[test]
    fn a_newer_format_is_left_alone() {
        let (ours, theirs) = (one("run.toml", b"format = 2\n"), one(HEAD, b"a"));
        assert_eq!(merge(tip("a", &ours), tip("b", &theirs), Ancestry::Diverged), Ok(Merged::Newer));
    }

    #[test]
    fn merge_commits_are_the_same_everywhere() {
        assert_eq!([merge_date(-5, -1), merge_date(3, 7), merge_date(i64::MAX, 0)], [0, 7, DATE_MAX]);
        assert_eq!(merge_parents("b", "a"), merge_parents("a", "b"));
    }
}
