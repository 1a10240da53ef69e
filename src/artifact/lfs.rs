//! A Git LFS server as a store: the batch API with its basic transfer, over http(s), or where `git-lfs-authenticate` says
//! over ssh.
//!
//! Objects go under their sha256, so that git's own LFS client reads what was sent here, and the other way round.

mod batch;
mod ssh;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, Url};

use crate::artifact::content::{Content, Tally};
use crate::artifact::http::{Ask, Http, Payload, Refusal};
use crate::artifact::lfs::batch::{Action, Actions, Operation};
use crate::artifact::stores::{ArtifactStore, Body, Credentials, Presence, Purpose};
use crate::artifact::transfer::patiently;
use crate::error::Problem;

pub use crate::artifact::lfs::ssh::Ssh;

/// How many objects are asked about at once, as git-lfs does.
const BATCH: usize = 100;

/// Where an LFS server is.
#[derive(Debug, Clone)]
pub struct LfsPlace {
    /// Its address for those who take.
    pub download: Url,
    /// Its address for those who send.
    pub upload: Url,
    /// How to ask over ssh where it is, and to be let in.
    pub ssh: Option<Ssh>,
    /// What it is called.
    pub shown: String,
}

/// A Git LFS server.
pub struct Lfs {
    place: LfsPlace,
    download: Entrance,
    upload: Entrance,
    actions: Mutex<HashMap<(Operation, Content), Actions>>,
    patience: Duration,
}

/// One way in: for those who take, or those who send.
struct Entrance {
    operation: Operation,
    guessed: Url,
    credentials: Arc<dyn Credentials>,
    patience: Duration,
    opened: Mutex<Option<Opened>>,
}

/// A server that was found.
#[derive(Clone)]
struct Opened {
    http: Arc<Http>,
    url: Url,
    headers: HeaderMap,
    expiry: Option<std::time::Instant>,
    is_by_ssh: bool,
}

impl Lfs {
    /// The server at this place; nothing is asked yet.
    pub fn new(place: LfsPlace, credentials: Arc<dyn Credentials>, patience: Duration) -> Self {
        let entrance = |operation, guessed: &Url| Entrance {
            operation,
            guessed: guessed.clone(),
            credentials: Arc::clone(&credentials),
            patience,
            opened: Mutex::default(),
        };
        Self {
            download: entrance(Operation::Download, &place.download),
            upload: entrance(Operation::Upload, &place.upload),
            actions: Mutex::default(),
            place,
            patience,
        }
    }

    fn entrance(&self, operation: Operation) -> &Entrance {
        if operation == Operation::Upload { &self.upload } else { &self.download }
    }

    /// Asks about many objects; what to do about each is remembered.
    fn ask(&self, operation: Operation, contents: &[Content]) -> Result<Vec<Presence>> {
        let mut found = Vec::new();
        for contents in contents.chunks(BATCH) {
            let answers = self.ask_batch(operation, contents)?;
            let mut known = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
            for (content, (presence, actions)) in contents.iter().zip(answers) {
                known.insert((operation, content.clone()), actions);
                found.push(presence);
            }
        }
        Ok(found)
    }

    fn ask_batch(&self, operation: Operation, contents: &[Content]) -> Result<Vec<(Presence, Actions)>> {
        let entrance = self.entrance(operation);
        let mut opened = entrance.open(self.place.ssh.as_ref(), false)?;
        let mut answer = batch::ask(&opened.http, &opened.url, &opened.headers, operation, contents);
        let is_shut = |error: &anyhow::Error| {
            error.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.status == 401)
        };
        if opened.is_by_ssh && answer.as_ref().is_err_and(is_shut) {
            // What ssh gave has run out.
            opened = entrance.open(self.place.ssh.as_ref(), true)?;
            answer = batch::ask(&opened.http, &opened.url, &opened.headers, operation, contents);
        }
        match answer {
            // Some servers answer so where they have none of the objects, and not for each of them.
            Err(error) if operation == Operation::Download && is_about_objects(&error) => {
                Ok(contents.iter().map(|_| (Presence::Absent, Actions::default())).collect())
            }
            answer => answer.map_err(|error| advised(error, operation)),
        }
    }

    /// What to do about one object, asked anew if that is not known or has run out.
    fn actions(&self, operation: Operation, content: &Content) -> Result<Actions> {
        let key = (operation, content.clone());
        // Let go at once: to ask anew takes a while.
        let known = self.actions.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        match known.filter(|actions| !actions.are_expired()) {
            Some(actions) => Ok(actions),
            None => self.actions_anew(operation, content),
        }
    }

    fn actions_anew(&self, operation: Operation, content: &Content) -> Result<Actions> {
        let (presence, actions) = self
            .ask_batch(operation, std::slice::from_ref(content))?
            .pop()
            .expect("one answer for one object");
        match presence {
            Presence::Refused(why) => Err(Problem::new(why).into()),
            Presence::Absent if operation == Operation::Download => {
                Err(Problem::new(format!("'{}' does not have it", self.place.shown)).into())
            }
            _ => Ok(actions),
        }
    }

    /// Does what an action says; an address that has run out is asked for anew, once.
    fn act<T>(
        &self,
        operation: Operation,
        content: &Content,
        act: impl Fn(&Opened, &Actions) -> Result<T>,
    ) -> Result<T> {
        let actions = self.actions(operation, content)?;
        let opened = self.entrance(operation).open(self.place.ssh.as_ref(), false)?;
        let outcome = act(&opened, &actions);
        let has_run_out = |error: &anyhow::Error| {
            let status = error.downcast_ref::<Refusal>().map(|refusal| refusal.status);
            matches!(status, Some(400 | 401 | 403 | 404 | 410))
        };
        match outcome {
            Err(error) if has_run_out(&error) => act(&opened, &self.actions_anew(operation, content)?),
            outcome => outcome,
        }
    }
}

