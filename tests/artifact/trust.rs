//! Stores that the repository's own files name: not a byte before somebody in this clone said yes.

use crate::artifact::server::Server;
use crate::artifact::{bytes, repository};
use crate::support::Repo;

fn proposed(settings: &str) -> Repo {
    let repo = repository("a", &bytes(1, 200_000));
    repo.write("xtrack.toml", settings);
    repo
}

const CALLS: &[&[&str]] =
    &[&["push"], &["pull", "--all"], &["ls", "--remote"], &["verify", "--remote"], &["prune", "--yes"]];

#[test]
fn a_server_that_the_code_names_hears_nothing_unasked() {
    let server = Server::good();
    let repo = proposed(&format!("[store]\nurl = \"lfs+{}/x\"\n", server.url));
    for call in CALLS {
        let output = repo.xtrack(&[&["artifact"], *call].concat());
        assert_eq!(output.code, 1, "{call:?}: {}", output.stderr);
        assert!(output.stderr.contains("is not trusted in this clone"), "{call:?}: {}", output.stderr);
        assert!(output.stderr.contains("hint: `git xtrack artifact trust`"), "{}", output.stderr);
    }
    repo.git(&["init", "-q", "--bare", repo.root().join("bare.git").to_str().unwrap()]);
    repo.git(&["remote", "add", "origin", repo.root().join("bare.git").to_str().unwrap()]);
    let output = repo.xtrack(&["push"]);
    assert!(output.code == 1 && output.stderr.contains("is not trusted"), "{}", output.stderr);
    assert_eq!(server.requests().len(), 0);
    let said = repo.xtrack(&["artifact", "trust"]).ok().stderr;
    assert!(said.contains(&server.url), "{said}");
    repo.xtrack(&["artifact", "push"]).ok();
    repo.xtrack(&["push"]).ok();
    assert!(server.count("PUT", "/") == 1);
    // Another one is another question.
    repo.write("xtrack.toml", format!("[store]\nurl = \"lfs+{}/other\"\n", server.url));
    let before = server.requests().len();
    assert_eq!(repo.xtrack(&["artifact", "push"]).code, 1);
    assert_eq!(server.requests().len(), before);
}

#[test]
fn folders_and_buckets_that_the_code_names_ask_too() {
    let outside = proposed("[store]\nurl = \"../store\"\n");
    std::fs::create_dir(outside.root().join("store")).unwrap();
    assert_eq!(outside.xtrack(&["artifact", "push"]).code, 1);
    assert_eq!(std::fs::read_dir(outside.root().join("store")).unwrap().count(), 0);
    outside.xtrack(&["artifact", "trust"]).ok();
    outside.xtrack(&["artifact", "push"]).ok();
    // An endpoint makes another bucket of it, whoever named the bucket.
    let server = Server::good();
    let mut bucket = proposed(&format!("[store]\nendpoint = \"{}\"\n", server.url));
    bucket.git(&["config", "xtrack.store.url", "s3://bucket/x"]);
    bucket.set("AWS_ACCESS_KEY_ID", "key");
    bucket.set("AWS_SECRET_ACCESS_KEY", "secret");
    let output = bucket.xtrack(&["artifact", "push"]);
    assert!(output.stderr.contains("is not trusted"), "{}", output.stderr);
    assert_eq!(server.requests().len(), 0);
    bucket.write("xtrack.toml", "[store]\nregion = \"eu-central-1\"\n");
    let output = bucket.xtrack(&["artifact", "push"]);
    assert!(output.stderr.contains("is not trusted"), "{}", output.stderr);
    for (settings, said) in [
        ("[store]\nurl = \"s3://key:secret@bucket\"\n", "which everybody would see"),
        // It would stand in the middle of a host's name.
        ("[store]\nregion = \"x@127.0.0.1:1/#\"\n", "should be a region"),
        ("[store]\ntrusted = [\"../store\"]\n", "only git's config can say that"),
    ] {
        bucket.write("xtrack.toml", settings);
        let output = bucket.xtrack(&["artifact", "ls"]);
        assert!(output.code == 2 && output.stderr.contains(said), "{}", output.stderr);
    }
}

#[test]
fn the_remotes_own_host_needs_no_leave_and_lfsconfig_does() {
    let (server, other) = (Server::good(), Server::good());
    let repo = proposed("[store]\nurl = \"lfs\"\n");
    repo.git(&["remote", "add", "origin", &format!("{}/r", server.url)]);
    repo.xtrack(&["artifact", "push"]).ok();
    assert_eq!(server.count("PUT", "/"), 1);
    // What came with the code sends us elsewhere.
    let elsewhere = other.url.replace("127.0.0.1", "localhost");
    repo.write(".lfsconfig", format!("[lfs]\n\turl = {elsewhere}/x\n"));
    let output = repo.xtrack(&["artifact", "push"]);
    assert!(output.code == 1 && output.stderr.contains("is not trusted"), "{}", output.stderr);
    assert_eq!(other.requests().len(), 0);
    // What the user's own settings say counts more.
    repo.git(&["config", "lfs.url", &format!("{}/mine", server.url)]);
    repo.xtrack(&["artifact", "push"]).ok();
    assert_eq!((other.requests().len(), server.count("POST", "/mine")), (0, 1));
}
