/* Runs that are started: waited for, killed, freed, from one thread and from several. */
#include "check.h"

static stockade_stdio with_pipe(void) {
    stockade_stdio stdio;
    memset(&stdio, 0, sizeof stdio);
    stdio.output.kind = STOCKADE_STREAM_PIPE;
    return stdio;
}

static void a_started_run_is_waited_for(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_execution *execution;
    stockade_report *report;
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "echo words; exit 9", NULL);
    report = finish(execution);
    CHECK(has_exited(report, 9));
    CHECK(has_output(report, STOCKADE_STDOUT, "words\n"));
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void waiting_again_gives_the_same_report(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_execution *execution;
    stockade_report *first = NULL, *second = NULL;
    char *one = NULL, *other = NULL;
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "echo words", NULL);
    CHECK(stockade_execution_wait(execution, &first, ERROR) == STOCKADE_OK);
    CHECK(stockade_execution_wait(execution, &second, ERROR) == STOCKADE_OK);
    CHECK(first != second);
    CHECK(stockade_report_json(first, &one, ERROR) == STOCKADE_OK);
    stockade_report_free(first);
    stockade_execution_free(execution);
    /* A report stands on its own. */
    CHECK(stockade_report_json(second, &other, ERROR) == STOCKADE_OK);
    CHECK(one != NULL && other != NULL && strcmp(one, other) == 0);
    CHECK(has_output(second, STOCKADE_STDOUT, "words\n"));
    stockade_report_free(second);
    stockade_string_free(one);
    stockade_string_free(other);
    stockade_sandbox_free(sandbox);
}

