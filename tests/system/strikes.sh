# shellcheck shell=bash
# Striking at the system calls of a command, one run after the other: for scripts of the system ring
# that have sourced lib.sh. Such a script says what has to hold after each strike in
#
#     after_strike WHAT ACTION      complains (complain WHAT TEXT) about what does not
#     before_strike                 if there is something to make ready
#
# The short ring takes samples, the same ones each time, so that what it finds is what a change has done; from
# OFFSET on if that is set. COFFERDAM_LONG=1 takes every step as far as COFFERDAM_SWEEP_SECONDS (150) for a
# sweep allow, else every n-th from one by chance on, so that some nights take all; with COFFERDAM_STRIDE=n every
# n-th, however long it lasts.

KILL_AT=$BUILD_DIR/tests/tools/kill-at

complain() {
    echo "$ACTION at $1: $2"
    COMPLAINTS=$((COMPLAINTS + 1))
}

# step ROLE N ACTION COMMAND…: one strike and its checks. Status 3: there is no such step.
step() {
    local what status=0
    what=$("$KILL_AT" "$1" "$2" "$3" "$COFFERDAM" "${@:4}" <"${STRIKE_INPUT:-/dev/null}" 2>said) || status=$?
    what=${what##*$'\n'}
    [ $status != 3 ] || return 3
    # the dynamic loader dies of what it cannot map, before anything of ours has begun
    case $what in 'cli call '[1-9]' '*'by signal 11'* | 'cli call '[123][0-9]' '*'by signal 11'*) return 0 ;; esac
    STEPS=$((STEPS + 1))
    [ $status = 0 ] || complain "$what" "kill-at: $status"
    case $what in
    *': status 0' | *': status 125' | *': status 12'[67] | *': status 137' | *': signal 9' | *': status 143') ;;
    *': signal 6') [ "$3" = ENOMEM ] || complain "$what" "an abort" ;;
    *) complain "$what" "an odd status: $(head -3 said)" ;;
    esac
    # whoever fails for want of something says so
    case $3$what in
    kill* | tree*) ;;
    *': status 125') [ -s said ] || complain "$what" "125 without a word" ;;
    esac
    after_strike "$what" "$3"
}

# fitting_stride STEPS BEGUN: so that they take no longer than they may, if each takes as long as it is since then.
fitting_stride() {
    local each=$((${EPOCHREALTIME/./} - $2)) most=${COFFERDAM_SWEEP_SECONDS:-150}
    echo $(($1 * each / (most * 1000000) + 1))
}

# sweep STRIDE ACTION ROLES -- COMMAND…
sweep() {
    local stride=$1 role n roles status most begun
    ACTION=$2
    roles=$3
    shift 4
    for role in $roles; do
        begun=${EPOCHREALTIME/./}
        before_strike
        most=$("$KILL_AT" "$role" 0 count "$COFFERDAM" "$@" <"${STRIKE_INPUT:-/dev/null}" 2>/dev/null | tail -1)
        after_strike "no call" count
        [ -z "${COFFERDAM_LONG:-}" ] || stride=${COFFERDAM_STRIDE:-$(fitting_stride "$most" "$begun")}
        n=${OFFSET:-$((stride / 2))}
        [ -z "${COFFERDAM_LONG:-}" ] || n=${OFFSET:-$RANDOM}
        n=$((1 + n % stride))
        while [ "$n" -le "$most" ]; do
            status=0
            before_strike
            step "$role" "$n" "$ACTION" "$@" || status=$?
            [ $status != 3 ] || break
            n=$((n + stride))
        done
        [ -z "${COFFERDAM_LONG:-}" ] || echo "$ACTION $role $*: $most calls, each $stride."
    done
}

before_strike() { :; }

strikes_begin() { COMPLAINTS=0 STEPS=0; }

# shellcheck disable=SC2120 # a script may want more steps than usual
strikes_end() {
    echo "$STEPS steps, $COMPLAINTS complaints"
    [ "$COMPLAINTS" = 0 ] || fail "$COMPLAINTS complaints in $STEPS steps"
    [ "$STEPS" -gt "${1:-5}" ] || fail "only $STEPS steps"
}
