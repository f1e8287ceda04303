# Sourced by testbed/sipp/run: kill -9, and what the next start finds.

written() { [ "$(metric fernamt_journal_facts_waiting)" = 0 ]; }
arrived() { [ "$(metric fernamt_calls_arrived_total)" -ge "$1" ]; }

kill_router() {
    echo "${EPOCHREALTIME//[.,]/}" >killed_at # microseconds
    kill -KILL "$router"
    await 10 "its death" test ! -e "/proc/$router/exe"
}

# Run by the script itself, because the new router is its process.
start_again() {
    end_processes "$router" # if its check failed
    wait "$router" 2>/dev/null || true
    router=
    start "$config"
}

# One call is over, one stands, and fifty a second come and go.
killed_amid_calls() {
    start_called called.xml
    call caller.xml over -d 1000
    record_shows over '.cause == "caller-hung-up"'
    start_call caller.xml stands -d 30000
    await 10 "a call that stands" talking
    voice=: start_call caller.xml burst -m 500 -r 50 -d 500
    await 10 "a hundred calls" arrived 100
    kill_router
}

# What the journal has last seen is the end of the calls that were cut: at most the batch of 200 ms before the death, and
# what a busy machine takes to write it.
records_survive() {
    local lost cut='.cause == "router-restarted" and .fault == "router"'
    record_shows over '.cause == "caller-hung-up"' "$sound_both_ways"
    record_shows stands "$cut" '.answered_at and .connected_at and .ended_at' 'all(.legs[]; .ended_at)'
    lost=$((($(cat killed_at) - $(date -d "$(record stands | jq -r .ended_at)" +%s%6N)) / 1000))
    [ $lost -le 500 ] || fail "the last $lost ms are lost"
    same "calls with two records" "$(records | jq -r '.legs[0].sip_call_id' | sort | uniq -d | wc -l)" 0
    same "calls without an end" "$(records | jq -c 'select((.ended_at and .cause and all(.legs[]; .ended_at)) | not)')" ""
    nothing_is_left
}

killed_while_a_caller_waits() {
    pause_agents
    start_call caller.xml patient -s +4930999 -d 30000
    await 10 "a caller who waits" waiting
    await 10 "its facts on disk" written
    kill_router
}

the_waiting_caller_has_a_record() {
    record_shows patient '.cause == "router-restarted"' '.fault == "router"' '.queue == "support"' '.agent == null' '.ended_at'
    same "agents who are still at lunch" "$(metric 'fernamt_agents{state="not-ready"}')" 2
}
