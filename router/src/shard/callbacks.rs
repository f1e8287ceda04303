//! Callbacks that are due: they begin, are put off while their queue takes nobody, or are given up.

use std::time::{Duration, Instant};

use tracing::warn;

use super::{Shard, Switchboard};
use crate::{
    call::{Call, Input as CallInput, Why},
    callbacks::Callback,
    config::{Queue, QueueId},
    journal::fact::{CallbackEnd, What},
};

impl Shard {
    /// Does what is to be done for the first callback that is due; false if there is none.
    pub(super) fn look_after_callbacks(&mut self) -> bool {
        let Some(due) = self.board.due_callback() else { return false };
        let found = self.board.config.queues().find(|(_, queue)| queue.name == due.queue);
        match found.map(|(id, queue)| (id, queue.clone())) {
            None => self.board.give_up_callback(&due, CallbackEnd::Removed),
            Some(_) if due.expires <= self.board.at => {
                self.board.give_up_callback(&due, CallbackEnd::Expired);
            }
            Some((id, queue)) => self.begin_callback(due, id, &queue),
        }
        true
    }

    fn begin_callback(&mut self, due: Callback, id: QueueId, queue: &Queue) {
        let has_way = Call::can_call_back(&due, &self.board);
        if !has_way {
            let queue = &queue.name;
            warn!(queue, "callbacks are put off: the trunk they are dialled by is not configured any more");
        }
        let takes = has_way && self.board.takes_callbacks(id, queue) && self.has_lines_for_callers();
        match takes.then(|| self.calls.reserve()).flatten() {
            Some(key) => {
                let call = Call::calls_back(key, due, id, queue, &mut self.board);
                self.put_back(Box::new(call));
            }
            None => {
                let (callback, until) = (due.id, due.again_at(self.board.at));
                self.board.fact(None, What::CallbackPutOff { callback, until, tried: false });
            }
        }
    }

    /// Half of all calls at most are callbacks that wait for agents: whoever calls is not to find us full of those who are
    /// at home.
    fn has_lines_for_callers(&self) -> bool {
        let idle = self.calls.iter().filter(|call| call.is_idle_callback()).count();
        idle < self.calls.capacity() / 2
    }

    /// We are about to end: callbacks that wait for agents need not be waited for, the next start knows of them.
    pub(super) fn let_callbacks_go(&mut self) {
        let idle: Vec<_> = self.calls.iter().filter(|call| call.is_idle_callback()).map(Call::key).collect();
        for key in idle {
            self.tell(key, CallInput::End(Why::shutdown()));
        }
    }

    /// Queues are gone: nobody will call those back who wait at home for it.
    pub(super) fn give_up_callbacks_of_removed_queues(&mut self) {
        let has = |name: &str| self.board.config.queues().any(|(_, queue)| queue.name == name);
        let gone: Vec<Callback> =
            self.board.callbacks.at_rest().filter(|pending| !has(&pending.queue)).cloned().collect();
        for callback in gone {
            self.board.give_up_callback(&callback, CallbackEnd::Removed);
        }
    }
}

impl Switchboard {
    fn due_callback(&self) -> Option<Callback> {
        self.callbacks.due(self.at).filter(|_| self.begins_callbacks()).cloned()
    }

    /// We take new calls, so we make some too.
    fn begins_callbacks(&self) -> bool {
        self.service == sip_core::Service::Open
    }

    /// When the next one is due.
    pub(super) fn callback_deadline(&self) -> Option<Instant> {
        let next = self.callbacks.next_at().filter(|_| self.begins_callbacks())?;
        Some(self.now + Duration::from_micros(u64::try_from(next - self.at).unwrap_or(0)))
    }

    fn give_up_callback(&mut self, callback: &Callback, how: CallbackEnd) {
        let (callback, queue) = (callback.id, callback.queue.clone());
        self.fact(None, What::CallbackOver { callback, queue, how });
    }

    /// A caller who came now would be let in.
    fn takes_callbacks(&self, id: QueueId, queue: &Queue) -> bool {
        let now = jiff::Timestamp::from_microsecond(self.at).unwrap_or_default();
        let hours = queue.hours.and_then(|hours| self.config.hours(hours));
        let crew = self.crew(id);
        let unstaffed = queue.rules.turn_away_when.is_some_and(|how| crew.unstaffed_since(how).is_some());
        let open = !self.is_closed(queue) && hours.is_none_or(|hours| hours.at(now).is_open());
        open && !unstaffed && self.waiting(id) < queue.max_waiting
    }
}
