//! Asking web servers: redirects, credentials, busy servers and broken connections, the same for every store that is one.
//!
//! Credentials go to the origin that was named and to no other. What fails for the moment is marked `Passing`.

mod failure;

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::blocking::{Body, Client, RequestBuilder, Response};
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION, RANGE};
use reqwest::{Method, StatusCode, Url};

use crate::artifact::connection;
use crate::artifact::content::{Content, Sending, Tally};
use crate::artifact::guard::Guard;
use crate::artifact::http::failure::{refusal, silent, unreached};
use crate::artifact::pace::{Pace, Paced, longest};
use crate::artifact::stores::{self, Credentials, Passing};
use crate::error::Problem;

pub use crate::artifact::http::failure::Refusal;

/// How many redirects are followed.
const REDIRECTS_MAX: usize = 5;
/// How fast a server is at least, that looks at what it was sent before it answers.
const BYTES_PER_SECOND_LOOKED_AT: u64 = 8 << 20;
/// How often it is looked whether a file that is sent moves.
const TICK: Duration = Duration::from_millis(200);

/// A client of one server, and of others that it names.
pub struct Http {
    /// One for each origin: other settings of git's may hold there.
    clients: Mutex<HashMap<String, Client>>,
    guard: Arc<Guard>,
    credentials: Arc<dyn Credentials>,
    /// Who asks, if the address said so.
    user: String,
    logins: Mutex<HashMap<String, (String, String)>>,
    extra: HeaderMap,
    /// How long it may take until somebody answers, or says more.
    patience: Duration,
}

/// What is asked.
#[derive(Clone)]
pub struct Ask<'a> {
    /// How.
    pub method: Method,
    /// Where.
    pub url: Url,
    /// Headers that are meant for that origin.
    pub headers: HeaderMap,
    /// What is sent along.
    pub payload: Payload<'a>,
}

/// What is sent along.
#[derive(Clone, Copy)]
pub enum Payload<'a> {
    /// Nothing.
    None,
    /// A few bytes.
    Bytes(&'a [u8]),
    /// A file, with who is told how much of it is through.
    File(&'a Content, &'a Path, &'a Tally),
}

impl<'a> Ask<'a> {
    /// A question without more.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), payload: Payload::None }
    }

    /// The same with a header.
    pub fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// The same with something sent along.
    pub fn with(self, payload: Payload<'a>) -> Self {
        Self { payload, ..self }
    }
}

impl Http {
    /// A client of the server at this address, which the user or git named.
    pub fn new(mut base: Url, credentials: Arc<dyn Credentials>, patience: Duration) -> Result<Self> {
        let user = base.username().to_owned();
        let known = base.password().map(|password| (decoded(&user), decoded(password)));
        let logins = known.map(|login| (base.origin().ascii_serialization(), login)).into_iter().collect();
        // Only addresses without a host refuse that.
        let _ = base.set_username("");
        let _ = base.set_password(None);
        let mut extra = HeaderMap::new();
        if let Some(line) =
            credentials.settings(base.as_str()).get("extraheader").filter(|line| !line.is_empty())
        {
            let (name, value) = header(line.split_once(':').unwrap_or((line, "")))?;
            extra.append(name, value);
        }
        let guard = Arc::new(Guard::new(base));
        let (clients, logins) = (Mutex::default(), Mutex::new(logins));
        Ok(Self { clients, guard, credentials, user, logins, extra, patience })
    }

