//! Customers who are to be called back: who, when next, and until when.
//!
//! A fold over the facts of the journal, as sums are: so a crash loses nobody, and the running shard and the next start
//! know the same. A callback is named by the call in which it was asked for. While a call of ours works for it, or that
//! first call is not over, nothing is due. Bounded: a queue has room for so many, and who finds none is told so by the
//! flow.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::journal::fact::{CallId, Fact, Micros, What};

/// Callbacks pending in one queue, some 300 bytes each.
pub const MOST_IN_A_QUEUE: usize = 1_000;

/// One customer who is to be called back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// Its name: the call in which it was asked for.
    pub id: CallId,
    /// Name of the queue.
    pub queue: String,
    /// The customer's number.
    pub from: String,
    /// What he had called.
    pub to: String,
    /// Name of the trunk by which he had called.
    pub trunk: String,
    /// Where he is called.
    pub dial: String,
    /// When he first came to a queue: by this he stands.
    pub arrived: Micros,
    /// How long he is to ring.
    pub ring_ms: u64,
    /// How long nobody calls again.
    pub retry_ms: u64,
    /// How often he can still be called.
    pub tries: u8,
    /// When it is given up.
    pub expires: Micros,
    /// When it begins, or begins again.
    next: Micros,
    /// The call that is to be over first: that in which it was asked for, then one of ours.
    held_by: Option<CallId>,
}

/// All that are pending.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Callback>", into = "Vec<Callback>")]
pub struct Callbacks {
    pending: BTreeMap<CallId, Callback>,
    /// Those that no call holds, by the time at which something is to be done.
    by_time: BTreeSet<(Micros, CallId)>,
    /// Which callback a call holds.
    held: BTreeMap<CallId, CallId>,
}

/// Why nobody more can be called back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// The same number waits for one in this queue already.
    Awaited(CallId),
    /// The queue has as many as it may.
    Full,
}

impl Callback {
    /// When to begin again after it came to nothing at `now`.
    pub fn again_at(&self, now: Micros) -> Micros {
        now.saturating_add(micros(self.retry_ms))
    }

    fn due_at(&self) -> Micros {
        self.next.min(self.expires)
    }
}

impl Callbacks {
    /// Takes in a fact.
    pub fn apply(&mut self, fact: &Fact) {
        match (&fact.what, fact.call) {
            (What::CallbackAsked { .. }, Some(call)) => self.add(call, fact),
            (What::CallbackBegun { callback, .. }, Some(call)) => {
                self.change(*callback, |pending| pending.held_by = Some(call));
            }
            (What::CallbackPutOff { callback, until, tried }, _) => self.change(*callback, |pending| {
                pending.next = *until;
                pending.tries = pending.tries.saturating_sub(u8::from(*tried));
            }),
            (What::CallbackOver { callback, .. }, _) => _ = self.remove(*callback),
            (What::Ended { .. }, Some(call)) => {
                if let Some(callback) = self.held.get(&call).copied() {
                    self.change(callback, |pending| pending.held_by = None);
                }
            }
            (What::Started { .. }, _) => self.let_go(),
            _ => {}
        }
    }

    /// Whether one more can be pending for `number` in `queue`.
    ///
    /// # Errors
    /// Why not.
    pub fn room_for(&self, number: &str, queue: &str) -> Result<(), NoRoom> {
        let in_queue = || self.pending.values().filter(|pending| pending.queue == queue);
        if let Some(same) = in_queue().find(|pending| pending.from == number) {
            return Err(NoRoom::Awaited(same.id));
        }
        if in_queue().count() < MOST_IN_A_QUEUE { Ok(()) } else { Err(NoRoom::Full) }
    }

    /// The first for which something is to be done at `now`: it is to begin, or to be given up.
    pub fn due(&self, now: Micros) -> Option<&Callback> {
        let (at, id) = self.by_time.first()?;
        self.pending.get(id).filter(|_| *at <= now)
    }

    /// When [`due`](Self::due) has one next.
    pub fn next_at(&self) -> Option<Micros> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// The one of this name.
    pub fn get(&self, id: CallId) -> Option<&Callback> {
        self.pending.get(&id)
    }

    /// All that are pending, in the order in which they were asked for.
    pub fn iter(&self) -> impl Iterator<Item = &Callback> {
        self.pending.values()
    }

    /// All that no call works for.
    pub fn at_rest(&self) -> impl Iterator<Item = &Callback> {
        self.iter().filter(|pending| pending.held_by.is_none())
    }

    fn add(&mut self, id: CallId, fact: &Fact) {
        let What::CallbackAsked { queue, from, to, trunk, dial, arrived, ring_ms, retry_ms, tries, expires } =
            &fact.what
        else {
            return;
        };
        self.insert(Callback {
            id,
            queue: queue.clone(),
            from: from.clone(),
            to: to.clone(),
            trunk: trunk.clone(),
            dial: dial.clone(),
            arrived: *arrived,
            ring_ms: *ring_ms,
            retry_ms: *retry_ms,
            tries: *tries,
            expires: *expires,
            next: fact.at,
            held_by: Some(id),
        });
    }

    fn change(&mut self, id: CallId, change: impl FnOnce(&mut Callback)) {
        if let Some(mut pending) = self.remove(id) {
            change(&mut pending);
            self.insert(pending);
        }
    }

    fn insert(&mut self, pending: Callback) {
        match pending.held_by {
            Some(call) => _ = self.held.insert(call, pending.id),
            None => _ = self.by_time.insert((pending.due_at(), pending.id)),
        }
        self.pending.insert(pending.id, pending);
    }

