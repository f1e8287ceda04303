#!/usr/bin/env bash
# A hundred thousand random schedules of tests/shuttle.rs. Options are passed to cargo (for instance --locked).
set -euo pipefail
cd "$(dirname "$0")/../../.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/shuttle"
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
# It warns that weaker orderings count as sequentially consistent; those are loom's to check.
export SHUTTLE_SILENCE_WARNINGS=1
RUSTFLAGS="--cfg fernamt_shuttle" cargo test -q -p scheduler --release --test shuttle "$@"
