//! The atomics: the standard library's, the model checker's when `--cfg fernamt_loom` is given, or those of random
//! schedules with `--cfg fernamt_shuttle`.

#[cfg(fernamt_shuttle)]
pub(crate) use shuttle::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(any(fernamt_loom, fernamt_shuttle)))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

#[cfg(fernamt_loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, Ordering, fence};
#[cfg(fernamt_loom)]
pub(crate) use modelled::AtomicU64;

/// The fence between a leaf and the minima above it (rule 5). Who puts a key in fences and then looks at the nodes
/// above; who computes a node stamps it, fences and then looks at what is below. Whoever fences second sees what the
/// other has written: the stamp, and takes it away, or the key.
pub(crate) fn fence_before_minima() {
    if !cfg!(break_rule_7) {
        fence(Ordering::SeqCst);
    }
}

/// Something moved under an operation, and it looks or tries again. Counted with the feature `retries`.
pub(crate) fn retried() {
    #[cfg(feature = "retries")]
    crate::retries::count();
}

/// The fence of "post, fence, look" (rule 2). Each side first makes itself visible, then fences, then reads the
/// other side's board. Fences have one order: whoever fences second sees what the first has posted. Without it
/// both reads may overtake both writes, both see nothing, and a caller and an agent stand side by side.
pub(crate) fn fence_before_look() {
    if !cfg!(break_rule_2) {
        fence(Ordering::SeqCst);
    }
}

#[cfg(fernamt_loom)]
mod modelled {
    use std::ops::Deref;

    use super::Ordering;

    /// The model checker's, except that a load may be made a write: see `scene.rs`.
    pub(crate) struct AtomicU64(loom::sync::atomic::AtomicU64);

    impl AtomicU64 {
        pub(crate) fn new(value: u64) -> AtomicU64 {
            AtomicU64(loom::sync::atomic::AtomicU64::new(value))
        }

        pub(crate) fn load(&self, order: Ordering) -> u64 {
            if crate::scene::reads_write() { self.0.fetch_or(0, order) } else { self.0.load(order) }
        }

        /// A swap when loads are writes: the checker lets a plain store and a read-and-write that race come in an
        /// order that no machine has.
        pub(crate) fn store(&self, value: u64, order: Ordering) {
            if crate::scene::reads_write() {
                self.0.swap(value, order);
            } else {
                self.0.store(value, order);
            }
        }
    }

    impl Deref for AtomicU64 {
        type Target = loom::sync::atomic::AtomicU64;

        fn deref(&self) -> &Self::Target {
            &self.0
        }
    }
}
