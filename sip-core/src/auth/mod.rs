//! Who somebody is: digest authentication as SIP uses it (RFC 3261 §22), on both sides.

pub mod digest;
mod guard;
mod lockout;

pub use guard::{Admission, Guard, GuardSettings};
pub use lockout::{Lockout, Suspect};

/// Somebody who may prove his password, by the number that its owner gave him.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(pub u32);
