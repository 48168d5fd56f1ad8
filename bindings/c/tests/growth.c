/* Ten thousand runs, after which the host holds what it held after the first thousand.
 *
 * STOCKADE_TEST_RUNS says how many, where each takes longer. A tenth are of native programs.
 * alone: it looks at the memory of the whole process, and at the time of nothing else */
#include "check.h"

#include <malloc.h>

#include "modules.h"

/* Resident memory of this process, in KiB. */
static long resident(void) {
    char text[8192];
    char *at;
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    read_all(fd, text, sizeof text);
    close(fd);
    at = strstr(text, "VmRSS:");
    return at != NULL ? strtol(at + 6, NULL, 10) : -1;
}

static int count_threads(void) {
    DIR *folder = opendir("/proc/self/task");
    int count = 0;
    if (folder == NULL)
        return -1;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count - 2;
}

static int how_many(void) {
    const char *told = getenv("STOCKADE_TEST_RUNS");
    if (told != NULL)
        return atoi(told);
    return runs_as("valgrind") ? 200 : runs_as("asan") ? 2000 : 10000;
}

/* Does something so many times, and compares what is held after the first of them with what is held at
 * the end, which may be so many KiB more. A tool that keeps what was freed is one with which memory is not
 * compared. */
static void grows_little(void (*once)(void *), void *argument, int times, int first, long kib) {
    int compares = !runs_as("valgrind") && !runs_as("asan");
    long memory = 0, after;
    int descriptors = 0, threads = 0;
    for (int run = 0; run < times; run++) {
        if (run == (first > 0 ? first : 1)) {
            memory = resident();
            descriptors = open_descriptors();
            threads = count_threads();
        }
        once(argument);
        if (failures > 0)
            return;
    }
    for (int wait = 0; wait < 100 && open_descriptors() + count_threads() > descriptors + threads; wait++)
        sleep_ms(20);
    after = resident();
    printf("# %d runs: %ld KiB resident, then %ld KiB\n", times, memory, after);
    CHECK(memory > 0 && (!compares || after - memory <= kib));
    CHECK(open_descriptors() <= descriptors);
    CHECK(count_threads() <= threads);
}

static void does_not_grow(void (*once)(void *), void *argument, int times, int first) {
    grows_little(once, argument, times, first, 2048);
}

static void run_once(void *prepared) {
    stockade_report *report = NULL;
    CHECK(stockade_prepared_run(prepared, NULL, &report, ERROR) == STOCKADE_OK);
    CHECK(stockade_report_verdict(report) == STOCKADE_VERDICT_EXITED);
    stockade_report_free(report);
}

static void runs_of_modules_do_not_grow(void) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_prepared *prepared = NULL;
    CHECK(stockade_prepare_module(sandbox, NULL, hello_module, sizeof hello_module, NULL, &prepared,
                                  ERROR)
          == STOCKADE_OK);
    does_not_grow(run_once, prepared, how_many() / 10 * 6, how_many() / 10);
    stockade_prepared_free(prepared);
    stockade_sandbox_free(sandbox);
}

/* An instance, a call that returns, one that fails with an error that is freed, and a report. */
static void call_once(void *module) {
    stockade_instance *instance = NULL;
    stockade_report *report = NULL;
    const uint8_t *output = NULL;
    char *json = NULL;
    size_t length = 0;
    CHECK(stockade_module_instantiate(module, &instance, ERROR) == STOCKADE_OK);
    CHECK(stockade_instance_call_bytes(instance, "shout", "words", 5, &output, &length, ERROR)
          == STOCKADE_OK);
    CHECK(stockade_instance_call(instance, "absent", NULL, 0, NULL, 0, ERROR) == STOCKADE_NOT_FOUND);
    CHECK(stockade_instance_call(instance, "trap", NULL, 0, NULL, 0, ERROR) == STOCKADE_ENDED);
    CHECK(stockade_instance_report(instance, &report, ERROR) == STOCKADE_OK);
    CHECK(stockade_report_json(report, &json, ERROR) == STOCKADE_OK);
    stockade_string_free(json);
    stockade_report_free(report);
    stockade_instance_free(instance);
}

