//! Remotes that mean ill: what they offer is refused with a reason, the good runs arrive, and nothing is written where it
//! should not be.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use xtrack::run::edit::Edit;
use xtrack::run::id::{RunId, Time, sha256};

use crate::sharing::{Bare, bytes_of, clone_of, facts, make_runs, run_id, tips};
use crate::support::Repo;

/// A remote whose objects are written without anybody looking.
struct Hostile {
    bare: Bare,
    writer: Repo,
    next: u32,
    /// The runs, and a part of the reason for which each is to be refused.
    bad: Vec<(RunId, &'static str, String)>,
}

impl Hostile {
    fn new() -> Self {
        let bare = Bare::new();
        let writer = clone_of(&bare, "Eve");
        make_runs(&writer, 0..5);
        writer.git(&["push", "-q", "origin", "refs/runs/*"]);
        Self { bare, writer, next: 10, bad: Vec::new() }
    }

    fn object(&self, kind: &str, bytes: &[u8]) -> String {
        let mut git = self.writer.command("git");
        git.args(["-C", self.bare.path(), "hash-object", "-w", "--literally", "--stdin", "-t", kind]);
        let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn blob(&self, bytes: &[u8]) -> String {
        self.object("blob", bytes)
    }

    fn tree(&self, entries: &[(&str, &[u8], &str)]) -> String {
        let raw = |hex: &str| -> Vec<u8> {
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
        };
        let entry = |(mode, name, oid): &(&str, &[u8], &str)| {
            [mode.as_bytes(), b" ", name, b"\0", &raw(oid)].concat()
        };
        self.object("tree", &entries.iter().flat_map(entry).collect::<Vec<u8>>())
    }

    fn commit(&self, tree: &str, more: &str) -> String {
        let who = "Eve <eve@example.com> 1767225600 +0000";
        self.object("commit", format!("tree {tree}\n{more}author {who}\ncommitter {who}\n\nx\n").as_bytes())
    }

    fn id(&mut self) -> RunId {
        self.next += 1;
        run_id(self.next)
    }

    fn offer(&mut self, id: RunId, commit: String, reason: &'static str) {
        self.writer.git(&["-C", self.bare.path(), "update-ref", &format!("refs/runs/{id}"), &commit]);
        self.bad.push((id, reason, commit));
    }

    /// Offers a run with honest facts and these entries before and after `run.toml`.
    fn with(&mut self, before: &[(&str, &[u8], &str)], after: &[(&str, &[u8], &str)], reason: &'static str) {
        let id = self.id();
        let run = self.blob(&bytes_of(&facts(&id, "x")));
        let entries = [before, &[("100644", b"run.toml", run.as_str())], after].concat();
        let commit = self.commit(&self.tree(&entries), "");
        self.offer(id, commit, reason);
    }

    /// Offers a run whose `run.toml` is this.
    fn facts(&mut self, bytes: impl Fn(&RunId) -> Vec<u8>, reason: &'static str) {
        let id = self.id();
        let run = self.blob(&bytes(&id));
        let commit = self.commit(&self.tree(&[("100644", b"run.toml", &run)]), "");
        self.offer(id, commit, reason);
    }
}

/// All that a remote could think of that git itself finds out.
fn unsound(hostile: &mut Hostile) {
    let blob = hostile.blob(b"x");
    let folder = hostile.tree(&[("100644", b"config", &blob)]);
    hostile.with(&[("40000", b"..", &folder)], &[], "..");
    hostile.with(&[("40000", b".git", &folder)], &[], ".git");
    hostile.with(&[("40000", b".GIT", &folder)], &[], ".git");
    hostile.with(&[("40000", b"git~1", &folder)], &[], ".git");
    hostile.with(&[("40000", ".g\u{200c}it".as_bytes(), &folder)], &[], ".git");
    hostile.with(&[("100644", b"a/b", &blob)], &[], "full");
    hostile.with(&[("100644", b"a", &blob), ("100644", b"a", &blob)], &[], "");
    hostile.with(&[], &[("100644", b"a", &blob)], "");
    let id = hostile.id();
    let tree = hostile.tree(&[("100644", b"run.toml", &hostile.blob(&bytes_of(&facts(&id, "x"))))]);
    let who = "Eve <eve@example.com> 18446744073709551616 +0000";
    let commit =
        hostile.object("commit", format!("tree {tree}\nauthor {who}\ncommitter {who}\n\nx\n").as_bytes());
    hostile.offer(id, commit, "");
}

/// And what only we find out.
fn unlawful(hostile: &mut Hostile) {
    let blob = hostile.blob(b"x");
    let target = hostile.blob(b"/etc/passwd");
    let id = hostile.id();
    let commit = hostile.commit(&hostile.tree(&[("120000", b"run.toml", &target)]), "");
    hostile.offer(id, commit, "no plain file");
    let id = hostile.id();
    let run = hostile.blob(&bytes_of(&facts(&id, "x")));
    let commit = hostile.commit(&hostile.tree(&[("100755", b"run.toml", &run)]), "");
    hostile.offer(id, commit, "no plain file");
    let head = hostile.commit(&hostile.tree(&[]), "");
    hostile.with(&[("160000", b"environment.toml", &head)], &[], "no plain file");
    for name in [b"..\\x" as &[u8], b"CON", b"\x1b[31mred", b"hooks", "\u{202e}".as_bytes(), b"NUL.toml"] {
        let sorts_first = name < b"run.toml" as &[u8];
        let entry: &[(&str, &[u8], &str)] = &[("100644", name, &blob)];
        match sorts_first {
            true => hostile.with(entry, &[], "not of the layout"),
            false => hostile.with(&[], entry, "not of the layout"),
        }
    }
    let hooks = hostile.tree(&[("100644", b"post-merge", &blob)]);
    hostile.with(&[("40000", b"hooks", &hooks)], &[], "not of the layout");
    hostile.facts(|_| b"no facts".to_vec(), "TOML");
    hostile.facts(|_| bytes_of(&facts(&run_id(0), "x")), "facts of another run");
    hostile.facts(
        |_| {
            [b"a = ".as_slice(), "[".repeat(10_000).as_bytes(), "]".repeat(10_000).as_bytes(), b"\n"].concat()
        },
        "TOML",
    );
    hostile.facts(|_| vec![b'#'; 100 << 20], "larger than 16.0 MiB");
    let honest = Edit::new("Eve".into(), Time(0), Vec::new()).encode().1;
    let edit = hostile.blob(&honest);
    let edits = hostile.tree(&[("100644", b"20260101-000000-0123456789abcdef.toml", &edit)]);
    hostile.with(&[("40000", b"edits", &edits)], &[], "edits/");
    // Folders in folders, far deeper than anything of ours.
    let mut deep = hostile.tree(&[("100644", b"x", &blob)]);
    for _ in 0..if crate::sharing::trials(0) > 0 { 10_000 } else { 100 } {
        deep = hostile.tree(&[("40000", b"d", &deep)]);
    }
    // The deepest are too much for git already.
    let reason = if crate::sharing::trials(0) > 0 { "" } else { "go too deep" };
    hostile.with(&[("40000", b"artifacts", &deep)], &[], reason);
    // A million names.
    let raw: Vec<u8> = (0..20).map(|at| u8::from_str_radix(&blob[at * 2..at * 2 + 2], 16).unwrap()).collect();
    let many: Vec<u8> =
        (0..1_000_000).flat_map(|n| [format!("100644 {n:07}\0").as_bytes(), &raw].concat()).collect();
    let many = hostile.object("tree", &many);
    hostile.with(&[("40000", b"edits", &many)], &[], "holds more than");
    // Disputes by the thousand, and one that does not hold what it says.
    let entries: Vec<(String, String)> = (0..1000u32)
        .map(|n| {
            (
                sha256(&n.to_be_bytes()),
                hostile.tree(&[("100644", b"run.toml", &hostile.blob(&n.to_be_bytes()))]),
            )
        })
        .collect();
    let mut entries: Vec<_> =
        entries.iter().map(|(name, tree)| ("40000", name.as_bytes(), tree.as_str())).collect();
    entries.sort();
    let disputed = hostile.tree(&entries);
    hostile.with(&[("40000", b"disputed", &disputed)], &[], "disputed files");
    let inner = hostile.tree(&[("100644", b"run.toml", &blob)]);
    let disputed = hostile.tree(&[("40000", "0".repeat(64).as_bytes(), &inner)]);
    hostile.with(&[("40000", b"disputed", &disputed)], &[], "does not hold the bytes that its name says");
    // Behind the record, a history that is none.
    let id = hostile.id();
    let run = hostile.blob(&bytes_of(&facts(&id, "x")));
    let code = hostile.commit(&hostile.tree(&[("100644", b"secret.py", &blob)]), "");
    let commit = hostile.commit(&hostile.tree(&[("100644", b"run.toml", &run)]), &format!("parent {code}\n"));
    hostile.offer(id, commit, "not of the layout");
    // A stone beside what it was to remove.
    let stone = hostile.blob(b"format = 1\nby = \"a\"\nat = \"2026-01-01T00:00:00.000000Z\"\nwhy = \"x\"\n");
    hostile.with(&[], &[("100644", b"tombstone.toml", &stone)], "");
}

const STRANGE: &[&str] = &[
    "-x",
    "--upload-pack=x",
    "$(id)",
    "`id`",
    "CON",
    "<b>",
    "|id",
    "=1+1",
    "x;id",
    "\u{202e}",
    "$(touch${IFS}canary)",
];

fn strange_refs(hostile: &Hostile) {
    let tip = hostile.writer.git(&["rev-parse", &format!("refs/runs/{}", run_id(0))]);
    for name in STRANGE {
        let written = hostile.writer.try_git(&[
            "-C",
            hostile.bare.path(),
            "update-ref",
            &format!("refs/runs/{name}"),
            &tip,
        ]);
        assert_eq!(written.code, 0, "{name}: {}", written.stderr);
    }
    // Another object in the place of an honest one is nothing that a remote has to say.
    let honest = hostile.writer.git(&["rev-parse", &format!("{tip}:run.toml")]);
    let replacement = format!("refs/replace/{honest}");
    hostile.writer.git(&["-C", hostile.bare.path(), "update-ref", &replacement, &hostile.blob(b"forged")]);
}

/// What lies around a repository: names and bytes of all that is not in `.git`.
fn around(repo: &Repo) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![repo.root().to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true if entry.file_name() == ".git" => {}
                true => open.push(entry.path()),
                false => found.push((entry.path().display().to_string(), fs::read(entry.path()).unwrap())),
            }
        }
    }
    found.sort();
    found
}

