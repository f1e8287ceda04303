//! What the far end of a dialog says that it can do (RFC 3261 §20.5, §20.37).

use crate::message::{Header, Message, Method};

/// Read from its INVITE or its 2xx, and anew from each that has an Allow. What is not said is not assumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// It takes UPDATE (RFC 3311).
    pub update: bool,
    /// It takes INFO (RFC 6086).
    pub info: bool,
}

impl Abilities {
    /// What a message says; `None` if it has no Allow.
    pub fn of(message: &Message) -> Option<Abilities> {
        (message.count(Header::Allow) > 0).then(|| {
            let allows =
                |method: Method| message.values(Header::Allow).any(|value| *value == *method.as_bytes());
            Abilities { update: allows(Method::Update), info: allows(Method::Info) }
        })
    }
}
