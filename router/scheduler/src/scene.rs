//! How the models are explored. Only there with `--cfg fernamt_loom`.
//!
//! The checker remembers only the last access to a word. So it does not see that one thread's read and another
//! thread's later write could have come the other way round if the writer has read the same word in between, as all
//! of ours do. Each scene is therefore explored with its threads started in both orders, and with reads as reads
//! (which may be stale: weak memory) and as writes of nothing (which the checker never forgets: all orders).

use std::cell::Cell;

use loom::sync::Arc;
use loom::thread;

thread_local! {
    static READS_WRITE: Cell<bool> = const { Cell::new(false) };
}

/// Whether loads are to write what they read.
pub(crate) fn reads_write() -> bool {
    READS_WRITE.get()
}

/// Which of a scene's threads starts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// In the order they are written.
    Forward,
    /// The last one first.
    Backward,
}

/// Explores `scene` in all four ways, with at most `switches` forced thread switches per run.
pub fn explore(switches: usize, scene: impl Fn(Start) + Copy + Sync + Send + 'static) {
    for reads_write in [false, true] {
        for start in [Start::Forward, Start::Backward] {
            let mut builder = loom::model::Builder::new();
            builder.preemption_bound = Some(switches);
            builder.max_branches = 10_000;
            READS_WRITE.set(reads_write);
            builder.check(move || scene(start));
        }
    }
    READS_WRITE.set(false);
}

impl Start {
    /// Runs both at once and waits for both.
    pub fn both<S: 'static, A: 'static, B: 'static>(
        self,
        shared: &Arc<S>,
        a: impl FnOnce(&S) -> A + 'static,
        b: impl FnOnce(&S) -> B + 'static,
    ) -> (A, B) {
        match self {
            Start::Forward => {
                let b = beside(shared, b);
                (a(shared), b.join().unwrap())
            }
            Start::Backward => {
                let a = beside(shared, a);
                let b = b(shared);
                (a.join().unwrap(), b)
            }
        }
    }

    /// Runs all three at once and waits for all.
    pub fn three<S: 'static, A: 'static, B: 'static, C: 'static>(
        self,
        shared: &Arc<S>,
        a: impl FnOnce(&S) -> A + 'static,
        b: impl FnOnce(&S) -> B + 'static,
        c: impl FnOnce(&S) -> C + 'static,
    ) -> (A, B, C) {
        let b = beside(shared, b);
        let (a, c) = self.both(shared, a, c);
        (a, b.join().unwrap(), c)
    }
}

fn beside<S: 'static, T: 'static>(
    shared: &Arc<S>,
    act: impl FnOnce(&S) -> T + 'static,
) -> thread::JoinHandle<T> {
    let shared = shared.clone();
    thread::spawn(move || act(&shared))
}
