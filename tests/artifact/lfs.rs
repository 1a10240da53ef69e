//! A Git LFS server as the store: the batch API, credentials, ssh, and where the server is found.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use xtrack::run::id::sha256;

use crate::artifact::server::{Reply, Server, batch};
use crate::artifact::{bytes, forget, here, json as artifact, record, repository, set_store};
use crate::reliability::skip;
use crate::sharing::sshd::Sshd;
use crate::support::Repo;

/// A repository whose remote is a git server at this address.
fn with_remote(model: &[u8], address: &str) -> Repo {
    let repo = repository("a", model);
    repo.git(&["remote", "add", "origin", address]);
    set_store(&repo, "lfs");
    repo
}

#[test]
fn objects_go_to_the_server_of_the_remote_and_come_back() {
    let server = Server::good();
    let model = bytes(1, 300_000);
    let repo = with_remote(&model, &format!("{}/team/repo", server.url));
    let sent = repo.xtrack(&["artifact", "push"]).ok();
    assert!(sent.stderr.contains("sent 1 artifact (293.0 KiB)"), "{}", sent.stderr);
    assert_eq!(server.state.lock().unwrap().objects[&sha256(&model)], model);
    let requests = server.requests();
    assert_eq!(requests[0].path, "/team/repo.git/info/lfs/objects/batch");
    assert_eq!(requests[0].headers["accept"], "application/vnd.git-lfs+json");
    let put = requests.iter().find(|request| request.method == "PUT").unwrap();
    assert_eq!((put.headers["x-token"].as_str(), put.length), ("one", 300_000));
    assert_eq!(server.count("POST", "/verify"), 1);
    assert!(repo.xtrack(&["artifact", "push"]).ok().stderr.starts_with("nothing to do"));
    assert_eq!(server.count("PUT", "/"), 1);
    forget(&repo, &model);
    repo.xtrack(&["artifact", "pull", "a"]).ok();
    assert_eq!(fs::read(here(&repo, &model)).unwrap(), model);
    repo.xtrack(&["artifact", "verify", "--remote"]).ok();
}

#[test]
fn many_objects_are_asked_about_together() {
    let server = Server::good();
    let repo = with_remote(&bytes(0, 200_000), &format!("{}/r", server.url));
    for number in 1..4 {
        record(&repo, &format!("r{number}"), &bytes(number, 200_000));
    }
    repo.xtrack(&["artifact", "push"]).ok();
    // One question for all, and one look at each afterwards.
    assert_eq!(server.count("POST", "/r.git"), 5);
    assert_eq!(server.state.lock().unwrap().objects.len(), 4);
}

