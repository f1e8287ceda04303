//! Sound that is decoded and mixed: bridges whose codecs do not go together, supervision, conferences.
//!
//! A room is worked out anew whenever one of those in it changes (who is bridged, who listens in, what was agreed), so
//! there is no order of commands in which it could be wrong.

use std::collections::BTreeMap;
use std::time::Instant;

use super::speak::Line;
use super::{Engine, Event};
use crate::cadence::Seat;
use crate::ear::{FRAME, Sound};
use crate::leg::Leg;
use crate::room::{MOST, Mix, Places};

/// In a cadence's seat: it is a room's, not a leg's.
const ROOM: u32 = 1 << 31;

/// How somebody takes part in the talk of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supervision {
    /// He hears both, nobody hears him.
    Listen,
    /// Only the one whose leg he supervises hears him.
    Whisper,
    /// All hear each other.
    Barge,
}

/// One leg that supervises another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch {
    leg: u32,
    watched: u32,
    how: Supervision,
}

impl Watch {
    /// Whether the supervisor is heard in a place of the two who talk; `watched` is that of the one whom he supervises.
    fn is_heard_by(self, place: usize, watched: usize) -> bool {
        match self.how {
            Supervision::Listen => false,
            Supervision::Whisper => place == watched,
            Supervision::Barge => true,
        }
    }
}

/// Every room of one engine, in places that are used again.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    places: Vec<Option<Room>>,
    free: Vec<u32>,
    named: BTreeMap<u64, u32>,
    /// Used again for every mix.
    frames: Vec<Sound>,
    payload: Vec<u8>,
}

#[derive(Debug)]
struct Room {
    name: Option<u64>,
    seat: Seat,
    members: Vec<Member>,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    leg: u32,
    hears: Places,
}

/// The room that a seat in the cadence belongs to.
pub(super) fn room_of_seat(index: u32) -> Option<u32> {
    (index & ROOM != 0).then_some(index & !ROOM)
}

impl Engine {
    /// Works out anew what the leg, its partner and those who supervise them need: a room, or none.
    pub(super) fn settle(&mut self, now: Instant, index: u32) {
        let Some(leg) = self.legs.get(index) else { return };
        if leg.conference {
            return self.settle_conference(now, index);
        }
        let watched = self.watches.iter().find(|watch| watch.leg == index).map(|watch| watch.watched);
        let members = self.members_around(watched.unwrap_or(index));
        match self.needs_room(&members) {
            true => self.seat_all(now, members, None),
            false => members.iter().for_each(|member| self.leave_room(member.leg)),
        }
    }

    /// The leg, its partner, and who supervises either of them.
    fn members_around(&self, first: u32) -> Vec<Member> {
        let partner = self.legs.get(first).and_then(|leg| leg.bridge).map(|side| side.partner);
        let talking: Vec<u32> = std::iter::once(first).chain(partner).collect();
        let hears = |place| Places::first(talking.len()).without(place);
        let mut members: Vec<Member> = talking
            .iter()
            .enumerate()
            .map(|(place, leg)| Member { leg: *leg, hears: hears(place) })
            .collect();
        for watch in &self.watches {
            let Some(watched) = talking.iter().position(|leg| *leg == watch.watched) else { continue };
            let place = members.len();
            if place == MOST {
                break;
            }
            let hearing =
                members.iter_mut().enumerate().filter(|(other, _)| watch.is_heard_by(*other, watched));
            hearing.for_each(|(_, member)| member.hears = member.hears.with(place));
            members.push(Member { leg: watch.leg, hears: Places::first(talking.len()) });
        }
        members
    }

    fn needs_room(&self, members: &[Member]) -> bool {
        let codec = |member: &Member| self.legs.get(member.leg)?.stream.as_ref().map(|stream| stream.codec);
        match members {
            [] | [_] => false,
            [one, other] if self.is_bridged(one.leg, other.leg) => match (codec(one), codec(other)) {
                (Some(one), Some(other)) => one != other && !(one.is_g711() && other.is_g711()),
                _ => false,
            },
            _ => true,
        }
    }

    fn is_bridged(&self, one: u32, other: u32) -> bool {
        self.legs.get(one).and_then(|leg| leg.bridge).is_some_and(|side| side.partner == other)
    }

