/* Outputs that are given to functions of the host's, as they come. */
#include "check.h"

/* What the functions of one run were given. */
struct heard {
    char text[4096];
    size_t length;
    size_t total[3];
    int calls;
    int stop_after; /* so many calls; 0: never */
    int elsewhere;  /* calls on another thread than `waiter` */
    pthread_t waiter;
    int wrong;
};

static int32_t hear(void *user_data, int32_t stream, const uint8_t *data, size_t length) {
    struct heard *heard = user_data;
    heard->calls++;
    heard->elsewhere += !pthread_equal(pthread_self(), heard->waiter);
    if ((stream != STOCKADE_STDOUT && stream != STOCKADE_STDERR) || data == NULL || length == 0) {
        heard->wrong++;
        return 0;
    }
    heard->total[stream] += length;
    for (size_t at = 0; at < length && heard->length + 1 < sizeof heard->text; at++)
        heard->text[heard->length++] = (char)data[at];
    heard->text[heard->length] = '\0';
    return heard->stop_after > 0 && heard->calls >= heard->stop_after;
}

static struct heard nothing_yet(void) {
    struct heard heard;
    memset(&heard, 0, sizeof heard);
    heard.waiter = pthread_self();
    return heard;
}

static stockade_stdio to_function(struct heard *output, struct heard *error) {
    stockade_stdio stdio;
    memset(&stdio, 0, sizeof stdio);
    if (output != NULL) {
        stdio.output.kind = STOCKADE_STREAM_CALLBACK;
        stdio.output.function = hear;
        stdio.output.user_data = output;
    }
    if (error != NULL) {
        stdio.error.kind = STOCKADE_STREAM_CALLBACK;
        stdio.error.function = hear;
        stdio.error.user_data = error;
    }
    return stdio;
}

