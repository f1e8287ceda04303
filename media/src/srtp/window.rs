//! Which packets have come: rollover counters and replay windows. RFC 3711 §3.3.1, §3.3.2.

/// Sources of one peer that are remembered at once. Telephones have one, gateways two (events of their own), and a new
/// one for each change of who speaks. When all places are taken the one heard longest ago makes room: packets of it
/// that were recorded could be played to us again then.
pub const SOURCES: usize = 8;

/// Packets behind the newest that are told apart (RFC 3711 §3.3.2 asks for at least 64).
const SIZE: u64 = 64;

/// Indices of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Window {
    highest: u64,
    /// Bit n: `highest - n` has come.
    seen: u64,
}

impl Window {
    /// A source of which this is the first packet.
    pub(super) fn new(index: u64) -> Window {
        Window { highest: index, seen: 1 }
    }

    /// The index of the packet with this sequence number that lies next to the newest one (§3.3.1, appendix A). `None`:
    /// before the very first.
    pub(super) fn guess(&self, sequence: u16) -> Option<u64> {
        let (rollovers, newest) = (self.highest >> 16, self.highest as u16);
        let rollovers = match newest {
            0..0x8000 if sequence > newest + 0x8000 => rollovers.checked_sub(1)?,
            0x8000.. if sequence < newest - 0x8000 => rollovers + 1,
            _ => rollovers,
        };
        Some(rollovers << 16 | u64::from(sequence))
    }

    /// It has not come yet, as far as can be told.
    pub(super) fn admits(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            None => true,
            Some(behind) => behind < SIZE && self.seen >> behind & 1 == 0,
        }
    }

    /// It has come. To be called only for what is authentic.
    pub(super) fn note(&mut self, index: u64) {
        match index.checked_sub(self.highest) {
            Some(0) => {}
            Some(ahead) => {
                self.seen = if ahead < SIZE { self.seen << ahead | 1 } else { 1 };
                self.highest = index;
            }
            None => self.seen |= 1 << (self.highest - index).min(SIZE - 1),
        }
    }
}

/// The sources of one peer, who spoke last first.
#[derive(Debug, Default)]
pub(super) struct Sources {
    places: [(u32, Window); SOURCES],
    taken: usize,
}

impl Sources {
    /// What has come of a source; `None` if it has no place.
    pub(super) fn window(&self, ssrc: u32) -> Option<&Window> {
        self.places[..self.taken].iter().find(|(source, _)| *source == ssrc).map(|(_, window)| window)
    }

    /// An authentic packet has come.
    pub(super) fn note(&mut self, ssrc: u32, index: u64) {
        let at = self.places[..self.taken].iter().position(|(source, _)| *source == ssrc);
        match at {
            Some(at) => {
                self.places[..=at].rotate_right(1);
                self.places[0].1.note(index);
            }
            None => {
                self.taken = (self.taken + 1).min(SOURCES);
                self.places[..self.taken].rotate_right(1);
                self.places[0] = (ssrc, Window::new(index));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_belongs_to_the_turn_that_lies_nearer() {
        let guesses =
            |newest: u64| [0, 1, 0x7fff, 0x8000, 0xffff].map(|sequence| Window::new(newest).guess(sequence));
        let turn = 1 << 16;
        assert_eq!(guesses(0), [Some(0), Some(1), Some(0x7fff), Some(0x8000), None]);
        assert_eq!(guesses(turn + 2), [turn, turn + 1, turn + 0x7fff, turn + 0x8000, 0xffff].map(Some));
        let wraps = [2 * turn, 2 * turn + 1, turn + 0x7fff, turn + 0x8000, turn + 0xffff];
        assert_eq!(guesses(turn + 0xfffe), wraps.map(Some));
    }

    #[test]
    fn a_packet_is_admitted_once_and_only_while_it_can_be_told() {
        let mut window = Window::new(1_000);
        assert!(!window.admits(1_000) && window.admits(999) && window.admits(937) && !window.admits(936));
        window.note(999);
        assert!(!window.admits(999));
        window.note(1_063);
        assert!(!window.admits(1_000) && window.admits(1_001) && !window.admits(999));
        window.note(5_000);
        assert!(!window.admits(1_063) && window.admits(4_999) && !window.admits(5_000));
    }

    #[test]
    fn the_source_heard_longest_ago_makes_room() {
        let mut sources = Sources::default();
        (0..SOURCES as u32).for_each(|ssrc| sources.note(ssrc, 7));
        sources.note(0, 8);
        sources.note(99, 1);
        assert_eq!(sources.window(1), None);
        assert_eq!(sources.window(0), Some(&Window { highest: 8, seen: 3 }));
        assert_eq!(sources.window(99), Some(&Window::new(1)));
    }
}
