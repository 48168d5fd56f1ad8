/* All that a tenant of namespaces finds in them and around itself, and how it is called. */
#ifndef TENANT_H
#define TENANT_H

#include "../guest.h"
#include <dirent.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define NAME "stockade-tenant"

enum { KEY = 0x57ade, USER_KEYRING = -4, KEYCTL_SEARCH_OF = 10, KEYCTL_JOIN = 1 };

static const char *const FILES[] = {"/tmp/" NAME, "/dev/shm/" NAME};

/* What namespaces have of their own, and who may write in them may set. */
static const char *const SETTINGS[] = {
    "net/core/somaxconn",           "net/ipv4/ip_default_ttl",  "net/ipv4/conf/all/forwarding",
    "net/ipv4/conf/default/accept_redirects", "net/unix/max_dgram_qlen", "user/max_net_namespaces",
    "kernel/shmmax",                "kernel/msgmni",            "fs/mqueue/msg_max",
};

static void say(const char *what, const char *result)
{
    printf("%s: %s\n", what, result);
}

static void answer(const char *what, long result)
{
    say(what, errno_name(result < 0 ? errno : 0));
}

static void value(const char *what, long long number)
{
    printf("%s: %lld\n", what, number);
}

/* Lines of a file, in which those after `until` are no news. */
static void contents(const char *path)
{
    char line[4096];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return say(path, errno_name(errno));
    for (int index = 0; fgets(line, sizeof line, file) != NULL; index++) {
        line[strcspn(line, "\n")] = '\0';
        printf("%s %d: %s\n", path, index, line);
    }
    fclose(file);
}

/* Every setting below a directory, and whether it could be set. */
static void settings(const char *path, int *writable)
{
    char text[256], below[PATH_MAX];
    struct dirent *entry;
    DIR *dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (entry->d_type == DT_DIR) {
            settings(below, writable);
            continue;
        }
        int file = open(below, O_WRONLY | O_CLOEXEC);
        *writable += file >= 0;
        close(file);
        file = open(below, O_RDONLY | O_CLOEXEC);
        ssize_t len = file < 0 ? -1 : read(file, text, sizeof text - 1);
        text[len < 0 ? 0 : len] = '\0';
        text[strcspn(text, "\n")] = '\0';
        say(below, len < 0 ? errno_name(errno) : text);
        close(file);
    }
    if (dir != NULL)
        closedir(dir);
}

static int list(const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);
    while (dir != NULL && readdir(dir) != NULL)
        count++;
    if (dir != NULL)
        closedir(dir);
    return count;
}

static struct sockaddr_un name(const char *path, socklen_t *length)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int abstract = path[0] != '/';
    snprintf(address.sun_path + abstract, sizeof address.sun_path - 1, "%s", path);
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract + strlen(path));
    return address;
}

static void interfaces(void)
{
    char line[1024], what[64], own[IFNAMSIZ];
    FILE *table = fopen("/proc/net/dev", "re");
    int query = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    while (table != NULL && fgets(line, sizeof line, table) != NULL) {
        struct ifreq request = {0};
        unsigned long long counts[2] = {0};
        if (strchr(line, '|') != NULL ||
            sscanf(line, " %15[^:]: %llu %*u %*u %*u %*u %*u %*u %*u %llu", own, &counts[0],
                   &counts[1]) != 3)
            continue;
        memcpy(request.ifr_name, own, sizeof own);
        snprintf(what, sizeof what, "interface %s", own);
        if (ioctl(query, SIOCGIFFLAGS, &request) < 0) {
            say(what, errno_name(errno));
            continue;
        }
        int flags = request.ifr_flags;
        if (ioctl(query, SIOCGIFMTU, &request) < 0)
            request.ifr_mtu = -1;
        printf("%s: flags %#x mtu %d received %llu sent %llu\n", what, flags, request.ifr_mtu,
               counts[0], counts[1]);
    }
    if (table != NULL)
        fclose(table);
    close(query);
}

