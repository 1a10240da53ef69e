//! Panics of a reader of foreign bytes, turned into an answer.
//!
//! Knows nothing of what is read. A panic anywhere else is told and unwinds as ever.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static IS_CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// What `read` gives; `None` if it panicked, of which nothing is then printed. What it had changed is as it left it.
pub fn contained<T>(read: impl FnOnce() -> T) -> Option<T> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let tell = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_CONTAINED.get() {
                tell(panic);
            }
        }));
    });
    IS_CONTAINED.set(true);
    let answer = catch_unwind(AssertUnwindSafe(read)).ok();
    IS_CONTAINED.set(false);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_answer() {
        assert_eq!(contained(|| 1), Some(1));
        assert_eq!(contained(|| -> u8 { panic!("read beyond the end") }), None);
        assert!(!IS_CONTAINED.get(), "the next panic is told again");
    }
}
