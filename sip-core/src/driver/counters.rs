//! What the driver counts.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Sums since the start. Read with [`Sockets::counters`](super::Sockets::counters).
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counters { $($(#[$doc])* pub $name: u64),* }

        /// The same, shared by the tasks of one driver.
        #[derive(Debug, Default)]
        pub(super) struct Tally { $(pub(super) $name: Count),* }

        impl Tally {
            pub(super) fn read(&self) -> Counters {
                Counters { $($name: self.$name.0.load(Ordering::Relaxed)),* }
            }
        }
    };
}

counters! {
    /// Datagrams read, keep-alives included.
    datagrams_in,
    /// Datagrams handed to the kernel.
    datagrams_out,
    /// Datagrams dropped because too many waited for the kernel.
    datagrams_dropped,
    /// Datagrams the kernel refused to send: no route, not permitted, too long.
    datagrams_refused,
    /// Datagrams of nothing but line ends and zero bytes, which hold a NAT open.
    datagram_keep_alives,
    /// ICMP errors that named one of our datagrams.
    icmp_errors,
    /// Messages read from connections.
    stream_messages_in,
    /// Messages written to connections.
    stream_messages_out,
    /// Messages for a connection that was gone.
    stream_messages_lost,
    /// Pings answered on connections (RFC 5626 §3.5.1).
    stream_pings,
    /// Connections closed because a ping of ours was not answered any more (RFC 5626 §4.4.1).
    closed_dead,
    /// Connections accepted.
    accepted,
    /// Connections closed at once for there were too many.
    refused,
    /// Accepting failed: mostly out of file descriptors.
    accept_errors,
    /// Connections we opened.
    opened,
    /// TLS handshakes that came to a good end; the others are counted by [`Sockets::mishaps`](super::Sockets::mishaps).
    handshakes,
    /// Connections we could not open.
    open_failed,
    /// Connections closed because their peer had been silent for too long.
    closed_idle,
    /// Connections closed because a message did not come to its end in time.
    closed_slow,
    /// Connections closed because their peer did not read.
    closed_full,
    /// Connections closed because what came was no SIP stream.
    closed_unframed,
    /// Names looked up, those answered from memory not included.
    lookups,
    /// Names that gave no address.
    lookups_failed,
}

#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add_one(&self) {
        self.add(1);
    }

    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}
