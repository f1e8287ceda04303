//! Whole calls in virtual time: the production machines, minus their drivers, on a seeded network.
#![forbid(unsafe_code)]

pub mod check;
pub mod net;
pub mod phone;
pub mod world;

pub use net::Link;
pub use phone::{Behaviour, PhoneId};
pub use world::World;
