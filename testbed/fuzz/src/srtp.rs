//! Protected packets: what was sealed opens as it was, what was changed or made up does not, and leaves nothing behind.

use media::rtp::Fields;
use media::srtp::{GROWTH, MasterKey, PeerKey, Receiver, Sender, Suite};

/// First the suite and the length of key identifiers, then of each packet: a byte for its length, one for what happens
/// to it, its bytes.
pub fn run(data: &[u8]) {
    let [suite, mki_len, data @ ..] = data else { return };
    let suite = Suite::ALL[usize::from(*suite) % Suite::ALL.len()];
    let key =
        MasterKey::new(suite, &[0x5a; 46][..MasterKey::len(suite)]).expect("is as long as the suite wants");
    let (mut sender, mut receiver) = (Sender::new(&key), Receiver::new(&PeerKey::from(key.clone())));
    let mut with_identifier = Receiver::new(&PeerKey { key, mki_len: mki_len % 129 });
    // A receiver counts rollovers from the first packet that comes whole (RFC 3711 §3.3.1): without one before the wrap it
    // could not know of it.
    let first = packet(65_499, &[]);
    assert_eq!(open(&mut receiver, &seal(&mut sender, &first)).as_deref(), Some(&first[..]));
    let (mut sequence, mut data) = (65_500u16, data);
    while let [len, fate, rest @ ..] = data {
        let (bytes, after) = rest.split_at(usize::from(*len).min(rest.len()));
        match fate & 3 {
            0 => {
                let plain = packet(sequence, bytes);
                assert_eq!(open(&mut receiver, &seal(&mut sender, &plain)).as_deref(), Some(&plain[..]));
                sequence = sequence.wrapping_add(1 + u16::from(fate >> 2));
            }
            1 => {
                let mut sealed = seal(&mut sender, &packet(sequence, &[7; 60]));
                sealed.iter_mut().zip(bytes).for_each(|(byte, change)| *byte ^= change);
                let is_whole = bytes.iter().take(sealed.len()).all(|change| *change == 0);
                assert_eq!(open(&mut receiver, &sealed).is_some(), is_whole);
                sequence = sequence.wrapping_add(1);
            }
            2 => assert_eq!(open(&mut receiver, bytes), None),
            _ => assert!(receiver.unprotect_rtcp(&mut bytes.to_vec()).is_err()),
        }
        assert_eq!(open(&mut with_identifier, bytes), None);
        assert!(with_identifier.unprotect_rtcp(&mut bytes.to_vec()).is_err());
        data = after;
    }
}

fn packet(sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut header = [0; 12];
    Fields { marker: false, payload_type: 8, sequence, timestamp: 160, ssrc: 9 }.write(&mut header);
    [&header, payload].concat()
}

fn seal(sender: &mut Sender, plain: &[u8]) -> Vec<u8> {
    let mut buffer = [plain, &[0; GROWTH]].concat();
    let len = sender.protect_rtp(&mut buffer, plain.len()).expect("each number is new");
    buffer.truncate(len);
    buffer
}

fn open(receiver: &mut Receiver, packet: &[u8]) -> Option<Vec<u8>> {
    let mut packet = packet.to_vec();
    let len = receiver.unprotect_rtp(&mut packet).ok()?;
    packet.truncate(len);
    Some(packet)
}
