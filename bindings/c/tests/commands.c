/* WebAssembly commands: modules that are run as programs are. */
#include "check.h"

#include "modules.h"

#define MODULE(name) name##_module, sizeof name##_module

/* Runs a module under a policy, or under the default. */
static stockade_report *run_module(const stockade_sandbox *sandbox, const stockade_policy *policy,
                                   const void *bytes, size_t length, const stockade_stdio *stdio) {
    stockade_prepared *prepared = NULL;
    stockade_report *report = NULL;
    CHECK(stockade_prepare_module(sandbox, policy, bytes, length, NULL, &prepared, ERROR) == STOCKADE_OK);
    CHECK(stockade_prepared_run(prepared, stdio, &report, ERROR) == STOCKADE_OK);
    stockade_prepared_free(prepared);
    return report;
}

static stockade_policy *limited(int32_t control, uint64_t amount) {
    stockade_policy *policy = NULL;
    CHECK(stockade_policy_new(&policy, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_limit(policy, control, amount, ERROR) == STOCKADE_OK);
    return policy;
}

static void a_command_prints(void) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_report *report = run_module(sandbox, NULL, MODULE(hello), NULL);
    char *json = NULL;
    CHECK(has_exited(report, 0));
    CHECK(has_output(report, STOCKADE_STDOUT, "hello\n"));
    CHECK(stockade_report_amount(report, STOCKADE_STDOUT_BYTES) == 6);
    CHECK(stockade_report_enforcement(report, STOCKADE_CONTROL_MEMORY) == STOCKADE_ENFORCED);
    CHECK(stockade_report_json(report, &json, ERROR) == STOCKADE_OK);
    CHECK(contains(json, "\"backend\":\"wasm\""));
    stockade_string_free(json);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void a_command_exits_with_a_status(void) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_report *report = run_module(sandbox, NULL, MODULE(seven), NULL);
    CHECK(has_exited(report, 7));
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void a_command_traps(void) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_report *report = run_module(sandbox, NULL, MODULE(trap), NULL);
    char *json = NULL;
    CHECK(stockade_report_verdict(report) == STOCKADE_VERDICT_TRAPPED);
    CHECK(stockade_report_code(report) == -1 && stockade_report_control(report) == 0);
    CHECK(stockade_report_json(report, &json, ERROR) == STOCKADE_OK);
    CHECK(contains(json, "\"kind\":\"trapped\"") && contains(json, "unreachable"));
    stockade_string_free(json);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void limits_end_a_command(void) {
    static const struct {
        int32_t control;
        uint64_t amount;
    } limits[] = {
        {STOCKADE_CONTROL_WALL_TIME, 100000000u},
        {STOCKADE_CONTROL_CPU_TIME, 100000000u},
        {STOCKADE_CONTROL_FUEL, 1000000u},
    };
    stockade_sandbox *sandbox = module_sandbox();
    stockade_report *report;
    stockade_policy *policy;
    for (size_t at = 0; at < COUNT(limits); at++) {
        policy = limited(limits[at].control, limits[at].amount);
        report = run_module(sandbox, policy, MODULE(spin), NULL);
        CHECK(hit_limit(report, limits[at].control));
        CHECK(stockade_report_amount(report, STOCKADE_LIMIT) == limits[at].amount);
        CHECK(stockade_report_amount(report, STOCKADE_OBSERVED) >= limits[at].amount);
        if (limits[at].control == STOCKADE_CONTROL_FUEL)
            CHECK(stockade_report_amount(report, STOCKADE_FUEL_USED) == limits[at].amount);
        stockade_report_free(report);
        stockade_policy_free(policy);
    }
    policy = limited(STOCKADE_CONTROL_MEMORY, 16u << 20);
    report = run_module(sandbox, policy, MODULE(hoard), NULL);
    CHECK(hit_limit(report, STOCKADE_CONTROL_MEMORY));
    CHECK(stockade_report_amount(report, STOCKADE_LIMIT) == 16u << 20);
    CHECK(stockade_report_amount(report, STOCKADE_PEAK_MEMORY) <= 16u << 20);
    stockade_report_free(report);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

static void a_command_copies_its_input(void) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_stdio stdio;
    stockade_report *report;
    size_t size = 700001, length = 0;
    unsigned char *input = malloc(size);
    const uint8_t *output;
    NEED(input != NULL);
    for (size_t at = 0; at < size; at++)
        input[at] = (unsigned char)(at >> 2);
    memset(&stdio, 0, sizeof stdio);
    stdio.input.kind = STOCKADE_STREAM_BYTES;
    stdio.input.data = input;
    stdio.input.length = size;
    report = run_module(sandbox, NULL, MODULE(copy), &stdio);
    CHECK(has_exited(report, 0));
    output = stockade_report_output(report, STOCKADE_STDOUT, &length);
    CHECK(length == size && memcmp(output, input, size) == 0);
    stockade_report_free(report);
    free(input);
    stockade_sandbox_free(sandbox);
}

static void a_command_talks_through_pipes(void) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_stdio stdio;
    stockade_prepared *prepared = NULL;
    stockade_execution *execution = NULL;
    stockade_report *report;
    int32_t in = -1, out = -1, end = -1;
    char text[16];
    memset(&stdio, 0, sizeof stdio);
    stdio.input.kind = stdio.output.kind = STOCKADE_STREAM_PIPE;
    CHECK(stockade_prepare_module(sandbox, NULL, MODULE(copy), NULL, &prepared, ERROR) == STOCKADE_OK);
    CHECK(stockade_prepared_start(prepared, &stdio, &execution, ERROR) == STOCKADE_OK);
    CHECK(stockade_execution_take_fd(execution, STOCKADE_STDIN, &in, ERROR) == STOCKADE_OK);
    CHECK(stockade_execution_take_fd(execution, STOCKADE_STDOUT, &out, ERROR) == STOCKADE_OK);
    CHECK(stockade_execution_take_fd(execution, STOCKADE_END, &end, ERROR) == STOCKADE_OK);
    for (int turn = 0; turn < 5; turn++) {
        CHECK(write(in, "words\n", 6) == 6);
        CHECK(is_readable(out, 20000) && read(out, text, 6) == 6 && memcmp(text, "words\n", 6) == 0);
    }
    CHECK(!is_readable(end, 0));
    CHECK(close(in) == 0);
    CHECK(read_all(out, text, sizeof text) == 0 && is_readable(end, 20000));
    report = finish(execution);
    CHECK(has_exited(report, 0));
    CHECK(close(out) == 0 && close(end) == 0);
    stockade_report_free(report);
    stockade_prepared_free(prepared);
    stockade_sandbox_free(sandbox);
}

