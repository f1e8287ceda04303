//! What a leg's sound was worth: loss in bursts (RFC 3611 §4.7.2), level and clipping, and the E-model over both (ITU-T G.107).

mod emodel;
mod loss;
mod loudness;

pub use emodel::Rating;
pub(crate) use emodel::{Conditions, jitter_buffer_ms};
pub(crate) use loss::share;
pub use loss::{GMIN, Losses};
pub use loudness::{Heard, Loudness};
