/* Errors: their kinds, messages, hints and JSON, and what happens to those nobody asks for. */
#include "check.h"

#include <sys/resource.h>

#include "modules.h"

static const char *const TRUE[] = {"true", NULL};

static void no_error_is_ok_and_says_nothing(void) {
    char *json = NULL;
    CHECK(stockade_error_kind(NULL) == STOCKADE_OK);
    CHECK(stockade_error_message(NULL) == NULL);
    CHECK(stockade_error_hint(NULL) == NULL);
    CHECK(failed_with(stockade_error_json(NULL, &json, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("error"));
    CHECK(json == NULL);
    stockade_error_free(NULL);
}

static void an_error_is_not_touched_by_success(void) {
    stockade_policy *policy = NULL;
    stockade_error *mark = (stockade_error *)&policy;
    stockade_error *error = mark;
    CHECK(stockade_policy_new(&policy, &error) == STOCKADE_OK);
    CHECK(error == mark);
    stockade_policy_free(policy);
}

static void results_are_not_touched_by_failure(void) {
    stockade_policy *mark = (stockade_policy *)&mark;
    stockade_policy *policy = mark;
    CHECK(stockade_policy_from_json("{", &policy, ERROR) == STOCKADE_INVALID_POLICY);
    CHECK(policy == mark);
}

static void nobody_has_to_ask_for_an_error(void) {
    stockade_policy *policy = NULL;
    CHECK(stockade_policy_from_json("{\"no\":1}", &policy, NULL) == STOCKADE_INVALID_POLICY);
    CHECK(stockade_policy_from_toml("no = 1", &policy, NULL) == STOCKADE_INVALID_POLICY);
    CHECK(stockade_policy_new(NULL, NULL) == STOCKADE_INVALID_ARGUMENT);
    CHECK(policy == NULL);
}

static void a_message_and_its_hint_are_apart(void) {
    stockade_policy *policy = NULL;
    CHECK(failed_with(stockade_policy_from_toml("[limits]\nmemory = 1", &policy, ERROR),
                      STOCKADE_INVALID_POLICY));
    CHECK(message_has("limits.memory"));
    CHECK(message_has("at least 1MiB"));
    CHECK(contains(stockade_error_hint(last_error), "limits.memory"));
    CHECK(!contains(stockade_error_message(last_error), stockade_error_hint(last_error)));
}

static void an_argument_of_c_is_named(void) {
    CHECK(failed_with(stockade_policy_new(NULL, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("policy"));
}

static void an_error_can_be_written_as_json(void) {
    stockade_policy *policy = NULL;
    char *json = NULL;
    stockade_error *failure = NULL;
    CHECK(stockade_policy_from_json("{\"limits\":{\"memroy\":1}}", &policy, ERROR) != STOCKADE_OK);
    NEED(stockade_error_json(last_error, &json, &failure) == STOCKADE_OK);
    CHECK(failure == NULL);
    CHECK(json[0] == '{');
    CHECK(contains(json, "\"kind\":\"invalid_policy\""));
    CHECK(contains(json, "\"message\":"));
    CHECK(contains(json, "memroy"));
    CHECK(contains(json, "\"hint\":"));
    CHECK(contains(json, "\"errno\":null"));
    CHECK(contains(json, "\"unmet\":[]"));
    stockade_string_free(json);
    CHECK(stockade_error_json(last_error, NULL, &failure) == STOCKADE_INVALID_ARGUMENT);
    CHECK(stockade_error_kind(failure) == STOCKADE_INVALID_ARGUMENT);
    stockade_error_free(failure);
    CHECK(stockade_error_json(last_error, NULL, NULL) == STOCKADE_INVALID_ARGUMENT);
}

static void what_cannot_be_enforced_is_listed(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_policy *policy = NULL;
    stockade_report *report = NULL;
    char *json = NULL;
    if (sandbox == NULL)
        return;
    policy = weak_policy();
    CHECK(stockade_policy_set_limit(policy, STOCKADE_CONTROL_FUEL, 1000, ERROR) == STOCKADE_OK);
    CHECK(failed_with(stockade_run(sandbox, policy, TRUE, NULL, &report, ERROR), STOCKADE_UNSUPPORTED));
    CHECK(report == NULL);
    CHECK(message_has("fuel"));
    CHECK(contains(stockade_error_hint(last_error), "best_effort"));
    CHECK(stockade_error_json(last_error, &json, NULL) == STOCKADE_OK);
    CHECK(contains(json, "\"kind\":\"unsupported\""));
    CHECK(contains(json, "\"unmet\":[{"));
    CHECK(contains(json, "\"control\":\"fuel\""));
    stockade_string_free(json);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

static void what_is_only_approximated_is_unmet_too(void) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_policy *policy = NULL;
    stockade_prepared *prepared = NULL;
    char *json = NULL;
    CHECK(stockade_policy_new(&policy, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_limit(policy, STOCKADE_CONTROL_CPUS, 500, ERROR) == STOCKADE_OK);
    CHECK(failed_with(stockade_prepare_module(sandbox, policy, hello_module, sizeof hello_module, NULL,
                                              &prepared, ERROR),
                      STOCKADE_UNSUPPORTED));
    CHECK(stockade_error_json(last_error, &json, NULL) == STOCKADE_OK);
    CHECK(contains(json, "\"control\":\"cpus\""));
    CHECK(contains(json, "\"approximable\":true"));
    stockade_string_free(json);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

/* The kinds that a program can be made to see; `ended` and `host_lost` have programs of their own. */
static void each_kind_says_what_went_wrong(void) {
    static const char *const missing[] = {"/no/such/program", NULL};
    static const char *const no_program[] = {"/etc/passwd", NULL};
    stockade_sandbox *sandbox = native_sandbox();
    stockade_policy *policy = NULL;
    stockade_report *report = NULL;
    if (sandbox == NULL)
        return;
    policy = weak_policy();
    CHECK(failed_with(stockade_run(sandbox, policy, missing, NULL, &report, ERROR), STOCKADE_NOT_FOUND));
    CHECK(message_has("/no/such/program"));
    CHECK(failed_with(stockade_run(sandbox, policy, no_program, NULL, &report, ERROR),
                      STOCKADE_PERMISSION_DENIED));
    CHECK(message_has("/etc/passwd"));
    CHECK(stockade_policy_add_bind(policy, "/no/such/place", "/data", STOCKADE_READ_ONLY, ERROR)
          == STOCKADE_OK);
    CHECK(failed_with(stockade_run(sandbox, policy, TRUE, NULL, &report, ERROR), STOCKADE_NOT_FOUND));
    CHECK(message_has("/no/such/place"));
    CHECK(report == NULL);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

static void a_directory_cannot_be_read_as_input(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_policy *policy = NULL;
    stockade_report *report = NULL;
    stockade_stdio stdio = {{0}, {0}, {0}};
    static const char *const cat[] = {"cat", NULL};
    if (sandbox == NULL)
        return;
    policy = weak_policy();
    stdio.input.kind = STOCKADE_STREAM_FD;
    stdio.input.fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(failed_with(stockade_run(sandbox, policy, cat, &stdio, &report, ERROR), STOCKADE_IO));
    CHECK(report == NULL);
    CHECK(close(stdio.input.fd) == 0);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

/* With no descriptor left, everything fails with a kind and a message, and works again afterwards. */
static void a_host_without_descriptors_gets_errors(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_sandbox *another = NULL;
    stockade_report *report = NULL;
    stockade_policy *policy = NULL;
    struct rlimit limit, low;
    if (sandbox == NULL)
        return;
    policy = weak_policy();
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (rlim_t free = 0; free < 12; free++) {
        int32_t status, kind;
        low = limit;
        /* One that is not taken is the lowest that a new descriptor would get. */
        low.rlim_cur = (rlim_t)open_descriptors() + free;
        CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
        status = stockade_run(sandbox, policy, TRUE, NULL, &report, ERROR);
        kind = stockade_error_kind(last_error);
        CHECK(status == STOCKADE_OK || (kind == status && kind != STOCKADE_INTERNAL));
        stockade_report_free(report);
        report = NULL;
        status = stockade_sandbox_new(STOCKADE_BACKEND_NAMESPACE, NULL, &another, ERROR);
        kind = stockade_error_kind(last_error);
        CHECK(status == STOCKADE_OK || (kind == status && kind != STOCKADE_INTERNAL));
        stockade_sandbox_free(another);
        another = NULL;
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    }
    report = run_shell(sandbox, policy, "exit 4", NULL);
    CHECK(has_exited(report, 4));
    stockade_report_free(report);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

static const struct test TESTS[] = {
    TEST(no_error_is_ok_and_says_nothing),
    TEST(an_error_is_not_touched_by_success),
    TEST(results_are_not_touched_by_failure),
    TEST(nobody_has_to_ask_for_an_error),
    TEST(a_message_and_its_hint_are_apart),
    TEST(an_argument_of_c_is_named),
    TEST(an_error_can_be_written_as_json),
    TEST(what_cannot_be_enforced_is_listed),
    TEST(what_is_only_approximated_is_unmet_too),
    TEST(each_kind_says_what_went_wrong),
    TEST(a_directory_cannot_be_read_as_input),
    TEST(a_host_without_descriptors_gets_errors),
};

MAIN(TESTS)
