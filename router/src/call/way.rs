//! The way to an address: where an INVITE is sent, and what is written in it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sip_core::{StatusCode, Target, Terms};

use super::{Call, emergency, failure::Failure};
use crate::{
    config::{Address, Trunk, TrunkDialog, TrunkId, TrunkNumbers, Whose},
    shard::Switchboard,
};

/// The way to an address: where to send, and what to write.
pub(super) struct Way {
    pub(super) trunk: Option<TrunkId>,
    pub(super) name: String,
    /// The Request-URI at the first of `targets`.
    pub(super) uri: String,
    /// The Request-URI at each of them: a far end is called by its own name.
    pub(super) uris: Vec<Bytes>,
    pub(super) targets: Vec<Target>,
    pub(super) retry_on: Vec<StatusCode>,
    pub(super) udp_only: bool,
    pub(super) response_timeout: Duration,
    pub(super) terms: Terms,
}

/// For an address without a trunk: as a trunk's `response_timeout` by default.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(8);

impl Way {
    pub(super) fn to(address: &Address, call: &Call, board: &mut Switchboard) -> Result<Way, Failure> {
        match address {
            Address::Number { user, trunk } if call.is_emergency => {
                let way = Way::by_trunk(*trunk, |_| call.parties.fill(user), board)?;
                Ok(Way { response_timeout: emergency::RESPONSE_TIMEOUT, ..way })
            }
            Address::Number { user, trunk } => {
                let user = call.parties.fill(user);
                Way::by_trunk(*trunk, |numbers| numbers.given(Whose::Called, &user).into_owned(), board)
            }
            Address::Uri(address) => Ok(Way::direct(call.parties.fill(&address.uri), address.target.clone())),
        }
    }

    /// `user` says what stands before the `@`.
    fn by_trunk(
        trunk: TrunkId,
        user: impl FnOnce(&TrunkNumbers) -> String,
        board: &mut Switchboard,
    ) -> Result<Way, Failure> {
        let gone = || Failure::no_way("the trunk is not configured any more");
        let config = Arc::clone(&board.config);
        let settings = config.trunk(trunk).ok_or_else(gone)?;
        let targets = board.way_by(trunk, settings);
        let user = user(&settings.numbers);
        let mark = settings.numbers.mark(&user);
        let uri = |target| format!("sip:{user}@{}{mark}", host_port(target));
        Ok(Way {
            trunk: Some(trunk),
            name: settings.name.clone(),
            uri: targets.first().map(uri).ok_or_else(gone)?,
            uris: targets.iter().map(|target| uri(target).into()).collect(),
            targets,
            retry_on: settings.failover.retry_on.clone(),
            udp_only: settings.udp_only,
            response_timeout: settings.response_timeout,
            terms: settings.dialog.terms(),
        })
    }

    /// To one address of a trunk and no other, with this Request-URI.
    pub(super) fn back(id: TrunkId, trunk: &Trunk, uri: String, target: Target) -> Way {
        Way {
            trunk: Some(id),
            name: trunk.name.clone(),
            uri,
            uris: Vec::new(),
            targets: vec![target],
            retry_on: Vec::new(), // a final answer to a transfer is final
            udp_only: trunk.udp_only,
            response_timeout: trunk.response_timeout,
            terms: trunk.dialog.terms(),
        }
    }

    fn direct(uri: String, target: Target) -> Way {
        let (name, response_timeout) = ("sip".to_owned(), RESPONSE_TIMEOUT);
        Way {
            trunk: None,
            name,
            uri,
            uris: Vec::new(),
            targets: vec![target],
            retry_on: Vec::new(),
            udp_only: false,
            response_timeout,
            terms: TrunkDialog::default().terms(),
        }
    }
}

fn host_port(target: &Target) -> String {
    match target.port {
        Some(port) => format!("{}:{port}", target.host),
        None => target.host.to_string(),
    }
}
