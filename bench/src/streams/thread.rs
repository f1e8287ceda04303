//! A thread, as the system sees it.

use std::{
    fs, io,
    time::{Duration, Instant},
};

/// How long a thread may take to begin.
const PATIENCE: Duration = Duration::from_secs(5);

/// By its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thread(i32);

impl Thread {
    pub(super) fn current() -> io::Result<Thread> {
        // SAFETY: no pointers are passed.
        Ok(Thread(unsafe { libc::gettid() }))
    }

    /// The thread of this process that has this name, which it gives itself when it begins to run.
    pub(super) fn named(name: &str) -> io::Result<Thread> {
        let start = Instant::now();
        loop {
            match Thread::find(name)? {
                Some(thread) => return Ok(thread),
                None if start.elapsed() < PATIENCE => std::thread::yield_now(),
                None => return Err(io::Error::new(io::ErrorKind::NotFound, format!("no thread {name}"))),
            }
        }
    }

    fn find(name: &str) -> io::Result<Option<Thread>> {
        let of_that_name = |thread: &Thread| {
            fs::read_to_string(format!("/proc/{}/comm", thread.0)).is_ok_and(|comm| comm.trim_end() == name)
        };
        Ok(Thread::all_of(std::process::id())?.into_iter().find(of_that_name))
    }

    /// All threads of a process.
    pub(super) fn all_of(process: u32) -> io::Result<Vec<Thread>> {
        let entries = fs::read_dir(format!("/proc/{process}/task"))?;
        Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).map(Thread).collect())
    }

    /// From now on it runs on this core alone.
    pub(super) fn pin(self, core: usize) -> io::Result<()> {
        // SAFETY: a set of zeroes is a valid empty set.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: the set lives through both calls, and a core that does not exist is refused by the second.
        let done = unsafe {
            libc::CPU_SET(core.min(libc::CPU_SETSIZE as usize - 1), &mut set);
            libc::sched_setaffinity(self.0, size_of::<libc::cpu_set_t>(), &set)
        };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// From now on it runs before whatever has no such priority; false if we may not give it.
    pub(super) fn goes_first(self) -> bool {
        let lowest = libc::sched_param { sched_priority: 1 };
        // SAFETY: the parameter lives through the call, which only reads it.
        unsafe { libc::sched_setscheduler(self.0, libc::SCHED_RR, &lowest) == 0 }
    }

    /// Time that it has had a core, to the nanosecond (`schedstat`).
    pub(super) fn cpu(self) -> io::Result<Duration> {
        let text = fs::read_to_string(format!("/proc/{}/schedstat", self.0))?;
        let nanos = text.split(' ').next().and_then(|word| word.parse().ok());
        nanos.map(Duration::from_nanos).ok_or_else(|| io::Error::other("schedstat without a number"))
    }
}
