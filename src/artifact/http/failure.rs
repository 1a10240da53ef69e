//! What went wrong with a web server, in a line: what it said, or why nothing came of it.
//!
//! Knows which failures the next try may mend; they are marked `Passing`.

use std::error::Error as _;
use std::io::{self, Read as _};
use std::time::Duration;

use anyhow::anyhow;
use reqwest::StatusCode;
use reqwest::blocking::Response;
use reqwest::header::RETRY_AFTER;

use crate::artifact::pace::Paced;
use crate::artifact::stores::Passing;
use crate::error::Problem;

/// How much of what a server says of a failure is read.
const SAID_MAX: u64 = 16 << 10;

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its number.
    pub status: u16,
    /// What the server said of it.
    pub said: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reason = StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        write!(formatter, "the server answered {} {}", self.status, reason.unwrap_or_default())?;
        if self.said.is_empty() { Ok(()) } else { write!(formatter, ": {}", self.said) }
    }
}

impl std::error::Error for Refusal {}

/// The failure that an answer tells of, marked if another try may mend it.
pub fn refusal(response: Response, patience: Duration) -> anyhow::Error {
    let status = response.status().as_u16();
    let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(waiting);
    let mut said = Vec::new();
    let _ = Paced::new(response, patience).take(SAID_MAX).read_to_end(&mut said);
    let error = anyhow::Error::from(Refusal { status, said: told(&said) });
    match status {
        408 | 425 | 429 | 500 | 502 | 503 | 504 => error.context(Passing { after }),
        _ => error,
    }
}

/// What a server said, as one short line: its `message`, if it is JSON; of a page nothing.
fn told(said: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(said).ok();
    let message = json.as_ref().and_then(|json| json["message"].as_str()).map(str::to_owned);
    let text = message.unwrap_or_else(|| String::from_utf8_lossy(said).into_owned());
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if line.starts_with('<') { String::new() } else { line.chars().take(200).collect() }
}

/// `120`, or a date.
fn waiting(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = chrono::DateTime::parse_from_rfc2822(text.trim()).ok()?;
    date.signed_duration_since(chrono::Utc::now()).to_std().ok()
}

/// A request that got no answer. Its address is left out: it may hold a signature.
pub fn unreached(error: reqwest::Error) -> anyhow::Error {
    let error = error.without_url();
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(damaged) =
            inner.downcast_ref::<io::Error>().filter(|inner| inner.kind() == io::ErrorKind::InvalidData)
            && damaged.get_ref().is_some_and(|inner| inner.to_string().contains("recorded"))
        {
            return crate::artifact::content::damaged().into();
        }
        causes.push(inner.to_string());
        cause = inner.source();
    }
    let last = causes.pop().unwrap_or_else(|| error.to_string());
    if error.is_timeout() {
        return silent();
    }
    match last.to_lowercase().contains("certificate") {
        true => Problem::new(format!("the server cannot be believed: {last}"))
            .hint("`git config http.<its address>.sslCAInfo FILE` names whom to believe there")
            .into(),
        false if error.is_builder() => anyhow!(last),
        false => anyhow!(last).context(Passing::default()),
    }
}

/// A server that says and takes nothing; the next try may find it otherwise.
pub fn silent() -> anyhow::Error {
    anyhow!("nothing came for too long").context(Passing::default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_say_is_one_line() {
        assert_eq!(told(br#"{"message": "no such repository", "x": 1}"#), "no such repository");
        assert_eq!(told(b"<html><body>502</body></html>"), "");
        assert_eq!(told(b"\n slow down \nplease"), "slow down");
        assert_eq!(waiting("3"), Some(Duration::from_secs(3)));
        assert_eq!(waiting("soon"), None);
    }
}
