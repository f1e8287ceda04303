//! Speaks SIP (RFC 3261): messages, transactions, dialogs, and [`transport`] as machines without I/O.
//!
//! Bytes, commands and *the time* go in; ordered outputs and the next deadline come out. A body is bytes with a
//! content type: this crate never looks into SDP. Sockets, clocks and the resolver live in the `driver` module,
//! behind the feature of that name.

#![forbid(unsafe_code)]

pub mod auth;
pub mod backlog;
#[cfg(feature = "rsip")]
pub mod compat;
pub mod deadline;
pub mod dialog;
#[cfg(feature = "driver")]
pub mod driver;
pub mod endpoint;
mod key;
pub mod locate;
pub mod message;
mod token;
pub mod transaction;
pub mod transport;

pub use auth::UserId;
pub use dialog::SessionPolicy;
pub use endpoint::{
    Ask, ByStatus, Counters, EarlyId, Endpoint, Event, FailCause, HangUp, Input, Invite, Named, OpenId,
    Output, OwnName, Refusal, Reliability, Reply, RequestKey, ResolveId, Service, Settings, Terms, Urgent,
};
pub use key::LegKey;
pub use locate::{Located, Trouble};
pub use message::{Body, Message, StatusCode};
pub use transport::{Flow, Host, Listener, PeerId, Sources, Target, TargetError, Transport};
