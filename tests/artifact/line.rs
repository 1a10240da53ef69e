//! How servers are reached: certificates and proxies as git's settings say, lines that stand still.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::artifact::server::Server;
use crate::artifact::web::dav;
use crate::artifact::{bytes, forget, here, repository, set_store};
use crate::reliability::skip;
use crate::support::Repo;

/// A web server that is encrypted, with a certificate that only it vouches for.
const SERVER: &str = r#"
import http.server, ssl, sys
kept = {}
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *arguments): pass
    def answer(self, status, body=b"", length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
    def do_OPTIONS(self): self.answer(200)
    def do_PUT(self):
        kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(201)
    def do_HEAD(self): self.answer(200, length=len(kept[self.path])) if self.path in kept else self.answer(404)
    def do_GET(self): self.answer(200, kept[self.path]) if self.path in kept else self.answer(404)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server and its address, with its certificate in `certificate.pem` beside the repository.
fn encrypted(repo: &Repo) -> Option<(Running, String)> {
    let at = |name: &str| repo.root().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (at("certificate.pem"), at("key.pem"));
    let mut openssl = repo.command("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    openssl.args([
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ]);
    openssl.args(["-keyout", &key, "-out", &certificate]).stderr(Stdio::null());
    if !openssl.status().is_ok_and(|status| status.success()) {
        skip("openssl");
        return None;
    }
    let mut python = repo.command("python3");
    python.args(["-c", SERVER, &certificate, &key]).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut child) = python.spawn() else {
        skip("python3");
        return None;
    };
    let mut port = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
    Some((Running(child), format!("https://localhost:{}", port.trim())))
}

#[test]
fn whom_to_believe_is_as_gits_settings_say() {
    let model = bytes(1, 300_000);
    let mut repo = repository("a", &model);
    let Some((_server, url)) = encrypted(&repo) else { return };
    set_store(&repo, &format!("{url}/x"));
    let certificate = repo.root().join("certificate.pem").to_str().unwrap().to_owned();
    let refused = |repo: &Repo| {
        let output = repo.xtrack(&["artifact", "ls", "--remote"]);
        assert!(output.code == 1 && output.stderr.contains("certificate"), "{}", output.stderr);
        assert!(output.stderr.contains("sslCAInfo"), "{}", output.stderr);
    };
    refused(&repo);
    // For another server it says nothing here.
    repo.git(&["config", "http.https://other.example/.sslCAInfo", &certificate]);
    refused(&repo);
    repo.git(&["config", &format!("http.{url}/.sslCAInfo"), &certificate]);
    repo.xtrack(&["artifact", "push"]).ok();
    forget(&repo, &model);
    repo.xtrack(&["artifact", "pull", "a"]).ok();
    assert_eq!(fs::read(here(&repo, &model)).unwrap(), model);
    repo.git(&["config", "--unset", &format!("http.{url}/.sslCAInfo")]);
    refused(&repo);
    repo.git(&["config", "http.sslVerify", "false"]);
    repo.xtrack(&["artifact", "ls", "--remote"]).ok();
    repo.git(&["config", "--unset", "http.sslVerify"]);
    repo.set("GIT_SSL_CAINFO", &certificate);
    repo.xtrack(&["artifact", "ls", "--remote"]).ok();
    repo.set("GIT_SSL_CAINFO", "/nowhere");
    let output = repo.xtrack(&["artifact", "ls", "--remote"]);
    assert!(output.stderr.contains("cannot read '/nowhere'"), "{}", output.stderr);
}

