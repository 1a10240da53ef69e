//! Stores and lines that fail: cut connections, wrong bytes, busy servers, lies about sizes, addresses that run out.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::artifact::server::{Reply, Server, batch, part};
use crate::artifact::{bytes, forget, here, repository, set_store};
use crate::support::Repo;

fn at(server: &Server, model: &[u8]) -> Repo {
    let repo = repository("a", model);
    set_store(&repo, &format!("lfs+{}/x", server.url));
    // Tried again soon: a pause is a part of that.
    repo.git(&["config", "xtrack.store.patience", "5s"]);
    repo
}

/// Sends with a good server, then forgets what is here.
fn sent(server: &Server, model: &[u8]) -> Repo {
    let repo = at(server, model);
    repo.xtrack(&["artifact", "push"]).ok();
    forget(&repo, model);
    repo
}

/// Calls so far, with this one.
fn nth(counter: &AtomicUsize) -> usize {
    counter.fetch_add(1, Ordering::Relaxed) + 1
}

#[test]
fn a_transfer_goes_on_where_it_broke() {
    let gets = AtomicUsize::new(0);
    let server = Server::with(move |request, state, _| {
        let bytes =
            state.objects.get(request.path.rsplit('/').next()?).filter(|_| request.method == "GET")?;
        let mut reply = part(request, bytes);
        if nth(&gets) <= 3 {
            reply.cut = Some(100_000);
        }
        Some(reply)
    });
    let model = bytes(1, 1_000_000);
    let repo = sent(&server, &model);
    repo.xtrack(&["artifact", "pull", "a"]).ok();
    assert_eq!(fs::read(here(&repo, &model)).unwrap(), model);
    let ranges: Vec<String> =
        server.requests().iter().filter_map(|request| request.headers.get("range").cloned()).collect();
    assert_eq!(ranges.len(), 3, "{ranges:?}");
    assert_ne!(ranges[0], "bytes=0-");
}

