/* Programs that are prepared once and started often. */
#include "check.h"

static const char *const COPY[] = {"cat", NULL};

static stockade_prepared *prepare(const stockade_sandbox *sandbox) {
    stockade_policy *policy = weak_policy();
    stockade_prepared *prepared = NULL;
    CHECK(stockade_prepare(sandbox, policy, COPY, &prepared, ERROR) == STOCKADE_OK);
    stockade_policy_free(policy);
    return prepared;
}

/* Has the program copy this, and compares. */
static void copies(const stockade_prepared *prepared, const char *text) {
    stockade_stdio stdio;
    stockade_report *report = NULL;
    memset(&stdio, 0, sizeof stdio);
    stdio.input.kind = STOCKADE_STREAM_BYTES;
    stdio.input.data = text;
    stdio.input.length = strlen(text);
    CHECK(stockade_prepared_run(prepared, &stdio, &report, ERROR) == STOCKADE_OK);
    CHECK(has_exited(report, 0));
    CHECK(has_output(report, STOCKADE_STDOUT, text));
    stockade_report_free(report);
}

static void a_prepared_program_is_run_many_times(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_prepared *prepared;
    if (sandbox == NULL)
        return;
    prepared = prepare(sandbox);
    for (int run = 0; run < 30; run++) {
        char text[32];
        snprintf(text, sizeof text, "run %d", run);
        copies(prepared, text);
    }
    stockade_prepared_free(prepared);
    stockade_prepared_free(NULL);
    stockade_sandbox_free(sandbox);
}

static void starts_of_a_prepared_program_go_side_by_side(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_prepared *prepared;
    stockade_execution *executions[6];
    char texts[6][16];
    if (sandbox == NULL)
        return;
    prepared = prepare(sandbox);
    for (size_t at = 0; at < COUNT(executions); at++) {
        stockade_stdio stdio;
        memset(&stdio, 0, sizeof stdio);
        snprintf(texts[at], sizeof texts[at], "start %d", (int)at);
        stdio.input.kind = STOCKADE_STREAM_BYTES;
        stdio.input.data = texts[at];
        stdio.input.length = strlen(texts[at]);
        executions[at] = NULL;
        CHECK(stockade_prepared_start(prepared, &stdio, &executions[at], ERROR) == STOCKADE_OK);
        /* The bytes were copied when it was started. */
        texts[at][0] = 'S';
    }
    for (size_t at = 0; at < COUNT(executions); at++) {
        stockade_report *report = finish(executions[at]);
        texts[at][0] = 's';
        CHECK(has_output(report, STOCKADE_STDOUT, texts[at]));
        stockade_report_free(report);
    }
    stockade_prepared_free(prepared);
    stockade_sandbox_free(sandbox);
}

