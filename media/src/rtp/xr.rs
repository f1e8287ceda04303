//! Extended reports, RFC 3611: how calls sound (VoIP metrics, §4.7), and the round trip for those who only receive (§4.4, §4.5).
//!
//! What is sent is what the far end asked for by `a=rtcp-xr` (§5.1). Blocks we do not know are skipped by their length.

use std::time::Duration;

use super::rtcp::{ReportBlock, RtcpError, header, middle, short, word};

/// The packet type of extended reports.
pub(super) const EXTENDED_REPORT: u8 = 207;
const REFERENCE_TIME: u8 = 4;
const DELAY: u8 = 5;
const VOIP_METRICS: u8 = 7;
/// What stands where a level, R or opinion is not known (§4.7.4, §4.7.5).
const UNAVAILABLE: u8 = 127;
/// Bytes of the largest packet that [`write()`] makes: its header and one block of each kind.
pub const LARGEST: usize = 8 + 12 + 16 + 36;

/// Which reports somebody asks for with `a=rtcp-xr` (§5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// `voip-metrics`.
    pub voip_metrics: bool,
    /// `rcvr-rtt`: reference times, so that one who sends nothing knows the round trip.
    pub reference_time: bool,
}

impl Wanted {
    /// What we ask for, as the attribute's value.
    pub const ALL: &str = "rcvr-rtt=all voip-metrics";

    /// The value of an `a=rtcp-xr`. Formats we do not know are passed over.
    #[must_use]
    pub fn read(value: &str) -> Wanted {
        let mut wanted = Wanted::default();
        for format in value.split_ascii_whitespace() {
            let name = format.split('=').next().unwrap_or_default();
            wanted.voip_metrics |= name.eq_ignore_ascii_case("voip-metrics");
            wanted.reference_time |= name.eq_ignore_ascii_case("rcvr-rtt");
        }
        wanted
    }
}

/// How one direction of a call sounds, as its receiver sees it (§4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VoipMetrics {
    /// Packets lost, in 256ths.
    pub loss: u8,
    /// Packets too late for use, in 256ths.
    pub discard: u8,
    /// Loss within bursts, in 256ths.
    pub burst_density: u8,
    /// Loss between bursts, in 256ths.
    pub gap_density: u8,
    /// Mean length of a burst in milliseconds.
    pub burst_ms: u16,
    /// Mean length of what lies between them in milliseconds.
    pub gap_ms: u16,
    /// Round trip on the network in milliseconds; 0: not known.
    pub round_trip_ms: u16,
    /// What the end adds in milliseconds: frame and jitter buffer.
    pub end_system_ms: u16,
    /// Level of speech in dBm0.
    pub signal_dbm0: Option<i8>,
    /// Level between words in dBm0.
    pub noise_dbm0: Option<i8>,
    /// Received packets that end a burst.
    pub gmin: u8,
    /// R, 0 to 100.
    pub r: Option<u8>,
    /// Mean opinion of one who listens, in tenths.
    pub listening: Option<u8>,
    /// Mean opinion of one who talks too, in tenths.
    pub conversational: Option<u8>,
    /// The jitter buffer's usual delay in milliseconds.
    pub buffer_ms: u16,
    /// The most it may have in milliseconds.
    pub buffer_most_ms: u16,
}

/// When somebody's reference time came back (§4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delay {
    /// Middle of the reference time that came last.
    pub last: u32,
    /// Since then, in 65,536ths of a second.
    pub delay: u32,
}

impl Delay {
    /// Time there and back if this came at `now` (NTP), as from a report block.
    #[must_use]
    pub fn round_trip(&self, now: u64) -> Option<Duration> {
        ReportBlock { last_report: self.last, delay: self.delay, ..ReportBlock::default() }.round_trip(now)
    }
}

/// The blocks of one extended report that matter to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extended {
    /// The sender's clock, NTP.
    pub reference_time: Option<u64>,
    /// About our, or when written their, reference time.
    pub delay: Option<Delay>,
    /// About our, or when written their, sound.
    pub voip_metrics: Option<VoipMetrics>,
}