static void *kill_soon(void *execution) {
    sleep_ms(200);
    CHECK(stockade_execution_kill(execution, NULL) == STOCKADE_OK);
    return NULL;
}

static void another_thread_kills_a_command(void) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_prepared *prepared = NULL;
    stockade_execution *execution = NULL;
    stockade_report *report = NULL;
    pthread_t killer;
    CHECK(stockade_prepare_module(sandbox, NULL, MODULE(spin), NULL, &prepared, ERROR) == STOCKADE_OK);
    CHECK(stockade_prepared_start(prepared, NULL, &execution, ERROR) == STOCKADE_OK);
    CHECK(pthread_create(&killer, NULL, kill_soon, execution) == 0);
    CHECK(stockade_execution_wait(execution, &report, ERROR) == STOCKADE_OK);
    CHECK(pthread_join(killer, NULL) == 0);
    CHECK(stockade_report_verdict(report) == STOCKADE_VERDICT_CANCELLED);
    stockade_report_free(report);
    stockade_execution_free(execution);
    /* One that is freed is stopped. */
    CHECK(stockade_prepared_start(prepared, NULL, &execution, ERROR) == STOCKADE_OK);
    stockade_execution_free(execution);
    stockade_prepared_free(prepared);
    stockade_sandbox_free(sandbox);
}

static int32_t count_calls(void *user_data, int32_t stream, const uint8_t *data, size_t length) {
    CHECK(stream == STOCKADE_STDOUT && length > 0 && data[0] == 'h');
    ++*(int *)user_data;
    return 0;
}

static void the_output_of_a_command_goes_to_a_function(void) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_stdio stdio;
    stockade_report *report;
    int calls = 0;
    memset(&stdio, 0, sizeof stdio);
    stdio.output.kind = STOCKADE_STREAM_CALLBACK;
    stdio.output.function = count_calls;
    stdio.output.user_data = &calls;
    report = run_module(sandbox, NULL, MODULE(hello), &stdio);
    CHECK(has_exited(report, 0));
    CHECK(calls == 1);
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

