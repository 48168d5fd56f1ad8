/* story: Tells all it finds that one before it may have left, then leaves all it can. */
/* usage: tenant [shared]; lines "WHAT: VALUE", then "---", then the same after leaving; `shared` does
   it twice, in namespaces of its own where it may do everything, with "===" in between */
#include "tenant.h"

/* A listening socket that is nowhere but in its own queue, where the kernel has to find it. */
static void leave_in_a_cycle(void)
{
    socklen_t length;
    struct sockaddr_un address = name(NAME, &length);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), pair[2];
    if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 1) < 0 ||
        socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
        return;
    int sent[3] = {listener, pair[0], pair[1]};
    char space[CMSG_SPACE(sizeof sent)] = {0}, byte = 0;
    struct iovec bytes = {&byte, 1};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = space,
                             .msg_controllen = sizeof space};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof sent);
    memcpy(CMSG_DATA(rights), sent, sizeof sent);
    sendmsg(pair[0], &message, 0);
}

static void change_settings(void)
{
    for (size_t index = 0; index < sizeof SETTINGS / sizeof *SETTINGS; index++) {
        char path[128], text[32];
        snprintf(path, sizeof path, "/proc/sys/%s", SETTINGS[index]);
        int file = open(path, O_RDWR | O_CLOEXEC);
        ssize_t len = file < 0 ? -1 : read(file, text, sizeof text - 1);
        if (len > 0) {
            text[len] = '\0';
            long long number = strtoll(text, NULL, 10);
            len = snprintf(text, sizeof text, "%lld", number > 1 ? number - 1 : 1 - number);
            (void)!pwrite(file, text, (size_t)len, 0);
        }
        close(file);
    }
}

static void bring_up(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK};
    int query = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ioctl(query, SIOCSIFFLAGS, &request);
    request.ifr_mtu = 1400;
    ioctl(query, SIOCSIFMTU, &request);
    close(query);
    query = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {AF_INET, htons(9), {htonl(INADDR_LOOPBACK)}, {0}};
    sendto(query, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
    close(query);
}

static void leave(void)
{
    sethostname(NAME, strlen(NAME));
    setdomainname(NAME, strlen(NAME));
    shmget(KEY, 4096, IPC_CREAT | 0666);
    semget(KEY, 1, IPC_CREAT | 0666);
    msgget(KEY, IPC_CREAT | 0666);
    mqd_t queue = mq_open("/" NAME, O_RDWR | O_CREAT, 0666, NULL);
    (void)queue;
    syscall(SYS_keyctl, KEYCTL_JOIN, NAME);
    syscall(SYS_add_key, "user", NAME, "left", (size_t)4, USER_KEYRING);
    for (size_t index = 0; index < sizeof FILES / sizeof *FILES; index++)
        (void)!open(FILES[index], O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    socklen_t length;
    struct sockaddr_un address = name("/tmp/" NAME ".socket", &length);
    bind(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&address, length);
    leave_in_a_cycle();
    mount("none", "/proc/sys/fs/binfmt_misc", "binfmt_misc", 0, NULL);
    bring_up();
    change_settings();

    for (int resource = 0; resource < 16; resource++) {
        struct rlimit limit;
        if (resource == RLIMIT_FSIZE || resource == RLIMIT_CPU || resource == RLIMIT_AS ||
            getrlimit(resource, &limit) < 0)
            continue;
        limit.rlim_max = limit.rlim_max > 2 ? limit.rlim_max / 2 : 0;
        limit.rlim_cur = limit.rlim_cur < limit.rlim_max ? limit.rlim_cur : limit.rlim_max;
        setrlimit(resource, &limit);
    }
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);
    sched_setaffinity(0, sizeof cpus, &cpus);
    setpriority(PRIO_USER, 0, 19);
    setpriority(PRIO_PROCESS, 0, 19);
    struct sched_param none = {0};
    syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &none);
    syscall(SYS_ioprio_set, 3, getuid(), 3 << 13);
    syscall(SYS_ioprio_set, 1, 0, 3 << 13);
    prctl(PR_SET_TIMERSLACK, 123456, 0, 0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    prctl(PR_SET_NAME, NAME, 0, 0, 0);
    personality(0x20000);
    umask(0777);
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    (void)!write(file, "999", 3);
    file = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
    (void)!write(file, "0", 1);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGUSR2, SIG_IGN);
    raise(SIGUSR1);
    struct itimerval timer = {.it_value = {.tv_sec = 3600}};
    setitimer(ITIMER_REAL, &timer, NULL);
    (void)!chdir("/");
}

static void tenancy(void)
{
    portrait();
    puts("---");
    leave();
    portrait();
}

/* Whether a child that does this comes to a good end. */
static int in_a_child(void (*act)(void))
{
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        act();
        fflush(stdout);
        _exit(DONE);
    }
    waitpid(child, &status, 0);
    return status == 0 ? DONE : FAILED;
}

static void succession(void)
{
    in_a_child(tenancy);
    puts("===");
    in_a_child(tenancy);
}

static int put(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t done = write(file, text, strlen(text));
    close(file);
    return done < 0 ? -1 : 0;
}

/* Namespaces of its own, and every capability in them; none of root's rights to the host's. */
static int seclude(void)
{
    char map[64];
    if (geteuid() == 0 && (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0))
        return -1;
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    uid_t user = geteuid();
    gid_t group = getegid();
    const int spaces = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS;
    if (unshare(spaces | CLONE_NEWPID) < 0)
        return -1;
    put("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "0 %u 1", user);
    if (put("/proc/self/uid_map", map) < 0)
        return -1;
    snprintf(map, sizeof map, "0 %u 1", group);
    if (put("/proc/self/gid_map", map) < 0)
        return -1;
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/tmp", "tmpfs", 0, "mode=1777") < 0 ||
        mount("none", "/dev", "tmpfs", 0, NULL) < 0)
        return -1;
    return mkdir("/dev/shm", 0777);
}

int main(int argc, char **argv)
{
    if (argc == 1) {
        tenancy();
        return DONE;
    }
    if (strcmp(argv[1], "shared") != 0)
        misused("tenant [shared]");
    if (seclude() < 0)
        return refused("seclude");
    /* The first of a new pid namespace, with which it ends. */
    return in_a_child(succession);
}
