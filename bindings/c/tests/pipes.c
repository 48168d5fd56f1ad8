/* Streams whose other ends the host takes, and the descriptor that tells of the end. */
#include "check.h"

static stockade_stdio pipes(int input, int output, int error) {
    stockade_stdio stdio;
    memset(&stdio, 0, sizeof stdio);
    stdio.input.kind = input ? STOCKADE_STREAM_PIPE : STOCKADE_STREAM_DEFAULT;
    stdio.output.kind = output ? STOCKADE_STREAM_PIPE : STOCKADE_STREAM_DEFAULT;
    stdio.error.kind = error ? STOCKADE_STREAM_PIPE : STOCKADE_STREAM_DEFAULT;
    return stdio;
}

static int take(const stockade_execution *execution, int32_t stream) {
    int32_t fd = -1;
    CHECK(stockade_execution_take_fd(execution, stream, &fd, ERROR) == STOCKADE_OK);
    CHECK(fd >= 0);
    /* No program that the host starts inherits it. */
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    return fd;
}

/* Reads one line, waiting for it. */
static int has_line(int fd, const char *line) {
    char text[64];
    size_t length = 0;
    while (length + 1 < sizeof text && read(fd, text + length, 1) == 1)
        if (text[length++] == '\n')
            break;
    text[length] = '\0';
    return strcmp(text, line) == 0;
}

static void a_host_and_a_program_talk(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = pipes(1, 1, 1);
    stockade_execution *execution;
    stockade_report *report;
    int in, out, err;
    char text[64];
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "while read word; do echo got $word; done; echo bye >&2; exit 3",
                            &stdio);
    in = take(execution, STOCKADE_STDIN);
    out = take(execution, STOCKADE_STDOUT);
    err = take(execution, STOCKADE_STDERR);
    for (int turn = 0; turn < 20; turn++) {
        char line[64], answer[64];
        snprintf(line, sizeof line, "%d\n", turn);
        snprintf(answer, sizeof answer, "got %d\n", turn);
        CHECK(write(in, line, strlen(line)) == (ssize_t)strlen(line));
        CHECK(has_line(out, answer));
    }
    CHECK(close(in) == 0);
    CHECK(read_all(out, text, sizeof text) == 0);
    CHECK(read_all(err, text, sizeof text) == 4 && strcmp(text, "bye\n") == 0);
    report = finish(execution);
    CHECK(has_exited(report, 3));
    CHECK(has_output(report, STOCKADE_STDOUT, ""));
    CHECK(close(out) == 0 && close(err) == 0);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void each_pipe_is_taken_once(void) {
    static const int32_t streams[] = {STOCKADE_STDIN, STOCKADE_STDOUT, STOCKADE_STDERR};
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = pipes(1, 1, 1);
    stockade_execution *execution;
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "cat", &stdio);
    for (size_t at = 0; at < COUNT(streams); at++) {
        int32_t again = -7;
        int fd = take(execution, streams[at]);
        CHECK(failed_with(stockade_execution_take_fd(execution, streams[at], &again, ERROR),
                          STOCKADE_INVALID_ARGUMENT));
        CHECK(message_has("taken"));
        CHECK(again == -7);
        CHECK(close(fd) == 0);
    }
    stockade_report_free(finish(execution));
    stockade_sandbox_free(sandbox);
}

