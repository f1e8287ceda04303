//! A simulator of Teams Direct Routing on real sockets: three data centres over mutual TLS, people with voices of their
//! own over SRTP, and misbehaviour by switch. It behaves as the facts about Direct Routing say; its sentences about
//! what went wrong name the chapter. What there is unverified is said so there.

mod call;
mod dress;
mod driver;
mod gate;
mod inside;
mod judge;
mod papers;
mod person;
mod proxy;
mod ringing;
mod sound;

pub use driver::{Place, TeamsSim};
pub use papers::Papers;
pub use person::{Conduct, Person};
pub use proxy::{NAMES, PORT, Proxy, Seen, Switches};
