cat > main.pl <<'E'
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX qw(:sys_wait_h mkfifo);

$| = 1;
for my $i (1 .. 4) {
    pipe(my $read, my $write) or die;
    my $pid = fork // die;
    if (!$pid) { close $read; print $write $i * $i; close $write; POSIX::_exit($i) }
    close $write;
    my $text = <$read>;
    waitpid($pid, 0);
    print "child $text ", WEXITSTATUS($?), "\n";
}
my $server = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "listen: $!";
if (!fork) {
    my $client = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->sockport) or die;
    print $client "over tcp\n";
    POSIX::_exit(0);
}
print $server->accept->getline;
wait;
my $local = IO::Socket::UNIX->new(Local => 'socket', Listen => 1) or die "unix: $!";
if (!fork) {
    my $client = IO::Socket::UNIX->new(Peer => 'socket') or die;
    print $client "over unix\n";
    POSIX::_exit(0);
}
print $local->accept->getline;
wait;
mkfifo('fifo', 0600) or die "fifo: $!";
if (!fork) { open my $out, '>', 'fifo' or die; print $out "over fifo\n"; close $out; POSIX::_exit(0) }
open my $in, '<', 'fifo' or die;
print <$in>;
wait;
my $alarms = 0;
local $SIG{ALRM} = sub { $alarms++ };
alarm 1;
sleep 5;
print "alarms $alarms\n";
my %seen;
$seen{$_ % 17}++ for 1 .. 100_000;
print sha256_hex(join ',', map { "$_=$seen{$_}" } sort { $a <=> $b } keys %seen), "\n";
E
perl main.pl
