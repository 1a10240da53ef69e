//! The process that stands between a command and where its output goes: passes every byte on, and keeps a copy.
//!
//! Passing on never waits for keeping. Knows that the recorder may die, that what the command leaves behind may keep
//! writing for days, and that whoever reads may go away: the command then sees what it would have seen without us.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use rustix::process::{Pid, Signal};
use signal_hook::consts::signal::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};

use crate::ops::record::console::collapse::STREAMS;
use crate::ops::record::console::plumbing::{Channel, Streams, nowhere};
use crate::ops::record::console::source::{Part, Source};
use crate::ops::record::console::spool::Spool;

/// The word by which our own binary is started as a pump.
pub const COMMAND: &str = "_pump";
/// What the pump says when it reads from the command.
pub const READY: u8 = b'r';
/// What it says when it writes nothing more into the live folder.
pub const SEALED: u8 = b's';

/// What the recorder says when the command has ended.
pub const ENDED: u8 = b'e';

/// How long output waits to be written down together with what follows.
const TICK: Duration = Duration::from_millis(50);
/// How long keeping may rest after it had much to do.
const REST_MAX: Duration = Duration::from_millis(200);
/// How long after the command's end others may still write.
pub const GRACE: Duration = Duration::from_secs(2);
/// How long after it a reader may take for what is on its way.
const GRACE_FOR_READERS: Duration = Duration::from_secs(10);
/// How often a file is looked at that the command writes to by itself.
const FOLLOWING: Duration = Duration::from_millis(200);
/// How much may wait for being kept.
const QUEUE_MAX: usize = 8 << 20;

/// Signals that are the command's to act on.
const NOT_OURS: [i32; 5] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP];

/// Runs the pump: `group` and `folder`, then what the recorder says on stdin.
pub fn main(mut arguments: impl Iterator<Item = OsString>) {
    let group = arguments.next().and_then(|text| text.to_str()?.parse().ok()).and_then(Pid::from_raw);
    let Some(folder) = arguments.next().map(PathBuf::from) else {
        return;
    };
    let ignored = Arc::new(AtomicBool::new(false));
    for signal in NOT_OURS {
        // Where it cannot be taken, it was ignored already or is not known.
        let _ = signal_hook::flag::register(signal, Arc::clone(&ignored));
    }
    // With the command in one group: a terminal that stops its background writers (`tostop`) stops them together.
    let _ = rustix::process::setpgid(None, group);
    let Ok(channels) = receive() else {
        return;
    };
    say(READY);
    pump(channels, folder);
}

fn pump(channels: Vec<Channel>, folder: PathBuf) {
    let source = Source::read(&folder).unwrap_or_default();
    let state = Arc::new(State::default());
    state.lock().streams = vec![Stream::Busy; channels.len()];
    state.lock().following = source.files.len();
    watch_size(&channels);
    let passing: Vec<_> = channels
        .into_iter()
        .enumerate()
        .map(|(number, channel)| {
            let keep = Keep { state: Arc::clone(&state), number };
            thread::spawn(move || pass(channel, Some(&keep)))
        })
        .collect();
    for part in source.files.clone() {
        let state = Arc::clone(&state);
        thread::spawn(move || follow(&part, &state));
    }
    {
        let state = Arc::clone(&state);
        thread::spawn(move || listen(&state));
    }
    capture(&state, Spool::new(&folder, source.redactor()));
    say(SEALED);
    for thread in passing {
        // One that panicked has let go of its ends.
        let _ = thread.join();
    }
}

/// Says something to the recorder, if it is still there.
fn say(word: u8) {
    let _ = rustix::io::retry_on_intr(|| rustix::io::write(rustix::stdio::stdin(), &[word]));
}

