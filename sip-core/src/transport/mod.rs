//! What carries messages: flows, targets, sources, Via handling (RFC 3261 §18), framing.

mod flow;
mod framing;
mod names;
mod source;
mod steer;
pub(crate) mod stun;
mod target;
mod via;

pub use flow::{Flow, Transport};
pub use framing::{Framed, FramingError, StreamFramer};
pub use names::carries_name;
pub(crate) use source::place_of;
pub use source::{PeerId, Sources};
pub use steer::Steer;
pub use target::{Host, Listener, Target, TargetError};
pub use via::{named_address, response_flow};