    /// These are in one room from now on, and nobody else is.
    fn seat_all(&mut self, now: Instant, members: Vec<Member>, name: Option<u64>) {
        let known = members.iter().find_map(|member| Some(self.legs.get(member.leg)?.slow.as_ref()?.room));
        let room = match known {
            Some(room) => room,
            None => self.open_room(now, name),
        };
        let before = self.rooms.get(room).map(|room| room.members.clone()).unwrap_or_default();
        for gone in before.iter().filter(|gone| members.iter().all(|member| member.leg != gone.leg)) {
            if let Some(leg) = self.legs.get_mut(gone.leg) {
                leg.move_out();
            }
        }
        for member in &members {
            let elsewhere = self.legs.get(member.leg).and_then(|leg| leg.slow.as_ref()).map(|slow| slow.room);
            if elsewhere.is_some_and(|other| other != room) {
                self.take_from_room(member.leg);
            }
            if let Some(leg) = self.legs.get_mut(member.leg) {
                leg.move_in(room);
            }
        }
        if let Some(room) = self.rooms.get_mut(room) {
            room.members = members;
        }
        self.counters.rooms = self.rooms.count();
    }

    fn open_room(&mut self, now: Instant, name: Option<u64>) -> u32 {
        let place = self.rooms.place();
        let seat = self.cadence.join(self.cadence.beat_at(now), ROOM | place);
        self.rooms.open(place, Room { name, seat, members: Vec::new() });
        place
    }

    /// The leg is decoded no more. A room with nobody left in it ends.
    pub(super) fn leave_room(&mut self, index: u32) {
        self.take_from_room(index);
        if let Some(leg) = self.legs.get_mut(index).filter(|leg| leg.slow.is_some()) {
            leg.move_out();
        }
    }

    fn take_from_room(&mut self, index: u32) {
        let Some(place) = self.legs.get(index).and_then(|leg| leg.slow.as_ref()).map(|slow| slow.room) else {
            return;
        };
        let Some(room) = self.rooms.get_mut(place) else { return };
        room.members.retain(|member| member.leg != index);
        if room.members.is_empty() {
            let seat = room.seat;
            self.rooms.close(place);
            self.leave_seat(seat);
            self.counters.rooms = self.rooms.count();
        }
    }

    /// Gives a seat in the cadence back; who moves up to it is told.
    pub(super) fn leave_seat(&mut self, seat: Seat) {
        let Some(moved) = self.cadence.leave(seat) else { return };
        match room_of_seat(moved) {
            Some(room) => self.rooms.get_mut(room).into_iter().for_each(|room| room.seat = seat),
            None => self.legs.get_mut(moved).into_iter().for_each(|leg| leg.player.seat = Some(seat)),
        }
    }

    /// The leg hears both of whom `watched` is one.
    pub(super) fn supervise(&mut self, now: Instant, index: u32, watched: u32, how: Supervision) {
        self.part(now, index);
        let (Some(leg), Some(other)) = (self.legs.get(index), self.legs.get(watched)) else { return };
        if index == watched || other.conference || self.watches.iter().any(|watch| watch.leg == watched) {
            self.outbox.event(Event::Alone { leg: leg.key });
            return;
        }
        self.watches.push(Watch { leg: index, watched, how });
        self.settle(now, index);
    }

    /// The leg is in a conference with all others of the same name.
    pub(super) fn join(&mut self, now: Instant, index: u32, name: u64) {
        self.part(now, index);
        self.end_watches_of(now, index);
        let mut legs = self.rooms.legs_of(name);
        let Some(leg) = self.legs.get_mut(index) else { return };
        if legs.len() == MOST {
            self.outbox.event(Event::Full { leg: leg.key });
            return;
        }
        leg.conference = true;
        legs.push(index);
        self.confer(now, &legs, name);
    }

    fn confer(&mut self, now: Instant, legs: &[u32], name: u64) {
        let all = Places::first(legs.len());
        let members =
            legs.iter().enumerate().map(|(place, leg)| Member { leg: *leg, hears: all.without(place) });
        self.seat_all(now, members.collect(), Some(name));
    }

    fn settle_conference(&mut self, now: Instant, index: u32) {
        let room = self.legs.get(index).and_then(|leg| leg.slow.as_ref()).map(|slow| slow.room);
        if let Some(name) = room.and_then(|room| self.rooms.get(room)?.name) {
            self.confer(now, &self.rooms.legs_of(name), name);
        }
    }

