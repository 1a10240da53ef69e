//! The process that `record` starts of this same binary to pass on and keep what a command prints; nobody types it.

/// Whether this process is one, in which case it has done its work by now.
pub fn is_called() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    is_pump(&mut arguments)
}

#[cfg(unix)]
fn is_pump(arguments: &mut impl Iterator<Item = std::ffi::OsString>) -> bool {
    use crate::ops::record::console::pump;
    let is_called = arguments.next().is_some_and(|word| word == pump::COMMAND);
    if is_called {
        pump::main(arguments);
    }
    is_called
}

#[cfg(not(unix))]
fn is_pump(_: &mut impl Iterator<Item = std::ffi::OsString>) -> bool {
    false
}
