//! Bytes sent to a store and taken from one: several at a time, each tried again where that may help, and none believed
//! before it was hashed.
//!
//! Knows nothing of what a store is made of.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use crate::artifact::content::{Content, Counted, Tally, copy};
use crate::artifact::local::Artifacts;
use crate::artifact::partial::{Other, Partial};
use crate::artifact::stores::{ArtifactStore, Passing, Presence, Purpose};

/// How often something is tried.
const TRIES_MAX: u32 = 5;
/// How long is waited before the second try, as a part of one's patience; twice as long before each later one.
const PAUSE: u32 = 200;
/// How often it is told how far it is.
const TELLING: Duration = Duration::from_millis(100);
/// How many work at a time, whatever the settings say.
const WORKERS_MAX: usize = 64;
/// How much is read at a time.
const PIECE: usize = 256 * 1024;

/// Asks what a store has of these.
pub fn look(store: &dyn ArtifactStore, contents: &[Content], purpose: Purpose) -> Result<Vec<Presence>> {
    store
        .look(contents, purpose)
        .with_context(|| format!("cannot ask the artifact store '{}'", store.shown()))
}

/// Sends the bytes that lie here.
pub fn send(store: &dyn ArtifactStore, local: &Artifacts, content: &Content, tally: &Tally) -> Result<()> {
    check(content)?;
    patiently(store.patience(), || store.send(content, &local.path(&content.sha256), tally))?;
    // Its word that it took them is not taken for having them.
    match look(store, std::slice::from_ref(content), Purpose::Take)?.pop() {
        Some(Presence::There) => Ok(()),
        Some(Presence::Refused(why)) => Err(anyhow!("the store took it, and now says: {why}")),
        _ => Err(anyhow!("the store took it, and does not have it")),
    }
}

/// Sends bytes whose place is taken by damaged ones, and reads back what is there then.
pub fn send_again(
    store: &dyn ArtifactStore,
    local: &Artifacts,
    content: &Content,
    tally: &Tally,
) -> Result<()> {
    send(store, local, content, tally)?;
    match is_sound_there(store, content, &Tally::default())? {
        true => Ok(()),
        false => Err(anyhow!(
            "'{}' keeps the damaged bytes that it has: they have to be removed there",
            store.shown()
        )),
    }
}

/// Takes the bytes; what arrived of them before goes on.
pub fn take(store: &dyn ArtifactStore, local: &Artifacts, content: &Content, tally: &Tally) -> Result<()> {
    check(content)?;
    let mut is_second = false;
    loop {
        let outcome = patiently(store.patience(), || take_once(store, local, content, tally));
        match outcome {
            // What was here from an earlier time may have been wrong; it is gone now.
            Err(error) if is_other(&error) && !is_second => is_second = true,
            outcome => return outcome,
        }
    }
}

fn take_once(store: &dyn ArtifactStore, local: &Artifacts, content: &Content, tally: &Tally) -> Result<()> {
    let Some(mut partial) = Partial::open(local, content, tally)? else {
        return Ok(());
    };
    if partial.size() < content.size || content.size == 0 {
        let mut body = store.open(content, partial.size())?;
        // A store may begin at the first byte instead, but not where it likes.
        if body.offset != partial.size() {
            partial.restart()?;
            if body.offset != 0 {
                return Err(Other.into());
            }
        }
        receive(&mut body.reader, &mut partial)?;
    }
    partial.finish().map_err(passing_if_short)
}

fn receive(reader: &mut dyn io::Read, partial: &mut Partial<'_>) -> Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(anyhow!(error).context(Passing::default())),
        };
        if let Err(error) = partial.write_all(&buffer[..read]) {
            let error = anyhow!(error);
            if is_other(&error) {
                partial.restart()?;
            }
            return Err(error);
        }
    }
}

fn passing_if_short(error: anyhow::Error) -> anyhow::Error {
    let is_short =
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::UnexpectedEof);
    if is_short { error.context(Passing::default()) } else { error }
}

/// Whether what came is something else than was asked for.
fn is_other(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause.is::<Other>() || inner.is_some_and(|inner| inner.is::<Other>())
    })
}

/// Reads the bytes in the store back, and says whether they are what their name says; nothing of them is kept.
pub fn is_sound_there(store: &dyn ArtifactStore, content: &Content, tally: &Tally) -> Result<bool> {
    check(content)?;
    let mut counted = Counted::new(io::sink());
    patiently(store.patience(), || {
        let before = counted.size();
        let mut body = store.open(content, before)?;
        if body.offset != before {
            tally.take_back(before);
            counted.forget();
        }
        // One more than there should be, to notice that there is more.
        let most = (content.size + 1).saturating_sub(counted.size());
        let outcome = copy(&mut (&mut body.reader).take(most), &mut Telling { counted: &mut counted, tally });
        outcome.map_err(|error| anyhow!(error).context(Passing::default()))
    })?;
    Ok(counted.content() == *content)
}

/// Counts what goes through, and tells of it.
struct Telling<'a> {
    counted: &'a mut Counted<io::Sink>,
    tally: &'a Tally,
}

impl io::Write for Telling<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.counted.write(buffer)?;
        self.tally.add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Nothing but a digest becomes part of a path or an address.
fn check(content: &Content) -> Result<()> {
    match content.is_sound() {
        true => Ok(()),
        false => Err(anyhow!("{:?} is no sha256", content.sha256)),
    }
}

/// Does the work, again after a pause where that may help.
pub fn patiently<T>(patience: Duration, mut work: impl FnMut() -> Result<T>) -> Result<T> {
    for attempt in 1.. {
        match work() {
            Err(error) if attempt < TRIES_MAX => match error.downcast_ref::<Passing>() {
                Some(passing) => pause(attempt, passing.after, patience),
                None => return Err(error),
            },
            Err(error) if error.is::<Passing>() => {
                return Err(error.context(format!("tried {TRIES_MAX} times")));
            }
            done => return done,
        }
    }
    unreachable!("the last try returns")
}

/// Waits for as long as the other side asks, else for a time that differs between processes; never longer than one's patience.
fn pause(attempt: u32, asked: Option<Duration>, patience: Duration) {
    let mut random = [0; 1];
    // Without randomness the wait is merely the same for all.
    let _ = getrandom::fill(&mut random);
    let first = patience / PAUSE;
    let spread = first * u32::from(random[0]) / 255;
    thread::sleep(asked.unwrap_or(first * 2u32.pow(attempt - 1) + spread).min(patience));
}

/// Does the work for each, so many at a time; `tell` is called meanwhile, by this thread.
pub fn side_by_side<T: Sync, R: Send>(
    items: &[T],
    workers: usize,
    work: impl Fn(&T) -> R + Sync,
    tell: &mut dyn FnMut(),
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
    thread::scope(|scope| {
        for _ in 0..workers.clamp(1, items.len().clamp(1, WORKERS_MAX)) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                while let Some((index, item)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    items.get(index).map(|item| (index, item))
                } {
                    // Nobody listens any more only if the whole program ends.
                    let _ = sender.send((index, work(item)));
                }
            });
        }
        drop(sender);
        loop {
            match receiver.recv_timeout(TELLING) {
                Ok((index, result)) => results[index] = Some(result),
                Err(mpsc::RecvTimeoutError::Timeout) => tell(),
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    });
    tell();
    results.into_iter().map(|result| result.expect("each item was worked on")).collect()
}
