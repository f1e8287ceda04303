# Sourced by testbed/sipp/run: calls through direct.toml, one to one.

sound_both_ways='(.legs | length) == 2 and all(.legs[]; .media.codec == "PCMA" and .media.packets_in > 25 and .media.packets_out > 25)'

# Each end hears the other end's voice and nothing else.
both_heard_each_other() { # $1: packets at least
    heard caller ".heard.called >= $1" '.heard | keys == ["called"]'
    heard called ".heard.caller >= $1" '.heard | keys == ["caller"]'
}

a_call_goes_through() { # $1: name
    start_called called.xml -m 1
    call caller.xml "$1" -d 2000
    called_is_content
    both_heard_each_other 60
    record_shows "$1" "$sound_both_ways" 'all(.legs[]; .media.packets_in > 60 and .media.lost == 0)' \
        '.cause == "caller-hung-up"' '.fault == "none"' '.sound_ms != null' '.talk_ms >= 1900 and .talk_ms < 4000'
}

busy_comes_through() {
    start_called called-busy.xml -m 1
    call "$(expecting caller-refused.xml 486)" busy
    called_is_content
    record_shows busy '.cause == "busy"' '.status == 486' '.answered_at == null' '.legs[1].status == 486 and .legs[1].remote'
}

a_caller_gives_up_while_it_rings() {
    start_called called-rings.xml -m 1
    call caller-gives-up.xml gives-up
    called_is_content
    record_shows gives-up '.cause == "abandoned"' '.status == 487' '.answered_at == null' '.legs[1].ringing_at != null'
}

a_call_by_tcp() {
    start_called called.xml -m 1
    call caller.xml tcp -t t1 -d 1000
    called_is_content
    both_heard_each_other 25
    record_shows tcp "$sound_both_ways" '.cause == "caller-hung-up"'
}

a_late_offer() {
    start_called called.xml -m 1
    call caller-late-offer.xml late -d 1000
    called_is_content
    both_heard_each_other 25
    record_shows late "$sound_both_ways" '.cause == "caller-hung-up"'
}

# The caller says sendonly for 0.7 s: nothing comes to it in that time, and the other end hears it before and after.
hold_and_resume() {
    start_called called.xml -m 1
    call caller-holds.xml holds
    called_is_content
    both_heard_each_other 25
    heard caller '.gap_ms >= 600 and .gap_ms < 1200'
    record_shows holds "$sound_both_ways" '.hold_ms >= 600 and .hold_ms < .talk_ms' '.cause == "caller-hung-up"'
}

# Any bytes at the SIP port and at the media ports of a call that stands.
nonsense_does_no_harm() {
    start_called called.xml -m 2
    start_call caller.xml nonsense -d 4000
    await 10 "a call that stands" talking
    $python nonsense.py
    talking || fail "the call did not go on"
    call_is_content nonsense
    both_heard_each_other 150
    record_shows nonsense "$sound_both_ways" 'all(.legs[]; .media.rejected > 0)' '.cause == "caller-hung-up"'
    call caller.xml afterwards -d 1000
    called_is_content
    both_heard_each_other 25
    record_shows afterwards '.cause == "caller-hung-up"'
}

a_hundred_calls() {
    voice=:
    start_called called.xml -m 100
    call caller.xml load -m 100 -r 25 -d 500
    called_is_content
    hundred_records() { [ "$(record load | wc -l)" = 100 ]; }
    await 10 "a hundred records" hundred_records
    same "calls that ended in order" "$(record load | jq -c 'select(.cause == "caller-hung-up" and .connected_at)' | wc -l)" 100
}

# Each admitted INVITE has one record, and every INVITE read is accounted for.
the_books_balance() {
    same "records" "$(records | wc -l)" "$(metric 'fernamt_sip_invites_total{outcome="admitted"}')"
    same "fates of INVITEs" "$(metric 'fernamt_sip_invites_total{')" "$(metric fernamt_sip_invites_read_total)"
}