/* AUTO takes a path of a module for a module, and everything else for a program. */
static void the_backend_is_chosen_by_the_program(void) {
    stockade_sandbox *native = native_sandbox();
    stockade_sandbox *sandbox = NULL;
    stockade_policy *policy = weak_policy();
    stockade_report *report = NULL;
    stockade_prepared *prepared = NULL;
    const char *argv[] = {NULL, "argument", NULL};
    char path[FOLDER], file[FOLDER + 32], *json = NULL;
    NEED(make_folder(path));
    snprintf(file, sizeof file, "%s/hello.wasm", path);
    CHECK(write_file(file, hello_module, sizeof hello_module));
    argv[0] = file;
    CHECK(stockade_sandbox_new(STOCKADE_BACKEND_AUTO, NULL, &sandbox, ERROR) == STOCKADE_OK);
    CHECK(stockade_run(sandbox, policy, argv, NULL, &report, ERROR) == STOCKADE_OK);
    CHECK(has_output(report, STOCKADE_STDOUT, "hello\n"));
    CHECK(stockade_report_json(report, &json, ERROR) == STOCKADE_OK);
    CHECK(contains(json, "\"backend\":\"wasm\"") && contains(json, "\"backend_reason\":\"auto"));
    stockade_string_free(json);
    stockade_report_free(report);
    CHECK(stockade_run(NULL, policy, argv, NULL, &report, ERROR) == STOCKADE_OK);
    CHECK(has_output(report, STOCKADE_STDOUT, "hello\n"));
    stockade_report_free(report);
    CHECK(stockade_prepare_module(sandbox, policy, MODULE(seven), NULL, &prepared, ERROR)
          == STOCKADE_OK);
    CHECK(stockade_prepared_plan_json(prepared, &json, ERROR) == STOCKADE_OK);
    CHECK(contains(json, "\"backend\":\"wasm\""));
    stockade_string_free(json);
    stockade_prepared_free(prepared);
    if (native != NULL) {
        report = run_shell(sandbox, policy, "exit 3", NULL);
        CHECK(has_exited(report, 3));
        CHECK(stockade_report_json(report, &json, ERROR) == STOCKADE_OK);
        CHECK(contains(json, "\"backend\":\"namespace\"") && contains(json, "\"backend_reason\":\"auto"));
        stockade_string_free(json);
        stockade_report_free(report);
        /* A module is no program of that backend. */
        CHECK(failed_with(stockade_prepare_module(native, policy, MODULE(hello), NULL, &prepared, ERROR),
                          STOCKADE_INVALID_ARGUMENT));
        CHECK(message_has("sandbox"));
    }
    CHECK(unlink(file) == 0 && rmdir(path) == 0);
    stockade_sandbox_free(native);
    stockade_sandbox_free(sandbox);
    stockade_policy_free(policy);
}

