//! What the unit tests of this crate share.

use std::time::Instant;

/// Any instant: from here on time is a variable of the test.
#[allow(clippy::disallowed_methods)]
pub(crate) fn origin() -> Instant {
    Instant::now()
}