static void a_plan_says_how_each_control_will_be_enforced(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_prepared *prepared;
    char *json = NULL;
    if (sandbox == NULL)
        return;
    prepared = prepare(sandbox);
    NEED(stockade_prepared_plan_json(prepared, &json, ERROR) == STOCKADE_OK);
    CHECK(json[0] == '{');
    CHECK(contains(json, "\"backend\":\"namespace\""));
    CHECK(contains(json, "\"control\":\"wall_time\""));
    CHECK(contains(json, "\"status\":\"enforced\""));
    CHECK(contains(json, "\"policy_hash\":\""));
    stockade_string_free(json);
    CHECK(failed_with(stockade_prepared_plan_json(prepared, NULL, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_prepared_plan_json(NULL, &json, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("prepared"));
    stockade_prepared_free(prepared);
    stockade_sandbox_free(sandbox);
}

static void sandboxes_wait_for_the_next_start(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_prepared *prepared;
    if (sandbox == NULL)
        return;
    prepared = prepare(sandbox);
    CHECK(stockade_prepared_warm(prepared, 4, ERROR) == STOCKADE_OK);
    for (int run = 0; run < 12; run++) {
        sleep_ms(run % 3 * 20);
        copies(prepared, "warm");
    }
    CHECK(failed_with(stockade_prepared_warm(prepared, 129, ERROR), STOCKADE_INVALID_POLICY));
    CHECK(message_has("129"));
    CHECK(failed_with(stockade_prepared_warm(prepared, SIZE_MAX, ERROR), STOCKADE_INVALID_POLICY));
    CHECK(failed_with(stockade_prepared_warm(NULL, 1, ERROR), STOCKADE_INVALID_ARGUMENT));
    copies(prepared, "still warm");
    CHECK(stockade_prepared_warm(prepared, 0, ERROR) == STOCKADE_OK);
    copies(prepared, "cold");
    CHECK(stockade_prepared_warm(prepared, 2, ERROR) == STOCKADE_OK);
    stockade_prepared_free(prepared);
    stockade_sandbox_free(sandbox);
}

static void a_prepared_program_outlives_its_sandbox(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_prepared *prepared;
    stockade_execution *execution = NULL;
    stockade_report *report;
    if (sandbox == NULL)
        return;
    prepared = prepare(sandbox);
    stockade_sandbox_free(sandbox);
    copies(prepared, "alone");
    CHECK(stockade_prepared_start(prepared, NULL, &execution, ERROR) == STOCKADE_OK);
    stockade_prepared_free(prepared);
    report = finish(execution);
    CHECK(has_exited(report, 0));
    stockade_report_free(report);
}

static void what_cannot_be_run_is_not_prepared(void) {
    static const char *const missing[] = {"/no/such", NULL}, *const none[] = {NULL};
    stockade_sandbox *sandbox = native_sandbox();
    stockade_policy *policy;
    stockade_prepared *prepared = NULL;
    stockade_execution *execution = NULL;
    stockade_report *report = NULL;
    if (sandbox == NULL)
        return;
    policy = weak_policy();
    CHECK(failed_with(stockade_prepare(sandbox, policy, missing, &prepared, ERROR), STOCKADE_NOT_FOUND));
    CHECK(failed_with(stockade_prepare(sandbox, policy, none, &prepared, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_prepare(sandbox, policy, NULL, &prepared, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("argv"));
    CHECK(failed_with(stockade_prepare(NULL, policy, COPY, &prepared, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("sandbox"));
    CHECK(prepared == NULL);
    CHECK(failed_with(stockade_prepare(sandbox, policy, COPY, NULL, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_prepared_run(NULL, NULL, &report, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_prepared_start(NULL, NULL, &execution, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(report == NULL && execution == NULL);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

/* Nothing of the prepared program's is left by starts that were refused. */
static void a_refused_start_does_no_harm(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_prepared *prepared;
    stockade_execution *execution = NULL;
    stockade_report *report = NULL;
    stockade_stdio stdio;
    if (sandbox == NULL)
        return;
    prepared = prepare(sandbox);
    memset(&stdio, 0, sizeof stdio);
    stdio.output.kind = 77;
    CHECK(failed_with(stockade_prepared_start(prepared, &stdio, &execution, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_prepared_run(prepared, &stdio, &report, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_prepared_run(prepared, NULL, NULL, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_prepared_start(prepared, NULL, NULL, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(report == NULL && execution == NULL);
    copies(prepared, "well");
    stockade_prepared_free(prepared);
    stockade_sandbox_free(sandbox);
}

static const struct test TESTS[] = {
    TEST(a_prepared_program_is_run_many_times),
    TEST(starts_of_a_prepared_program_go_side_by_side),
    TEST(a_plan_says_how_each_control_will_be_enforced),
    TEST(sandboxes_wait_for_the_next_start),
    TEST(a_prepared_program_outlives_its_sandbox),
    TEST(what_cannot_be_run_is_not_prepared),
    TEST(a_refused_start_does_no_harm),
};

MAIN(TESTS)
