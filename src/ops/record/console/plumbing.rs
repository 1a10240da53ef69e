//! What the command gets as stdout and stderr, by what ours are, and the start and end of the pump.
//!
//! Knows descriptors; not what goes through them. Whenever anything here fails, the command gets our own descriptors and
//! nothing is captured.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::fs::{FileType, Stat};
use rustix::io::FdFlags;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, OutputModes};

use crate::ops::record::console::source::{Part, Source};
use crate::ops::record::console::{Capture, conclude, pump};

/// How long the recorder waits for a pump that does not even say that it gives up.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a pump may take to start on the slowest of machines.
const START: Duration = Duration::from_secs(10);

/// The console of a command that is running.
#[derive(Debug)]
pub struct Attached {
    folder: PathBuf,
    pump: Option<Pump>,
}

#[derive(Debug)]
struct Pump {
    process: Child,
    line: UnixStream,
    /// What the pump reads from, until it says that it does.
    sources: Vec<Channel>,
    /// Those that take its place if it ended.
    substitutes: Vec<JoinHandle<()>>,
}

/// The end that is read from of what the command writes to.
#[derive(Debug)]
pub struct Channel {
    /// Which streams the command writes to the other end.
    pub streams: Streams,
    /// The end.
    pub source: Arc<OwnedFd>,
}

/// What of the command's goes into one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// Its stdout.
    Out,
    /// Its stderr.
    Error,
    /// Both, being the same file: their order is kept.
    Both,
}

impl Streams {
    /// The letter that stands for it.
    pub fn letter(self) -> u8 {
        match self {
            Streams::Out => b'o',
            Streams::Error => b'e',
            Streams::Both => b'b',
        }
    }

    /// What the letter stands for.
    pub fn of(letter: u8) -> Option<Self> {
        [Streams::Out, Streams::Error, Streams::Both].into_iter().find(|streams| streams.letter() == letter)
    }

    /// Our own descriptor that it goes to.
    pub fn destination(self) -> BorrowedFd<'static> {
        match self {
            Streams::Error => rustix::stdio::stderr(),
            _ => rustix::stdio::stdout(),
        }
    }

    /// The stream of the capture.
    pub fn number(self) -> usize {
        usize::from(self == Streams::Error)
    }
}

/// What a descriptor of ours is.
#[derive(Debug)]
enum Kind {
    File(Part),
    Terminal,
    Pipe,
    /// Another device: the command gets it as it is.
    Other,
}

/// What the command gets.
#[derive(Default)]
struct Plan {
    out: Option<OwnedFd>,
    error: Option<OwnedFd>,
    channels: Vec<Channel>,
    files: Vec<Part>,
}

/// Sets the command's stdout and stderr so that what it prints is captured; nothing where that cannot be.
pub fn attach(command: &mut Command, capture: &Capture) -> Option<Attached> {
    try_attach(command, capture).unwrap_or_else(|_| {
        detach(command);
        None
    })
}

fn try_attach(command: &mut Command, capture: &Capture) -> io::Result<Option<Attached>> {
    let plan = plan()?;
    if plan.channels.is_empty() && plan.files.is_empty() {
        return Ok(None);
    }
    fs::create_dir_all(capture.folder.join("console"))?;
    let is_pumped = !plan.channels.is_empty();
    let source = Source { redact: capture.redact.clone(), files: plan.files, is_pumped };
    source.write(&capture.folder)?;
    let pump = is_pumped.then(|| Pump::start(capture, plan.channels)).transpose()?;
    if let Some(out) = plan.out {
        command.stdout(out);
    }
    if let Some(error) = plan.error {
        command.stderr(error);
    }
    Ok(Some(Attached { folder: capture.folder.clone(), pump }))
}

/// Gives back what the command was given: it has its own copies, and its end would not be seen while we have ours.
fn detach(command: &mut Command) {
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
}