impl Extended {
    /// There is nothing to be said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Extended::default()
    }
}

/// Reads one packet of type 207 into `found`; of blocks about sources only those about `ours` count.
pub(super) fn read(packet: &[u8], ours: u32, found: &mut Extended) -> Result<(), RtcpError> {
    let mut rest = packet.get(8..).ok_or_else(|| short(packet, 8))?;
    while let Some(head) = rest.first_chunk::<4>() {
        let len = 4 + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
        let (block, after) =
            rest.split_at_checked(len).ok_or_else(|| short(packet, packet.len() + len - rest.len()))?;
        match (head[0], len) {
            (REFERENCE_TIME, 12) => {
                found.reference_time = Some(u64::from(word(block, 4)) << 32 | u64::from(word(block, 8)));
            }
            (DELAY, _) => {
                let ours = block[4..].chunks_exact(12).find(|about| word(about, 0) == ours);
                found.delay =
                    ours.map(|about| Delay { last: word(about, 4), delay: word(about, 8) }).or(found.delay);
            }
            (VOIP_METRICS, 36) if word(block, 4) == ours => {
                found.voip_metrics = Some(VoipMetrics::read(&block[8..]));
            }
            _ => {}
        }
        rest = after;
    }
    Ok(())
}

/// Appends an extended report of `ssrc` with blocks about `about`; nothing if there are none.
pub fn write(out: &mut Vec<u8>, ssrc: u32, about: u32, extended: &Extended) {
    if extended.is_empty() {
        return;
    }
    let start = out.len();
    header(out, 0, EXTENDED_REPORT, 0, ssrc);
    if let Some(ntp) = extended.reference_time {
        out.extend([REFERENCE_TIME, 0, 0, 2]);
        out.extend(ntp.to_be_bytes());
    }
    if let Some(Delay { last, delay }) = extended.delay {
        out.extend([DELAY, 0, 0, 3]);
        out.extend([about, last, delay].iter().flat_map(|word| word.to_be_bytes()));
    }
    if let Some(metrics) = &extended.voip_metrics {
        out.extend([VOIP_METRICS, 0, 0, 8]);
        out.extend(about.to_be_bytes());
        metrics.write(out);
    }
    let words = ((out.len() - start) / 4 - 1) as u16;
    out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
}

/// The first report that one who only receives sends says when the other's last reference time came.
#[must_use]
pub fn delay_since(reference_time: u64, waited: Duration) -> Delay {
    let units = (waited.as_micros() << 16) / 1_000_000;
    Delay { last: middle(reference_time), delay: units.min(u128::from(u32::MAX)) as u32 }
}

impl VoipMetrics {
    /// What follows the source: 28 bytes.
    fn read(bytes: &[u8]) -> VoipMetrics {
        let short = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let known = |at: usize| Some(bytes[at]).filter(|value| *value != UNAVAILABLE);
        VoipMetrics {
            loss: bytes[0],
            discard: bytes[1],
            burst_density: bytes[2],
            gap_density: bytes[3],
            burst_ms: short(4),
            gap_ms: short(6),
            round_trip_ms: short(8),
            end_system_ms: short(10),
            signal_dbm0: known(12).map(|level| level as i8),
            noise_dbm0: known(13).map(|level| level as i8),
            gmin: bytes[15],
            r: known(16).filter(|r| *r <= 100),
            listening: known(18).filter(|opinion| (10..=50).contains(opinion)),
            conversational: known(19).filter(|opinion| (10..=50).contains(opinion)),
            buffer_ms: short(22),
            buffer_most_ms: short(24),
        }
    }

