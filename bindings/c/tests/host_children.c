/* A host with children of its own: they are its to wait for, and runs are no children. */
#include "check.h"

static volatile sig_atomic_t heard;
/* The children that the handler waited for. */
static volatile pid_t reaped[256];
static volatile sig_atomic_t reaped_count;

static void count_children(int signal) {
    (void)signal;
    heard++;
}

static void reap_children(int signal) {
    int kept = errno;
    pid_t pid;
    (void)signal;
    heard++;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        if (reaped_count < (sig_atomic_t)COUNT(reaped))
            reaped[reaped_count++] = pid;
    errno = kept;
}

static void handle_sigchld(void (*handler)(int)) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
    heard = 0;
    reaped_count = 0;
}

static int handles_sigchld(void (*handler)(int)) {
    struct sigaction action;
    int flags = SA_NOCLDSTOP | SA_NOCLDWAIT | SA_RESTART | SA_RESETHAND;
    return sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == handler
        && (action.sa_flags & flags) == 0;
}

/* A child of the host's that ends with a status. */
static pid_t child(int status) {
    pid_t pid = fork();
    if (pid == 0) {
        char script[32];
        snprintf(script, sizeof script, "exit %d", status);
        execl("/bin/sh", "sh", "-c", script, (char *)NULL);
        _exit(126);
    }
    CHECK(pid > 0);
    return pid;
}

/* A thread that runs programs until it is told to stop. */
struct runner {
    const stockade_sandbox *sandbox;
    pthread_t thread;
    volatile sig_atomic_t stop;
    int runs;
};

static void *run_programs(void *argument) {
    struct runner *runner = argument;
    while (!runner->stop) {
        stockade_report *report = run_shell(runner->sandbox, NULL, "exit 3", NULL);
        CHECK(has_exited(report, 3));
        stockade_report_free(report);
        runner->runs++;
    }
    forget_error();
    return NULL;
}

static void the_hosts_children_are_the_hosts(void) {
    enum { CHILDREN = 40 };
    stockade_sandbox *sandbox = native_sandbox();
    struct runner runner;
    if (sandbox == NULL)
        return;
    handle_sigchld(count_children);
    memset(&runner, 0, sizeof runner);
    runner.sandbox = sandbox;
    CHECK(pthread_create(&runner.thread, NULL, run_programs, &runner) == 0);
    for (int turn = 0; turn < CHILDREN; turn++) {
        pid_t pid = child(turn);
        int status = -1;
        /* A signal may come in the middle of it. */
        pid_t waited;
        do
            waited = waitpid(pid, &status, 0);
        while (waited < 0 && errno == EINTR);
        CHECK(waited == pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == turn);
        for (int wait = 0; wait < 1000 && heard < turn + 1; wait++)
            sleep_ms(5);
        CHECK(heard == turn + 1);
    }
    runner.stop = 1;
    CHECK(pthread_join(runner.thread, NULL) == 0);
    CHECK(runner.runs > 0);
    /* None for a run, and none is left. */
    CHECK(heard == CHILDREN);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    CHECK(handles_sigchld(count_children));
    handle_sigchld(SIG_DFL);
    stockade_sandbox_free(sandbox);
}

static void runs_send_no_sigchld(void) {
    stockade_sandbox *sandbox = native_sandbox();
    sigset_t blocked, before, pending;
    if (sandbox == NULL)
        return;
    sleep_ms(100); /* For the one that the sandbox itself may send. */
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    handle_sigchld(count_children);
    CHECK(pthread_sigmask(SIG_BLOCK, &blocked, &before) == 0);
    for (int turn = 0; turn < 20; turn++) {
        stockade_report *report = run_shell(sandbox, NULL, "sleep 60 & sleep 0.01", NULL);
        CHECK(has_exited(report, 0));
        stockade_report_free(report);
    }
    CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGCHLD));
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    CHECK(heard == 0);
    handle_sigchld(SIG_DFL);
    stockade_sandbox_free(sandbox);
}

