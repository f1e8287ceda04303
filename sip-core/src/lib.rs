//! sip-core.
