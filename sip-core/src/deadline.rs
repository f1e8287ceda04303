//! Deadlines of many machines in one place: what is due next, started and cancelled cheaply.
//!
//! Most timers of SIP are one of two kinds. Some mostly run out, all of one length (D, I, J, K, L, M: a finished
//! transaction lingers): these wait in *lanes*, plain FIFO queues, 24 bytes each, never cancelled. The others are
//! mostly cancelled (A, B, E, F, G, H, and all that a dialog or a call waits for): these stand in a heap with a
//! [`Ticket`] each. Neither knows what a key means: the owner asks the machine behind it.

use std::collections::VecDeque;
use std::time::Instant;

/// Deadlines, each with a key of its owner's choice.
///
/// What is due at the same instant comes in the order of a lane, lanes before the heap, and in the heap in the
/// order started: the same calls give the same order, always.
///
/// The bound is the owner's: a machine has one deadline at a time, so there are as many as machines, and in the
/// lanes as many as machines that finished within the lane's length.
#[derive(Debug)]
pub struct Deadlines<K> {
    lanes: Vec<VecDeque<(Instant, K)>>,
    heap: Heap<K>,
}

/// Names one started deadline until it is cancelled or due; after that it names nothing, even if its place is
/// used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    slot: u32,
    generation: u32,
}

/// A lane with more room than this gives room back when it empties.
const KEPT_ROOM: usize = 256;

impl<K: Copy> Deadlines<K> {
    /// With this many lanes: one for each fixed length.
    pub fn new(lanes: usize) -> Deadlines<K> {
        Deadlines { lanes: (0..lanes).map(|_| VecDeque::new()).collect(), heap: Heap::new() }
    }

    /// Starts a deadline that can be cancelled.
    pub fn start(&mut self, at: Instant, key: K) -> Ticket {
        self.heap.push(at, key)
    }

    /// Ends a deadline. The key, or `None` if it was due or cancelled before: nothing happens then.
    pub fn cancel(&mut self, ticket: Ticket) -> Option<K> {
        self.heap.remove(ticket)
    }

    /// Starts a deadline in a lane. It cannot be cancelled: when it is due, the owner recognises a stale key.
    ///
    /// `at` is expected not to be before what already waits in the lane; should it be, it is put in its place,
    /// which costs as much as it has to move.
    ///
    /// # Panics
    /// If there is no such lane.
    pub fn linger(&mut self, lane: usize, at: Instant, key: K) {
        let lane = &mut self.lanes[lane];
        let later = lane.iter().rev().take_while(|(waiting, _)| *waiting > at).count();
        match later {
            0 => lane.push_back((at, key)),
            _ => lane.insert(lane.len() - later, (at, key)),
        }
    }

    /// The next deadline and its key.
    pub fn next(&self) -> Option<(Instant, K)> {
        let lane = self.lanes.iter().filter_map(|lane| lane.front().copied()).min_by_key(|(at, _)| *at);
        match (lane, self.heap.first()) {
            (Some(lane), Some(heap)) if heap.0 < lane.0 => Some(heap),
            (Some(lane), _) => Some(lane),
            (None, heap) => heap,
        }
    }

    /// Takes the next deadline if it is due: at or before `now`. Call until `None`.
    pub fn pop(&mut self, now: Instant) -> Option<(Instant, K)> {
        let (at, _) = self.next().filter(|(at, _)| *at <= now)?;
        match self.lanes.iter_mut().find(|lane| lane.front().is_some_and(|front| front.0 == at)) {
            Some(lane) => pop_lane(lane),
            None => self.heap.pop(),
        }
    }

    /// Deadlines not yet due.
    pub fn len(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum::<usize>() + self.heap.nodes.len()
    }

    /// Nothing is waited for.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn pop_lane<K>(lane: &mut VecDeque<(Instant, K)>) -> Option<(Instant, K)> {
    let popped = lane.pop_front();
    if lane.capacity() > KEPT_ROOM && lane.len() * 4 < lane.capacity() {
        lane.shrink_to((lane.len() * 2).max(KEPT_ROOM));
    }
    popped
}

/// A heap with four children to a node, and for each ticket the place of its node.
#[derive(Debug)]
struct Heap<K> {
    nodes: Vec<Node<K>>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Counts starts, to order what is due at the same instant.
    started: u64,
}

#[derive(Clone, Copy, Debug)]
struct Node<K> {
    at: Instant,
    order: u64,
    slot: u32,
    key: K,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    /// Index into `nodes`; stale while the slot is free.
    node: u32,
}

impl<K: Copy> Heap<K> {
    fn new() -> Heap<K> {
        Heap { nodes: Vec::new(), slots: Vec::new(), free: Vec::new(), started: 0 }
    }

    fn first(&self) -> Option<(Instant, K)> {
        self.nodes.first().map(|node| (node.at, node.key))
    }

