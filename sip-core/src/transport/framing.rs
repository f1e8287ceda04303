//! Messages out of a byte stream (RFC 3261 §18.3, §7.5; keep-alives of RFC 5626 §3.5.1).

use bytes::Bytes;

use crate::message::{Header, Limits};

/// Cuts the bytes of one connection into messages, whatever pieces they arrive in.
///
/// Push what was read, then call [`next`](StreamFramer::next) until it has nothing more. At most one message within
/// the limits and the last push are held; an idle connection holds nothing.
#[derive(Debug)]
pub struct StreamFramer {
    limits: Limits,
    buffer: Vec<u8>,
    /// Where the next message begins in `buffer`.
    start: usize,
    /// How far the search for the blank line got, so that a head sent byte by byte is not searched again and again.
    searched: usize,
    /// Length of the head, once its blank line is there, and of the whole message.
    lengths: Option<(usize, usize)>,
    /// Odd after one CRLF between messages: another makes it a ping.
    half_ping: bool,
    failed: Option<FramingError>,
}

/// What a stream holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framed {
    /// One message, body complete.
    Message(Bytes),
    /// CRLF CRLF between messages: answer with one CRLF (RFC 5626 §3.5.1). A pong comes before it, for its first half
    /// cannot be told from one.
    KeepAlivePing,
    /// CRLF between messages: the answer to our ping, or nothing of importance.
    KeepAlivePong,
}

/// Why the stream cannot be read on: nobody knows where the next message begins, so the connection must be closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// The message is, or says it is, longer than [`Limits::max_bytes`]. RFC 3261 §21.5.7 would answer 513.
    #[error("a message of {len} bytes or more, the limit is {limit}")]
    TooLong {
        /// Bytes so far, or as promised.
        len: u64,
        /// Bytes allowed.
        limit: usize,
        /// The head, if it was complete.
        head: Option<Bytes>,
    },
    /// No Content-Length, which a stream needs (RFC 3261 §18.3), or one that is no number, or two.
    #[error("{fault}")]
    ContentLength {
        /// What is wrong with it.
        fault: &'static str,
        /// The head, blank line included.
        head: Bytes,
    },
}

impl FramingError {
    /// The head of the message that could not be framed: a 400 or 513 can be made from it before the connection is
    /// closed ([`Message::salvage`](crate::message::Message::salvage)).
    pub fn head(&self) -> Option<&Bytes> {
        match self {
            FramingError::TooLong { head, .. } => head.as_ref(),
            FramingError::ContentLength { head, .. } => Some(head),
        }
    }
}

/// A buffer larger than this is given back once it is empty.
const KEPT_CAPACITY: usize = 4_096;

impl Default for StreamFramer {
    fn default() -> Self {
        StreamFramer::new(Limits::DEFAULT)
    }
}

impl StreamFramer {
    /// A framer for a new connection.
    pub fn new(limits: Limits) -> Self {
        StreamFramer {
            limits,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            lengths: None,
            half_ping: false,
            failed: None,
        }
    }

    /// Nothing of a message is held: the stream is between two messages.
    pub fn is_empty(&self) -> bool {
        self.start == self.buffer.len()
    }

    /// Takes what was read from the connection. Ignored after an error.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message or keep-alive; `None` until more is pushed.
    ///
    /// # Errors
    /// Once the stream cannot be read on, the same error each time: close the connection.
    #[allow(clippy::should_implement_trait)] // an iterator would end at `None`; this goes on after the next push
    pub fn next(&mut self) -> Result<Option<Framed>, FramingError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let framed = self.read();
        if let Err(error) = &framed {
            self.failed = Some(error.clone());
            self.buffer = Vec::new();
        }
        framed
    }

    fn read(&mut self) -> Result<Option<Framed>, FramingError> {
        if self.lengths.is_none() {
            if let Some(keep_alive) = self.keep_alive() {
                return Ok(Some(keep_alive));
            }
            let Some(head) = self.head_length() else {
                return self.within_limit(self.unread().len() as u64, None).map(|()| None);
            };
            self.lengths = Some((head, self.message_length(head)?));
        }
        match self.lengths {
            Some((_, length)) if length <= self.unread().len() => {
                let message = Bytes::copy_from_slice(&self.unread()[..length]);
                self.advance(length);
                self.half_ping = false;
                Ok(Some(Framed::Message(message)))
            }
            _ => Ok(None),
        }
    }

    /// Takes a CRLF (or LF) that stands before a message.
    fn keep_alive(&mut self) -> Option<Framed> {
        let length = match self.unread() {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => return None,
        };
        self.advance(length);
        self.half_ping = !self.half_ping;
        Some(if self.half_ping { Framed::KeepAlivePong } else { Framed::KeepAlivePing })
    }

    /// Length of the head with its blank line, once that is there.
    fn head_length(&mut self) -> Option<usize> {
        while let Some(found) = memchr::memchr(b'\n', &self.buffer[self.searched..]) {
            let line_end = self.searched + found + 1;
            match &self.buffer[line_end..] {
                [b'\n', ..] => return Some(line_end + 1 - self.start),
                [b'\r', b'\n', ..] => return Some(line_end + 2 - self.start),
                [] | [b'\r'] => {
                    self.searched = line_end - 1; // the next byte decides
                    return None;
                }
                _ => self.searched = line_end,
            }
        }
        self.searched = self.buffer.len();
        None
    }

    fn message_length(&self, head: usize) -> Result<usize, FramingError> {
        let text = &self.unread()[..head];
        let copy = || Bytes::copy_from_slice(text);
        let body =
            content_length(text).map_err(|fault| FramingError::ContentLength { fault, head: copy() })?;
        let length = body.saturating_add(head as u64);
        self.within_limit(length, Some(text))?;
        Ok(length as usize)
    }

    fn within_limit(&self, len: u64, head: Option<&[u8]>) -> Result<(), FramingError> {
        let limit = self.limits.max_bytes;
        if len <= limit as u64 {
            return Ok(());
        }
        Err(FramingError::TooLong { len, limit, head: head.map(Bytes::copy_from_slice) })
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn advance(&mut self, length: usize) {
        self.start += length;
        self.searched = self.start;
        self.lengths = None;
        if self.start < self.buffer.len() {
            return;
        }
        (self.start, self.searched) = (0, 0);
        self.buffer.clear();
        if self.buffer.capacity() > KEPT_CAPACITY {
            self.buffer = Vec::new();
        }
    }
}

