//! The way to an address: where an INVITE is sent, and what is written in it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sip_core::{Flow, StatusCode, Target, Terms, auth::digest::Login};

use super::{Call, Token, emergency, failure::Failure};
use crate::{
    config::{Address, Template, Trunk, TrunkDialog, TrunkId, TrunkNumbers, Whose},
    registrar::Binding,
    shard::Switchboard,
};

/// The way to an address: where to send, and what to write.
pub(super) struct Way {
    pub(super) trunk: Option<TrunkId>,
    /// The only way to a telephone.
    pub(super) flow: Option<Flow>,
    /// Proxies that a telephone registered through.
    pub(super) routes: Vec<(Bytes, Bytes)>,
    /// Who we are to the far end.
    pub(super) login: Option<Arc<Login>>,
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
    /// By what it is known if it comes to us again.
    pub(super) tokens: Vec<Token>,
}

/// For an address without a trunk: as a trunk's `response_timeout` by default.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(8);

impl Way {
    /// One way, or one to each telephone that has registered.
    pub(super) fn all_to(
        address: &Address,
        call: &Call,
        board: &mut Switchboard,
    ) -> Vec<Result<Way, Failure>> {
        match address {
            Address::Number { user, trunk } => vec![Way::to_number(user, *trunk, call, board)],
            Address::Uri(address) => {
                vec![Ok(Way::direct(call.parties.fill(&address.uri), address.target.clone()))]
            }
            Address::Phone(agent) => match board.phones_of(*agent) {
                phones if phones.is_empty() => vec![Err(Failure::not_registered())],
                phones => phones.iter().map(|phone| Ok(Way::to_phone(phone))).collect(),
            },
        }
    }

    fn to_number(
        user: &Template,
        trunk: TrunkId,
        call: &Call,
        board: &mut Switchboard,
    ) -> Result<Way, Failure> {
        let user = call.parties.fill(user);
        if call.is_emergency {
            let way = Way::by_trunk(trunk, |_| user, board)?;
            return Ok(Way { response_timeout: emergency::RESPONSE_TIMEOUT, ..way });
        }
        Way::by_trunk(trunk, |numbers| numbers.given(Whose::Called, &user).into_owned(), board)
    }

    fn to_phone(phone: &Binding) -> Way {
        Way {
            flow: Some(phone.flow),
            routes: phone.routes(),
            name: "phone".to_owned(),
            ..Way::direct(phone.contact.to_string(), Target::at(phone.flow.transport, phone.flow.remote))
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
            flow: None,
            routes: Vec::new(),
            login: settings.account.login.clone(),
            name: settings.name.clone(),
            uri: targets.first().map(uri).ok_or_else(gone)?,
            uris: targets.iter().map(|target| uri(target).into()).collect(),
            targets,
            retry_on: settings.failover.retry_on.clone(),
            udp_only: settings.udp_only,
            response_timeout: settings.response_timeout,
            terms: settings.dialog.terms(),
            tokens: Vec::new(),
        })
    }

    /// To one address of a trunk and no other, with this Request-URI.
    pub(super) fn back(id: TrunkId, trunk: &Trunk, uri: String, target: Target) -> Way {
        Way {
            trunk: Some(id),
            flow: None,
            routes: Vec::new(),
            login: trunk.account.login.clone(),
            name: trunk.name.clone(),
            uri,
            uris: Vec::new(),
            targets: vec![target],
            retry_on: Vec::new(), // a final answer to a transfer is final
            udp_only: trunk.udp_only,
            response_timeout: trunk.response_timeout,
            terms: trunk.dialog.terms(),
            tokens: Vec::new(),
        }
    }

    fn direct(uri: String, target: Target) -> Way {
        let (name, response_timeout) = ("sip".to_owned(), RESPONSE_TIMEOUT);
        Way {
            trunk: None,
            flow: None,
            routes: Vec::new(),
            login: None,
            name,
            uri,
            uris: Vec::new(),
            targets: vec![target],
            retry_on: Vec::new(),
            udp_only: false,
            response_timeout,
            terms: TrunkDialog::default().terms(),
            tokens: Vec::new(),
        }
    }
}

fn host_port(target: &Target) -> String {
    match target.port {
        Some(port) => format!("{}:{port}", target.host),
        None => target.host.to_string(),
    }
}
