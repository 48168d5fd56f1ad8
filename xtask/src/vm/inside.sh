#!/usr/bin/busybox sh
# The first process of the virtual machine. Lines with an arrow are read by results.rs.
export PATH=/usr/bin
/usr/bin/busybox --install -s /usr/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /dev/shm /dev/pts
mount -t tmpfs shm /dev/shm
mount -t devpts -o ptmxmode=0666 pts /dev/pts
stty -F /dev/ttyS1 raw
exec </dev/null >/dev/ttyS1 2>&1
# However the tests go, and whether or not somebody waits for them.
(sleep 2400; poweroff -f) &

ip link set lo up
insmod /overlay.ko
chmod 1777 /tmp
# What an ordinary user packed belongs to that user.
[ -O /usr ] || chown -R 0:0 /usr /tests
echo 'root:x:0:0:root:/root:/bin/sh
tester:x:60000:60000:tester:/home/tester:/bin/sh' >/etc/passwd
echo 'root:x:0:
tester:x:60000:' >/etc/group
mkdir -p /home/tester
chown tester:tester /home/tester
echo '+cpu +memory +pids' >/sys/fs/cgroup/cgroup.subtree_control
uname -sr

# group NAME OWNER ATTRIBUTE: a group as a service manager delegates it, whose processes are in
# a group of their own beneath.
group() {
    mkdir -p "/sys/fs/cgroup/$1/main"
    [ -n "$2" ] || return
    chown "$2" "/sys/fs/cgroup/$1" "/sys/fs/cgroup/$1"/cgroup.* \
        "/sys/fs/cgroup/$1/main" "/sys/fs/cgroup/$1/main"/cgroup.*
    python3 -I -c 'import os, sys; os.setxattr(sys.argv[1], sys.argv[2], b"1")' \
        "/sys/fs/cgroup/$1" "$3"
}

# as USER COMMAND: runs a command in the group of the tier.
as() {
    sh -c 'echo 0 >"$0" && exec "$@"' "/sys/fs/cgroup/$tier/main/cgroup.procs" \
        su "$1" -c "cd && TMPDIR=\$HOME exec $2"
}

# run USER BINARY ARGUMENTS: runs a test binary.
run() {
    user=$1 binary=$2
    shift 2
    echo "==> start $binary"
    as "$user" "/tests/$binary --show-output $*"
    echo "==> status $?"
}

# attack USER: tries to break out; ends with 1 when an attack gets through.
attack() {
    echo '==> start doctor --attack'
    as "$1" '/tests/stockade doctor --attack --thorough'
    echo "==> status $?"
}

export STOCKADE_TEST_BIN=/tests/stockade STOCKADE_OCI_BIN=/tests/stockade-oci
export STOCKADE_TEST_SLOW=10 STOCKADE_TEST_PLACES=6 STOCKADE_TEST_EXPECT
tier=root STOCKADE_TEST_EXPECT=userns,landlock,cgroup
echo "==> tier $tier"
group root root trusted.delegate
as root '/tests/stockade doctor'
run root stockade-namespace-units cgroup::tests::kernel
run root stockade-namespace-it
# What no other machine of ours has: control groups of version 2. The rest is as slow here as it is new.
run root stockade-runtime-it containers::groups:: containers::death:: containers::namespaces:: \
    exec_gives what_exec_started a_paused ps_lists a_fork_bomb
run root stockade-cli-it --skip wasm:: --skip runtime:: --skip attack::attacks_are \
    --skip bench::results
attack root
# The same without walls: none of them is an attempt that cannot succeed on this kernel.
run root stockade-it attacks::every_native_attack_gets_through

tier=user
echo "==> tier $tier"
group user tester user.delegate
as tester '/tests/stockade doctor'
# What takes minutes for the sake of its number was in the tier above, and is done as a user elsewhere; so
# is what waits, but for its limits.
run tester stockade-namespace-it --skip bursts::a_thousand --skip planted::places_that_are_swapped \
    --skip conformance_warm::streams --skip conformance_warm::cancel --skip conformance_warm::files \
    --skip conformance_warm::exit --skip conformance_warm::output --skip conformance_warm::world
run tester stockade-runtime-it containers::groups::a_user exec_gives what_exec_started \
    namespaces_of_another run_gives
run tester stockade-cli-it --skip wasm:: --skip runtime:: --skip attack::attacks_are \
    --skip bench::results
attack tester

tier=bare STOCKADE_TEST_EXPECT=userns,landlock
echo "==> tier $tier"
group bare ''
as tester '/tests/stockade doctor'
# Bursts, what waits and what no control group has a part in have been in the tiers above, and to sample
# each run is slow here.
run tester stockade-namespace-it --skip bursts:: --skip conformance_warm:: --skip planted:: \
    --skip syscalls:: --skip conformance::streams --skip conformance::files --skip conformance::exit \
    --skip conformance::output --skip conformance::world --skip writable:: --skip sockets::
attack tester

# The last tiers are managed.sh's.
exec /usr/lib/systemd/systemd --unit=tests.service --log-target=console --show-status=no
