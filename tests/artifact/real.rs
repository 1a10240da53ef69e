//! Servers that others wrote: started on a free port, asked until they answer, ended with the test.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::frameworks::{Group, say};
use crate::reliability::skip;

/// The libraries that the servers are.
const SERVERS: Group = Group {
    requirements: "../artifact/requirements.txt",
    variables: &["XTRACK_SERVERS", "XTRACK_FRAMEWORKS"],
    is_quick: true,
};

/// A server that runs until this goes.
pub struct Running {
    child: Child,
    /// Where it listens.
    pub url: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Python that has the servers; where there is none it is said aloud.
pub fn python(what: &str) -> Option<PathBuf> {
    match SERVERS.python() {
        Ok(python) => Some(python),
        Err(reason) => {
            say(&format!("skipped: {what}: {reason}"));
            None
        }
    }
}

/// Starts a server, whose command is given the port.
pub fn start(what: &str, command: impl Fn(u16) -> Command) -> Option<Running> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child =
        command(port).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let running = Running { child, url: format!("http://127.0.0.1:{port}") };
    let since = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if since.elapsed() > Duration::from_secs(60) {
            skip(what);
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(running)
}

mod giftless {
    //! An LFS server, and git's own client beside ours.

    use std::fs;
    use std::process::Command;

    use xtrack::run::id::sha256;

    use super::{Running, python, start};
    use crate::artifact::{bytes, forget, here, repository, set_store};
    use crate::reliability::skip;
    use crate::support::Repo;

    fn server(repo: &Repo) -> Option<Running> {
        let python = python("giftless")?;
        let config = repo.root().join("giftless.yaml");
        let text = format!(
            "AUTH_PROVIDERS:\n  - giftless.auth.allow_anon:read_write\nTRANSFER_ADAPTERS:\n  basic:\n    factory: \
             giftless.transfer.basic_streaming:factory\n    options:\n      storage_class: \
             giftless.storage.local_storage:LocalStorage\n      storage_options:\n        path: {}\n",
            repo.root().join("lfs").display()
        );
        fs::write(&config, text).unwrap();
        start("giftless", |port| {
            let mut command = Command::new(&python);
            command.args([
                "-m",
                "flask",
                "--app",
                "giftless.wsgi_entrypoint",
                "run",
                "--port",
                &port.to_string(),
            ]);
            command.env("GIFTLESS_CONFIG_FILE", &config).current_dir(repo.root());
            command
        })
    }

    #[test]
    fn objects_go_to_giftless_and_gits_own_client_reads_them() {
        let model = bytes(1, 3_000_000);
        let repo = repository("a", &model);
        let Some(server) = server(&repo) else {
            return;
        };
        repo.git(&["remote", "add", "origin", &format!("{}/team/repo.git", server.url)]);
        repo.git(&["config", "remote.origin.lfsurl", &format!("{}/team/repo", server.url)]);
        set_store(&repo, "lfs");
        repo.xtrack(&["artifact", "push"]).ok();
        forget(&repo, &model);
        repo.xtrack(&["artifact", "pull", "a"]).ok();
        assert_eq!(fs::read(here(&repo, &model)).unwrap(), model);
        repo.xtrack(&["artifact", "verify", "--remote"]).ok();
        if Command::new("git-lfs").arg("version").output().is_err() {
            return skip("git-lfs");
        }
        // A file of git-lfs with the same bytes: its client finds what ours sent.
        let other = Repo::new();
        other.git(&["config", "lfs.url", &format!("{}/team/repo", server.url)]);
        other.git(&["lfs", "install", "--local"]);
        other.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
        let pointer = format!(
            "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n",
            sha256(&model),
            model.len()
        );
        let blob = other.git_stdin(&["hash-object", "-w", "--stdin"], &pointer);
        other.git(&["add", ".gitattributes"]);
        other.git(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},copy.bin")]);
        other.git(&["commit", "-q", "-m", "a pointer"]);
        other.git(&["remote", "add", "origin", &format!("{}/team/repo.git", server.url)]);
        other.git(&["checkout", "-q", "-f", "HEAD", "--", "copy.bin"]);
        assert_eq!(fs::read(other.path().join("copy.bin")).unwrap(), model);
        // And the other way round: what git-lfs sent is not sent again.
        let second = bytes(2, 500_000);
        other.write("second.bin", &second);
        other.commit("second");
        other.git(&["lfs", "push", "origin", "main"]);
        crate::artifact::record(&repo, "b", &second);
        let said = repo.xtrack(&["artifact", "push", "b"]).ok().stderr;
        assert!(said.starts_with("nothing to do: 1 artifact"), "{said}");
    }
}
