//! What the process grows by when legs are opened and used.

use std::{fs, io, time::Duration};

use super::{Mode, Relay, ours::Ours, traffic::Traffic};

/// Packets through each leg before it is measured.
const PACKETS: u64 = 20;

/// Bytes of resident memory for each of the legs of `calls` calls. Only once in a process: what was used before and given
/// back is used again.
///
/// # Errors
/// If sockets or threads are not to be had.
pub fn grow(mode: Mode, calls: usize) -> io::Result<u64> {
    let mut traffic = Traffic::new(calls, mode.suites())?;
    let peers = traffic.peers();
    let mut ours = Ours::without_legs(1)?;
    let before = resident()?;
    ours.bridge_all(&peers, mode.suites())?;
    traffic.goes_by(&ours.legs());
    let rate = 50_000;
    traffic.run(rate, Duration::from_secs(2 * calls as u64 * PACKETS / rate), &ours);
    Ok(resident()?.saturating_sub(before) / (2 * calls as u64))
}

fn resident() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kb =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    kb.map(|kb: u64| kb * 1_024).ok_or_else(|| io::Error::other("status without VmRSS"))
}
