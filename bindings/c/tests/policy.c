/* Policies built by setters: what each sets, what it refuses, and that a refusal changes nothing. */
#include "check.h"

static char *as_json(const stockade_policy *policy) {
    char *json = NULL;
    CHECK(stockade_policy_to_json(policy, &json, ERROR) == STOCKADE_OK);
    return json;
}

/* Whether the policy, as JSON, has this text in it. */
static int has(const stockade_policy *policy, const char *text) {
    char *json = as_json(policy);
    int found = contains(json, text);
    if (!found)
        printf("#   no %s in %s\n", text, json != NULL ? json : "none");
    stockade_string_free(json);
    return found;
}

static stockade_policy *fresh(void) {
    stockade_policy *policy = NULL;
    CHECK(stockade_policy_new(&policy, ERROR) == STOCKADE_OK);
    return policy;
}

/* Whether a setter was refused so, with a message that names `word`, and nothing is changed since
 * `before`, which is freed. */
static int refused(int32_t status, int32_t kind, const char *word, char *before,
                   const stockade_policy *policy) {
    int so = failed_with(status, kind) && message_has(word);
    char *message = strdup(last_message());
    char *after = as_json(policy);
    int same = before != NULL && after != NULL && strcmp(before, after) == 0;
    if (!so || !same)
        printf("#   status %d, wanted %d and `%s`: %s\n#   before %s\n#   after  %s\n", status, kind,
               word, message, before != NULL ? before : "none", after != NULL ? after : "none");
    free(message);
    stockade_string_free(before);
    stockade_string_free(after);
    return so && same;
}

#define REFUSED(kind, word, policy, call)                                                         \
    do {                                                                                          \
        char *before = as_json(policy);                                                           \
        CHECK(refused(call, kind, word, before, policy));                                         \
    } while (0)

static void a_new_policy_is_the_default(void) {
    stockade_policy *policy = fresh(), *read = NULL;
    char *built = NULL, *parsed = NULL;
    CHECK(stockade_policy_from_json("{}", &read, ERROR) == STOCKADE_OK);
    built = as_json(policy);
    parsed = as_json(read);
    NEED(built != NULL && parsed != NULL);
    CHECK(strcmp(built, parsed) == 0);
    stockade_string_free(built);
    stockade_string_free(parsed);
    stockade_policy_free(policy);
    stockade_policy_free(read);
    stockade_policy_free(NULL);
}

static void every_choice_is_set(void) {
    static const struct {
        int32_t choice;
        const char *text;
    } choices[] = {
        {STOCKADE_BASE_EMPTY, "\"base\":\"empty\""},
        {STOCKADE_BASE_SYSTEM, "\"base\":\"system\""},
        {STOCKADE_NETWORK_LOOPBACK, "\"mode\":\"loopback\""},
        {STOCKADE_NETWORK_HOST, "\"mode\":\"host\""},
        {STOCKADE_NETWORK_NONE, "\"mode\":\"none\""},
        {STOCKADE_SYSCALLS_STRICT, "\"profile\":\"strict\""},
        {STOCKADE_SYSCALLS_DEFAULT, "\"profile\":\"default\""},
        {STOCKADE_OUTPUT_TRUNCATE, "\"output_overflow\":\"truncate\""},
        {STOCKADE_OUTPUT_STOP, "\"output_overflow\":\"stop\""},
    };
    stockade_policy *policy = fresh();
    for (size_t at = 0; at < COUNT(choices); at++) {
        CHECK(stockade_policy_set(policy, choices[at].choice, ERROR) == STOCKADE_OK);
        CHECK(has(policy, choices[at].text));
    }
    stockade_policy_free(policy);
}

static void another_number_is_no_choice(void) {
    static const int32_t numbers[] = {0, -1, 499, 502, 532, STOCKADE_READ_ONLY, STOCKADE_CONTROL_MEMORY};
    stockade_policy *policy = fresh();
    for (size_t at = 0; at < COUNT(numbers); at++)
        REFUSED(STOCKADE_INVALID_ARGUMENT, "choice", policy,
                stockade_policy_set(policy, numbers[at], ERROR));
    stockade_policy_free(policy);
}

