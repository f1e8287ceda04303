//! Whole calls in virtual time: the production machines, minus their drivers, on a seeded network. Beside it
//! [`demo`]: the same telephones on real sockets; [`graph`]: Microsoft Graph on a real port, and
//! [`teams`]: Teams Direct Routing.
#![forbid(unsafe_code)]

pub mod check;
pub mod demo;
pub mod graph;
pub mod net;
pub mod phone;
mod shield;
pub mod teams;
mod tone;
pub mod world;

pub use net::Link;
pub use phone::{Behaviour, PhoneId};
pub use world::World;
