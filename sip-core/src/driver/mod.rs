//! Sockets, clock and resolver for an endpoint: the only part of this crate that touches the outside world.
//!
//! [`Sockets`] lives on one current-thread tokio runtime, beside the shard that owns the endpoint: [`Sockets::next`]
//! gives inputs, and the endpoint's outputs go to [`Sockets::transmit`], [`Sockets::open`] and
//! [`Sockets::resolve`]. There is a task for each connection and each listener, none for a call.

#![allow(clippy::disallowed_methods)]

mod connections;
mod counters;
mod dns;
mod framing;
mod icmp;
mod mishap;
mod pings;
mod resolve;
mod settings;
mod sockets;
mod stream;
pub mod tls;
mod udp;
mod ws;

pub use counters::Counters;
pub use settings::{DnsSettings, DriverSettings};
pub use sockets::{Sockets, Unbound};
pub use udp::Buffers;
