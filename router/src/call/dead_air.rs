//! Nobody can be heard: what is told, and what is done about it.

use media::Command;
use tracing::warn;

use super::{Call, Stage, leg::Leg};
use crate::{
    config::{DeadAirCure, TrunkSound},
    journal::fact::{Cure, DeadAir, LegNumber, What},
    media_command::play,
    shard::Switchboard,
};

impl Call {
    /// Two parties have been connected: both ought to be heard.
    pub(super) fn guards_sound(&self, board: &mut Switchboard) {
        let Stage::Talking(talk) = &self.stage else { return };
        for number in [self.seat, talk.leg()] {
            let Some(leg) = self.leg(number) else { continue };
            let within = rule(leg, board).dead_air;
            if let Some(leg) = leg.media_key().filter(|_| !within.is_zero()) {
                board.media(Command::Guard { leg, within });
            }
        }
    }

    /// One of them is not.
    pub(super) fn is_not_heard(&mut self, number: LegNumber, why: media::DeadAir, board: &mut Switchboard) {
        let Stage::Talking(talk) = &self.stage else { return };
        let other = if number == self.seat { talk.leg() } else { self.seat };
        if ![self.seat, talk.leg()].contains(&number) {
            return; // he has left since
        }
        let why = of_media(why);
        let cure = self.cures(number, why, board);
        warn!(parent: &self.span, leg = number, why = why.word(), ?cure, "nobody is heard on this leg (trunk key dead_air)");
        self.fact(What::DeadAir { leg: number, why, cure }, board);
        self.tells_dead_air(other, board);
    }

    /// What the rule of the leg's trunk says, once a leg.
    fn cures(&mut self, number: LegNumber, why: DeadAir, board: &mut Switchboard) -> Cure {
        let Some(leg) = self.leg(number) else { return Cure::None };
        match (rule(leg, board).dead_air_cure, why) {
            (_, DeadAir::DigitalSilence) => Cure::None,
            (DeadAirCure::Relatch, DeadAir::WrongSource) => {
                leg.media_key().into_iter().for_each(|leg| board.media(Command::Relatch { leg }));
                Cure::Relatched
            }
            (DeadAirCure::Reinvite, _) if self.reoffers(number, board) => Cure::Reinvited,
            _ => Cure::None,
        }
    }

    /// Our description once more, in a re-INVITE, once a leg: true if it is under way. The verdicts of the guard and of the
    /// queue's own time are of the same moment.
    pub(super) fn reoffers(&mut self, number: LegNumber, board: &mut Switchboard) -> bool {
        let confirmed = number != self.seat || self.is_answered();
        let Some(leg) = self.leg_mut(number).filter(|leg| confirmed && leg.sip.is_some()) else {
            return false;
        };
        if leg.reoffered || leg.offered.is_some() {
            return leg.reoffered && leg.offered.is_some();
        }
        leg.reoffered = true;
        self.refresh(number, board);
        true
    }

    /// An agent who hears nothing is told that this is no pause of the caller.
    fn tells_dead_air(&mut self, other: LegNumber, board: &mut Switchboard) {
        let Some(leg) = self.leg(other).filter(|leg| rule(leg, board).dead_air_tone) else { return };
        if let Some(leg) = leg.media_key() {
            self.plays += 1;
            board.media(play::once(leg, self.plays, board.prompts.warning()));
        }
    }
}

/// What holds for the sound of a leg: its trunk's keys, or the defaults where there is no trunk.
pub(super) fn rule(leg: &Leg, board: &Switchboard) -> TrunkSound {
    leg.trunk.and_then(|trunk| board.config.trunk(trunk)).map(|trunk| trunk.sound).unwrap_or_default()
}

fn of_media(why: media::DeadAir) -> DeadAir {
    match why {
        media::DeadAir::WrongSource => DeadAir::WrongSource,
        media::DeadAir::Unauthentic => DeadAir::Unauthentic,
        media::DeadAir::UnknownPayload => DeadAir::UnknownPayload,
        media::DeadAir::DigitalSilence => DeadAir::DigitalSilence,
        _ => DeadAir::Nothing,
    }
}
