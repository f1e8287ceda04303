//! RTCP: SR, RR, SDES and BYE in compound packets, written and read. RFC 3550 §6 and appendix A.2; XR is beside it.

use std::time::Duration;

use super::xr::{self, Extended};

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
/// SDES item CNAME (§6.5.1).
const CNAME: u8 = 1;
/// Seconds from 1900 to 1970 (§4).
const NTP_UNIX: u64 = 2_208_988_800;
/// Bytes of the largest compound packet [`write()`] makes: SR with one block, SDES, BYE.
pub const LARGEST: usize = 52 + 28 + 8;

/// Why a datagram was not RTCP (A.2). Always the peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtcpError {
    /// A packet of the compound ends before what its header announces.
    #[error("a packet of type {packet_type} ends {missing} bytes too early")]
    Truncated {
        /// The packet's type, 0 if even that is missing.
        packet_type: u8,
        /// How many bytes more it announced.
        missing: usize,
    },
    /// Another version than 2.
    #[error("RTCP version {0}, expected 2")]
    Version(u8),
    /// A compound packet starts with SR or RR.
    #[error("the compound starts with type {0}, expected 200 or 201")]
    First(u8),
}

/// A sender report's own part (§6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SenderInfo {
    /// Wall clock of the sender, seconds since 1900 in the upper half, fractions in the lower.
    pub ntp: u64,
    /// The same moment on the stream's clock.
    pub rtp: u32,
    /// Packets sent since the start, wraps.
    pub packets: u32,
    /// Payload bytes sent since the start, wraps.
    pub octets: u32,
}

/// What a receiver says of one source (§6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    /// The source it is about.
    pub ssrc: u32,
    /// Loss since the report before, in 256ths.
    pub fraction_lost: u8,
    /// Loss since the start, 24 bits with sign.
    pub lost: i32,
    /// Cycles and highest sequence number.
    pub highest: u32,
    /// Interarrival jitter in ticks.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time in the source's last sender report, 0 if none came.
    pub last_report: u32,
    /// Time since that report came, in 65,536ths of a second.
    pub delay: u32,
}

/// What one compound packet said, as far as it matters to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compound {
    /// Who sent it: the SSRC of its first packet.
    pub ssrc: u32,
    /// The last sender report in it.
    pub sender: Option<SenderInfo>,
    /// The last report block about us.
    pub about_us: Option<ReportBlock>,
    /// A BYE was in it.
    pub goodbye: bool,
    /// What its extended reports say (RFC 3611).
    pub extended: Extended,
}

/// Reads a compound packet. `ours` is the SSRC whose report blocks are wanted.
///
/// # Errors
/// See [`RtcpError`]: the checks of A.2. Types we do not know are skipped by their length.
pub fn read(datagram: &[u8], ours: u32) -> Result<Compound, RtcpError> {
    let mut found = Compound::default();
    let mut rest = datagram;
    while !rest.is_empty() {
        let (packet, after) = split(rest)?;
        if rest.len() == datagram.len() {
            found.ssrc = first_source(packet)?;
        }
        match packet[1] {
            SENDER_REPORT => read_report(packet, 28, ours, &mut found)?,
            RECEIVER_REPORT => read_report(packet, 8, ours, &mut found)?,
            GOODBYE => found.goodbye = true,
            xr::EXTENDED_REPORT => xr::read(packet, ours, &mut found.extended)?,
            _ => {}
        }
        rest = after;
    }
    if datagram.is_empty() { Err(RtcpError::Truncated { packet_type: 0, missing: 8 }) } else { Ok(found) }
}

/// Cuts the first packet off a compound.
fn split(rest: &[u8]) -> Result<(&[u8], &[u8]), RtcpError> {
    let head = rest.first_chunk::<4>().ok_or_else(|| short(rest, 4))?;
    if head[0] >> 6 != 2 {
        return Err(RtcpError::Version(head[0] >> 6));
    }
    let len = 4 + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
    rest.split_at_checked(len).ok_or_else(|| short(rest, len))
}

