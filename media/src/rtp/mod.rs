//! RTP and RTCP: RFC 3550. Packets are read and written where they lie, nothing here allocates.

pub mod packet;
pub mod rtcp;
pub mod sequence;
pub mod stats;
pub mod xr;

pub use packet::{Fields, Kind, Packet, RtpError};
pub use rtcp::RtcpError;
pub use sequence::{Arrival, Sequence};
pub use stats::{Jitter, LegStats};
