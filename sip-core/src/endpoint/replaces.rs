//! Dialogs found and named by others: Replaces (RFC 3891).

use super::legs::{Leg, Stage};
use super::{Endpoint, Reply};
use crate::key::LegKey;
use crate::message::{Header, Message, Replaces, StatusCode};
use crate::token::Kind;
use bytes::Bytes;

/// What a Replaces names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// An answered call.
    Answered(LegKey),
    /// A call of ours that rings there and is not answered.
    Ringing(LegKey),
    /// A call of theirs that we have not answered.
    Unanswered(LegKey),
    /// A call that is over.
    Over,
}

impl Endpoint {
    /// The dialog that a Replaces names: our tag in it is the way there, the rest has to agree. `None`: it is none of
    /// ours.
    ///
    /// Some write the two tags the wrong way round: whichever is ours counts.
    pub fn named(&self, replaces: &Replaces) -> Option<Named> {
        let Replaces { call_id, to_tag, from_tag, .. } = replaces;
        self.named_by(call_id, to_tag, from_tag).or_else(|| self.named_by(call_id, from_tag, to_tag))
    }

    fn named_by(&self, call_id: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Named> {
        let key = self.mint.seal.read(Kind::Tag, ours)?;
        let leg = self.legs.get(key)?;
        match (&leg.dialog, &leg.outgoing) {
            (Some(dialog), _) if dialog.is_named(call_id, theirs) => match leg.stage {
                Stage::Confirmed if leg.told => Some(Named::Answered(LegKey(key))),
                Stage::Over | Stage::Confirmed => Some(Named::Over),
                Stage::Invited if leg.told => Some(Named::Unanswered(LegKey(key))),
                Stage::Answered | Stage::Invited | Stage::Inviting | Stage::Asking => None,
            },
            (None, Some(out))
                if out.call_id == call_id && out.forks.iter().any(|fork| fork.tag == theirs) =>
            {
                leg.told.then_some(Named::Ringing(LegKey(key)))
            }
            _ => None,
        }
    }

    /// How the far end is told which call it is: one that is answered, or one of ours that rings.
    pub fn name(&self, leg: LegKey) -> Option<Replaces> {
        let leg: &Leg = self.legs.get(leg.0)?;
        let (call_id, to_tag) = match (&leg.dialog, &leg.outgoing) {
            (Some(dialog), _) if leg.stage == Stage::Confirmed => dialog.name(),
            (None, Some(out)) => (out.call_id.clone(), out.forks.first()?.tag.clone()),
            _ => return None,
        };
        let from_tag = Bytes::copy_from_slice(leg.tag.as_bytes());
        Some(Replaces { call_id, to_tag, from_tag, early_only: false })
    }

    /// Whose place an INVITE wants, or why it does not get it (RFC 3891 §3).
    pub(super) fn replaced_by(&self, invite: &Message) -> Result<Option<LegKey>, Box<Reply>> {
        let refused = |status| Err(Box::new(Reply::new(status)));
        let Some(value) = invite.value(Header::Replaces) else { return Ok(None) };
        let Ok(replaces) = Replaces::parse(&value) else { return refused(StatusCode::BAD_REQUEST) };
        if invite.count(Header::Replaces) > 1 || invite.count(Header::Join) > 0 {
            return refused(StatusCode::BAD_REQUEST);
        }
        match self.named(&replaces) {
            Some(Named::Answered(_)) if replaces.early_only => refused(StatusCode::BUSY_HERE),
            Some(Named::Answered(leg) | Named::Ringing(leg)) => Ok(Some(leg)),
            Some(Named::Over) => refused(StatusCode::DECLINE),
            Some(Named::Unanswered(_)) | None => refused(StatusCode::CALL_DOES_NOT_EXIST),
        }
    }
}