fn first_source(packet: &[u8]) -> Result<u32, RtcpError> {
    match packet[1] {
        SENDER_REPORT | RECEIVER_REPORT if packet.len() >= 8 => Ok(word(packet, 4)),
        SENDER_REPORT | RECEIVER_REPORT => Err(short(packet, 8)),
        other => Err(RtcpError::First(other)),
    }
}

fn read_report(packet: &[u8], blocks_at: usize, ours: u32, found: &mut Compound) -> Result<(), RtcpError> {
    let count = usize::from(packet[0] & 0x1f);
    if packet.len() < blocks_at + 24 * count {
        return Err(short(packet, blocks_at + 24 * count));
    }
    if packet[1] == SENDER_REPORT {
        let ntp = u64::from(word(packet, 8)) << 32 | u64::from(word(packet, 12));
        let (rtp, packets, octets) = (word(packet, 16), word(packet, 20), word(packet, 24));
        found.sender = Some(SenderInfo { ntp, rtp, packets, octets });
    }
    let mut blocks = packet[blocks_at..].chunks_exact(24).take(count).map(ReportBlock::read);
    found.about_us = blocks.rfind(|block| block.ssrc == ours).or(found.about_us);
    Ok(())
}

pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub(super) fn short(packet: &[u8], wanted: usize) -> RtcpError {
    let packet_type = packet.get(1).copied().unwrap_or(0);
    RtcpError::Truncated { packet_type, missing: wanted - packet.len() }
}

impl ReportBlock {
    fn read(bytes: &[u8]) -> ReportBlock {
        let lost = word(bytes, 4);
        ReportBlock {
            ssrc: word(bytes, 0),
            fraction_lost: (lost >> 24) as u8,
            lost: ((lost << 8) as i32) >> 8, // 24 bits with sign
            highest: word(bytes, 8),
            jitter: word(bytes, 12),
            last_report: word(bytes, 16),
            delay: word(bytes, 20),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let lost = self.lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff; // §6.4.1: clamped, not wrapped
        let words = [
            self.ssrc,
            u32::from(self.fraction_lost) << 24 | lost,
            self.highest,
            self.jitter,
            self.last_report,
        ];
        out.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        out.extend(self.delay.to_be_bytes());
    }

    /// Time there and back if this block came at `now` (NTP): now less last report less delay (§6.4.1).
    /// `None` when it tells of no report of ours, or of one from the future.
    pub fn round_trip(&self, now: u64) -> Option<Duration> {
        let units = middle(now).wrapping_sub(self.last_report).wrapping_sub(self.delay);
        let plausible = self.last_report != 0 && units < 1 << 24; // above 256 s: a wrong LSR, not a slow path
        plausible.then(|| Duration::from_micros((u64::from(units) * 1_000_000) >> 16))
    }
}

/// Appends a compound packet to `out`: SR if `sender` is given, else RR; SDES with the CNAME; BYE on request.
pub fn write(
    out: &mut Vec<u8>,
    ssrc: u32,
    cname: u64,
    sender: Option<SenderInfo>,
    block: Option<ReportBlock>,
    goodbye: bool,
) {
    let packet_type = if sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
    let words = 1 + sender.map_or(0, |_| 5) + block.map_or(0, |_| 6);
    header(out, u8::from(block.is_some()), packet_type, words, ssrc);
    if let Some(SenderInfo { ntp, rtp, packets, octets }) = sender {
        out.extend(ntp.to_be_bytes());
        out.extend([rtp, packets, octets].iter().flat_map(|word| word.to_be_bytes()));
    }
    if let Some(block) = block {
        block.write(out);
    }
    write_cname(out, ssrc, cname);
    if goodbye {
        write_goodbye(out, ssrc);
    }
}

/// Appends a BYE, which stands behind everything else of its source (§6.1).
pub fn write_goodbye(out: &mut Vec<u8>, ssrc: u32) {
    header(out, 1, GOODBYE, 1, ssrc);
}

/// One chunk with one item: the number as 16 hexadecimal digits (RFC 7022 §4.2 asks for nothing that names the
/// host), then zeros to a word's end.
fn write_cname(out: &mut Vec<u8>, ssrc: u32, cname: u64) {
    header(out, 1, SOURCE_DESCRIPTION, 6, ssrc);
    out.extend([CNAME, 16]);
    out.extend((0..16).rev().map(|digit| b"0123456789abcdef"[((cname >> (4 * digit)) & 0xf) as usize]));
    out.extend([0, 0]);
}

pub(super) fn header(out: &mut Vec<u8>, count: u8, packet_type: u8, words: u16, ssrc: u32) {
    out.extend([0x80 | count, packet_type]);
    out.extend(words.to_be_bytes());
    out.extend(ssrc.to_be_bytes());
}

/// A moment since 1970 as NTP time.
pub fn ntp(since_1970: Duration) -> u64 {
    let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
    since_1970.as_secs().wrapping_add(NTP_UNIX) << 32 | fraction
}

/// The middle 32 bits of an NTP time: 65,536ths of a second (§4).
pub fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> ReportBlock {
        ReportBlock {
            ssrc: 5,
            fraction_lost: 7,
            lost: -2,
            highest: 65_540,
            jitter: 12,
            last_report: 1,
            delay: 2,
        }
    }