static void every_limit_is_set(void) {
    static const struct {
        int32_t control;
        uint64_t amount;
        const char *text;
    } limits[] = {
        {STOCKADE_CONTROL_MEMORY, 64u << 20, "\"memory\":\"64MiB\""},
        {STOCKADE_CONTROL_MEMORY, STOCKADE_UNLIMITED, "\"memory\":\"unlimited\""},
        {STOCKADE_CONTROL_CPU_TIME, 1500000000u, "\"cpu_time\":\"1s 500ms\""},
        {STOCKADE_CONTROL_CPU_TIME, STOCKADE_UNLIMITED, "\"cpu_time\":\"unlimited\""},
        {STOCKADE_CONTROL_WALL_TIME, 2000000000u, "\"wall_time\":\"2s\""},
        {STOCKADE_CONTROL_WALL_TIME, STOCKADE_UNLIMITED, "\"wall_time\":\"unlimited\""},
        {STOCKADE_CONTROL_CPUS, 500, "\"cpus\":0.5"},
        {STOCKADE_CONTROL_PROCESSES, 7, "\"processes\":7"},
        {STOCKADE_CONTROL_PROCESSES, STOCKADE_UNLIMITED, "\"processes\":\"unlimited\""},
        {STOCKADE_CONTROL_OPEN_FILES, 32, "\"open_files\":32"},
        {STOCKADE_CONTROL_OPEN_FILES, STOCKADE_UNLIMITED, "\"open_files\":\"unlimited\""},
        {STOCKADE_CONTROL_FILE_SIZE, 4096, "\"file_size\":\"4KiB\""},
        {STOCKADE_CONTROL_FILE_SIZE, STOCKADE_UNLIMITED, "\"file_size\":\"unlimited\""},
        {STOCKADE_CONTROL_DISK, 1u << 20, "\"disk\":\"1MiB\""},
        {STOCKADE_CONTROL_DISK, STOCKADE_UNLIMITED, "\"disk\":\"unlimited\""},
        {STOCKADE_CONTROL_OUTPUT, 0, "\"output\":"},
        {STOCKADE_CONTROL_OUTPUT, STOCKADE_UNLIMITED, "\"output\":\"unlimited\""},
        {STOCKADE_CONTROL_FUEL, 1000, "\"fuel\":1000"},
    };
    stockade_policy *policy = fresh();
    for (size_t at = 0; at < COUNT(limits); at++) {
        CHECK(stockade_policy_set_limit(policy, limits[at].control, limits[at].amount, ERROR)
              == STOCKADE_OK);
        CHECK(has(policy, limits[at].text));
    }
    stockade_policy_free(policy);
}