    fn push(&mut self, at: Instant, key: K) -> Ticket {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, node: 0 });
            (self.slots.len() - 1) as u32
        });
        self.started += 1;
        self.nodes.push(Node { at, order: self.started, slot, key });
        self.rise(self.nodes.len() - 1);
        Ticket { slot, generation: self.slots[slot as usize].generation }
    }

    fn pop(&mut self) -> Option<(Instant, K)> {
        (!self.nodes.is_empty()).then(|| self.take(0)).map(|node| (node.at, node.key))
    }

    fn remove(&mut self, ticket: Ticket) -> Option<K> {
        let slot = self.slots.get(ticket.slot as usize)?;
        (slot.generation == ticket.generation).then_some(slot.node as usize).map(|at| self.take(at).key)
    }

    fn take(&mut self, at: usize) -> Node<K> {
        let node = self.nodes.swap_remove(at);
        if at < self.nodes.len() {
            // The node that came from the end may belong above or below.
            self.sink(at);
            self.rise(at);
        }
        // A free slot's generation is one that no ticket has.
        let slot = &mut self.slots[node.slot as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(node.slot);
        node
    }

    fn rise(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 4;
            if !self.is_before(at, parent) {
                break;
            }
            self.nodes.swap(at, parent);
            self.note(at);
            at = parent;
        }
        self.note(at);
    }

    fn sink(&mut self, mut at: usize) {
        loop {
            let children = 4 * at + 1..(4 * at + 5).min(self.nodes.len());
            let first = children.reduce(|a, b| if self.is_before(b, a) { b } else { a });
            let Some(child) = first.filter(|child| self.is_before(*child, at)) else { break };
            self.nodes.swap(at, child);
            self.note(at);
            at = child;
        }
        self.note(at);
    }

    fn is_before(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.nodes[a], &self.nodes[b]);
        (a.at, a.order) < (b.at, b.order)
    }

    fn note(&mut self, at: usize) {
        self.slots[self.nodes[at].slot as usize].node = at as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::time::Duration;

    /// Any instant: from here on time is the test's.
    #[allow(clippy::disallowed_methods)]
    fn origin() -> Instant {
        Instant::now()
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn due<K: Copy>(deadlines: &mut Deadlines<K>, now: Instant) -> Vec<K> {
        std::iter::from_fn(|| deadlines.pop(now)).map(|(_, key)| key).collect()
    }

    #[test]
    fn nothing_is_due_before_its_time_and_everything_at_it() {
        let start = origin();
        let mut deadlines = Deadlines::new(0);
        deadlines.start(start + ms(20), 'b');
        deadlines.start(start + ms(10), 'a');
        assert_eq!(deadlines.next(), Some((start + ms(10), 'a')));
        assert_eq!(due(&mut deadlines, start + ms(9)), [' '; 0]);
        assert_eq!(due(&mut deadlines, start + ms(10)), ['a']);
        assert_eq!(due(&mut deadlines, start + ms(500)), ['b']);
        assert!(deadlines.is_empty());
    }

    #[test]
    fn the_same_instant_comes_in_the_order_started() {
        let start = origin();
        let mut deadlines = Deadlines::new(1);
        for key in 0..100 {
            deadlines.start(start, key);
        }
        deadlines.linger(0, start, 1_000);
        let expected: Vec<_> = std::iter::once(1_000).chain(0..100).collect();
        assert_eq!(due(&mut deadlines, start), expected);
    }

    #[test]
    fn a_ticket_is_good_once() {
        let start = origin();
        let mut deadlines = Deadlines::new(0);
        let first = deadlines.start(start, 1);
        assert_eq!(deadlines.cancel(first), Some(1));
        assert_eq!(deadlines.cancel(first), None);
        let second = deadlines.start(start, 2);
        assert_eq!(deadlines.cancel(first), None, "though the slot is used again");
        assert_eq!(due(&mut deadlines, start), [2]);
        assert_eq!(deadlines.cancel(second), None);
    }

    #[test]
    fn a_lane_keeps_order_even_when_its_length_changed() {
        let start = origin();
        let mut deadlines = Deadlines::new(2);
        deadlines.linger(0, start + ms(30), 'c');
        deadlines.linger(0, start + ms(10), 'a');
        deadlines.linger(1, start + ms(20), 'b');
        assert_eq!(due(&mut deadlines, start + ms(30)), ['a', 'b', 'c']);
    }

    #[test]
    fn an_emptied_lane_gives_its_room_back() {
        let start = origin();
        let mut deadlines = Deadlines::new(1);
        (0..100_000).for_each(|key| deadlines.linger(0, start, key));
        due(&mut deadlines, start);
        assert!(deadlines.lanes[0].capacity() <= 2 * KEPT_ROOM, "{}", deadlines.lanes[0].capacity());
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_sorted_map(steps in proptest::collection::vec((0u8..4, 0u64..50, any::<prop::sample::Index>()), 1..400)) {
            let start = origin();
            let (mut now, mut count) = (0, 0);
            let mut deadlines = Deadlines::new(1);
            let mut tickets = vec![];
            let mut model = BTreeMap::new(); // (at, in the heap, order) -> key
            for (step, value, which) in steps {
                count += 1;
                match step {
                    0 => {
                        let at = now + value;
                        tickets.push((deadlines.start(start + ms(at), count), at, count));
                        model.insert((at, true, count), count);
                    }
                    1 => {
                        deadlines.linger(0, start + ms(now + 32), count);
                        model.insert((now + 32, false, count), count);
                    }
                    2 if !tickets.is_empty() => {
                        let (ticket, at, key) = tickets[which.index(tickets.len())];
                        prop_assert_eq!(deadlines.cancel(ticket), model.remove(&(at, true, key)));
                    }
                    _ => {
                        now += value;
                        let later = model.split_off(&(now + 1, false, 0));
                        let expected: Vec<u64> = model.into_values().collect();
                        model = later;
                        prop_assert_eq!(due(&mut deadlines, start + ms(now)), expected);
                    }
                }
                prop_assert_eq!(deadlines.len(), model.len());
                let first = model.first_key_value().map(|(&(at, ..), &key)| (start + ms(at), key));
                prop_assert_eq!(deadlines.next(), first);
            }
        }
    }
}