#[test]
fn what_arrived_is_kept_for_the_next_command() {
    let down = std::sync::Arc::new(AtomicUsize::new(1));
    let is_down = std::sync::Arc::clone(&down);
    let server = Server::with(move |request, state, _| {
        let bytes =
            state.objects.get(request.path.rsplit('/').next()?).filter(|_| request.method == "GET")?;
        match (is_down.load(Ordering::Relaxed), request.headers.contains_key("range")) {
            (1, true) => Some(Reply::new(200, "").header("content-length", "x")),
            (1, false) => Some(Reply { cut: Some(400_000), ..part(request, bytes) }),
            _ => None,
        }
    });
    let model = bytes(1, 1_000_000);
    let repo = sent(&server, &model);
    let output = repo.xtrack(&["artifact", "pull", "a"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("tried 5 times"), "{}", output.stderr);
    let parts = || fs::read_dir(repo.path().join(".git/xtrack/objects/tmp")).unwrap().flatten().count();
    assert_eq!(parts(), 1);
    down.store(0, Ordering::Relaxed);
    let before = server.requests().len();
    repo.xtrack(&["artifact", "pull", "a"]).ok();
    let asked =
        server.requests()[before..].iter().find_map(|request| request.headers.get("range").cloned()).unwrap();
    let first: usize = asked.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
    assert!(first >= 300_000, "{asked}");
    assert_eq!((fs::read(here(&repo, &model)).unwrap() == model, parts()), (true, 0));
}

#[test]
fn wrong_bytes_and_wrong_sizes_are_never_kept() {
    type Lie = fn(Vec<u8>) -> Vec<u8>;
    let lies: [Lie; 4] = [
        |bytes| bytes.iter().map(|byte| !byte).collect(),
        |bytes| [bytes, vec![0; 50_000]].concat(),
        |bytes| bytes[..bytes.len() / 2].to_vec(),
        |_| Vec::new(),
    ];
    for lie in lies {
        let server = Server::with(move |request, state, _| {
            let bytes =
                state.objects.get(request.path.rsplit('/').next()?).filter(|_| request.method == "GET")?;
            let mut request = request.clone();
            request.headers.remove("range");
            Some(part(&request, &lie(bytes.clone())))
        });
        let model = bytes(1, 300_000);
        let repo = sent(&server, &model);
        let output = repo.xtrack(&["artifact", "get", "a", "model.bin", "--to", "out"]);
        assert_eq!(output.code, 1, "{}", output.stderr);
        assert!(!here(&repo, &model).exists() && !repo.path().join("out/model.bin").exists());
        assert_eq!(repo.xtrack(&["artifact", "verify", "a", "--remote"]).code, 1);
        assert!(server.requests().len() < 40);
    }
}

#[test]
fn busy_servers_are_waited_for_as_long_as_they_ask() {
    for status in [429, 503] {
        let (posts, puts) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let server = Server::with(move |request, _, _| {
            let is_busy = match request.method.as_str() {
                "POST" => nth(&posts) == 1,
                "PUT" => nth(&puts) == 1,
                _ => false,
            };
            is_busy.then(|| Reply::new(status, "busy").header("retry-after", "1"))
        });
        let repo = at(&server, &bytes(1, 200_000));
        let since = std::time::Instant::now();
        repo.xtrack(&["artifact", "push"]).ok();
        assert!(since.elapsed().as_secs() >= 2, "{status}: it asked for a second, twice");
        assert_eq!(server.count("PUT", "/"), 2);
    }
}

#[test]
fn refusals_are_told_and_not_tried_again() {
    for (status, said) in [(403, "you may not write there"), (404, "lfs.url"), (422, "no such thing")] {
        let server = Server::with(move |request, _, _| {
            (request.method == "POST").then(|| Reply::new(status, r#"{"message": "no such thing"}"#))
        });
        let repo = at(&server, &bytes(1, 200_000));
        let output = repo.xtrack(&["artifact", "push"]);
        assert_eq!((output.code, server.requests().len()), (1, 1), "{}", output.stderr);
        assert!(output.stderr.contains(said), "{}", output.stderr);
    }
}

#[test]
fn addresses_that_ran_out_are_asked_for_anew() {
    let batches = AtomicUsize::new(0);
    let server = Server::with(move |request, state, url| match request.method.as_str() {
        "POST" if request.path.ends_with("batch") => {
            let mark = format!("?n={}", nth(&batches));
            let mut answer = batch(request, state, url, "");
            for action in ["upload", "download"] {
                let action = &mut answer["objects"][0]["actions"][action];
                if let Some(href) = action["href"].as_str().map(str::to_owned) {
                    action["href"] = href.replace("/data/", &format!("/data{mark}/")).into();
                    action["expires_in"] = 3600.into();
                }
            }
            Some(Reply::new(200, answer.to_string()))
        }
        // Only the second address is good, whatever the first one said.
        "PUT" if request.path.contains("n=1/") => Some(Reply::new(403, "expired")),
        _ => None,
    });
    let model = bytes(1, 200_000);
    let repo = at(&server, &model);
    repo.xtrack(&["artifact", "push"]).ok();
    assert_eq!(server.count("PUT", "/data?n=2/"), 1);
}

#[test]
fn a_connection_that_is_cut_while_sending_is_tried_again() {
    let puts = AtomicUsize::new(0);
    let server = Server::with(move |request, _, _| {
        let is_first = request.method == "PUT" && nth(&puts) == 1;
        is_first.then(|| Reply::new(0, ""))
    });
    let model = bytes(1, 2_000_000);
    let repo = at(&server, &model);
    repo.xtrack(&["artifact", "push"]).ok();
    assert_eq!(server.state.lock().unwrap().objects.values().next(), Some(&model));
}

#[test]
fn a_store_that_takes_and_does_not_keep_is_found_out() {
    let server = Server::with(|request, _, _| (request.method == "PUT").then(|| Reply::new(200, "")));
    let repo = at(&server, &bytes(1, 200_000));
    let output = repo.xtrack(&["artifact", "push"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stderr.contains("does not have it"), "{}", output.stderr);
}