    /// The leg hears nobody more: neither as a partner, nor as a supervisor, nor in a conference.
    pub(super) fn part(&mut self, now: Instant, index: u32) {
        self.unbridge(now, index);
        if let Some(at) = self.watches.iter().position(|watch| watch.leg == index) {
            let watch = self.watches.remove(at);
            self.leave_room(index);
            self.settle(now, watch.watched);
        }
        let Some(leg) = self.legs.get_mut(index).filter(|leg| leg.conference) else { return };
        leg.conference = false;
        let name = leg.slow.as_ref().and_then(|slow| self.rooms.get(slow.room)?.name);
        self.leave_room(index);
        let left = name.map(|name| self.rooms.legs_of(name)).unwrap_or_default();
        if let Some((name, _)) = name.zip(left.first()) {
            self.confer(now, &left, name);
        }
    }

    /// Whom these supervised is gone.
    pub(super) fn end_watches_of(&mut self, now: Instant, watched: u32) {
        let gone: Vec<u32> =
            self.watches.extract_if(.., |watch| watch.watched == watched).map(|watch| watch.leg).collect();
        for leg in &gone {
            self.leave_room(*leg);
            self.legs.get(*leg).into_iter().for_each(|leg| self.outbox.event(Event::Alone { leg: leg.key }));
        }
        if !gone.is_empty() {
            self.settle(now, watched);
        }
    }

    /// One beat of a room: everybody is heard once, and told what he hears.
    pub(super) fn mix(&mut self, now: Instant, room: u32, beat: u64) {
        let Some(members) = self.rooms.get_mut(room).map(|room| std::mem::take(&mut room.members)) else {
            return;
        };
        let mut frames = std::mem::take(&mut self.rooms.frames);
        frames.clear();
        frames.resize(members.len(), [0; FRAME]);
        for (member, frame) in members.iter().zip(&mut frames) {
            let Some(leg) = self.legs.get_mut(member.leg) else { continue };
            let is_away = leg.conference && leg.is_held_by_peer(); // his music is not for the conference
            let Some(ear) = leg.slow.as_mut().and_then(|slow| slow.ear.as_mut()) else { continue };
            ear.hear(frame);
            if is_away {
                *frame = [0; FRAME];
            }
        }
        let mix = Mix::new(&frames);
        for member in &members {
            self.say(now, member.leg, beat, &mix.heard(member.hears));
        }
        self.rooms.frames = frames;
        if let Some(room) = self.rooms.get_mut(room) {
            room.members = members;
        }
    }

    /// A prompt or digits of our own go before what others say.
    fn say(&mut self, now: Instant, index: u32, beat: u64, sound: &Sound) {
        let Some(leg) = self.legs.get_mut(index).filter(|leg| !leg.is_speaking()) else { return };
        let Some(to) = leg.target().filter(|_| leg.may_send()) else { return };
        let Leg { key, stream: Some(stream), outgoing, slow: Some(slow), secure, recorder, .. } = leg else {
            return;
        };
        let payload = &mut self.rooms.payload;
        payload.clear();
        if slow.mouth.as_mut().is_some_and(|mouth| mouth.say(sound, payload)) {
            let (secure, recorder) = (secure.as_deref_mut(), recorder.as_deref_mut());
            let outbox = &mut self.outbox;
            let mut line =
                Line { now, beat, leg: *key, to: Some(to), outgoing, secure, recorder, outbox, sent: 0 };
            line.sound(stream, payload);
            self.counters.mixed += 1;
        }
        self.wake_reports(now, index);
    }
}

impl Rooms {
    fn get(&self, place: u32) -> Option<&Room> {
        self.places.get(place as usize)?.as_ref()
    }

    fn get_mut(&mut self, place: u32) -> Option<&mut Room> {
        self.places.get_mut(place as usize)?.as_mut()
    }

    fn place(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() as u32 - 1
        })
    }

    fn open(&mut self, place: u32, room: Room) {
        if let Some(name) = room.name {
            self.named.insert(name, place);
        }
        self.places[place as usize] = Some(room);
    }

    fn close(&mut self, place: u32) {
        if let Some(name) = self.places[place as usize].take().and_then(|room| room.name) {
            self.named.remove(&name);
        }
        self.free.push(place);
    }

    /// Who is in the conference of a name; nobody if there is none.
    fn legs_of(&self, name: u64) -> Vec<u32> {
        let room = self.named.get(&name).and_then(|room| self.get(*room));
        room.into_iter().flat_map(|room| room.members.iter().map(|member| member.leg)).collect()
    }

    fn count(&self) -> u64 {
        (self.places.len() - self.free.len()) as u64
    }
}
