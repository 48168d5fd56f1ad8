/* A host's signals: what it handles, ignores and blocks stays so, and reaches no program. */
#include "check.h"

#include <sys/time.h>

#include "modules.h"

/* What a process has set for every signal, and this thread's mask. */
struct signals {
    struct sigaction actions[65];
    sigset_t mask;
};

static struct signals signals_now(void) {
    struct signals now;
    memset(&now, 0, sizeof now);
    for (int signal = 1; signal < 65; signal++)
        sigaction(signal, NULL, &now.actions[signal]);
    pthread_sigmask(SIG_SETMASK, NULL, &now.mask);
    return now;
}

/* Whether all is as it was; those that traps of modules are made of may differ if `modules`. */
static int is_as_before(const struct signals *before, int modules) {
    struct signals now = signals_now();
    int same = 1;
    for (int signal = 1; signal < 65; signal++) {
        int trap = signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE;
        int equal = now.actions[signal].sa_handler == before->actions[signal].sa_handler
            && now.actions[signal].sa_flags == before->actions[signal].sa_flags;
        if (!equal && !(trap && modules)) {
            printf("#   signal %d is handled otherwise\n", signal);
            same = 0;
        }
        if (sigismember(&now.mask, signal) != sigismember(&before->mask, signal)) {
            printf("#   signal %d is masked otherwise\n", signal);
            same = 0;
        }
    }
    return same;
}

static void handle(int signal, void (*handler)(int)) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    CHECK(sigaction(signal, &action, NULL) == 0);
}

static stockade_stdio no_streams(void) {
    stockade_stdio stdio;
    memset(&stdio, 0, sizeof stdio);
    return stdio;
}

static void input_that_nobody_reads_kills_no_host(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = no_streams();
    struct signals before;
    size_t size = 4u << 20;
    char *input;
    if (sandbox == NULL)
        return;
    handle(SIGPIPE, SIG_DFL);
    before = signals_now();
    input = calloc(1, size);
    NEED(input != NULL);
    stdio.input.kind = STOCKADE_STREAM_BYTES;
    stdio.input.data = input;
    stdio.input.length = size;
    for (int turn = 0; turn < 5; turn++) {
        stockade_report *report = run_shell(sandbox, NULL, "exit 5", &stdio);
        CHECK(has_exited(report, 5));
        stockade_report_free(report);
    }
    CHECK(is_as_before(&before, 0));
    free(input);
    stockade_sandbox_free(sandbox);
}

static void a_reader_that_has_left_kills_no_host(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = no_streams();
    struct signals before;
    stockade_execution *execution;
    stockade_report *report;
    int32_t fd = -1;
    int ends[2];
    if (sandbox == NULL)
        return;
    handle(SIGPIPE, SIG_DFL);
    before = signals_now();
    CHECK(pipe2(ends, O_CLOEXEC) == 0 && close(ends[0]) == 0);
    stdio.output.kind = STOCKADE_STREAM_FD;
    stdio.output.fd = ends[1];
    report = run_shell(sandbox, NULL, "exec yes", &stdio);
    CHECK(stockade_report_verdict(report) == STOCKADE_VERDICT_SIGNALED);
    CHECK(stockade_report_code(report) == SIGPIPE);
    stockade_report_free(report);
    CHECK(close(ends[1]) == 0);
    stdio.output.kind = STOCKADE_STREAM_PIPE;
    execution = start_shell(sandbox, "exec yes", &stdio);
    CHECK(stockade_execution_take_fd(execution, STOCKADE_STDOUT, &fd, ERROR) == STOCKADE_OK);
    sleep_ms(50);
    CHECK(close(fd) == 0);
    report = finish(execution);
    CHECK(stockade_report_code(report) == SIGPIPE);
    stockade_report_free(report);
    CHECK(is_as_before(&before, 0));
    stockade_sandbox_free(sandbox);
}

static void a_reader_that_has_left_a_module_kills_no_host(void) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_prepared *prepared = NULL;
    stockade_stdio stdio = no_streams();
    struct signals before;
    stockade_report *report = NULL;
    int ends[2];
    handle(SIGPIPE, SIG_DFL);
    before = signals_now();
    CHECK(pipe2(ends, O_CLOEXEC) == 0 && close(ends[0]) == 0);
    CHECK(stockade_prepare_module(sandbox, NULL, hello_module, sizeof hello_module, NULL, &prepared,
                                  ERROR)
          == STOCKADE_OK);
    stdio.output.kind = STOCKADE_STREAM_FD;
    stdio.output.fd = ends[1];
    for (int turn = 0; turn < 5; turn++) {
        CHECK(stockade_prepared_run(prepared, &stdio, &report, ERROR) == STOCKADE_OK);
        CHECK(has_exited(report, 0)); /* The module does not look whether it could print. */
        stockade_report_free(report);
    }
    CHECK(close(ends[1]) == 0);
    CHECK(is_as_before(&before, 1));
    stockade_prepared_free(prepared);
    stockade_sandbox_free(sandbox);
}

