//! What a worker counts, plain numbers of one thread.

macro_rules! counters {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// Counts since the engine began, gauges where it says so.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct Counters {
            $($(#[$doc])+ pub $name: u64,)+
        }

        impl Counters {
            /// Every count with its name, in a fixed order.
            pub fn each(&self) -> [(&'static str, u64); COUNTERS] {
                [$((stringify!($name), self.$name),)+]
            }

            /// Rebuilds counts from the values of [`each`](Self::each).
            pub fn from_values(values: [u64; COUNTERS]) -> Counters {
                let [$($name,)+] = values;
                Counters { $($name,)+ }
            }
        }

        /// How many counts there are.
        pub const COUNTERS: usize = [$(stringify!($name),)+].len();
    };
}

counters! {
    /// Gauge: legs open.
    legs,
    /// Gauge: legs with a prompt or music.
    playing,
    /// Gauge: bridges, each of two legs.
    bridges,
    /// Gauge: rooms in which sound is decoded and mixed: bridges of codecs that need it, supervised talks, conferences.
    rooms,
    /// Gauge: recordings under way.
    recording,
    /// RTP packets accepted.
    received,
    /// RTP packets passed on to a bridged leg.
    relayed,
    /// RTP packets made here: prompts, music, digits.
    played,
    /// RTP packets made of mixed sound.
    mixed,
    /// Payloads changed from A-law to µ-law or back.
    transcoded,
    /// RTCP packets sent.
    rtcp_sent,
    /// RTCP packets read.
    rtcp_received,
    /// Reports that were due on legs whose R so far (ITU-T G.107) is 80 or more.
    rated_good,
    /// The same with 70 or more: some are dissatisfied.
    rated_fair,
    /// The same with less: many are dissatisfied.
    rated_poor,
    /// Digits heard.
    digits,
    /// Silences told.
    silences,
    /// Legs on which nothing was heard in the time that was set.
    unheard,
    /// Peers who had our SSRC: it was changed.
    collisions,
    /// Legs on which nobody could be heard in the first seconds.
    dead_air,
    /// Dropped: RTP header malformed.
    malformed,
    /// Dropped: RTCP malformed.
    rtcp_malformed,
    /// Dropped: RTP or RTCP from a stranger's address.
    rejected,
    /// Dropped: SRTP or SRTCP that the peer's key does not open, or none at all where it was agreed.
    srtp_unauthentic,
    /// Dropped: SRTP or SRTCP that has come before, or far too late.
    srtp_replayed,
    /// Dropped: payload type not agreed.
    unknown_payload,
    /// Dropped: before anything was agreed, or while the direction forbids receiving.
    unexpected,
    /// Dropped: came twice, too late, or far out of sequence.
    out_of_sequence,
    /// ICE checks answered with success.
    checks,
    /// DTLS handshakes that brought keys.
    handshakes,
    /// Legs whose ICE or DTLS came to nothing, or ended.
    paths_broken,
    /// Dropped or refused: STUN that is no check of the peer's.
    stun,
    /// Dropped: DTLS where none was agreed, or from an address without a check.
    dtls,
    /// Dropped: not RTP nor anything known.
    noise,
    /// Not passed on: the bridged leg may not be sent to (hold), or its address is unknown.
    held_back,
    /// Not passed on: the bridged leg knows no such payload (telephone-event, comfort noise).
    unrelayable,
    /// Frames of prompts not played: the leg speaks a codec in which there is no prompt (G.729).
    unplayable,
    /// Digits not sent: nothing agreed yet, or too many waiting.
    digits_refused,
    /// Packets or commands for a key that is not open, or an Open that could not be done.
    stale,
}