    #[test]
    fn a_compound_is_read_as_it_was_written() {
        let info = SenderInfo { ntp: 1 << 40 | 3, rtp: 4, packets: 5, octets: 6 };
        let mut bytes = vec![];
        write(&mut bytes, 77, 0xabc, Some(info), Some(block()), true);
        assert_eq!(bytes.len(), LARGEST);
        let read = read(&bytes, 5).unwrap();
        assert_eq!(
            read,
            Compound {
                ssrc: 77,
                sender: Some(info),
                about_us: Some(block()),
                goodbye: true,
                ..Compound::default()
            }
        );
    }

    #[test]
    fn a_block_about_somebody_else_is_not_taken_for_ours() {
        let mut bytes = vec![];
        write(&mut bytes, 77, 1, None, Some(block()), false);
        assert_eq!(read(&bytes, 6).unwrap().about_us, None);
    }

    #[test]
    fn every_cut_of_a_compound_is_refused_unless_it_falls_between_two_packets() {
        let mut bytes = vec![];
        write(&mut bytes, 77, 1, Some(SenderInfo::default()), Some(block()), true);
        for len in 0..bytes.len() {
            assert_eq!(read(&bytes[..len], 5).is_ok(), [52, 80].contains(&len), "{len}");
        }
    }

    #[test]
    fn a_count_beyond_the_length_is_refused() {
        let mut bytes = vec![];
        write(&mut bytes, 77, 1, None, Some(block()), false);
        bytes[0] = 0x82;
        assert!(matches!(read(&bytes, 5), Err(RtcpError::Truncated { packet_type: 201, missing: 24 })));
    }

    #[test]
    fn reports_come_first_and_only_version_2_counts() {
        let mut sdes = vec![];
        write_cname(&mut sdes, 1, 2);
        assert_eq!(read(&sdes, 1), Err(RtcpError::First(202)));
        assert_eq!(read(&[0x41, 201, 0, 1, 0, 0, 0, 0], 1), Err(RtcpError::Version(1)));
    }

    #[test]
    fn the_round_trip_is_what_the_far_end_did_not_wait() {
        let sent = ntp(Duration::from_secs(1_700_000_000));
        let back = ntp(Duration::from_secs(1_700_000_000) + Duration::from_millis(5_120));
        let block = ReportBlock { last_report: middle(sent), delay: 5 << 16, ..block() };
        let trip = block.round_trip(back).unwrap().as_micros();
        assert!((119_900..=120_100).contains(&trip), "{trip}");
        assert_eq!(ReportBlock { last_report: 0, delay: middle(back) - 9, ..block }.round_trip(back), None);
        assert_eq!(ReportBlock { delay: 6 << 16, ..block }.round_trip(back), None, "would be below zero");
    }

    #[test]
    fn loss_beyond_24_bits_is_clamped() {
        let mut bytes = vec![];
        ReportBlock { lost: 1 << 28, ..block() }.write(&mut bytes);
        assert_eq!(ReportBlock::read(&bytes).lost, 0x7f_ffff);
    }
}