/// What there is to read from.
fn receive() -> io::Result<Vec<Channel>> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let mut letters = [0; 2];
    let count = loop {
        let mut slices = [io::IoSliceMut::new(&mut letters)];
        match rustix::net::recvmsg(rustix::stdio::stdin(), &mut slices, &mut rights, RecvFlags::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            message => break message?.bytes,
        }
    };
    let mut descriptors = Vec::new();
    for message in rights.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    let streams = letters[..count].iter().filter_map(|letter| Streams::of(*letter));
    Ok(streams
        .zip(descriptors)
        .map(|(streams, source)| Channel { streams, source: Arc::new(source) })
        .collect())
}

/// What the threads share.
#[derive(Default)]
struct State {
    shared: Mutex<Shared>,
    changed: Condvar,
}

#[derive(Default)]
struct Shared {
    /// Output that is not yet kept, with its stream.
    queue: VecDeque<(usize, Vec<u8>)>,
    queued: usize,
    /// How much of each stream did not fit, all of it before what is queued.
    lost: Lost,
    streams: Vec<Stream>,
    /// How many files are followed.
    following: usize,
    ended: Option<Instant>,
    is_recorder_gone: bool,
    /// Whether nothing is kept any more.
    is_sealed: bool,
}

type Lost = [u64; STREAMS];

/// How far one stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    /// Something is on its way.
    Busy,
    /// Everything that was written has been passed on.
    Idle,
    /// The same, once the command had ended.
    Drained,
    Closed,
}

/// Where a thread that passes output on leaves the copy.
pub struct Keep {
    state: Arc<State>,
    number: usize,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, stream: usize, bytes: &[u8]) {
        let mut shared = self.lock();
        if shared.is_sealed {
            return;
        }
        shared.queued += bytes.len();
        shared.queue.push_back((stream, bytes.to_vec()));
        // The newest is worth the most: it says why the command failed.
        while shared.queued > QUEUE_MAX
            && let Some((stream, oldest)) = shared.queue.pop_front()
        {
            shared.queued -= oldest.len();
            shared.lost[stream] += oldest.len() as u64;
        }
        self.changed.notify_all();
    }
}

impl Keep {
    fn set(&self, stream: Stream) {
        let mut shared = self.state.lock();
        let is_drained = stream == Stream::Idle && shared.ended.is_some();
        let stream = if is_drained { Stream::Drained } else { stream };
        // What is drained stays so, though what was left behind goes on writing.
        if shared.streams[self.number] != Stream::Drained || stream == Stream::Closed {
            shared.streams[self.number] = stream;
        }
        self.state.changed.notify_all();
    }
}

impl Shared {
    fn is_all(&self, states: &[Stream]) -> bool {
        self.streams.iter().all(|stream| states.contains(stream))
    }

    /// Whether there is nothing more to wait for, or else for how long to wait at most.
    fn is_over(&self) -> Result<(), Option<Duration>> {
        if self.is_all(&[Stream::Closed]) && self.following == 0 {
            return Ok(());
        }
        let Some(ended) = self.ended else {
            return Err(None);
        };
        let patience = match self.is_all(&[Stream::Drained, Stream::Closed]) {
            true => GRACE,
            false => GRACE_FOR_READERS,
        };
        match patience.saturating_sub(ended.elapsed()) {
            Duration::ZERO => Ok(()),
            left => Err(Some(left)),
        }
    }
}

/// Passes on everything until the command and all it left behind have closed their end, or nobody reads any more.
pub fn pass(channel: Channel, keep: Option<&Keep>) {
    let window = Window::of(&channel);
    let Channel { streams, source } = channel;
    let destination = streams.destination();
    let mut buffer = vec![0; 64 << 10];
    let set = |stream| keep.iter().for_each(|keep| keep.set(stream));
    let push = |bytes: &[u8]| keep.iter().for_each(|keep| keep.state.push(streams.number(), bytes));
    loop {
        let mut is_deserted = look(&source, destination, Some(Duration::ZERO));
        if is_deserted.is_none() {
            set(Stream::Idle);
            is_deserted = look(&source, destination, None);
            set(Stream::Busy);
        }
        if is_deserted == Some(true) {
            last_words(&source, &mut buffer, &push);
            break;
        }
        match rustix::io::read(&*source, &mut buffer[..]) {
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            // A terminal says by an error that nobody writes to it any more.
            Ok(0) | Err(_) => break,
            Ok(count) => {
                // A shell of the command's own keeps the signal from us.
                window.iter().for_each(Window::fit);
                push(&buffer[..count]);
                if write(destination, &buffer[..count]).is_err() {
                    break;
                }
            }
        }
    }
    drop(source);
    release(streams);
    set(Stream::Closed);
}

