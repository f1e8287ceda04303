//! What the simulator knows: people, tokens, and how often it was asked.
#![allow(clippy::disallowed_methods, reason = "tokens end by the clock")]

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use router::presence::{MOST_IDS, ObjectId};
use serde_json::{Value, json};

use super::{Asked, CLIENT_ID, Conduct, SECRET, TENANT};

/// What Microsoft allows to one application in one tenant: requests in [`PERIOD`].
const MOST: usize = 1_500;
const PERIOD: Duration = Duration::from_secs(30);
/// Tokens that are remembered.
const TOKENS: usize = 64;

#[derive(Debug)]
pub(super) struct Book {
    people: BTreeMap<ObjectId, Person>,
    /// People as they were when [`Conduct::Stale`] began.
    frozen: BTreeMap<ObjectId, Person>,
    pub(super) conduct: Conduct,
    pub(super) lifetime: Duration,
    tokens: VecDeque<(String, Instant)>,
    recent: VecDeque<Instant>,
    pub(super) asked: Asked,
}

#[derive(Debug, Clone)]
struct Person {
    availability: String,
    activity: String,
    version: u64,
}

/// An answer: status, `Retry-After`, body.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) retry_after: Option<u64>,
    pub(super) body: Value,
}

impl Default for Book {
    fn default() -> Book {
        Book {
            people: BTreeMap::new(),
            frozen: BTreeMap::new(),
            conduct: Conduct::Proper,
            lifetime: Duration::from_secs(3_599),
            tokens: VecDeque::new(),
            recent: VecDeque::new(),
            asked: Asked::default(),
        }
    }
}

impl Book {
    pub(super) fn says(&mut self, id: &str, availability: &str, activity: &str) -> bool {
        let Ok(id) = id.parse() else { return false };
        let version = self.people.get(&id).map_or(0, |person| person.version) + 1;
        let (availability, activity) = (availability.to_owned(), activity.to_owned());
        self.people.insert(id, Person { availability, activity, version });
        true
    }

    pub(super) fn conducts(&mut self, conduct: Conduct) {
        self.conduct = conduct;
        self.frozen = self.people.clone();
    }

    pub(super) fn withdraw_tokens(&mut self) {
        self.tokens.clear();
    }

    /// `POST /{tenant}/oauth2/v2.0/token`. The numbers of errors are unverified.
    pub(super) fn token(&mut self, tenant: &str, form: &BTreeMap<String, String>, scope: &str) -> Reply {
        self.asked.tokens += 1;
        if let Conduct::NoTokens { status, number } = self.conduct {
            return login_error(status, "invalid_client", number);
        }
        let is = |key: &str, value: &str| form.get(key).is_some_and(|given| given == value);
        match () {
            () if tenant != TENANT => login_error(400, "invalid_request", 90_002),
            () if !is("grant_type", "client_credentials") => {
                login_error(400, "unsupported_grant_type", 70_003)
            }
            () if !is("scope", scope) => login_error(400, "invalid_scope", 70_011),
            () if !is("client_id", CLIENT_ID) => login_error(400, "unauthorized_client", 700_016),
            () if !is("client_secret", SECRET) => login_error(401, "invalid_client", 7_000_215),
            () => self.gives_token(),
        }
    }

    fn gives_token(&mut self) -> Reply {
        let token = format!("token-{}", self.asked.tokens);
        if self.tokens.len() == TOKENS {
            self.tokens.pop_front();
        }
        self.tokens.push_back((token.clone(), Instant::now() + self.lifetime));
        let body =
            json!({"token_type": "Bearer", "expires_in": self.lifetime.as_secs(), "access_token": token});
        Reply { status: 200, retry_after: None, body }
    }

    /// `POST /v1.0/communications/getPresencesByUserId`.
    pub(super) fn presences(&mut self, authorization: &str, body: &[u8]) -> Reply {
        self.asked.presence += 1;
        let now = Instant::now();
        let good =
            |(token, until): &(String, Instant)| authorization == format!("Bearer {token}") && now < *until;
        if !self.tokens.iter().any(good) {
            return graph_error(401, "InvalidAuthenticationToken", None);
        }
        if let Conduct::Refuses { status, retry_after } = self.conduct {
            let code = if status == 403 { "Authorization_RequestDenied" } else { "TooManyRequests" };
            return graph_error(status, code, retry_after);
        }
        if !self.is_allowed(now) {
            return graph_error(429, "TooManyRequests", Some(PERIOD.as_secs()));
        }
        match ids(body) {
            Some(ids) => Reply { status: 200, retry_after: None, body: self.page(&ids) },
            None => graph_error(400, "BadRequest", None),
        }
    }

    fn is_allowed(&mut self, now: Instant) -> bool {
        while self.recent.front().is_some_and(|at| *at + PERIOD <= now) {
            self.recent.pop_front();
        }
        let allowed = self.recent.len() < MOST;
        if allowed {
            self.recent.push_back(now);
        }
        allowed
    }

    /// In another order than they were asked for: no order is documented.
    fn page(&self, ids: &[ObjectId]) -> Value {
        let people = if self.conduct == Conduct::Stale { &self.frozen } else { &self.people };
        let presence = |id: &ObjectId| match people.get(id) {
            None if self.conduct == Conduct::LeavesOut => None,
            None => Some(
                json!({"id": id.to_string(), "availability": "PresenceUnknown", "activity": "PresenceUnknown"}),
            ),
            Some(person) => Some(self.presence(id, person)),
        };
        let value: Vec<Value> = ids.iter().rev().filter_map(presence).collect();
        json!({
            "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#Collection(microsoft.graph.presence)",
            "value": value,
        })
    }

    fn presence(&self, id: &ObjectId, person: &Person) -> Value {
        let Person { availability, activity, version } = person;
        let (availability, activity) = match self.conduct {
            Conduct::Modern => (small_first(activity), small_first(availability)),
            _ => (availability.clone(), activity.clone()),
        };
        json!({
            "id": id.to_string(), "availability": availability, "activity": activity,
            "sequenceNumber": format!("A{version:012}"), "statusMessage": null, "workLocation": null,
            "outOfOfficeSettings": {"message": null, "isOutOfOffice": false},
        })
    }
}

/// None if it is no list of object ids, or too long a one: one bad id spoils the whole request (unverified).
fn ids(body: &[u8]) -> Option<Vec<ObjectId>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let ids = body.get("ids")?.as_array()?;
    (ids.len() <= MOST_IDS).then(|| ids.iter().map(|id| id.as_str()?.parse().ok()).collect())?
}

fn small_first(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

fn graph_error(status: u16, code: &str, retry_after: Option<u64>) -> Reply {
    let body = json!({"error": {"code": code, "message": "simulated", "innerError": {"request-id": "sim"}}});
    Reply { status, retry_after, body }
}

fn login_error(status: u16, error: &str, number: u32) -> Reply {
    let body = json!({"error": error, "error_description": format!("AADSTS{number}: simulated"), "error_codes": [number]});
    Reply { status, retry_after: None, body }
}