#[test]
fn gits_helpers_let_us_in_and_hear_how_it_went() {
    let server = Server::with(|request, _, _| {
        let is_known =
            request.headers.get("authorization").is_some_and(|said| said == "Basic YWRhOnMzY3JldA==");
        let is_asked = request.path.contains("/info/lfs/");
        (is_asked && !is_known).then(|| Reply::new(401, r#"{"message": "log in"}"#))
    });
    let model = bytes(1, 200_000);
    let repo = with_remote(&model, &format!("{}/r", server.url));
    let output = repo.xtrack(&["artifact", "push"]);
    assert_eq!(output.code, 1);
    assert!(
        output.stderr.contains("401") && output.stderr.contains("credential helper"),
        "{}",
        output.stderr
    );
    let log = repo.root().join("helper.log");
    let helper = format!(
        "!f() {{ echo \"$1\" >> {log}; cat >> {log}; test \"$1\" = get && echo username=ada && echo password=s3cret; }}; f",
        log = log.display()
    );
    repo.git(&["config", "credential.helper", &helper]);
    repo.xtrack(&["artifact", "push"]).ok();
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("get\n") && said.contains("store\n") && said.contains("password=s3cret"), "{said}");
    // A wrong one is forgotten.
    let wrong = format!(
        "!f() {{ echo \"$1\" >> {log}; cat >> /dev/null; echo username=ada; echo password=no; }}; f",
        log = log.display()
    );
    repo.git(&["config", "credential.helper", &wrong]);
    forget(&repo, &model);
    assert_eq!(repo.xtrack(&["artifact", "pull", "a"]).code, 1);
    assert!(fs::read_to_string(&log).unwrap().contains("erase\n"));
    // What CI servers set instead.
    repo.git(&["config", "--unset", "credential.helper"]);
    repo.git(&[
        "config",
        &format!("http.{}/.extraHeader", server.url),
        "Authorization: Basic YWRhOnMzY3JldA==",
    ]);
    repo.xtrack(&["artifact", "pull", "a"]).ok();
}

#[test]
fn ssh_remotes_say_where_their_server_is() {
    let server = Server::with(|request, _, _| {
        let is_known = request.headers.get("authorization").is_some_and(|said| said == "RemoteAuth token");
        (request.path.contains("/lfs/") && !is_known).then(|| Reply::new(401, ""))
    });
    let model = bytes(1, 200_000);
    let mut repo = with_remote(&model, "git@host.example:team/repo.git");
    let script = repo.root().join("ssh");
    let log = repo.root().join("ssh.log");
    let answer = json!({ "href": format!("{}/lfs", server.url), "header": { "Authorization": "RemoteAuth token" }, "expires_in": 600 });
    fs::write(&script, format!("#!/bin/sh\necho \"$@\" >> {}\necho '{answer}'\n", log.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    repo.set("GIT_SSH_COMMAND", &format!("{} -o Some=Option", script.display()));
    repo.xtrack(&["artifact", "push"]).ok();
    let said = fs::read_to_string(&log).unwrap();
    assert!(
        said.contains("-o Some=Option git@host.example git-lfs-authenticate team/repo.git upload"),
        "{said}"
    );
    assert!(said.contains("git-lfs-authenticate team/repo.git download"), "{said}");
    assert_eq!(said.lines().count(), 2, "each is asked once: {said}");
    // One that does not know the command has its server where one guesses; one that refuses is believed.
    fs::write(&script, "#!/bin/sh\necho 'no such user' >&2\nexit 1\n").unwrap();
    let output = repo.xtrack(&["artifact", "ls", "--remote"]);
    assert!(output.stderr.contains("no such user"), "{}", output.stderr);
}

#[test]
fn a_real_ssh_server_is_asked_as_git_lfs_asks_it() {
    let server = Server::with(|request, _, _| {
        let is_known = request.headers.get("authorization").is_some_and(|said| said == "RemoteAuth token");
        (request.path.contains("/lfs/") && !is_known).then(|| Reply::new(401, ""))
    });
    let model = bytes(1, 200_000);
    let mut repo = repository("a", &model);
    // What stands on the servers of forges.
    let programs = repo.root().join("programs");
    fs::create_dir(&programs).unwrap();
    let log = repo.root().join("ssh.log");
    let answer = json!({ "href": format!("{}/lfs", server.url), "header": { "Authorization": "RemoteAuth token" }, "expires_in": 600 });
    let script = format!("#!/bin/sh\necho \"$#|$1|$2\" >> {}\necho '{answer}'\n", log.display());
    let program = programs.join("git-lfs-authenticate");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let Some(sshd) = Sshd::start(&repo, &path) else { return skip("sshd") };
    repo.set("GIT_SSH_COMMAND", &sshd.command);
    repo.git(&["remote", "add", "origin", &format!("ssh://{}/team/a 'b' $(id).git", sshd.host)]);
    set_store(&repo, "lfs");
    repo.xtrack(&["artifact", "push"]).ok();
    forget(&repo, &model);
    repo.xtrack(&["artifact", "pull", "a"]).ok();
    assert_eq!(fs::read(here(&repo, &model)).unwrap(), model);
    let said = fs::read_to_string(&log).unwrap();
    // The path is one word there, whatever it holds.
    assert!(
        said.lines().all(|line| line.starts_with("2|") && line.contains("|/team/a 'b' $(id).git|")),
        "{said}"
    );
    assert!(said.contains("|upload\n") && said.contains("|download\n"), "{said}");
    // One that does not know the command, and has its LFS server where one guesses: there is none.
    fs::remove_file(&program).unwrap();
    repo.git(&["config", "xtrack.store.patience", "0.2s"]);
    let output = repo.xtrack(&["artifact", "ls", "--remote"]);
    assert!(output.code == 1 && !output.stderr.contains("over ssh"), "{}", output.stderr);
}

#[test]
fn gits_settings_say_where_the_server_is() {
    let (server, other) = (Server::good(), Server::good());
    let model = bytes(1, 200_000);
    let repo = with_remote(&model, "https://host.invalid/repo.git");
    repo.git(&["config", "remote.origin.lfsurl", &format!("{}/mine", server.url)]);
    repo.xtrack(&["artifact", "push"]).ok();
    assert_eq!(server.count("POST", "/mine/objects/batch"), 2);
    repo.git(&["config", "lfs.url", &format!("{}/all", other.url)]);
    repo.xtrack(&["artifact", "push"]).ok();
    assert_eq!(other.count("POST", "/all/objects/batch"), 2);
    set_store(&repo, &format!("lfs+{}/direct", server.url));
    repo.xtrack(&["artifact", "ls", "--remote"]).ok();
    assert_eq!(server.count("POST", "/direct/objects/batch"), 1);
}

#[test]
fn nothing_secret_goes_to_another_host_and_nobody_is_sent_where_he_should_not_go() {
    let thief = Server::good();
    let theirs = thief.url.clone();
    let server = Server::with(move |request, state, url| match request.method.as_str() {
        "POST" if request.path.contains("redirect") => {
            Some(Reply::new(307, "").header("location", &format!("{theirs}/r.git/info/lfs/objects/batch")))
        }
        "POST" if request.path.contains("metadata") => {
            let mut answer = batch(request, state, url, "");
            answer["objects"][0]["actions"]["upload"]["href"] = "http://169.254.169.254/latest/".into();
            Some(Reply::new(200, answer.to_string()))
        }
        "POST" if request.path.contains("file") => {
            let mut answer = batch(request, state, url, "");
            answer["objects"][0]["actions"]["upload"]["href"] = "file:///etc/passwd".into();
            Some(Reply::new(200, answer.to_string()))
        }
        "POST" if request.path.contains("inject") => {
            let mut answer = batch(request, state, url, "");
            answer["objects"][0]["actions"]["upload"]["header"] = json!({ "X": "a\r\nHost: evil" });
            Some(Reply::new(200, answer.to_string()))
        }
        "POST" if request.path.contains("loop") => {
            Some(Reply::new(307, "").header("location", &request.path))
        }
        _ => None,
    });
    let model = bytes(1, 200_000);
    let repo = with_remote(&model, "https://host.invalid/repo.git");
    let address = server.url.replace("http://", "http://ada:s3cret@");
    for (path, said) in [
        ("metadata", "inside of a network of ours"),
        ("file", "no web address"),
        ("inject", "cannot be sent"),
        ("loop", "more than 5 times"),
    ] {
        repo.git(&["config", "lfs.url", &format!("{address}/{path}")]);
        let output = repo.xtrack(&["artifact", "push"]);
        assert!(output.code == 1 && output.stderr.contains(said), "{path}: {}", output.stderr);
        assert!(!output.stderr.contains("s3cret"), "{}", output.stderr);
    }
    repo.git(&["config", "lfs.url", &format!("{address}/redirect")]);
    repo.git(&["config", &format!("http.{}/.extraHeader", server.url), "X-Secret: token"]);
    repo.xtrack(&["artifact", "push"]);
    assert!(thief.requests().iter().all(|request| {
        !request.headers.contains_key("authorization") && !request.headers.contains_key("x-secret")
    }));
    assert!(!thief.requests().is_empty());
    let listed = artifact(&repo, &["ls"]);
    assert!(!listed.to_string().contains("s3cret"));
}
