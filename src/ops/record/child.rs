//! The command that is recorded: started with our own stdin, stdout and stderr or what `console` has in their place, sent
//! the signals that we get, waited for.
//!
//! Also what else only the operating system knows of processes and files. All calls that are Unix's own are here;
//! elsewhere the command runs without signals being passed on.

use std::fs::Metadata;
use std::io;
use std::process::Command;

use crate::ops::record::console::Capture;

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ended {
    /// Its exit code, if it exited.
    pub code: Option<i32>,
    /// The number of the signal that ended it.
    pub signal: Option<i32>,
    /// The number of the first signal that asked this process to stop meanwhile.
    pub interrupted: Option<i32>,
}

/// The exit codes by which shells tell why a command did not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotStarted {
    /// 127 if it was not found, else 126.
    pub code: i32,
    /// Why, as the system says it.
    pub reason: String,
}

impl NotStarted {
    fn new(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self { code: 127, reason: "it is not found".to_owned() },
            io::ErrorKind::PermissionDenied => Self { code: 126, reason: "it is not executable".to_owned() },
            _ => Self { code: 126, reason: error.to_string() },
        }
    }
}

/// Runs the command to its end; what it prints is captured where that is asked for.
pub fn run(command: &mut Command, capture: Option<&Capture>) -> Result<Ended, NotStarted> {
    system::run(command, capture).map_err(|error| NotStarted::new(&error))
}

/// The exit code by which a shell passes on how a command ended.
pub fn exit_code(ended: &Ended) -> u8 {
    let code = ended.code.or(ended.signal.map(|signal| 128 + signal)).unwrap_or(1);
    // Windows has exit codes that fit no byte; they must not become success.
    u8::try_from(code).unwrap_or(1)
}

/// The name of a signal, `SIGKILL`.
pub fn signal_name(signal: i32) -> String {
    system::signal_name(signal).map_or_else(|| format!("SIG{signal}"), str::to_owned)
}

/// Whether the file may be executed.
pub fn is_executable(metadata: &Metadata) -> bool {
    system::is_executable(metadata)
}

#[cfg(unix)]
mod system {
    use std::fs::Metadata;
    use std::io;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Command;
    use std::sync::{Arc, Mutex, PoisonError};
    use std::thread;
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
    use signal_hook::consts::signal::*;
    use signal_hook::iterator::SignalsInfo;
    use signal_hook::iterator::exfiltrator::WithOrigin;
    use signal_hook::low_level::siginfo::{Cause, Origin};

    use crate::ops::record::child::Ended;
    use crate::ops::record::console::{Capture, attach};

