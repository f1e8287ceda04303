//! The sockets of a worker's open legs, found by key and by the poller's token.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::socket::MediaSocket;
use crate::engine::{KeyHasher, MediaLegKey};

/// The sockets of open legs, in places that are used again.
#[derive(Default)]
pub(super) struct Sockets {
    places: Vec<Place>,
    free: Vec<u32>,
    by_key: HashMap<MediaLegKey, u32, BuildHasherDefault<KeyHasher>>,
}

/// One leg's sockets. `turn` grows with each leg, so that a report for the leg before is recognised.
#[derive(Default)]
pub(super) struct Place {
    turn: u32,
    pub(super) leg: Option<(MediaLegKey, MediaSocket)>,
    pub(super) rtcp: Option<MediaSocket>,
}

impl Sockets {
    /// Takes in a leg's socket and gives the token of its RTP; one more is the token of its RTCP. `None` if the key
    /// is open already.
    pub(super) fn insert(&mut self, leg: MediaLegKey, socket: MediaSocket) -> Option<u64> {
        if self.by_key.contains_key(&leg) {
            return None;
        }
        let index = self.free.pop().unwrap_or(self.places.len() as u32);
        if index as usize == self.places.len() {
            self.places.push(Place::default());
        }
        let place = &mut self.places[index as usize];
        place.turn = place.turn.wrapping_add(1);
        place.leg = Some((leg, socket));
        self.by_key.insert(leg, index);
        Some(token(index, place.turn))
    }

    pub(super) fn remove(&mut self, leg: MediaLegKey) {
        let Some(index) = self.by_key.remove(&leg) else { return };
        let place = &mut self.places[index as usize];
        (place.leg, place.rtcp) = (None, None);
        self.free.push(index);
    }

    /// All open legs.
    pub(super) fn legs(&self) -> impl Iterator<Item = MediaLegKey> {
        self.places.iter().filter_map(|place| place.leg.as_ref().map(|(leg, _)| *leg))
    }

    pub(super) fn get(&self, leg: MediaLegKey, rtcp: bool) -> Option<&MediaSocket> {
        let place = &self.places[*self.by_key.get(&leg)? as usize];
        if rtcp { place.rtcp.as_ref() } else { place.leg.as_ref().map(|(_, socket)| socket) }
    }

    pub(super) fn place_mut(&mut self, leg: MediaLegKey) -> Option<(&mut Place, u64)> {
        let index = *self.by_key.get(&leg)?;
        let place = &mut self.places[index as usize];
        let token = token(index, place.turn);
        Some((place, token))
    }

    /// Whose socket a token is; `None` if that leg has been closed since.
    pub(super) fn by_token(&self, reported: u64) -> Option<(MediaLegKey, &MediaSocket)> {
        let index = (reported >> 1) as u32 & 0x7fff_ffff;
        let place = self.places.get(index as usize)?;
        let (leg, rtp) = place.leg.as_ref()?;
        if token(index, place.turn) | reported & 1 != reported {
            return None;
        }
        Some((*leg, if reported & 1 == 1 { place.rtcp.as_ref()? } else { rtp }))
    }
}

/// Turn above, place below, the lowest bit free for RTCP.
fn token(index: u32, turn: u32) -> u64 {
    u64::from(turn) << 32 | u64::from(index) << 1
}
