//! What is written down of transfers.

use serde::{Deserialize, Serialize};

use super::fact::{CallId, LegNumber};

/// A step of a transfer. From [`Asked`](Self::Asked) to [`Over`](Self::Over) whoever asked and whom he had talked to
/// are apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum TransferStep {
    /// A party of a talk asked for the other one to be connected with somebody else (REFER), and we do it.
    Asked {
        /// Who asked.
        by: LegNumber,
        /// The agent that he is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
        /// Whom he named: the user part of the target, or its host if it has none.
        to: String,
        /// Whom that means: `queue.sales`, `agent.bo`, `flow.closed`, an address.
        destination: String,
    },
    /// We do not do it; nothing has changed.
    Refused {
        /// Who asked.
        by: LegNumber,
        /// Whom he named.
        to: String,
        /// What he was told.
        status: u16,
    },
    /// This leg is from now on where the caller was: who called has transferred whom he had called.
    Seated {
        /// The leg.
        leg: LegNumber,
    },
    /// Whoever had asked had gone before he heard that it came to nothing.
    Left {
        /// Who had asked.
        by: LegNumber,
    },
    /// The new party was not reached and whoever transferred had hung up: he is rung.
    RingsBack {
        /// Who had asked.
        by: LegNumber,
    },
    /// This call ends: its party goes on in another call, to which whoever speaks with it has transferred somebody.
    Gave {
        /// That call.
        call: CallId,
    },
    /// The party of another call goes on here: the end of an attended transfer.
    Came {
        /// Its number here.
        leg: LegNumber,
        /// The other call, which ends.
        from: CallId,
        /// SIP Call-ID.
        sip_call_id: String,
        /// The trunk it was called by or has called by; empty for a plain address.
        trunk: String,
        /// Its number or address.
        party: String,
        /// The agent that it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
    },
    /// Another telephone has taken a party's place (an INVITE with Replaces, RFC 3891).
    Replaced {
        /// Whose place.
        leg: LegNumber,
        /// The new leg.
        by: LegNumber,
        /// SIP Call-ID of the new leg.
        sip_call_id: String,
        /// The trunk it came by.
        trunk: String,
        /// Number or address of whoever has taken it.
        party: String,
        /// The agent that it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
        /// Where the INVITE came from.
        source: String,
    },
    /// A transfer that was sent back to its trunk has come to us again as a call to a number of ours: the transferred party
    /// goes on to that number in this call, and both legs end.
    CameRound {
        /// Its number here.
        leg: LegNumber,
        /// The leg that was sent back.
        of: LegNumber,
        /// SIP Call-ID of the new leg.
        sip_call_id: String,
        /// The trunk it came by.
        trunk: String,
        /// Who it says is calling.
        party: String,
        /// Where the INVITE came from.
        source: String,
    },
    /// How it went.
    Over {
        /// Who had asked.
        by: LegNumber,
        /// 200: the new party has answered, or the transferred one is in the queue or flow; he who asked goes. Else what
        /// the new party answered; he who asked has his talk back if he is still there.
        status: u16,
    },
}

impl TransferStep {
    /// How it went, if this ends it: `done`, `failed` or `refused`.
    pub fn outcome(&self) -> Option<&'static str> {
        match self {
            TransferStep::Over { status: 200, .. } => Some("done"),
            TransferStep::Over { .. } => Some("failed"),
            TransferStep::Refused { .. } => Some("refused"),
            TransferStep::Asked { .. } | TransferStep::Seated { .. } => None,
            TransferStep::Left { .. } | TransferStep::RingsBack { .. } => None,
            TransferStep::Gave { .. } | TransferStep::Came { .. } | TransferStep::Replaced { .. } => None,
            TransferStep::CameRound { .. } => None,
        }
    }
}
