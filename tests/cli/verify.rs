//! `git xtrack verify`: signatures, who brought which words, artifacts and code, in one verdict.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::cli::fsck::{id_of, ref_of, repository, text};
use crate::reliability::skip;
use crate::sharing::{Bare, clone_of, edit_runs, make_runs, run_id};
use crate::support::{Repo, live};

#[track_caller]
fn verify(repo: &Repo, arguments: &[&str]) -> (Value, i32) {
    let output = repo.xtrack(&[&["verify", "--json"], arguments].concat());
    let found: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.stderr));
    (found[0].clone(), output.code)
}

/// The verdict and the reasons of a kind.
#[track_caller]
fn verdict(repo: &Repo, arguments: &[&str], kind: &str) -> (String, Vec<String>, i32) {
    let (found, code) = verify(repo, arguments);
    let reasons = found["reasons"].as_array().unwrap().iter().filter(|reason| reason["kind"] == kind);
    (
        text(&found["verdict"]).to_owned(),
        reasons.map(|reason| text(&reason["message"]).to_owned()).collect(),
        code,
    )
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--help").output().is_ok()
}

/// Signs with a new ssh key that is Ada's, and trusts it.
fn sign_by_ssh(repo: &Repo, mail: &str) {
    let key = repo.root().join("key");
    let mut keygen = repo.command("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", mail, "-f"]).arg(&key);
    assert!(keygen.status().unwrap().success());
    let public = fs::read_to_string(repo.root().join("key.pub")).unwrap();
    let allowed = repo.root().join("allowed");
    fs::write(&allowed, format!("{mail} {public}")).unwrap();
    repo.git(&["config", "gpg.format", "ssh"]);
    repo.git(&["config", "user.signingKey", key.to_str().unwrap()]);
    repo.git(&["config", "gpg.ssh.allowedSignersFile", allowed.to_str().unwrap()]);
    repo.git(&["config", "commit.gpgSign", "true"]);
}

#[test]
fn an_unsigned_run_is_consistent() {
    let repo = repository();
    let (word, reasons, code) = verdict(&repo, &["large"], "unsigned");
    assert_eq!((word.as_str(), reasons.len(), code), ("unsigned", 1, 0));
    let (found, _) = verify(&repo, &["large"]);
    assert_eq!((&found["artifacts"], &found["code_states"]), (&1.into(), &1.into()));
    assert_eq!(repo.xtrack(&["verify", "large", "--signed"]).code, 1);
    let said = repo.xtrack(&["verify", "large"]).ok().stdout;
    assert!(said.contains("large: consistent, unsigned"), "{said}");
    assert_eq!(repo.xtrack(&["verify"]).code, 2);
    assert_eq!(repo.xtrack(&["verify", "nobody"]).code, 4);
    let rows = repo.xtrack(&["verify", "large", "small", "--csv"]).ok().stdout;
    assert_eq!(rows.lines().count(), 3, "{rows}");
}

#[test]
fn a_run_signed_by_ssh_is_verified_and_its_signer_is_compared_with_its_author() {
    if !has("ssh-keygen") {
        return skip("ssh-keygen");
    }
    let repo = repository();
    sign_by_ssh(&repo, "ada@example.com");
    repo.xtrack(&["record", "--name", "signed", "-p", "lr=0.3", "-a", "model.bin"]).ok();
    repo.xtrack(&["note", "signed", "good"]).ok();
    let (word, reasons, code) = verdict(&repo, &["signed", "--signed"], "mismatch");
    assert_eq!((word.as_str(), reasons.len(), code), ("verified", 0, 0));
    let (found, _) = verify(&repo, &["signed"]);
    assert_eq!(
        (&found["commits"][0]["signature"], &found["commits"][0]["signer"]),
        (&"good".into(), &"ada@example.com".into())
    );
    assert_eq!(found["commits"][0]["files"].as_array().unwrap().len(), 1);
    // Somebody else's key, for a commit that is said to be Ada's.
    let public = fs::read_to_string(repo.root().join("key.pub")).unwrap();
    fs::write(repo.root().join("allowed"), format!("eve@example.com {public}")).unwrap();
    let (word, reasons, code) = verdict(&repo, &["signed"], "mismatch");
    assert_eq!((word.as_str(), code), ("mismatch", 1));
    assert!(reasons[0].contains("is signed by eve@example.com"), "{reasons:?}");
    // A key that nobody here knows.
    fs::write(repo.root().join("allowed"), "").unwrap();
    let (word, reasons, code) = verdict(&repo, &["signed"], "unsigned");
    assert_eq!((word.as_str(), code, reasons.len()), ("unsigned", 0, 2), "{reasons:?}");
    assert_eq!(repo.xtrack(&["verify", "signed", "--signed"]).code, 1);
    // One edit that is not signed.
    fs::write(repo.root().join("allowed"), format!("ada@example.com {public}")).unwrap();
    repo.git(&["config", "commit.gpgSign", "false"]);
    repo.xtrack(&["tag", "signed", "late"]).ok();
    let (word, reasons, _) = verdict(&repo, &["signed"], "unsigned");
    assert_eq!((word.as_str(), reasons.len()), ("unsigned", 1));
}

