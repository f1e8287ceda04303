//! The outside of [`Engine`](crate::Engine): one thread per worker, its sockets and its clock.

mod pace;
mod socket;
mod sockets;
mod thread;
mod worker;

pub use socket::MediaSocket;
pub use worker::{Refused, Worker, WorkerCounters, WorkerSettings};