static void calls_of_modules_do_not_grow(void) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_module *module = NULL;
    CHECK(stockade_module_load_bytes(sandbox, NULL, library_module, sizeof library_module, NULL, 0,
                                     &module, ERROR)
          == STOCKADE_OK);
    does_not_grow(call_once, module, how_many() / 10 * 3, how_many() / 10);
    stockade_module_free(module);
    stockade_sandbox_free(sandbox);
}

static int32_t nothing(void *user_data, int32_t stream, const uint8_t *data, size_t length) {
    (void)user_data, (void)stream, (void)data, (void)length;
    return 0;
}

/* Captured, through a pipe, to a function, and killed: one after the other. */
static void start_once(void *argument) {
    static int turn;
    stockade_sandbox *sandbox = argument;
    stockade_stdio stdio;
    stockade_execution *execution;
    stockade_report *report = NULL;
    int32_t fd = -1;
    char text[64];
    memset(&stdio, 0, sizeof stdio);
    switch (turn++ % 4) {
    case 0:
        report = run_shell(sandbox, NULL, "echo x; exit 3", NULL);
        CHECK(stockade_report_code(report) == 3);
        break;
    case 1:
        stdio.output.kind = STOCKADE_STREAM_PIPE;
        execution = start_shell(sandbox, "echo x", &stdio);
        CHECK(stockade_execution_take_fd(execution, STOCKADE_STDOUT, &fd, ERROR) == STOCKADE_OK);
        CHECK(read_all(fd, text, sizeof text) == 2 && close(fd) == 0);
        report = finish(execution);
        break;
    case 2:
        stdio.output.kind = STOCKADE_STREAM_CALLBACK;
        stdio.output.function = nothing;
        report = run_shell(sandbox, NULL, "echo x", &stdio);
        break;
    default:
        execution = start_shell(sandbox, "sleep 600", &stdio);
        CHECK(stockade_execution_take_fd(execution, STOCKADE_END, &fd, ERROR) == STOCKADE_OK);
        CHECK(stockade_execution_kill(execution, ERROR) == STOCKADE_OK);
        report = finish(execution);
        CHECK(is_readable(fd, 10000) && close(fd) == 0);
    }
    stockade_report_free(report);
}

static void runs_of_programs_do_not_grow(void) {
    stockade_sandbox *sandbox = native_sandbox();
    if (sandbox == NULL)
        return;
    does_not_grow(start_once, sandbox, how_many() / 10, how_many() / 100);
    stockade_sandbox_free(sandbox);
}

static void open_programs_once(void *unused) {
    stockade_sandbox *sandbox = native_sandbox();
    stockade_report *report = run_shell(sandbox, NULL, "exit 3", NULL);
    (void)unused;
    CHECK(has_exited(report, 3));
    stockade_report_free(report);
    stockade_sandbox_free(sandbox);
}

static void sandboxes_of_programs_do_not_grow(void) {
    stockade_sandbox *sandbox = native_sandbox();
    if (sandbox == NULL)
        return;
    stockade_sandbox_free(sandbox);
    does_not_grow(open_programs_once, NULL, how_many() / 50, how_many() / 500);
}

static void open_modules_once(void *unused) {
    (void)unused;
    stockade_sandbox_free(module_sandbox());
}

/* What an engine is made of leaves holes of many sizes, which take a hundred engines to be filled, and never
 * quite are: over 4,000 of them what is held goes up and down by half a MiB, and once by two. */
static void sandboxes_of_modules_do_not_grow(void) {
    grows_little(open_modules_once, NULL, how_many() / 25, how_many() / 50, 6144);
}

static const struct test TESTS[] = {
    TEST(runs_of_modules_do_not_grow),
    TEST(calls_of_modules_do_not_grow),
    TEST(runs_of_programs_do_not_grow),
    TEST(sandboxes_of_programs_do_not_grow),
    TEST(sandboxes_of_modules_do_not_grow),
};

int main(void) {
    /* Which arena of the C library's a thread gets, and so what is kept in each, would be chance. */
    mallopt(M_ARENA_MAX, 1);
    return run_tests(TESTS, COUNT(TESTS));
}
