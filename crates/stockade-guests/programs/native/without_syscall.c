/* story: Executes a program for which one system call fails, as on a kernel that lacks it. */
/* usage: without_syscall NUMBER ERRNO FLAGS PROGRAM [ARG...]; FLAGS: bits of which the call's first
 * argument must have one, 0 for every call */
#include "../guest.h"
#include <stdint.h>
#include <sys/prctl.h>

/* Of linux/filter.h and linux/seccomp.h, which not every C library brings along. */
struct instruction {
    uint16_t code;
    uint8_t if_true, if_false;
    uint32_t value;
};
struct filter {
    unsigned short length;
    struct instruction *first;
};
enum { LOAD = 0x20, JUMP_IF_EQUAL = 0x15, JUMP_IF_ANY_BIT = 0x45, RETURN = 0x06 };
enum { NUMBER = 0, FIRST_ARGUMENT = 16 };
enum { MODE_FILTER = 2, ALLOW = 0x7fff0000, ERRNO = 0x00050000 };

int main(int argc, char **argv)
{
    if (argc < 5)
        misused("without_syscall NUMBER ERRNO FLAGS PROGRAM [ARG...]");
    unsigned call = (unsigned)number(argc, argv, 1, 0);
    unsigned error = (unsigned)number(argc, argv, 2, 0);
    unsigned flags = (unsigned)number(argc, argv, 3, 0);
    struct instruction program[] = {
        {LOAD, 0, 0, NUMBER},
        {JUMP_IF_EQUAL, 0, 3, call},
        {LOAD, 0, 0, FIRST_ARGUMENT},
        {JUMP_IF_ANY_BIT, 0, flags == 0 ? 0 : 1, flags},
        {RETURN, 0, 0, ERRNO | error},
        {RETURN, 0, 0, ALLOW},
    };
    struct filter filter = {sizeof program / sizeof *program, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return refused("no_new_privs");
    if (prctl(PR_SET_SECCOMP, MODE_FILTER, &filter) < 0)
        return refused("seccomp");
    execv(argv[4], argv + 4);
    return refused("execv");
}
