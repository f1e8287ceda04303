//! SRTP and SRTCP (RFC 3711) from end to end: loss, disorder, wraps, replays, forgeries; key identifiers (§3.1).

use media::rtp::Fields;
use media::srtp::{GROWTH, MasterKey, PeerKey, Receiver, SOURCES, Sender, SrtpError, Suite};
use proptest::prelude::*;

const SSRC: u32 = 0xcafe_babe;

fn key(suite: Suite, seed: u8) -> MasterKey {
    let bytes: Vec<u8> = (0..MasterKey::len(suite)).map(|n| (n as u8).wrapping_mul(37) ^ seed).collect();
    MasterKey::new(suite, &bytes).unwrap()
}

fn pair(suite: Suite) -> (Sender, Receiver) {
    (Sender::new(&key(suite, 1)), Receiver::new(&key(suite, 1).into()))
}

fn rtp(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut header = [0; 12];
    Fields { marker: false, payload_type: 8, sequence, timestamp: u32::from(sequence) * 160, ssrc }
        .write(&mut header);
    [&header[..], payload].concat()
}

fn protect(sender: &mut Sender, packet: &[u8]) -> Vec<u8> {
    let mut buffer = [packet, &[0; GROWTH]].concat();
    let len = sender.protect_rtp(&mut buffer, packet.len()).expect("may be sent");
    buffer.truncate(len);
    buffer
}

fn protect_rtcp(sender: &mut Sender, packet: &[u8]) -> Vec<u8> {
    let mut buffer = [packet, &[0; GROWTH]].concat();
    let len = sender.protect_rtcp(&mut buffer, packet.len()).expect("may be sent");
    buffer.truncate(len);
    buffer
}

fn open(receiver: &mut Receiver, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut packet = packet.to_vec();
    let len = receiver.unprotect_rtp(&mut packet)?;
    packet.truncate(len);
    Ok(packet)
}

fn open_rtcp(receiver: &mut Receiver, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut packet = packet.to_vec();
    let len = receiver.unprotect_rtcp(&mut packet)?;
    packet.truncate(len);
    Ok(packet)
}

fn report(ssrc: u32, filling: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 4];
    packet.extend(ssrc.to_be_bytes());
    packet.extend([filling; 12]);
    packet
}

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn a_packet_known_to_everybody_looks_as_everybody_makes_it() {
    let cases = [
        (
            Suite::AesCm128HmacSha1_80,
            "e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6",
            "4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
        ),
        (
            Suite::Aes256CmHmacSha1_80,
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b63b04803de51ee7c96423ab5b78d2",
            "f1d9de17ff251ff1aa007774b0b4b40da08d9d9a5b3a55d8873b",
        ),
    ];
    for (suite, key, sealed) in cases {
        let key = MasterKey::new(suite, &hex(key)).unwrap();
        let plain = hex(&["800f1234decafbadcafebabe", &"ab".repeat(16)].concat());
        let made = protect(&mut Sender::new(&key), &plain);
        assert_eq!(made[12..], hex(sealed), "{suite}");
        assert_eq!(open(&mut Receiver::new(&key.into()), &made), Ok(plain), "{suite}");
    }
}

#[test]
fn what_is_protected_is_longer_by_its_tag_and_opens_again() {
    for (suite, rtp_more, rtcp_more) in [
        (Suite::AesCm128HmacSha1_80, 10, 14),
        (Suite::AesCm128HmacSha1_32, 4, 14),
        (Suite::Aes256CmHmacSha1_80, 10, 14),
        (Suite::Aes256CmHmacSha1_32, 4, 14),
        (Suite::AeadAes128Gcm, 16, 20),
        (Suite::AeadAes256Gcm, 16, 20),
    ] {
        let (mut sender, mut receiver) = pair(suite);
        let (plain, control) = (rtp(SSRC, 7, &[9; 160]), report(SSRC, 3));
        let (sealed, sealed_control) = (protect(&mut sender, &plain), protect_rtcp(&mut sender, &control));
        let more = (sealed.len() - plain.len(), sealed_control.len() - control.len());
        assert_eq!(more, (rtp_more, rtcp_more), "{suite}");
        assert_ne!(sealed[12..172], plain[12..], "{suite}");
        assert_ne!(sealed_control[8..20], control[8..], "{suite}");
        assert_eq!(open(&mut receiver, &sealed), Ok(plain), "{suite}");
        assert_eq!(open_rtcp(&mut receiver, &sealed_control), Ok(control), "{suite}");
    }
}

