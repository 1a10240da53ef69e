//! A store that is a web server which takes files by PUT and gives them by GET, such as WebDAV.
//!
//! Where the server can rename, a file appears by that, once it is whole; else the server's own PUT has to see to it.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Result, anyhow};
use reqwest::header::{ALLOW, HeaderValue};
use reqwest::{Method, Url};

use crate::artifact::content::{Content, Tally};
use crate::artifact::http::{Ask, Http, Payload, Refusal};
use crate::artifact::stores::{ArtifactStore, Body, Credentials, Presence, Purpose};
use crate::artifact::transfer::{patiently, side_by_side};

/// How many files are asked about at a time.
const ASKED: usize = 8;

/// A web server that keeps artifact bytes.
pub struct Web {
    http: Http,
    shown: String,
    patience: Duration,
    renames: OnceLock<bool>,
}

impl Web {
    /// The store below this address.
    pub fn new(
        base: Url,
        shown: String,
        credentials: Arc<dyn Credentials>,
        patience: Duration,
    ) -> Result<Self> {
        let http = Http::new(base, credentials, patience)?;
        Ok(Self { http, shown, patience, renames: OnceLock::new() })
    }

    fn url(&self, below: &str) -> Url {
        let mut url = self.http.base().clone();
        url.set_path(&format!("{}/{below}", url.path().trim_end_matches('/')));
        url
    }

    /// Whether the server says that it can rename.
    fn renames(&self) -> bool {
        *self.renames.get_or_init(|| {
            let answer = self.http.ask(&Ask::new(Method::OPTIONS, self.url("")));
            let allowed =
                answer.ok().and_then(|answer| answer.headers().get(ALLOW)?.to_str().ok().map(str::to_owned));
            allowed.is_some_and(|allowed| allowed.split(',').any(|method| method.trim() == "MOVE"))
        })
    }

    fn presence(&self, content: &Content) -> Result<Presence> {
        let answer =
            patiently(self.patience, || self.http.ask(&Ask::new(Method::HEAD, self.url(&content.place()))));
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => match status(&error) {
                Some(404 | 410) => return Ok(Presence::Absent),
                _ => return Err(error),
            },
        };
        let length = answer.headers().get("content-length").and_then(|length| length.to_str().ok());
        let length: Option<u64> = length.and_then(|length| length.parse().ok());
        Ok(match length {
            Some(length) if length != content.size => Presence::Refused(format!(
                "it has {length} bytes under that name, and there should be {}",
                content.size
            )),
            _ => Presence::There,
        })
    }

    /// Makes the folders above a file.
    fn make_folders(&self, content: &Content) -> Result<()> {
        let mkcol = || Method::from_bytes(b"MKCOL").map_err(|error| anyhow!(error));
        for folder in ["", content.place().split('/').next().unwrap_or_default()] {
            match self.http.ask(&Ask::new(mkcol()?, self.url(&format!("{folder}/")))) {
                Ok(_) => {}
                // It is there, or the server makes folders itself.
                Err(error) if matches!(status(&error), Some(405 | 409 | 301 | 501)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn put(&self, url: &Url, content: &Content, file: &Path, tally: &Tally) -> Result<()> {
        let put =
            || self.http.ask(&Ask::new(Method::PUT, url.clone()).with(Payload::File(content, file, tally)));
        match put() {
            Err(error) if matches!(status(&error), Some(403 | 404 | 409)) => {
                self.make_folders(content)?;
                put().map(drop)
            }
            outcome => outcome.map(drop),
        }
    }
}

impl ArtifactStore for Web {
    fn shown(&self) -> String {
        self.shown.clone()
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    fn look(&self, contents: &[Content], _: Purpose) -> Result<Vec<Presence>> {
        side_by_side(contents, ASKED, |content| self.presence(content), &mut || {}).into_iter().collect()
    }

    fn send(&self, content: &Content, file: &Path, tally: &Tally) -> Result<()> {
        let target = self.url(&content.place());
        if !self.renames() {
            return self.put(&target, content, file, tally);
        }
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(|error| anyhow!("the system gives no random bytes: {error}"))?;
        let temporary = self.url(&format!("{}.part-{:08x}", content.place(), u32::from_le_bytes(random)));
        let sent = self.put(&temporary, content, file, tally).and_then(|()| {
            let mut ask = Ask::new(Method::from_bytes(b"MOVE")?, temporary.clone());
            ask.headers.insert("destination", HeaderValue::from_str(target.as_str())?);
            ask.headers.insert("overwrite", HeaderValue::from_static("T"));
            self.http.ask(&ask).map(drop)
        });
        if sent.is_err() {
            // What is left of it is in nobody's way.
            let _ = self.http.ask(&Ask::new(Method::DELETE, temporary));
        }
        sent
    }

    fn open(&self, content: &Content, offset: u64) -> Result<Body> {
        self.http.get(Ask::new(Method::GET, self.url(&content.place())), offset)
    }
}

fn status(error: &anyhow::Error) -> Option<u16> {
    error.downcast_ref::<Refusal>().map(|refusal| refusal.status)
}
