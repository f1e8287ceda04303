# Sourced by testbed/sipp/run: checks, telephones by SIPp, records.
#
# Everything that is started runs in the background and is waited for, so that a signal to the script is acted upon at
# once; each process ends by its number, never by its name.

admin=http://127.0.0.1:8060
called_port=5090 # where the contract configurations have their trunk
callers=0
failures=0
checking=
voice= # instead of voice.py; ":" for calls that have no voice
keys=  # options of the caller's voice.py

# Runs a check with processes of its own, which end with it. $1: its sentence, the rest: a command.
check() {
    local sentence=$1 since=$SECONDS code=0
    shift
    (
        trap 'end_processes $(jobs -p)' EXIT
        trap 'exit 143' TERM
        set -e
        "$@"
    ) >check.log 2>&1 &
    checking=$!
    wait "$checking" 2>/dev/null || code=$? # bash would tell of each process that was killed
    checking=
    if [ $code = 0 ]; then
        printf 'ok      %s (%d s)\n' "$sentence" $((SECONDS - since))
    else
        printf 'FAILED  %s (%d s)\n' "$sentence" $((SECONDS - since))
        head -40 check.log | cut -c-2000 | sed 's/^/        /'
        failures=$((failures + 1))
    fi
}

end_processes() { [ $# = 0 ] || kill -KILL "$@" 2>/dev/null || true; }

# Somebody has the UDP port at 127.0.0.1 or at every address; /proc is there without any package.
listens() { grep -qE "^ *[0-9]+: (0100007F|00000000):$(printf '%04X' "$1") " /proc/net/udp; }

# Starts the router on a configuration; it must be the only one, or the wrong program would be tested.
start() { # $1: configuration
    config=$1
    ! listens 5060 || fail "somebody else has UDP port 5060; end that program first"
    start_router "$binaries" "$config"
}

nothing_is_left() { await 60 "zero in every gauge" is_idle || { levels; return 1; }; }

talking() { [ "$(metric 'fernamt_calls{stage="talking"}')" = 1 ]; }
waiting() { [ "$(metric 'fernamt_queue_waiting')" = 1 ]; }

same() { # $1: what, $2: measured, $3: what it must be
    [ "$2" = "$3" ] || fail "$1: $2, not $3"
}

records() { "$binaries/fernamt" calls "$config" --last 1000000 --json; }

# The records of calls whose SIP Call-ID begins with $1 and a dash; fails if there is none (jq of nothing does not).
record() { records | jq -c --arg id "$1-" 'select(.legs[0].sip_call_id | startswith($id))' | grep .; }

# A call has one record that meets the rest of the arguments: jq conditions, each said when it does not hold.
record_shows() {
    local name=$1 line
    shift
    await 10 "the record of $name" record "$name"
    line=$(record "$name")
    same "records of $name" "$(wc -l <<<"$line")" 1
    holds "the record of $name" "$line" "$@"
}

# What a telephone heard (voice.py) meets the rest of the arguments: jq conditions. $1: caller or called.
heard() {
    local who=$1
    shift
    await 10 "the end of what the $who heard" test -e "$who.heard"
    holds "what the $who heard" "$(cat "$who.heard")" "$@"
}

holds() { # $1: what it is, $2: JSON, the rest: conditions
    local what=$1 json=$2 condition
    shift 2
    [ -n "$json" ] || fail "$what is empty"
    for condition in "$@"; do
        jq -e "$condition" <<<"$json" >/dev/null || fail "$what does not show $condition: $json"
    done
}

# A scenario in which every EXPECTED is a status. $1: scenario, $2: status; prints the new file's name.
expecting() {
    sed "s/EXPECTED/$2/" "$1" >"$2-$1"
    echo "$2-$1"
}

# SIPp in place of this shell, so that its number is the job's; its ports are beyond the router's. $1: whose voice, $2: SIP port, $3: first of its media ports, the rest: options.
sipp_as() {
    local who=$1 port=$2 media=$3
    shift 3
    exec sipp -i 127.0.0.1 -p "$port" -mi 127.0.0.1 -mp $((media + 2)) -key voice_port "$media" \
        -key voice "${voice:-$python voice.py $keys $who $who.heard}" \
        -nostdin -trace_err -timeout_error -timeout 60 "$@"
}

# The called side at the trunk's address, in the background; sets called. $1: scenario, the rest: options.
start_called() {
    local scenario=$1
    shift
    await_free $called_port 31000
    rm -f called.heard
    keys='' sipp_as called $called_port 31000 -sf "$scenario" -error_file called.err "$@" >called.out 2>&1 &
    called=$!
    await 10 "the called side" listens $called_port
}

# The ports of an earlier call: its voices listen on for 1.5 s.
await_free() {
    local port
    for port in "$@"; do
        is_free() { ! listens "$port"; }
        await 10 "a free UDP port $port" is_free
    done
}

# It took its calls (-m) and saw each end as its scenario says.
called_is_content() {
    wait "$called" || fail "the called side saw something else: $(cat called.err 2>/dev/null; tail -3 called.out)"
}

# A caller; fails if any call went otherwise. $1: scenario, $2: name that begins its Call-IDs, the rest: options.
call() {
    start_call "$@"
    call_is_content "$2"
}

# In the background; sets caller.
start_call() {
    local scenario=$1 name=$2
    shift 2
    callers=$((callers + 1)) # each has ports of its own
    await_free $((5100 + callers)) $((31000 + 10 * callers))
    rm -f caller.heard
    sipp_as caller $((5100 + callers)) $((31000 + 10 * callers)) -sf "$scenario" -s +49301234 -cid_str "$name-%u-%p@%s" \
        -error_file "$name.err" -m 1 "$@" 127.0.0.1:5060 >"$name.out" 2>&1 &
    caller=$!
}

call_is_content() { # $1: name
    wait "$caller" || fail "the caller saw something else: $(cat "$1.err" 2>/dev/null; tail -3 "$1.out"
        await 2 "its record" record "$1" && record "$1"; echo "The called side:"; cat called.err; tail -3 called.out)"
}

