//! Buckets of an S3 server (moto): small files by one PUT, large ones in parts, broken ones gone on with.

use std::fs;
use std::process::{Command, Stdio};

use crate::artifact::real::{Running, python, start};
use crate::artifact::{bytes, forget, here, json as artifact, repository, set_store};
use crate::support::Repo;
use crate::support::repo::run;

/// A server with an empty bucket, and a repository whose store it is.
fn bucket(model: &[u8]) -> Option<(Running, Repo)> {
    let python = python("moto")?;
    let program = python.with_file_name("moto_server");
    let server = start("moto", |port| {
        let mut command = Command::new(&program);
        command.args(["-p", &port.to_string()]).current_dir(std::env::temp_dir());
        command
    })?;
    let mut repo = repository("a", model);
    for (name, value) in
        [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_REGION", "us-east-1")]
    {
        repo.set(name, value);
    }
    repo.git(&["config", "xtrack.store.endpoint", &server.url]);
    set_store(&repo, "s3://bucket/team/x");
    ask(&repo, &python, &server, "s3.create_bucket(Bucket='bucket')");
    Some((server, repo))
}

/// What Python prints of the bucket, by the provider's own library.
fn ask(repo: &Repo, python: &std::path::Path, server: &Running, expression: &str) -> String {
    let script = format!(
        "import boto3\ns3 = boto3.client('s3', endpoint_url='{}', aws_access_key_id='key', \
         aws_secret_access_key='secret', region_name='us-east-1')\nprint({expression})",
        server.url
    );
    run(repo.command(python.to_str().unwrap()).args(["-c", &script])).ok().stdout
}

#[test]
fn small_and_large_files_go_to_a_bucket_and_come_back() {
    // Of more than two parts, and of less than one.
    let model = bytes(1, 20 << 20);
    let Some((server, repo)) = bucket(&model) else {
        return;
    };
    let small = bytes(2, 200_000);
    crate::artifact::record(&repo, "b", &small);
    repo.xtrack(&["artifact", "push"]).ok();
    let python = python("moto").unwrap();
    let listed = ask(
        &repo,
        &python,
        &server,
        "[(o['Key'], o['Size']) for o in s3.list_objects_v2(Bucket='bucket')['Contents']]",
    );
    for bytes in [&model, &small] {
        let sha256 = xtrack::run::id::sha256(bytes);
        assert!(
            listed.contains(&format!("('team/x/{}/{sha256}', {})", &sha256[..2], bytes.len())),
            "{listed}"
        );
    }
    assert!(repo.xtrack(&["artifact", "push"]).ok().stderr.starts_with("nothing to do: 2 artifacts"));
    repo.xtrack(&["artifact", "verify", "--remote"]).ok();
    for bytes in [&model, &small] {
        forget(&repo, bytes);
    }
    repo.xtrack(&["artifact", "pull", "--all"]).ok();
    assert_eq!(fs::read(here(&repo, &model)).unwrap(), model);
    assert_eq!(fs::read(here(&repo, &small)).unwrap(), small);
    // Wrong keys, wrong buckets: told, and without the secret.
    set_store(&repo, "s3://nowhere/x");
    let output = repo.xtrack(&["artifact", "push"]);
    assert!(output.code == 1 && !output.stderr.contains("secret"), "{}", output.stderr);
}

/// What the bucket has: whole objects, and uploads that are not complete.
fn content_of(repo: &Repo, python: &std::path::Path, server: &Running) -> (String, String) {
    let whole = ask(repo, python, server, "s3.list_objects_v2(Bucket='bucket').get('KeyCount')");
    let begun =
        ask(repo, python, server, "len(s3.list_multipart_uploads(Bucket='bucket').get('Uploads', []))");
    (whole.trim().to_owned(), begun.trim().to_owned())
}

#[test]
fn a_push_that_is_killed_shows_nothing_and_the_next_goes_on() {
    let model = bytes(3, 64 << 20);
    let Some((server, repo)) = bucket(&model) else {
        return;
    };
    let python = python("moto").unwrap();
    let folder = repo.path().join(".git/xtrack/objects/tmp");
    let log = || {
        let files = fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut logs = files.filter(|file| file.file_name().to_string_lossy().starts_with("upload-"));
        logs.next().and_then(|file| fs::read_to_string(file.path()).ok()).unwrap_or_default()
    };
    let mut push = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
    let mut push = push.args(["artifact", "push"]).stderr(Stdio::null()).spawn().unwrap();
    while log().lines().count() < 3 && push.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    push.kill().unwrap();
    push.wait().unwrap();
    assert_eq!(content_of(&repo, &python, &server), ("0".into(), "1".into()), "nothing is there yet");
    let went = log();
    assert!(went.lines().count() >= 3, "{went}");
    assert_eq!(artifact(&repo, &["ls", "--remote"])[0]["store"], false);
    repo.xtrack(&["artifact", "push"]).ok();
    // It went on with the upload that was begun: none is left.
    assert_eq!(content_of(&repo, &python, &server), ("1".into(), "0".into()));
    assert_eq!(log(), "");
    repo.xtrack(&["artifact", "verify", "--remote"]).ok();
    // Of a file that was damaged when its first parts went nothing is used once it is whole again.
    let key = xtrack::run::id::sha256(&model);
    ask(
        &repo,
        &python,
        &server,
        &format!("s3.delete_object(Bucket='bucket', Key='team/x/{}/{key}')", &key[..2]),
    );
    fs::remove_file(here(&repo, &model)).unwrap();
    let mut wrong = model.clone();
    wrong[..4].fill(0);
    fs::write(here(&repo, &model), wrong).unwrap();
    let output = repo.xtrack(&["artifact", "push"]);
    assert!(output.code == 1 && output.stderr.contains("damaged here"), "{}", output.stderr);
    fs::write(here(&repo, &model), &model).unwrap();
    repo.xtrack(&["artifact", "push"]).ok();
    repo.xtrack(&["artifact", "verify", "--remote"]).ok();
}

#[test]
fn two_pushes_at_once_send_a_file_once() {
    let model = bytes(4, 32 << 20);
    let Some((server, repo)) = bucket(&model) else {
        return;
    };
    let python = python("moto").unwrap();
    let start = || {
        let mut push = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
        push.args(["artifact", "push"]).stderr(Stdio::piped()).spawn().unwrap()
    };
    let pushes = [start(), start(), start()];
    for push in pushes {
        let output = push.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(content_of(&repo, &python, &server), ("1".into(), "0".into()));
    repo.xtrack(&["artifact", "verify", "--remote"]).ok();
}
