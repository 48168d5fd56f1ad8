/* Words: the version, the names of constants, and what the host can do. */
#include "check.h"

static void the_version_is_three_numbers(void) {
    unsigned major = 99, minor = 99, patch = 99;
    CHECK(sscanf(stockade_version(), "%u.%u.%u", &major, &minor, &patch) == 3);
    CHECK(major < 99 && minor < 99 && patch < 99);
    CHECK(stockade_version() == stockade_version());
}

static const struct named {
    int32_t constant;
    const char *name;
} NAMES[] = {
    {STOCKADE_OK, "ok"},
    {STOCKADE_INVALID_POLICY, "invalid_policy"},
    {STOCKADE_UNSUPPORTED, "unsupported"},
    {STOCKADE_NOT_FOUND, "not_found"},
    {STOCKADE_PERMISSION_DENIED, "permission_denied"},
    {STOCKADE_SETUP, "setup"},
    {STOCKADE_HOST_LOST, "host_lost"},
    {STOCKADE_IO, "io"},
    {STOCKADE_INTERNAL, "internal"},
    {STOCKADE_INVALID_ARGUMENT, "invalid_argument"},
    {STOCKADE_ENDED, "ended"},
    {STOCKADE_BACKEND_AUTO, "auto"},
    {STOCKADE_BACKEND_NAMESPACE, "namespace"},
    {STOCKADE_BACKEND_WASM, "wasm"},
    {STOCKADE_CONTROL_MEMORY, "memory"},
    {STOCKADE_CONTROL_CPU_TIME, "cpu_time"},
    {STOCKADE_CONTROL_WALL_TIME, "wall_time"},
    {STOCKADE_CONTROL_CPUS, "cpus"},
    {STOCKADE_CONTROL_PROCESSES, "processes"},
    {STOCKADE_CONTROL_OPEN_FILES, "open_files"},
    {STOCKADE_CONTROL_FILE_SIZE, "file_size"},
    {STOCKADE_CONTROL_DISK, "disk"},
    {STOCKADE_CONTROL_OUTPUT, "output"},
    {STOCKADE_CONTROL_FUEL, "fuel"},
    {STOCKADE_CONTROL_FILESYSTEM, "filesystem"},
    {STOCKADE_CONTROL_NETWORK, "network"},
    {STOCKADE_CONTROL_SYSCALLS, "syscalls"},
    {STOCKADE_CONTROL_PRIVILEGES, "privileges"},
    {STOCKADE_CONTROL_PROCESS_TREE, "process_tree"},
    {STOCKADE_CONTROL_IPC, "ipc"},
    {STOCKADE_VERDICT_EXITED, "exited"},
    {STOCKADE_VERDICT_SIGNALED, "signaled"},
    {STOCKADE_VERDICT_LIMIT, "limit"},
    {STOCKADE_VERDICT_DENIED, "denied"},
    {STOCKADE_VERDICT_TRAPPED, "trapped"},
    {STOCKADE_VERDICT_CANCELLED, "cancelled"},
    {STOCKADE_ENFORCED, "enforced"},
    {STOCKADE_APPROXIMATED, "approximated"},
    {STOCKADE_NOT_ENFORCED, "not_enforced"},
    {STOCKADE_BASE_SYSTEM, "system"},
    {STOCKADE_BASE_EMPTY, "empty"},
    {STOCKADE_NETWORK_NONE, "none"},
    {STOCKADE_NETWORK_LOOPBACK, "loopback"},
    {STOCKADE_NETWORK_HOST, "host"},
    {STOCKADE_SYSCALLS_DEFAULT, "default"},
    {STOCKADE_SYSCALLS_STRICT, "strict"},
    {STOCKADE_OUTPUT_STOP, "stop"},
    {STOCKADE_OUTPUT_TRUNCATE, "truncate"},
    {STOCKADE_READ_ONLY, "ro"},
    {STOCKADE_READ_WRITE, "rw"},
};

static void every_constant_has_the_word_that_policies_and_reports_use(void) {
    for (size_t at = 0; at < COUNT(NAMES); at++) {
        const char *name = stockade_name(NAMES[at].constant);
        if (!CHECK(name != NULL && strcmp(name, NAMES[at].name) == 0))
            printf("#   %d is %s, not %s\n", NAMES[at].constant, NAMES[at].name,
                   name != NULL ? name : "nameless");
    }
}

static void another_number_has_no_name(void) {
    static const int32_t numbers[] = {-1, 11, 99, 103, 199, 216, 306, 403, 999, INT32_MIN, INT32_MAX};
    for (size_t at = 0; at < COUNT(numbers); at++)
        CHECK(stockade_name(numbers[at]) == NULL);
}

static void a_null_string_can_be_freed(void) {
    stockade_string_free(NULL);
}

static void the_doctor_knows_both_backends(void) {
    char *json = NULL;
    NEED(stockade_doctor_json(&json, ERROR) == STOCKADE_OK);
    NEED(json != NULL);
    CHECK(json[0] == '{');
    CHECK(json[strlen(json) - 1] == '}');
    CHECK(contains(json, "\"namespace\""));
    CHECK(contains(json, "\"wasm\""));
    CHECK(contains(json, stockade_version()));
    stockade_string_free(json);
}

static void the_doctor_needs_a_place_for_the_answer(void) {
    CHECK(failed_with(stockade_doctor_json(NULL, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("json"));
    CHECK(stockade_doctor_json(NULL, NULL) == STOCKADE_INVALID_ARGUMENT);
}

static const struct test TESTS[] = {
    TEST(the_version_is_three_numbers),
    TEST(every_constant_has_the_word_that_policies_and_reports_use),
    TEST(another_number_has_no_name),
    TEST(a_null_string_can_be_freed),
    TEST(the_doctor_knows_both_backends),
    TEST(the_doctor_needs_a_place_for_the_answer),
};

MAIN(TESTS)