static void unlimited_removes_cpus_and_fuel(void) {
    stockade_policy *policy = fresh();
    char *json = NULL;
    CHECK(stockade_policy_set_limit(policy, STOCKADE_CONTROL_CPUS, 250, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_limit(policy, STOCKADE_CONTROL_FUEL, 9, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_limit(policy, STOCKADE_CONTROL_CPUS, STOCKADE_UNLIMITED, ERROR)
          == STOCKADE_OK);
    CHECK(stockade_policy_set_limit(policy, STOCKADE_CONTROL_FUEL, STOCKADE_UNLIMITED, ERROR)
          == STOCKADE_OK);
    json = as_json(policy);
    CHECK(!contains(json, "\"cpus\"") && !contains(json, "\"fuel\""));
    stockade_string_free(json);
    stockade_policy_free(policy);
}

static void a_senseless_limit_is_refused(void) {
    static const struct {
        int32_t control;
        uint64_t amount;
        const char *key;
    } limits[] = {
        {STOCKADE_CONTROL_MEMORY, 0, "limits.memory"},
        {STOCKADE_CONTROL_MEMORY, (1u << 20) - 1, "limits.memory"},
        {STOCKADE_CONTROL_CPU_TIME, 0, "limits.cpu_time"},
        {STOCKADE_CONTROL_CPU_TIME, UINT64_MAX - 1, "limits.cpu_time"},
        {STOCKADE_CONTROL_WALL_TIME, 999999, "limits.wall_time"},
        {STOCKADE_CONTROL_WALL_TIME, (uint64_t)INT64_MAX + 1, "limits.wall_time"},
        {STOCKADE_CONTROL_CPUS, 0, "limits.cpus"},
        {STOCKADE_CONTROL_CPUS, 9, "limits.cpus"},
        {STOCKADE_CONTROL_CPUS, 4096001, "limits.cpus"},
        {STOCKADE_CONTROL_CPUS, (1ull << 32) + 500, "limits.cpus"},
        {STOCKADE_CONTROL_PROCESSES, 0, "limits.processes"},
        {STOCKADE_CONTROL_OPEN_FILES, 7, "limits.open_files"},
        {STOCKADE_CONTROL_FILE_SIZE, 0, "limits.file_size"},
        {STOCKADE_CONTROL_DISK, 65535, "limits.disk"},
        {STOCKADE_CONTROL_FUEL, 0, "limits.fuel"},
    };
    stockade_policy *policy = fresh();
    for (size_t at = 0; at < COUNT(limits); at++)
        REFUSED(STOCKADE_INVALID_POLICY, limits[at].key, policy,
                stockade_policy_set_limit(policy, limits[at].control, limits[at].amount, ERROR));
    stockade_policy_free(policy);
}

static void what_is_no_limit_has_no_amount(void) {
    static const int32_t controls[] = {STOCKADE_CONTROL_FILESYSTEM, STOCKADE_CONTROL_NETWORK,
        STOCKADE_CONTROL_SYSCALLS, STOCKADE_CONTROL_PRIVILEGES, STOCKADE_CONTROL_PROCESS_TREE,
        STOCKADE_CONTROL_IPC, 0, -1, 199, 216, STOCKADE_VERDICT_LIMIT};
    stockade_policy *policy = fresh();
    for (size_t at = 0; at < COUNT(controls); at++)
        REFUSED(STOCKADE_INVALID_ARGUMENT, "control", policy,
                stockade_policy_set_limit(policy, controls[at], 1u << 20, ERROR));
    stockade_policy_free(policy);
}

static void a_rootfs_is_set_and_replaced(void) {
    stockade_policy *policy = fresh();
    CHECK(stockade_policy_set_rootfs(policy, "/srv/root", ERROR) == STOCKADE_OK);
    CHECK(has(policy, "{\"rootfs\":\"/srv/root\"}"));
    REFUSED(STOCKADE_INVALID_POLICY, "rootfs", policy, stockade_policy_set_rootfs(policy, "", ERROR));
    REFUSED(STOCKADE_INVALID_ARGUMENT, "path", policy, stockade_policy_set_rootfs(policy, NULL, ERROR));
    /* A path of the host's is bytes. */
    CHECK(stockade_policy_set_rootfs(policy, "/\xff", ERROR) == STOCKADE_OK);
    CHECK(has(policy, "{\"rootfs\":[47,255]}"));
    CHECK(stockade_policy_set_writable_rootfs(policy, "/srv/root", ERROR) == STOCKADE_OK);
    CHECK(has(policy, "{\"rootfs\":\"/srv/root\",\"writable\":true}"));
    REFUSED(STOCKADE_INVALID_POLICY, "rootfs", policy,
            stockade_policy_set_writable_rootfs(policy, "", ERROR));
    REFUSED(STOCKADE_INVALID_ARGUMENT, "path", policy,
            stockade_policy_set_writable_rootfs(policy, NULL, ERROR));
    CHECK(stockade_policy_set(policy, STOCKADE_BASE_SYSTEM, ERROR) == STOCKADE_OK);
    CHECK(has(policy, "\"base\":\"system\""));
    stockade_policy_free(policy);
}

static void binds_are_added_in_order(void) {
    stockade_policy *policy = fresh();
    CHECK(stockade_policy_add_bind(policy, "/srv/a", "/a", STOCKADE_READ_ONLY, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_add_bind(policy, "/srv/b", "/b", STOCKADE_READ_WRITE, ERROR) == STOCKADE_OK);
    CHECK(has(policy, "\"/srv/a\"") && has(policy, "\"ro\""));
    CHECK(has(policy, "\"/srv/b\"") && has(policy, "\"rw\""));
    REFUSED(STOCKADE_INVALID_POLICY, "mounts[2].target", policy,
            stockade_policy_add_bind(policy, "/srv/c", "/a", STOCKADE_READ_ONLY, ERROR));
    REFUSED(STOCKADE_INVALID_POLICY, "mounts[2].target", policy,
            stockade_policy_add_bind(policy, "/srv/c", "/proc", STOCKADE_READ_ONLY, ERROR));
    REFUSED(STOCKADE_INVALID_POLICY, "mounts[2].target", policy,
            stockade_policy_add_bind(policy, "/srv/c", "c/../d", STOCKADE_READ_ONLY, ERROR));
    REFUSED(STOCKADE_INVALID_POLICY, "mounts[2].bind", policy,
            stockade_policy_add_bind(policy, "", "/c", STOCKADE_READ_ONLY, ERROR));
    REFUSED(STOCKADE_INVALID_ARGUMENT, "access", policy,
            stockade_policy_add_bind(policy, "/srv/c", "/c", 0, ERROR));
    REFUSED(STOCKADE_INVALID_ARGUMENT, "access", policy,
            stockade_policy_add_bind(policy, "/srv/c", "/c", STOCKADE_BASE_EMPTY, ERROR));
    REFUSED(STOCKADE_INVALID_ARGUMENT, "source", policy,
            stockade_policy_add_bind(policy, NULL, "/c", STOCKADE_READ_ONLY, ERROR));
    REFUSED(STOCKADE_INVALID_ARGUMENT, "target", policy,
            stockade_policy_add_bind(policy, "/srv/c", NULL, STOCKADE_READ_ONLY, ERROR));
    REFUSED(STOCKADE_INVALID_ARGUMENT, "target", policy,
            stockade_policy_add_bind(policy, "/srv/c", "/\xc3", STOCKADE_READ_ONLY, ERROR));
    stockade_policy_free(policy);
}

static void in_memory_folders_are_added(void) {
    stockade_policy *policy = fresh();
    CHECK(stockade_policy_add_tmpfs(policy, "/shared", 0, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_add_tmpfs(policy, "/own", 1u << 20, ERROR) == STOCKADE_OK);
    CHECK(has(policy, "{\"tmpfs\":\"/shared\"}") && has(policy, "\"1MiB\""));
    REFUSED(STOCKADE_INVALID_POLICY, "mounts[2].size", policy,
            stockade_policy_add_tmpfs(policy, "/small", 4095, ERROR));
    REFUSED(STOCKADE_INVALID_POLICY, "mounts[2].target", policy,
            stockade_policy_add_tmpfs(policy, "/own", 0, ERROR));
    REFUSED(STOCKADE_INVALID_POLICY, "limits.disk", policy,
            stockade_policy_add_tmpfs(policy, "/large", 1ull << 40, ERROR));
    REFUSED(STOCKADE_INVALID_ARGUMENT, "target", policy,
            stockade_policy_add_tmpfs(policy, NULL, 0, ERROR));
    REFUSED(STOCKADE_INVALID_POLICY, "limits.disk", policy,
            stockade_policy_set_limit(policy, STOCKADE_CONTROL_DISK, 65536, ERROR));
    stockade_policy_free(policy);
}

static void files_are_added_with_their_contents(void) {
    stockade_policy *policy = fresh();
    CHECK(stockade_policy_add_file(policy, "/data/text", "words", 5, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_add_file(policy, "/data/empty", NULL, 0, ERROR) == STOCKADE_OK);
    CHECK(has(policy, "\"words\"") && has(policy, "\"/data/empty\""));
    REFUSED(STOCKADE_INVALID_ARGUMENT, "contents", policy,
            stockade_policy_add_file(policy, "/data/none", NULL, 1, ERROR));
    REFUSED(STOCKADE_INVALID_ARGUMENT, "target", policy,
            stockade_policy_add_file(policy, NULL, "x", 1, ERROR));
    REFUSED(STOCKADE_INVALID_POLICY, "mounts[2].target", policy,
            stockade_policy_add_file(policy, "data", "x", 1, ERROR));
    stockade_policy_free(policy);
}

static void what_is_null_of_a_process_stays(void) {
    stockade_policy *policy = fresh();
    CHECK(stockade_policy_set_process(policy, "/", "box", ERROR) == STOCKADE_OK);
    CHECK(has(policy, "\"cwd\":\"/\"") && has(policy, "\"hostname\":\"box\""));
    CHECK(stockade_policy_set_process(policy, "/usr", NULL, ERROR) == STOCKADE_OK);
    CHECK(has(policy, "\"cwd\":\"/usr\"") && has(policy, "\"hostname\":\"box\""));
    CHECK(stockade_policy_set_process(policy, NULL, "b.c", ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_process(policy, NULL, NULL, ERROR) == STOCKADE_OK);
    CHECK(has(policy, "\"cwd\":\"/usr\"") && has(policy, "\"hostname\":\"b.c\""));
    REFUSED(STOCKADE_INVALID_POLICY, "process.cwd", policy,
            stockade_policy_set_process(policy, "tmp", "new", ERROR));
    REFUSED(STOCKADE_INVALID_POLICY, "process.hostname", policy,
            stockade_policy_set_process(policy, "/new", "a b", ERROR));
    REFUSED(STOCKADE_INVALID_ARGUMENT, "cwd", policy,
            stockade_policy_set_process(policy, "/\xff", NULL, ERROR));
    REFUSED(STOCKADE_INVALID_ARGUMENT, "hostname", policy,
            stockade_policy_set_process(policy, "/new", "\xff", ERROR));
    stockade_policy_free(policy);
}

static void variables_are_set_and_removed(void) {
    stockade_policy *policy = fresh();
    char *json = NULL;
    CHECK(stockade_policy_set_env(policy, "COLOUR", "gr\xc3\xbcn", ERROR) == STOCKADE_OK);
    CHECK(has(policy, "\"COLOUR\":\"gr\xc3\xbcn\""));
    CHECK(stockade_policy_set_env(policy, "COLOUR", "", ERROR) == STOCKADE_OK);
    CHECK(has(policy, "\"COLOUR\":\"\""));
    CHECK(stockade_policy_set_env(policy, "COLOUR", NULL, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_env(policy, "LANG", NULL, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_env(policy, "NEVER_SET", NULL, ERROR) == STOCKADE_OK);
    json = as_json(policy);
    CHECK(!contains(json, "COLOUR") && !contains(json, "LANG") && contains(json, "PATH"));
    stockade_string_free(json);
    REFUSED(STOCKADE_INVALID_POLICY, "process.env", policy,
            stockade_policy_set_env(policy, "", "x", ERROR));
    REFUSED(STOCKADE_INVALID_POLICY, "process.env", policy,
            stockade_policy_set_env(policy, "A=B", "x", ERROR));
    REFUSED(STOCKADE_INVALID_ARGUMENT, "name", policy,
            stockade_policy_set_env(policy, NULL, "x", ERROR));
    REFUSED(STOCKADE_INVALID_ARGUMENT, "name", policy,
            stockade_policy_set_env(policy, "\xff", "x", ERROR));
    REFUSED(STOCKADE_INVALID_ARGUMENT, "value", policy,
            stockade_policy_set_env(policy, "A", "\xff", ERROR));
    stockade_policy_free(policy);
}

static void every_control_may_be_best_effort(void) {
    stockade_policy *policy = fresh();
    for (int32_t control = STOCKADE_CONTROL_MEMORY; control <= STOCKADE_CONTROL_IPC; control++) {
        CHECK(stockade_policy_set_best_effort(policy, control, ERROR) == STOCKADE_OK);
        CHECK(stockade_policy_set_best_effort(policy, control, ERROR) == STOCKADE_OK);
    }
    CHECK(has(policy, "\"best_effort\":[\"memory\",\"cpu_time\",\"wall_time\",\"cpus\",\"processes\","
                      "\"open_files\",\"file_size\",\"disk\",\"output\",\"fuel\",\"filesystem\","
                      "\"network\",\"syscalls\",\"privileges\",\"process_tree\",\"ipc\"]"));
    REFUSED(STOCKADE_INVALID_ARGUMENT, "control", policy,
            stockade_policy_set_best_effort(policy, 216, ERROR));
    REFUSED(STOCKADE_INVALID_ARGUMENT, "control", policy,
            stockade_policy_set_best_effort(policy, 0, ERROR));
    stockade_policy_free(policy);
}

static const struct test TESTS[] = {
    TEST(a_new_policy_is_the_default),
    TEST(every_choice_is_set),
    TEST(another_number_is_no_choice),
    TEST(every_limit_is_set),
    TEST(unlimited_removes_cpus_and_fuel),
    TEST(a_senseless_limit_is_refused),
    TEST(what_is_no_limit_has_no_amount),
    TEST(a_rootfs_is_set_and_replaced),
    TEST(binds_are_added_in_order),
    TEST(in_memory_folders_are_added),
    TEST(files_are_added_with_their_contents),
    TEST(what_is_null_of_a_process_stays),
    TEST(variables_are_set_and_removed),
    TEST(every_control_may_be_best_effort),
};

MAIN(TESTS)
