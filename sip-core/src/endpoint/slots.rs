//! Numbered places for boxed things, recognised by generation when they are gone.

use crate::key;

/// A slab whose keys are never mistaken: a slot used again has another generation.
///
/// Values are boxed, so what a finished call leaves behind is 16 bytes of slot, not the size of its state.
pub(crate) struct Slots<T> {
    owner: u8,
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    live: usize,
    limit: usize,
}

struct Slot<T> {
    generation: u32,
    value: Option<Box<T>>,
}

impl<T> Slots<T> {
    /// As many as a key can number.
    const MOST: u32 = 1 << 24;

    /// Full from `limit` things on.
    pub(crate) fn new(owner: u8, limit: usize) -> Slots<T> {
        Slots { owner, slots: Vec::new(), free: Vec::new(), live: 0, limit: limit.min(Self::MOST as usize) }
    }

    pub(crate) fn len(&self) -> usize {
        self.live
    }

    pub(crate) fn is_full(&self) -> bool {
        self.live >= self.limit
    }

    /// The key that the next [`insert`](Self::insert) gives: what is stored may have to carry it.
    pub(crate) fn next_key(&self) -> u64 {
        let at = self.free.last().copied().unwrap_or(self.slots.len() as u32);
        let generation = self.slots.get(at as usize).map_or(1, |slot| slot.generation);
        key::pack(self.owner, at & (Self::MOST - 1), generation)
    }

    /// Stores a thing, the limit or not: who starts something new asks [`is_full`](Self::is_full) first, who ends
    /// something must not be refused. `None` only when no key is left.
    pub(crate) fn insert(&mut self, value: T) -> Option<u64> {
        let key = self.next_key();
        let at = match self.free.pop() {
            Some(at) => at as usize,
            None if self.slots.len() == Self::MOST as usize => return None,
            None => {
                self.slots.push(Slot { generation: 1, value: None });
                self.slots.len() - 1
            }
        };
        self.slots[at].value = Some(Box::new(value));
        self.live += 1;
        Some(key)
    }

    pub(crate) fn get(&self, key: u64) -> Option<&T> {
        let slot = self.slots.get(key::slot(key) as usize)?;
        slot.value.as_deref().filter(|_| self.is_current(slot, key))
    }

    pub(crate) fn get_mut(&mut self, key: u64) -> Option<&mut T> {
        let owner = self.owner;
        let slot = self.slots.get_mut(key::slot(key) as usize)?;
        let current = key::owner(key) == owner && slot.generation == key::generation(key);
        slot.value.as_deref_mut().filter(|_| current)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.value.as_deref())
    }

    /// Takes the thing out; its key is stale from here on.
    pub(crate) fn remove(&mut self, key: u64) -> Option<Box<T>> {
        let owner = self.owner;
        let slot = self.slots.get_mut(key::slot(key) as usize)?;
        if key::owner(key) != owner || slot.generation != key::generation(key) {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key::slot(key));
        self.live -= 1;
        Some(value)
    }

    fn is_current(&self, slot: &Slot<T>, key: u64) -> bool {
        key::owner(key) == self.owner && slot.generation == key::generation(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_finds_nothing_when_its_slot_is_used_again() {
        let mut slots = Slots::new(1, 10);
        let first = slots.insert("first").unwrap();
        assert_eq!(slots.remove(first).as_deref(), Some(&"first"));
        let second = slots.insert("second").unwrap();
        assert_eq!(key::slot(first), key::slot(second));
        assert_eq!((slots.get(first), slots.get(second)), (None, Some(&"second")));
        assert!(slots.remove(first).is_none() && slots.get_mut(first).is_none());
    }

    #[test]
    fn a_key_of_another_owner_finds_nothing() {
        let mut ours = Slots::new(1, 10);
        let mut theirs = Slots::new(2, 10);
        ours.insert(()).unwrap();
        let foreign = theirs.insert(()).unwrap();
        assert!(ours.get(foreign).is_none());
    }

    #[test]
    fn the_next_key_is_the_one_the_next_thing_gets() {
        let mut slots = Slots::new(0, 1);
        for turn in 0..3 {
            let expected = slots.next_key();
            let key = slots.insert(turn).unwrap();
            assert_eq!((key, slots.is_full(), slots.len()), (expected, true, 1));
            slots.remove(key);
        }
        assert!(!slots.is_full());
    }
}
