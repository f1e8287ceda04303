//! Bursts and gaps of loss: RFC 3611 §4.7.2.

/// So many packets received between two losses and they belong to different bursts (§4.7.2 recommends 16).
pub const GMIN: u64 = 16;

/// What was lost of one line of packets, or of several added up.
///
/// A burst begins and ends with a lost packet and has fewer than [`GMIN`] received ones in a row between; a packet lost
/// alone is no burst. Nothing is done for a packet that comes in order: only losses cost something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Packets that never came, or more than 64 packets too late.
    pub lost: u32,
    /// Rows of packets lost one after the other; as many as `lost` if each was lost alone.
    pub rows: u32,
    /// Bursts.
    pub bursts: u32,
    /// Packets lost in bursts.
    pub burst_lost: u32,
    /// Packets in bursts, lost and received.
    pub burst_packets: u32,
    cluster: Option<Cluster>,
}

/// Losses that may become a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cluster {
    first: u64,
    last: u64,
    lost: u32,
}

impl Losses {
    /// `count` packets from number `first` on are lost. Numbers ascend from call to call.
    pub(crate) fn lose(&mut self, first: u64, count: u32) {
        let last = first + u64::from(count) - 1;
        self.lost = self.lost.saturating_add(count);
        match &mut self.cluster {
            Some(cluster) if first - cluster.last <= GMIN => {
                self.rows += u32::from(first > cluster.last + 1);
                cluster.last = last;
                cluster.lost = cluster.lost.saturating_add(count);
            }
            _ => {
                self.settle();
                self.rows += 1;
                self.cluster = Some(Cluster { first, last, lost: count });
            }
        }
    }

    /// What comes next has nothing to do with what was before.
    pub(crate) fn settle(&mut self) {
        let Some(Cluster { first, last, lost }) = self.cluster.take() else { return };
        if lost > 1 {
            self.bursts += 1;
            self.burst_lost = self.burst_lost.saturating_add(lost);
            let packets = u32::try_from(last - first + 1).unwrap_or(u32::MAX);
            self.burst_packets = self.burst_packets.saturating_add(packets);
        }
    }

    /// The sums of both.
    #[must_use]
    pub(crate) fn plus(mut self, mut other: Losses) -> Losses {
        self.settle();
        other.settle();
        Losses {
            lost: self.lost.saturating_add(other.lost),
            rows: self.rows.saturating_add(other.rows),
            bursts: self.bursts.saturating_add(other.bursts),
            burst_lost: self.burst_lost.saturating_add(other.burst_lost),
            burst_packets: self.burst_packets.saturating_add(other.burst_packets),
            cluster: None,
        }
    }

    /// Share of packets lost within bursts, in 256ths.
    #[must_use]
    pub fn burst_density(&self) -> u8 {
        share(self.burst_lost, u64::from(self.burst_packets))
    }

    /// Share of packets lost between bursts, in 256ths, of `expected` packets in all.
    #[must_use]
    pub fn gap_density(&self, expected: u64) -> u8 {
        share(self.lost - self.burst_lost, expected.saturating_sub(self.burst_packets.into()))
    }

    /// Mean length of a burst in packets; 0 if there was none.
    #[must_use]
    pub fn burst_length(&self) -> u32 {
        self.burst_packets.checked_div(self.bursts).unwrap_or(0)
    }

    /// Mean length of what lies between bursts in packets, of `expected` packets in all.
    #[must_use]
    pub fn gap_length(&self, expected: u64) -> u64 {
        expected.saturating_sub(self.burst_packets.into()) / u64::from(self.bursts.max(1))
    }
}

/// In 256ths, 255 at most.
pub(crate) fn share(part: u32, of: u64) -> u8 {
    (u64::from(part) * 256).checked_div(of).unwrap_or(0).min(255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of §4.7.2 taken word by word, with all packets before us.
    fn by_definition(came: &[bool]) -> (u32, u32, u32) {
        let lost: Vec<usize> = (0..came.len()).filter(|&at| !came[at]).collect();
        let (mut bursts, mut burst_lost, mut burst_packets) = (0, 0, 0);
        let mut rest = &lost[..];
        while let [first, ..] = *rest {
            let near = rest.windows(2).take_while(|pair| pair[1] - pair[0] - 1 < GMIN as usize).count();
            if near > 0 {
                bursts += 1;
                burst_lost += near as u32 + 1;
                burst_packets += (rest[near] - first) as u32 + 1;
            }
            rest = &rest[near + 1..];
        }
        (bursts, burst_lost, burst_packets)
    }

    #[test]
    fn bursts_are_those_of_the_definition_whatever_the_pattern() {
        let mut seed = 4_711u64;
        for run in 0..400 {
            let came: Vec<bool> = (0..600)
                .map(|_| {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    seed >> 33 & 0xff >= [3, 13, 40, 200][run % 4]
                })
                .collect();
            let mut losses = Losses::default();
            for at in (0..came.len()).filter(|&at| !came[at]) {
                losses.lose(at as u64, 1);
            }
            let sums = losses.plus(Losses::default());
            let lost = came.iter().filter(|came| !**came).count() as u32;
            let rows = (0..came.len()).filter(|&at| !came[at] && (at == 0 || came[at - 1])).count() as u32;
            assert_eq!((sums.lost, sums.rows), (lost, rows), "{run}");
            assert_eq!((sums.bursts, sums.burst_lost, sums.burst_packets), by_definition(&came), "{run}");
        }
    }

    #[test]
    fn sixteen_received_packets_part_two_losses_and_fifteen_do_not() {
        for (between, bursts) in [(15, 1), (16, 0)] {
            let mut losses = Losses::default();
            losses.lose(100, 1);
            losses.lose(101 + between, 1);
            assert_eq!(losses.plus(Losses::default()).bursts, bursts, "{between}");
        }
    }

    #[test]
    fn densities_and_lengths_are_those_of_the_report() {
        // 1,000 packets: one lost alone, and a burst of 20 in which every other one is lost, 10 in all.
        let mut losses = Losses::default();
        losses.lose(100, 1);
        (0..10).for_each(|n| losses.lose(500 + 2 * n, 1));
        let losses = losses.plus(Losses::default());
        assert_eq!((losses.bursts, losses.burst_length()), (1, 19));
        assert_eq!(losses.burst_density(), (10 * 256 / 19) as u8);
        assert_eq!(
            (losses.gap_density(1_000), losses.gap_length(1_000)),
            (0, 981),
            "1 of 981 is under a 256th"
        );
    }
}
