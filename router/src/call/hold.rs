//! Hold and resume (RFC 3264 §8.4, RFC 5359 §2.1). A hold is answered here, whatever its dialect: sound ends at us, so the
//! other side's description need not change for it. What the other side hears changes at its source.

use std::{sync::Arc, time::Duration};

use media::Command;

use super::{Call, Stage, arrive::sdp, leg::Leg, session::Offered};
use crate::{
    config::{Hold, Music},
    journal::fact::LegNumber,
    media_command::play,
    shard::Switchboard,
};

/// Within so long the music of a telephone that has some of its own begins.
const OWN_MUSIC: Duration = Duration::from_secs(2);

/// Who of two parties who talk hears hold music.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HoldMusic {
    caller: bool,
    called: bool,
}

impl HoldMusic {
    fn of(&mut self, is_caller: bool) -> &mut bool {
        if is_caller { &mut self.caller } else { &mut self.called }
    }
}

impl Call {
    /// Each of two parties hears what the other's hold or resume makes him hear, from now on. Nobody holds who talks to
    /// nobody.
    pub(super) fn follow_holds(&mut self, board: &mut Switchboard) {
        let Stage::Talking(talk) = &self.stage else { return self.tell_hold(self.seat, false, board) };
        let (caller, called) = (self.seat, talk.leg());
        for (held, holder) in [(caller, called), (called, caller)] {
            let Some(is_held) = self.leg(holder).map(|leg| leg.holds) else { continue };
            let music = if is_held { self.hold_music(held, holder, board) } else { None };
            self.plays_hold_music(held, music, board);
            self.tell_hold(held, is_held, board);
        }
    }

    /// The same two are connected again, and nothing plays any more.
    pub(super) fn follow_holds_anew(&mut self, board: &mut Switchboard) {
        if let Stage::Talking(talk) = &mut self.stage {
            talk.hold_music = HoldMusic::default();
        }
        self.follow_holds(board);
    }

    /// Many who hold by `sendonly` send nothing. Whom they hold would take it for a hang-up.
    pub(super) fn listens_to_hold(&mut self, holder: LegNumber, board: &mut Switchboard) {
        let Some(leg) = self.leg_mut(holder) else { return };
        leg.hold_is_silent = false;
        if let Some(leg) = leg.media_key().filter(|_| leg.holds && leg.sends_sound()) {
            board.media(Command::Expect { leg, within: OWN_MUSIC, on_hold: true });
        }
    }

    /// Nothing has come of somebody who holds: whom he holds hears what he would if nothing was to come. That is nobody's
    /// fault.
    pub(super) fn holds_in_silence(&mut self, holder: LegNumber, board: &mut Switchboard) {
        // The news may cross his resume.
        if let Some(leg) = self.leg_mut(holder).filter(|leg| leg.holds) {
            leg.hold_is_silent = true;
            self.follow_holds(board);
        }
    }

    /// What the held party's trunk says; else, if the holding side sends nothing by itself, the music of the queue that
    /// brought them together.
    fn hold_music(&self, held: LegNumber, holder: LegNumber, board: &Switchboard) -> Option<Arc<Music>> {
        let trunk = self.leg(held).and_then(|leg| leg.trunk).and_then(|trunk| board.config.trunk(trunk));
        let of_trunk = trunk.and_then(|trunk| trunk.dialog.hold_music.clone());
        let silent = self.leg(holder).is_none_or(|leg| leg.hold_is_silent || !leg.sends_sound());
        let queue = self.queue().filter(|_| silent).and_then(|queue| board.config.queue(queue));
        of_trunk.or(queue.and_then(|queue| queue.music.clone()))
    }

    fn plays_hold_music(&mut self, held: LegNumber, music: Option<Arc<Music>>, board: &mut Switchboard) {
        let Some(leg) = self.leg(held).and_then(Leg::media_key) else { return };
        let is_caller = held == self.seat;
        let Stage::Talking(talk) = &mut self.stage else { return };
        if std::mem::replace(talk.hold_music.of(is_caller), music.is_some()) == music.is_some() {
            return;
        }
        self.plays += 1;
        let music = music.and_then(|music| board.music(&music, self.language));
        board.media(match music {
            Some(music) => play::music(leg, self.plays, music),
            None => Command::Stop { leg },
        });
    }

    /// A trunk whose telephones want to know gets a re-INVITE; one at a time.
    fn tell_hold(&mut self, held: LegNumber, is_held: bool, board: &mut Switchboard) {
        let Some(leg) = self.leg_mut(held).filter(|leg| leg.told_held != is_held && leg.offered.is_none())
        else {
            return;
        };
        let trunk = leg.trunk.and_then(|trunk| board.config.trunk(trunk));
        if trunk.is_none_or(|trunk| trunk.dialog.hold == Hold::Local) {
            return;
        }
        let (Some(sip), Some(sound)) = (leg.sip, leg.sound.as_mut()) else { return };
        leg.offered = Some(Offered::Hold(is_held));
        let offer = sound.offer_hold(is_held);
        board.sip.reinvite(board.now, sip, Some(sdp(offer)));
    }

    /// A codec that the other side speaks already need not be converted: it is answered first (RFC 3264 §8.3.2).
    pub(super) fn prefer_partners_codec(&mut self, number: LegNumber) {
        let partner = self.other_party(number).and_then(|partner| self.leg(partner));
        let codec =
            partner.and_then(|leg| leg.sound.as_ref()?.negotiation.stream()).map(|stream| stream.codec);
        if let Some(sound) = self.leg_mut(number).and_then(|leg| leg.sound.as_mut()) {
            sound.negotiation.prefer(codec);
        }
    }
}