impl ArtifactStore for Lfs {
    fn shown(&self) -> String {
        self.place.shown.clone()
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    fn look(&self, contents: &[Content], purpose: Purpose) -> Result<Vec<Presence>> {
        let operation = if purpose == Purpose::Send { Operation::Upload } else { Operation::Download };
        patiently(self.patience, || self.ask(operation, contents))
    }

    fn send(&self, content: &Content, file: &Path, tally: &Tally) -> Result<()> {
        self.act(Operation::Upload, content, |opened, actions| {
            // Without an action it is there already.
            let Some(upload) = &actions.upload else {
                return Ok(());
            };
            let mut ask = ask_of(opened, upload, Method::PUT)?.with(Payload::File(content, file, tally));
            if !ask.headers.contains_key(CONTENT_TYPE) {
                ask = ask.header(CONTENT_TYPE, "application/octet-stream");
            }
            opened.http.ask(&ask)?;
            let Some(verify) = &actions.verify else {
                return Ok(());
            };
            // All of it is there: only the question is asked again, should nobody answer.
            let ask = ask_of(opened, verify, Method::POST)?;
            patiently(self.patience, || batch::verify(&opened.http, ask.clone(), content))
        })
    }

    fn open(&self, content: &Content, offset: u64) -> Result<Body> {
        self.act(Operation::Download, content, |opened, actions| {
            let download = actions
                .download
                .as_ref()
                .ok_or_else(|| Problem::new("the server does not say where it is"))?;
            opened.http.get(ask_of(opened, download, Method::GET)?, offset)
        })
    }
}

/// A failure with what may help.
fn advised(error: anyhow::Error, operation: Operation) -> anyhow::Error {
    let status = error.downcast_ref::<Refusal>().map(|refusal| refusal.status);
    let hint = match (status, operation) {
        (Some(401), _) => "store a name and a password, or a token, with git's credential helper",
        (Some(403), Operation::Upload) => "you may not write there: ask for it, or set another store",
        (Some(404), _) => {
            "there is no LFS server, or you may not see it; `lfs.url` in git's config says where it is"
        }
        (Some(413), _) => "the server takes no such large requests",
        _ => return error,
    };
    Problem::new(format!("{error:#}")).hint(hint).into()
}

/// Whether a server says that it lacks objects, not that it is no LFS server.
fn is_about_objects(error: &anyhow::Error) -> bool {
    let refusal = error.downcast_ref::<Refusal>().filter(|refusal| refusal.status == 404);
    refusal.is_some_and(|refusal| refusal.said.to_lowercase().contains("object"))
}

/// The question that an action is. What it says of credentials goes only where it says.
fn ask_of<'a>(opened: &Opened, action: &Action, method: Method) -> Result<Ask<'a>> {
    let url = opened.http.named(&action.href)?;
    let mut ask = Ask::new(method, url);
    for (name, value) in &action.headers {
        let (name, value) = crate::artifact::http::header((name, value))?;
        ask.headers.insert(name, value);
    }
    // On the server itself what let us in lets us in again.
    if opened.is_by_ssh && ask.url.origin() == opened.url.origin() {
        for (name, value) in &opened.headers {
            ask.headers.entry(name).or_insert(value.clone());
        }
    }
    Ok(ask)
}

impl Entrance {
    /// The server, found once, and again when what let us in has run out.
    fn open(&self, ssh: Option<&Ssh>, anew: bool) -> Result<Opened> {
        let mut known = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let is_good =
            |opened: &&Opened| !anew && opened.expiry.is_none_or(|expiry| std::time::Instant::now() < expiry);
        if let Some(opened) = known.as_ref().filter(is_good) {
            return Ok(opened.clone());
        }
        let opened = self.find(ssh)?;
        *known = Some(opened.clone());
        Ok(opened)
    }

    fn find(&self, ssh: Option<&Ssh>) -> Result<Opened> {
        let access = match ssh {
            Some(ssh) => ssh.authenticate(self.operation.word())?,
            None => None,
        };
        let Some(access) = access else {
            let http = Http::new(self.guessed.clone(), Arc::clone(&self.credentials), self.patience)?;
            let url = self.guessed.clone();
            let headers = HeaderMap::new();
            return Ok(Opened { http: Arc::new(http), url, headers, expiry: None, is_by_ssh: false });
        };
        let url = match &access.href {
            Some(href) => ssh::checked(href)?,
            None => self.guessed.clone(),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &access.headers {
            let (name, value) = crate::artifact::http::header((name, value))?;
            headers.insert(name, value);
        }
        let http = Arc::new(Http::new(url.clone(), Arc::clone(&self.credentials), self.patience)?);
        Ok(Opened { http, url, headers, expiry: access.expiry, is_by_ssh: true })
    }
}
