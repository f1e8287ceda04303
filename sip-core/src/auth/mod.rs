//! Who somebody is: digest authentication as SIP uses it (RFC 3261 §22), on both sides.

pub mod digest;