static void output_comes_in_order_on_the_thread_that_waits(void) {
    stockade_sandbox *sandbox = native_sandbox();
    struct heard heard = nothing_yet();
    stockade_stdio stdio = to_function(&heard, NULL);
    stockade_report *report;
    if (sandbox == NULL)
        return;
    report = run_shell(sandbox, NULL, "for n in 1 2 3 4 5; do echo $n; sleep 0.02; done; echo e >&2",
                       &stdio);
    CHECK(has_exited(report, 0));
    CHECK(strcmp(heard.text, "1\n2\n3\n4\n5\n") == 0);
    CHECK(heard.elsewhere == 0 && heard.wrong == 0);
    CHECK(heard.calls > 1); /* as it comes, not at the end */
    CHECK(has_output(report, STOCKADE_STDOUT, ""));
    CHECK(has_output(report, STOCKADE_STDERR, "e\n"));
    CHECK(stockade_report_amount(report, STOCKADE_STDOUT_BYTES) == 10);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void each_output_has_its_own_function_and_data(void) {
    stockade_sandbox *sandbox = native_sandbox();
    struct heard output = nothing_yet(), error = nothing_yet();
    stockade_stdio stdio = to_function(&output, &error);
    stockade_report *report;
    if (sandbox == NULL)
        return;
    report = run_shell(sandbox, NULL, "echo out; echo err >&2", &stdio);
    CHECK(has_exited(report, 0));
    CHECK(strcmp(output.text, "out\n") == 0 && strcmp(error.text, "err\n") == 0);
    CHECK(output.total[STOCKADE_STDERR] == 0 && error.total[STOCKADE_STDOUT] == 0);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void error_may_join_an_output_that_is_a_function(void) {
    stockade_sandbox *sandbox = native_sandbox();
    struct heard heard = nothing_yet();
    stockade_stdio stdio = to_function(&heard, NULL);
    stockade_report *report;
    if (sandbox == NULL)
        return;
    stdio.error.kind = STOCKADE_STREAM_STDOUT;
    report = run_shell(sandbox, NULL, "echo err >&2", &stdio);
    CHECK(has_exited(report, 0));
    CHECK(strcmp(heard.text, "err\n") == 0);
    CHECK(heard.total[STOCKADE_STDOUT] == 4);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void a_function_that_returns_one_stops_the_run(void) {
    stockade_sandbox *sandbox = native_sandbox();
    struct heard heard = nothing_yet();
    stockade_stdio stdio = to_function(&heard, NULL);
    stockade_policy *policy;
    stockade_report *report;
    uint64_t begun;
    if (sandbox == NULL)
        return;
    policy = weak_policy();
    CHECK(stockade_policy_set_limit(policy, STOCKADE_CONTROL_OUTPUT, STOCKADE_UNLIMITED, ERROR)
          == STOCKADE_OK);
    heard.stop_after = 3;
    begun = now_ns();
    report = run_shell(sandbox, policy, "yes", &stdio);
    CHECK(stockade_report_verdict(report) == STOCKADE_VERDICT_CANCELLED);
    CHECK(stockade_report_code(report) == -1);
    CHECK(heard.calls == 3); /* and nothing afterwards */
    CHECK(now_ns() - begun < 20000000000u * slow());
    stockade_report_free(report);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

static void a_run_that_is_stopped_in_silence_ends_too(void) {
    stockade_sandbox *sandbox = native_sandbox();
    struct heard heard = nothing_yet();
    stockade_stdio stdio = to_function(&heard, NULL);
    stockade_report *report;
    if (sandbox == NULL)
        return;
    heard.stop_after = 1;
    report = run_shell(sandbox, NULL, "echo x; sleep 600", &stdio);
    CHECK(stockade_report_verdict(report) == STOCKADE_VERDICT_CANCELLED);
    CHECK(heard.calls == 1);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

/* Functions are called within the wait only. */
static void nothing_is_heard_before_the_wait_or_after_it(void) {
    stockade_sandbox *sandbox = native_sandbox();
    struct heard heard = nothing_yet();
    stockade_stdio stdio = to_function(&heard, NULL);
    stockade_execution *execution;
    stockade_report *report = NULL, *again = NULL;
    int calls;
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "echo early; sleep 0.2; echo late", &stdio);
    sleep_ms(100);
    CHECK(heard.calls == 0);
    CHECK(stockade_execution_wait(execution, &report, ERROR) == STOCKADE_OK);
    CHECK(strcmp(heard.text, "early\nlate\n") == 0);
    calls = heard.calls;
    CHECK(stockade_execution_wait(execution, &again, ERROR) == STOCKADE_OK);
    CHECK(heard.calls == calls);
    CHECK(has_exited(again, 0));
    stockade_report_free(report);
    stockade_report_free(again);
    stockade_execution_free(execution);
    stockade_sandbox_free(sandbox);
}

static void a_run_that_nobody_waits_for_calls_nobody(void) {
    stockade_sandbox *sandbox = native_sandbox();
    struct heard heard = nothing_yet();
    stockade_stdio stdio = to_function(&heard, &heard);
    if (sandbox == NULL)
        return;
    stockade_execution_free(start_shell(sandbox, "yes", &stdio));
    CHECK(heard.calls == 0);
    stockade_sandbox_free(sandbox);
}

static void the_end_of_a_run_with_functions_is_not_polled_for(void) {
    stockade_sandbox *sandbox = native_sandbox();
    struct heard heard = nothing_yet();
    stockade_stdio stdio = to_function(&heard, NULL);
    stockade_execution *execution;
    int32_t fd = -7;
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "echo x", &stdio);
    CHECK(failed_with(stockade_execution_take_fd(execution, STOCKADE_END, &fd, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(fd == -7);
    stockade_report_free(finish(execution));
    CHECK(strcmp(heard.text, "x\n") == 0);
    stockade_sandbox_free(sandbox);
}

static void megabytes_are_heard_within_the_limit(void) {
    stockade_sandbox *sandbox = native_sandbox();
    struct heard heard = nothing_yet();
    stockade_stdio stdio = to_function(&heard, NULL);
    stockade_policy *policy;
    stockade_report *report;
    if (sandbox == NULL)
        return;
    policy = weak_policy();
    CHECK(stockade_policy_set_limit(policy, STOCKADE_CONTROL_OUTPUT, 3u << 20, ERROR) == STOCKADE_OK);
    report = run_shell(sandbox, policy, "head -c 3145728 /dev/zero", &stdio);
    CHECK(has_exited(report, 0));
    CHECK(heard.total[STOCKADE_STDOUT] == 3u << 20);
    stockade_report_free(report);
    heard = nothing_yet();
    report = run_shell(sandbox, policy, "cat /dev/zero", &stdio);
    CHECK(hit_limit(report, STOCKADE_CONTROL_OUTPUT));
    CHECK(heard.total[STOCKADE_STDOUT] <= 3u << 20);
    stockade_report_free(report);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

/* A function may use the library, of which it is called. */
static int32_t run_another(void *user_data, int32_t stream, const uint8_t *data, size_t length) {
    struct heard *heard = user_data;
    stockade_sandbox *sandbox = native_sandbox();
    stockade_report *report = run_shell(sandbox, NULL, "echo inner", NULL);
    CHECK(has_output(report, STOCKADE_STDOUT, "inner\n"));
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
    return hear(heard, stream, data, length);
}

static void a_function_may_run_another_program(void) {
    stockade_sandbox *sandbox = native_sandbox();
    struct heard heard = nothing_yet();
    stockade_stdio stdio = to_function(&heard, NULL);
    stockade_report *report;
    if (sandbox == NULL)
        return;
    stdio.output.function = run_another;
    report = run_shell(sandbox, NULL, "echo outer", &stdio);
    CHECK(has_exited(report, 0));
    CHECK(strcmp(heard.text, "outer\n") == 0);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

/* What a function finds when it uses the run whose output it is given. */
struct inner {
    const stockade_execution *execution;
    stockade_report *report;
    int32_t wait, kill, take;
    int calls;
};

static int32_t use_its_own_run(void *user_data, int32_t stream, const uint8_t *data, size_t length) {
    struct inner *inner = user_data;
    int32_t fd = -1;
    (void)stream, (void)data, (void)length;
    if (inner->calls++ > 0)
        return 0;
    inner->take = stockade_execution_take_fd(inner->execution, STOCKADE_END, &fd, NULL);
    inner->kill = stockade_execution_kill(inner->execution, NULL);
    inner->wait = stockade_execution_wait(inner->execution, &inner->report, NULL);
    CHECK(fd == -1);
    return 0;
}

/* Neither may hang: the thread that waits is the one that would wait for itself. */
static void a_function_may_stop_its_own_run_and_wait_for_it(void) {
    stockade_sandbox *sandbox = native_sandbox();
    struct inner inner = {NULL, NULL, -1, -1, -1, 0};
    stockade_stdio stdio;
    stockade_execution *execution;
    stockade_report *report = NULL;
    if (sandbox == NULL)
        return;
    memset(&stdio, 0, sizeof stdio);
    stdio.output.kind = STOCKADE_STREAM_CALLBACK;
    stdio.output.function = use_its_own_run;
    stdio.output.user_data = &inner;
    execution = start_shell(sandbox, "echo x; sleep 600", &stdio);
    inner.execution = execution;
    CHECK(stockade_execution_wait(execution, &report, ERROR) == STOCKADE_OK);
    CHECK(stockade_report_verdict(report) == STOCKADE_VERDICT_CANCELLED);
    CHECK(inner.take == STOCKADE_INVALID_ARGUMENT);
    CHECK(inner.kill == STOCKADE_OK);
    CHECK(inner.wait == STOCKADE_OK || inner.wait == STOCKADE_INVALID_ARGUMENT);
    CHECK((inner.wait == STOCKADE_OK) == (inner.report != NULL));
    stockade_report_free(inner.report);
    stockade_report_free(report);
    stockade_execution_free(execution);
    stockade_sandbox_free(sandbox);
}

static void *wait_and_free(void *execution) {
    stockade_report *report = NULL;
    CHECK(stockade_execution_wait(execution, &report, NULL) == STOCKADE_OK);
    CHECK(has_exited(report, 0));
    stockade_report_free(report);
    return NULL;
}

/* One of them calls the function; both get the report. */
static void two_threads_wait_for_a_run_with_a_function(void) {
    stockade_sandbox *sandbox = native_sandbox();
    struct heard heard = nothing_yet();
    stockade_stdio stdio = to_function(&heard, NULL);
    stockade_execution *execution;
    pthread_t threads[3];
    if (sandbox == NULL)
        return;
    execution = start_shell(sandbox, "echo 1; sleep 0.2; echo 2", &stdio);
    for (size_t at = 0; at < COUNT(threads); at++)
        CHECK(pthread_create(&threads[at], NULL, wait_and_free, execution) == 0);
    for (size_t at = 0; at < COUNT(threads); at++)
        CHECK(pthread_join(threads[at], NULL) == 0);
    CHECK(strcmp(heard.text, "1\n2\n") == 0);
    CHECK(heard.elsewhere == heard.calls);
    stockade_execution_free(execution);
    stockade_sandbox_free(sandbox);
}

static const struct test TESTS[] = {
    TEST(output_comes_in_order_on_the_thread_that_waits),
    TEST(each_output_has_its_own_function_and_data),
    TEST(error_may_join_an_output_that_is_a_function),
    TEST(a_function_that_returns_one_stops_the_run),
    TEST(a_run_that_is_stopped_in_silence_ends_too),
    TEST(nothing_is_heard_before_the_wait_or_after_it),
    TEST(a_run_that_nobody_waits_for_calls_nobody),
    TEST(the_end_of_a_run_with_functions_is_not_polled_for),
    TEST(megabytes_are_heard_within_the_limit),
    TEST(a_function_may_run_another_program),
    TEST(a_function_may_stop_its_own_run_and_wait_for_it),
    TEST(two_threads_wait_for_a_run_with_a_function),
};

MAIN(TESTS)
