//! Prompts one after another: the pieces of a queue's music, or the words of an announcement.

use std::sync::Arc;

use crate::prompt::Prompt;

/// Pieces that follow each other without a pause: the next begins in the packet behind the last of the one before.
///
/// A clone shares the pieces, and lists share those they have in common.
#[derive(Debug, Clone)]
pub struct Playlist {
    pieces: Arc<[Arc<Prompt>]>,
    frames: u64,
    /// Every round in another order, which this number decides; `None`: as listed.
    shuffle: Option<u64>,
}

/// A piece and where it stands among all frames since the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    piece: usize,
    start: u64,
    end: u64,
}

impl Playlist {
    /// These pieces, in this order; `None` if there are none.
    #[must_use]
    pub fn new(pieces: Vec<Arc<Prompt>>) -> Option<Playlist> {
        let frames = pieces.iter().map(|piece| piece.frame_count() as u64).sum();
        (!pieces.is_empty()).then(|| Playlist { pieces: pieces.into(), frames, shuffle: None })
    }

    /// The same pieces, every round in another order. Lists of the same pieces with the same `seed` take the same
    /// turns. No piece comes twice running, so that two pieces stay as listed.
    #[must_use]
    pub fn shuffled(self, seed: u64) -> Playlist {
        let shuffle = Some(seed).filter(|_| self.pieces.len() > 2);
        Playlist { shuffle, ..self }
    }

    /// Frames of 20 ms of one round; at least 1.
    #[must_use]
    pub fn frame_count(&self) -> u64 {
        self.frames
    }

    /// How long one round is.
    #[must_use]
    pub fn duration(&self) -> std::time::Duration {
        self.pieces.iter().map(|piece| piece.duration()).sum()
    }

    /// What is at a frame, counted over all rounds.
    pub(crate) fn slot(&self, frame: u64) -> Slot {
        let round = frame / self.frames;
        let mut start = round * self.frames;
        for piece in self.order(round) {
            let end = start + self.pieces[piece].frame_count() as u64;
            if frame < end {
                return Slot { piece, start, end };
            }
            start = end;
        }
        Slot { piece: 0, start: frame, end: frame + 1 } // not reached: the pieces of a round fill it
    }

    fn order(&self, round: u64) -> Vec<usize> {
        let Some(seed) = self.shuffle else { return (0..self.pieces.len()).collect() };
        let mut order = self.drawn(seed, round);
        // The swap touches no last piece: there are three at least.
        let before = round.checked_sub(1).map(|round| self.drawn(seed, round));
        if before.is_some_and(|before| before.last() == order.first()) {
            order.swap(0, 1);
        }
        order
    }

    /// Fisher and Yates, with numbers of splitmix64.
    fn drawn(&self, seed: u64, round: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.pieces.len()).collect();
        let mut state = seed ^ round.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        for at in (1..order.len()).rev() {
            order.swap(at, (next(&mut state) % (at as u64 + 1)) as usize);
        }
        order
    }
}

impl From<Arc<Prompt>> for Playlist {
    fn from(prompt: Arc<Prompt>) -> Playlist {
        let frames = prompt.frame_count() as u64;
        Playlist { pieces: Arc::new([prompt]), frames, shuffle: None }
    }
}

impl Slot {
    pub(crate) fn has(&self, frame: u64) -> bool {
        (self.start..self.end).contains(&frame)
    }

    /// The prompt, and which of its frames a frame of the list is.
    pub(crate) fn of<'l>(&self, list: &'l Playlist, frame: u64) -> (&'l Prompt, usize) {
        (&list.pieces[self.piece], (frame - self.start) as usize)
    }
}

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(lengths: &[usize]) -> Playlist {
        let piece = |&frames: &usize| Arc::new(Prompt::from_samples(&vec![0; frames * 160], "piece"));
        Playlist::new(lengths.iter().map(piece).collect()).unwrap()
    }

    /// The pieces of some rounds, and whether every frame of each came in turn.
    fn heard(list: &Playlist, rounds: u64) -> Vec<usize> {
        let mut order = vec![];
        let mut slot: Option<Slot> = None;
        for frame in 0..rounds * list.frame_count() {
            let here = slot.filter(|slot| slot.has(frame)).unwrap_or_else(|| list.slot(frame));
            if slot.replace(here) != Some(here) {
                assert_eq!(here.start, frame, "a piece begins with its first frame");
                order.push(here.piece);
            }
            assert_eq!(here.of(list, frame).1 as u64, frame - here.start);
        }
        order
    }

    #[test]
    fn pieces_follow_each_other_frame_by_frame_round_after_round() {
        assert_eq!(heard(&list(&[2, 1, 3]), 2), [0, 1, 2, 0, 1, 2]);
        assert_eq!(heard(&list(&[1]), 3), [0, 0, 0]);
    }

    #[test]
    fn shuffled_every_round_has_every_piece_once_and_none_comes_twice_running() {
        for seed in 0..50 {
            let list = list(&[2, 1, 3, 2]).shuffled(seed);
            let order = heard(&list, 20);
            assert_eq!(order.len(), 80);
            assert!(order.windows(2).all(|pair| pair[0] != pair[1]), "seed {seed}: {order:?}");
            for round in order.chunks(4) {
                let mut pieces = round.to_vec();
                pieces.sort();
                assert_eq!(pieces, [0, 1, 2, 3], "seed {seed}");
            }
            assert!(order.chunks(4).any(|round| round != &order[..4]), "seed {seed}: always the same order");
        }
    }

    #[test]
    fn the_same_seed_takes_the_same_turns_and_two_pieces_stay_as_listed() {
        let of = |seed| heard(&list(&[1, 1, 1, 1, 1]).shuffled(seed), 5);
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
        assert_eq!(heard(&list(&[1, 2]).shuffled(3), 2), [0, 1, 0, 1]);
    }
}
