//! `[limits]`: how much at once, compared with what the machine and the configuration can give.

use std::time::Duration;

use super::listen::Listen;
use super::media::Media;
use super::problem::Report;
use super::raw::section;
use super::read::bounds;
use super::units::written;

section! {
    /// How much at once.
    LimitsToml "[limits]" {
        /// Calls at once; one more is answered with its trunk's `overload_status`. A call takes four ports of `media.ports` and four open files (an RTP and an RTCP socket for each of two legs). 1 to 1000000. Default: as many as ports and open files allow, in whole hundreds. Needs a restart.
        max_calls,
        /// How long a new call may wait to be looked at. Calls in progress go first; when more come than can be handled, a new one that has waited longer is refused with its trunk's `overload_status` at next to no cost, before its sender repeats it (T1 is 500 ms). `"20ms"` to `"2s"`, default `"100ms"`.
        max_lag,
        /// How long a stop waits for calls in progress to end by themselves. `"0s"` to `"24h"`, default `"10m"`.
        drain_timeout,
    }
}

/// How much at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once; one more is answered with its trunk's `overload_status`.
    pub max_calls: u32,
    /// How long a new call may wait to be looked at. 20 ms to 2 s, default 100 ms.
    pub max_lag: Duration,
    /// How long a stop waits for calls in progress. 0 s to 24 h, default 10 min.
    pub drain_timeout: Duration,
}

/// What the machine allows; `None` where that is not known or of no account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Files this process may have open (the hard limit).
    pub open_files: Option<u64>,
    /// Most bytes the system gives a socket to receive into (`net.core.rmem_max`).
    pub receive_buffer: Option<u64>,
    /// Ports the system itself hands out to outgoing connections (`net.ipv4.ip_local_port_range`).
    pub ephemeral_ports: Option<(u16, u16)>,
}

/// Files a call needs: an RTP and an RTCP socket for each of two legs.
const FILES_PER_CALL: u64 = 4;
/// Ports a call needs: an even and an odd one for each of two legs.
const PORTS_PER_CALL: f64 = 4.0;
/// Files beside calls and TCP connections: journal, log, admin pages, prompts while they are read.
const FILES_FOR_THE_HOUSE: u64 = 100;
/// The mean length of a call for which the quarantine of its ports is reckoned: with `max_calls` calls at once, so
/// many a second end, and each leaves four ports resting.
const MEAN_CALL: Duration = Duration::from_secs(20);

impl Machine {
    /// Reads what Linux says in `/proc`; what cannot be read stays unknown.
    pub fn here() -> Machine {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Machine {
            open_files: open_files(&read("/proc/self/limits")),
            receive_buffer: read("/proc/sys/net/core/rmem_max").trim().parse().ok(),
            ephemeral_ports: port_range(&read("/proc/sys/net/ipv4/ip_local_port_range")),
        }
    }
}

/// The hard limit, the fifth word of `Max open files  1024  20000  files`.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn port_range(text: &str) -> Option<(u16, u16)> {
    let mut words = text.split_whitespace().map(str::parse);
    Some((words.next()?.ok()?, words.next()?.ok()?))
}

impl Limits {
    pub(super) fn resolve(
        raw: &LimitsToml<'_>,
        listen: &Listen,
        media: &Media,
        machine: &Machine,
        report: &mut Report,
    ) -> Limits {
        let room = Room::of(listen, media, machine);
        let item = raw.max_calls.item.as_ref();
        let asked = item.and_then(|item| item.integer(1..=1_000_000, &room.default().to_string(), report));
        let max_calls = asked.map_or(room.default(), |asked| asked as u32);
        let (span, key) = item.map_or((raw.max_calls.section.clone(), raw.max_calls.key.clone()), |item| {
            (item.value.span(), item.key.clone())
        });
        if max_calls > room.by_ports {
            report.error(&span, &key, room.too_few_ports(max_calls, media));
        }
        if let Some(by_files) = room.by_files.filter(|most| max_calls > *most) {
            report.error(&span, &key, room.too_few_files(max_calls, by_files, listen, machine));
        }
        let max_lag = raw.max_lag.duration(bounds("20ms", "2s", "100ms"), report);
        let drain_timeout = raw.drain_timeout.duration(bounds("0s", "24h", "10m"), report);
        Limits { max_calls, max_lag, drain_timeout }
    }
}

