#!/usr/bin/busybox sh
# Run by the service manager that took over the virtual machine from inside.sh.
export PATH=/usr/bin
exec </dev/null >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 raw

# run USER BINARY ARGUMENTS: runs a test binary as what the tier puts before it. One test at a time:
# to start systemd-run is slow here, and the library does not wait for ever.
run() {
    user=$1 binary=$2
    shift 2
    echo "==> start $binary"
    as "$user" "/tests/$binary --show-output --test-threads 1 $*"
    echo "==> status $?"
}

as() {
    $before su "$1" -c "cd && TMPDIR=\$HOME exec $2"
}

export STOCKADE_TEST_BIN=/tests/stockade STOCKADE_OCI_BIN=/tests/stockade-oci STOCKADE_TEST_SLOW=10
export STOCKADE_TEST_EXPECT=userns,landlock,cgroup
tests='conformance::limits:: warden_loss::a_killed host_process::a_host'

# Root in a service, whose group is nobody's to use.
echo '==> tier session'
before=
as root '/tests/stockade doctor'
run root stockade-namespace-it $tests
run root stockade-cli-it doctor::a_program limits::memory limits::cpus
run root stockade-runtime-it containers::systemd::

# A user who has logged in: in a scope as a login manager makes it, with a service manager beside it.
echo '==> tier login'
mkdir -p /run/user/60000
chown tester:tester /run/user/60000
chmod 700 /run/user/60000
systemctl start user@60000.service || echo "the user's manager did not start"
export XDG_RUNTIME_DIR=/run/user/60000
before=
as tester 'systemctl --user start dbus.service' || echo "the user's bus did not start"
before='systemd-run --quiet --scope --collect --slice=user-60000.slice --property=TasksMax=infinity'
as tester '/tests/stockade doctor'
run tester stockade-namespace-it $tests
run tester stockade-cli-it doctor::a_program limits::memory limits::cpus
run tester stockade-runtime-it containers::systemd::a_unit

# All scopes are gone with their hosts.
sleep 2
left=$(find /sys/fs/cgroup -name 'stockade-*')
[ -z "$left" ] || echo "==> start a search for what is left
$left
==> status 1"

echo '==> done'
poweroff -f