impl Attached {
    /// Lets go of what the command has by now, or will never have.
    pub fn started(&mut self, command: &mut Command) {
        detach(command);
        if let Some(pump) = &mut self.pump {
            pump.hand_over();
        }
    }

    /// Waits until what the command printed is passed on and captured, but not for what it left behind.
    pub fn ended(self) {
        if let Some(pump) = self.pump {
            pump.end();
        }
        conclude(&self.folder);
    }
}

impl Pump {
    /// Starts it. It is a group of its own until it can take signals, so that a ^C meanwhile does not end it.
    fn start(capture: &Capture, sources: Vec<Channel>) -> io::Result<Self> {
        let (line, other) = UnixStream::pair()?;
        let group = nix::unistd::getpgrp().to_string();
        let mut command = Command::new(std::env::current_exe()?);
        command.arg0("git-xtrack").arg(pump::COMMAND).arg(group).arg(&capture.folder);
        command.stdin(OwnedFd::from(other)).process_group(0);
        let process = command.spawn()?;
        drop(command);
        let mut pump = Self { process, line, sources, substitutes: Vec::new() };
        if let Err(error) = pump.send_sources() {
            // It ends by itself, having nothing to do.
            pump.sources.clear();
            return Err(error);
        }
        Ok(pump)
    }

    fn send_sources(&self) -> io::Result<()> {
        let descriptors: Vec<_> = self.sources.iter().map(|channel| channel.source.as_fd()).collect();
        let letters: Vec<_> = self.sources.iter().map(|channel| channel.streams.letter()).collect();
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        rights.push(SendAncillaryMessage::ScmRights(&descriptors));
        rustix::net::sendmsg(&self.line, &[io::IoSlice::new(&letters)], &mut rights, SendFlags::empty())?;
        Ok(())
    }

    /// Lets go of what the pump reads from once it does. If it ended instead, a thread of ours takes its place, which
    /// captures nothing: the command must not notice.
    fn hand_over(&mut self) {
        let is_gone = self.wait_for(pump::READY, START) == Some(false);
        for channel in std::mem::take(&mut self.sources) {
            if is_gone {
                self.substitutes.push(thread::spawn(move || pump::pass(channel, None)));
            }
        }
    }

    fn end(mut self) {
        let begin = Instant::now();
        while self.substitutes.iter().any(|thread| !thread.is_finished()) && begin.elapsed() < pump::GRACE {
            thread::sleep(Duration::from_millis(1));
        }
        let is_told = self.line.write_all(&[pump::ENDED]).is_ok();
        if !is_told || self.wait_for(pump::SEALED, PATIENCE).is_some() {
            // It is ending. If it is not there yet, whoever is our parent's parent takes it.
            let _ = self.process.try_wait();
        }
    }

    /// Whether the pump said this, or ended without; nothing if it did neither in time.
    fn wait_for(&mut self, word: u8, patience: Duration) -> Option<bool> {
        self.line.set_read_timeout(Some(patience)).ok()?;
        let mut said = [0];
        loop {
            match self.line.read(&mut said) {
                Ok(0) => return Some(false),
                Ok(_) if said[0] == word => return Some(true),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => return Some(false),
            }
        }
    }
}

fn plan() -> io::Result<Plan> {
    let (out, error) = (rustix::stdio::stdout(), rustix::stdio::stderr());
    let mut plan = Plan::default();
    if is_same(&rustix::fs::fstat(out)?, &rustix::fs::fstat(error)?) {
        if let Some(end) = plan.channel(Streams::Both)? {
            plan.error = Some(end.try_clone()?);
            plan.out = Some(end);
        }
        return Ok(plan);
    }
    plan.out = plan.channel(Streams::Out)?;
    plan.error = plan.channel(Streams::Error)?;
    Ok(plan)
}

fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino, one.st_rdev) == (other.st_dev, other.st_ino, other.st_rdev)
}