/// For how many calls there is room.
struct Room {
    by_ports: u32,
    by_files: Option<u32>,
}

impl Room {
    fn of(listen: &Listen, media: &Media, machine: &Machine) -> Room {
        let ports = f64::from(media.port_pairs() * 2);
        let by_files = machine.open_files.map(|files| {
            let calls = files.saturating_sub(files_beside_calls(listen)) / FILES_PER_CALL;
            u32::try_from(calls).unwrap_or(u32::MAX)
        });
        Room { by_ports: (ports / ports_with_quarantine(media)) as u32, by_files }
    }

    /// What fits, in whole hundreds where that leaves anything.
    fn default(&self) -> u32 {
        let fits = self.by_files.unwrap_or(u32::MAX).min(self.by_ports);
        if fits >= 100 { fits - fits % 100 } else { fits.max(1) }
    }

    fn too_few_ports(&self, calls: u32, media: &Media) -> String {
        let (first, last) = (media.ports.start(), media.ports.end());
        let needed = (f64::from(calls) * ports_with_quarantine(media)).ceil() as u64;
        let have = media.port_pairs() * 2;
        let rest = written(media.quarantine);
        format!(
            "{calls} calls need {needed} ports (4 each, and those that rest {rest} after a call), media.ports \
             {first}-{last} has {have}; write {} or less, or widen media.ports",
            self.by_ports
        )
    }

    fn too_few_files(&self, calls: u32, most: u32, listen: &Listen, machine: &Machine) -> String {
        let needed = u64::from(calls) * FILES_PER_CALL + files_beside_calls(listen);
        let have = machine.open_files.unwrap_or_default();
        format!(
            "{calls} calls need {needed} open files (4 each, {} connections, {FILES_FOR_THE_HOUSE} of our own), the \
             system allows {have}; write {most} or less, or raise the limit (ulimit -Hn, LimitNOFILE)",
            listen.max_connections
        )
    }
}

fn files_beside_calls(listen: &Listen) -> u64 {
    listen.max_connections as u64 + FILES_FOR_THE_HOUSE
}

/// Ports for each call: four, and what of earlier calls still rests when calls last [`MEAN_CALL`].
fn ports_with_quarantine(media: &Media) -> f64 {
    PORTS_PER_CALL * (1.0 + media.quarantine.as_secs_f64() / MEAN_CALL.as_secs_f64())
}

/// Warns of what the machine makes of a configuration that is otherwise right.
pub(super) fn warn_of_machine(
    listen_section: &std::ops::Range<usize>,
    media_section: &std::ops::Range<usize>,
    (listen, media): (&Listen, &Media),
    machine: &Machine,
    report: &mut Report,
) {
    if let Some(most) = machine.receive_buffer.filter(|most| *most < listen.receive_buffer as u64) {
        // The kernel charges some 2,300 bytes for a SIP message of 500 to 1,300.
        let messages = most / 2_300;
        let text = format!(
            "the system gives a socket {most} bytes (about {messages} SIP messages in a burst); raise net.core.rmem_max to {}",
            listen.receive_buffer
        );
        report.warning(listen_section, "listen.receive_buffer", text);
    }
    if let Some((first, last)) = machine.ephemeral_ports
        && media.ports.start() <= &last
        && media.ports.end() >= &first
    {
        let text = format!(
            "the system hands out ports {first}-{last} to others (net.ipv4.ip_local_port_range); keep media.ports below {first}"
        );
        report.warning(media_section, "media.ports", text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hard_limit_of_open_files_is_read_from_proc() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max open files            1024                 20000                files     \n";
        assert_eq!(open_files(text), Some(20_000));
        assert_eq!(open_files("Max open files  unlimited unlimited files"), None);
        assert_eq!(port_range("32768\t60999\n"), Some((32_768, 60_999)));
        assert_eq!(port_range(""), None);
    }
}
