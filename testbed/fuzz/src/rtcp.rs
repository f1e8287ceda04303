//! Reports: any bytes are read or refused, and what was read says the same when it is written again.

use media::rtp::{rtcp, xr};

/// The first four bytes are our SSRC, the others a datagram.
pub fn run(data: &[u8]) {
    let Some((ours, datagram)) = data.split_first_chunk() else { return };
    let ours = u32::from_be_bytes(*ours);
    let Ok(read) = rtcp::read(datagram, ours) else { return };
    assert!(read.about_us.is_none_or(|block| block.ssrc == ours));
    let mut again = Vec::new();
    rtcp::write(&mut again, read.ssrc, 7, read.sender, read.about_us, false);
    xr::write(&mut again, read.ssrc, ours, &read.extended);
    if read.goodbye {
        rtcp::write_goodbye(&mut again, read.ssrc);
    }
    assert!(again.len() <= rtcp::LARGEST + xr::LARGEST);
    assert_eq!(rtcp::read(&again, ours).as_ref(), Ok(&read));
    if let Some(block) = read.about_us {
        let trip = block.round_trip(u64::from(block.highest) << 16);
        assert!(trip.is_none_or(|trip| trip.as_secs() < 256));
    }
}
