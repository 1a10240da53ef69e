//! A Git LFS server that does as it is told: cuts connections, lies, is busy, sends us elsewhere.
//!
//! Each test says by a function what it does otherwise than it should.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// What came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// How many bytes were announced; fewer may have come.
    pub length: usize,
}

/// What goes back.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// After how many bytes of the body the connection is cut.
    pub cut: Option<usize>,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), cut: None }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// What the server keeps, and what it was asked.
#[derive(Default)]
pub struct State {
    pub objects: BTreeMap<String, Vec<u8>>,
    pub requests: Vec<Request>,
}

impl State {
    /// How often this was asked.
    pub fn count(&self, method: &str, prefix: &str) -> usize {
        let is_it = |request: &&Request| request.method == method && request.path.starts_with(prefix);
        self.requests.iter().filter(is_it).count()
    }
}

type Whim = Box<dyn Fn(&Request, &mut State, &str) -> Option<Reply> + Send + Sync>;

/// A server at a port of its own; it ends with the test.
pub struct Server {
    pub url: String,
    pub state: Arc<Mutex<State>>,
}

impl Server {
    /// One that does all as it should.
    pub fn good() -> Self {
        Self::with(|_, _, _| None)
    }

    /// One that does what the function says, where that says something.
    pub fn with(whim: impl Fn(&Request, &mut State, &str) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state: Arc<Mutex<State>> = Arc::default();
        let (whim, kept, own): (Arc<Whim>, _, _) =
            (Arc::new(Box::new(whim)), Arc::clone(&state), url.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (whim, state, url) = (Arc::clone(&whim), Arc::clone(&kept), own.clone());
                thread::spawn(move || serve(stream, &whim, &state, &url));
            }
        });
        Self { url, state }
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// How often this was asked.
    pub fn count(&self, method: &str, prefix: &str) -> usize {
        self.state.lock().unwrap().count(method, prefix)
    }
}

fn serve(stream: TcpStream, whim: &Whim, state: &Mutex<State>, url: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = read(&mut reader) {
        let reply = {
            let mut state = state.lock().unwrap();
            state.requests.push(request.clone());
            whim(&request, &mut state, url).unwrap_or_else(|| proper(&request, &mut state, url))
        };
        if !write(&stream, &request, &reply) {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = Vec::new();
    let _ = reader.take(length as u64).read_to_end(&mut body);
    Some(Request { method, path, headers, body, length })
}

fn write(mut stream: &TcpStream, request: &Request, reply: &Reply) -> bool {
    // Nothing is said at all.
    if reply.status == 0 {
        return false;
    }
    let mut head = format!("HTTP/1.1 {} X\r\n", reply.status);
    let has_length = reply.headers.iter().any(|(name, _)| name == "content-length");
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !has_length {
        head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
    }
    let end = reply.cut.unwrap_or(reply.body.len()).min(reply.body.len());
    let body = if request.method == "HEAD" { &[][..] } else { &reply.body[..end] };
    let is_written = stream.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| stream.write_all(body));
    is_written.is_ok() && reply.cut.is_none() && !has_length
}

/// What a good server answers.
pub fn proper(request: &Request, state: &mut State, url: &str) -> Reply {
    let name = request.path.rsplit('/').next().unwrap_or_default().to_owned();
    match request.method.as_str() {
        "POST" if request.path.ends_with("/objects/batch") => {
            Reply::new(200, batch(request, state, url, "").to_string())
        }
        "POST" => Reply::new(200, ""),
        "PUT" if request.body.len() < request.length => Reply::new(400, "cut"),
        "PUT" => {
            state.objects.insert(name, request.body.clone());
            Reply::new(200, "")
        }
        "GET" => match state.objects.get(&name) {
            None => Reply::new(404, ""),
            Some(bytes) => part(request, bytes),
        },
        _ => Reply::new(405, ""),
    }
}

/// The part of the bytes that a range asks for.
pub fn part(request: &Request, bytes: &[u8]) -> Reply {
    let range = request.headers.get("range").and_then(|range| range.strip_prefix("bytes="));
    match range.and_then(|range| range.split('-').next()?.parse::<usize>().ok()) {
        Some(first) if first < bytes.len() => {
            let range = format!("bytes {first}-{}/{}", bytes.len() - 1, bytes.len());
            Reply::new(206, &bytes[first..]).header("content-range", &range)
        }
        Some(_) => Reply::new(416, ""),
        None => Reply::new(200, bytes),
    }
}

/// The answer of the batch API; `mark` goes to the end of each address.
pub fn batch(request: &Request, state: &State, url: &str, mark: &str) -> Value {
    let asked: Value = serde_json::from_slice(&request.body).unwrap();
    let object = |asked_of: &Value| {
        let oid = asked_of["oid"].as_str().unwrap();
        let action = json!({ "href": format!("{url}/data/{oid}{mark}"), "header": { "X-Token": "one" } });
        let verify = json!({ "href": format!("{url}/verify") });
        match (asked["operation"].as_str().unwrap(), state.objects.contains_key(oid)) {
            ("upload", true) => json!({ "oid": oid, "size": asked_of["size"] }),
            ("upload", false) => {
                json!({ "oid": oid, "size": asked_of["size"], "actions": { "upload": action, "verify": verify } })
            }
            (_, true) => json!({ "oid": oid, "size": asked_of["size"], "actions": { "download": action } }),
            (_, false) => {
                json!({ "oid": oid, "size": asked_of["size"], "error": { "code": 404, "message": "gone" } })
            }
        }
    };
    json!({ "transfer": "basic", "objects": asked["objects"].as_array().unwrap().iter().map(object).collect::<Vec<_>>() })
}
