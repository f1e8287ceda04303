//! TLS after the handshake: records in, plain bytes out, and back.

use crate::driver::framing::Framing;
use rustls::{Connection, Error};
use std::io::{BufRead, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// One established session. Reading and writing take turns; neither waits inside.
pub(in crate::driver) struct Session {
    tls: Mutex<Connection>,
    /// Rings when reading has made something to send: a key update, an alert.
    pub(in crate::driver) has_more: Notify,
}

/// Whether more can come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::driver) enum Reading {
    Open,
    Ended,
}

impl Session {
    pub(super) fn new(mut tls: Connection) -> Session {
        tls.set_buffer_limit(None); // what is sealed is taken out at once
        Session { tls: Mutex::new(tls), has_more: Notify::new() }
    }

    fn tls(&self) -> MutexGuard<'_, Connection> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was read from the socket, and gives what it says to the framer. Nothing is taken on the first call:
    /// it hands over what came with the end of the handshake.
    pub(in crate::driver) fn open(&self, mut sealed: &[u8], framer: &mut Framing) -> Result<Reading, Error> {
        let mut tls = self.tls();
        let mut reading = hand_over(&mut tls, framer);
        while !sealed.is_empty() && reading == Reading::Open {
            // A slice does not fail, and the reader is empty: what is refused is a record too long.
            tls.read_tls(&mut sealed).map_err(|error| Error::General(error.to_string()))?;
            let processed = tls.process_new_packets();
            if tls.wants_write() {
                self.has_more.notify_one();
            }
            processed?;
            reading = hand_over(&mut tls, framer);
        }
        Ok(reading)
    }

    /// Seals plain bytes for the socket, behind whatever TLS itself has to say.
    pub(in crate::driver) fn seal(&self, plain: &[u8]) -> Vec<u8> {
        let mut tls = self.tls();
        let mut sealed = Vec::with_capacity(plain.len() + 64);
        // Neither fails: the buffer has no limit, and a vector takes all.
        let _ = tls.writer().write_all(plain);
        drain(&mut tls, &mut sealed);
        sealed
    }

    /// The farewell (RFC 8446 §6.1).
    pub(in crate::driver) fn close(&self) -> Vec<u8> {
        let mut tls = self.tls();
        tls.send_close_notify();
        let mut sealed = Vec::new();
        drain(&mut tls, &mut sealed);
        sealed
    }
}

/// Gives all plain bytes to the framer.
fn hand_over(tls: &mut Connection, framer: &mut Framing) -> Reading {
    let mut reader = tls.reader();
    loop {
        match reader.fill_buf() {
            Ok([]) => return Reading::Ended,
            Ok(plain) => {
                framer.push(plain);
                let len = plain.len();
                reader.consume(len);
            }
            Err(_) => return Reading::Open, // would block
        }
    }
}

pub(super) fn drain(tls: &mut Connection, into: &mut Vec<u8>) {
    while tls.wants_write() && tls.write_tls(into).is_ok() {}
}

/// Takes bytes of a handshake.
pub(super) fn feed(tls: &mut Connection, mut sealed: &[u8]) -> Result<(), Error> {
    while !sealed.is_empty() {
        read_some(tls, &mut sealed)?;
        tls.process_new_packets()?;
    }
    Ok(())
}

fn read_some(tls: &mut Connection, sealed: &mut dyn Read) -> Result<(), Error> {
    tls.read_tls(sealed).map(drop).map_err(|error| Error::General(error.to_string()))
}