static volatile sig_atomic_t ticks;

static void tick(int signal) {
    (void)signal;
    ticks++;
}

/* The handler is without SA_RESTART, so that what can be interrupted is. */
static void a_timer_of_the_hosts_interrupts_nothing(void) {
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    stockade_sandbox *sandbox = native_sandbox(), *modules = module_sandbox();
    stockade_prepared *prepared = NULL;
    stockade_stdio stdio = no_streams();
    static char input[200000];
    int runs = runs_as("valgrind") ? 5 : 100;
    if (sandbox == NULL) {
        stockade_sandbox_free(modules);
        return;
    }
    alarm(0); /* It is the same timer. */
    handle(SIGALRM, tick);
    ticks = 0;
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    memset(input, 'x', sizeof input);
    stdio.input.kind = STOCKADE_STREAM_BYTES;
    stdio.input.data = input;
    stdio.input.length = sizeof input;
    CHECK(stockade_prepare_module(modules, NULL, copy_module, sizeof copy_module, NULL, &prepared, ERROR)
          == STOCKADE_OK);
    for (int run = 0; run < runs; run++) {
        stockade_report *report = run_shell(sandbox, NULL, "cat", &stdio);
        CHECK(has_exited(report, 0));
        CHECK(stockade_report_amount(report, STOCKADE_STDOUT_BYTES) == sizeof input);
        stockade_report_free(report);
        report = NULL;
        CHECK(stockade_prepared_run(prepared, &stdio, &report, ERROR) == STOCKADE_OK);
        CHECK(stockade_report_amount(report, STOCKADE_STDOUT_BYTES) == sizeof input);
        stockade_report_free(report);
    }
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(ticks > 5);
    sleep_ms(50); /* For the last one. */
    handle(SIGALRM, SIG_DFL);
    stockade_prepared_free(prepared);
    stockade_sandbox_free(sandbox);
    stockade_sandbox_free(modules);
}

/* Whether a program finds no signal blocked and none ignored. */
static void sees_no_signals(const stockade_sandbox *sandbox) {
    stockade_report *report = run_shell(sandbox, NULL, "exec cat /proc/self/status", NULL);
    const char *status = (const char *)stockade_report_output(report, STOCKADE_STDOUT, NULL);
    CHECK(has_exited(report, 0));
    CHECK(contains(status, "SigBlk:\t0000000000000000"));
    CHECK(contains(status, "SigIgn:\t0000000000000000"));
    CHECK(contains(status, "SigCgt:\t0000000000000000"));
    stockade_report_free(report);
}

static void what_a_host_blocks_and_ignores_is_its_own(void) {
    stockade_sandbox *earlier = native_sandbox(), *later;
    struct signals before, meanwhile;
    sigset_t all;
    if (earlier == NULL)
        return;
    before = signals_now();
    sigfillset(&all);
    handle(SIGINT, SIG_IGN);
    handle(SIGTERM, SIG_IGN);
    handle(SIGPIPE, SIG_IGN);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, NULL) == 0);
    meanwhile = signals_now();
    later = native_sandbox();
    sees_no_signals(earlier);
    sees_no_signals(later);
    CHECK(is_as_before(&meanwhile, 0));
    CHECK(pthread_sigmask(SIG_SETMASK, &before.mask, NULL) == 0);
    handle(SIGINT, SIG_DFL);
    handle(SIGTERM, SIG_DFL);
    handle(SIGPIPE, SIG_DFL);
    stockade_sandbox_free(earlier);
    stockade_sandbox_free(later);
}

static int count_threads(void) {
    DIR *folder = opendir("/proc/self/task");
    int count = 0;
    while (folder != NULL && readdir(folder) != NULL)
        count++;
    if (folder != NULL)
        closedir(folder);
    return count;
}

