//! Why Graph cannot be asked: what it is, whose fault, and the cure.

use std::{fmt, time::Duration};

/// What was asked for when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A token, at the login address.
    Token,
    /// Presence, at Graph.
    Presence,
}

/// An answer that says no.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Its `error.code`, or of the login address `error`; empty if it has none.
    pub code: String,
    /// The number of the login address's error (`AADSTS…`).
    pub number: Option<u32>,
    /// The far end's name for this request, for its support; empty if it gave none.
    pub request_id: String,
    /// From `Retry-After`: it will not be asked before (RFC 9110 §10.2.3).
    pub retry_after: Option<Duration>,
}

/// No answer, or none that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The file or variable has no secret.
    Secret(String),
    /// No connection, or none that is trusted.
    Unreachable(String),
    /// Nothing within the time.
    TimedOut,
    /// What came is not what was asked for.
    Unreadable(String),
    /// `trust` has no certificate any more, or the system has none.
    Setup(String),
}

/// Why presence is not known, for as long as it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The login address gives no token.
    Login(Refusal),
    /// Graph does not take a token that it was given just now.
    Token(Refusal),
    /// Graph knows us and does not let us.
    Forbidden(Refusal),
    /// We ask too often, or others do with our `client_id`.
    Throttled(Asked, Refusal),
    /// The far end's own fault.
    Server(Asked, Refusal),
    /// It does not understand us.
    Request(Refusal),
    /// It was not even asked, or has not answered.
    Failed(Asked, Failure),
}

impl Trouble {
    /// What a refusal means.
    pub fn of(asked: Asked, refusal: Refusal) -> Trouble {
        match (asked, refusal.status) {
            (_, 429) => Trouble::Throttled(asked, refusal),
            (_, 500..=599) => Trouble::Server(asked, refusal),
            (Asked::Token, _) => Trouble::Login(refusal),
            (Asked::Presence, 401) => Trouble::Token(refusal),
            (Asked::Presence, 403) => Trouble::Forbidden(refusal),
            (Asked::Presence, _) => Trouble::Request(refusal),
        }
    }

    /// It ends only when somebody does something: asked again slowly.
    pub fn is_lasting(&self) -> bool {
        match self {
            Trouble::Login(_) | Trouble::Token(_) | Trouble::Forbidden(_) | Trouble::Request(_) => true,
            Trouble::Failed(_, Failure::Secret(_) | Failure::Setup(_)) => true,
            Trouble::Throttled(..) | Trouble::Server(..) | Trouble::Failed(..) => false,
        }
    }

