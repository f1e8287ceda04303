//! One RTP packet where it lies: RFC 3550 §5.1, and what else may come to its port (RFC 7983).

/// Bytes of an RTP header without contributing sources and extension.
pub const HEADER: usize = 12;

/// Why a datagram was not RTP. Always the peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtpError {
    /// The datagram ends before what its header announces.
    #[error("{missing} bytes are missing")]
    Truncated {
        /// How many bytes more the header asked for.
        missing: usize,
    },
    /// Another version than 2 (§5.1), often STUN or DTLS: look with [`Kind::of`] before counting.
    #[error("RTP version {0}, expected 2")]
    Version(u8),
    /// The last byte promises more padding than there is, or none at all (§5.1).
    #[error("{0} bytes of padding do not fit")]
    Padding(u8),
}

/// What a datagram on a media port is, told by its first two bytes (RFC 7983 §7, RFC 5761 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// RTP: version 2 and no RTCP packet type.
    Rtp,
    /// RTCP: version 2 and a second byte of 192 to 223.
    Rtcp,
    /// A STUN message: first byte 0 to 3.
    Stun,
    /// A DTLS record: first byte 20 to 63.
    Dtls,
    /// Nothing that belongs here: keep-alives, probes, noise.
    Other,
}

impl Kind {
    /// Looks at the first two bytes only; the rest may still be malformed.
    pub fn of(datagram: &[u8]) -> Kind {
        match datagram {
            [128..=191, 192..=223, ..] => Kind::Rtcp,
            [128..=191, _, ..] => Kind::Rtp,
            [0..=3, _, ..] => Kind::Stun,
            [20..=63, _, ..] => Kind::Dtls,
            _ => Kind::Other,
        }
    }
}

/// The header of one RTP packet, and where its payload lies in the datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Start of a talk spurt or of an event (RFC 3551 §4.1, RFC 4733 §2.3).
    pub marker: bool,
    /// 0 to 127; what it means was agreed in SDP.
    pub payload_type: u8,
    /// Counts packets, wraps.
    pub sequence: u16,
    /// Counts ticks of the agreed clock (8,000 a second for G.711), not time; wraps.
    pub timestamp: u32,
    /// The source's own number (§8).
    pub ssrc: u32,
    /// First byte of the payload, after contributing sources and extension.
    pub start: usize,
    /// One past the payload's last byte, before padding.
    pub end: usize,
}

impl Packet {
    /// Reads one RTP packet (RFC 3550 §5.1) without copying. `datagram` is a UDP payload after SRTP.
    ///
    /// # Errors
    /// `Truncated` with the bytes missing; `Version` if not 2; `Padding` if its length cannot be.
    pub fn parse(datagram: &[u8]) -> Result<Packet, RtpError> {
        let head = datagram.first_chunk::<HEADER>().ok_or(missing(HEADER, datagram.len()))?;
        if head[0] >> 6 != 2 {
            return Err(RtpError::Version(head[0] >> 6));
        }
        let start = payload_start(datagram, head)?;
        let padding = if head[0] & 0x20 != 0 { padding(datagram, start)? } else { 0 };
        let end = datagram.len().checked_sub(padding).filter(|end| *end >= start);
        Ok(Packet {
            marker: head[1] & 0x80 != 0,
            payload_type: head[1] & 0x7f,
            sequence: u16::from_be_bytes([head[2], head[3]]),
            timestamp: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            ssrc: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
            start,
            end: end.ok_or(missing(start + padding, datagram.len()))?,
        })
    }

    /// Bytes of payload.
    pub fn payload_len(&self) -> usize {
        self.end - self.start
    }
}

/// Bytes of the header with contributing sources and extension, which SRTP leaves readable. `None`: the packet ends before
/// they do.
pub(crate) fn header_len(datagram: &[u8]) -> Option<usize> {
    let head = datagram.first_chunk::<HEADER>()?;
    payload_start(datagram, head).ok().filter(|start| *start <= datagram.len())
}

fn payload_start(datagram: &[u8], head: &[u8; HEADER]) -> Result<usize, RtpError> {
    let start = HEADER + 4 * usize::from(head[0] & 0x0f);
    match head[0] & 0x10 {
        0 => Ok(start),
        _ => Ok(start + extension(datagram, start)?),
    }
}

