//! The beat of 20 ms for all legs that play: a ring of 20 phases of 1 ms.
//!
//! A leg that joins in millisecond m beats at m + 20, m + 40, …: no drift, whatever a beat itself costs. Legs of one
//! phase share one wake-up, joining and leaving are O(1), and nothing is allocated while music plays.

use std::time::{Duration, Instant};

/// Milliseconds from beat to beat.
pub(crate) const PERIOD: u64 = 20;
/// A thread that was away for longer than this does not catch up beat by beat.
const CATCH_UP: u64 = 100;

/// Who beats when.
#[derive(Debug)]
pub(crate) struct Cadence {
    origin: Instant,
    /// The first millisecond not yet beaten.
    next: u64,
    phases: [Vec<u32>; PERIOD as usize],
    members: usize,
}

/// A member's place; give it back to [`Cadence::leave`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    phase: u8,
    position: u32,
}

impl Cadence {
    pub(crate) fn new(origin: Instant) -> Cadence {
        Cadence { origin, next: 0, phases: Default::default(), members: 0 }
    }

    /// The millisecond `now` lies in.
    pub(crate) fn beat_at(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.origin).as_millis() as u64
    }

    /// Takes a seat in the phase of `beat`, which the member serves by itself; if the ring has not come so far yet,
    /// it will call that beat once more.
    pub(crate) fn join(&mut self, beat: u64, member: u32) -> Seat {
        if self.members == 0 {
            self.next = beat + 1;
        }
        self.members += 1;
        let phase = (beat % PERIOD) as u8;
        let seats = &mut self.phases[usize::from(phase)];
        seats.push(member);
        Seat { phase, position: seats.len() as u32 - 1 }
    }

    /// Leaves. The member who now has this seat, if any, must be told: its position has changed to this one.
    pub(crate) fn leave(&mut self, seat: Seat) -> Option<u32> {
        self.members -= 1;
        let seats = &mut self.phases[usize::from(seat.phase)];
        seats.swap_remove(seat.position as usize);
        seats.get(seat.position as usize).copied()
    }

    /// When the next beat with members is.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        if self.members == 0 {
            return None;
        }
        let beat = (self.next..self.next + PERIOD).find(|beat| !self.seats(*beat).is_empty())?;
        Some(self.origin + Duration::from_millis(beat))
    }

    /// Takes the next beat with members that is due at `now`. Call its [`seats`](Self::seats) from the last to the
    /// first, so that members may leave when called.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<u64> {
        let today = self.beat_at(now);
        if self.members == 0 {
            return None;
        }
        if today > self.next + CATCH_UP {
            self.next = today + 1 - PERIOD; // every phase once; members see from the beat what they missed
        }
        while self.next <= today {
            self.next += 1;
            if !self.seats(self.next - 1).is_empty() {
                return Some(self.next - 1);
            }
        }
        None
    }

    /// The members of a beat's phase.
    pub(crate) fn seats(&self, beat: u64) -> &[u32] {
        &self.phases[(beat % PERIOD) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::origin;

    fn beats(cadence: &mut Cadence, now: Instant) -> Vec<(u64, Vec<u32>)> {
        let mut seen = vec![];
        while let Some(beat) = cadence.take_due(now) {
            seen.push((beat, cadence.seats(beat).to_vec()));
        }
        seen
    }

    #[test]
    fn members_beat_every_20_ms_from_the_millisecond_they_joined() {
        let start = origin();
        let mut cadence = Cadence::new(start);
        cadence.join(7, 70);
        assert_eq!(beats(&mut cadence, start + Duration::from_millis(12)), []);
        cadence.join(12, 120);
        let seen = beats(&mut cadence, start + Duration::from_millis(52));
        assert_eq!(seen, [(27, vec![70]), (32, vec![120]), (47, vec![70]), (52, vec![120])]);
        assert_eq!(cadence.next_at(), Some(start + Duration::from_millis(67)));
    }

    #[test]
    fn who_leaves_is_replaced_by_the_last_of_the_phase() {
        let mut cadence = Cadence::new(origin());
        let first = cadence.join(5, 1);
        cadence.join(5, 2);
        cadence.join(25, 3);
        assert_eq!(cadence.leave(first), Some(3));
        assert_eq!(cadence.seats(5), [3, 2]);
    }

    #[test]
    fn an_empty_cadence_asks_for_no_wake_up() {
        let mut cadence = Cadence::new(origin());
        let seat = cadence.join(5, 1);
        assert_eq!(cadence.leave(seat), None);
        assert_eq!(cadence.next_at(), None);
    }

    #[test]
    fn after_a_long_absence_each_member_is_called_once_in_its_phase() {
        let start = origin();
        let mut cadence = Cadence::new(start);
        cadence.join(3, 1);
        cadence.join(4, 2);
        let seen = beats(&mut cadence, start + Duration::from_millis(5_003));
        assert_eq!(seen, [(4_984, vec![2]), (5_003, vec![1])]);
    }
}
