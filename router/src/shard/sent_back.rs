//! Transfers that were sent back to their trunks and may come to us again, and the INVITE by which one does.

use std::collections::HashMap;

use sip_core::{LegKey, Message};

use super::Shard;
use crate::{call::Token, config::TrunkId, journal::fact::LegNumber, keys::CallKey};

/// Legs by what they are known by. As many as there are such legs, each of which has two tokens at most: a leg that is
/// closed takes its own with it.
#[derive(Default)]
pub(crate) struct SentBack(HashMap<(TrunkId, Token), (CallKey, LegNumber)>);

impl SentBack {
    /// Of two legs with the same token the later counts.
    pub(crate) fn add(&mut self, trunk: TrunkId, tokens: &[Token], leg: (CallKey, LegNumber)) {
        self.0.extend(tokens.iter().map(|token| ((trunk, token.clone()), leg)));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn remove(&mut self, trunk: TrunkId, tokens: Vec<Token>, leg: (CallKey, LegNumber)) {
        for token in tokens {
            let key = (trunk, token);
            if self.0.get(&key) == Some(&leg) {
                self.0.remove(&key);
            }
        }
    }

    /// The leg that has come to us by this INVITE, which came by the trunk that it was sent to.
    pub(crate) fn find(&self, trunk: TrunkId, invite: &Message) -> Option<(CallKey, LegNumber)> {
        if self.0.is_empty() {
            return None;
        }
        Token::all_in(invite).into_iter().find_map(|token| self.0.get(&(trunk, token)).copied())
    }
}

impl Shard {
    /// An INVITE that is none: a transfer of ours that goes round by a trunk. False if it is a call of its own.
    pub(super) fn comes_round(
        &mut self,
        leg: LegKey,
        trunk: TrunkId,
        (invite, source): (&Message, &str),
    ) -> bool {
        let found = self.board.sent_back.find(trunk, invite);
        let Some((mut call, back)) = found.and_then(|(key, back)| Some((self.calls.take(key)?, back))) else {
            return false;
        };
        let span = call.span().entered();
        let comes = call.comes_round(back, leg, trunk, (invite, source), &mut self.board);
        drop(span);
        self.put_back(call);
        comes
    }
}
