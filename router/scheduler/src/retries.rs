//! How often operations had to try again because another thread was faster. Only with the feature `retries`: a
//! count that says, other than a time, whether threads hinder each other.

use std::cell::Cell;

thread_local! {
    static RETRIES: Cell<u32> = const { Cell::new(0) };
}

pub(crate) fn count() {
    RETRIES.set(RETRIES.get() + 1);
}

/// The retries of the calls this thread has made since it asked last.
pub fn take() -> u32 {
    RETRIES.take()
}
