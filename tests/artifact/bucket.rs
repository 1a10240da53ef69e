//! Buckets of an S3 server (moto): small files by one PUT, large ones in parts, broken ones gone on with.

use std::fs;
use std::process::Command;

use crate::artifact::real::{Running, python, start};
use crate::artifact::{bytes, forget, here, repository, set_store};
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
