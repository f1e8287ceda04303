# Sourced by testbed/sipp/run: configurations that are refused, at the start and by SIGHUP.

# Three mistakes, each with its place and its cure.
break_configuration() { # $1: file
    sed -i 's/^ports = .*/ports = "29999-10000"/; s/^flow = "through"/flow = "trough"/; s/^name = /nome = /' "$1"
}

# $1: what was said about a file that break_configuration has broken, $2: that file.
names_every_problem() {
    local key said
    while read -r key said; do
        grep -qE "^$2:$(grep -n "^$key = " "$2" | cut -d: -f1):[1-9][0-9]*: $said" "$1" || fail "nothing about $key: $(cat "$1")"
    done <<'SAID'
nome node\.nome: there is no such key; did you mean "name"\?
ports media\.ports: "29999-10000" runs backwards; write "10000-29999"
flow number\[1\]\.flow: there is no flow "trough"; did you mean "through"\?
SAID
    same "problems named" "$(grep -c "^$2:[0-9]" "$1")" 3
}

a_broken_configuration_is_refused() {
    local what code
    cp direct.toml broken.toml
    break_configuration broken.toml
    for what in check run; do
        code=0
        "$binaries/fernamt" $what broken.toml >said.txt 2>&1 || code=$?
        same "exit code of fernamt $what" $code 2
        names_every_problem said.txt broken.toml
    done
    ! listens 5060 || fail "something was started all the same"
    [ ! -e data ] || fail "something was written all the same"
}

a_broken_reload_changes_nothing() {
    local before
    before=$(metric fernamt_config_generation)
    cp direct.toml good.toml
    break_configuration direct.toml
    kill -HUP "$router"
    await 10 "a word about the reload" grep -q "not reloaded, the old one stays in force" fernamt.log
    complains() (names_every_problem fernamt.log direct.toml)
    await 10 "the last of three problems" complains
    same "generation of the configuration" "$(metric fernamt_config_generation)" "$before"
    mv good.toml direct.toml
    a_call_goes_through after-broken
}

# New calls find the new flow, and the old one when it is back.
a_good_reload_is_in_force() {
    cp direct.toml good.toml
    sed -i 's/^steps = .*/steps = [{ reject = 603 }]/' direct.toml
    reload
    call "$(expecting caller-refused.xml 603)" rejected
    record_shows rejected '.cause == "rejected"' '.status == 603'
    mv good.toml direct.toml
    reload
    a_call_goes_through after-good
}

reload() {
    local before
    before=$(metric fernamt_config_generation)
    kill -HUP "$router"
    generation_is_new() { [ "$(metric fernamt_config_generation)" != "$before" ]; }
    await 10 "a new generation" generation_is_new
}
