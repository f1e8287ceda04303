//! The bytes of one input, read one after the other as decisions.

/// What is left of them. When none is left every decision is the first one.
#[derive(Clone, Copy)]
pub(super) struct Tape<'a>(pub(super) &'a [u8]);

impl<'a> Tape<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// One of so many, at least one.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Up to 64 bytes as they are.
    pub(super) fn bytes(&mut self) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(self.below(64).min(self.0.len()));
        self.0 = rest;
        taken
    }
}