#[test]
fn proxies_are_those_of_gits_settings_and_of_the_environment() {
    // It is asked for other servers, by their whole addresses.
    let proxy = Server::with(|request, state, _| {
        let mut request = request.clone();
        request.path = request.path.strip_prefix("http://store.invalid").unwrap_or("/direct").to_owned();
        Some(dav(&request, state, false))
    });
    let model = bytes(1, 300_000);
    let mut repo = repository("a", &model);
    set_store(&repo, "http://store.invalid/x");
    repo.git(&["config", "http.proxy", proxy.url.trim_start_matches("http://")]);
    repo.xtrack(&["artifact", "push"]).ok();
    assert_eq!(proxy.count("PUT", "http://store.invalid/x/"), 2);
    forget(&repo, &model);
    // What holds for that server counts more.
    repo.git(&["config", "http.http://store.invalid/.proxy", "http://127.0.0.1:1"]);
    repo.git(&["config", "xtrack.store.patience", "0.2s"]);
    assert_eq!(repo.xtrack(&["artifact", "pull", "a"]).code, 1);
    repo.git(&["config", "--unset", "http.http://store.invalid/.proxy"]);
    repo.git(&["config", "--unset", "http.proxy"]);
    repo.set("http_proxy", &proxy.url);
    repo.git(&["config", "--unset", "xtrack.store.patience"]);
    repo.xtrack(&["artifact", "pull", "a"]).ok();
    // Servers that no proxy is asked for.
    let direct = Server::with(|request, state, _| Some(dav(request, state, false)));
    let before = proxy.requests().len();
    set_store(&repo, &format!("{}/x", direct.url));
    repo.set("no_proxy", "127.0.0.1");
    repo.xtrack(&["artifact", "push"]).ok();
    repo.git(&["config", "http.proxy", &proxy.url]);
    repo.xtrack(&["artifact", "ls", "--remote"]).ok();
    repo.set("no_proxy", "elsewhere.example");
    repo.git(&["config", "http.proxy", ""]);
    repo.xtrack(&["artifact", "ls", "--remote"]).ok();
    assert_eq!(proxy.requests().len(), before);
    assert_eq!(direct.state.lock().unwrap().objects.values().filter(|kept| **kept == model).count(), 1);
}

/// A line to a server; the first connection stands still for ever once so many bytes went one way.
fn stalling(server: &Server, is_up: bool, bytes: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let target = server.url.trim_start_matches("http://").to_owned();
    let count = Arc::new(AtomicUsize::new(0));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let limit = if count.fetch_add(1, Ordering::Relaxed) == 0 { bytes } else { usize::MAX };
            let server = TcpStream::connect(&target).unwrap();
            let (up, down) = if is_up { (limit, usize::MAX) } else { (usize::MAX, limit) };
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || relay(from, to, up));
            thread::spawn(move || relay(server, client, down));
        }
    });
    format!("http://{address}")
}

fn relay(mut from: TcpStream, mut to: TcpStream, limit: usize) {
    let mut buffer = [0; 16 << 10];
    let mut through = 0;
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        through += read;
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
        if through > limit {
            // Longer than the test; the connection stays open.
            thread::sleep(Duration::from_secs(600));
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[test]
fn a_line_that_stands_still_is_given_up() {
    // More than the system keeps of what goes.
    let model = bytes(1, 24 << 20);
    let repo = repository("a", &model);
    repo.git(&["config", "xtrack.store.patience", "1s"]);
    let known: Arc<Mutex<String>> = Arc::default();
    let told = Arc::clone(&known);
    // Its addresses are those of the line.
    let server = Server::with(move |request, state, _| {
        let url = told.lock().unwrap().clone();
        Some(crate::artifact::server::proper(request, state, &url))
    });
    let through = |line: String| {
        known.lock().unwrap().clone_from(&line);
        set_store(&repo, &format!("lfs+{line}/x"));
    };
    let since = Instant::now();
    through(stalling(&server, true, 1 << 20));
    repo.xtrack(&["artifact", "push"]).ok();
    assert_eq!(server.state.lock().unwrap().objects.values().next(), Some(&model));
    forget(&repo, &model);
    through(stalling(&server, false, 1 << 20));
    repo.xtrack(&["artifact", "pull", "a"]).ok();
    assert_eq!(fs::read(here(&repo, &model)).unwrap(), model);
    assert!(
        since.elapsed() < Duration::from_secs(300),
        "nobody waits until the other side thinks better of it"
    );
}
