//! The atomics: the standard library's, or the model checker's when `--cfg fernamt_loom` is given.

#[cfg(not(fernamt_loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

#[cfg(fernamt_loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// The fence of "post, fence, look" (rule 2). Each side first makes itself visible, then fences, then reads the
/// other side's board. Fences have one order: whoever fences second sees what the first has posted. Without it
/// both reads may overtake both writes, both see nothing, and a caller and an agent stand side by side.
pub(crate) fn fence_before_look() {
    if !cfg!(break_rule_2) {
        fence(Ordering::SeqCst);
    }
}