#[test]
fn sources_and_extension_stay_readable_and_padding_does_not() {
    // One contributing source, an extension of one word, two bytes of sound, two of padding (RFC 3711 §3.1).
    let mut plain = rtp(SSRC, 7, &[0, 0, 0, 5, 0x12, 0x34, 0, 1, 1, 2, 3, 4, 0x55, 0x55, 0x55, 2]);
    plain[0] |= 0x31;
    for suite in Suite::ALL {
        let sealed = oracle(suite, 1).encrypt_rtp(&plain).unwrap().to_vec();
        assert_eq!((&sealed[..24], sealed[24..28] == plain[24..]), (&plain[..24], false), "{suite}");
        assert_eq!(open(&mut pair(suite).1, &sealed), Ok(plain.clone()), "{suite}");
    }
}

#[test]
fn a_packet_that_came_is_replayed_whether_it_comes_at_once_or_far_too_late() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        let packets: Vec<_> = (0..200u16).map(|n| protect(&mut sender, &rtp(SSRC, n, &[1; 20]))).collect();
        for packet in &packets[1..] {
            assert!(open(&mut receiver, packet).is_ok());
            assert_eq!(open(&mut receiver, packet), Err(SrtpError::Replayed));
        }
        assert_eq!(open(&mut receiver, &packets[0]), Err(SrtpError::Replayed), "too old to tell");
        let control = protect_rtcp(&mut sender, &report(SSRC, 1));
        assert!(open_rtcp(&mut receiver, &control).is_ok());
        assert_eq!(open_rtcp(&mut receiver, &control), Err(SrtpError::Replayed));
    }
}

#[test]
fn a_forged_packet_far_ahead_does_not_move_the_rollover_counter() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        let first = protect(&mut sender, &rtp(SSRC, 0xfff0, &[1; 20]));
        assert!(open(&mut receiver, &first).is_ok());
        for sequence in [0, 5, 0x7000, 0xfff1] {
            let forged = protect(&mut Sender::new(&key(suite, 99)), &rtp(SSRC, sequence, &[1; 20]));
            assert_eq!(open(&mut receiver, &forged), Err(SrtpError::Unauthentic), "{suite} {sequence}");
        }
        let next = rtp(SSRC, 0xfff1, &[2; 20]);
        let sealed = protect(&mut sender, &next);
        assert_eq!(open(&mut receiver, &sealed), Ok(next), "{suite}");
    }
}

#[test]
fn forged_sources_take_no_place_and_authentic_ones_push_out_the_oldest() {
    let suite = Suite::AesCm128HmacSha1_80;
    let (mut sender, mut receiver) = pair(suite);
    let mine = protect(&mut sender, &rtp(SSRC, 1, &[1; 20]));
    assert!(open(&mut receiver, &mine).is_ok());
    for ssrc in 0..1_000 {
        let forged = protect(&mut Sender::new(&key(suite, 99)), &rtp(ssrc, 1, &[1; 20]));
        assert_eq!(open(&mut receiver, &forged), Err(SrtpError::Unauthentic));
    }
    assert_eq!(open(&mut receiver, &mine), Err(SrtpError::Replayed), "it still has its place");
    for ssrc in 0..SOURCES as u32 {
        let other = protect(&mut Sender::new(&key(suite, 1)), &rtp(ssrc, 1, &[1; 20]));
        assert!(open(&mut receiver, &other).is_ok());
        assert_eq!(open(&mut receiver, &other), Err(SrtpError::Replayed));
    }
    assert!(open(&mut receiver, &mine).is_ok(), "forgotten: {SOURCES} others have spoken since");
}

#[test]
fn each_source_has_a_rollover_counter_of_its_own() {
    let (mut one, mut receiver) = pair(Suite::AesCm128HmacSha1_80);
    let mut two = Sender::new(&key(Suite::AesCm128HmacSha1_80, 1));
    for n in 0..0x1_8000u32 {
        let plain = rtp(1, n as u16, &[1; 4]);
        let sealed = protect(&mut one, &plain);
        assert_eq!(open(&mut receiver, &sealed), Ok(plain), "{n}");
        if n % 0x4000 == 0 {
            let plain = rtp(2, (n / 0x4000) as u16, &[2; 4]);
            let sealed = protect(&mut two, &plain);
            assert_eq!(open(&mut receiver, &sealed), Ok(plain), "{n}");
        }
    }
}

