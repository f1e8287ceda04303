//! Bytes to a description, line by line. What would change where sound goes must be right; the rest is left out where it
//! is not as its RFC says: nothing in a title or a time zone can cost a call.

use std::borrow::Cow;
use std::net::IpAddr;

use super::SdpError;
use super::description::{
    Attribute, Connection, Crypto, Description, Direction, Encoding, Format, Media, MediaKind, Origin, Rtcp,
};

/// The largest description we read. Real ones have 300 bytes to 8 KiB (browsers).
pub const MAX_BYTES: usize = 32_768;
/// The most lines we read.
pub const MAX_LINES: usize = 1_024;
/// The most `m=` lines we read.
pub const MAX_MEDIA: usize = 32;
/// The most formats in one `m=`; there are 128 payload numbers.
pub const MAX_FORMATS: usize = 128;

const CONNECTION: &str = "c= with network, family and address, as in c=IN IP4 192.0.2.1";
const MEDIA: &str = "m= with kind, port, transport and formats, as in m=audio 4000 RTP/AVP 8";

pub(super) fn description(bytes: &[u8]) -> Result<Description, SdpError> {
    if bytes.len() > MAX_BYTES {
        return Err(SdpError::TooLong(bytes.len()));
    }
    let mut reader = Reader::default();
    // Text, whatever charset it was in: all we read is ASCII.
    for (index, line) in String::from_utf8_lossy(bytes).split('\n').enumerate() {
        if index == MAX_LINES {
            return Err(SdpError::TooManyLines);
        }
        let line = printable(line);
        if !line.is_empty() {
            reader.line(&line, index + 1)?;
        }
    }
    reader.finish()
}

/// The line without what follows its last visible character, and with blanks for the control bytes inside it. They
/// occur; what they mean nobody knows.
fn printable(line: &str) -> Cow<'_, str> {
    let line = line.trim_end_matches(|c: char| c.is_whitespace() || c.is_ascii_control());
    if line.bytes().any(|byte| byte.is_ascii_control()) {
        return line.replace(|c: char| c.is_ascii_control(), " ").into();
    }
    line.into()
}

/// What the lines so far have said. Lines behind an `m=` are about that medium.
#[derive(Default)]
struct Reader {
    started: bool,
    origin: Option<Origin>,
    connection: Option<Connection>,
    rtcp_senders: Option<u32>,
    rtcp_receivers: Option<u32>,
    direction: Option<Direction>,
    crypto: Vec<Crypto>,
    attributes: Vec<Attribute>,
    media: Vec<Media>,
}

impl Reader {
    fn line(&mut self, line: &str, number: usize) -> Result<(), SdpError> {
        let parts = line.split_at_checked(2).filter(|(key, _)| key.ends_with('='));
        let is_version = parts.is_some_and(|(key, value)| key == "v=" && value.trim() == "0");
        if !is_version && (!self.started || line.starts_with("v=")) {
            return Err(SdpError::Version { line: number });
        }
        self.started = true;
        let Some((key, value)) = parts else {
            return Err(SdpError::Malformed { line: number, expected: "a letter, '=' and a value" });
        };
        match key {
            "o=" => self.origin = Some(origin(value)),
            "c=" => self.connection(value, number)?,
            "b=" => self.bandwidth(value),
            "a=" => self.attribute(value),
            "m=" if self.media.len() == MAX_MEDIA => return Err(SdpError::TooManyMedia),
            "m=" => self.media.push(media(value, number)?),
            _ => {}
        }
        Ok(())
    }

    /// Of the session there is one (RFC 8866 §5.7); of several under an `m=`, layers of a multicast, the first counts.
    fn connection(&mut self, value: &str, line: usize) -> Result<(), SdpError> {
        let connection = connection(value).ok_or(SdpError::Malformed { line, expected: CONNECTION })?;
        match self.media.last_mut() {
            Some(media) => drop(media.connection.get_or_insert(connection)),
            None if self.connection.is_some() => {
                return Err(SdpError::Malformed { line, expected: "one c= before the first m=" });
            }
            None => self.connection = Some(connection),
        }
        Ok(())
    }