    /// The signals that the command gets from us. SIGWINCH is the terminal's own business.
    const FORWARDED: [i32; 8] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT];

    /// Those that ask to stop for good.
    const STOPPING: [i32; 4] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT];

    /// Those that a terminal sends to the command as well, being in the same process group.
    const FROM_TERMINAL: [i32; 4] = [SIGINT, SIGHUP, SIGQUIT, SIGTSTP];

    /// How long after the terminal `git`, which got its signal too, may take to pass it on to us.
    const ECHO: Duration = Duration::from_secs(1);

    /// What the thread that takes signals and the one that waits share.
    #[derive(Default)]
    struct Watch {
        /// The command while it may be sent signals: never once it has been reaped, when another process may have its
        /// number.
        child: Option<Pid>,
        /// Who started us: `git` in `git xtrack`.
        parent: Option<Pid>,
        has_ended: bool,
        interrupted: Option<i32>,
        /// Stops asked for after the command ended.
        late: u32,
        /// The last signal that the terminal sent to all of its group, and when.
        from_terminal: Option<(i32, Instant)>,
    }

    pub fn run(command: &mut Command, capture: Option<&Capture>) -> io::Result<Ended> {
        let parent = rustix::process::getppid();
        let watch = Arc::new(Mutex::new(Watch { parent, ..Watch::default() }));
        // Taken before the command starts, so that none is lost in between; it starts with the default handlers.
        let taken = FORWARDED.into_iter().filter(|signal| !is_ignored(*signal));
        let signals = SignalsInfo::<WithOrigin>::new(taken);
        let mut console = capture.and_then(|capture| attach(command, capture));
        let started = command.spawn();
        let pid = started.as_ref().ok().map(Pid::from_child);
        with(&watch, |watch| watch.child = pid);
        if let Ok(mut signals) = signals {
            let watch = Arc::clone(&watch);
            thread::spawn(move || signals.forever().for_each(|origin| take(&watch, &origin)));
        }
        if let Some(console) = &mut console {
            console.started(command);
        }
        if let Some(pid) = pid {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            // An error here comes again from `wait`, which reports it.
            let _ = rustix::io::retry_on_intr(|| rustix::process::waitid(WaitId::Pid(pid), options));
        }
        let interrupted = with(&watch, |watch| {
            (watch.child, watch.has_ended) = (None, true);
            watch.interrupted
        });
        let status = started.and_then(|mut child| child.wait());
        if let Some(console) = console {
            console.ended();
        }
        let status = status?;
        Ok(Ended { code: status.code(), signal: status.signal(), interrupted })
    }

    fn with<T>(watch: &Mutex<Watch>, action: impl FnOnce(&mut Watch) -> T) -> T {
        action(&mut watch.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take(watch: &Mutex<Watch>, origin: &Origin) {
        let signal = origin.signal;
        let is_stop = STOPPING.contains(&signal);
        let gives_up = with(watch, |watch| {
            if watch.is_echo(origin) {
                return false;
            }
            let sent_to_both = FROM_TERMINAL.contains(&signal) && is_from_terminal(origin);
            if sent_to_both {
                watch.from_terminal = Some((signal, Instant::now()));
            }
            if is_stop && !watch.has_ended {
                watch.interrupted.get_or_insert(signal);
            }
            if let (Some(pid), Some(signal), false) =
                (watch.child, Signal::from_named_raw(signal), sent_to_both)
            {
                // It may have just ended.
                let _ = rustix::process::kill_process(pid, signal);
            }
            watch.late += u32::from(is_stop && watch.has_ended);
            // The first is the one that ended the command, or comes while it is recorded; who insists is obeyed.
            watch.late > 1
        });
        if gives_up {
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
        if signal == SIGTSTP {
            // The command has been stopped: so are we, until the shell continues both.
            let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::STOP);
        }
    }

    impl Watch {
        /// Whether this is what the terminal sent us a moment ago, passed on by `git`.
        fn is_echo(&self, origin: &Origin) -> bool {
            let is_recent =
                self.from_terminal.is_some_and(|(signal, at)| signal == origin.signal && at.elapsed() < ECHO);
            is_recent && self.parent.is_some() && sender(origin) == self.parent
        }
    }

    fn sender(origin: &Origin) -> Option<Pid> {
        origin.process.and_then(|process| Pid::from_raw(process.pid))
    }

    /// Whether the signal went to all of our group, so that the command has it already. What another process sends, it
    /// sends to us.
    fn is_from_terminal(origin: &Origin) -> bool {
        match origin.cause {
            // Of a terminal that goes, the leader of its session alone is told.
            Cause::Kernel => origin.signal != SIGHUP || !is_session_leader(),
            // A shell whose terminal goes tells each of its jobs so as a whole.
            Cause::Sent(_) => origin.signal == SIGHUP && is_job_of(sender(origin)),
            // Not every system says it: then what is in the foreground of a terminal has it from there.
            _ => is_in_foreground(),
        }
    }

    fn is_session_leader() -> bool {
        nix::unistd::getsid(None) == Ok(nix::unistd::getpid())
    }

    /// Whether this is the shell at the terminal, and we are a job of its own. A shell outside of our container sends
    /// under no number, and its session has none here.
    fn is_job_of(shell: Option<Pid>) -> bool {
        let shell = shell.map(|shell| nix::unistd::Pid::from_raw(shell.as_raw_pid()));
        shell.is_some() && shell == nix::unistd::getsid(None).ok() && shell != Some(nix::unistd::getpgrp())
    }

    /// Whether this process is in the foreground of its terminal, whose ^C then reaches the command without us.
    fn is_in_foreground() -> bool {
        let group = std::fs::File::open("/dev/tty").ok().and_then(|tty| rustix::termios::tcgetpgrp(tty).ok());
        group.is_some_and(|group| group.as_raw_pid() == nix::unistd::getpgrp().as_raw())
    }

    /// Whether we were started with the signal ignored (`nohup`), which the command must inherit.
    fn is_ignored(signal: i32) -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()).unwrap_or_default();
        mask >> (signal - 1) & 1 == 1
    }

    pub fn signal_name(signal: i32) -> Option<&'static str> {
        signal_hook::low_level::signal_name(signal)
    }

    pub fn is_executable(metadata: &Metadata) -> bool {
        metadata.permissions().mode() & 0o111 != 0
    }
}

#[cfg(not(unix))]
mod system {
    use std::fs::Metadata;
    use std::io;
    use std::process::Command;

    use crate::ops::record::child::Ended;
    use crate::ops::record::console::Capture;

    pub fn run(command: &mut Command, _: Option<&Capture>) -> io::Result<Ended> {
        Ok(Ended { code: command.status()?.code(), ..Ended::default() })
    }

    pub fn signal_name(_: i32) -> Option<&'static str> {
        None
    }

    pub fn is_executable(_: &Metadata) -> bool {
        false
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_passed_on_as_shells_do() {
        assert_eq!(exit_code(&Ended { code: Some(3), ..Ended::default() }), 3);
        assert_eq!(exit_code(&Ended { signal: Some(9), ..Ended::default() }), 137);
        assert_eq!(exit_code(&Ended { code: Some(-1), ..Ended::default() }), 1);
    }

    #[cfg(unix)]
    #[test]
    fn commands_end_in_every_way() {
        let shell = |script: &str| run(Command::new("sh").arg("-c").arg(script), None);
        assert_eq!(shell("exit 5").unwrap().code, Some(5));
        let killed = shell("kill -KILL $$").unwrap();
        assert_eq!(signal_name(killed.signal.unwrap()), "SIGKILL");
        assert_eq!(run(&mut Command::new("no-such-program-here"), None).unwrap_err().code, 127);
        assert_eq!(run(&mut Command::new("/"), None).unwrap_err().code, 126);
    }
}
