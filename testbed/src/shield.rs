//! SRTP of a telephone: the same keys from the other side.

use bytes::Bytes;
use media::{
    sdp::Keys,
    srtp::{GROWTH, Receiver, Sender},
};

/// What protects the sound of one call.
#[derive(Default)]
pub(crate) struct Shield(Option<State>);

struct State {
    keys: Keys,
    sender: Sender,
    receiver: Receiver,
}

impl Shield {
    /// These keys hold from now on. What is the same goes on as it was.
    pub(crate) fn follow(&mut self, keys: Option<&Keys>) {
        let Some(keys) = keys else {
            self.0 = None;
            return;
        };
        let fresh = || State {
            keys: keys.clone(),
            sender: Sender::new(&keys.send),
            receiver: Receiver::new(&keys.receive),
        };
        let state = self.0.get_or_insert_with(fresh);
        if state.keys.send != keys.send {
            state.sender = Sender::new(&keys.send);
        }
        if state.keys.receive != keys.receive {
            state.receiver = Receiver::new(&keys.receive);
        }
        state.keys = keys.clone();
    }

    pub(crate) fn is_up(&self) -> bool {
        self.0.is_some()
    }

    /// A packet as it goes over the wire.
    pub(crate) fn protect(&mut self, packet: Bytes) -> Bytes {
        let Some(state) = &mut self.0 else { return packet };
        let mut buffer = [&packet[..], &[0; GROWTH]].concat();
        let len = state.sender.protect_rtp(&mut buffer, packet.len()).expect("each number is sent once");
        buffer.truncate(len);
        buffer.into()
    }

    /// A packet as it was meant; `None` if our key does not open it.
    pub(crate) fn open(&mut self, packet: Bytes) -> Option<Bytes> {
        let Some(state) = &mut self.0 else { return Some(packet) };
        let mut packet = packet.to_vec();
        let len = state.receiver.unprotect_rtp(&mut packet).ok()?;
        packet.truncate(len);
        Some(packet.into())
    }
}