    /// How long it asked not to be asked.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Trouble::Login(refusal) | Trouble::Token(refusal) | Trouble::Forbidden(refusal) => {
                refusal.retry_after
            }
            Trouble::Throttled(_, refusal) | Trouble::Server(_, refusal) => refusal.retry_after,
            Trouble::Request(refusal) => refusal.retry_after,
            Trouble::Failed(..) => None,
        }
    }

    /// Its word in labels and in `/status`.
    pub fn word(&self) -> &'static str {
        match self {
            Trouble::Login(_) => "login-refused",
            Trouble::Token(_) => "token-refused",
            Trouble::Forbidden(_) => "forbidden",
            Trouble::Throttled(..) => "throttled",
            Trouble::Server(..) => "server-error",
            Trouble::Request(_) => "not-understood",
            Trouble::Failed(_, Failure::Secret(_)) => "no-secret",
            Trouble::Failed(_, Failure::Setup(_)) => "no-trust",
            Trouble::Failed(_, Failure::Unreachable(_)) => "unreachable",
            Trouble::Failed(_, Failure::TimedOut) => "timed-out",
            Trouble::Failed(_, Failure::Unreadable(_)) => "unreadable",
        }
    }

    /// Whose fault it is, as far as one can tell from here.
    pub fn fault(&self) -> &'static str {
        match self {
            Trouble::Login(_) | Trouble::Forbidden(_) => "the tenant's settings or presence.graph",
            Trouble::Failed(_, Failure::Secret(_) | Failure::Setup(_)) => "presence.graph",
            Trouble::Throttled(..) | Trouble::Server(..) | Trouble::Token(_) | Trouble::Request(_) => {
                "the far end"
            }
            Trouble::Failed(_, Failure::Unreadable(_)) => "the far end, or what stands between",
            Trouble::Failed(..) => "the network, or the far end",
        }
    }

    /// What to do about it.
    pub fn cure(&self) -> String {
        let look = |key: &str| format!("see presence.graph.{key}");
        match self {
            Trouble::Login(refusal) => login_cure(refusal),
            Trouble::Token(_) => look("tenant and graph_url: they must belong to the same cloud"),
            Trouble::Forbidden(_) => {
                "grant the application Presence.Read.All as an application permission, with an \
                 administrator's consent (Entra: App registrations, API permissions)"
                    .to_owned()
            }
            Trouble::Throttled(..) => {
                look("every and budget: ask less often; others may ask with the same client_id")
            }
            Trouble::Server(..) => "nothing to do: it is asked again".to_owned(),
            Trouble::Request(_) => look("graph_url"),
            Trouble::Failed(_, Failure::Secret(_)) => {
                look("client_secret_file or client_secret_env: let this process read the secret there")
            }
            Trouble::Failed(_, Failure::Setup(_)) => look("trust: a PEM file with certificates"),
            Trouble::Failed(Asked::Token, _) => look("login_url, or a firewall between"),
            Trouble::Failed(Asked::Presence, _) => look("graph_url, or a firewall between"),
        }
    }
}

/// The numbers are those that Microsoft's login is known to give; without one every cause is named.
fn login_cure(refusal: &Refusal) -> String {
    let cure = match refusal.number {
        Some(7_000_222) => {
            "the secret has expired: make a new one in Entra and write it where presence.graph reads it"
        }
        Some(7_000_215) => "the secret is wrong: write its value (not its id) where presence.graph reads it",
        Some(700_016) => "the tenant has no such application: see presence.graph.client_id and tenant",
        Some(90_002 | 900_023) => "there is no such tenant: see presence.graph.tenant",
        _ => "see presence.graph: tenant, client_id, and whether the secret is right and has not expired",
    };
    cure.to_owned()
}

impl fmt::Display for Trouble {
    /// One clause: `Graph refuses (403 Authorization_RequestDenied, request 7a…)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |asked: &Asked| if *asked == Asked::Token { "the login address" } else { "Graph" };
        match self {
            Trouble::Login(refusal) => write!(f, "the login address gives no token ({refusal})"),
            Trouble::Token(refusal) => write!(f, "Graph refuses a new token ({refusal})"),
            Trouble::Forbidden(refusal) => write!(f, "Graph does not allow it ({refusal})"),
            Trouble::Throttled(asked, refusal) => write!(f, "{} is asked too often ({refusal})", who(asked)),
            Trouble::Server(asked, refusal) => write!(f, "{} fails ({refusal})", who(asked)),
            Trouble::Request(refusal) => write!(f, "Graph does not understand the request ({refusal})"),
            Trouble::Failed(asked, failure) => match failure {
                Failure::Secret(why) => write!(f, "the secret cannot be had: {why}"),
                Failure::Setup(why) => write!(f, "no TLS can be had: {why}"),
                Failure::Unreachable(why) => write!(f, "{} cannot be reached: {why}", who(asked)),
                Failure::TimedOut => write!(f, "{} does not answer in time", who(asked)),
                Failure::Unreadable(why) => write!(f, "{} answers what cannot be read: {why}", who(asked)),
            },
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if let Some(number) = self.number {
            write!(f, " AADSTS{number}")?;
        }
        if !self.request_id.is_empty() {
            write!(f, ", request {}", self.request_id)?;
        }
        Ok(())
    }
}