impl Plan {
    /// The end that the command writes to, if it does not get our own.
    fn channel(&mut self, streams: Streams) -> io::Result<Option<OwnedFd>> {
        let own = streams.destination();
        let (source, end) = match kind(own, streams)? {
            Kind::File(part) => {
                self.files.push(part);
                return Ok(None);
            }
            Kind::Other => return Ok(None),
            Kind::Terminal => terminal(own)?,
            Kind::Pipe => {
                let (source, end) = io::pipe()?;
                (source.into(), end.into())
            }
        };
        self.channels.push(Channel { streams, source: Arc::new(source) });
        Ok(Some(end))
    }
}

fn kind(own: BorrowedFd<'_>, streams: Streams) -> io::Result<Kind> {
    let stat = rustix::fs::fstat(own)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => file(own, streams, &stat).map_or(Kind::Other, Kind::File),
        FileType::Fifo | FileType::Socket => Kind::Pipe,
        FileType::CharacterDevice if rustix::termios::isatty(own) => Kind::Terminal,
        FileType::CharacterDevice
            if fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == stat.st_rdev) =>
        {
            Kind::Pipe
        }
        _ => Kind::Other,
    })
}

/// The file by its name, if that is how it can be read.
#[allow(clippy::unnecessary_cast)] // The types differ between systems.
fn file(own: BorrowedFd<'_>, streams: Streams, stat: &Stat) -> Option<Part> {
    let path = path(own)?;
    // What is appended to begins at the end, everything else where it stands.
    let is_appended = rustix::fs::fcntl_getfl(own).ok()?.contains(rustix::fs::OFlags::APPEND);
    let offset = match is_appended {
        true => stat.st_size as u64,
        false => rustix::fs::tell(own).ok()?,
    };
    let part =
        Part { stream: streams.number(), path, identity: (stat.st_dev as u64, stat.st_ino as u64), offset };
    part.open().is_ok().then_some(part)
}

#[cfg(target_os = "linux")]
fn path(own: BorrowedFd<'_>) -> Option<PathBuf> {
    use std::os::fd::AsRawFd as _;
    fs::read_link(format!("/proc/self/fd/{}", own.as_raw_fd())).ok()
}

#[cfg(target_vendor = "apple")]
fn path(own: BorrowedFd<'_>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    let path = rustix::fs::getpath(own).ok()?;
    Some(std::ffi::OsString::from_vec(path.into_bytes()).into())
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn path(_: BorrowedFd<'_>) -> Option<PathBuf> {
    None
}

/// A terminal like `own`, whose output passes unchanged: the real one does what is to be done to it.
fn terminal(own: BorrowedFd<'_>) -> io::Result<(OwnedFd, OwnedFd)> {
    let source = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    rustix::io::fcntl_setfd(&source, FdFlags::CLOEXEC)?;
    rustix::pty::grantpt(&source)?;
    rustix::pty::unlockpt(&source)?;
    let end = peer(&source)?;
    rustix::io::fcntl_setfd(&end, FdFlags::CLOEXEC)?;
    let mut settings = rustix::termios::tcgetattr(own)?;
    settings.output_modes.remove(OutputModes::OPOST);
    rustix::termios::tcsetattr(&end, OptionalActions::Now, &settings)?;
    rustix::termios::tcsetwinsize(&end, rustix::termios::tcgetwinsize(own)?)?;
    Ok((source, end))
}

#[cfg(target_os = "linux")]
fn peer(source: &OwnedFd) -> io::Result<OwnedFd> {
    Ok(rustix::pty::ioctl_tiocgptpeer(source, OpenptFlags::RDWR | OpenptFlags::NOCTTY)?)
}

#[cfg(not(target_os = "linux"))]
fn peer(source: &OwnedFd) -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    let name = rustix::pty::ptsname(source, Vec::new())?;
    Ok(rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Something to write to that nobody reads.
pub fn nowhere() -> io::Result<File> {
    File::options().write(true).open("/dev/null")
}