    /// What connects to the origin of an address.
    fn client(&self, url: &Url) -> Result<Client> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = url.origin().ascii_serialization();
        if let Some(client) = clients.get(&origin) {
            return Ok(client.clone());
        }
        // Of the server itself the address that was named counts, not that of one of its files.
        let url = if self.guard.is_same_origin(url) { self.base() } else { url };
        let client = connection::client(url, &self.guard, self.credentials.as_ref(), self.patience)?;
        clients.insert(origin, client.clone());
        Ok(client)
    }

    /// The address of the server.
    pub fn base(&self) -> &Url {
        self.guard.base()
    }

    /// An address that the server named, if it is one to go to.
    pub fn named(&self, address: &str) -> Result<Url> {
        let url = self
            .base()
            .join(address)
            .map_err(|_| anyhow!("the server names {address:?}, which is no address"))?;
        self.guard.check(&url)?;
        Ok(url)
    }

    /// Asks; what is no success is a [`Refusal`].
    pub fn ask(&self, ask: &Ask<'_>) -> Result<Response> {
        let response = self.ask_for_any(ask)?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(response, self.patience))
    }

    /// Asks, and reads an answer that should not be long.
    pub fn ask_shortly(&self, ask: &Ask<'_>, size_max: u64) -> Result<Vec<u8>> {
        let mut said = Vec::new();
        let response = Paced::new(self.ask(ask)?, self.patience);
        match response.take(size_max).read_to_end(&mut said) {
            Ok(_) => Ok(said),
            Err(error) => Err(anyhow!(error).context("the answer broke off").context(Passing::default())),
        }
    }

    /// Asks for bytes from an offset on; a server that does not part what it has begins at the first.
    pub fn get(&self, ask: Ask<'_>, offset: u64) -> Result<stores::Body> {
        let mut ask = ask.header(ACCEPT_ENCODING, "identity");
        if offset > 0 {
            ask.headers.insert(RANGE, HeaderValue::from_str(&format!("bytes={offset}-"))?);
        }
        let response = match self.ask(&ask) {
            // It has less than that.
            Err(error) if error.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.status == 416) => {
                ask.headers.remove(RANGE);
                self.ask(&ask)?
            }
            answer => answer?,
        };
        let range = response.headers().get("content-range").and_then(|range| range.to_str().ok());
        let first =
            range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok());
        let offset =
            if response.status() == StatusCode::PARTIAL_CONTENT { first.unwrap_or(offset) } else { 0 };
        Ok(stores::Body { offset, reader: Box::new(Paced::new(response, self.patience)) })
    }

    /// Asks, following redirects and logging in.
    fn ask_for_any(&self, ask: &Ask<'_>) -> Result<Response> {
        let mut ask = ask.clone();
        for _ in 0..=REDIRECTS_MAX {
            let response = self.ask_logged_in(&ask)?;
            let Some(next) = redirected(&response) else {
                return Ok(response);
            };
            let next = ask
                .url
                .join(&next)
                .map_err(|_| anyhow!("the server sends us to {next:?}, which is no address"))?;
            self.guard.check(&next)?;
            if next.origin() != ask.url.origin() {
                ask.headers.remove(AUTHORIZATION);
                ask.headers.retain_plain();
            }
            if response.status() == StatusCode::SEE_OTHER {
                (ask.method, ask.payload) = (Method::GET, Payload::None);
            }
            ask.url = next;
        }
        Err(Problem::new(format!("the server sends us on more than {REDIRECTS_MAX} times")).into())
    }

    fn ask_logged_in(&self, ask: &Ask<'_>) -> Result<Response> {
        let is_ours = self.guard.is_same_origin(&ask.url) && !ask.headers.contains_key(AUTHORIZATION);
        if !is_ours || self.extra.contains_key(AUTHORIZATION) {
            return self.ask_once(ask, None);
        }
        let origin = ask.url.origin().ascii_serialization();
        let known = self.logins.lock().unwrap_or_else(PoisonError::into_inner).get(&origin).cloned();
        let response = self.ask_once(ask, known.as_ref())?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        drop(response);
        let mut address = ask.url.clone();
        let _ = address.set_username(&self.user);
        let address = address.as_str();
        let Some(login) = self.log_in(&origin, address, known)? else {
            return self.ask_once(ask, None);
        };
        let response = self.ask_once(ask, Some(&login))?;
        let is_good = response.status() != StatusCode::UNAUTHORIZED;
        self.credentials.judge(address, &login, is_good);
        if !is_good {
            self.logins.lock().unwrap_or_else(PoisonError::into_inner).remove(&origin);
        }
        Ok(response)
    }

    /// A login that was not refused yet. One thread asks for it, and the user is asked once.
    fn log_in(
        &self,
        origin: &str,
        address: &str,
        refused: Option<(String, String)>,
    ) -> Result<Option<(String, String)>> {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(refused) = refused.filter(|refused| logins.get(origin) == Some(refused)) {
            self.credentials.judge(address, &refused, false);
            logins.remove(origin);
        }
        if let Some(login) = logins.get(origin) {
            return Ok(Some(login.clone()));
        }
        let login = self.credentials.fill(address)?;
        if let Some(login) = &login {
            logins.insert(origin.to_owned(), login.clone());
        }
        Ok(login)
    }

    fn ask_once(&self, ask: &Ask<'_>, login: Option<&(String, String)>) -> Result<Response> {
        let mut headers = ask.headers.clone();
        if self.guard.is_same_origin(&ask.url) {
            // What the server asked for itself counts more.
            for (name, value) in &self.extra {
                headers.entry(name).or_insert(value.clone());
            }
        }
        if let Some((user, password)) = login {
            let mut value =
                HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let request = self.client(&ask.url)?.request(ask.method.clone(), ask.url.clone()).headers(headers);
        match ask.payload {
            Payload::None => request.send().map_err(unreached),
            Payload::Bytes(bytes) => request.body(bytes.to_vec()).send().map_err(unreached),
            Payload::File(content, file, tally) => self.send_file(request, content, file, tally),
        }
    }

    /// Sends a file, for as long as it moves.
    fn send_file(
        &self,
        request: RequestBuilder,
        content: &Content,
        file: &Path,
        tally: &Tally,
    ) -> Result<Response> {
        let (sent, is_over) = (Tally::default(), Arc::new(AtomicBool::new(false)));
        let sending = Sending::open(file, content, [tally.clone(), sent.clone()])?;
        let body = Body::sized(Until { inner: sending, is_over: Arc::clone(&is_over) }, content.size);
        let request = request.body(body).timeout(longest(content.size, self.patience));
        // Who sends cannot look: it waits for the other side to take more.
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            // Nobody listens any more to what was given up.
            let _ = sender.send(request.send());
        });
        let outcome = self.watch(&receiver, content.size, &sent);
        is_over.store(true, Ordering::Relaxed);
        if !outcome.as_ref().is_ok_and(|response| response.status().is_success()) {
            tally.take_back(sent.get());
        }
        outcome
    }

    /// Waits for the answer while a file goes, and then for as long as a server may need to look at it.
    fn watch(
        &self,
        receiver: &mpsc::Receiver<reqwest::Result<Response>>,
        size: u64,
        sent: &Tally,
    ) -> Result<Response> {
        let mut pace = Pace::new(self.patience);
        let mut gone: Option<Instant> = None;
        let patience = self.patience * 5 + Duration::from_secs(size / BYTES_PER_SECOND_LOOKED_AT);
        loop {
            match receiver.recv_timeout(TICK) {
                Ok(outcome) => return outcome.map_err(unreached),
                Err(RecvTimeoutError::Disconnected) => return Err(silent()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let is_stalled = match sent.get() >= size {
                true => gone.get_or_insert_with(Instant::now).elapsed() > patience,
                false => pace.is_stalled(sent.get()),
            };
            if is_stalled {
                return Err(silent());
            }
        }
    }
}

/// Bytes that go until nobody wants them to any more.
struct Until<R> {
    inner: R,
    is_over: Arc<AtomicBool>,
}

impl<R: Read> Read for Until<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.is_over.load(Ordering::Relaxed) {
            true => Err(io::Error::other("it was given up")),
            false => self.inner.read(buffer),
        }
    }
}

