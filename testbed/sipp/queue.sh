# Sourced by testbed/sipp/run: calls through queue.toml: menu, queue, agents.

menu_by_key() {
    start_called called.xml -m 1 -d 1000
    keys='--press 1 --after menu'
    call caller.xml menu -s +493012345 -d 6000
    called_is_content
    heard caller '.heard | keys_unsorted - ["other"] == ["welcome", "menu", "music", "called"]' \
        '.heard | .welcome > 50 and .menu >= 25 and .menu < 60 and .music > 30 and .called > 50'
    heard called '.heard.caller > 50' '.heard | keys == ["caller"]'
    record_shows menu '.number == "+493012345"' '.keys == "1"' '.queue == "support"' '.agent == "anna" or .agent == "bo"' \
        '.agent == .legs[1].agent' '.wait_ms + .ring_ms >= 1000' '.talk_ms >= 1000' '.cause == "caller-hung-up"' "$sound_both_ways"
}

# A prefix goes straight into the queue, past welcome and menu; the first agent is busy, the second answers.
a_busy_agent_then_the_next() {
    start_called called-busy-once.xml -m 2
    call caller.xml next -s +4930999123 -d 2000
    called_is_content
    heard caller '.heard.called > 40' '.heard | (.welcome or .menu) | not'
    record_shows next '.number == "+4930999*"' '.keys == ""' '.unanswered == 1' '(.legs | length) == 3' \
        '.legs[1].status == 486' '.legs[2].status == 200' '[.legs[1,2].agent] | sort == ["anna", "bo"]' \
        '.agent == .legs[2].agent' '.talk_ms > 1000' '.cause == "caller-hung-up"'
}

pause_agents() { for agent in anna bo; do "$binaries/fernamt" agent $agent pause "$config" --reason lunch; done; }
call_agents_back() { for agent in anna bo; do "$binaries/fernamt" agent $agent ready "$config"; done; }

# The first agent's telephone sends no sound: after three seconds the caller gets the next, and hears music till then.
a_silent_agent_then_the_next() {
    call_agents_back
    start_called called-silent-once.xml -m 2
    call caller.xml silent -s +4930999124 -d 6000
    called_is_content
    heard caller '.heard.called > 40' '.heard | keys_unsorted - ["other", "music"] == ["called"]'
    record_shows silent '.unanswered == 1' '(.legs | length) == 3' '[.legs[1,2].status] == [200, 200]' \
        '.legs[1].media.packets_in == 0' '.legs[2].media.packets_in > 40' '[.legs[1,2].agent] | sort == ["anna", "bo"]' \
        '.agent == .legs[2].agent' '.talk_ms > 5000' '.cause == "caller-hung-up"'
    call_agents_back
}

a_waiting_caller_gives_up() {
    pause_agents
    start_call caller.xml waits -s +4930999 -d 2000
    await 10 "a caller who waits" waiting
    call_is_content waits
    heard caller '.heard.music > 50' '.heard | keys_unsorted - ["other"] == ["music"]'
    record_shows waits '.cause == "abandoned"' '.queue == "support"' '.agent == null' '.wait_ms >= 1500' \
        '(.legs | length) == 1' '.talk_ms == 0'
    ! waiting || fail "the queue still has a caller"
    call_agents_back
}

the_queue_adds_up() { # $1: answered, $2: abandoned, $3: ended otherwise
    local left='fernamt_queue_left_total{queue="support",how='
    same "callers entered" "$(metric fernamt_queue_entered_total)" $(($1 + $2 + $3))
    same "answered" "$(metric "$left\"answered\"}")" "$1"
    same "abandoned" "$(metric "$left\"abandoned\"}")" "$2"
    same "ended otherwise" "$(metric "$left\"ended\"}")" "$3"
}