static void what_is_no_pipe_is_not_taken(void) {
    static const int32_t streams[] = {STOCKADE_STDIN, STOCKADE_STDOUT, STOCKADE_STDERR, 4, -1};
    stockade_sandbox *sandbox = native_sandbox();
    stockade_execution *execution;
    int32_t fd = -7;
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "exit 0", NULL);
    for (size_t at = 0; at < COUNT(streams); at++)
        CHECK(failed_with(stockade_execution_take_fd(execution, streams[at], &fd, ERROR),
                          STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_execution_take_fd(NULL, STOCKADE_STDOUT, &fd, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("execution"));
    CHECK(failed_with(stockade_execution_take_fd(execution, STOCKADE_END, NULL, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("fd"));
    CHECK(fd == -7);
    stockade_report_free(finish(execution));
    stockade_sandbox_free(sandbox);
}

static void a_pipe_that_nobody_takes_blocks_nobody(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = pipes(1, 0, 1);
    stockade_execution *execution;
    stockade_report *report;
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "echo err >&2; exit 4", &stdio);
    report = finish(execution);
    CHECK(has_exited(report, 4));
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void the_end_can_be_polled_for(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = pipes(1, 0, 0);
    stockade_execution *execution;
    stockade_report *report;
    int in, end, other;
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "cat; exit 5", &stdio);
    in = take(execution, STOCKADE_STDIN);
    end = take(execution, STOCKADE_END);
    other = take(execution, STOCKADE_END);
    CHECK(end != other);
    CHECK(!is_readable(end, 300) && !is_readable(other, 0));
    CHECK(write(in, "words", 5) == 5 && close(in) == 0);
    CHECK(is_readable(end, 30000) && is_readable(other, 1000));
    /* It stays so, and one that is taken afterwards is so at once. */
    CHECK(close(other) == 0);
    other = take(execution, STOCKADE_END);
    CHECK(is_readable(other, 0) && is_readable(end, 0));
    report = finish(execution);
    CHECK(has_exited(report, 5));
    CHECK(has_output(report, STOCKADE_STDOUT, "words"));
    /* They are the host's to close, whatever became of the run. */
    CHECK(is_readable(end, 0) && close(end) == 0 && close(other) == 0);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

/* Nothing has to wait for a run of which only the end was asked for. */
static void a_run_whose_end_was_asked_for_ends_by_itself(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_execution *execution;
    stockade_report *report;
    int end;
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "head -c 300000 /dev/zero; exit 6", NULL);
    end = take(execution, STOCKADE_END);
    CHECK(is_readable(end, 30000));
    report = finish(execution);
    CHECK(has_exited(report, 6));
    CHECK(stockade_report_amount(report, STOCKADE_STDOUT_BYTES) == 300000);
    CHECK(close(end) == 0);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void error_joins_an_output_that_is_a_pipe(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = pipes(0, 1, 0);
    stockade_execution *execution;
    int32_t fd = -7;
    char text[64];
    int out;
    if (sandbox == NULL)
        return;
    stdio.error.kind = STOCKADE_STREAM_STDOUT;
    execution = start_shell(sandbox, "echo words >&2", &stdio);
    out = take(execution, STOCKADE_STDOUT);
    CHECK(stockade_execution_take_fd(execution, STOCKADE_STDERR, &fd, ERROR)
          == STOCKADE_INVALID_ARGUMENT);
    CHECK(read_all(out, text, sizeof text) == 6 && strcmp(text, "words\n") == 0);
    CHECK(close(out) == 0);
    stockade_report_free(finish(execution));
    stockade_sandbox_free(sandbox);
}

static void what_is_in_a_pipe_outlasts_its_run(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = pipes(0, 1, 1);
    stockade_execution *execution;
    stockade_report *report;
    char text[64];
    int out, err;
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "echo out; echo err >&2", &stdio);
    out = take(execution, STOCKADE_STDOUT);
    err = take(execution, STOCKADE_STDERR);
    report = finish(execution);
    CHECK(has_exited(report, 0));
    CHECK(is_readable(out, 10000) && read_all(out, text, sizeof text) == 4);
    CHECK(strcmp(text, "out\n") == 0);
    CHECK(is_readable(err, 10000) && read_all(err, text, sizeof text) == 4);
    CHECK(strcmp(text, "err\n") == 0);
    CHECK(close(out) == 0 && close(err) == 0);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void megabytes_go_through_pipes(void) {
    enum { SIZE = 4 << 20, PIECE = 1 << 16 };
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = pipes(0, 1, 0);
    stockade_policy *policy = NULL;
    stockade_execution *execution = NULL;
    stockade_report *report;
    static const char *const argv[] = {"head", "-c", "4194304", "/dev/zero", NULL};
    static char buffer[PIECE];
    size_t total = 0, count;
    int out;
    if (sandbox == NULL)
        return;
    policy = weak_policy();
    CHECK(stockade_policy_set_limit(policy, STOCKADE_CONTROL_OUTPUT, 2 * SIZE, ERROR) == STOCKADE_OK);
    CHECK(stockade_start(sandbox, policy, argv, &stdio, &execution, ERROR) == STOCKADE_OK);
    out = take(execution, STOCKADE_STDOUT);
    while ((count = read_all(out, buffer, sizeof buffer)) > 0)
        total += count;
    CHECK(total == SIZE);
    CHECK(close(out) == 0);
    report = finish(execution);
    CHECK(has_exited(report, 0));
    stockade_report_free(report);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

/* A reader that has left is a reader that has left: the program gets SIGPIPE or an error. */
static void a_host_that_leaves_ends_a_program_that_writes(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = pipes(0, 1, 0);
    stockade_execution *execution;
    stockade_report *report;
    int out;
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "exec yes", &stdio);
    out = take(execution, STOCKADE_STDOUT);
    CHECK(close(out) == 0);
    report = finish(execution);
    CHECK(stockade_report_verdict(report) == STOCKADE_VERDICT_SIGNALED);
    CHECK(stockade_report_code(report) == SIGPIPE);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static const struct test TESTS[] = {
    TEST(a_host_and_a_program_talk),
    TEST(each_pipe_is_taken_once),
    TEST(what_is_no_pipe_is_not_taken),
    TEST(a_pipe_that_nobody_takes_blocks_nobody),
    TEST(the_end_can_be_polled_for),
    TEST(a_run_whose_end_was_asked_for_ends_by_itself),
    TEST(error_joins_an_output_that_is_a_pipe),
    TEST(what_is_in_a_pipe_outlasts_its_run),
    TEST(megabytes_go_through_pipes),
    TEST(a_host_that_leaves_ends_a_program_that_writes),
};

MAIN(TESTS)
