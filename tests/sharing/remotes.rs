//! Every way to reach a remote: over ssh, over http with a password, by a daemon, in a folder.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::sharing::sshd::Sshd;
use crate::sharing::{Bare, SSH, clone_of, edit_runs, has, make_runs, set_executable, skip, tips, tips_at};
use crate::support::Repo;

/// Pushes to the address and pulls from it elsewhere.
#[track_caller]
fn assert_shares(ada: &Repo, bo: &Repo, bare: &Bare, address: &str) {
    make_runs(ada, 0..30);
    for repo in [ada, bo] {
        repo.git(&["remote", "set-url", "origin", address]);
    }
    ada.xtrack(&["push"]).ok();
    bo.xtrack(&["pull"]).ok();
    edit_runs(bo, 0..2, "Bo", |edit| edit.note = Some("x".into()));
    bo.xtrack(&["push"]).ok();
    ada.xtrack(&["fetch"]).ok();
    ada.xtrack(&["merge", "origin"]).ok();
    assert_eq!(tips(ada), tips(bo));
    assert_eq!(tips(ada), tips_at(ada, bare.path()));
}

#[test]
fn over_ssh() {
    let bare = Bare::new();
    let (mut ada, mut bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    for repo in [&mut ada, &mut bo] {
        let script = repo.root().join("ssh");
        fs::write(&script, SSH).unwrap();
        set_executable(script.to_str().unwrap());
        repo.set("GIT_SSH_COMMAND", script.to_str().unwrap());
    }
    let address = format!("ada@host:{}", bare.path());
    assert_shares(&ada, &bo, &bare, &address);
    // Without a name, too.
    assert_eq!(ada.xtrack(&["push", &address]).ok().stderr, format!("'{address}' has all of it already\n"));
}

#[test]
fn in_a_folder_whose_name_needs_quoting() {
    let bare = Bare::new();
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("a \"b\" ; $(id):c");
    fs::rename(bare.path(), &odd).unwrap();
    let repo = clone_of(&bare, "Ada");
    make_runs(&repo, 0..2);
    repo.xtrack(&["push", odd.to_str().unwrap()]).ok();
    assert_eq!(tips(&repo), tips_at(&repo, odd.to_str().unwrap()));
}

/// A server of git over http that wants a password.
const SERVER: &str = r#"
import base64, http.server, os, subprocess, sys
root = sys.argv[1]
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    def log_message(self, *arguments): pass
    def do(self):
        wanted = "Basic " + base64.b64encode(b"ada:secret").decode()
        if self.headers.get("Authorization") != wanted:
            self.send_response(401); self.send_header("WWW-Authenticate", 'Basic realm="x"'); self.end_headers(); return
        path, _, query = self.path.partition("?")
        body = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size); self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        env = dict(os.environ, GIT_PROJECT_ROOT=root, GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path, QUERY_STRING=query,
            REQUEST_METHOD=self.command, CONTENT_TYPE=self.headers.get("Content-Type", ""), CONTENT_LENGTH=str(len(body)),
            REMOTE_USER="ada", REMOTE_ADDR="127.0.0.1", HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
            GIT_PROTOCOL=self.headers.get("Git-Protocol", ""))
        answer = subprocess.run(["git", "http-backend"], input=body, env=env, stdout=subprocess.PIPE).stdout
        head, _, rest = answer.partition(b"\r\n\r\n")
        status, headers = 200, []
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            if name == "Status": status = int(value.split()[0])
            else: headers.append((name, value))
        self.send_response(status)
        for name, value in headers: self.send_header(name, value)
        self.end_headers(); self.wfile.write(rest)
    do_GET = do_POST = do
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

/// A server that ends with the test.
pub(super) struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn over_http_with_a_password_from_a_helper_of_git() {
    if !has("python3") {
        return skip("python3");
    }
    let bare = Bare::new();
    let (ada, bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    let (root, name) = bare.path().rsplit_once('/').unwrap();
    let mut command = ada.command("python3");
    let mut child = command.args(["-c", SERVER, root]).stdout(Stdio::piped()).spawn().unwrap();
    let mut port = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let _server = Server(child);
    let address = format!("http://127.0.0.1:{}/{name}", port.trim());
    make_runs(&ada, 100..101);
    ada.git(&["remote", "set-url", "origin", &address]);
    let output = ada.xtrack(&["push"]);
    assert_eq!(output.code, 1, "nobody knows the password");
    assert!(output.stderr.contains("cannot push to 'origin'"), "{}", output.stderr);
    for repo in [&ada, &bo] {
        repo.git(&["config", "credential.helper", "!f() { echo username=ada; echo password=secret; }; f"]);
    }
    assert_shares(&ada, &bo, &bare, &address);
    // A password in an address is not shown.
    let told =
        ada.xtrack(&["push", &format!("http://ada:secret@127.0.0.1:{}/{name}", port.trim())]).ok().stderr;
    assert!(told.contains("has all of it already") && !told.contains("secret"), "{told}");
}

impl Server {
    /// Starts it, and waits until it listens; none if it does not.
    pub(super) fn start(command: &mut Command, port: u16) -> Option<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let mut server = Self(child);
        for _ in 0..400 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(server);
            }
            if server.0.try_wait().is_ok_and(|ended| ended.is_some()) {
                return None;
            }
            thread::sleep(Duration::from_millis(25));
        }
        None
    }
}