    /// The receiver configuration says that how losses are concealed and whether the buffer adapts is not known (§4.7.6):
    /// the ear is behind us. So it is with echo (RERL) and with a part outside our network (external R).
    fn write(&self, out: &mut Vec<u8>) {
        let level = |level: Option<i8>| level.map_or(UNAVAILABLE, |level| level as u8);
        let known = |value: Option<u8>| value.unwrap_or(UNAVAILABLE);
        out.extend([self.loss, self.discard, self.burst_density, self.gap_density]);
        let lengths = [self.burst_ms, self.gap_ms, self.round_trip_ms, self.end_system_ms];
        out.extend(lengths.iter().flat_map(|ms| ms.to_be_bytes()));
        out.extend([level(self.signal_dbm0), level(self.noise_dbm0), UNAVAILABLE, self.gmin]);
        out.extend([known(self.r), UNAVAILABLE, known(self.listening), known(self.conversational), 0, 0]);
        let buffer = [self.buffer_ms, self.buffer_most_ms, self.buffer_most_ms];
        out.extend(buffer.iter().flat_map(|ms| ms.to_be_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::rtcp;

    fn metrics() -> VoipMetrics {
        VoipMetrics {
            loss: 1,
            discard: 2,
            burst_density: 3,
            gap_density: 4,
            burst_ms: 500,
            gap_ms: 60_000,
            round_trip_ms: 70,
            end_system_ms: 80,
            signal_dbm0: Some(-20),
            noise_dbm0: None,
            gmin: 16,
            r: Some(93),
            listening: Some(44),
            conversational: None,
            buffer_ms: 40,
            buffer_most_ms: 200,
        }
    }

    fn compound(extended: &Extended) -> Vec<u8> {
        let mut bytes = vec![];
        rtcp::write(&mut bytes, 77, 1, None, None, false);
        write(&mut bytes, 77, 5, extended);
        bytes
    }

    #[test]
    fn an_extended_report_is_read_as_it_was_written() {
        let delay = Some(Delay { last: 6, delay: 7 });
        let extended = Extended { reference_time: Some(1 << 40 | 9), delay, voip_metrics: Some(metrics()) };
        let bytes = compound(&extended);
        assert_eq!(rtcp::read(&bytes, 5).unwrap().extended, extended);
        let about_another = rtcp::read(&bytes, 6).unwrap().extended;
        assert_eq!(
            about_another,
            Extended { reference_time: extended.reference_time, ..Extended::default() }
        );
    }

    #[test]
    fn the_blocks_have_the_lengths_and_places_of_the_rfc() {
        let mut bytes = vec![];
        write(&mut bytes, 0x0102_0304, 5, &Extended { voip_metrics: Some(metrics()), ..Extended::default() });
        let expected: [u8; 44] = [
            0x80, 207, 0, 10, 1, 2, 3, 4, // packet: §2
            7, 0, 0, 8, 0, 0, 0, 5, // block: §4.7
            1, 2, 3, 4, 0x01, 0xf4, 0xea, 0x60, 0, 70, 0, 80, // loss, bursts and gaps, delays
            236, 127, 127, 16, 93, 127, 44, 127, 0, 0, 0, 40, 0, 200, 0, 200,
        ];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn no_blocks_are_no_packet() {
        let mut bytes = vec![];
        write(&mut bytes, 1, 2, &Extended::default());
        assert!(bytes.is_empty());
    }

    #[test]
    fn unknown_blocks_and_blocks_of_a_wrong_length_are_passed_over() {
        let mut bytes = vec![];
        rtcp::write(&mut bytes, 77, 1, None, None, false);
        let at = bytes.len();
        bytes.extend([0x80, 207, 0, 7, 0, 0, 0, 77, 99, 0, 0, 1, 1, 2, 3, 4, 4, 0, 0, 0, 4, 0, 0, 2]);
        bytes.extend(9u64.to_be_bytes());
        assert_eq!(rtcp::read(&bytes, 5).unwrap().extended.reference_time, Some(9));
        bytes[at + 11] = 200;
        assert!(matches!(rtcp::read(&bytes, 5), Err(RtcpError::Truncated { packet_type: 207, .. })));
    }

    #[test]
    fn an_attribute_is_understood_among_formats_we_do_not_know() {
        let both = Wanted { voip_metrics: true, reference_time: true };
        assert_eq!(Wanted::read(Wanted::ALL), both);
        assert_eq!(Wanted::read("pkt-loss-rle=60 rcvr-rtt=sender:10 stat-summary=loss VoIP-Metrics"), both);
        assert_eq!(Wanted::read(""), Wanted::default());
    }
}
