/* Streams that are descriptors of the host's, and what is no stream at all. */
#include "check.h"

static stockade_stdio none(void) {
    stockade_stdio stdio;
    memset(&stdio, 0, sizeof stdio);
    return stdio;
}

static void to_descriptor(stockade_stream *stream, int fd) {
    stream->kind = STOCKADE_STREAM_FD;
    stream->fd = fd;
}

static int is_open(int fd) {
    return fcntl(fd, F_GETFD) >= 0;
}

static int temporary_file(void) {
    char path[64];
    int fd;
    snprintf(path, sizeof path, "/tmp/stockade-c-file-XXXXXX");
    fd = mkostemp(path, O_CLOEXEC);
    CHECK(fd >= 0 && unlink(path) == 0);
    return fd;
}

static void a_program_reads_a_file_from_where_it_stands(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = none();
    stockade_report *report = NULL;
    int fd;
    if (sandbox == NULL)
        return;
    fd = temporary_file();
    CHECK(write(fd, "skipped words", 13) == 13 && lseek(fd, 8, SEEK_SET) == 8);
    to_descriptor(&stdio.input, fd);
    report = run_shell(sandbox, NULL, "cat", &stdio);
    CHECK(has_exited(report, 0));
    CHECK(has_output(report, STOCKADE_STDOUT, "words"));
    CHECK(is_open(fd) && close(fd) == 0);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void output_goes_to_files(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = none();
    stockade_report *report = NULL;
    char text[64];
    int out, err;
    if (sandbox == NULL)
        return;
    out = temporary_file();
    err = temporary_file();
    to_descriptor(&stdio.output, out);
    to_descriptor(&stdio.error, err);
    report = run_shell(sandbox, NULL, "echo out; echo err >&2", &stdio);
    CHECK(has_exited(report, 0));
    /* Nothing is captured of what goes elsewhere, and it is counted all the same. */
    CHECK(has_output(report, STOCKADE_STDOUT, "") && has_output(report, STOCKADE_STDERR, ""));
    CHECK(stockade_report_amount(report, STOCKADE_STDOUT_BYTES) == 4);
    CHECK(stockade_report_amount(report, STOCKADE_STDERR_BYTES) == 4);
    CHECK(is_open(out) && is_open(err));
    CHECK(lseek(out, 0, SEEK_SET) == 0 && read_all(out, text, sizeof text) == 4);
    CHECK(strcmp(text, "out\n") == 0);
    CHECK(lseek(err, 0, SEEK_SET) == 0 && read_all(err, text, sizeof text) == 4);
    CHECK(strcmp(text, "err\n") == 0);
    CHECK(close(out) == 0 && close(err) == 0);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void pipes_of_the_host_are_read_and_written(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = none();
    stockade_report *report = NULL;
    char text[64];
    int in[2], out[2];
    if (sandbox == NULL)
        return;
    CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    CHECK(write(in[1], "words\n", 6) == 6 && close(in[1]) == 0);
    to_descriptor(&stdio.input, in[0]);
    to_descriptor(&stdio.output, out[1]);
    report = run_shell(sandbox, NULL, "tr a-z A-Z", &stdio);
    CHECK(has_exited(report, 0));
    CHECK(is_open(in[0]) && is_open(out[1]));
    CHECK(close(in[0]) == 0 && close(out[1]) == 0);
    /* Nobody else has the writing end any more, or this would wait. */
    CHECK(is_readable(out[0], 10000) && read_all(out[0], text, sizeof text) == 6);
    CHECK(strcmp(text, "WORDS\n") == 0);
    CHECK(close(out[0]) == 0);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void an_error_may_go_where_the_output_goes(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = none();
    stockade_report *report = NULL;
    char text[64];
    int fd;
    if (sandbox == NULL)
        return;
    fd = temporary_file();
    to_descriptor(&stdio.output, fd);
    stdio.error.kind = STOCKADE_STREAM_STDOUT;
    report = run_shell(sandbox, NULL, "echo one >&2", &stdio);
    CHECK(has_exited(report, 0));
    stockade_report_free(report);
    report = run_shell(sandbox, NULL, "echo two", &stdio);
    CHECK(has_exited(report, 0));
    stockade_report_free(report);
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    read_all(fd, text, sizeof text);
    CHECK(strcmp(text, "one\ntwo\n") == 0);
    CHECK(close(fd) == 0);
    stockade_sandbox_free(sandbox);
}

static void both_outputs_may_be_discarded(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = none();
    stockade_report *report = NULL;
    if (sandbox == NULL)
        return;
    stdio.output.kind = stdio.error.kind = STOCKADE_STREAM_DISCARD;
    report = run_shell(sandbox, NULL, "echo out; echo e >&2", &stdio);
    CHECK(has_exited(report, 0));
    CHECK(has_output(report, STOCKADE_STDOUT, "") && has_output(report, STOCKADE_STDERR, ""));
    CHECK(stockade_report_amount(report, STOCKADE_STDOUT_BYTES) == 4);
    CHECK(stockade_report_amount(report, STOCKADE_STDERR_BYTES) == 2);
    stockade_report_free(report);
    report = run_shell(sandbox, NULL, "cat /dev/zero", &stdio);
    CHECK(hit_limit(report, STOCKADE_CONTROL_OUTPUT));
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

/* Tries streams that cannot be, and wants the same of start and run. */
static void refuses(const stockade_sandbox *sandbox, const stockade_stdio *stdio, const char *word) {
    static const char *const argv[] = {"true", NULL};
    stockade_policy *policy = weak_policy();
    stockade_execution *execution = NULL;
    stockade_report *report = NULL;
    if (!CHECK(failed_with(stockade_start(sandbox, policy, argv, stdio, &execution, ERROR),
                           STOCKADE_INVALID_ARGUMENT) && message_has(word)))
        printf("#   wanted `%s`\n", word);
    if (!CHECK(failed_with(stockade_run(sandbox, policy, argv, stdio, &report, ERROR),
                           STOCKADE_INVALID_ARGUMENT) && message_has(word)))
        printf("#   wanted `%s`\n", word);
    CHECK(execution == NULL && report == NULL);
    stockade_execution_free(execution);
    stockade_report_free(report);
    stockade_policy_free(policy);
}

static int32_t nothing(void *user_data, int32_t stream, const uint8_t *data, size_t length) {
    (void)user_data, (void)stream, (void)data, (void)length;
    return 0;
}

static void a_stream_of_the_wrong_kind_is_refused(void) {
    static const int32_t no_inputs[] = {STOCKADE_STREAM_DISCARD, STOCKADE_STREAM_CALLBACK,
                                        STOCKADE_STREAM_STDOUT, 7, -1, INT32_MAX};
    static const int32_t no_outputs[] = {STOCKADE_STREAM_BYTES, STOCKADE_STREAM_STDOUT, 7, -1};
    static const int32_t no_errors[] = {STOCKADE_STREAM_BYTES, 7, -1};
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio;
    if (sandbox == NULL)
        return;
    for (size_t at = 0; at < COUNT(no_inputs); at++) {
        stdio = none();
        stdio.input.kind = no_inputs[at];
        stdio.input.function = nothing;
        refuses(sandbox, &stdio, "input");
    }
    for (size_t at = 0; at < COUNT(no_outputs); at++) {
        stdio = none();
        stdio.output.kind = no_outputs[at];
        refuses(sandbox, &stdio, "output");
    }
    for (size_t at = 0; at < COUNT(no_errors); at++) {
        stdio = none();
        stdio.error.kind = no_errors[at];
        refuses(sandbox, &stdio, "error");
    }
    stockade_sandbox_free(sandbox);
}

static void a_stream_without_what_it_needs_is_refused(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = none();
    if (sandbox == NULL)
        return;
    stdio.input.kind = STOCKADE_STREAM_BYTES;
    stdio.input.length = 1;
    refuses(sandbox, &stdio, "data");
    stdio = none();
    stdio.output.kind = STOCKADE_STREAM_CALLBACK;
    refuses(sandbox, &stdio, "function");
    stdio = none();
    stdio.error.kind = STOCKADE_STREAM_CALLBACK;
    refuses(sandbox, &stdio, "function");
    /* What is captured is captured apart. */
    stdio = none();
    stdio.error.kind = STOCKADE_STREAM_STDOUT;
    refuses(sandbox, &stdio, "captured");
    stockade_sandbox_free(sandbox);
}

static void a_descriptor_that_is_not_open_is_refused(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio;
    if (sandbox == NULL)
        return;
    for (int which = 0; which < 3; which++) {
        static const int descriptors[] = {-1, 9999, INT32_MAX};
        for (size_t at = 0; at < COUNT(descriptors); at++) {
            stdio = none();
            to_descriptor(which == 0 ? &stdio.input : which == 1 ? &stdio.output : &stdio.error,
                          descriptors[at]);
            refuses(sandbox, &stdio, "descriptor");
        }
    }
    stockade_sandbox_free(sandbox);
}

static void a_run_that_is_waited_for_at_once_has_no_pipe(void) {
    static const char *const argv[] = {"true", NULL};
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio;
    stockade_policy *policy = NULL;
    stockade_prepared *prepared = NULL;
    stockade_report *report = NULL;
    if (sandbox == NULL)
        return;
    policy = weak_policy();
    CHECK(stockade_prepare(sandbox, policy, argv, &prepared, ERROR) == STOCKADE_OK);
    for (int which = 0; which < 3; which++) {
        stdio = none();
        (which == 0 ? &stdio.input : which == 1 ? &stdio.output : &stdio.error)->kind
            = STOCKADE_STREAM_PIPE;
        CHECK(failed_with(stockade_run(sandbox, policy, argv, &stdio, &report, ERROR),
                          STOCKADE_INVALID_ARGUMENT));
        CHECK(failed_with(stockade_prepared_run(prepared, &stdio, &report, ERROR),
                          STOCKADE_INVALID_ARGUMENT));
        CHECK(report == NULL);
    }
    stockade_prepared_free(prepared);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

/* The end of the program is the end of the run, whoever has the other end of a pipe. */
static void input_that_never_ends_holds_up_no_run(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = none();
    stockade_report *report;
    int in[2];
    if (sandbox == NULL)
        return;
    CHECK(pipe2(in, O_CLOEXEC) == 0);
    to_descriptor(&stdio.input, in[0]);
    report = run_shell(sandbox, NULL, "exit 5", &stdio);
    CHECK(has_exited(report, 5));
    stockade_report_free(report);
    CHECK(write(in[1], "words\n", 6) == 6);
    report = run_shell(sandbox, NULL, "read word; echo $word", &stdio);
    CHECK(has_output(report, STOCKADE_STDOUT, "words\n"));
    stockade_report_free(report);
    CHECK(close(in[0]) == 0 && close(in[1]) == 0);
    stockade_sandbox_free(sandbox);
}

/* Nor does a reader that never reads, once the run was ended. */
static void output_that_nobody_reads_is_given_up(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = none();
    stockade_policy *policy;
    stockade_report *report;
    uint64_t begun = now_ns();
    int out[2];
    if (sandbox == NULL)
        return;
    policy = weak_policy();
    CHECK(stockade_policy_set_limit(policy, STOCKADE_CONTROL_WALL_TIME, 300000000u, ERROR)
          == STOCKADE_OK);
    CHECK(pipe2(out, O_CLOEXEC) == 0);
    to_descriptor(&stdio.output, out[1]);
    report = run_shell(sandbox, policy, "head -c 500000 /dev/zero; sleep 60", &stdio);
    CHECK(hit_limit(report, STOCKADE_CONTROL_WALL_TIME));
    CHECK(now_ns() - begun < 10000000000u * slow());
    CHECK(close(out[0]) == 0 && close(out[1]) == 0);
    stockade_report_free(report);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

static void *drain(void *fd) {
    static char buffer[1 << 16];
    size_t *total = calloc(1, sizeof *total), count;
    sleep_ms(200);
    while (total != NULL && is_readable(*(int *)fd, 10000)
           && (count = read_all(*(int *)fd, buffer, sizeof buffer)) > 0)
        *total += count;
    return total;
}

/* What is full has room later. The descriptor is the host's, and so is how it is set. */
static void output_goes_to_a_pipe_that_does_not_block(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = none();
    stockade_report *report;
    pthread_t reader;
    void *total = NULL;
    int out[2];
    if (sandbox == NULL)
        return;
    CHECK(pipe2(out, O_CLOEXEC) == 0);
    CHECK(fcntl(out[1], F_SETFL, O_NONBLOCK) == 0);
    CHECK(pthread_create(&reader, NULL, drain, &out[0]) == 0);
    to_descriptor(&stdio.output, out[1]);
    report = run_shell(sandbox, NULL, "head -c 500000 /dev/zero", &stdio);
    CHECK(has_exited(report, 0));
    CHECK((fcntl(out[1], F_GETFL) & O_NONBLOCK) != 0);
    CHECK(close(out[1]) == 0);
    CHECK(pthread_join(reader, &total) == 0);
    CHECK(total != NULL && *(size_t *)total == 500000);
    free(total);
    CHECK(close(out[0]) == 0);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void no_run_keeps_a_descriptor(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_stdio stdio = none();
    stockade_report *report = NULL;
    int fd, before = 0;
    if (sandbox == NULL)
        return;
    fd = temporary_file();
    to_descriptor(&stdio.input, fd);
    to_descriptor(&stdio.output, fd);
    to_descriptor(&stdio.error, fd);
    for (int run = 0; run < 20; run++) {
        report = run_shell(sandbox, NULL, "echo x; echo y >&2", &stdio);
        CHECK(has_exited(report, 0));
        stockade_report_free(report);
        if (run == 4)
            before = open_descriptors();
    }
    /* A thread that has told its last may still be about to close. */
    for (int wait = 0; wait < 100 && open_descriptors() > before; wait++)
        sleep_ms(20);
    CHECK(open_descriptors() <= before);
    CHECK(close(fd) == 0);
    stockade_sandbox_free(sandbox);
}

static const struct test TESTS[] = {
    TEST(a_program_reads_a_file_from_where_it_stands),
    TEST(output_goes_to_files),
    TEST(pipes_of_the_host_are_read_and_written),
    TEST(an_error_may_go_where_the_output_goes),
    TEST(both_outputs_may_be_discarded),
    TEST(a_stream_of_the_wrong_kind_is_refused),
    TEST(a_stream_without_what_it_needs_is_refused),
    TEST(a_descriptor_that_is_not_open_is_refused),
    TEST(a_run_that_is_waited_for_at_once_has_no_pipe),
    TEST(input_that_never_ends_holds_up_no_run),
    TEST(output_that_nobody_reads_is_given_up),
    TEST(output_goes_to_a_pipe_that_does_not_block),
    TEST(no_run_keeps_a_descriptor),
};

MAIN(TESTS)
