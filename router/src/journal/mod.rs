//! The journal: facts in, records and reports out.

pub mod fact;