/// Waits until there is something to read, or nobody to write to: then whether that is so, or nothing if neither is.
fn look(source: &OwnedFd, destination: BorrowedFd<'_>, patience: Option<Duration>) -> Option<bool> {
    let mut polled =
        [PollFd::new(source, PollFlags::IN), PollFd::from_borrowed_fd(destination, PollFlags::empty())];
    let patience = patience.and_then(|patience| patience.try_into().ok());
    match rustix::io::retry_on_intr(|| rustix::event::poll(&mut polled, patience.as_ref())) {
        Ok(0) => None,
        Ok(_) => Some(polled[1].revents().intersects(PollFlags::ERR | PollFlags::HUP)),
        // What cannot be polled is read from until that says what is wrong.
        Err(_) => Some(false),
    }
}

/// Keeps what is on its way although nobody is there to be given it.
fn last_words(source: &OwnedFd, buffer: &mut [u8], push: &impl Fn(&[u8])) {
    let mut left = rustix::io::ioctl_fionread(source).unwrap_or_default();
    while left > 0 {
        match rustix::io::read(source, &mut *buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => {
                push(&buffer[..count]);
                left = left.saturating_sub(count as u64);
            }
        }
    }
}

fn write(destination: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), rustix::io::Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(destination, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(rustix::io::Errno::INTR) => {}
            // The descriptor is shared, and another made it so that it does not wait.
            Err(rustix::io::Errno::AGAIN) => {
                let mut polled = [PollFd::from_borrowed_fd(destination, PollFlags::OUT)];
                match rustix::event::poll(&mut polled, None) {
                    Ok(_) | Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Lets go of the destination: its reader waits for the last of us.
fn release(streams: Streams) {
    let Ok(nowhere) = nowhere() else {
        return;
    };
    if streams != Streams::Error {
        let _ = rustix::stdio::dup2_stdout(&nowhere);
    }
    if streams != Streams::Out {
        let _ = rustix::stdio::dup2_stderr(&nowhere);
    }
}

/// Reads what the command appends to a file by itself.
fn follow(part: &Part, state: &State) {
    let mut buffer = vec![0; 64 << 10];
    let mut file = part.open().ok();
    loop {
        // Asked before the file is, so that nothing written before the end is missed.
        let is_last = {
            let shared = state.lock();
            shared.ended.is_some() || (shared.is_recorder_gone && shared.is_all(&[Stream::Closed]))
        };
        while let Some(open) = &mut file {
            match open.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => state.push(part.stream, &buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => file = None,
            }
        }
        let mut shared = state.lock();
        if is_last || shared.is_sealed {
            shared.following -= 1;
            state.changed.notify_all();
            return;
        }
        if shared.ended.is_none() {
            drop(state.changed.wait_timeout_while(shared, FOLLOWING, |shared| shared.ended.is_none()));
        }
    }
}

/// Takes what the recorder says: that the command has ended.
fn listen(state: &State) {
    let mut buffer = [0; 64];
    loop {
        let count = match rustix::io::read(rustix::stdio::stdin(), &mut buffer) {
            Err(rustix::io::Errno::INTR) => continue,
            Ok(count) => count,
            Err(_) => 0,
        };
        let mut shared = state.lock();
        if buffer[..count].contains(&ENDED) {
            shared.ended.get_or_insert_with(Instant::now);
            let idle = shared.streams.iter_mut().filter(|stream| **stream == Stream::Idle);
            idle.for_each(|stream| *stream = Stream::Drained);
        }
        shared.is_recorder_gone |= count == 0;
        state.changed.notify_all();
        if count == 0 {
            return;
        }
    }
}

/// A terminal of the command's and the real one, whose size it has.
struct Window {
    /// Gone once nobody reads from it: the command must then see that.
    source: Weak<OwnedFd>,
    real: BorrowedFd<'static>,
}

impl Window {
    fn of(channel: &Channel) -> Option<Self> {
        let real = channel.streams.destination();
        let is_terminal = rustix::termios::isatty(&*channel.source) && rustix::termios::isatty(real);
        is_terminal.then(|| Self { source: Arc::downgrade(&channel.source), real })
    }

    /// Gives the command's terminal the real one's size. Who is at the terminal was told by that one, too early, and
    /// is told again.
    fn fit(&self) {
        let Some(source) = self.source.upgrade() else {
            return;
        };
        let size = rustix::termios::tcgetwinsize(self.real);
        let own = rustix::termios::tcgetwinsize(&*source);
        if let (Ok(size), Ok(own)) = (size, own)
            && size != own
        {
            let _ = rustix::termios::tcsetwinsize(&*source, size);
            if let Ok(group) = rustix::termios::tcgetpgrp(self.real) {
                let _ = rustix::process::kill_process_group(group, Signal::WINCH);
            }
        }
    }
}

/// Keeps the command's terminals as large as the real ones.
fn watch_size(channels: &[Channel]) {
    let windows: Vec<_> = channels.iter().filter_map(Window::of).collect();
    if windows.is_empty() {
        return;
    }
    // Before anything is passed on, so that no change is missed.
    if let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGWINCH, SIGCONT]) {
        thread::spawn(move || signals.forever().for_each(|_| windows.iter().for_each(Window::fit)));
    }
}

/// Keeps what is queued until there is nothing more to keep.
fn capture(state: &State, mut spool: Spool) {
    let mut due = Instant::now();
    let mut is_dirty = false;
    loop {
        let (chunks, lost, is_over) = next(state, is_dirty.then_some(due));
        for (stream, bytes) in lost.into_iter().enumerate().filter(|(_, bytes)| *bytes > 0) {
            spool.lose(stream, bytes);
        }
        let begin = Instant::now();
        is_dirty |= !chunks.is_empty();
        for (stream, bytes) in &chunks {
            spool.feed(*stream, bytes);
        }
        if is_over {
            spool.finish();
            return;
        }
        if is_dirty && Instant::now() >= due {
            spool.write();
            is_dirty = false;
            due = Instant::now() + TICK;
        }
        rest(state, begin.elapsed());
    }
}

/// Leaves the processor to a command that prints more than anyone could read: most of it will not be kept anyway.
fn rest(state: &State, worked: Duration) {
    if worked >= TICK / 10 {
        let is_running = |shared: &mut Shared| shared.is_over() == Err(None);
        let rest = (3 * worked).min(REST_MAX);
        drop(state.changed.wait_timeout_while(state.lock(), rest, is_running));
    }
}

/// Waits for output, for the moment to write down, or for the end.
fn next(state: &State, due: Option<Instant>) -> (VecDeque<(usize, Vec<u8>)>, Lost, bool) {
    let mut shared = state.lock();
    loop {
        let over = shared.is_over();
        shared.is_sealed = over.is_ok();
        let now = Instant::now();
        if over.is_ok() || !shared.queue.is_empty() || due.is_some_and(|due| due <= now) {
            shared.queued = 0;
            let lost = std::mem::take(&mut shared.lost);
            return (std::mem::take(&mut shared.queue), lost, over.is_ok());
        }
        let until_due = due.map(|due| due - now);
        let patience = until_due.into_iter().chain(over.err().flatten()).min();
        shared = match patience {
            Some(patience) => {
                state.changed.wait_timeout(shared, patience).unwrap_or_else(PoisonError::into_inner).0
            }
            None => state.changed.wait(shared).unwrap_or_else(PoisonError::into_inner),
        };
    }
}
