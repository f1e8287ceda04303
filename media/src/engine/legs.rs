//! The legs of one engine: boxes in places that are used again, found by key.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::command::MediaLegKey;
use crate::leg::Leg;

/// All open legs.
#[derive(Debug, Default)]
pub(crate) struct Legs {
    places: Vec<Option<Box<Leg>>>,
    free: Vec<u32>,
    by_key: HashMap<MediaLegKey, u32, BuildHasherDefault<KeyHasher>>,
}

impl Legs {
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Takes in a leg whose key is not open.
    pub(crate) fn insert(&mut self, leg: Leg) {
        let index = self.free.pop().unwrap_or(self.places.len() as u32);
        self.by_key.insert(leg.key, index);
        match self.places.get_mut(index as usize) {
            Some(place) => *place = Some(Box::new(leg)),
            None => self.places.push(Some(Box::new(leg))),
        }
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<Box<Leg>> {
        let leg = self.places.get_mut(index as usize)?.take()?;
        self.by_key.remove(&leg.key);
        self.free.push(index);
        Some(leg)
    }

    pub(crate) fn find(&self, key: MediaLegKey) -> Option<u32> {
        self.by_key.get(&key).copied()
    }

    pub(crate) fn find_mut(&mut self, key: MediaLegKey) -> Option<&mut Leg> {
        self.get_mut(self.find(key)?)
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Leg> {
        self.places.get(index as usize)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut Leg> {
        self.places.get_mut(index as usize)?.as_deref_mut()
    }
}

/// Mixes a key once (Fibonacci hashing). Keys are our own, so nobody can choose them to collide.
#[derive(Debug, Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
