/* Keeps a guest that would take the whole machine down from running beside the host's processes. */
#ifndef HOST_GUARD_H
#define HOST_GUARD_H

#include "../guest.h"

/* 0xEFFFFFFC is the kernel's fixed inode of the initial PID namespace (PROC_PID_INIT_INO).
 * Where /proc is hidden the guest goes ahead: only a sandbox hides it. */
static inline void leave_the_host_alone(void)
{
    char name[64];
    ssize_t length = readlink("/proc/self/ns/pid", name, sizeof name - 1);
    if (length < 0)
        return;
    name[length] = '\0';
    if (strcmp(name, "pid:[4026531836]") == 0) {
        fputs("this guest runs only outside the host's PID namespace\n", stderr);
        exit(MISUSED);
    }
}

#endif