#[test]
fn a_run_signed_by_gpg_is_verified() {
    if !has("gpg") {
        return skip("gpg");
    }
    let mut repo = repository();
    let home = repo.root().join("g");
    fs::create_dir_all(&home).unwrap();
    fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    repo.set("GNUPGHOME", home.to_str().unwrap());
    let mut gpg = repo.command("gpg");
    gpg.args([
        "--batch",
        "--quiet",
        "--passphrase",
        "",
        "--quick-generate-key",
        "Ada Test <ada@example.com>",
        "ed25519",
        "sign",
    ]);
    assert!(gpg.output().unwrap().status.success());
    repo.git(&["config", "commit.gpgSign", "true"]);
    repo.xtrack(&["record", "--name", "signed", "-p", "lr=0.3"]).ok();
    let (found, code) = verify(&repo, &["signed", "--signed"]);
    assert_eq!((text(&found["verdict"]), code), ("verified", 0), "{found:#}");
    // One byte of it is another.
    let name = ref_of(&id_of(&repo, "signed"));
    let commit =
        repo.git(&["cat-file", "commit", &name]).replace("Record", "Recorb").replace("record", "recorb");
    let forged = repo.git_stdin(&["hash-object", "-t", "commit", "-w", "--stdin"], &format!("{commit}\n"));
    let before = repo.git(&["rev-parse", &name]);
    assert_ne!(forged, before);
    repo.git(&["update-ref", &name, &forged]);
    let (word, reasons, code) = verdict(&repo, &["signed"], "mismatch");
    assert_eq!((word.as_str(), code), ("mismatch", 1));
    assert!(reasons[0].contains("its signature is of something else"), "{reasons:?}");
    let mut stop = repo.command("gpgconf");
    let _ = stop.args(["--kill", "all"]).status();
}

#[test]
fn an_edit_in_anothers_name_is_not_as_claimed() {
    let repo = Repo::new();
    make_runs(&repo, 0..2);
    // `edit_runs` commits as Ada.
    edit_runs(&repo, 0..1, "Ada <ada@example.com>", |edit| edit.note = Some("mine".into()));
    edit_runs(&repo, 1..2, "Bo <bo@example.com>", |edit| edit.note = Some("not mine".into()));
    assert_eq!(verdict(&repo, &[run_id(0).as_str()], "mismatch").0, "unsigned");
    let (word, reasons, code) = verdict(&repo, &[run_id(1).as_str()], "mismatch");
    assert_eq!((word.as_str(), code), ("mismatch", 1));
    assert_eq!(reasons.len(), 1);
    assert!(
        reasons[0].starts_with("it claims to be by Bo <bo@example.com>, and was brought by Ada"),
        "{reasons:?}"
    );
}