/// A part of an address, its escapes resolved.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits =
            after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Headers of which nothing is known to be a secret.
trait Plain {
    fn retain_plain(&mut self);
}

impl Plain for HeaderMap {
    fn retain_plain(&mut self) {
        const PLAIN: &[&str] = &["accept", "accept-encoding", "content-type", "range", "content-length"];
        let secret: Vec<HeaderName> =
            self.keys().filter(|name| !PLAIN.contains(&name.as_str())).cloned().collect();
        for name in secret {
            self.remove(name);
        }
    }
}

/// A header that somebody named, if it is one that may be set.
pub fn header((name, value): (&str, &str)) -> Result<(HeaderName, HeaderValue)> {
    const OURS: &[&str] =
        &["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"];
    let odd = || anyhow!("the header {name:?} cannot be sent");
    let parsed = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| odd())?;
    if OURS.contains(&parsed.as_str()) {
        return Err(odd());
    }
    let mut value = HeaderValue::from_str(value.trim()).map_err(|_| odd())?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

/// Where the answer sends us, if it does.
fn redirected(response: &Response) -> Option<String> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(LOCATION).filter(|_| is_redirect)?;
    Some(location.to_str().ok()?.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_others_say_no_more_than_they_should() {
        assert!(header(("Authorization", "Basic x")).is_ok());
        for (name, value) in
            [("Host", "x"), ("Content-Length", "1"), ("X\r\nY", "x"), ("X", "a\r\nHost: b"), ("", "x")]
        {
            assert!(header((name, value)).is_err(), "{name:?}");
        }
    }
}
