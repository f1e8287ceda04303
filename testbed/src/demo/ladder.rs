//! The calls as they happen: one rung a message, callers to the left of the router, agents to the right.

use std::time::Duration;

use sip_core::{Message, message::Method};

use super::{
    cast::{self, Agent, Caller},
    driver::Seen,
};

/// Columns of an arrow.
const ARROW: usize = 28;

/// Writes rungs.
pub(super) struct Ladder {
    /// Names of the callers with the numbers they call from.
    callers: Vec<(String, &'static str)>,
    /// Names of the agents; their telephones come after those of the callers.
    agents: Vec<&'static str>,
}

/// The side of the router that a rung is on.
enum Side<'a> {
    Caller,
    Agent(&'a str),
}

impl Ladder {
    pub(super) fn of(callers: &[Caller], agents: &[Agent]) -> Ladder {
        let number = |(index, caller): (u8, &Caller)| (cast::number(index), caller.name);
        Ladder {
            callers: (0..).zip(callers).map(number).collect(),
            agents: agents.iter().map(|agent| agent.name).collect(),
        }
    }

    pub(super) fn head(&self) {
        println!("{:>8}  {:<7} {:^ARROW$} router {:^ARROW$} agent", "seconds", "caller", "", "");
    }

    /// A rung for a message that says something new about the call.
    pub(super) fn message(&self, seen: &Seen) {
        let Ok(message) = Message::parse(seen.bytes.clone()) else { return };
        let Some(text) = said(&message) else { return };
        match self.callers.get(seen.phone) {
            Some((_, name)) => rung(seen.at, name, &Side::Caller, &text, seen.sent),
            None => {
                let agent = self.agents[seen.phone - self.callers.len()];
                rung(seen.at, &self.caller_of(&message), &Side::Agent(agent), &text, !seen.sent);
            }
        }
    }

    /// A rung for a key or for sound, which go by RTP.
    pub(super) fn caller_says(&self, at: Duration, caller: usize, text: &str) {
        rung(at, self.callers[caller].1, &Side::Caller, text, true);
    }

    pub(super) fn both_hear(&self, at: Duration, caller: usize, agent: usize, text: &str) {
        let (caller, agent) = (self.callers[caller].1, self.agents[agent]);
        let width = 2 * ARROW + 8;
        println!("{:8.3}  {caller:<7} {:═^width$} {agent}", at.as_secs_f64(), format!(" {text} "));
    }

    /// The caller of an agent's dialog: From of what we send him, To of what he sends.
    fn caller_of(&self, message: &Message) -> String {
        let users = [message.from(), message.to()].into_iter().flatten();
        let users: Vec<String> = users
            .filter_map(|party| party.uri.user().map(|user| String::from_utf8_lossy(user).into_owned()))
            .collect();
        let known = self.callers.iter().find(|(number, _)| users.contains(number));
        match known {
            Some((_, name)) => (*name).to_owned(),
            None => users.into_iter().next().unwrap_or_default(),
        }
    }
}

/// What a message says on the ladder; `None` for what only confirms.
fn said(message: &Message) -> Option<String> {
    let method = message.method();
    let Some(status) = message.status() else {
        return match method {
            Method::Invite => Some(format!("INVITE {}", dialled(message))),
            Method::Ack => None,
            method => Some(String::from_utf8_lossy(method.as_bytes()).into_owned()),
        };
    };
    let phrase = String::from_utf8_lossy(message.reason_phrase()).into_owned();
    (method == Method::Invite && status.code() > 100).then(|| format!("{} {phrase}", status.code()))
}

fn dialled(message: &Message) -> String {
    let uri = message.request_uri().ok();
    let user = uri.as_ref().and_then(|uri| uri.user()).unwrap_or_default();
    String::from_utf8_lossy(user).into_owned()
}

fn rung(at: Duration, caller: &str, side: &Side<'_>, text: &str, to_the_right: bool) {
    let arrow = arrow(text, to_the_right);
    let line = match side {
        Side::Caller => format!("{arrow}    │"),
        Side::Agent(agent) => format!("{:ARROW$}    │    {arrow} {agent}", ""),
    };
    println!("{:8.3}  {caller:<7} {line}", at.as_secs_f64());
}

fn arrow(text: &str, to_the_right: bool) -> String {
    let text = format!(" {text} ");
    match to_the_right {
        true => format!("──{text:─<width$}▶", width = ARROW - 3),
        false => format!("◀─{text:─<width$}─", width = ARROW - 3),
    }
}
