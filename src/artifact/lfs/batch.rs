//! The batch API of Git LFS: what a server says of objects that somebody wants to send or take.
//!
//! Nothing that it says is believed but where to go, and there the guard looks.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, Url};
use serde_json::{Value as Json, json};

use crate::artifact::content::Content;
use crate::artifact::http::{Ask, Http, Payload};
use crate::artifact::stores::Presence;
use crate::error::Problem;

/// How the API speaks.
const MEDIA_TYPE: &str = "application/vnd.git-lfs+json";
/// The longest answer that is read.
const ANSWER_MAX: u64 = 16 << 20;
/// How long before an address runs out it is not used any more.
const MARGIN: Duration = Duration::from_secs(5);

/// What is to be done with objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// To take them.
    Download,
    /// To send them.
    Upload,
}

impl Operation {
    /// As the API and `git-lfs-authenticate` call it.
    pub fn word(self) -> &'static str {
        match self {
            Operation::Download => "download",
            Operation::Upload => "upload",
        }
    }
}

/// What can be done with one object.
#[derive(Debug, Clone, Default)]
pub struct Actions {
    /// Where it is.
    pub download: Option<Action>,
    /// Where it is to go.
    pub upload: Option<Action>,
    /// Who wants to know that it went.
    pub verify: Option<Action>,
}

/// An address, and what is said there.
#[derive(Debug, Clone)]
pub struct Action {
    /// The address.
    pub href: String,
    /// Headers for it.
    pub headers: Vec<(String, String)>,
    /// When it runs out.
    pub expiry: Option<Instant>,
}

impl Actions {
    /// Whether an address among them has run out.
    pub fn are_expired(&self) -> bool {
        let each = [&self.download, &self.upload, &self.verify];
        let mut expiries = each.into_iter().flatten().filter_map(|action| action.expiry);
        expiries.any(|expiry| expiry <= Instant::now())
    }
}

/// Asks what can be done with each object.
pub fn ask(
    http: &Http,
    endpoint: &Url,
    headers: &HeaderMap,
    operation: Operation,
    contents: &[Content],
) -> Result<Vec<(Presence, Actions)>> {
    let objects: Vec<Json> =
        contents.iter().map(|content| json!({ "oid": content.sha256, "size": content.size })).collect();
    let body = json!({
        "operation": operation.word(),
        "transfers": ["basic"],
        "objects": objects,
        "hash_algo": "sha256",
    });
    let mut url = endpoint.clone();
    url.set_path(&format!("{}/objects/batch", endpoint.path().trim_end_matches('/')));
    let body = body.to_string().into_bytes();
    let mut ask = Ask::new(Method::POST, url);
    ask.headers = headers.clone();
    let ask = ask.header(ACCEPT, MEDIA_TYPE).header(CONTENT_TYPE, MEDIA_TYPE).with(Payload::Bytes(&body));
    let said = http.ask_shortly(&ask, ANSWER_MAX)?;
    read(&said, operation, contents).map_err(Into::into)
}

/// Tells the server that an object went.
pub fn verify(http: &Http, ask: Ask<'_>, content: &Content) -> Result<()> {
    let body = json!({ "oid": content.sha256, "size": content.size }).to_string().into_bytes();
    let ask = ask.header(ACCEPT, MEDIA_TYPE).header(CONTENT_TYPE, MEDIA_TYPE).with(Payload::Bytes(&body));
    http.ask(&ask).context("the server did not confirm what was sent")?;
    Ok(())
}

/// Reads an answer: one for each object, in their order.
pub fn read(
    said: &[u8],
    operation: Operation,
    contents: &[Content],
) -> Result<Vec<(Presence, Actions)>, Problem> {
    let odd = || {
        Problem::new("what the LFS server answers is no answer of the batch API")
            .hint("`lfs.url` in git's config says where the LFS server is")
    };
    let answer: Json = serde_json::from_slice(said).map_err(|_| odd())?;
    let objects = answer["objects"].as_array().ok_or_else(odd)?;
    if answer["transfer"].as_str().is_some_and(|transfer| transfer != "basic") {
        return Err(Problem::new("the LFS server wants another transfer than 'basic'"));
    }
    let by_name: HashMap<&str, &Json> =
        objects.iter().filter_map(|object| Some((object["oid"].as_str()?, object))).collect();
    let now = Instant::now();
    Ok(contents
        .iter()
        .map(|content| match by_name.get(content.sha256.as_str()) {
            Some(object) => read_object(object, operation, content, now),
            None => refused("the server says nothing of it".to_owned()),
        })
        .collect())
}