/// The length of the header extension that starts at `at`, its own four bytes included (§5.3.1).
fn extension(datagram: &[u8], at: usize) -> Result<usize, RtpError> {
    match datagram.get(at + 2..at + 4) {
        Some(words) => Ok(4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]))),
        None => Err(missing(at + 4, datagram.len())),
    }
}

/// The padding's length, which is its own last byte. It may not reach into the header.
fn padding(datagram: &[u8], start: usize) -> Result<usize, RtpError> {
    let count = datagram[datagram.len() - 1];
    let room = datagram.len().checked_sub(start).ok_or(missing(start, datagram.len()))?;
    if count == 0 || usize::from(count) > room {
        return Err(RtpError::Padding(count));
    }
    Ok(usize::from(count))
}

fn missing(wanted: usize, len: usize) -> RtpError {
    RtpError::Truncated { missing: wanted.saturating_sub(len) }
}

/// What a header says when we write one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// See [`Packet::marker`].
    pub marker: bool,
    /// See [`Packet::payload_type`].
    pub payload_type: u8,
    /// See [`Packet::sequence`].
    pub sequence: u16,
    /// See [`Packet::timestamp`].
    pub timestamp: u32,
    /// See [`Packet::ssrc`].
    pub ssrc: u32,
}

impl Fields {
    /// Writes 12 bytes: version 2, no padding, no extension, no contributing sources.
    pub fn write(&self, into: &mut [u8; HEADER]) {
        into[0] = 0x80;
        into[1] = self.payload_type & 0x7f | u8::from(self.marker) << 7;
        into[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        into[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        into[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(payload: &[u8]) -> Vec<u8> {
        let mut bytes = [0; HEADER];
        Fields { marker: true, payload_type: 8, sequence: 7, timestamp: 160, ssrc: 9 }.write(&mut bytes);
        [&bytes[..], payload].concat()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let packet = Packet::parse(&plain(&[1, 2, 3])).unwrap();
        assert_eq!((packet.marker, packet.payload_type, packet.sequence), (true, 8, 7));
        assert_eq!((packet.timestamp, packet.ssrc, packet.start, packet.end), (160, 9, 12, 15));
    }

    #[test]
    fn sources_extension_and_padding_are_not_payload() {
        let mut bytes = plain(&[]);
        bytes[0] |= 0x30 | 2;
        bytes.extend([0; 8]); // two contributing sources
        bytes.extend([0xbe, 0xde, 0, 1, 0, 0, 0, 0]); // extension of one word
        bytes.extend([5, 6, 7, 0, 2]); // three bytes of payload, two of padding
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(&bytes[packet.start..packet.end], [5, 6, 7]);
    }

    #[test]
    fn a_packet_of_padding_only_has_no_payload() {
        let mut bytes = plain(&[0, 0, 0, 4]);
        bytes[0] |= 0x20;
        assert_eq!(Packet::parse(&bytes).unwrap().payload_len(), 0);
    }

    #[test]
    fn padding_that_reaches_into_the_header_is_refused() {
        for count in [0, 3, 255] {
            let mut bytes = plain(&[1, count]);
            bytes[0] |= 0x20;
            assert_eq!(Packet::parse(&bytes), Err(RtpError::Padding(count)));
        }
    }

    #[test]
    fn every_cut_of_a_packet_with_extension_is_refused_or_shorter_but_never_a_panic() {
        let mut bytes = plain(&[]);
        bytes[0] |= 0x11;
        bytes.extend([0, 0, 0, 0, 0xbe, 0xde, 0, 1, 0, 0, 0, 0, 1]);
        for len in 0..24 {
            assert!(
                matches!(Packet::parse(&bytes[..len]), Err(RtpError::Truncated { missing: 1.. })),
                "{len}"
            );
        }
        assert_eq!(Packet::parse(&bytes).unwrap().payload_len(), 1);
    }

    #[test]
    fn other_protocols_on_the_port_are_told_apart_by_their_first_bytes() {
        let kinds =
            [[0, 1], [3, 0], [22, 254], [63, 0], [64, 0], [127, 1], [128, 8], [0x90, 136], [128, 200]];
        let told = kinds.map(|bytes| Kind::of(&bytes));
        use Kind::*;
        assert_eq!(told, [Stun, Stun, Dtls, Dtls, Other, Other, Rtp, Rtp, Rtcp]);
        assert_eq!(Kind::of(&[0x80]), Other);
    }
}
