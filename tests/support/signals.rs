//! Which signals the programs under test hear: all of them, however the tests themselves were started.
//!
//! A shell starts its background jobs, and CI its steps, with the interrupt ignored, and `nohup` the hang-up. Programs
//! inherit that, and a shell script cannot even undo it: tests of signals would judge the machine instead of the program.

/// From now on, programs that this process starts get every signal as a shell's foreground command does.
#[cfg(target_os = "linux")]
pub fn heard_by_children() {
    use std::sync::{Arc, Once};

    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1};
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1] {
            if is_ignored(signal) {
                // A handler is not inherited: the signal is as good as ignored here, and heard by what is started.
                signal_hook::flag::register(signal, Arc::default()).unwrap();
            }
        }
    });
}

#[cfg(not(target_os = "linux"))]
pub fn heard_by_children() {}

#[cfg(target_os = "linux")]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() >> (signal - 1) & 1 == 1
}
