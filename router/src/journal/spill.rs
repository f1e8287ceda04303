//! Facts that are not yet on disk: how many are kept, and which go first when there are too many.
//!
//! While the journal can be written, the spill holds what came in since the last batch. While it cannot (full disk,
//! locked database), the spill grows to its room and then forgets: detail first, then what only refines a record, the
//! oldest first each time. An arrival that finds the room full of final facts loses its whole call; the end of a call
//! that did arrive is always kept, so the room is exceeded by at most one fact per live call. What was forgotten is
//! counted, and the next batch opens with a [`Gap`](What::Gap) that says so.

use std::collections::{HashSet, VecDeque};

use super::fact::{CallId, Fact, What};

/// How dearly a fact is kept. The lower goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Nice to know; no record or sum needs it.
    Detail,
    /// A record or sum would be poorer without it.
    Record,
    /// Without it a call would have no record, or a record no end.
    Final,
}

impl What {
    /// How dearly this fact is kept when memory for facts is full.
    pub fn weight(&self) -> Weight {
        match self {
            What::Arrived { .. } | What::Ended { .. } => Weight::Final,
            What::Started { .. } | What::Stopped | What::Gap { .. } | What::Wished { .. } => Weight::Final,
            What::QueueSwitched { .. } => Weight::Final,
            What::CallbackAsked { .. } | What::CallbackBegun { .. } | What::CallbackOver { .. } => {
                Weight::Final
            }
            What::TollRefused { .. } | What::LockedOut { .. } => Weight::Record,
            What::Registered { .. } | What::Unregistered { .. } => Weight::Detail,
            What::CallbackPutOff { .. } => Weight::Record,
            What::CallbackAwaited { .. } => Weight::Detail,
            What::Routed { .. } | What::CallerAnswered | What::Queued { .. } | What::Assigned { .. } => {
                Weight::Record
            }
            What::Unanswered { .. } | What::Left { .. } | What::Dialled { .. } => Weight::Record,
            What::Emergency { .. }
            | What::LegAnswered { .. }
            | What::LegFailed { .. }
            | What::Bridged { .. } => Weight::Record,
            What::TwoWaySound { .. } | What::LegEnded { .. } | What::DeadAir { .. } => Weight::Record,
            What::VoicemailLeft { .. } | What::Recording(_) | What::Transfer(_) => Weight::Record,
            What::ConferenceJoined { .. } | What::ConferenceFull => Weight::Record,
            What::AttemptFailed { .. } | What::TrunkTarget { .. } => Weight::Record,
            What::Overload { .. } => Weight::Record,
            What::ConfigLoaded { .. } | What::Acknowledged | What::PromptStarted { .. } => Weight::Detail,
            What::PromptEnded { .. } | What::Chose { .. } | What::HoursChecked { .. } => Weight::Detail,
            What::Ringing { .. } | What::Held { .. } | What::Agent { .. } => Weight::Detail,
            What::OpenToAll { .. } | What::Widened { .. } | What::Chosen { .. } => Weight::Detail,
            What::Presence { .. } | What::HeldBack { .. } | What::PathBroken { .. } => Weight::Detail,
        }
    }
}

/// A fact and its place in the order of arrival.
#[derive(Debug)]
pub struct Entry {
    /// Rises by one with each fact that was offered.
    pub order: u64,
    /// The fact; its `seq` is not given yet.
    pub fact: Box<Fact>,
}

/// The facts that wait to be written. Pure: the lock around it is [`Journal`](super::Journal)'s.
#[derive(Debug)]
pub struct Spill {
    room: usize,
    next: u64,
    taken: usize,
    detail: VecDeque<Entry>,
    record: VecDeque<Entry>,
    last: VecDeque<Entry>,
    unrecorded: HashSet<CallId>,
    lost: Lost,
}

#[derive(Debug, Default)]
struct Lost {
    facts: u64,
    calls: u64,
    /// The last fact that was forgotten dates the gap.
    stamp: Option<(i64, u64)>,
}

impl Spill {
    /// Room for `room` facts, at least 1, those taken and not yet committed included.
    pub fn new(room: usize) -> Spill {
        Spill {
            room: room.max(1),
            next: 0,
            taken: 0,
            detail: VecDeque::new(),
            record: VecDeque::new(),
            last: VecDeque::new(),
            unrecorded: HashSet::new(),
            lost: Lost::default(),
        }
    }