fn read_object(object: &Json, operation: Operation, content: &Content, now: Instant) -> (Presence, Actions) {
    let error = &object["error"];
    if error.is_object() {
        let message = error["message"].as_str().unwrap_or("it cannot be had").chars().take(200).collect();
        return match error["code"].as_u64() {
            Some(404 | 410) if operation == Operation::Download => (Presence::Absent, Actions::default()),
            _ => refused(message),
        };
    }
    if let Some(size) = object["size"].as_u64().filter(|size| *size != content.size) {
        return refused(format!(
            "the server has {size} bytes under that name, and there should be {}",
            content.size
        ));
    }
    let action = |name: &str| read_action(&object["actions"][name], now);
    let actions =
        Actions { download: action("download"), upload: action("upload"), verify: action("verify") };
    match (operation, &actions.download, &actions.upload) {
        (Operation::Download, Some(_), _) => (Presence::There, actions),
        (Operation::Download, None, _) => refused("the server does not say where it is".to_owned()),
        (Operation::Upload, _, Some(_)) => (Presence::Absent, actions),
        (Operation::Upload, _, None) => (Presence::There, actions),
    }
}

fn refused(why: String) -> (Presence, Actions) {
    (Presence::Refused(why), Actions::default())
}

fn read_action(action: &Json, now: Instant) -> Option<Action> {
    let href = action["href"].as_str()?.to_owned();
    Some(Action { href, headers: read_headers(action), expiry: read_expiry(action, now) })
}

/// The headers of an action.
pub fn read_headers(action: &Json) -> Vec<(String, String)> {
    let headers = action["header"].as_object().into_iter().flatten();
    headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// When an action runs out: a little before it says.
pub fn read_expiry(action: &Json, now: Instant) -> Option<Instant> {
    let seconds = action["expires_in"].as_i64().filter(|seconds| *seconds != 0);
    let at = || {
        let at = action["expires_at"].as_str()?;
        let at = chrono::DateTime::parse_from_rfc3339(at).ok()?;
        // The zero of times stands for none.
        (at.timestamp() > 0).then(|| at.signed_duration_since(chrono::Utc::now()).num_seconds())
    };
    let left = seconds.or_else(at)?;
    let left = Duration::from_secs(u64::try_from(left).unwrap_or(0)).saturating_sub(MARGIN);
    now.checked_add(left)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn content(byte: &str) -> Content {
        Content { sha256: byte.repeat(64), size: 5 }
    }

    fn presence(object: Json, operation: Operation) -> Presence {
        let mut object = object;
        object["oid"] = "a".repeat(64).into();
        let answer = json!({ "objects": [object] }).to_string();
        read(answer.as_bytes(), operation, &[content("a")]).unwrap().pop().unwrap().0
    }

    #[test]
    fn answers_say_what_there_is() {
        let href = json!({ "href": "https://h/x" });
        let down = |object| presence(object, Operation::Download);
        let up = |object| presence(object, Operation::Upload);
        assert_eq!(down(json!({ "size": 5, "actions": { "download": href } })), Presence::There);
        assert_eq!(down(json!({ "error": { "code": 404, "message": "no" } })), Presence::Absent);
        assert_eq!(down(json!({ "error": { "code": 410, "message": "no" } })), Presence::Absent);
        assert_eq!(up(json!({ "size": 5 })), Presence::There);
        assert_eq!(up(json!({ "size": 5, "actions": { "upload": href } })), Presence::Absent);
        for odd in [
            down(json!({ "size": 5 })),
            down(json!({ "size": 6, "actions": { "download": href } })),
            up(json!({ "size": 6 })),
            up(json!({ "error": { "code": 404 } })),
            up(json!({ "error": { "code": 422, "message": "too large" } })),
        ] {
            assert!(matches!(odd, Presence::Refused(_)), "{odd:?}");
        }
        let answer = json!({ "objects": [] }).to_string();
        let silent = read(answer.as_bytes(), Operation::Upload, &[content("a")]).unwrap();
        assert!(matches!(silent[0].0, Presence::Refused(_)));
        assert!(read(b"<html>", Operation::Upload, &[]).is_err());
        assert!(read(br#"{"transfer": "tus", "objects": []}"#, Operation::Upload, &[]).is_err());
    }

    #[test]
    fn addresses_run_out() {
        let now = Instant::now();
        let left =
            |action: Json| read_expiry(&action, now).map(|expiry| expiry.duration_since(now).as_secs());
        assert_eq!(left(json!({ "expires_in": 3600 })), Some(3595));
        assert_eq!(left(json!({ "expires_in": -10 })), Some(0));
        assert_eq!(left(json!({ "expires_at": "2016-11-10T15:29:07Z" })), Some(0));
        assert_eq!(left(json!({ "expires_at": "0001-01-01T00:00:00Z" })), None);
        assert_eq!(left(json!({})), None);
    }

    proptest! {
        #[test]
        fn no_answer_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}\",:a-z0-9]{0,80}") {
            let _ = read(&bytes, Operation::Download, &[content("a")]);
            let _ = read(text.as_bytes(), Operation::Upload, &[content("a")]);
        }
    }
}
