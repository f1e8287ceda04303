//! The program `fernamt`.
#![forbid(unsafe_code)]

fn main() {}
