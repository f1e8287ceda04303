# Sourced by the scripts of this folder.

step() { printf '\n== %s  (%s)\n' "$*" "$(date +%T)"; }

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Installs Debian packages that are not there yet.
need_packages() {
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Runs a command with a file system of 8 MB in $FERNAMT_SMALL_DISK, and takes that away again however the command ends.
# Where nobody may mount (a container without the right to) it does not run, and says so.
on_small_disk() (
    FERNAMT_SMALL_DISK=$(mktemp -d)
    export FERNAMT_SMALL_DISK
    trap 'rmdir "$FERNAMT_SMALL_DISK"' EXIT
    if ! as_root mount -t tmpfs -o size=8m,mode=1777 fernamt "$FERNAMT_SMALL_DISK"; then
        printf '\n!!!! SKIPPED, for nobody may mount here: %s\n\n' "$*" >&2
        return 0
    fi
    trap 'as_root umount "$FERNAMT_SMALL_DISK"; rmdir "$FERNAMT_SMALL_DISK"' EXIT
    "$@"
)

# The folder of release binaries.
release_dir() { cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1\/release/'; }

# Waits until a command succeeds. $1: seconds at most, $2: what is then so, the rest: the command.
await() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "$what did not come about"
        read -rt 0.2 <> <(:) || true
    done
}

# Runs the router on a configuration, in this folder, with its log in fernamt.log; $router is its process.
start_router() { # $1: release folder, $2: configuration
    RUST_LOG=${RUST_LOG:-warn} NO_COLOR=1 "$1/fernamt" run "$2" >fernamt.log 2>&1 &
    router=$!
    await 30 "a router that is ready (its log: $(pwd)/fernamt.log)" curl -sf http://127.0.0.1:8060/readyz
}

# Ends it; it has no calls any more.
stop_router() {
    kill -TERM "$router"
    wait "$router" || fail "the router did not end in order: $(tail -5 fernamt.log)"
    router=
}

# The sum of a metric's samples whose name and labels begin like $1.
metric() { curl -sf "${admin:-http://127.0.0.1:8060}/metrics" | awk -v name="$1" 'index($1, name) == 1 { sum += $2 } END { print sum + 0 }'; }

# Gauges that are not zero, those apart that do not count what is under way.
levels() {
    curl -sf "${admin:-http://127.0.0.1:8060}/metrics" | awk '
        $2 == "TYPE" { level = $4 == "gauge" && $3 !~ /_(service_open|uptime_seconds|config_generation|journal_ok|agents|callers_known|trunk_target_up|queue_estimate_seconds|queue_estimate_coverage|presence_ok|presence_age_seconds|presence_agents|certificate_not_after_seconds)$/ }
        level && $1 != "#" && !/state="free"/ && $2 != 0'
}
is_idle() { local left && left=$(levels) && [ -z "$left" ]; }

# What the figures were measured on.
machine() { printf '%s, %s cores (%s), %s' "$(date -u +%F)" "$(nproc)" "$(sed -n 's/^model name.*: //p;T;q' /proc/cpuinfo)" "$(free -h --si | awk '/^Mem/ { print $2 }')"; }