#[test]
fn a_number_is_never_sent_twice_under_one_key() {
    let (mut sender, _) = pair(Suite::AesCm128HmacSha1_80);
    let mut try_number = |sequence: u16| {
        let mut buffer = [rtp(SSRC, sequence, &[1; 20]), vec![0; GROWTH]].concat();
        sender.protect_rtp(&mut buffer, 32).is_some()
    };
    assert!(try_number(10) && try_number(12) && try_number(11));
    assert!(!try_number(11) && !try_number(12), "the same key stream would cover two packets");
    assert!(try_number(13));
}

#[test]
fn a_key_identifier_is_stepped_over_wherever_the_suite_puts_it() {
    for suite in Suite::ALL {
        let peer = PeerKey { key: key(suite, 1), mki_len: 4 };
        let (mut sender, mut receiver) = (Sender::new(&key(suite, 1)), Receiver::new(&peer));
        let (plain, control) = (rtp(SSRC, 7, &[9; 160]), report(SSRC, 3));
        let (sealed, sealed_control) = (protect(&mut sender, &plain), protect_rtcp(&mut sender, &control));
        let tag = |len: usize, tag: usize| if suite.name().starts_with("AEAD") { len } else { len - tag };
        let with = |packet: &[u8], at: usize| [&packet[..at], &[0, 0, 0, 1], &packet[at..]].concat();
        let rtp_tag = if suite.name().ends_with("32") { 4 } else { 10 };
        let sealed = with(&sealed, tag(sealed.len(), rtp_tag));
        let sealed_control = with(&sealed_control, tag(sealed_control.len(), 10));
        assert_eq!(open(&mut receiver, &sealed), Ok(plain), "{suite}");
        assert_eq!(open_rtcp(&mut receiver, &sealed_control), Ok(control), "{suite}");
    }
}

#[test]
fn control_packets_in_the_clear_are_refused() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        let mut sealed = protect_rtcp(&mut sender, &report(SSRC, 1));
        let at = if suite.name().starts_with("AEAD") { sealed.len() - 4 } else { sealed.len() - 14 };
        sealed[at] &= 0x7f;
        assert_eq!(open_rtcp(&mut receiver, &sealed), Err(SrtpError::Unencrypted), "{suite}");
    }
}

#[test]
fn every_cut_of_a_packet_is_refused_without_a_panic() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        let sealed = protect(&mut sender, &rtp(SSRC, 1, &[1; 30]));
        let control = protect_rtcp(&mut sender, &report(SSRC, 1));
        (0..sealed.len())
            .for_each(|len| assert!(open(&mut receiver, &sealed[..len]).is_err(), "{suite} {len}"));
        (0..control.len()).for_each(|len| assert!(open_rtcp(&mut receiver, &control[..len]).is_err()));
        assert!(open(&mut receiver, &sealed).is_ok() && open_rtcp(&mut receiver, &control).is_ok());
    }
}

/// rtc-srtp with the same key.
fn oracle(suite: Suite, seed: u8) -> rtc_srtp::context::Context {
    use rtc_srtp::protection_profile::ProtectionProfile as Profile;
    let profile = match suite {
        Suite::AeadAes256Gcm => Profile::AeadAes256Gcm,
        Suite::AeadAes128Gcm => Profile::AeadAes128Gcm,
        Suite::Aes256CmHmacSha1_80 => Profile::Aes256CmHmacSha1_80,
        Suite::Aes256CmHmacSha1_32 => Profile::Aes256CmHmacSha1_32,
        Suite::AesCm128HmacSha1_80 => Profile::Aes128CmHmacSha1_80,
        Suite::AesCm128HmacSha1_32 => Profile::Aes128CmHmacSha1_32,
    };
    let master = key(suite, seed);
    let (key, salt) = master.as_bytes().split_at(suite.key_len());
    let crypto = rtc_srtp::crypto::default_provider().unwrap();
    rtc_srtp::context::Context::new(key, salt, profile, None, None, crypto.crypto()).unwrap()
}

