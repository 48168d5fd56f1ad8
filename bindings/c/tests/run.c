/* Runs that are waited for: what goes in, what comes out, how they end. */
#include "check.h"

static void a_program_runs_in_one_call(void) {
    static const char *const argv[] = {"echo", "hello", "world", NULL};
    stockade_sandbox *sandbox = native_sandbox();
    stockade_policy *policy = NULL;
    stockade_report *report = NULL;
    if (sandbox == NULL)
        return;
    policy = weak_policy();
    /* A sandbox of its own. */
    CHECK(stockade_run(NULL, policy, argv, NULL, &report, ERROR) == STOCKADE_OK);
    CHECK(has_exited(report, 0));
    CHECK(has_output(report, STOCKADE_STDOUT, "hello world\n"));
    CHECK(has_output(report, STOCKADE_STDERR, ""));
    CHECK(stockade_report_control(report) == 0);
    stockade_report_free(report);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

/* Under the default policy everything is enforced, or nothing runs. */
static void without_a_policy_the_default_holds(void) {
    static const char *const argv[] = {"true", NULL};
    stockade_sandbox *sandbox = native_sandbox();
    stockade_report *report = NULL;
    int32_t status;
    if (sandbox == NULL)
        return;
    status = stockade_run(sandbox, NULL, argv, NULL, &report, ERROR);
    if (status == STOCKADE_UNSUPPORTED) {
        CHECK(report == NULL);
        skip("cgroup", last_message());
    } else {
        CHECK(status == STOCKADE_OK);
        CHECK(has_exited(report, 0));
        for (int32_t control = STOCKADE_CONTROL_MEMORY; control <= STOCKADE_CONTROL_IPC; control++) {
            int asked = control != STOCKADE_CONTROL_CPUS && control != STOCKADE_CONTROL_FUEL;
            CHECK(stockade_report_enforcement(report, control) == (asked ? STOCKADE_ENFORCED : 0));
        }
    }
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void output_may_hold_nuls_and_has_one_behind_it(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_report *report = NULL;
    const uint8_t *bytes;
    size_t length = 0;
    if (sandbox == NULL)
        return;
    report = run_shell(sandbox, NULL, "printf 'a\\000b\\377'; printf '\\000' >&2", NULL);
    CHECK(has_exited(report, 0));
    bytes = stockade_report_output(report, STOCKADE_STDOUT, &length);
    NEED(bytes != NULL);
    CHECK(length == 4 && memcmp(bytes, "a\0b\xff", 5) == 0);
    CHECK(stockade_report_output(report, STOCKADE_STDOUT, NULL) == bytes);
    bytes = stockade_report_output(report, STOCKADE_STDERR, &length);
    NEED(bytes != NULL);
    CHECK(length == 1 && bytes[0] == 0 && bytes[1] == 0);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void megabytes_go_in_and_come_out(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_policy *policy = NULL;
    stockade_report *report = NULL;
    stockade_stdio stdio = {{0}, {0}, {0}};
    size_t size = (5u << 20) + 3, length = 0;
    unsigned char *input;
    const uint8_t *output;
    if (sandbox == NULL)
        return;
    input = malloc(size);
    NEED(input != NULL);
    for (size_t at = 0; at < size; at++)
        input[at] = (unsigned char)(at * 31 >> 3);
    policy = weak_policy();
    CHECK(stockade_policy_set_limit(policy, STOCKADE_CONTROL_OUTPUT, 16u << 20, ERROR) == STOCKADE_OK);
    stdio.input.kind = STOCKADE_STREAM_BYTES;
    stdio.input.data = input;
    stdio.input.length = size;
    report = run_shell(sandbox, policy, "cat", &stdio);
    CHECK(has_exited(report, 0));
    output = stockade_report_output(report, STOCKADE_STDOUT, &length);
    CHECK(length == size && memcmp(output, input, size) == 0);
    CHECK(stockade_report_amount(report, STOCKADE_STDOUT_BYTES) == size);
    stockade_report_free(report);
    free(input);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

static void without_input_a_program_reads_its_end(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_report *report = NULL;
    stockade_stdio stdio = {{0}, {0}, {0}};
    if (sandbox == NULL)
        return;
    report = run_shell(sandbox, NULL, "cat; echo end", NULL);
    CHECK(has_output(report, STOCKADE_STDOUT, "end\n"));
    stockade_report_free(report);
    report = run_shell(sandbox, NULL, "cat; echo end", &stdio);
    CHECK(has_output(report, STOCKADE_STDOUT, "end\n"));
    stockade_report_free(report);
    stdio.input.kind = STOCKADE_STREAM_BYTES; /* No bytes, and no pointer to them. */
    report = run_shell(sandbox, NULL, "cat; echo end", &stdio);
    CHECK(has_output(report, STOCKADE_STDOUT, "end\n"));
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void exit_statuses_are_told(void) {
    static const int32_t codes[] = {0, 1, 2, 42, 127, 255};
    stockade_sandbox *sandbox = native_sandbox();
    if (sandbox == NULL)
        return;
    for (size_t at = 0; at < COUNT(codes); at++) {
        char script[32];
        stockade_report *report;
        snprintf(script, sizeof script, "exit %d", codes[at]);
        report = run_shell(sandbox, NULL, script, NULL);
        CHECK(has_exited(report, codes[at]));
        stockade_report_free(report);
    }
    stockade_sandbox_free(sandbox);
}

static void signals_are_told(void) {
    static const int32_t signals[] = {SIGKILL, SIGTERM, SIGSEGV, SIGUSR1};
    stockade_sandbox *sandbox = native_sandbox();
    if (sandbox == NULL)
        return;
    for (size_t at = 0; at < COUNT(signals); at++) {
        char script[32];
        stockade_report *report;
        snprintf(script, sizeof script, "kill -%d $$", signals[at]);
        report = run_shell(sandbox, NULL, script, NULL);
        CHECK(stockade_report_verdict(report) == STOCKADE_VERDICT_SIGNALED);
        CHECK(stockade_report_code(report) == signals[at]);
        CHECK(stockade_report_control(report) == 0);
        stockade_report_free(report);
    }
    stockade_sandbox_free(sandbox);
}

static void a_report_tells_amounts(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_report *report = NULL;
    if (sandbox == NULL)
        return;
    report = run_shell(sandbox, NULL, "printf 12345; printf 123 >&2; sleep 0.05", NULL);
    CHECK(stockade_report_amount(report, STOCKADE_WALL_NS) >= 50000000u);
    CHECK(stockade_report_amount(report, STOCKADE_WALL_NS) < 30000000000u);
    CHECK(stockade_report_amount(report, STOCKADE_CPU_USER_NS)
          + stockade_report_amount(report, STOCKADE_CPU_SYSTEM_NS) < 30000000000u);
    CHECK(stockade_report_amount(report, STOCKADE_STDOUT_BYTES) == 5);
    CHECK(stockade_report_amount(report, STOCKADE_STDERR_BYTES) == 3);
    CHECK(stockade_report_amount(report, STOCKADE_STDOUT_TRUNCATED) == 0);
    CHECK(stockade_report_amount(report, STOCKADE_STDERR_TRUNCATED) == 0);
    CHECK(stockade_report_amount(report, STOCKADE_FUEL_USED) == 0);
    CHECK(stockade_report_amount(report, STOCKADE_LIMIT) == 0);
    CHECK(stockade_report_amount(report, STOCKADE_OBSERVED) == 0);
    CHECK(stockade_report_amount(report, STOCKADE_START_NS) > 0);
    CHECK(stockade_report_amount(report, STOCKADE_PREPARE_NS) < 30000000000u);
    CHECK(stockade_report_amount(report, STOCKADE_TEARDOWN_NS) < 30000000000u);
    CHECK(stockade_report_amount(report, STOCKADE_PEAK_PROCESSES) < 64);
    if (stockade_report_enforcement(report, STOCKADE_CONTROL_MEMORY) == STOCKADE_ENFORCED)
        CHECK(stockade_report_amount(report, STOCKADE_PEAK_MEMORY) > 0);
    CHECK(stockade_report_amount(report, 599) == 0);
    CHECK(stockade_report_amount(report, 615) == 0);
    CHECK(stockade_report_enforcement(report, STOCKADE_CONTROL_FILESYSTEM) == STOCKADE_ENFORCED);
    CHECK(stockade_report_enforcement(report, STOCKADE_CONTROL_FUEL) == 0);
    CHECK(stockade_report_enforcement(report, 1) == 0);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void a_report_can_be_written_as_json(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_report *report = NULL;
    char *json = NULL;
    if (sandbox == NULL)
        return;
    report = run_shell(sandbox, NULL, "exit 3", NULL);
    NEED(stockade_report_json(report, &json, ERROR) == STOCKADE_OK);
    CHECK(json[0] == '{');
    CHECK(contains(json, "\"verdict\":{\"kind\":\"exited\",\"code\":3}"));
    CHECK(contains(json, "\"backend\":\"namespace\""));
    CHECK(contains(json, "\"policy_hash\":\""));
    CHECK(contains(json, "\"enforcement\":["));
    stockade_string_free(json);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void no_report_has_nothing(void) {
    char *json = NULL;
    size_t length = 9;
    CHECK(stockade_report_verdict(NULL) == 0);
    CHECK(stockade_report_code(NULL) == -1);
    CHECK(stockade_report_control(NULL) == 0);
    CHECK(stockade_report_amount(NULL, STOCKADE_WALL_NS) == 0);
    CHECK(stockade_report_output(NULL, STOCKADE_STDOUT, &length) == NULL);
    CHECK(stockade_report_output(NULL, STOCKADE_STDOUT, NULL) == NULL);
    CHECK(stockade_report_enforcement(NULL, STOCKADE_CONTROL_MEMORY) == 0);
    CHECK(failed_with(stockade_report_json(NULL, &json, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("report"));
    CHECK(json == NULL);
    stockade_report_free(NULL);
}

static void a_report_has_two_streams(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_report *report = NULL;
    size_t length = 0;
    if (sandbox == NULL)
        return;
    report = run_shell(sandbox, NULL, "echo x", NULL);
    CHECK(stockade_report_output(report, STOCKADE_STDIN, &length) == NULL);
    CHECK(stockade_report_output(report, STOCKADE_END, &length) == NULL);
    CHECK(stockade_report_output(report, -1, NULL) == NULL);
    CHECK(failed_with(stockade_report_json(report, NULL, ERROR), STOCKADE_INVALID_ARGUMENT));
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void a_program_has_to_be_named(void) {
    static const char *const none[] = {NULL}, *const empty[] = {"", NULL};
    static const char *const missing[] = {"no-such-program", NULL};
    stockade_sandbox *sandbox = native_sandbox();
    stockade_policy *policy = NULL;
    stockade_report *report = NULL;
    if (sandbox == NULL)
        return;
    policy = weak_policy();
    CHECK(failed_with(stockade_run(sandbox, policy, NULL, NULL, &report, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("argv"));
    CHECK(failed_with(stockade_run(sandbox, policy, none, NULL, &report, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("argv"));
    CHECK(stockade_run(sandbox, policy, empty, NULL, &report, ERROR) != STOCKADE_OK);
    CHECK(last_error != NULL);
    CHECK(failed_with(stockade_run(sandbox, policy, missing, NULL, &report, ERROR), STOCKADE_NOT_FOUND));
    CHECK(message_has("no-such-program"));
    CHECK(stockade_error_hint(last_error) != NULL);
    CHECK(report == NULL);
    CHECK(failed_with(stockade_run(sandbox, policy, missing, NULL, NULL, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("report"));
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

static void arguments_are_bytes(void) {
    static const char *const argv[] = {"printf", "%s|%s|%s", "\xff\xfe", "", "a b", NULL};
    stockade_sandbox *sandbox = native_sandbox();
    stockade_policy *policy = NULL;
    stockade_report *report = NULL;
    if (sandbox == NULL)
        return;
    policy = weak_policy();
    CHECK(stockade_run(sandbox, policy, argv, NULL, &report, ERROR) == STOCKADE_OK);
    CHECK(has_output(report, STOCKADE_STDOUT, "\xff\xfe||a b"));
    stockade_report_free(report);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

/* The kernel has a bound for one argument and one for all of them. */
static void arguments_that_are_too_long_are_refused(void) {
    static const char *many[20002];
    size_t size = 4u << 20;
    char *one = malloc(size + 1);
    const char *argv[] = {"echo", one, NULL};
    stockade_sandbox *sandbox = native_sandbox();
    stockade_policy *policy = NULL;
    stockade_report *report = NULL;
    NEED(one != NULL);
    if (sandbox != NULL) {
        memset(one, 'x', size);
        one[size] = '\0';
        policy = weak_policy();
        CHECK(failed_with(stockade_run(sandbox, policy, argv, NULL, &report, ERROR),
                          STOCKADE_INVALID_POLICY));
        CHECK(strlen(last_message()) < 1000);
        one[1000] = '\0';
        many[0] = "echo";
        for (size_t at = 1; at + 1 < COUNT(many); at++)
            many[at] = one;
        CHECK(failed_with(stockade_run(sandbox, policy, many, NULL, &report, ERROR),
                          STOCKADE_INVALID_POLICY));
        CHECK(report == NULL);
    }
    free(one);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

static void an_unknown_backend_is_refused(void) {
    static const int32_t numbers[] = {0, -1, 99, 103, STOCKADE_BASE_SYSTEM};
    stockade_sandbox *sandbox = NULL;
    stockade_wasm_options options = {NULL, 0};
    for (size_t at = 0; at < COUNT(numbers); at++) {
        CHECK(failed_with(stockade_sandbox_new(numbers[at], NULL, &sandbox, ERROR),
                          STOCKADE_INVALID_ARGUMENT));
        CHECK(message_has("backend"));
    }
    CHECK(failed_with(stockade_sandbox_new(STOCKADE_BACKEND_NAMESPACE, &options, &sandbox, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("options"));
    CHECK(sandbox == NULL);
    CHECK(failed_with(stockade_sandbox_new(STOCKADE_BACKEND_AUTO, NULL, NULL, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("sandbox"));
    stockade_sandbox_free(NULL);
}

static const struct test TESTS[] = {
    TEST(a_program_runs_in_one_call),
    TEST(without_a_policy_the_default_holds),
    TEST(output_may_hold_nuls_and_has_one_behind_it),
    TEST(megabytes_go_in_and_come_out),
    TEST(without_input_a_program_reads_its_end),
    TEST(exit_statuses_are_told),
    TEST(signals_are_told),
    TEST(a_report_tells_amounts),
    TEST(a_report_can_be_written_as_json),
    TEST(no_report_has_nothing),
    TEST(a_report_has_two_streams),
    TEST(a_program_has_to_be_named),
    TEST(arguments_are_bytes),
    TEST(arguments_that_are_too_long_are_refused),
    TEST(an_unknown_backend_is_refused),
};

MAIN(TESTS)
