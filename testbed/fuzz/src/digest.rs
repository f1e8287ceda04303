//! One header value: whatever it holds, it is read or refused, and what was read is written so that it reads the same.

use sip_core::auth::digest::{Challenge, Credentials};

/// Reads the bytes as a challenge and as credentials.
pub fn run(data: &[u8]) {
    if let Ok(challenge) = Challenge::parse(data) {
        assert_eq!(Challenge::parse(challenge.to_string().as_bytes()), Ok(challenge));
    }
    if let Ok(credentials) = Credentials::parse(data) {
        assert_eq!(Credentials::parse(credentials.to_string().as_bytes()), Ok(credentials));
    }
}
