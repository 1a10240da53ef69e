//! A store that is a bucket: S3 and what speaks like it, Google Cloud Storage, Azure.
//!
//! The only user of `object_store`; `async` stops at this file's door. A file becomes visible by one PUT, or once all of its
//! parts are there. Which parts of a large file went is remembered, so that a broken transfer goes on with the next.

mod profile;
mod uploads;

use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::multipart::MultipartStore;
use object_store::path::Path as Key;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::artifact::bucket::uploads::Upload;
use crate::artifact::connection::use_tls;
use crate::artifact::content::{Content, Sending, Tally};
use crate::artifact::stores::{ArtifactStore, Body, Passing, Presence, Purpose};
use crate::artifact::transfer::side_by_side;
use crate::error::Problem;
use crate::run::id::sha256;

/// How much is asked for, and sent, at a time.
const PART: u64 = 8 << 20;
/// How many parts a file may have; S3 takes 10,000.
const PARTS_MAX: u64 = 9_000;
/// How many parts of a file are on their way at a time.
const PARTS_AT_ONCE: usize = 3;
/// How many objects are asked about at a time.
const ASKED: usize = 8;

/// Where a bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketPlace {
    /// `s3://bucket/prefix`, `gs://…`, `az://container/…`, `abfss://…`.
    pub url: String,
    /// The server, if it is not the provider's own.
    pub endpoint: Option<String>,
    /// The region.
    pub region: Option<String>,
}

/// A bucket, or a part of one.
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    parts: Arc<dyn MultipartStore>,
    prefix: String,
    place: BucketPlace,
    /// Where it is remembered which parts of a file went.
    state: PathBuf,
}

impl Bucket {
    /// The bucket at this place, with credentials from the environment, or where the provider's own programs have them.
    pub fn open(place: BucketPlace, state: &Path) -> Result<Self> {
        use_tls();
        let (scheme, rest) = place.url.split_once("://").unwrap_or_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_bucket(bucket) {
            return Err(Problem::usage(format!("'{}' names no bucket", place.url)).into());
        }
        let cannot = || format!("cannot use the bucket '{}'", place.url);
        let opened = match scheme {
            "s3" | "s3a" => both(s3(bucket, &place).build().map_err(told).with_context(cannot)?),
            "gs" | "gcs" => both(google(bucket, &place).build().map_err(told).with_context(cannot)?),
            _ => both(azure(scheme, bucket, &place).build().map_err(told).with_context(cannot)?),
        };
        let prefix = prefix.trim_matches('/').to_owned();
        Ok(Self { store: opened.0, parts: opened.1, prefix, place, state: state.to_owned() })
    }

    fn key(&self, content: &Content) -> Key {
        match self.prefix.is_empty() {
            true => Key::from(content.place()),
            false => Key::from(format!("{}/{}", self.prefix, content.place())),
        }
    }

    fn presence(&self, content: &Content) -> Result<Presence> {
        match runtime()?.block_on(self.store.head(&self.key(content))) {
            Ok(found) if found.size == content.size => Ok(Presence::There),
            Ok(found) => Ok(Presence::Refused(format!(
                "it has {} bytes under that name, and there should be {}",
                found.size, content.size
            ))),
            Err(object_store::Error::NotFound { .. }) => Ok(Presence::Absent),
            Err(error) => Err(told(error)),
        }
    }

    fn send_at_once(&self, content: &Content, file: &Path, tallies: [Tally; 2]) -> Result<()> {
        let mut bytes = Vec::new();
        Sending::open(file, content, tallies)?.read_to_end(&mut bytes)?;
        let key = self.key(content);
        let put = self.store.put(&key, PutPayload::from(bytes));
        runtime()?.block_on(put).map(drop).map_err(told)
    }

