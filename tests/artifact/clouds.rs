//! Buckets of other providers: Azure by its emulator Azurite, Google's by a stand-in, since no emulator has the XML API
//! that is spoken.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use crate::artifact::real::{Running, start};
use crate::artifact::server::{Reply, Request, Server, State};
use crate::artifact::{bytes, forget, here, record, repository, set_store};
use crate::frameworks::say;
use crate::support::Repo;
use crate::support::repo::run;

/// A file of several parts and one of one go to the store, and come back.
#[track_caller]
fn assert_keeps(repo: &Repo, model: &[u8]) {
    let small = bytes(2, 200_000);
    record(repo, "b", &small);
    repo.xtrack(&["artifact", "push"]).ok();
    assert!(repo.xtrack(&["artifact", "push"]).ok().stderr.starts_with("nothing to do: 2 artifacts"));
    repo.xtrack(&["artifact", "verify", "--remote"]).ok();
    forget(repo, model);
    forget(repo, &small);
    repo.xtrack(&["artifact", "pull", "--all"]).ok();
    assert_eq!(fs::read(here(repo, model)).unwrap(), model);
    assert_eq!(fs::read(here(repo, &small)).unwrap(), small);
}

/// Azurite, from the registry of npm once; where it is not asked for, or there is no npm, it is said aloud.
fn azurite() -> Option<PathBuf> {
    const VERSION: &str = "azurite@3.35.0";
    let target = Path::new(env!("CARGO_BIN_EXE_git-xtrack")).parent().unwrap().parent().unwrap();
    let folder = target.join(VERSION.replace('@', "-"));
    let program = folder.join("node_modules/.bin/azurite-blob");
    let lock = File::create(target.join("azurite.lock")).unwrap();
    lock.lock().unwrap();
    if !folder.join("complete").exists() {
        if std::env::var_os("XTRACK_SERVERS").is_none() {
            say("skipped: Azurite: XTRACK_SERVERS=1 installs it, and runs it");
            return None;
        }
        say(&format!("installing {VERSION} into {}", folder.display()));
        fs::create_dir_all(&folder).unwrap();
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", VERSION]).current_dir(&folder);
        if !npm.stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
            say("skipped: Azurite: npm does not install it");
            return None;
        }
        File::create(folder.join("complete")).unwrap();
    }
    Some(program)
}

/// A container of that name, asked for as Azure wants it signed.
const CONTAINER: &str = r#"
import base64, email.utils, hashlib, hmac, sys, urllib.request
date = email.utils.formatdate(usegmt=True)
headers = f"x-ms-date:{date}\nx-ms-version:2021-08-06\n"
said = "PUT" + "\n" * 12 + headers + "/team/team/bucket\nrestype:container"
sign = base64.b64encode(hmac.new(b"secret", said.encode(), hashlib.sha256).digest()).decode()
request = urllib.request.Request(sys.argv[1] + "/team/bucket?restype=container", method="PUT", headers={
    "x-ms-date": date, "x-ms-version": "2021-08-06", "Authorization": f"SharedKey team:{sign}", "Content-Length": "0"})
urllib.request.urlopen(request)
"#;

#[test]
fn files_go_to_azure_and_come_back() {
    let Some(program) = azurite() else { return };
    let model = bytes(1, 20 << 20);
    let mut repo = repository("a", &model);
    let folder = repo.root().join("azurite");
    let server: Option<Running> = start("azurite", |port| {
        let mut command = Command::new(&program);
        command.args([
            "--silent",
            "--disableTelemetry",
            "--skipApiVersionCheck",
            "--blobPort",
            &port.to_string(),
        ]);
        command.arg("--location").arg(&folder).env("AZURITE_ACCOUNTS", "team:c2VjcmV0");
        command
    });
    let Some(server) = server else { return };
    run(repo.command("python3").args(["-c", CONTAINER, &server.url])).ok();
    repo.set("AZURE_STORAGE_ACCOUNT_NAME", "team");
    repo.set("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0");
    repo.git(&["config", "xtrack.store.endpoint", &format!("{}/team", server.url)]);
    set_store(&repo, "az://bucket/x");
    assert_keeps(&repo, &model);
}

/// What Google's XML API answers.
fn google(request: &Request, state: &mut State, parts: &Mutex<BTreeMap<usize, Vec<u8>>>) -> Reply {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let number = query.split('&').find_map(|pair| pair.strip_prefix("partNumber=")?.parse().ok());
    let done = |body: &str| Reply::new(200, body).header("etag", "\"x\"");
    match (request.method.as_str(), number) {
        ("POST", _) if query.starts_with("uploads") => {
            done("<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
        }
        ("POST", _) => {
            let whole =
                std::mem::take(&mut *parts.lock().unwrap()).into_values().collect::<Vec<_>>().concat();
            state.objects.insert(path.to_owned(), whole);
            done("<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")
        }
        ("PUT", Some(number)) => {
            parts.lock().unwrap().insert(number, request.body.clone());
            done("")
        }
        ("PUT", None) => {
            state.objects.insert(path.to_owned(), request.body.clone());
            done("")
        }
        _ => match state.objects.get(path) {
            Some(bytes) => range(request, bytes),
            None => Reply::new(404, ""),
        },
    }
}

fn range(request: &Request, bytes: &[u8]) -> Reply {
    let told =
        |reply: Reply| reply.header("etag", "\"x\"").header("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT");
    let wanted = request.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let Some((first, last)) = wanted else { return told(Reply::new(200, bytes)) };
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    let range = format!("bytes {first}-{last}/{}", bytes.len());
    told(Reply::new(206, &bytes[first..=last]).header("content-range", &range))
}

#[test]
fn files_go_to_google_and_come_back() {
    let parts = Mutex::default();
    let server = Server::with(move |request, state, _| Some(google(request, state, &parts)));
    let model = bytes(1, 20 << 20);
    let mut repo = repository("a", &model);
    let account = repo.root().join("account.json");
    let text = r#"{ "private_key": "k", "private_key_id": "i", "client_email": "a@example.org", "disable_oauth": true }"#;
    fs::write(&account, text).unwrap();
    repo.set("GOOGLE_SERVICE_ACCOUNT", account.to_str().unwrap());
    repo.git(&["config", "xtrack.store.endpoint", &server.url]);
    set_store(&repo, "gs://bucket/x");
    assert_keeps(&repo, &model);
    assert_eq!(server.state.lock().unwrap().objects.len(), 2);
}
