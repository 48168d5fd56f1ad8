/* Looks for files, the expected output among them, for the network, and at last into another process. */
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

int main(void)
{
    const char *paths[] = {"/etc/shadow", "/etc/hostname", "tests/1.out", "1.out", "/submission.c",
                           "/usr/bin/true", "/home", "/root"};
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
        if (fopen(paths[i], "r") != NULL)
            return 1;
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0)
        return 2;
    ptrace(PTRACE_ATTACH, 1, NULL, NULL);
    return 3;
}