/* What this process began with. */
static void own(void)
{
    char line[4096];
    for (int resource = 0; resource < 16; resource++) {
        struct rlimit limit = {0};
        if (getrlimit(resource, &limit) < 0)
            continue;
        printf("limit %d: %lld %lld\n", resource, (long long)limit.rlim_cur,
               (long long)limit.rlim_max);
    }
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    sched_getaffinity(0, sizeof cpus, &cpus);
    value("cpus", CPU_COUNT(&cpus));
    errno = 0;
    value("nice", getpriority(PRIO_PROCESS, 0));
    value("scheduler", syscall(SYS_sched_getscheduler, 0));
    value("io priority", syscall(SYS_ioprio_get, 1, 0));
    value("timer slack", prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    value("personality", personality(0xffffffff));
    int subreaper = -1;
    prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0);
    value("subreaper", subreaper);
    value("huge pages off", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
    mode_t mask = umask(0);
    umask(mask);
    value("umask", mask);
    value("pid", getpid());
    value("group", getpgrp());
    value("session", getsid(0));
    struct itimerval timer = {0};
    getitimer(ITIMER_REAL, &timer);
    value("timer", timer.it_value.tv_sec);
    value("descriptors", list("/proc/self/fd"));
    contents("/proc/self/oom_score_adj");
    contents("/proc/self/coredump_filter");
    contents("/proc/self/timens_offsets");
    contents("/proc/self/cgroup");
    FILE *status = fopen("/proc/self/status", "re");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        static const char *const kept[] = {"Sig", "Shd", "Cap", "Seccomp", "NoNewPrivs", "Uid",
                                           "Gid", "Groups", "Mems_allowed_list", "Name"};
        for (size_t index = 0; index < sizeof kept / sizeof *kept; index++)
            if (strncmp(line, kept[index], strlen(kept[index])) == 0)
                printf("status %s", line);
    }
    if (status != NULL)
        fclose(status);
    say("directory", getcwd(line, sizeof line) == NULL ? errno_name(errno) : line);
}

static void portrait(void)
{
    struct utsname names;
    uname(&names);
    say("host name", names.nodename);
    say("domain name", names.domainname);

    answer("shared memory", shmget(KEY, 0, 0));
    answer("semaphores", semget(KEY, 0, 0));
    answer("message queue", msgget(KEY, 0));
    mqd_t queue = mq_open("/" NAME, O_RDONLY);
    answer("named queue", queue);
    close(queue);
    answer("key", syscall(SYS_keyctl, KEYCTL_SEARCH_OF, USER_KEYRING, "user", NAME, 0));
    for (size_t index = 0; index < sizeof FILES / sizeof *FILES; index++)
        answer(FILES[index], access(FILES[index], F_OK));
    value("files in /tmp", list("/tmp"));
    value("files in /dev/shm", list("/dev/shm"));
    value("files in /run", list("/run"));

    socklen_t length;
    struct sockaddr_un address = name(NAME, &length);
    int caller = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int met = connect(caller, (struct sockaddr *)&address, length) == 0;
    say("abstract socket", met ? "met" : "not met");
    close(caller);

    interfaces();
    static const char *const tables[] = {"arp", "route", "fib_trie", "if_inet6", "ipv6_route", "tcp",
                                         "tcp6", "udp", "udp6", "raw", "igmp", "packet",
                                         "nf_conntrack"};
    for (size_t index = 0; index < sizeof tables / sizeof *tables; index++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/net/%s", tables[index]);
        contents(path);
    }

    int writable = 0;
    settings("/proc/sys/net", &writable);
    settings("/proc/sys/user", &writable);
    settings("/proc/sys/fs/mqueue", &writable);
    settings("/proc/sys/fs/binfmt_misc", &writable);
    static const char *const kernel[] = {"shmmax", "shmall", "shmmni", "msgmax", "msgmnb", "msgmni",
                                         "sem", "shm_rmid_forced"};
    for (size_t index = 0; index < sizeof kernel / sizeof *kernel; index++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/sys/kernel/%s", kernel[index]);
        contents(path);
    }
    value("settings that can be set", writable);

    own();
    say("end", "of it");
    fflush(stdout);
}

#endif
