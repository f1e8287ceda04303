//! What turns the bytes of a connection into messages: lines and lengths, or frames.

use super::ws::{Over, Piece, Web};
use crate::message::Limits;
use crate::transport::{Framed, FramingError, StreamFramer};
use bytes::Bytes;

/// The framing of one connection.
pub(super) enum Framing {
    /// TCP and TLS (RFC 3261 §18.3).
    Lines(StreamFramer),
    /// WebSocket (RFC 7118).
    Web(Box<Web>),
}

/// What has come.
pub(super) enum Heard {
    Message(Bytes),
    /// CRLF CRLF, to be answered unless it is two answers in a row.
    Ping,
    /// An answer to a ping of ours.
    Pong,
    /// Something of no further importance.
    Life,
}

/// Why the connection is over.
pub(super) enum Fault {
    Unframed(FramingError),
    Web(Over),
}

impl Framing {
    /// `origins` are those of a listener for WebSocket; `None`: it is none.
    pub(super) fn new(limits: &Limits, origins: Option<&[String]>) -> Framing {
        match origins {
            Some(origins) => Framing::Web(Box::new(Web::new(limits.max_bytes, origins))),
            None => Framing::Lines(StreamFramer::new(limits.clone())),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        match self {
            Framing::Lines(framer) => framer.push(bytes),
            Framing::Web(web) => web.push(bytes),
        }
    }

    /// Nothing of a message is held.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Framing::Lines(framer) => framer.is_empty(),
            Framing::Web(web) => web.is_empty(),
        }
    }

    /// What the framing itself has to say, as it goes on the wire.
    pub(super) fn take_answers(&mut self) -> Bytes {
        match self {
            Framing::Lines(_) => Bytes::new(),
            Framing::Web(web) => web.take_answers(),
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Heard>, Fault> {
        match self {
            Framing::Lines(framer) => {
                let framed = framer.next().map_err(Fault::Unframed)?;
                Ok(framed.map(|framed| match framed {
                    Framed::Message(bytes) => Heard::Message(bytes),
                    Framed::KeepAlivePing => Heard::Ping,
                    Framed::KeepAlivePong => Heard::Pong,
                }))
            }
            Framing::Web(web) => {
                let piece = web.next().map_err(Fault::Web)?;
                Ok(piece.map(|piece| match piece {
                    Piece::Message(bytes) => Heard::Message(bytes),
                    Piece::Pong => Heard::Pong,
                    Piece::Ping | Piece::Begun => Heard::Life,
                }))
            }
        }
    }
}
