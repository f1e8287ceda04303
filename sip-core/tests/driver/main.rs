//! The driver on real loopback sockets. Nothing sleeps: each test waits for what must happen, ten seconds at most.

#![cfg(feature = "driver")]

mod ipv6;
mod resolve;
mod tcp;
mod tls;
mod udp;
mod ws;
mod zone;

use bytes::Bytes;
use sip_core::driver::{DriverSettings, Sockets};
use sip_core::{Flow, Input, Listener, Transport};
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), what).await.expect("it did not happen within ten seconds")
}

fn bind(transport: Transport, settings: DriverSettings) -> Sockets {
    let listener = Listener::new(transport, SocketAddr::from(([127, 0, 0, 1], 0)));
    Sockets::bind(&[listener], settings).unwrap()
}

fn address(sockets: &Sockets) -> SocketAddr {
    sockets.listeners()[0].local
}

/// The next inputs, at least one.
async fn inputs(sockets: &mut Sockets) -> Vec<Input> {
    let mut into = vec![];
    within(sockets.next(&mut into)).await;
    into
}

/// The next input, which must be the only one.
async fn input(sockets: &mut Sockets) -> Input {
    let mut inputs = inputs(sockets).await;
    assert_eq!(inputs.len(), 1, "{inputs:?}");
    inputs.remove(0)
}

/// Inputs until there are `count`.
async fn collect(sockets: &mut Sockets, count: usize) -> Vec<Input> {
    let mut all = vec![];
    while all.len() < count {
        within(sockets.next(&mut all)).await;
    }
    all
}

/// The next input, which must be a message.
async fn message(sockets: &mut Sockets) -> (Flow, Bytes) {
    match input(sockets).await {
        Input::Received { flow, bytes } => (flow, bytes),
        other => panic!("{other:?}"),
    }
}

/// Lets the driver work until `until` is there; no input may come meanwhile.
async fn meanwhile<T>(sockets: &mut Sockets, until: impl Future<Output = T>) -> T {
    let mut into = vec![];
    tokio::select! {
        () = sockets.next(&mut into) => panic!("{into:?}"),
        done = within(until) => done,
    }
}
