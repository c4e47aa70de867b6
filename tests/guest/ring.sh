#!/bin/sh
# The system ring, on Debian with systemd, AppArmor and an older kernel: those of its scripts that the
# kernel has a say in, or those a pattern names, as a person and as root; scopes of systemd under all
# of them. What the scripts say becomes one stream of TAP.
TESTS=/opt/cofferdam/tests
# shellcheck source=tests/guest/inside.sh
. $TESTS/guest/inside.sh

export COFFERDAM_BUILD=/opt/cofferdam COFFERDAM_MUST=userns HOME=/root
only=$(sed -n 's/.* only=\([^ ]*\).*/\1/p' /proc/cmdline)
[ "$only" != . ] || only='^\(run\|exec\|cp\|lifecycle\|crash\|threats\)$'

# The person's manager stays as long as a session does.
su --login person --command 'exec sleep 100000' &
await 60 test -S "/run/user/$(id -u person)/systemd/private"

# points SCRIPT WHO: renames the points, drops the plan.
points() {
    sed -u -e '/^1\.\.[1-9]/d' -e "s/^1\.\.0 # SKIP \(.*\)/ok - $1 as $2 # SKIP \1/" \
        -e "s/^\(not ok\|ok\) [0-9]* - /\1 - $1 as $2: /"
}

for script in $TESTS/system/*.sh; do
    name=$(basename "$script" .sh)
    [ "$name" != lib ] && echo "$name" | grep -q -e "$only" || continue
    for who in user root; do
        bash "$script" $who 2>&1 </dev/null | points "$name" $who
        echo "# up for $(cut -d ' ' -f 1 /proc/uptime) s"
    done
done | tee /tmp/points
echo "1..$(grep -cE '^(not )?ok ' /tmp/points)"