#[test]
fn honest_merges_need_no_signature_and_dishonest_ones_are_told() {
    let bare = Bare::new();
    let (ada, bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    make_runs(&ada, 0..1);
    ada.git(&["push", "-q", "origin", "refs/runs/*"]);
    bo.git(&["fetch", "-q", "origin", "refs/runs/*:refs/runs/*"]);
    let id = run_id(0).to_string();
    ada.xtrack(&["note", &id, "from Ada"]).ok();
    bo.xtrack(&["note", &id, "from Bo"]).ok();
    ada.xtrack(&["push"]).ok();
    bo.xtrack(&["pull"]).ok();
    let (found, code) = verify(&bo, &[&id]);
    assert_eq!((text(&found["verdict"]), code), ("unsigned", 0), "{found:#}");
    assert_eq!(found["commits"][0]["merge"], true);
    assert_eq!(found["reasons"].as_array().unwrap().len(), 3, "the merge is no reason: {found:#}");
    // The same commit with another tree.
    let name = ref_of(&id);
    let raw = bo.git(&["cat-file", "commit", &name]);
    let tree = bo.git(&["rev-parse", &format!("{name}~1^{{tree}}")]);
    let old = bo.git(&["rev-parse", &format!("{name}^{{tree}}")]);
    let forged =
        bo.git_stdin(&["hash-object", "-t", "commit", "-w", "--stdin"], &(raw.replace(&old, &tree) + "\n"));
    bo.git(&["update-ref", &name, &forged]);
    let (word, reasons, _) = verdict(&bo, &[&id], "mismatch");
    assert_eq!(word, "mismatch");
    assert!(reasons.iter().any(|reason| reason.contains("claims to join two others")), "{reasons:?}");
}

#[test]
fn artifacts_and_code_are_compared_with_what_is_named() {
    let repo = repository();
    repo.write("train.py", "print(2)\n");
    repo.write("plot.svg", "<svg/>");
    repo.xtrack(&["record", "--name", "dirty", "-a", "plot.svg", "-a", "model.bin"]).ok();
    let (found, _) = verify(&repo, &["dirty"]);
    assert_eq!(
        (&found["artifacts"], &found["code_states"], text(&found["verdict"])),
        (&2.into(), &1.into(), "unsigned")
    );
    let digest = xtrack::run::id::sha256(&vec![7; 200_000]);
    let stored = repo.path().join(".git/xtrack/objects").join(&digest[..2]).join(&digest);
    fs::remove_file(&stored).unwrap();
    let (word, reasons, code) = verdict(&repo, &["dirty"], "absent");
    assert_eq!((word.as_str(), reasons.len(), code), ("unsigned", 1, 0));
    fs::write(&stored, vec![8; 200_000]).unwrap();
    let (word, reasons, code) = verdict(&repo, &["dirty"], "mismatch");
    assert_eq!((word.as_str(), reasons.len(), code), ("mismatch", 1, 1));
    fs::remove_file(&stored).unwrap();
    // Facts that name another tree than their snapshot's.
    let name = ref_of(&id_of(&repo, "dirty"));
    let facts = repo.git(&["show", &format!("{name}:run.toml")]);
    let tree = facts.lines().find(|line| line.starts_with("tree = ")).unwrap().to_owned();
    let head = repo.git(&["rev-parse", "HEAD^{tree}"]);
    let forged = facts.replace(&tree, &format!("tree = \"{head}\"")) + "\n";
    let blob = repo.git_stdin(&["hash-object", "-w", "--stdin"], &forged);
    let listed = repo.git(&["ls-tree", &name]);
    let line = |line: &str| match line.ends_with("\trun.toml") {
        true => format!("100644 blob {blob}\trun.toml\n"),
        false => format!("{line}\n"),
    };
    let tree = repo.git_stdin(&["mktree"], &listed.lines().map(line).collect::<String>());
    let commit = repo.git(&["commit-tree", &tree, "-m", "x"]);
    repo.git(&["update-ref", &name, &commit]);
    let (word, reasons, _) = verdict(&repo, &["dirty"], "mismatch");
    assert_eq!(word, "mismatch");
    assert!(reasons[0].contains("the tree that it says ran is"), "{reasons:?}");
}

#[test]
fn a_damaged_run_is_said_to_be_and_one_in_progress_has_nothing_to_verify() {
    let repo = repository();
    let name = ref_of(&id_of(&repo, "small"));
    let tree = repo.git_stdin(&["mktree"], "");
    let commit = repo.git(&["commit-tree", &tree, "-m", "x"]);
    let id = id_of(&repo, "small");
    repo.git(&["update-ref", &name, &commit]);
    let (word, _, code) = verdict(&repo, &[&id], "damaged");
    assert_eq!((word.as_str(), code), ("damaged", 1));
    let owner = live::Sleeper::new();
    let folder = live::begin(&repo, &owner, &[]);
    let (word, _, code) = verdict(&repo, &[&live::id_of(&folder)], "absent");
    assert_eq!((word.as_str(), code), ("incomplete", 0));
    owner.kill();
}

#[test]
fn nothing_that_was_fetched_chooses_a_program() {
    let repo = repository();
    let canary = repo.root().join("canary");
    let script = repo.root().join("evil.sh");
    fs::write(&script, format!("#!/bin/sh\ntouch {}\nexit 1\n", canary.display())).unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    // What a repository may bring along: files of the work tree, and a signature of any kind.
    let evil = script.to_str().unwrap();
    repo.write("xtrack.toml", "[metric.loss]\ngoal = \"min\"\n");
    repo.write(".gitattributes", "* diff=evil\n");
    repo.write(".gitconfig", format!("[gpg]\n\tprogram = {evil}\n[gpg \"ssh\"]\n\tprogram = {evil}\n"));
    repo.write(".gnupg/gpg.conf", format!("photo-viewer {evil}\n"));
    repo.commit("hostile");
    let name = ref_of(&id_of(&repo, "small"));
    let raw = repo.git(&["cat-file", "commit", &name]);
    for armour in [
        "PGP SIGNATURE",
        "SSH SIGNATURE",
        "SIGNED MESSAGE",
        &format!("PGP SIGNATURE-----\n --program={evil}"),
    ] {
        let signature = format!("gpgsig -----BEGIN {armour}-----\n \n {evil}\n -----END {armour}-----\n");
        let forged = raw.replacen("\n\n", &format!("\n{signature}\n"), 1) + "\n";
        let commit =
            repo.git_stdin(&["hash-object", "-t", "commit", "-w", "--literally", "--stdin"], &forged);
        repo.git(&["update-ref", &name, &commit]);
        let output = repo.xtrack(&["verify", "small", "--signed"]);
        assert_eq!(output.code, 1, "{armour}: {output:?}");
        assert!(!canary.exists(), "{armour}");
    }
}
