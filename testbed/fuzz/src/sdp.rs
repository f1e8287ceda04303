//! Session descriptions: what is read can be written and read again, and every answer fits its offer.

use media::sdp::{Description, NegotiationError, SdpError};
use media::{Negotiation, Policy};

/// The bytes are an offer to us, then an answer to an offer of ours.
pub fn run(data: &[u8]) {
    match Description::parse(data) {
        Ok(description) => written_reads_the_same(&description),
        Err(error) => assert!(matches!(error.status(), 400 | 413)),
    }
    answered(data);
    accepted(data);
}

fn written_reads_the_same(description: &Description) {
    let written = description.write();
    match Description::parse(&written) {
        Ok(again) => assert_eq!(again.write(), written),
        // Lines we add and bytes we replace may take it over a limit; nothing else may go wrong.
        Err(error) => assert_eq!(error.status(), 413, "{error}"),
    }
}

fn leg() -> Negotiation {
    Negotiation::new(Policy::default(), "198.51.100.1:10000".parse().expect("an address"), 1, [7; 32])
}

fn answered(offer: &[u8]) {
    let mut leg = leg();
    let (answer, stream) = match leg.answer(offer) {
        Ok(agreed) => agreed,
        Err(error) => return refused(&error),
    };
    let (offer, written) = (Description::parse(offer).expect("it was answered"), Description::parse(&answer));
    let written = written.expect("our answer can be read");
    assert_eq!(offer.media.len(), written.media.len(), "RFC 3264 §6");
    assert_eq!(written.media.iter().filter(|media| media.port != 0).count(), 1);
    assert!(offer.media.iter().zip(&written.media).all(|(theirs, ours)| theirs.kind == ours.kind));
    assert!(stream.remote.is_some() || !stream.direction.sends(), "nowhere to send to");
    assert!((10..=200).contains(&stream.ptime));
    assert_eq!(leg.offer(), answer, "a refresh repeats it");
}

fn accepted(answer: &[u8]) {
    let mut leg = leg();
    let offer = leg.offer();
    match leg.accept(answer) {
        Ok(stream) => {
            assert!(stream.remote.is_some() || !stream.direction.sends(), "nowhere to send to");
            assert_eq!(leg.offer(), offer, "a refresh repeats it");
        }
        Err(error) => refused(&error),
    }
}

fn refused(error: &NegotiationError) {
    assert!(matches!(error.status(), 400 | 413 | 488), "{error}");
    let (code, text) = error.warning().expect("a warning says why");
    assert!((300..400).contains(&code) && !text.contains(['"', '\\', '\r', '\n']));
    let too_long = matches!(error, NegotiationError::Unreadable(SdpError::TooLong(_)));
    assert!(!too_long || error.status() == 413);
}