    /// Bandwidth of RTCP; the others say nothing to us.
    fn bandwidth(&mut self, value: &str) {
        let Some((kind, number)) = value.split_once(':') else { return };
        let (senders, receivers) = match self.media.last_mut() {
            Some(media) => (&mut media.rtcp_senders, &mut media.rtcp_receivers),
            None => (&mut self.rtcp_senders, &mut self.rtcp_receivers),
        };
        let field = match kind.trim() {
            kind if kind.eq_ignore_ascii_case("RS") => senders,
            kind if kind.eq_ignore_ascii_case("RR") => receivers,
            _ => return,
        };
        *field = field.or(number.parse().ok());
    }

    /// `name` or `name:value`.
    fn attribute(&mut self, text: &str) {
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (text.trim(), None),
        };
        if name.is_empty() {
            return;
        }
        let is_known = match self.media.last_mut() {
            Some(media) => apply(name, value.unwrap_or_default(), media),
            None => self.apply(name, value.unwrap_or_default()),
        };
        if !is_known {
            let unknown = Attribute { name: name.to_owned(), value: value.map(str::to_owned) };
            self.media.last_mut().map_or(&mut self.attributes, |media| &mut media.attributes).push(unknown);
        }
    }

    /// An attribute of the session; false if there is no field for it.
    fn apply(&mut self, name: &str, value: &str) -> bool {
        if name.eq_ignore_ascii_case("crypto") {
            self.crypto.push(Crypto(value.to_owned()));
            return true;
        }
        let direction = Direction::by_name(name);
        self.direction = direction.or(self.direction);
        direction.is_some()
    }

    fn finish(mut self) -> Result<Description, SdpError> {
        if !self.started {
            return Err(SdpError::Version { line: 1 });
        }
        share(&self.crypto, &mut self.media);
        Ok(Description {
            origin: self.origin.unwrap_or_default(),
            connection: self.connection,
            direction: self.direction,
            rtcp_senders: self.rtcp_senders,
            rtcp_receivers: self.rtcp_receivers,
            attributes: self.attributes,
            media: self.media,
        })
    }
}

/// `a=crypto` belongs to a medium (RFC 4568 §5). One before all media is meant for the sound that has none of its own.
fn share(crypto: &[Crypto], media: &mut [Media]) {
    for media in media.iter_mut().filter(|media| media.kind == MediaKind::Audio && media.crypto.is_empty()) {
        media.crypto = crypto.to_vec();
    }
}

/// `o=`, of which nothing decides anything: missing words are left at their defaults.
fn origin(value: &str) -> Origin {
    let mut origin = Origin::default();
    let mut words = value.split_ascii_whitespace();
    let mut set = |field: &mut String| {
        if let Some(word) = words.next() {
            word.clone_into(field);
        }
    };
    set(&mut origin.user);
    set(&mut origin.session_id);
    set(&mut origin.version);
    if let Some(address) = words.nth(2) {
        address.clone_into(&mut origin.address);
    }
    origin
}

/// `IN IP4 192.0.2.1`.
fn connection(value: &str) -> Option<Connection> {
    let mut words = value.split_ascii_whitespace();
    let (network, family, address) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    Some(match ip(address) {
        Some(address) if network.eq_ignore_ascii_case("IN") => Connection::Ip(address),
        _ => Connection::Other(format!("{network} {family} {address}")),
    })
}

