# Sourced by testbed/sipp/run: SIGTERM while a call stands.

options_are_answered() { call options.xml options; }

# 503 from here on; the call goes on until its own BYE.
a_router_drains() {
    start_called called.xml -m 1
    start_call caller.xml held -d 4000
    local held=$caller
    await 10 "a call that stands" talking
    kill -TERM "$router"
    await 3 "503 from /readyz" is_closed
    sed '/<action>/,/<\/action>/d; /Reference/d; s/"200"/"503"/' options.xml >options-503.xml
    voice=: call options-503.xml options-503
    voice=: call "$(expecting caller-refused.xml 503)" refused
    talking || fail "the call did not go on"
    caller=$held
    call_is_content held
    called_is_content
    both_heard_each_other 150
    record_shows held "$sound_both_ways" '.cause == "caller-hung-up"' '.talk_ms >= 3900'
}

is_closed() { [ "$(curl -s -o /dev/null -w '%{http_code}' "$admin/readyz")" = 503 ]; }

# The router is the script's own process, so its exit code is seen there and not in a check.
ends_with_zero() {
    local code=0
    check "... and the router ends by itself" await 60 "its end" test ! -e "/proc/$router/exe"
    wait "$router" || code=$?
    router=
    check "... with exit code 0" test $code = 0
}
