//! Twenty callers against a running router; `testbed/demo` starts both.

use std::process::ExitCode;

use clap::Parser;
use testbed::demo::{Arguments, run};

fn main() -> ExitCode {
    run(&Arguments::parse())
}
