//! A byte stream: cut alike wherever it is split, bounded, and never read on behind a fault.

use sip_core::message::{Limits, Message};
use sip_core::transport::{Framed, FramingError, StreamFramer};

/// The first byte says where to split the others.
pub fn run(data: &[u8]) {
    let Some((&first, stream)) = data.split_first() else { return };
    let at = usize::from(first).min(stream.len());
    let whole = frames([stream]);
    assert_eq!(frames([&stream[..at], &stream[at..]]), whole);
    assert_eq!(frames(stream.chunks(1)), whole);
    for frame in &whole.0 {
        if let Framed::Message(framed) = frame
            && let Ok(message) = Message::parse(framed.clone())
        {
            assert_eq!(message.bytes(), framed, "framer and parser agree about the length");
        }
    }
}

fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Framed>, bool) {
    let mut framer = StreamFramer::new(Limits { max_bytes: 4_096, ..Limits::DEFAULT });
    let mut frames = Vec::new();
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(next_error(&mut framer), error, "the first fault stays");
                    return (frames, true);
                }
            }
        }
    }
    (frames, false)
}

fn next_error(framer: &mut StreamFramer) -> FramingError {
    framer.push(b"BYE sip:a@b SIP/2.0\r\nl: 0\r\n\r\n");
    framer.next().expect_err("nothing is read behind a fault")
}
