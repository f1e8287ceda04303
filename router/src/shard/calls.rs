//! The shard's calls: a slab whose keys know their generation, and the deadlines of all of them.

use std::{collections::BTreeSet, time::Instant};

use scheduler::Line;

use crate::{call::Call, config::QueueId, keys::CallKey};

/// Calls by key. Bounded: [`reserve`](Self::reserve) gives nothing when all slots are taken.
pub(super) struct Calls {
    owner: u8,
    capacity: u32,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Slots beyond the capacity, for calls for help.
    spare: Vec<u32>,
    live: usize,
    deadlines: BTreeSet<(Instant, CallKey)>,
    /// Who is in which queue, waiting or while an agent rings.
    queued: BTreeSet<(QueueId, CallKey)>,
    short_of_agents: BTreeSet<(u64, CallKey, Line)>,
}

/// Calls for help at once when all slots are taken.
const SPARE: u32 = 8;

#[derive(Default)]
struct Slot {
    generation: u32,
    call: Option<Box<Call>>,
    filed: Filed,
}

/// Where a call stands in the indexes.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
struct Filed {
    deadline: Option<Instant>,
    queue: Option<QueueId>,
    /// Order key, and the line in which an agent would be idle for him.
    short: Option<(u64, Line)>,
}

impl Calls {
    pub(super) fn new(owner: u8, capacity: u32) -> Calls {
        let all = capacity + SPARE;
        let slots = (0..all).map(|_| Slot::default()).collect();
        let (deadlines, queued, short_of_agents) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        Calls {
            owner,
            capacity,
            slots,
            free: (0..capacity).rev().collect(),
            spare: (capacity..all).rev().collect(),
            live: 0,
            deadlines,
            queued,
            short_of_agents,
        }
    }

    /// A key for a new call; [`put`](Self::put) must follow.
    pub(super) fn reserve(&mut self) -> Option<CallKey> {
        let slot = self.free.pop()?;
        Some(self.open(slot))
    }

    /// The same for a call for help, which never waits in a queue: beyond the capacity too.
    pub(super) fn reserve_spare(&mut self) -> Option<CallKey> {
        let slot = self.spare.pop().or_else(|| self.free.pop())?;
        Some(self.open(slot))
    }

    fn open(&mut self, slot: u32) -> CallKey {
        let entry = &mut self.slots[slot as usize];
        entry.generation = entry.generation.wrapping_add(1);
        self.live += 1;
        CallKey::new(self.owner, slot, entry.generation)
    }

    /// Takes a call out to work on it; [`put`](Self::put) or [`retire`](Self::retire) must follow.
    pub(super) fn take(&mut self, key: CallKey) -> Option<Box<Call>> {
        let slot =
            self.slots.get_mut(key.slot() as usize).filter(|slot| slot.generation == key.generation())?;
        slot.call.take()
    }

    /// The key of the call that lives in `slot`.
    pub(super) fn in_slot(&self, slot: u32) -> Option<CallKey> {
        self.slots.get(slot as usize)?.call.as_ref().map(|call| call.key())
    }

    /// Looks at a call.
    pub(super) fn get(&self, key: CallKey) -> Option<&Call> {
        let slot = self.slots.get(key.slot() as usize).filter(|slot| slot.generation == key.generation())?;
        slot.call.as_deref()
    }

    /// Puts a call back and files its deadline, its queue, and what it wants.
    pub(super) fn put(&mut self, call: Box<Call>) {
        let (key, deadline, queue) = (call.key(), call.deadline(), call.waits_in());
        let filed = Filed { deadline, queue, short: call.wants_agents() };
        self.slots[key.slot() as usize].call = Some(call);
        self.refile(key, filed);
    }

    /// A call is over: its slot is free for the next.
    pub(super) fn retire(&mut self, call: &Call) {
        let key = call.key();
        self.refile(key, Filed::default());
        let free = if key.slot() < self.capacity { &mut self.free } else { &mut self.spare };
        free.push(key.slot());
        self.live -= 1;
    }

    fn refile(&mut self, key: CallKey, filed: Filed) {
        let before = std::mem::replace(&mut self.slots[key.slot() as usize].filed, filed);
        if before.deadline != filed.deadline {
            before.deadline.map(|at| self.deadlines.remove(&(at, key)));
            filed.deadline.map(|at| self.deadlines.insert((at, key)));
        }
        if before.queue != filed.queue {
            before.queue.map(|queue| self.queued.remove(&(queue, key)));
            filed.queue.map(|queue| self.queued.insert((queue, key)));
        }
        if before.short != filed.short {
            before.short.map(|(first, line)| self.short_of_agents.remove(&(first, key, line)));
            filed.short.map(|(first, line)| self.short_of_agents.insert((first, key, line)));
        }
    }

    /// Calls for whom fewer agents ring than might, smallest order key first, and the lines in which one might be idle.
    pub(super) fn short_of_agents(&self) -> Vec<(CallKey, Line)> {
        self.short_of_agents.iter().map(|(_, key, line)| (*key, *line)).collect()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// A call whose deadline is due.
    pub(super) fn due(&self, now: Instant) -> Option<CallKey> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, key)| *key)
    }

    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    /// As many as there may be at once.
    pub(super) fn capacity(&self) -> usize {
        self.capacity as usize
    }

    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Call> {
        self.slots.iter().filter_map(|slot| slot.call.as_deref())
    }

    pub(super) fn keys(&self) -> Vec<CallKey> {
        self.iter().map(Call::key).collect()
    }

    /// Who is in `queue`, waiting or while an agent rings; in the order of keys, which is no order of theirs.
    pub(super) fn queued(&self, queue: QueueId) -> impl Iterator<Item = &Call> {
        let range = (queue, CallKey(0))..=(queue, CallKey(u64::MAX));
        self.queued.range(range).filter_map(|(_, key)| self.slots[key.slot() as usize].call.as_deref())
    }
}