/// The one Content-Length of a head. Read as the parser reads it, folds, compact name and all: two readers who
/// disagree about a length are how messages are smuggled.
fn content_length(head: &[u8]) -> Result<u64, &'static str> {
    let mut length = None;
    let mut at = memchr::memchr(b'\n', head).map_or(head.len(), |end| end + 1);
    while at < head.len() {
        let end = field_end(head, at);
        let field = &head[at..end];
        at = end;
        let Some(colon) = memchr::memchr(b':', field) else { continue };
        if Header::named(field[..colon].trim_ascii_end()) != Header::ContentLength {
            continue;
        }
        if length.is_some() {
            return Err("more than one Content-Length header field");
        }
        length = Some(
            crate::message::decimal(field[colon + 1..].trim_ascii()).ok_or("Content-Length is no number")?,
        );
    }
    length.ok_or("missing Content-Length header field")
}

/// Where the field that begins at `start` ends, its folded lines included.
fn field_end(head: &[u8], start: usize) -> usize {
    let mut end = start;
    loop {
        end = memchr::memchr(b'\n', &head[end..]).map_or(head.len(), |found| end + found + 1);
        if !matches!(head.get(end), Some(b' ' | b'\t')) {
            return end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &[u8] = b"INVITE sip:a@b SIP/2.0\r\nl: 4\r\n\r\nv=0\n";
    const BYE: &[u8] = b"BYE sip:a@b SIP/2.0\nContent-Length :\r\n 0\n\n";

    fn drain(framer: &mut StreamFramer) -> Vec<Framed> {
        std::iter::from_fn(|| framer.next().unwrap()).collect()
    }

    fn frames_of(pieces: &[&[u8]]) -> Vec<Framed> {
        let mut framer = StreamFramer::default();
        pieces
            .iter()
            .flat_map(|piece| {
                framer.push(piece);
                drain(&mut framer)
            })
            .collect()
    }

    fn message(bytes: &'static [u8]) -> Framed {
        Framed::Message(Bytes::from_static(bytes))
    }

    #[test]
    fn pipelined_messages_come_apart_wherever_the_stream_is_split() {
        let stream = [b"\r\n\r\n", INVITE, BYE, b"\r\n", INVITE].concat();
        let (ping, pong) = (Framed::KeepAlivePing, Framed::KeepAlivePong);
        let whole = vec![pong.clone(), ping, message(INVITE), message(BYE), pong, message(INVITE)];
        for split in 0..stream.len() {
            assert_eq!(frames_of(&[&stream[..split], &stream[split..]]), whole, "split at {split}");
        }
        let single_bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(frames_of(&single_bytes), whole);
    }

    #[test]
    fn a_message_without_a_usable_length_ends_the_stream() {
        for (head, fault) in [
            ("Via: x\r\n", "missing Content-Length header field"),
            ("Content-Length: 5\r\nl: 5\r\n", "more than one Content-Length header field"),
            ("Content-Length: -1\r\n", "Content-Length is no number"),
            ("Content-Length: 5, 5\r\n", "Content-Length is no number"),
        ] {
            let mut framer = StreamFramer::default();
            framer.push(format!("BYE sip:a@b SIP/2.0\r\n{head}\r\n").as_bytes());
            let error = framer.next().unwrap_err();
            assert_eq!(error.to_string(), fault);
            assert!(error.head().unwrap().ends_with(b"\r\n\r\n"));
            framer.push(INVITE);
            assert_eq!(framer.next(), Err(error), "no message is read behind the fault");
        }
    }

    #[test]
    fn neither_a_head_without_end_nor_a_promised_body_is_hoarded() {
        let limits = Limits { max_bytes: 100, ..Limits::DEFAULT };
        let mut endless = StreamFramer::new(limits.clone());
        endless.push(&[b'x'; 100]);
        assert_eq!(endless.next(), Ok(None));
        endless.push(b"x");
        assert!(matches!(endless.next(), Err(FramingError::TooLong { len: 101, limit: 100, head: None })));

        let mut promised = StreamFramer::new(limits);
        promised.push(b"BYE sip:a@b SIP/2.0\r\nl: 18446744073709551615\r\n\r\n");
        assert!(matches!(promised.next(), Err(FramingError::TooLong { head: Some(_), .. })));
    }

    #[test]
    fn an_idle_connection_holds_no_buffer() {
        let mut framer = StreamFramer::default();
        let long = [b"BYE sip:a@b SIP/2.0\r\nl: 9000\r\n\r\n", &[b'x'; 9_000][..]].concat();
        framer.push(&long);
        assert_eq!(drain(&mut framer).len(), 1);
        assert_eq!(framer.buffer.capacity(), 0);
    }
}