    /// Sends part by part; those that went at an earlier time are only hashed again.
    fn send_in_parts(&self, content: &Content, file: &Path, tallies: [Tally; 2]) -> Result<()> {
        let cannot = || format!("cannot send to '{}'", self.place.url);
        let key = self.key(content);
        let name = format!("{} {key}", self.identity());
        let mut upload = Upload::open(&self.state, &name, content, part_size(content.size))?;
        // Who was at it until now may have brought it to its end.
        if upload.was_busy && upload.id.is_none() && self.presence(content)? == Presence::There {
            upload.forget();
            return Ok(());
        }
        let id = match upload.id.clone() {
            Some(id) => id,
            None => {
                let id = runtime()?.block_on(self.parts.create_multipart(&key)).map_err(told)?;
                upload.begin(id.clone())?;
                id
            }
        };
        let sent = self.send_parts(&key, &id, &mut upload, Sending::open(file, content, tallies)?);
        sent.and_then(|()| self.complete(content, &key, &id, &upload)).with_context(cannot)
    }

    fn send_parts(&self, key: &Key, id: &str, upload: &mut Upload, mut sending: Sending) -> Result<()> {
        let runtime = runtime()?;
        let mut waiting: VecDeque<(usize, String, JoinHandle<_>)> = VecDeque::new();
        for index in 0..upload.count() {
            let mut part = vec![0; upload.size_of(index)];
            sending.read_exact(&mut part)?;
            if upload.has(index, &part) {
                continue;
            }
            if waiting.len() >= PARTS_AT_ONCE
                && let Some((index, digest, handle)) = waiting.pop_front()
            {
                settle(upload, index, digest, runtime.block_on(handle)?)?;
            }
            let (store, key, id) = (Arc::clone(&self.parts), key.clone(), id.to_owned());
            let digest = sha256(&part);
            let put = async move { store.put_part(&key, &id, index, PutPayload::from(part)).await };
            waiting.push_back((index, digest, runtime.spawn(put)));
        }
        for (index, digest, handle) in waiting {
            settle(upload, index, digest, runtime.block_on(handle)?)?;
        }
        Ok(())
    }

    /// Makes one file of the parts. What the bucket does not take is forgotten, and begun anew if that may help; where only
    /// its answer is missing, the next try has nothing left to send.
    fn complete(&self, content: &Content, key: &Key, id: &str, upload: &Upload) -> Result<()> {
        let id = id.to_owned();
        let done = self.parts.complete_multipart(key, &id, upload.parts());
        let Err(error) = runtime()?.block_on(done) else {
            upload.forget();
            return Ok(());
        };
        // Somebody else may have completed it, or its answer was lost on the way.
        if self.presence(content).is_ok_and(|presence| presence == Presence::There) {
            upload.forget();
            return Ok(());
        }
        let text = error.to_string();
        if is_lost(&error) {
            upload.forget();
            return Err(forgotten(&text));
        }
        if text.contains("status code: 4") {
            upload.forget();
        }
        Err(told(error))
    }

    fn identity(&self) -> String {
        format!("{} {}", self.place.url, self.place.endpoint.as_deref().unwrap_or_default())
    }
}

/// Notes that a part went. If the server has forgotten the upload, so do we, and the next try begins anew.
fn settle(
    upload: &mut Upload,
    index: usize,
    digest: String,
    outcome: object_store::Result<object_store::multipart::PartId>,
) -> Result<()> {
    match outcome {
        Ok(part) => Ok(upload.note(index, digest, part.content_id)?),
        Err(error) if is_lost(&error) => {
            upload.forget();
            Err(forgotten(&error.to_string()))
        }
        Err(error) => Err(told(error)),
    }
}

/// Whether a bucket has forgotten parts that it had, or never had them as they are remembered here.
fn is_lost(error: &object_store::Error) -> bool {
    let text = error.to_string();
    let signs = ["NoSuchUpload", "InvalidPart", "InvalidBlockList", "InvalidBlobOrBlock"];
    matches!(error, object_store::Error::NotFound { .. }) || signs.iter().any(|sign| text.contains(sign))
}

fn forgotten(text: &str) -> anyhow::Error {
    anyhow!("the bucket forgot the parts that went: {}", without_query(text)).context(Passing::default())
}

impl ArtifactStore for Bucket {
    fn shown(&self) -> String {
        match &self.place.endpoint {
            Some(endpoint) => format!("{} at {endpoint}", self.place.url),
            None => self.place.url.clone(),
        }
    }

