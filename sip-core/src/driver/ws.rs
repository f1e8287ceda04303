//! SIP over WebSocket (RFC 7118): a connection's bytes to messages and back. Bytes in, bytes out, no socket.
//!
//! tungstenite reads and checks frames; what a browser must have asked for before that is checked here. One WebSocket
//! message carries one SIP message, as text or binary (§4.1). The far end cannot be connected to: what is for it goes by
//! its own connection.

use bytes::{BufMut, Bytes, BytesMut};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use tungstenite::error::CapacityError;
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{Request, create_response, write_response};
use tungstenite::http::{HeaderValue, header};
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

/// Bytes of an HTTP head: what browsers send with their cookies for us, and some room.
const MOST_HEAD: usize = 8 * 1_024;
/// What is read into at a time; every connection has one.
const READ_BUFFER: usize = 2 * 1_024;
/// Answers to pings that wait to be written.
const MOST_ANSWERS: usize = 64 * 1_024;
/// What must be spoken inside (§4.1).
const SUBPROTOCOL: &str = "sip";

/// What a connection has brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// One SIP message.
    Message(Bytes),
    /// A sign of life that wants an answer, which is in [`Web::take_answers`] already.
    Ping,
    /// A sign of life that is an answer.
    Pong,
    /// The connection is one for SIP now.
    Begun,
}

/// Why a connection is over. What is still to be said is in [`Web::take_answers`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// The far end has said so.
    Closed,
    /// It is no WebSocket for SIP, or breaks its rules.
    Refused(&'static str),
}

/// One connection.
pub(super) struct Web {
    stage: Stage,
    pipe: Pipe,
    max_message: usize,
    /// What came last has not completed anything.
    unfinished: bool,
}

enum Stage {
    /// The head of its request so far.
    Asking {
        head: Vec<u8>,
        origins: Vec<String>,
    },
    Open(Box<WebSocketContext>),
    Over,
}

/// What tungstenite takes for the socket.
#[derive(Default)]
struct Pipe {
    read: VecDeque<u8>,
    written: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.read.is_empty() {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => self.read.read(into),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Web {
    /// One that has just been accepted. A page may connect if its origin is among `origins`, or there are none; who names
    /// none is no page.
    pub(super) fn new(max_message: usize, origins: &[String]) -> Web {
        let stage = Stage::Asking { head: Vec::new(), origins: origins.to_vec() };
        Web { stage, pipe: Pipe::default(), max_message, unfinished: false }
    }

    /// Nothing of a message is held, as far as can be seen.
    pub(super) fn is_empty(&self) -> bool {
        !self.unfinished
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        match &mut self.stage {
            Stage::Asking { head, .. } => head.extend_from_slice(bytes),
            Stage::Open(_) => self.pipe.read.extend(bytes),
            Stage::Over => return,
        }
        self.unfinished = true;
    }

    /// What is to be written, as it is.
    pub(super) fn take_answers(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.pipe.written))
    }

    /// The next thing that has come, if it has come whole.
    ///
    /// # Errors
    /// The connection is to be closed, once what is to be said has been.
    pub(super) fn next(&mut self) -> Result<Option<Piece>, Over> {
        let next = match &mut self.stage {
            Stage::Asking { .. } => self.begin(),
            Stage::Open(_) => self.read(),
            Stage::Over => Err(Over::Closed),
        };
        match &next {
            Ok(None) => {}
            Ok(Some(_)) => self.unfinished = false,
            Err(_) => self.stage = Stage::Over,
        }
        next
    }

    fn begin(&mut self) -> Result<Option<Piece>, Over> {
        let Stage::Asking { head, origins } = &mut self.stage else { return Ok(None) };
        // A head that comes byte by byte is not parsed again with each.
        let is_whole = memchr::memmem::find(head, b"\r\n\r\n").is_some();
        if !is_whole && head.len() <= MOST_HEAD {
            return Ok(None);
        }
        let (len, request) = match Request::try_parse(head) {
            Ok(Some(parsed)) => parsed,
            Ok(None) => {
                return Err(self.refuse("431 Request Header Fields Too Large", "The head is too long."));
            }
            Err(error) => return Err(self.refuse_unread(&error)),
        };
        let checked = check(&request, origins);
        let rest = head.split_off(len.min(head.len()));
        match checked {
            Ok(answer) => self.pipe.written.extend_from_slice(&answer),
            Err((status, why)) => return Err(self.refuse(status, why)),
        }
        self.pipe.read.extend(rest);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(MOST_ANSWERS)
            .max_message_size(Some(self.max_message))
            .max_frame_size(Some(self.max_message));
        self.stage = Stage::Open(Box::new(WebSocketContext::new(Role::Server, Some(config))));
        Ok(Some(Piece::Begun))
    }

