//! The sockets of a worker's open legs, found by key and by the poller's token.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::socket::MediaSocket;
use crate::engine::{KeyHasher, MediaLegKey, Spot};

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
    pub(super) leg: Option<(Spot, MediaSocket)>,
    pub(super) rtcp: Option<MediaSocket>,
}

impl Sockets {
    pub(super) fn contains(&self, leg: MediaLegKey) -> bool {
        self.by_key.contains_key(&leg)
    }

    /// The index that the next leg will have.
    pub(super) fn next_index(&self) -> u32 {
        self.free.last().copied().unwrap_or(self.places.len() as u32)
    }

    /// Takes in a leg's socket, whose key is not open, and gives the token of its RTP; one more is the token of its RTCP.
    pub(super) fn insert(&mut self, spot: Spot, socket: MediaSocket) -> u64 {
        let index = self.next_index();
        if self.free.pop().is_none() {
            self.places.push(Place::default());
        }
        let place = &mut self.places[index as usize];
        place.turn = place.turn.wrapping_add(1);
        place.leg = Some((spot, socket));
        self.by_key.insert(spot.leg(), index);
        token(index, place.turn)
    }

    pub(super) fn remove(&mut self, leg: MediaLegKey) {
        let Some(index) = self.by_key.remove(&leg) else { return };
        let place = &mut self.places[index as usize];
        (place.leg, place.rtcp) = (None, None);
        self.free.push(index);
    }

    /// All open legs.
    pub(super) fn legs(&self) -> impl Iterator<Item = MediaLegKey> {
        self.places.iter().filter_map(|place| place.leg.as_ref().map(|(spot, _)| spot.leg()))
    }

    pub(super) fn get(&self, leg: MediaLegKey, rtcp: bool) -> Option<&MediaSocket> {
        let place = &self.places[*self.by_key.get(&leg)? as usize];
        if rtcp { place.rtcp.as_ref() } else { place.leg.as_ref().map(|(_, socket)| socket) }
    }

    /// The RTP socket of a leg whose index is known.
    pub(super) fn at(&self, index: u32, leg: MediaLegKey) -> Option<&MediaSocket> {
        let (spot, socket) = self.places.get(index as usize)?.leg.as_ref()?;
        (spot.leg() == leg).then_some(socket)
    }

    pub(super) fn place_mut(&mut self, leg: MediaLegKey) -> Option<(&mut Place, u64)> {
        let index = *self.by_key.get(&leg)?;
        let place = &mut self.places[index as usize];
        let token = token(index, place.turn);
        Some((place, token))
    }

    /// Whose socket a token is; `None` if that leg has been closed since.
    pub(super) fn by_token(&self, reported: u64) -> Option<(Spot, &MediaSocket)> {
        let index = (reported >> 1) as u32 & 0x7fff_ffff;
        let place = self.places.get(index as usize)?;
        let (spot, rtp) = place.leg.as_ref()?;
        if token(index, place.turn) | reported & 1 != reported {
            return None;
        }
        Some((*spot, if reported & 1 == 1 { place.rtcp.as_ref()? } else { rtp }))
    }
}

/// Turn above, place below, the lowest bit free for RTCP.
fn token(index: u32, turn: u32) -> u64 {
    u64::from(turn) << 32 | u64::from(index) << 1
}