fn suites() -> impl Strategy<Value = Suite> {
    proptest::sample::select(Suite::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// The same bytes as rtc-srtp's, both ways, over a wrap of the numbers.
    #[test]
    fn we_and_rtc_srtp_agree(
        suite in suites(),
        first in any::<u16>(),
        steps in prop::collection::vec((0u16..200, prop::collection::vec(any::<u8>(), 0..200)), 1..40),
    ) {
        let (mut sender, mut receiver) = pair(suite);
        let (mut their_sender, mut their_receiver) = (oracle(suite, 1), oracle(suite, 1));
        let mut sequence = first;
        for (step, payload) in steps {
            let plain = rtp(SSRC, sequence, &payload);
            let sealed = protect(&mut sender, &plain);
            prop_assert_eq!(&sealed[..], &their_sender.encrypt_rtp(&plain).unwrap()[..]);
            prop_assert_eq!(&plain[..], &their_receiver.decrypt_rtp(&sealed).unwrap()[..]);
            prop_assert_eq!(open(&mut receiver, &sealed), Ok(plain));
            sequence = sequence.wrapping_add(1 + step);
            let control = report(SSRC, sequence as u8);
            let sealed = protect_rtcp(&mut sender, &control);
            prop_assert_eq!(&sealed[..], &their_sender.encrypt_rtcp(&control).unwrap()[..]);
            prop_assert_eq!(&control[..], &their_receiver.decrypt_rtcp(&sealed).unwrap()[..]);
            prop_assert_eq!(open_rtcp(&mut receiver, &sealed), Ok(control));
        }
    }

    /// Whatever a network does to packets, each opens once at most, as it was, and every one that is not hopelessly late
    /// does.
    #[test]
    fn a_network_that_loses_doubles_and_shuffles_spoils_nothing(
        suite in suites(),
        // Every other time the numbers wrap in the midst of the disorder.
        first in prop_oneof![any::<u16>(), 0xff00u16..],
        fates in prop::collection::vec((0usize..40, 0u8..10), 300..800),
        step in prop_oneof![Just(1u16), 2u16..400],
    ) {
        let (mut sender, mut receiver) = pair(suite);
        // A receiver can know on which side of a wrap it is from its second packet on (RFC 3711 §3.3.1).
        let heard = rtp(SSRC, first.wrapping_sub(1), &[0; 24]);
        prop_assert_eq!(open(&mut receiver, &protect(&mut sender, &heard)), Ok(heard));
        let mut arriving: Vec<(usize, usize, Vec<u8>, Vec<u8>)> = vec![];
        for (n, (delay, fate)) in fates.iter().enumerate() {
            let plain = rtp(SSRC, first.wrapping_add((n as u16).wrapping_mul(step)), &[n as u8; 24]);
            let sealed = protect(&mut sender, &plain);
            let copies = match fate { 0 => 0, 1 => 2, _ => 1 };
            (0..copies).for_each(|copy| arriving.push((n + delay * (copy + 1) / step as usize, n, plain.clone(), sealed.clone())));
        }
        arriving.sort_by_key(|(at, n, ..)| (*at, *n));
        let mut opened = std::collections::BTreeSet::new();
        for (_, n, plain, sealed) in &arriving {
            match open(&mut receiver, sealed) {
                Ok(read) => {
                    prop_assert_eq!(&read, plain);
                    prop_assert!(opened.insert(*n), "{} opened twice", n);
                }
                Err(error) => prop_assert_eq!(error, SrtpError::Replayed),
            }
        }
        let sent: std::collections::BTreeSet<usize> = arriving.iter().map(|(_, n, ..)| *n).collect();
        prop_assert!(opened.len() + 40 >= sent.len(), "{} of {}", opened.len(), sent.len());
        if step == 1 {
            prop_assert_eq!(opened, sent, "none was more than 64 behind");
        }
    }

    /// One bit changed anywhere in a packet, and it does not open, and leaves nothing.
    #[test]
    fn a_changed_bit_is_noticed_and_leaves_no_trace(
        suite in suites(),
        at in 0usize..100,
        bit in 0u8..8,
        len in 1usize..60,
    ) {
        let (mut sender, mut receiver) = pair(suite);
        let before = protect(&mut sender, &rtp(SSRC, 0xfffe, &vec![3; len]));
        prop_assert!(open(&mut receiver, &before).is_ok());
        let plain = rtp(SSRC, 0xffff, &vec![4; len]);
        let sealed = protect(&mut sender, &plain);
        let mut changed = sealed.clone();
        let place = at % changed.len();
        changed[place] ^= 1 << bit;
        prop_assert!(open(&mut receiver, &changed).is_err());
        prop_assert_eq!(open(&mut receiver, &sealed), Ok(plain));
        let after = rtp(SSRC, 0, &vec![5; len]);
        let sealed = protect(&mut sender, &after);
        prop_assert_eq!(open(&mut receiver, &sealed), Ok(after));
    }

    /// Noise on the port.
    #[test]
    fn noise_is_refused(suite in suites(), mut noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let (_, mut receiver) = pair(suite);
        prop_assert!(receiver.unprotect_rtp(&mut noise.clone()).is_err());
        prop_assert!(receiver.unprotect_rtcp(&mut noise).is_err());
    }
}