/// Brackets and a multicast TTL around an address are not part of it.
fn ip(text: &str) -> Option<IpAddr> {
    let text = text.split('/').next()?;
    text.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// `audio 49170/2 RTP/AVP 8 0 101`. A refused medium without a format is common and harmless: it gets one.
fn media(value: &str, line: usize) -> Result<Media, SdpError> {
    let malformed = SdpError::Malformed { line, expected: MEDIA };
    let mut words = value.split_ascii_whitespace();
    let (Some(kind), Some(port), Some(protocol)) = (words.next(), words.next(), words.next()) else {
        return Err(malformed);
    };
    let Some(port) = port_of(port) else { return Err(malformed) };
    let mut formats: Vec<Format> = words.by_ref().take(MAX_FORMATS).map(Format::bare).collect();
    match formats.is_empty() {
        _ if words.next().is_some() => return Err(SdpError::TooManyFormats { line }),
        true if port == 0 => formats.push(Format::bare("0")),
        true => return Err(malformed),
        false => {}
    }
    let kind = match kind.eq_ignore_ascii_case("audio") {
        true => MediaKind::Audio,
        false => MediaKind::Other(kind.to_owned()),
    };
    Ok(Media::new(kind, port, protocol, formats))
}

/// `49170` or `49170/2`.
fn port_of(word: &str) -> Option<u16> {
    let (port, count) = word.split_once('/').map_or((word, None), |(port, count)| (port, Some(count)));
    count.is_none_or(|count| count.parse::<u16>().is_ok()).then(|| port.parse().ok()).flatten()
}

/// An attribute of a medium; false if there is no field for it.
fn apply(name: &str, value: &str, media: &mut Media) -> bool {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    if is("rtpmap") {
        map(value, &mut media.formats);
    } else if is("fmtp") {
        parameters(value, &mut media.formats);
    } else if is("ptime") {
        media.ptime = milliseconds(value);
    } else if is("maxptime") {
        media.max_ptime = milliseconds(value);
    } else if is("rtcp") {
        media.rtcp = rtcp(value);
    } else if is("rtcp-mux") {
        media.rtcp_mux = true;
    } else if is("crypto") {
        media.crypto.push(Crypto(value.to_owned()));
    } else if let Some(direction) = Direction::by_name(name) {
        media.direction = Some(direction);
    } else {
        return false;
    }
    true
}

/// `8 PCMA/8000` or `111 opus/48000/2`. The first for a number counts (RFC 8866 §6.6).
fn map(value: &str, formats: &mut [Format]) {
    let Some((number, encoding)) = value.split_once(|c: char| c.is_ascii_whitespace()) else { return };
    let mut parts = encoding.trim().split('/');
    let (Some(name), Some(Ok(clock_rate))) = (parts.next(), parts.next().map(|rate| rate.trim().parse()))
    else {
        return;
    };
    let channels = parts.next().and_then(|count| count.trim().parse().ok()).unwrap_or(1);
    let unmapped = formats.iter_mut().find(|format| format.name == number && format.encoding.is_none());
    if let Some(format) = unmapped {
        format.encoding = Some(Encoding { name: name.trim().to_owned(), clock_rate, channels });
    }
}

/// `101 0-15`. The first for a number counts.
fn parameters(value: &str, formats: &mut [Format]) {
    let Some((number, parameters)) = value.split_once(|c: char| c.is_ascii_whitespace()) else { return };
    let bare = formats.iter_mut().find(|format| format.name == number && format.parameters.is_none());
    if let Some(format) = bare {
        format.parameters = Some(parameters.trim().to_owned());
    }
}

/// Whole milliseconds; `20.0` occurs. 0 and more than 255 say nothing usable.
fn milliseconds(value: &str) -> Option<u8> {
    value.split('.').next()?.parse().ok().filter(|&ms| ms > 0)
}

/// `53020` or `53020 IN IP4 126.16.64.4` (RFC 3605 §2.1).
fn rtcp(value: &str) -> Option<Rtcp> {
    let mut words = value.split_ascii_whitespace();
    let port = words.next()?.parse().ok()?;
    let address = words.nth(2).and_then(ip);
    Some(Rtcp { port, address })
}
