/* Limits: each ends a run with a verdict that says which, what it was and what was seen. */
#include "check.h"

static stockade_policy *limited(int32_t control, uint64_t amount) {
    stockade_policy *policy = weak_policy();
    CHECK(stockade_policy_set_limit(policy, control, amount, ERROR) == STOCKADE_OK);
    return policy;
}

/* Runs a line of shell that is to hit a limit. */
static void ends_at(int32_t control, uint64_t amount, const char *script) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_policy *policy = NULL;
    stockade_report *report = NULL;
    char *json = NULL, kind[64];
    if (sandbox == NULL)
        return;
    policy = limited(control, amount);
    report = run_shell(sandbox, policy, script, NULL);
    CHECK(hit_limit(report, control));
    CHECK(stockade_report_amount(report, STOCKADE_LIMIT) == amount);
    CHECK(stockade_report_amount(report, STOCKADE_OBSERVED) >= amount);
    CHECK(stockade_report_json(report, &json, ERROR) == STOCKADE_OK);
    snprintf(kind, sizeof kind, "\"kind\":\"limit\",\"control\":\"%s\"", stockade_name(control));
    CHECK(contains(json, kind));
    stockade_string_free(json);
    stockade_report_free(report);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

static void wall_time_ends_a_run(void) {
    ends_at(STOCKADE_CONTROL_WALL_TIME, 200000000u, "sleep 60");
}

static void cpu_time_ends_a_run(void) {
    ends_at(STOCKADE_CONTROL_CPU_TIME, 200000000u, "while :; do :; done");
}

static void memory_ends_a_run(void) {
    ends_at(STOCKADE_CONTROL_MEMORY, 32u << 20, "cat /dev/zero | tail -c 512M");
}

/* One more than is allowed, and no fork beyond it: a shell that cannot fork ends, and without control
 * groups one more is let through and found by a count, every 4 ms. */
static void processes_end_a_run(void) {
    ends_at(STOCKADE_CONTROL_PROCESSES, 4,
            "for one in 1 2 3 4; do sleep 60 & done; while :; do :; done");
}

static void output_ends_a_run(void) {
    ends_at(STOCKADE_CONTROL_OUTPUT, 65536, "cat /dev/zero");
}

static void file_size_ends_a_run(void) {
    ends_at(STOCKADE_CONTROL_FILE_SIZE, 65536, "exec dd if=/dev/zero of=/tmp/large bs=4096 count=64");
}

static void a_full_disk_ends_a_run_that_fails_of_it(void) {
    ends_at(STOCKADE_CONTROL_DISK, 1u << 20, "dd if=/dev/zero of=/tmp/large bs=65536 count=64");
}

/* The table is looked at while the program runs, so it stays full for a second. The shell keeps its
 * input in descriptor 10 meanwhile, which `sleep` does not get. */
static void a_full_table_of_descriptors_ends_a_run_that_fails_of_it(void) {
    ends_at(STOCKADE_CONTROL_OPEN_FILES, 11,
            "exec 3</dev/null 4<&3 5<&3 6<&3 7<&3 8<&3 9<&3; { sleep 1; } 0<&3; exit 1");
}

static void a_rate_slows_and_ends_nothing(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_policy *policy = NULL;
    stockade_report *report = NULL;
    if (sandbox == NULL)
        return;
    policy = limited(STOCKADE_CONTROL_CPUS, 500);
    report = run_shell(sandbox, policy, "exit 5", NULL);
    CHECK(has_exited(report, 5));
    CHECK(stockade_report_enforcement(report, STOCKADE_CONTROL_CPUS) != 0);
    stockade_report_free(report);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

static void output_may_be_cut_instead(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_policy *policy = NULL;
    stockade_report *report = NULL;
    size_t length = 0;
    if (sandbox == NULL)
        return;
    policy = limited(STOCKADE_CONTROL_OUTPUT, 10);
    CHECK(stockade_policy_set(policy, STOCKADE_OUTPUT_TRUNCATE, ERROR) == STOCKADE_OK);
    report = run_shell(sandbox, policy, "printf 123456789012345; printf 12345 >&2; exit 6", NULL);
    CHECK(has_exited(report, 6));
    CHECK(has_output(report, STOCKADE_STDOUT, "1234567890"));
    CHECK(stockade_report_output(report, STOCKADE_STDERR, &length) != NULL && length == 5);
    CHECK(stockade_report_amount(report, STOCKADE_STDOUT_TRUNCATED) == 1);
    CHECK(stockade_report_amount(report, STOCKADE_STDERR_TRUNCATED) == 0);
    CHECK(stockade_report_control(report) == 0);
    stockade_report_free(report);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

/* A filter that does not allow a call kills with SIGSYS, and that is how it is told. */
static void a_forbidden_act_is_denied(void) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_report *report = NULL;
    char *json = NULL;
    if (sandbox == NULL)
        return;
    report = run_shell(sandbox, NULL, "kill -SYS $$", NULL);
    CHECK(stockade_report_verdict(report) == STOCKADE_VERDICT_DENIED);
    CHECK(stockade_report_control(report) == STOCKADE_CONTROL_SYSCALLS);
    CHECK(stockade_report_code(report) == -1);
    CHECK(stockade_report_json(report, &json, ERROR) == STOCKADE_OK);
    CHECK(contains(json, "\"kind\":\"denied\""));
    stockade_string_free(json);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static const struct test TESTS[] = {
    TEST(wall_time_ends_a_run),
    TEST(cpu_time_ends_a_run),
    TEST(memory_ends_a_run),
    TEST(processes_end_a_run),
    TEST(output_ends_a_run),
    TEST(file_size_ends_a_run),
    TEST(a_full_disk_ends_a_run_that_fails_of_it),
    TEST(a_full_table_of_descriptors_ends_a_run_that_fails_of_it),
    TEST(a_rate_slows_and_ends_nothing),
    TEST(output_may_be_cut_instead),
    TEST(a_forbidden_act_is_denied),
};

MAIN(TESTS)
