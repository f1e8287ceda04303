//! Speed, as ratios measured side by side in one run. `src/bin` has the whole-box benches on real sockets, `benches`
//! the items, `results` figures with the commands that repeat them.

pub mod calls;
pub mod streams;
