//! Presence: what Microsoft Graph says of agents in Teams, and whether they may be given calls by it.
//!
//! Two machines: [`Asking`] decides what is asked of Graph and when, [`Known`] what follows from the answers and from
//! their age. Both take the time and chance as arguments and perform nothing; requests are carried out by a helper
//! (`driver/graph`), so that nothing here waits for anybody. [`wire`] reads what Graph writes.

mod asking;
mod known;
mod object_id;
mod trouble;
pub mod wire;
mod words;

pub use asking::{Answer, Ask, Asking, BUDGET_PERIOD, MOST_IDS, News, Outcome, Report, What};
pub use known::{Changes, Known, Person, Verdict, Why};
pub use object_id::{NoObjectId, ObjectId};
pub use trouble::{Asked, Failure, Refusal, Trouble};
pub use words::{KNOWN as KNOWN_WORDS, Mapping, Words};