/// A port that nobody listens on.
pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Where a program is that may be no program of everyone's.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let found = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&found).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// A program of git's own.
fn git_program(repo: &Repo, name: &str) -> PathBuf {
    Path::new(&repo.git(&["--exec-path"])).join(name)
}

#[test]
fn by_the_daemon_of_git() {
    let bare = Bare::new();
    let (ada, bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    let port = free_port();
    let mut daemon = ada.command(git_program(&ada, "git-daemon").to_str().unwrap());
    daemon.args(["--export-all", "--enable=receive-pack", "--reuseaddr", "--listen=127.0.0.1"]);
    daemon.args([&format!("--port={port}"), bare.path()]);
    let Some(_server) = Server::start(&mut daemon, port) else { return skip("git daemon") };
    assert_shares(&ada, &bo, &bare, &format!("git://127.0.0.1:{port}{}", bare.path()));
}

/// `git http-backend` behind a web server that asks for a password.
const LIGHTTPD: &str = r#"
server.document-root = "@root"
server.bind = "127.0.0.1"
server.port = @port
server.modules = ("mod_auth", "mod_authn_file", "mod_setenv", "mod_alias", "mod_cgi")
auth.backend = "plain"
auth.backend.plain.userfile = "@root/passwords"
auth.require = ("/git" => ("method" => "basic", "realm" => "git", "require" => "valid-user"))
alias.url = ("/git" => "@backend")
setenv.add-environment = ("GIT_PROJECT_ROOT" => "@root", "GIT_HTTP_EXPORT_ALL" => "1")
$HTTP["url"] =~ "^/git" { cgi.assign = ("" => "") }
"#;

#[test]
fn by_a_web_server() {
    let Some(lighttpd) = program("lighttpd") else { return skip("lighttpd") };
    let bare = Bare::new();
    let (ada, bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    let (root, name) = bare.path().rsplit_once('/').unwrap();
    let port = free_port();
    let backend = git_program(&ada, "git-http-backend");
    let config = LIGHTTPD.replace("@root", root).replace("@port", &port.to_string());
    fs::write(format!("{root}/config"), config.replace("@backend", backend.to_str().unwrap())).unwrap();
    fs::write(format!("{root}/passwords"), "ada:secret\n").unwrap();
    let mut command = ada.command(lighttpd.to_str().unwrap());
    let Some(_server) = Server::start(command.args(["-D", "-f", &format!("{root}/config")]), port) else {
        return skip("lighttpd");
    };
    let address = format!("http://127.0.0.1:{port}/git/{name}");
    make_runs(&ada, 100..101);
    let refused = ada.xtrack(&["push", &address]);
    assert_eq!(refused.code, 1, "nobody knows the password: {}", refused.stderr);
    for repo in [&ada, &bo] {
        repo.git(&["config", "credential.helper", "!f() { echo username=ada; echo password=secret; }; f"]);
    }
    assert_shares(&ada, &bo, &bare, &address);
}

#[test]
fn by_an_ssh_server() {
    let bare = Bare::new();
    let (mut ada, mut bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    let Some(sshd) = Sshd::start(&ada, &std::env::var("PATH").unwrap()) else { return skip("sshd") };
    ada.set("GIT_SSH_COMMAND", &sshd.command);
    bo.set("GIT_SSH_COMMAND", &sshd.command);
    assert_shares(&ada, &bo, &bare, &format!("ssh://{}{}", sshd.host, bare.path()));
}

#[test]
fn an_address_that_means_ill_is_not_followed() {
    let repo = Repo::new();
    make_runs(&repo, 0..1);
    let canary = repo.root().join("canary");
    let touch = format!("touch {}", canary.display());
    for address in [
        format!("ext::sh -c {touch}"),
        format!("ext::sh -c '{touch}'"),
        format!("ssh://-oProxyCommand={touch}/x"),
        format!("-oProxyCommand={touch}@host:x/y"),
        format!("--upload-pack={touch}"),
        "http://127.0.0.1:1%0a127.0.0.2/x.git".to_owned(),
        "http://127.0.0.1:1/%0d%0aHost:x/x.git\nhost=evil".to_owned(),
    ] {
        for command in ["pull", "push"] {
            let output = repo.xtrack(&[command, "--", &address]);
            assert_ne!(output.code, 0, "{command} {address}");
            assert!(!canary.exists(), "{command} {address}");
        }
    }
}

#[test]
fn a_remote_that_is_not_there_is_told_in_a_sentence() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    make_runs(&repo, 0..1);
    repo.git(&["remote", "set-url", "origin", "/nowhere/at/all.git"]);
    for command in ["push", "pull", "fetch"] {
        let output = repo.xtrack(&[command]);
        assert_eq!(output.code, 1);
        assert!(output.stderr.starts_with("error: cannot "), "{}", output.stderr);
        assert!(output.stderr.contains("does not appear to be a git repository"), "{}", output.stderr);
    }
}