static void a_captured_run_makes_no_thread(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_execution *execution;
    stockade_report *report;
    int before;
    if (sandbox == NULL)
        return;
    before = count_threads();
    execution = start_shell(sandbox, "sleep 0.2; echo x", NULL);
    CHECK(count_threads() == before);
    report = finish(execution);
    CHECK(has_output(report, STOCKADE_STDOUT, "x\n"));
    CHECK(count_threads() == before);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

/* Sends this process a signal again and again, and takes away what nobody was given: one that is pending
 * already would go to nobody else. */
static void *send_signals(void *stop) {
    struct timespec moment = {0, 100000}, at_once = {0, 0};
    sigset_t sent;
    sigemptyset(&sent);
    sigaddset(&sent, SIGUSR1);
    while (!*(volatile sig_atomic_t *)stop) {
        kill(getpid(), SIGUSR1);
        nanosleep(&moment, NULL);
        sigtimedwait(&sent, NULL, &at_once);
    }
    return NULL;
}

static void mask(int how) {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    CHECK(pthread_sigmask(how, &mask, NULL) == 0);
}

static volatile sig_atomic_t elsewhere;
static pthread_t host;

static void note_thread(int signal) {
    (void)signal;
    elsewhere += !pthread_equal(pthread_self(), host);
}

/* Works with what has a thread of the library's: a clock, a guest, streams. The signal is open while they
 * are made, as it is in most hosts, and then blocked here, so that it goes to any of them that takes it. */
static void use_threads(void) {
    stockade_sandbox *native = native_sandbox(), *modules = module_sandbox();
    static const struct {
        const void *bytes;
        size_t length;
        int32_t verdict;
    } guests[] = {{hello_module, sizeof hello_module, STOCKADE_VERDICT_EXITED},
                  {copy_module, sizeof copy_module, STOCKADE_VERDICT_EXITED},
                  {trap_module, sizeof trap_module, STOCKADE_VERDICT_TRAPPED},
                  {hoard_module, sizeof hoard_module, STOCKADE_VERDICT_LIMIT}};
    stockade_stdio stdio = no_streams();
    stockade_report *report;
    stdio.input.kind = stdio.output.kind = STOCKADE_STREAM_PIPE;
    for (size_t at = 0; at < COUNT(guests); at++) {
        stockade_prepared *prepared = NULL;
        stockade_execution *execution = NULL;
        int32_t in = -1;
        CHECK(stockade_prepare_module(modules, NULL, guests[at].bytes, guests[at].length, NULL, &prepared,
                                      ERROR)
              == STOCKADE_OK);
        CHECK(stockade_prepared_start(prepared, &stdio, &execution, ERROR) == STOCKADE_OK);
        CHECK(stockade_execution_take_fd(execution, STOCKADE_STDIN, &in, ERROR) == STOCKADE_OK);
        mask(SIG_BLOCK);
        sleep_ms(50);
        CHECK(close(in) == 0);
        /* A trap in a thread of its own is a trap. */
        report = finish(execution);
        mask(SIG_UNBLOCK);
        CHECK(stockade_report_verdict(report) == guests[at].verdict);
        stockade_report_free(report);
        stockade_prepared_free(prepared);
    }
    if (native != NULL) {
        stockade_execution *execution = start_shell(native, "sleep 0.1; echo x", &stdio);
        int32_t end = -1;
        CHECK(stockade_execution_take_fd(execution, STOCKADE_END, &end, ERROR) == STOCKADE_OK);
        mask(SIG_BLOCK);
        CHECK(is_readable(end, 20000) && close(end) == 0);
        stockade_report_free(finish(execution));
        mask(SIG_UNBLOCK);
    }
    stockade_sandbox_free(native);
    stockade_sandbox_free(modules);
}

static void the_librarys_threads_take_no_signal_of_the_hosts(void) {
    volatile sig_atomic_t stop = 0;
    pthread_t sender;
    host = pthread_self();
    elsewhere = 0;
    handle(SIGUSR1, note_thread);
    mask(SIG_BLOCK);
    CHECK(pthread_create(&sender, NULL, send_signals, (void *)&stop) == 0);
    mask(SIG_UNBLOCK);
    use_threads();
    mask(SIG_BLOCK);
    stop = 1;
    CHECK(pthread_join(sender, NULL) == 0);
    CHECK(elsewhere == 0);
    mask(SIG_UNBLOCK);
    handle(SIGUSR1, SIG_DFL);
}

static const struct test TESTS[] = {
    TEST(a_captured_run_makes_no_thread),
    TEST(input_that_nobody_reads_kills_no_host),
    TEST(a_reader_that_has_left_kills_no_host),
    TEST(a_reader_that_has_left_a_module_kills_no_host),
    TEST(a_timer_of_the_hosts_interrupts_nothing),
    TEST(what_a_host_blocks_and_ignores_is_its_own),
    TEST(the_librarys_threads_take_no_signal_of_the_hosts),
};

MAIN(TESTS)
