/* Policies as text: read from JSON and TOML, written as JSON, and held by what runs under them. */
#include "check.h"

static void json_and_toml_say_the_same(void) {
    stockade_policy *json = NULL, *toml = NULL, *built = NULL;
    char *texts[3] = {NULL, NULL, NULL};
    CHECK(stockade_policy_from_json("{\"limits\":{\"memory\":\"64MiB\",\"wall_time\":2},"
                                    "\"network\":{\"mode\":\"loopback\"}}", &json, ERROR)
          == STOCKADE_OK);
    CHECK(stockade_policy_from_toml("[limits]\nmemory = \"64MiB\"\nwall_time = 2\n"
                                    "[network]\nmode = \"loopback\"\n", &toml, ERROR)
          == STOCKADE_OK);
    CHECK(stockade_policy_new(&built, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_limit(built, STOCKADE_CONTROL_MEMORY, 64u << 20, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_limit(built, STOCKADE_CONTROL_WALL_TIME, 2000000000u, ERROR)
          == STOCKADE_OK);
    CHECK(stockade_policy_set(built, STOCKADE_NETWORK_LOOPBACK, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_to_json(json, &texts[0], ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_to_json(toml, &texts[1], ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_to_json(built, &texts[2], ERROR) == STOCKADE_OK);
    if (CHECK(texts[0] != NULL && texts[1] != NULL && texts[2] != NULL)) {
        CHECK(strcmp(texts[0], texts[1]) == 0);
        CHECK(strcmp(texts[0], texts[2]) == 0);
    }
    for (size_t at = 0; at < COUNT(texts); at++)
        stockade_string_free(texts[at]);
    stockade_policy_free(json);
    stockade_policy_free(toml);
    stockade_policy_free(built);
}

static void what_is_written_is_read_back(void) {
    static const char bytes[] = "a\0b\xff\xfe\n";
    stockade_policy *policy = NULL, *read = NULL;
    char *first = NULL, *second = NULL;
    CHECK(stockade_policy_new(&policy, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_add_file(policy, "/data/bytes", bytes, sizeof bytes, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_add_bind(policy, "/srv/\xc3\xa4", "/srv/a", STOCKADE_READ_WRITE, ERROR)
          == STOCKADE_OK);
    CHECK(stockade_policy_add_tmpfs(policy, "/own", 1u << 20, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_limit(policy, STOCKADE_CONTROL_CPUS, 1500, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_env(policy, "QUOTE", "\"\\\n", ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_best_effort(policy, STOCKADE_CONTROL_CPUS, ERROR) == STOCKADE_OK);
    NEED(stockade_policy_to_json(policy, &first, ERROR) == STOCKADE_OK);
    NEED(stockade_policy_from_json(first, &read, ERROR) == STOCKADE_OK);
    NEED(stockade_policy_to_json(read, &second, ERROR) == STOCKADE_OK);
    CHECK(strcmp(first, second) == 0);
    stockade_string_free(first);
    stockade_string_free(second);
    stockade_policy_free(policy);
    stockade_policy_free(read);
}

static void an_error_of_a_text_names_the_key(void) {
    static const struct {
        const char *text;
        const char *named;
    } json[] = {
        {"{\"limits\":{\"memroy\":1}}", "memroy"},
        {"{\"limits\":{\"memory\":\"lots\"}}", "limits.memory"},
        {"{\"limits\":{\"memory\":1}}", "limits.memory"},
        {"{\"limits\":{\"processes\":-1}}", "limits.processes"},
        {"{\"network\":{\"mode\":\"open\"}}", "network.mode"},
        {"{\"process\":{\"hostname\":\"\"}}", "process.hostname"},
        {"{\"filesystem\":{\"mounts\":[{\"tmpfs\":\"/proc\"}]}}", "filesystem.mounts[0].target"},
        {"{\"best_effort\":[\"everything\"]}", "best_effort"},
        {"[]", "JSON"},
        {"", "JSON"},
        {"{} {}", "JSON"},
    }, toml[] = {
        {"[limits]\nmemroy = 1", "memroy"},
        {"[limits]\nmemory = \"lots\"", "memory"},
        {"[limits]\nmemory = 1", "limits.memory"},
        {"warm = 129", "warm"},
        {"[limits\n", "TOML"},
        {"{}", "TOML"},
    };
    stockade_policy *policy = NULL;
    for (size_t at = 0; at < COUNT(json); at++) {
        CHECK(failed_with(stockade_policy_from_json(json[at].text, &policy, ERROR),
                          STOCKADE_INVALID_POLICY));
        CHECK(message_has(json[at].named));
        CHECK(stockade_error_hint(last_error) != NULL);
    }
    for (size_t at = 0; at < COUNT(toml); at++) {
        CHECK(failed_with(stockade_policy_from_toml(toml[at].text, &policy, ERROR),
                          STOCKADE_INVALID_POLICY));
        CHECK(message_has(toml[at].named));
        CHECK(stockade_error_hint(last_error) != NULL);
    }
    CHECK(policy == NULL);
}

static void a_text_is_utf_8(void) {
    stockade_policy *policy = NULL;
    CHECK(failed_with(stockade_policy_from_json("{\"\xff\":1}", &policy, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("text") && message_has("UTF-8"));
    CHECK(failed_with(stockade_policy_from_toml("a = \"\xc3\"", &policy, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("text") && message_has("UTF-8"));
    CHECK(policy == NULL);
}

static void a_text_of_many_megabytes_is_refused(void) {
    size_t length = 4u << 20;
    char *text = malloc(length + 1);
    stockade_policy *policy = NULL;
    NEED(text != NULL);
    memset(text, ' ', length);
    text[length] = '\0';
    CHECK(failed_with(stockade_policy_from_json(text, &policy, ERROR), STOCKADE_INVALID_POLICY));
    CHECK(message_has("bytes"));
    CHECK(failed_with(stockade_policy_from_toml(text, &policy, ERROR), STOCKADE_INVALID_POLICY));
    CHECK(policy == NULL);
    free(text);
}

static void deep_nesting_is_refused(void) {
    static char text[20001];
    stockade_policy *policy = NULL;
    memset(text, '[', sizeof text - 1);
    CHECK(failed_with(stockade_policy_from_json(text, &policy, ERROR), STOCKADE_INVALID_POLICY));
    memcpy(text, "a = ", 4);
    CHECK(failed_with(stockade_policy_from_toml(text, &policy, ERROR), STOCKADE_INVALID_POLICY));
    CHECK(policy == NULL);
}

static void a_program_sees_what_the_policy_says(void) {
    static const char bytes[] = "a\0b\0\0c"; /* and the NUL behind it */
    stockade_sandbox *sandbox = native_sandbox();
    stockade_policy *policy = NULL;
    stockade_report *report = NULL;
    const uint8_t *output;
    char path[FOLDER], file[FOLDER + 32], script[] = "cat /data/bytes; pwd; hostname; echo \"$COLOUR.$HOME.$LANG\"; "
                                        "cat /bound/words; echo more > /bound/new && cat /bound/new; "
                                        "echo x > /own/x && cat /own/x";
    size_t length = 0;
    if (sandbox == NULL)
        return;
    NEED(make_folder(path));
    CHECK(chmod(path, 0777) == 0);
    snprintf(file, sizeof file, "%s/words", path);
    CHECK(write_file(file, "words\n", 6) && chmod(file, 0644) == 0);
    policy = weak_policy();
    CHECK(stockade_policy_add_file(policy, "/data/bytes", bytes, sizeof bytes, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_add_bind(policy, path, "/bound", STOCKADE_READ_WRITE, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_add_tmpfs(policy, "/own", 1u << 20, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_process(policy, "/data", "box", ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_env(policy, "COLOUR", "green", ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_env(policy, "LANG", NULL, ERROR) == STOCKADE_OK);
    report = run_shell(sandbox, policy, script, NULL);
    CHECK(has_exited(report, 0));
    output = stockade_report_output(report, STOCKADE_STDOUT, &length);
    CHECK(length > sizeof bytes && memcmp(output, bytes, sizeof bytes) == 0);
    if (length > sizeof bytes)
        CHECK(strcmp((const char *)output + sizeof bytes,
                     "/data\nbox\ngreen./tmp.\nwords\nmore\nx\n") == 0);
    stockade_report_free(report);
    snprintf(file, sizeof file, "%s/new", path);
    CHECK(unlink(file) == 0);
    snprintf(file, sizeof file, "%s/words", path);
    CHECK(unlink(file) == 0);
    CHECK(rmdir(path) == 0);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

/* A policy is copied where it is used: it can be changed and freed at once. */
static void a_policy_can_be_freed_once_it_was_used(void) {
    static const char *const argv[] = {"sh", "-c", "echo $WHICH", NULL};
    stockade_sandbox *sandbox = native_sandbox();
    stockade_policy *policy = NULL;
    stockade_prepared *prepared = NULL;
    stockade_report *report = NULL;
    if (sandbox == NULL)
        return;
    policy = weak_policy();
    CHECK(stockade_policy_set_env(policy, "WHICH", "first", ERROR) == STOCKADE_OK);
    CHECK(stockade_prepare(sandbox, policy, argv, &prepared, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_env(policy, "WHICH", "second", ERROR) == STOCKADE_OK);
    stockade_policy_free(policy);
    CHECK(stockade_prepared_run(prepared, NULL, &report, ERROR) == STOCKADE_OK);
    CHECK(has_output(report, STOCKADE_STDOUT, "first\n"));
    stockade_report_free(report);
    stockade_prepared_free(prepared);
    stockade_sandbox_free(sandbox);
}

static const struct test TESTS[] = {
    TEST(json_and_toml_say_the_same),
    TEST(what_is_written_is_read_back),
    TEST(an_error_of_a_text_names_the_key),
    TEST(a_text_is_utf_8),
    TEST(a_text_of_many_megabytes_is_refused),
    TEST(deep_nesting_is_refused),
    TEST(a_program_sees_what_the_policy_says),
    TEST(a_policy_can_be_freed_once_it_was_used),
};

MAIN(TESTS)
