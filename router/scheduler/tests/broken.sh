#!/usr/bin/env bash
# Takes the rules of src/matcher.rs away, one at a time, and expects the model named beside each to fail.
# First all models must pass with every rule in place. Options are passed to cargo (for instance --offline).
set -euo pipefail
cd "$(dirname "$0")/../../.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/loom"
mkdir -p "$CARGO_TARGET_DIR"
unset RUSTFLAGS
# The models run in no time once built; whole-program optimisation would cost more than it saves.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16

models() { # the arguments of the test binaries
    RUSTFLAGS="--cfg fernamt_loom" RUST_BACKTRACE=0 \
        cargo test -q -p scheduler --release --lib --test loom "${options[@]}" -- "$@"
}

options=("$@")
models || { echo "the models fail with all rules in place"; exit 1; }

broken() { # $1: rule, $2: the model that must notice
    # A wrapper, not a flag: only this crate is compiled anew, and a wrapper of another name is another build.
    local output wrapper="$CARGO_TARGET_DIR/break_rule_$1"
    printf '#!/bin/sh\nexec "$@" --cfg break_rule_%s\n' "$1" >"$wrapper"
    chmod +x "$wrapper"
    if output=$(RUSTC_WORKSPACE_WRAPPER="$wrapper" models --exact "$2" 2>&1); then
        echo "rule $1 is broken and $2 did not notice"
        exit 1
    fi
    if ! grep -q "^test result: FAILED" <<<"$output"; then
        echo "$output"
        echo "rule $1: the model did not run"
        exit 1
    fi
    echo "rule $1 broken: $2 fails, as it should"
}

broken 1 models::a_claim_undone_by_another_is_not_undone_twice
broken 2 a_caller_and_an_agent_who_post_at_once_meet
broken 3 models::when_the_head_gives_up_in_mid_match_the_next_caller_is_taken
broken 4 models::a_caller_who_returns_with_his_old_key_is_not_cleared_away
broken 5 board::models::a_key_put_in_while_a_minimum_is_raised_is_found
broken 6 models::a_letter_read_early_keeps_its_agent
broken 7 board::models::a_key_put_in_under_a_stale_minimum_is_found