static void a_report_is_wanted_of_a_wait(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_execution *execution;
    stockade_report *report = NULL;
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "exit 1", NULL);
    CHECK(failed_with(stockade_execution_wait(execution, NULL, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("report"));
    CHECK(failed_with(stockade_execution_wait(NULL, &report, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("execution"));
    CHECK(failed_with(stockade_execution_kill(NULL, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(report == NULL);
    report = finish(execution);
    CHECK(has_exited(report, 1));
    stockade_report_free(report);
    stockade_execution_free(NULL);
    stockade_sandbox_free(sandbox);
}

/* The work of a thread beside the test's. */
struct work {
    const stockade_execution *execution;
    unsigned after_ms;
    stockade_report *report;
    int32_t status;
};

static void *kill_later(void *argument) {
    struct work *work = argument;
    sleep_ms(work->after_ms);
    work->status = stockade_execution_kill(work->execution, NULL);
    return NULL;
}

static void *wait_too(void *argument) {
    struct work *work = argument;
    work->status = stockade_execution_wait(work->execution, &work->report, NULL);
    return NULL;
}

static void killed_while_waited_for(const stockade_stdio *stdio) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_execution *execution;
    stockade_report *report;
    struct work work = {NULL, 200, NULL, -1};
    pthread_t killer;
    uint64_t begun = now_ns();
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "sleep 600", stdio);
    work.execution = execution;
    CHECK(pthread_create(&killer, NULL, kill_later, &work) == 0);
    {
        stockade_report *waited = NULL;
        CHECK(stockade_execution_wait(execution, &waited, ERROR) == STOCKADE_OK);
        report = waited;
    }
    CHECK(pthread_join(killer, NULL) == 0);
    CHECK(work.status == STOCKADE_OK);
    CHECK(stockade_report_verdict(report) == STOCKADE_VERDICT_CANCELLED);
    CHECK(now_ns() - begun < 20000000000u * slow());
    stockade_report_free(report);
    stockade_execution_free(execution);
    stockade_sandbox_free(sandbox);
}

static void another_thread_kills_a_run_that_is_waited_for(void) {
    killed_while_waited_for(NULL);
}

static void another_thread_kills_a_run_with_a_pipe(void) {
    stockade_stdio stdio = with_pipe();
    killed_while_waited_for(&stdio);
}

static void a_kill_comes_before_the_wait(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_execution *execution;
    stockade_report *report;
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "sleep 600", NULL);
    CHECK(stockade_execution_kill(execution, ERROR) == STOCKADE_OK);
    CHECK(stockade_execution_kill(execution, ERROR) == STOCKADE_OK);
    report = finish(execution);
    CHECK(stockade_report_verdict(report) == STOCKADE_VERDICT_CANCELLED);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void a_kill_after_the_end_does_nothing(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_execution *execution;
    stockade_report *report = NULL;
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "exit 2", NULL);
    CHECK(stockade_execution_wait(execution, &report, ERROR) == STOCKADE_OK);
    CHECK(stockade_execution_kill(execution, ERROR) == STOCKADE_OK);
    CHECK(has_exited(report, 2));
    stockade_report_free(report);
    report = finish(execution);
    CHECK(has_exited(report, 2));
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void two_threads_wait_for_one_run(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_execution *execution;
    stockade_report *report;
    struct work works[3];
    pthread_t threads[COUNT(works)];
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "sleep 0.3; echo words; exit 8", NULL);
    for (size_t at = 0; at < COUNT(works); at++) {
        memset(&works[at], 0, sizeof works[at]);
        works[at].execution = execution;
        CHECK(pthread_create(&threads[at], NULL, wait_too, &works[at]) == 0);
    }
    for (size_t at = 0; at < COUNT(works); at++) {
        CHECK(pthread_join(threads[at], NULL) == 0);
        CHECK(works[at].status == STOCKADE_OK);
        CHECK(has_exited(works[at].report, 8));
        CHECK(has_output(works[at].report, STOCKADE_STDOUT, "words\n"));
        stockade_report_free(works[at].report);
    }
    report = finish(execution);
    CHECK(has_exited(report, 8));
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

/* Every process of the run has the writing end of its output; nobody has it when all are gone. */
static void a_run_that_is_freed_leaves_no_process(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = with_pipe();
    stockade_execution *execution;
    int32_t fd = -1;
    char text[64];
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "(setsid sleep 600 &); sleep 600 & echo up; sleep 600", &stdio);
    CHECK(stockade_execution_take_fd(execution, STOCKADE_STDOUT, &fd, ERROR) == STOCKADE_OK);
    CHECK(is_readable(fd, 20000) && read(fd, text, 3) == 3);
    stockade_execution_free(execution);
    CHECK(is_readable(fd, 5000));
    CHECK(read_all(fd, text, sizeof text) == 0);
    CHECK(close(fd) == 0);
    stockade_sandbox_free(sandbox);
}

/* Whether any process of this machine has this word among its arguments. */
static int is_alive(const char *word) {
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    int found = 0;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char path[300], text[4096];
        int fd;
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            size_t length = read_all(fd, text, sizeof text);
            found |= memmem(text, length, word, strlen(word)) != NULL;
            close(fd);
        }
    }
    closedir(folder);
    return found;
}

static void a_captured_run_that_is_freed_leaves_no_process(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_execution *execution;
    char script[128], word[32];
    int up = 0;
    if (sandbox == NULL)
        return;
    snprintf(word, sizeof word, "9%08d.25", (int)getpid());
    snprintf(script, sizeof script, "sleep %s & sleep %s", word, word);
    execution = start_shell(sandbox, script, NULL);
    for (int turn = 0; turn < 500 && !up; turn++) {
        sleep_ms(20);
        up = is_alive(word);
    }
    CHECK(up);
    stockade_execution_free(execution);
    CHECK(!is_alive(word));
    stockade_sandbox_free(sandbox);
}

static void runs_go_on_when_their_sandbox_is_freed(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_execution *execution;
    stockade_report *report;
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "sleep 0.3; echo words", NULL);
    stockade_sandbox_free(sandbox);
    report = finish(execution);
    CHECK(has_exited(report, 0));
    CHECK(has_output(report, STOCKADE_STDOUT, "words\n"));
    stockade_report_free(report);
}

static void many_runs_are_alive_at_once(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_execution *executions[12];
    if (sandbox == NULL)
        return;
    for (size_t at = 0; at < COUNT(executions); at++) {
        char script[64];
        snprintf(script, sizeof script, "sleep 0.2; exit %d", (int)at);
        executions[at] = start_shell(sandbox, script, NULL);
    }
    for (size_t at = COUNT(executions); at-- > 0;) {
        stockade_report *report = finish(executions[at]);
        CHECK(has_exited(report, (int32_t)at));
        stockade_report_free(report);
    }
    stockade_sandbox_free(sandbox);
}

static const struct test TESTS[] = {
    TEST(a_started_run_is_waited_for),
    TEST(waiting_again_gives_the_same_report),
    TEST(a_report_is_wanted_of_a_wait),
    TEST(another_thread_kills_a_run_that_is_waited_for),
    TEST(another_thread_kills_a_run_with_a_pipe),
    TEST(a_kill_comes_before_the_wait),
    TEST(a_kill_after_the_end_does_nothing),
    TEST(two_threads_wait_for_one_run),
    TEST(a_run_that_is_freed_leaves_no_process),
    TEST(a_captured_run_that_is_freed_leaves_no_process),
    TEST(runs_go_on_when_their_sandbox_is_freed),
    TEST(many_runs_are_alive_at_once),
};

MAIN(TESTS)