    /// Keeps `fact` behind those that came before; returns how many facts were forgotten for it, itself included.
    pub fn push(&mut self, fact: Fact) -> u64 {
        let order = self.next;
        self.next += 1;
        if self.belongs_to_an_unrecorded_call(&fact) {
            self.forget(&fact);
            return 1;
        }
        let line = match fact.what.weight() {
            Weight::Detail => &mut self.detail,
            Weight::Record => &mut self.record,
            Weight::Final => &mut self.last,
        };
        line.push_back(Entry { order, fact: Box::new(fact) });
        self.trim()
    }

    /// Moves the oldest facts, at most `most`, into `into`. They still take room until [`settle`](Self::settle).
    pub fn take(&mut self, most: usize, into: &mut Vec<Entry>) {
        let before = into.len();
        while into.len() - before < most {
            let Some(entry) = self.oldest_line().and_then(VecDeque::pop_front) else { break };
            into.push(entry);
        }
        self.taken += into.len() - before;
    }

    /// `count` facts that were taken are on disk now.
    pub fn settle(&mut self, count: usize) {
        self.taken = self.taken.saturating_sub(count);
    }

    /// What was forgotten since this was last asked, as the fact that says so.
    pub fn take_gap(&mut self) -> Option<Fact> {
        let Lost { facts, calls, stamp } = std::mem::take(&mut self.lost);
        let (at, generation) = stamp?;
        Some(Fact { seq: 0, at, call: None, generation, what: What::Gap { lost: facts, calls } })
    }

    /// Facts that take room: waiting, or taken and not yet on disk.
    pub fn len(&self) -> usize {
        self.waiting() + self.taken
    }

    /// No fact waits, none is being written, and no gap is to be told.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.lost.facts == 0
    }

    /// Facts that wait to be taken.
    pub fn waiting(&self) -> usize {
        self.detail.len() + self.record.len() + self.last.len()
    }

    /// Facts offered so far: the order the next one gets.
    pub fn offered(&self) -> u64 {
        self.next
    }

    /// Date of the oldest fact that waits.
    pub fn oldest(&self) -> Option<i64> {
        let fronts = [self.detail.front(), self.record.front(), self.last.front()];
        fronts.into_iter().flatten().min_by_key(|entry| entry.order).map(|entry| entry.fact.at)
    }

    fn oldest_line(&mut self) -> Option<&mut VecDeque<Entry>> {
        [&mut self.detail, &mut self.record, &mut self.last]
            .into_iter()
            .filter(|line| !line.is_empty())
            .min_by_key(|line| line.front().map(|entry| entry.order))
    }

    /// A call whose arrival was forgotten stays forgotten until its end, so that no half of it is told.
    fn belongs_to_an_unrecorded_call(&mut self, fact: &Fact) -> bool {
        let Some(call) = fact.call.filter(|_| !self.unrecorded.is_empty()) else { return false };
        match fact.what {
            What::Ended { .. } => self.unrecorded.remove(&call),
            _ => self.unrecorded.contains(&call),
        }
    }

    fn trim(&mut self) -> u64 {
        let before = self.lost.facts;
        while self.len() > self.room {
            let Some(entry) = self.detail.pop_front().or_else(|| self.record.pop_front()) else { break };
            self.forget(&entry.fact);
        }
        if self.len() > self.room {
            self.refuse_arrival();
        }
        self.lost.facts - before
    }

    /// Only final facts are left and there are too many: the call that has just arrived goes unrecorded.
    fn refuse_arrival(&mut self) {
        let Some(Entry { fact, .. }) = self.last.pop_back_if(|entry| {
            matches!(entry.fact.what, What::Arrived { .. } | What::CallbackBegun { .. })
        }) else {
            return;
        };
        self.unrecorded.extend(fact.call);
        self.lost.calls += 1;
        self.forget(&fact);
    }

    fn forget(&mut self, fact: &Fact) {
        self.lost.facts += 1;
        self.lost.stamp = Some((fact.at, fact.generation));
    }
}
