//! What the system knows about the process under load, and how fast the machine is at the moment.

use std::{
    fs, io,
    net::UdpSocket,
    time::{Duration, Instant},
};

/// A process, seen through `/proc`.
#[derive(Debug, Clone, Copy)]
pub struct Process(pub u32);

/// Linux counts CPU time for user space in hundredths of a second.
const TICKS: f64 = 100.0;

impl Process {
    /// CPU seconds of all its threads, user and system.
    ///
    /// # Errors
    /// If it is not there.
    pub fn cpu_seconds(self) -> io::Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        let ticks: f64 =
            after_name.split(' ').skip(11).take(2).filter_map(|word| word.parse::<f64>().ok()).sum();
        Ok(ticks / TICKS)
    }

    /// Resident memory in kB.
    ///
    /// # Errors
    /// If it is not there.
    pub fn resident_kb(self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        Ok(number_after(&status, "VmRSS:"))
    }
}

/// Kernel memory of all UDP sockets of the machine in kB.
pub(super) fn udp_kernel_kb() -> u64 {
    let text = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("UDP:")).unwrap_or_default();
    number_after(line, "mem") * 4
}

/// Datagrams that the kernel dropped because a socket was full, on the whole machine since it started.
pub fn udp_drops() -> u64 {
    let text = fs::read_to_string("/proc/net/snmp").unwrap_or_default();
    let mut lines = text.lines().filter(|line| line.starts_with("Udp:"));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let at = names.split(' ').position(|name| name == "RcvbufErrors").unwrap_or(usize::MAX);
    values.split(' ').nth(at).and_then(|value| value.parse().ok()).unwrap_or(0)
}

fn number_after(text: &str, name: &str) -> u64 {
    let rest = text.split(name).nth(1).unwrap_or_default();
    rest.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// How fast the machine is now: seconds for a fixed piece of arithmetic, and nanoseconds for a datagram to ourselves.
/// Figures of two runs may be compared only if these agree.
///
/// # Errors
/// If there is no socket to be had.
pub(super) fn calibrate() -> io::Result<(f64, u64)> {
    let start = Instant::now();
    let mut x = 1_u64;
    for i in 0..100_000_000_u64 {
        x = std::hint::black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(i));
    }
    let user = start.elapsed().as_secs_f64();
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(socket.local_addr()?)?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    let (start, rounds, mut packet) = (Instant::now(), 50_000, [0; 172]);
    for _ in 0..rounds {
        socket.send(&packet)?;
        socket.recv(&mut packet)?;
    }
    Ok((user, start.elapsed().as_nanos() as u64 / rounds))
}
