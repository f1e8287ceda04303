//! A caller enters a queue: where he stands in it, and why.

use std::time::Duration;

use super::{Call, assign::Place, flow::Outcome};
use crate::{
    clock::{millis, millis_between},
    config::{Queue, QueueId},
    credit::{Claims, Credit, Why, credits, order_key},
    journal::fact::{Kept, LeftQueue, Micros, Targets, What},
    lost_places::LostPlace,
    shard::Switchboard,
};

impl Call {
    /// Enters a queue, or passes on to what follows it if the queue cannot take him.
    pub(super) fn enter_queue(&mut self, queue: QueueId, board: &mut Switchboard) -> Outcome {
        let Some(settings) = board.config.queue(queue).cloned() else {
            return self.turned_away(queue, LeftQueue::Removed, board);
        };
        self.in_line_since.get_or_insert_with(|| board.arrival());
        if settings.memory.transferred.anew {
            self.in_line_since = self.in_line_since.max(self.transferred);
        }
        if let Some(how) = self.refused_at_the_door(queue, &settings, board) {
            return self.turned_away(queue, how, board);
        }
        let lost = self.takes_up_his_place(&settings, board);
        let place = self.place_in(queue, &settings, lost.as_ref(), board);
        // Who waits for one agent alone fares otherwise than all who stood where he stands.
        let outlook = place.alone.is_none().then(|| board.outlook(queue, place.key));
        let place = Place { outlook, ..place };
        self.note_queued(place, lost.as_ref().map(LostPlace::kept), &settings, board);
        if lost.is_none() && outlook.is_some_and(|outlook| settings.rules.is_too_long(outlook)) {
            self.note_left(Place { outlook: None, ..place }, LeftQueue::Estimate, board);
            return self.way_out(queue, LeftQueue::Estimate, board);
        }
        self.start_sound(place.queue, board);
        self.wait(place, board);
        Outcome::Wait
    }

    /// Where he stands in a queue if he enters it now.
    pub(super) fn place_in(
        &mut self,
        queue: QueueId,
        settings: &Queue,
        lost: Option<&LostPlace>,
        board: &Switchboard,
    ) -> Place {
        self.credits = self.credits_in(queue, settings, board);
        let place = Place {
            queue,
            key: self.key_at_entry(lost, board.at),
            entered: board.at,
            waits_since: board.now,
            step: 0,
            widens: settings.steps.get(1).map(|next| board.now + next.after),
            until: board.now + settings.max_wait,
            leaves: None,
            alone: None,
            outlook: None,
        };
        let place = match self.waits_first_for(queue, settings, board) {
            Some(alone) => Place { alone: Some(alone), widens: None, ..place },
            None => place,
        };
        Place { leaves: place.leaves(settings, board), ..place }
    }

    /// The place in the queue that he lost when an earlier run cut him off, if he has called again soon enough: he stands
    /// by the time at which he came then.
    fn takes_up_his_place(&mut self, settings: &Queue, board: &mut Switchboard) -> Option<LostPlace> {
        let keep = Micros::try_from(settings.memory.keep_place.as_micros()).unwrap_or(Micros::MAX);
        let lost = board.lost_places.take(&self.parties.caller, &settings.name, self.arrived, keep)?;
        if lost.arrived > 0 {
            self.in_line_since = self.in_line_since.min(Some(lost.arrived));
        }
        Some(lost)
    }

    /// His order key; with a place that he had before not a greater one than he had there, whatever he was credited with
    /// then.
    fn key_at_entry(&mut self, lost: Option<&LostPlace>, now: Micros) -> u64 {
        let key = order_key(self.in_line_since.unwrap_or(now), &self.credits);
        let Some(lost) = lost.filter(|lost| lost.key < key) else { return key };
        let more = Credit::new(Duration::from_micros(key - lost.key), Why::KeptPlace);
        self.credits.extend(Some(more).filter(|more| more.ms > 0));
        lost.key
    }

    /// By what the caller stands ahead in a queue.
    fn credits_in(&self, id: QueueId, queue: &Queue, board: &Switchboard) -> Vec<Credit> {
        let number = self.config.route(self.trunk, &self.parties.called);
        let callers = board.config.callers(&self.parties.caller);
        let gave_up = self.gave_up_in(id, queue, board);
        credits(queue, Claims { number, callers, gave_up, transferred: self.transferred.is_some() })
    }

    /// When he gave up in a queue, if he has called again soon enough.
    fn gave_up_in(&self, id: QueueId, queue: &Queue, board: &Switchboard) -> Option<Micros> {
        let within = queue.memory.returning?.within;
        let at = board.callers.gave_up_at(&self.parties.caller, id)?;
        (Duration::from_millis(millis_between(at, self.arrived)) <= within).then_some(at)
    }

    pub(super) fn note_queued(
        &self,
        place: Place,
        kept: Option<Kept>,
        settings: &Queue,
        board: &mut Switchboard,
    ) {
        let queued = What::Queued {
            queue: settings.name.clone(),
            key: place.key,
            place: board.ahead(place.queue, place.key) + 1,
            arrived: self.in_line_since.unwrap_or(place.entered),
            sticky: place.alone.map(|alone| board.agent_name(alone.agent)),
            credits: self.credits.clone(),
            estimate_ms: place.outlook.and_then(|outlook| outlook.wait).map(millis),
            kept,
        };
        self.fact(queued, board);
        if let Some(held_back) = board.held_back(place.queue) {
            self.fact(held_back, board);
        }
    }

    fn turned_away(&mut self, queue: QueueId, how: LeftQueue, board: &mut Switchboard) -> Outcome {
        let (queue_name, targets) = (board.queue_name(queue), Targets::default());
        self.fact(What::Left { queue: queue_name, how, waited_ms: 0, targets }, board);
        self.way_out(queue, how, board)
    }
}
