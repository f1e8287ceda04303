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
        for entry in fs::read_dir("/proc/self/task")? {
            let path = entry?.path();
            if fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim_end() == name) {
                return Ok(path.file_name().and_then(|name| name.to_str()?.parse().ok()).map(Thread));
            }
        }
        Ok(None)
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

    /// Time that it has had a core, to the nanosecond (`schedstat`).
    pub(super) fn cpu(self) -> io::Result<Duration> {
        let text = fs::read_to_string(format!("/proc/self/task/{}/schedstat", self.0))?;
        let nanos = text.split(' ').next().and_then(|word| word.parse().ok());
        nanos.map(Duration::from_nanos).ok_or_else(|| io::Error::other("schedstat without a number"))
    }
}