static void bytes_that_are_no_module_are_refused(void) {
    static const char text[] = "#!/bin/sh\n";
    static const char *const missing[] = {"/no/such.wasm", NULL}, *const native[] = {"/bin/sh", NULL};
    static const char *const unprintable[] = {"\xff", NULL};
    stockade_sandbox *sandbox = module_sandbox();
    stockade_prepared *prepared = NULL;
    CHECK(failed_with(stockade_prepare_module(sandbox, NULL, text, sizeof text, NULL, &prepared, ERROR),
                      STOCKADE_INVALID_POLICY));
    CHECK(failed_with(stockade_prepare_module(sandbox, NULL, "", 0, NULL, &prepared, ERROR),
                      STOCKADE_INVALID_POLICY));
    CHECK(failed_with(stockade_prepare_module(sandbox, NULL, hello_module, sizeof hello_module - 3, NULL,
                                              &prepared, ERROR),
                      STOCKADE_INVALID_POLICY));
    CHECK(failed_with(stockade_prepare_module(sandbox, NULL, MODULE(empty), NULL, &prepared, ERROR),
                      STOCKADE_INVALID_POLICY));
    CHECK(message_has("_start"));
    CHECK(failed_with(stockade_prepare_module(sandbox, NULL, NULL, 8, NULL, &prepared, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("data"));
    CHECK(failed_with(stockade_prepare_module(NULL, NULL, MODULE(hello), NULL, &prepared, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_prepare_module(sandbox, NULL, MODULE(hello), NULL, NULL, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    /* Arguments are bytes to a native program and a module of preview 1 alike. */
    CHECK(stockade_prepare_module(sandbox, NULL, MODULE(hello), unprintable, &prepared, ERROR)
          != STOCKADE_INTERNAL);
    stockade_prepared_free(prepared);
    prepared = NULL;
    CHECK(failed_with(stockade_prepare(sandbox, NULL, missing, &prepared, ERROR), STOCKADE_NOT_FOUND));
    CHECK(failed_with(stockade_prepare(sandbox, NULL, native, &prepared, ERROR),
                      STOCKADE_INVALID_POLICY));
    CHECK(prepared == NULL);
    stockade_sandbox_free(sandbox);
}

/* A function of the host's cannot be given to a command by this interface. */
static void a_module_that_wants_more_is_refused(void) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_policy *policy = NULL;
    stockade_prepared *prepared = NULL;
    CHECK(failed_with(stockade_prepare_module(sandbox, NULL, MODULE(asks), NULL, &prepared, ERROR),
                      STOCKADE_UNSUPPORTED));
    CHECK(message_has("double"));
    CHECK(stockade_policy_new(&policy, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set(policy, STOCKADE_NETWORK_HOST, ERROR) == STOCKADE_OK);
    CHECK(failed_with(stockade_prepare_module(sandbox, policy, MODULE(hello), NULL, &prepared, ERROR),
                      STOCKADE_UNSUPPORTED));
    CHECK(message_has("network"));
    CHECK(prepared == NULL);
    stockade_policy_free(policy);
    stockade_sandbox_free(sandbox);
}

static void code_is_kept_in_a_folder(void) {
    static const int32_t backends[] = {STOCKADE_BACKEND_WASM, STOCKADE_BACKEND_AUTO};
    char path[FOLDER], name[FOLDER + 300];
    DIR *folder;
    struct dirent *entry;
    int kept = 0;
    stockade_wasm_options options = {NULL, 30000000000u};
    NEED(make_folder(path));
    CHECK(chmod(path, 0700) == 0);
    options.cache_dir = path;
    for (int turn = 0; turn < 4; turn++) {
        stockade_sandbox *sandbox = NULL;
        stockade_report *report;
        CHECK(stockade_sandbox_new(backends[turn % 2], &options, &sandbox, ERROR) == STOCKADE_OK);
        report = run_module(sandbox, NULL, MODULE(hello), NULL);
        CHECK(has_output(report, STOCKADE_STDOUT, "hello\n"));
        if (turn == 3) {
            char *json = NULL;
            CHECK(stockade_report_json(report, &json, ERROR) == STOCKADE_OK);
            CHECK(contains(json, "\"load\""));
            stockade_string_free(json);
        }
        stockade_report_free(report);
        stockade_sandbox_free(sandbox);
    }
    folder = opendir(path);
    NEED(folder != NULL);
    while ((entry = readdir(folder)) != NULL)
        if (entry->d_name[0] != '.' || entry->d_name[1] > '.') {
            snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
            CHECK(unlink(name) == 0);
            kept++;
        }
    closedir(folder);
    CHECK(kept > 0 && rmdir(path) == 0);
}

static void a_folder_that_cannot_be_made_is_told_or_done_without(void) {
    stockade_sandbox *sandbox = NULL;
    stockade_prepared *prepared = NULL;
    stockade_wasm_options options = {"/proc/no/such/folder", 0};
    int32_t status = stockade_sandbox_new(STOCKADE_BACKEND_WASM, &options, &sandbox, ERROR);
    if (status == STOCKADE_OK)
        status = stockade_prepare_module(sandbox, NULL, MODULE(hello), NULL, &prepared, ERROR);
    /* Without its folder it compiles, or says why not. */
    CHECK(status == STOCKADE_OK || (last_error != NULL && status != STOCKADE_INTERNAL));
    stockade_prepared_free(prepared);
    stockade_sandbox_free(sandbox);
}

static const struct test TESTS[] = {
    TEST(a_command_prints),
    TEST(a_command_exits_with_a_status),
    TEST(a_command_traps),
    TEST(limits_end_a_command),
    TEST(a_command_copies_its_input),
    TEST(a_command_talks_through_pipes),
    TEST(another_thread_kills_a_command),
    TEST(the_output_of_a_command_goes_to_a_function),
    TEST(the_backend_is_chosen_by_the_program),
    TEST(bytes_that_are_no_module_are_refused),
    TEST(a_module_that_wants_more_is_refused),
    TEST(code_is_kept_in_a_folder),
    TEST(a_folder_that_cannot_be_made_is_told_or_done_without),
};

MAIN(TESTS)
