//! Keys, as events and as tones: no more keys than packets, no longer than they can have been, and what we send ends.

use std::time::{Duration, Instant};

use media::Digit;
use media::dtmf::{Beat, Payload, Receiver, Sender, tones::Ear};

/// The first byte chooses the clock and whether it is events, tones or what we send.
pub fn run(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let rate = [8_000, 16_000, 48_000][usize::from(first >> 2) % 3];
    match first & 3 {
        0 | 1 => events(rate, rest),
        2 => tones(rest),
        _ => sends(rate, rest),
    }
}

/// Of each packet: a pause, three bytes of timestamp, its payload.
fn events(rate: u32, data: &[u8]) {
    let (mut now, mut receiver) = (origin(), Receiver::default());
    receiver.set_rate(rate);
    let (mut packets, mut told) = (0, 0);
    for packet in data.chunks_exact(8) {
        now += Duration::from_millis(u64::from(packet[0]));
        told += receiver.handle_timeout(now).into_iter().count();
        let timestamp = u32::from_be_bytes([packet[1], packet[2], packet[3], 0]);
        if packet[0] == 255 {
            told += receiver.restart(now).into_iter().count();
        }
        let payload = Payload::read(&packet[4..]).expect("four bytes are an event");
        assert_eq!(payload.write()[0], packet[4]);
        let ended = receiver.arrive(now, timestamp, payload);
        packets += 1;
        for pressed in ended.into_iter().flatten() {
            told += 1;
            let most = u64::from(u16::MAX) * packets / (u64::from(rate) / 1_000);
            assert!(u64::from(pressed.duration_ms) <= most + 1, "{pressed:?} after {packets} packets");
        }
        assert!(told as u64 <= packets);
    }
    now += Duration::from_secs(1);
    told += receiver.handle_timeout(now).into_iter().count();
    assert!(told as u64 <= packets && receiver.poll_timeout().is_none());
}

/// Samples in packets of every length.
fn tones(data: &[u8]) {
    let (now, mut ear, mut heard, mut samples) = (origin(), Ear::default(), 0, 0);
    for packet in data.chunks(usize::from(data.first().copied().unwrap_or(0)) + 1) {
        let sound: Vec<i16> =
            packet.iter().flat_map(|byte| [i16::from(*byte as i8) << 8, i16::from(*byte) << 7]).collect();
        samples += sound.len();
        heard += ear.hear(now, &sound).into_iter().count();
    }
    heard += ear.handle_timeout(now + Duration::from_secs(1)).into_iter().count();
    assert!(heard * 204 <= samples + 204, "{heard} keys in {samples} samples");
}

fn sends(rate: u32, data: &[u8]) {
    let mut sender = Sender::new(rate);
    let mut taken = 0u32;
    for order in data.chunks_exact(3) {
        let Some(digit) = Digit::from_event(order[0] & 15) else { continue };
        taken += u32::from(sender.push(digit, u16::from_be_bytes([order[1], order[2]])));
    }
    let mut begun = 0;
    for _ in 0..=taken * 410 {
        match sender.beat() {
            Beat::Part(part) => {
                begun += u32::from(part.first);
                assert!(part.segment + u32::from(part.payload.duration) <= 8 * rate);
            }
            Beat::Pause => {}
            Beat::Done => break,
        }
    }
    assert!(sender.is_idle() && begun == taken, "{begun} of {taken}");
}

/// Any instant: from here on time is ours.
#[allow(clippy::disallowed_methods)]
fn origin() -> Instant {
    Instant::now()
}