#[track_caller]
fn assert_refused(repo: &Repo, hostile: &Hostile, said: &str) {
    for (id, reason, commit) in &hostile.bad {
        let line = said.lines().find(|line| line.contains(&format!("warning: run '{id}'")));
        let line = line.unwrap_or_else(|| panic!("nothing is said of {id} ({reason}):\n{said}"));
        assert!(line.to_lowercase().contains(&reason.to_lowercase()), "wanted {reason:?}: {line}");
        assert_eq!(
            repo.try_git(&["rev-parse", "-q", "--verify", &format!("refs/runs/{id}")]).code,
            1,
            "{line}"
        );
        let tracked =
            repo.try_git(&["rev-parse", "-q", "--verify", &format!("refs/xtrack/remotes/origin/runs/{id}")]);
        assert_eq!(tracked.code, 1, "{line}");
        assert_ne!(
            repo.try_git(&["cat-file", "-e", commit]).code,
            0,
            "an object of what was refused is here: {line}"
        );
    }
    assert!(!said.contains('\x1b') && !said.contains('\u{202e}'), "{said:?}");
}

#[test]
fn what_is_not_lawful_is_refused_and_the_good_runs_arrive() {
    let mut hostile = Hostile::new();
    unlawful(&mut hostile);
    strange_refs(&hostile);
    let repo = clone_of(&hostile.bare, "Ada");
    let before = around(&repo);
    let output = repo.xtrack(&["pull"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("5 runs from 'origin': 5 new\n"), "{}", output.stderr);
    assert!(
        output
            .stderr
            .contains(&format!("{} refs of 'origin' that name no run are left alone", STRANGE.len())),
        "{}",
        output.stderr
    );
    assert_refused(&repo, &hostile, &output.stderr);
    assert_eq!(repo.refs("refs").len(), 10, "five runs, and where the remote has them");
    assert_eq!(around(&repo), before);
    repo.assert_sound();
    // Once more: still refused, nothing else to do, and nothing bad is fetched again.
    let trace = repo.root().join("trace");
    let mut repo = repo;
    repo.set("GIT_TRACE", trace.to_str().unwrap());
    let output = repo.xtrack(&["pull"]);
    assert!(output.stderr.contains("nothing new from 'origin'"), "{}", output.stderr);
    assert_eq!(count(&trace, "git ls-remote"), 1);
    // What the remote's own git does not walk through may be had another time, for all that is known.
    let again = usize::from(crate::sharing::trials(0) > 0);
    assert_eq!(count(&trace, "git fetch"), again);
    repo.env.clear();
    assert_refused(&repo, &hostile, &output.stderr);
}

#[test]
fn what_git_finds_unsound_is_refused_one_by_one_and_the_good_runs_arrive() {
    let mut hostile = Hostile::new();
    unsound(&mut hostile);
    let repo = clone_of(&hostile.bare, "Ada");
    let before = around(&repo);
    let output = repo.xtrack(&["pull"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("5 runs from 'origin': 5 new\n"), "{}", output.stderr);
    assert_refused(&repo, &hostile, &output.stderr);
    assert_eq!(around(&repo), before);
    repo.assert_sound();
}

#[test]
fn what_plain_git_let_in_is_refused_by_merge() {
    let mut hostile = Hostile::new();
    unsound(&mut hostile);
    unlawful(&mut hostile);
    let repo = clone_of(&hostile.bare, "Ada");
    // Else git itself goes no deeper than some thousand folders.
    let depth = ["config", "core.maxTreeDepth", "20000"];
    hostile.writer.git(&[&["-C", hostile.bare.path()], &depth[..]].concat());
    repo.git(&depth);
    repo.git(&["fetch", "-q", "origin", "+refs/runs/*:refs/xtrack/remotes/origin/runs/*"]);
    let output = repo.xtrack(&["merge"]);
    assert_eq!(output.code, 1);
    for (id, reason, _) in &hostile.bad {
        assert!(output.stderr.contains(&format!("warning: run '{id}'")), "{id} {reason}: {}", output.stderr);
    }
    assert_eq!(repo.refs("refs/runs").len(), 5);
}

#[test]
fn a_remote_that_lost_a_part_of_a_run_gives_the_others() {
    let bare = Bare::new();
    let ada = clone_of(&bare, "Ada");
    ada.git(&["-C", bare.path(), "config", "receive.unpackLimit", "10000"]);
    make_runs(&ada, 0..6);
    ada.git(&["push", "-q", "origin", "refs/runs/*"]);
    let blob = ada.git(&["rev-parse", &format!("refs/runs/{}:run.toml", run_id(2))]);
    fs::remove_file(format!("{}/objects/{}/{}", bare.path(), &blob[..2], &blob[2..])).unwrap();
    let bo = clone_of(&bare, "Bo");
    let output = bo.xtrack(&["pull"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("5 runs from 'origin': 5 new"), "{}", output.stderr);
    assert!(output.stderr.contains(&format!("warning: run '{}'", run_id(2))), "{}", output.stderr);
    bo.assert_sound();
    // What could not be had is tried again, and after what is new: that comes at once.
    make_runs(&ada, 6..9);
    ada.git(&["push", "-q", "origin", "refs/runs/*"]);
    let mut bo = bo;
    let trace = bo.root().join("trace");
    bo.set("GIT_TRACE", trace.to_str().unwrap());
    let output = bo.xtrack(&["pull"]);
    assert!(output.stderr.contains("3 runs from 'origin': 3 new"), "{}", output.stderr);
    assert!(output.stderr.contains(&format!("warning: run '{}'", run_id(2))), "{}", output.stderr);
    assert_eq!(count(&trace, "git fetch"), 2);
    bo.env.clear();
    // Whoever has the run makes it whole again.
    let whole = ada.git(&["cat-file", "blob", &blob]);
    ada.git_stdin(&["-C", bare.path(), "hash-object", "-w", "--stdin"], &format!("{whole}\n"));
    bo.xtrack(&["pull"]).ok();
    assert_eq!(tips(&bo), tips(&ada));
}

#[test]
fn a_joined_record_that_nobody_could_read_is_not_made() {
    let bare = Bare::new();
    let (ada, eve) = (clone_of(&bare, "Ada"), clone_of(&bare, "Eve"));
    make_runs(&ada, 0..1);
    ada.xtrack(&["push"]).ok();
    let before = tips(&ada);
    // Facts of the same attempt under another path: each record is lawful, both together are not.
    let id = run_id(0);
    let mut first = facts(&id, "x");
    first.attempt = Some(xtrack::run::id::AttemptId::new([8; 8]));
    let second = facts(&id, "x");
    let blob = |facts| {
        eve.git_stdin(&["hash-object", "-w", "--stdin"], std::str::from_utf8(&bytes_of(facts)).unwrap())
    };
    let attempt = second.attempt.clone().unwrap();
    let attempts = eve.git_stdin(&["mktree"], &format!("100644 blob {}\t{attempt}.toml", blob(&second)));
    let tree = eve.git_stdin(
        &["mktree"],
        &format!("040000 tree {attempts}\tattempts\n100644 blob {}\trun.toml", blob(&first)),
    );
    let commit = eve.git(&["commit-tree", "-m", "x", &tree]);
    eve.git(&["push", "-q", "--force", bare.path(), &format!("{commit}:refs/runs/{id}")]);
    let output = ada.xtrack(&["pull"]);
    if tips(&ada) == before {
        assert_eq!(output.code, 1);
        assert!(output.stderr.contains("together with what is here it cannot be read"), "{}", output.stderr);
    }
    assert_eq!(ada.xtrack(&["show", &id.to_string()]).code, 0);
}

/// Many objects of a kind, written at once.
fn objects(hostile: &Hostile, kind: &str, all: &[Vec<u8>]) -> Vec<String> {
    let folder = hostile.writer.root().join(format!("many-{kind}"));
    fs::create_dir_all(&folder).unwrap();
    let write = |(number, bytes): (usize, &Vec<u8>)| {
        let path = folder.join(number.to_string());
        fs::write(&path, bytes).unwrap();
        format!("{}\n", path.display())
    };
    let paths: String = all.iter().enumerate().map(write).collect();
    let bare = hostile.bare.path();
    let arguments =
        ["-C", bare, "hash-object", "-w", "--literally", "--no-filters", "-t", kind, "--stdin-paths"];
    hostile.writer.git_stdin(&arguments, &paths).lines().map(str::to_owned).collect()
}

/// How often git was asked to do this, as a trace tells.
fn count(trace: &std::path::Path, what: &str) -> usize {
    let traced = fs::read_to_string(trace).unwrap();
    traced.lines().filter(|line| line.contains("trace: built-in: git ") && line.contains(what)).count()
}

#[test]
fn however_many_are_unsound_the_good_ones_come_in_a_few_fetches() {
    let mut hostile = Hostile::new();
    let raw = |hex: &str| -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    };
    let ids: Vec<RunId> = (0..300).map(|_| hostile.id()).collect();
    let records =
        objects(&hostile, "blob", &ids.iter().map(|id| bytes_of(&facts(id, "x"))).collect::<Vec<_>>());
    let folder = raw(&hostile.tree(&[("100644", b"config", &records[0])]));
    let tree =
        |record: &String| [b"40000 ..\0".as_slice(), &folder, b"100644 run.toml\0", &raw(record)].concat();
    let trees = objects(&hostile, "tree", &records.iter().map(tree).collect::<Vec<_>>());
    let who = "Eve <eve@example.com> 1767225600 +0000";
    let commit = |tree: &String| format!("tree {tree}\nauthor {who}\ncommitter {who}\n\nx\n").into_bytes();
    let commits = objects(&hostile, "commit", &trees.iter().map(commit).collect::<Vec<_>>());
    let lines: String =
        ids.iter().zip(&commits).map(|(id, commit)| format!("create refs/runs/{id} {commit}\n")).collect();
    hostile.writer.git_stdin(&["-C", hostile.bare.path(), "update-ref", "--stdin"], &lines);
    // Good ones between them, too.
    make_runs(&hostile.writer, 400..420);
    hostile.writer.git(&["push", "-q", "origin", "refs/runs/*"]);
    let mut repo = clone_of(&hostile.bare, "Ada");
    let trace = repo.root().join("trace");
    repo.set("GIT_TRACE", trace.to_str().unwrap());
    let output = repo.xtrack(&["pull", "--json"]);
    assert_eq!(output.code, 1);
    assert_eq!(count(&trace, "git fetch"), 2);
    repo.env.clear();
    let told: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let refused = told["fetched"]["refused"].as_array().unwrap();
    assert_eq!(refused.len(), 300);
    assert!(refused.iter().all(|one| one["reason"].as_str().unwrap().contains("hasDotdot")), "{refused:?}");
    assert_eq!(repo.refs("refs/runs").len(), 25);
    repo.assert_sound();
    // People see some of them, and how many more there are.
    let output = repo.xtrack(&["pull"]);
    let warnings: Vec<_> = output.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 21);
    assert_eq!(
        warnings[20],
        "warning: 280 runs more: object …: hasDotdot: contains '..' (`--json` names them)"
    );
}

#[test]
fn what_makes_the_remotes_own_git_give_up_does_not_hold_up_the_good_runs() {
    let mut hostile = Hostile::new();
    hostile.writer.git(&["-C", hostile.bare.path(), "config", "core.maxTreeDepth", "40"]);
    let mut deep = hostile.tree(&[("100644", b"x", &hostile.blob(b"x"))]);
    for _ in 0..100 {
        deep = hostile.tree(&[("40000", b"d", &deep)]);
    }
    // A git that knows no such limit sends it.
    hostile.with(&[("40000", b"artifacts", &deep)], &[], "deep");
    let reason = hostile.bad.pop().unwrap();
    let repo = clone_of(&hostile.bare, "Ada");
    for said in ["5 runs from 'origin': 5 new\n", "nothing new from 'origin'\n"] {
        let output = repo.xtrack(&["pull"]);
        assert_eq!(output.code, 1);
        assert!(output.stderr.contains(said), "{}", output.stderr);
        let line = output.stderr.lines().find(|line| line.contains(reason.0.as_str())).unwrap();
        let reasons = ["exceeded maximum allowed tree depth", "too deep", "possible repository corruption"];
        assert!(reasons.iter().any(|reason| line.contains(reason)), "{line}");
    }
    repo.assert_sound();
}

#[test]
fn an_object_in_the_place_of_another_changes_no_run() {
    let hostile = Hostile::new();
    let repo = clone_of(&hostile.bare, "Ada");
    repo.xtrack(&["pull"]).ok();
    let id = run_id(0);
    let honest = repo.git(&["rev-parse", &format!("refs/runs/{id}:run.toml")]);
    let mut forged = facts(&id, "forged");
    forged.exit_code = Some(7);
    let forged = hostile
        .writer
        .git_stdin(&["hash-object", "-w", "--stdin"], std::str::from_utf8(&bytes_of(&forged)).unwrap());
    hostile.writer.git(&["push", "-q", "origin", &format!("{forged}:refs/replace/{honest}")]);
    // As `git clone --mirror` does.
    repo.git(&["fetch", "-q", "origin", "refs/replace/*:refs/replace/*"]);
    let shown = repo.xtrack(&["show", id.as_str()]).ok().stdout;
    assert!(shown.contains("run-0") && !shown.contains("forged"), "{shown}");
    repo.xtrack(&["fsck"]).ok();
}