    fn look(&self, contents: &[Content], _: Purpose) -> Result<Vec<Presence>> {
        side_by_side(contents, ASKED, |content| self.presence(content), &mut || {}).into_iter().collect()
    }

    fn send(&self, content: &Content, file: &Path, tally: &Tally) -> Result<()> {
        let sent = Tally::default();
        let tallies = [tally.clone(), sent.clone()];
        let outcome = match content.size <= PART {
            true => self.send_at_once(content, file, tallies),
            false => self.send_in_parts(content, file, tallies),
        };
        if outcome.is_err() {
            tally.take_back(sent.get());
        }
        outcome
    }

    fn open(&self, content: &Content, offset: u64) -> Result<Body> {
        let mut reader = Ranges {
            store: Arc::clone(&self.store),
            key: self.key(content),
            next: offset,
            size: content.size,
            coming: None,
            bytes: Vec::new().into_iter(),
        };
        reader.ask_ahead().map_err(|error| anyhow!(error))?;
        Ok(Body { offset, reader: Box::new(reader) })
    }
}

/// An object read range by range, one of them on its way while another is used.
struct Ranges {
    store: Arc<dyn ObjectStore>,
    key: Key,
    next: u64,
    size: u64,
    coming: Option<JoinHandle<object_store::Result<Vec<u8>>>>,
    bytes: std::vec::IntoIter<u8>,
}

impl Ranges {
    fn ask_ahead(&mut self) -> io::Result<()> {
        if self.coming.is_some() || self.next >= self.size {
            return Ok(());
        }
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        let range = self.next..(self.next + PART).min(self.size);
        self.next = range.end;
        let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let get = async move {
            let bytes = store.get_range(&key, range).await?;
            Ok(bytes[..bytes.len().min(wanted)].to_vec())
        };
        self.coming = Some(runtime().map_err(io::Error::other)?.spawn(get));
        Ok(())
    }
}

impl Read for Ranges {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes.len() == 0 {
            let Some(coming) = self.coming.take() else {
                return Ok(0);
            };
            let arrived = runtime().map_err(io::Error::other)?.block_on(coming).map_err(io::Error::other)?;
            let arrived = arrived.map_err(|error| io::Error::other(told(error).to_string()))?;
            // Less than was asked for is the end: what comes after would be in the wrong place.
            if arrived.is_empty() {
                return Ok(0);
            }
            self.bytes = arrived.into_iter();
            self.ask_ahead()?;
        }
        let bytes = self.bytes.as_slice();
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        self.bytes.nth(count.saturating_sub(1));
        Ok(count)
    }
}

fn s3(bucket: &str, place: &BucketPlace) -> AmazonS3Builder {
    let mut built = AmazonS3Builder::from_env();
    // What the provider's own program is set up with, where the environment says nothing.
    if built.get_config_value(&AmazonS3ConfigKey::AccessKeyId).is_none() {
        for (key, value) in profile::of_user() {
            built = built.with_config(key, value);
        }
    }
    if let Some(region) = &place.region {
        built = built.with_region(region);
    }
    if let Some(endpoint) = &place.endpoint {
        built = built.with_endpoint(endpoint);
    }
    // Without encryption only where the user, or who was trusted, wrote so.
    let endpoint = built.get_config_value(&AmazonS3ConfigKey::Endpoint).unwrap_or_default();
    let is_http = endpoint.starts_with("http://");
    built
        .with_bucket_name(bucket)
        .with_client_options(client(is_http))
        .with_allow_http(is_http)
        .with_retry(retry())
}

fn google(bucket: &str, place: &BucketPlace) -> GoogleCloudStorageBuilder {
    let mut built = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket).with_retry(retry());
    if let Some(endpoint) = &place.endpoint {
        built = built.with_base_url(endpoint);
    }
    built.with_client_options(client(place.is_http()))
}