    fn refuse_unread(&mut self, error: &Error) -> Over {
        use tungstenite::error::ProtocolError;
        match error {
            Error::Protocol(ProtocolError::WrongHttpMethod) => {
                self.refuse("405 Method Not Allowed\r\nAllow: GET", "Only a WebSocket begins here, by GET.")
            }
            _ => self.refuse("400 Bad Request", "This is no request of HTTP/1.1."),
        }
    }

    /// `status` may bring headers along.
    fn refuse(&mut self, status: &'static str, why: &'static str) -> Over {
        let body = format!("{why}\n");
        let head = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.pipe.written.extend_from_slice(head.as_bytes());
        Over::Refused(why)
    }

    fn read(&mut self) -> Result<Option<Piece>, Over> {
        let Stage::Open(context) = &mut self.stage else { return Ok(None) };
        loop {
            return match context.read(&mut self.pipe) {
                Ok(Message::Text(text)) => Ok(Some(message(Bytes::from(text), &mut self.pipe))),
                Ok(Message::Binary(bytes)) => Ok(Some(message(bytes, &mut self.pipe))),
                Ok(Message::Ping(_)) => {
                    let _ = context.flush(&mut self.pipe); // into memory, which takes all
                    Ok(Some(Piece::Ping))
                }
                Ok(Message::Pong(_)) => Ok(Some(Piece::Pong)),
                Ok(Message::Close(_)) => {
                    let _ = context.flush(&mut self.pipe);
                    Err(Over::Closed)
                }
                Ok(Message::Frame(_)) => continue,
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                Err(Error::Capacity(CapacityError::MessageTooLong { .. })) => {
                    Err(close(context, &mut self.pipe, CloseCode::Size, "the message is too long"))
                }
                Err(Error::Utf8(_)) => {
                    Err(close(context, &mut self.pipe, CloseCode::Invalid, "the text is no UTF-8"))
                }
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => Err(Over::Closed),
                Err(_) => {
                    Err(close(context, &mut self.pipe, CloseCode::Protocol, "breaks the rules of WebSocket"))
                }
            };
        }
    }
}

fn close(context: &mut WebSocketContext, pipe: &mut Pipe, code: CloseCode, why: &'static str) -> Over {
    let frame = CloseFrame { code, reason: why.into() };
    let _ = context.close(pipe, Some(frame)); // into memory, which takes all
    Over::Refused(why)
}

/// Line ends alone are a ping of RFC 5626 §3.5.1, which some send here too.
fn message(bytes: Bytes, pipe: &mut Pipe) -> Piece {
    match &bytes[..] {
        b"\r\n\r\n" => {
            pipe.written.extend_from_slice(&framed(b"\r\n"));
            Piece::Ping
        }
        b"\r\n" | b"" => Piece::Pong,
        _ => Piece::Message(bytes),
    }
}

/// The answer to a request that may begin a WebSocket for SIP; or the status and why it may not.
fn check(request: &Request, origins: &[String]) -> Result<Vec<u8>, (&'static str, &'static str)> {
    let headers = request.headers();
    let is_upgrade =
        headers.get(header::UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let version = headers.get(header::SEC_WEBSOCKET_VERSION);
    if !is_upgrade || version.is_some_and(|version| version != "13") {
        let status = "426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
        return Err((status, "Only SIP over WebSocket (RFC 7118) is spoken here."));
    }
    if let Some(origin) = headers.get(header::ORIGIN)
        && !origins.is_empty()
        && !origins.iter().any(|allowed| origin.as_bytes().eq_ignore_ascii_case(allowed.as_bytes()))
    {
        return Err(("403 Forbidden", "Pages of this origin may not connect."));
    }
    let asked =
        headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    if !asked.flat_map(|list| list.split(',')).any(|name| name.trim() == SUBPROTOCOL) {
        return Err(("400 Bad Request", "Sec-WebSocket-Protocol must have \"sip\"."));
    }
    let bad = |_| ("400 Bad Request", "This does not begin a WebSocket.");
    let mut response = create_response(request).map_err(bad)?;
    let protocol = HeaderValue::from_static(SUBPROTOCOL);
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    let mut answer = Vec::with_capacity(256);
    write_response(&mut answer, &response).map_err(bad)?;
    Ok(answer)
}

/// A message of ours in its frame: text where it is text, which some clients insist on.
pub(super) fn framed(message: &[u8]) -> Bytes {
    let data = if std::str::from_utf8(message).is_ok() { Data::Text } else { Data::Binary };
    written(Frame::message(Bytes::copy_from_slice(message), OpCode::Data(data), true), message.len())
}

/// A ping of ours.
pub(super) fn ping() -> Bytes {
    written(Frame::ping(Bytes::new()), 0)
}

fn written(frame: Frame, len: usize) -> Bytes {
    let mut writer = BytesMut::with_capacity(len + 16).writer();
    let _ = frame.format(&mut writer); // memory takes all
    writer.into_inner().freeze()
}
