//! The whole of sip-core for one shard: bytes and commands in; bytes, events and the next deadline out.

mod event;
mod io;
mod settings;

pub use event::{EarlyId, Event, FailCause, HangUp, Invite, Reply, RequestKey};
pub use io::{Input, OpenId, Output, ResolveId};
pub use settings::{Service, Settings};
