# Answers HTTP requests with what the tools of the Aptfile print.
use strict;
use warnings;
use IO::Socket::INET;

$| = 1;
$SIG{TERM} = $SIG{INT} = sub { print "stopping\n"; exit 0 };
$SIG{PIPE} = 'IGNORE';

my %commands = (
    '/'     => ['qrencode', '--type=UTF8', '--output=-', 'Hello from apt'],
    '/tree' => ['tree', '-a', '-L', '2', '.'],
);

my $port = $ENV{PORT} || 5000;
my $listener = IO::Socket::INET->new(LocalPort => $port, Listen => 16, ReuseAddr => 1)
    or die "cannot listen on port $port: $@\n";
print "listening on port $port\n";

while (1) {
    my $connection = $listener->accept() or next;
    answer($connection);
    close $connection;
}

sub answer {
    my ($connection) = @_;
    my $request = <$connection> // return;
    while (defined(my $line = <$connection>)) {
        last if $line =~ /^\r?\n$/;
    }
    my ($path) = $request =~ m{^[A-Z]+ (\S+) };
    my $command = defined $path ? $commands{$path} : undef;
    return respond($connection, '404 Not Found', "Not found\n") if !$command;
    open my $pipe, '-|', @$command or return respond($connection, '500 Internal Server Error', "$command->[0]: $!\n");
    local $/;
    my $body = <$pipe>;
    close $pipe or return respond($connection, '500 Internal Server Error', "$command->[0] failed\n");
    respond($connection, '200 OK', $body);
}

sub respond {
    my ($connection, $status, $body) = @_;
    print {$connection} "HTTP/1.1 $status\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ",
        length($body), "\r\nConnection: close\r\n\r\n", $body;
}
