//! What a scheduler takes: nothing on post, match and withdraw, and so much for each who waits or serves.
#![cfg(not(any(fernamt_loom, fernamt_shuttle)))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use scheduler::{Agent, Caller, Capacity, Line, Scheduler, Withdrawn};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, which counts for each thread what it hands out.
struct Counting;

#[allow(unsafe_code, reason = "an allocator can be had no other way")]
// SAFETY: both methods hand over to the system's allocator what they were given.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        BYTES.set(BYTES.get() + layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: `ptr` came from `alloc` above, which had it from the system.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Allocations and bytes that `work` asks for.
fn counted<T>(work: impl FnOnce() -> T) -> (T, usize, usize) {
    let before = (ALLOCATIONS.get(), BYTES.get());
    let done = work();
    (done, ALLOCATIONS.get() - before.0, BYTES.get() - before.1)
}

#[test]
fn posting_matching_and_withdrawing_need_no_memory() {
    let scheduler = Scheduler::new(Capacity { callers: 100, agents: 4, lines: 3, memberships: 3 });
    (0..3).for_each(|line| scheduler.reserve(Line(line), 100));
    for agent in 0..4 {
        assert!(scheduler.set_memberships(Agent(agent), &[0, 1, 2].map(Line), |_| 0).is_empty());
    }
    let ((), allocations, _) = counted(|| {
        for key in 0..1_000_u64 {
            let (caller, line) = (Caller(key as u32 % 100), Line(key as u32 % 3));
            let agent = Agent(key as u32 % 4);
            assert!(scheduler.post(caller, line, key).is_empty());
            match key % 3 {
                0 => assert_eq!(scheduler.withdraw(caller), Withdrawn::Gone),
                _ => {
                    assert_eq!(scheduler.ready(agent, |_| key).len(), 1);
                    assert_eq!(scheduler.take_letter(caller), Some(agent));
                    scheduler.release(agent);
                }
            }
        }
    });
    assert_eq!(allocations, 0);
}

#[test]
fn who_waits_and_who_serves_takes_less_than_256_bytes() {
    const CALLERS: u32 = 100_000;
    const AGENTS: u32 = 2_000;
    const SERVES: u32 = 5;
    let size = Capacity { callers: CALLERS, agents: AGENTS, lines: 100, memberships: SERVES };
    let (scheduler, _, empty) = counted(|| Scheduler::new(Capacity { callers: 0, agents: 0, ..size }));
    drop(scheduler);
    let (scheduler, _, slots) = counted(|| Scheduler::new(size));
    let ((), _, waiting) = counted(|| {
        (0..CALLERS).for_each(|caller| {
            assert!(scheduler.post(Caller(caller), Line(caller % 100), caller.into()).is_empty());
        });
    });
    let tickets = CALLERS as usize * 64;
    let each = (tickets + waiting) / CALLERS as usize;
    assert!(each <= 256, "{each} bytes for a waiting caller");
    let ((), _, serving) = counted(|| {
        for agent in 0..AGENTS {
            let lines: Vec<Line> = (0..SERVES).map(|n| Line((agent + n * 20) % 100)).collect();
            assert!(scheduler.set_memberships(Agent(agent), &lines, |_| 0).is_empty());
        }
    });
    let each = (slots - empty - tickets + serving) / (AGENTS * SERVES) as usize;
    assert!(each <= 256, "{each} bytes for a membership");
}