    fn remove(&mut self, id: CallId) -> Option<Callback> {
        let pending = self.pending.remove(&id)?;
        self.by_time.remove(&(pending.due_at(), id));
        pending.held_by.map(|call| self.held.remove(&call));
        Some(pending)
    }

    /// A new run: whatever the last one did not tell, its calls are over.
    fn let_go(&mut self) {
        for id in std::mem::take(&mut self.held).into_values() {
            self.change(id, |pending| pending.held_by = None);
        }
    }
}

impl From<Vec<Callback>> for Callbacks {
    fn from(all: Vec<Callback>) -> Callbacks {
        let mut callbacks = Callbacks::default();
        all.into_iter().for_each(|pending| callbacks.insert(pending));
        callbacks
    }
}

impl From<Callbacks> for Vec<Callback> {
    fn from(callbacks: Callbacks) -> Vec<Callback> {
        callbacks.pending.into_values().collect()
    }
}

fn micros(ms: u64) -> Micros {
    Micros::try_from(ms).unwrap_or(Micros::MAX).saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fact::{CallbackEnd, Cause, Fault};

    const MINUTE: Micros = 60_000_000;

    fn call(key: u64) -> CallId {
        CallId { run: 1, key }
    }

    fn fact(at: Micros, of: Option<CallId>, what: What) -> Fact {
        Fact { seq: 0, at, call: of, generation: 1, what }
    }

    fn asked(at: Micros, key: u64, from: &str) -> Fact {
        let (queue, to, trunk) = ("support".to_owned(), "1".to_owned(), "carrier".to_owned());
        let (from, dial) = (from.to_owned(), format!("{from}@carrier"));
        let (ring_ms, retry_ms, tries, expires) = (30_000, 60_000, 3, at + 10 * MINUTE);
        let arrived = at - 5;
        let what =
            What::CallbackAsked { queue, from, to, trunk, dial, arrived, ring_ms, retry_ms, tries, expires };
        fact(at, Some(call(key)), what)
    }

    fn ended(at: Micros, key: u64) -> Fact {
        let (cause, fault) = (Cause::FlowEnded, Fault::None);
        fact(at, Some(call(key)), What::Ended { cause, fault, status: None, q850: None, reason: None })
    }

    fn begun(at: Micros, key: u64, callback: u64) -> Fact {
        let (from, to, trunk) = ("+491".to_owned(), "1".to_owned(), "carrier".to_owned());
        let what = What::CallbackBegun { callback: call(callback), from, to, trunk, tries: 3 };
        fact(at, Some(call(key)), what)
    }

    #[test]
    fn a_callback_is_due_when_the_call_is_over_and_again_when_it_was_put_off_for_so_long() {
        let mut callbacks = Callbacks::default();
        callbacks.apply(&asked(10, 1, "+491"));
        assert_eq!(callbacks.due(MINUTE), None);
        callbacks.apply(&ended(20, 1));
        assert_eq!(callbacks.due(20).unwrap().id, call(1));
        callbacks.apply(&begun(20, 2, 1));
        assert_eq!(callbacks.next_at(), None);
        let (callback, until) = (call(1), callbacks.get(call(1)).unwrap().again_at(30));
        callbacks.apply(&fact(30, Some(call(2)), What::CallbackPutOff { callback, until, tried: true }));
        assert_eq!(callbacks.next_at(), None);
        callbacks.apply(&ended(31, 2));
        assert_eq!(callbacks.next_at(), Some(30 + MINUTE));
        assert_eq!(callbacks.due(30 + MINUTE).unwrap().tries, 2);
        let (queue, how) = ("support".to_owned(), CallbackEnd::Expired);
        callbacks.apply(&fact(40, None, What::CallbackOver { callback, queue, how }));
        assert_eq!(callbacks, Callbacks::default());
    }

    #[test]
    fn no_callback_is_put_off_beyond_its_end() {
        let mut callbacks = Callbacks::default();
        callbacks.apply(&asked(0, 1, "+491"));
        callbacks.apply(&ended(0, 1));
        let (callback, until) = (call(1), 99 * MINUTE);
        callbacks.apply(&fact(0, None, What::CallbackPutOff { callback, until, tried: false }));
        assert_eq!(callbacks.next_at(), Some(10 * MINUTE));
    }

    #[test]
    fn a_number_has_one_callback_in_a_queue_and_a_queue_has_room_for_so_many() {
        let mut callbacks = Callbacks::default();
        for key in 0..MOST_IN_A_QUEUE as u64 {
            assert_eq!(callbacks.room_for(&key.to_string(), "support"), Ok(()));
            callbacks.apply(&asked(0, key, &key.to_string()));
        }
        assert_eq!(callbacks.room_for("7", "support"), Err(NoRoom::Awaited(call(7))));
        assert_eq!(callbacks.room_for("+491", "support"), Err(NoRoom::Full));
        assert_eq!(callbacks.room_for("7", "sales"), Ok(()));
    }

    #[test]
    fn what_was_written_down_is_as_it_was_and_a_new_run_lets_go_whatever_a_call_held() {
        let mut callbacks = Callbacks::default();
        callbacks.apply(&asked(0, 1, "+491"));
        callbacks.apply(&asked(0, 2, "+492"));
        callbacks.apply(&ended(5, 2));
        let text = serde_json::to_string(&callbacks).unwrap();
        let mut again: Callbacks = serde_json::from_str(&text).unwrap();
        assert_eq!(again, callbacks);
        again.apply(&fact(9, None, What::Started { version: String::new() }));
        assert_eq!(again.at_rest().count(), 2);
        assert_eq!(again.due(9).unwrap().id, call(1));
    }
}