fn azure(scheme: &str, container: &str, place: &BucketPlace) -> MicrosoftAzureBuilder {
    let mut built = MicrosoftAzureBuilder::from_env().with_retry(retry());
    built = built.with_client_options(client(place.is_http()));
    built = match scheme {
        "az" | "azure" | "adl" => built.with_container_name(container),
        _ => built.with_url(&place.url),
    };
    match &place.endpoint {
        Some(endpoint) => built.with_endpoint(endpoint.clone()).with_allow_http(place.is_http()),
        None => built,
    }
}

/// Whether this can be a bucket's name, with its account: it may become part of a host's name.
fn is_bucket(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    !name.is_empty() && name.bytes().all(is_plain)
}

impl BucketPlace {
    /// Whether the server that is named is not encrypted.
    fn is_http(&self) -> bool {
        self.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"))
    }
}

/// A part may take as long as it takes on a slow line that others share.
fn client(is_http: bool) -> ClientOptions {
    ClientOptions::new()
        .with_timeout(Duration::from_secs(20 * 60))
        .with_connect_timeout(Duration::from_secs(20))
        .with_allow_http(is_http)
}

/// `object_store` tries again by itself, and knows best which answers are worth it.
fn retry() -> RetryConfig {
    RetryConfig { max_retries: 5, retry_timeout: Duration::from_secs(30 * 60), ..RetryConfig::default() }
}

fn both<T: ObjectStore + MultipartStore>(store: T) -> (Arc<dyn ObjectStore>, Arc<dyn MultipartStore>) {
    let store = Arc::new(store);
    (Arc::clone(&store) as Arc<dyn ObjectStore>, store)
}

/// How large the parts of a file are.
fn part_size(size: u64) -> u64 {
    const STEP: u64 = 1 << 20;
    PART.max(size.div_ceil(PARTS_MAX).div_ceil(STEP) * STEP)
}

fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<io::Result<Runtime>> = OnceLock::new();
    let build = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    RUNTIME.get_or_init(build).as_ref().map_err(|error| anyhow!("cannot start threads: {error}"))
}

/// A failure in few words. What follows a question mark in an address may let others in.
fn told(error: object_store::Error) -> anyhow::Error {
    let text = without_query(&error.to_string());
    let problem = Problem::new(text.clone());
    let is_shut =
        ["credential", "403", "401", "Forbidden", "AccessDenied", "InvalidAccessKey", "Account must be"];
    match is_shut.iter().any(|sign| text.contains(sign)) {
        true => problem.hint("credentials come from the environment (AWS_ACCESS_KEY_ID …, GOOGLE_SERVICE_ACCOUNT, AZURE_STORAGE_ACCOUNT_NAME …); docs/artifacts.md lists the variables"),
        false => problem,
    }
    .into()
}

fn without_query(text: &str) -> String {
    let mut told = String::new();
    let mut is_query = false;
    let mut is_address = false;
    for (at, character) in text.char_indices() {
        is_address = (is_address || text[at..].starts_with("://")) && !character.is_whitespace();
        is_query = (is_query || (is_address && character == '?'))
            && !(character.is_whitespace() || "\"')>".contains(character));
        if !is_query && !character.is_control() {
            told.push(character);
        }
    }
    told.chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_few_enough() {
        assert_eq!(part_size(9 << 20), 8 << 20);
        for size in [5_u64 << 30, 1 << 40, 5 << 40] {
            assert!(size.div_ceil(part_size(size)) <= PARTS_MAX, "{size}");
        }
    }

    #[test]
    fn no_bucket_is_a_host() {
        assert!(is_bucket("team-bucket") && is_bucket("container@account.dfs.core.windows.net"));
        assert!(
            ["", "evil.example/#", "evil.example:443", "a b", "a%2f"].iter().all(|name| !is_bucket(name))
        );
    }

    #[test]
    fn what_lets_others_in_is_not_told() {
        let said = "request to \"https://a.blob.core.windows.net/c/x?sig=SECRET&se=1\" failed (why?) yes";
        assert_eq!(
            without_query(said),
            "request to \"https://a.blob.core.windows.net/c/x\" failed (why?) yes"
        );
    }
}