/* Nobody waits for anything then, and the kernel throws each status away. */
static void a_host_may_ignore_its_children(void) {
    stockade_sandbox *sandbox;
    stockade_report *report;
    handle_sigchld(SIG_IGN);
    sandbox = native_sandbox();
    if (sandbox != NULL) {
        for (int turn = 0; turn < 10; turn++) {
            pid_t pid = child(1);
            report = run_shell(sandbox, NULL, "(exit 2); exit $?", NULL);
            CHECK(has_exited(report, 2));
            stockade_report_free(report);
            CHECK(waitpid(pid, NULL, 0) == -1 && errno == ECHILD);
        }
        CHECK(handles_sigchld(SIG_IGN));
    }
    handle_sigchld(SIG_DFL);
    stockade_sandbox_free(sandbox);
}

static void a_host_may_reap_whatever_there_is(void) {
    enum { CHILDREN = 20, SANDBOXES = 5 };
    stockade_sandbox *sandboxes[SANDBOXES];
    pid_t pids[CHILDREN];
    handle_sigchld(reap_children);
    for (int at = 0; at < SANDBOXES; at++)
        sandboxes[at] = native_sandbox();
    if (sandboxes[0] != NULL) {
        int of_sandboxes, missing = 0;
        for (int wait = 0; wait < 20; wait++)
            sleep_ms(10);
        of_sandboxes = reaped_count;
        CHECK(of_sandboxes <= SANDBOXES);
        for (int turn = 0; turn < CHILDREN; turn++) {
            stockade_report *report;
            pids[turn] = child(0);
            report = run_shell(sandboxes[turn % SANDBOXES], NULL, "exit 4", NULL);
            CHECK(has_exited(report, 4));
            stockade_report_free(report);
        }
        for (int wait = 0; wait < 1000 && reaped_count < of_sandboxes + CHILDREN; wait++)
            sleep_ms(5);
        for (int turn = 0; turn < CHILDREN; turn++) {
            int found = 0;
            for (int at = 0; at < reaped_count; at++)
                found |= reaped[at] == pids[turn];
            missing += !found;
        }
        CHECK(missing == 0);
        CHECK(reaped_count == of_sandboxes + CHILDREN);
        CHECK(handles_sigchld(reap_children));
    }
    for (int at = 0; at < SANDBOXES; at++)
        stockade_sandbox_free(sandboxes[at]);
    sleep_ms(50);
    handle_sigchld(SIG_DFL);
}

/* As a shell or a build system does: it waits for whichever child ends next. */
static void a_host_that_waits_for_any_child_gets_its_own(void) {
    stockade_sandbox *sandbox = native_sandbox();
    struct runner runner;
    int seen = 0;
    if (sandbox == NULL)
        return;
    sleep_ms(100);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    memset(&runner, 0, sizeof runner);
    runner.sandbox = sandbox;
    CHECK(pthread_create(&runner.thread, NULL, run_programs, &runner) == 0);
    for (int turn = 1; turn <= 12; turn++)
        child(turn);
    for (int turn = 1; turn <= 12; turn++) {
        int status = 0;
        CHECK(waitpid(-1, &status, 0) > 0 && WIFEXITED(status));
        seen |= 1 << WEXITSTATUS(status);
    }
    CHECK(seen == (1 << 13) - 2);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    runner.stop = 1;
    CHECK(pthread_join(runner.thread, NULL) == 0);
    stockade_sandbox_free(sandbox);
}

static const struct test TESTS[] = {
    TEST(the_hosts_children_are_the_hosts),
    TEST(runs_send_no_sigchld),
    TEST(a_host_may_ignore_its_children),
    TEST(a_host_may_reap_whatever_there_is),
    TEST(a_host_that_waits_for_any_child_gets_its_own),
};

MAIN(TESTS)
