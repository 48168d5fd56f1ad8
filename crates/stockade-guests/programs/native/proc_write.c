/* story: Opens the kernel's switches in /proc and /sys for writing, and writes nothing. */
/* usage: proc_write; exits 0 where a switch of the whole machine opened, 3 where all are refused */
#include "../guest.h"

static const struct {
    const char *path;
    int machine_wide;
} switches[] = {
    {"/proc/sys/kernel/core_pattern", 1},
    {"/proc/sys/kernel/modprobe", 1},
    {"/proc/sys/vm/drop_caches", 1},
    {"/proc/sysrq-trigger", 1},
    {"/sys/kernel/uevent_helper", 1},
    {"/sys/fs/cgroup/release_agent", 1},
    {"/proc/self/oom_score_adj", 0},
};

int main(void)
{
    int code = REFUSED;
    for (size_t index = 0; index < sizeof switches / sizeof *switches; index++) {
        int file = open(switches[index].path, O_WRONLY | O_CLOEXEC);
        int opened = outcome(switches[index].path, file < 0 ? errno : 0) == DONE;
        if (opened && switches[index].machine_wide)
            code = DONE;
        if (opened)
            close(file);
    }
    return code;
}
