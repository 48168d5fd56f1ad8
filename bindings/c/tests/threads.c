/* Eight threads that share a sandbox, a prepared program and a module.
 *
 * ways: plain asan valgrind rootless static */
#include "check.h"

#include "modules.h"

enum { THREADS = 8, RUNS = 25 };

struct shared {
    stockade_sandbox *native, *modules;
    stockade_policy *policy;
    stockade_prepared *prepared;
    stockade_module *module;
    int runs;
};

struct worker {
    pthread_t thread;
    const struct shared *shared;
    int number;
    int heard;
};

static int32_t hear(void *user_data, int32_t stream, const uint8_t *data, size_t length) {
    struct worker *worker = user_data;
    CHECK(stream == STOCKADE_STDOUT && data != NULL);
    CHECK(pthread_equal(pthread_self(), worker->thread));
    worker->heard += (int)length;
    return 0;
}

/* Each run prints who asked for it and exits with a status of its own, which its report has to tell. */
static void run_and_compare(struct worker *worker, int run) {
    const struct shared *shared = worker->shared;
    char word[64], line[72], script[160];
    const char *argv[] = {"sh", "-c", script, NULL};
    stockade_stdio stdio;
    stockade_report *report = NULL;
    stockade_execution *execution = NULL;
    snprintf(word, sizeof word, "thread %d run %d", worker->number, run);
    snprintf(line, sizeof line, "%s\n", word);
    snprintf(script, sizeof script, "echo %s; exit %d", word, (worker->number * RUNS + run) % 200);
    memset(&stdio, 0, sizeof stdio);
    switch (run % 3) {
    case 0:
        CHECK(stockade_run(shared->native, shared->policy, argv, NULL, &report, ERROR) == STOCKADE_OK);
        CHECK(has_output(report, STOCKADE_STDOUT, line));
        CHECK(has_exited(report, (worker->number * RUNS + run) % 200));
        break;
    case 1:
        stdio.input.kind = STOCKADE_STREAM_BYTES;
        stdio.input.data = line;
        stdio.input.length = strlen(line);
        CHECK(stockade_prepared_run(shared->prepared, &stdio, &report, ERROR) == STOCKADE_OK);
        CHECK(has_output(report, STOCKADE_STDOUT, line));
        break;
    default:
        stdio.output.kind = STOCKADE_STREAM_CALLBACK;
        stdio.output.function = hear;
        stdio.output.user_data = worker;
        worker->heard = 0;
        CHECK(stockade_start(shared->native, shared->policy, argv, &stdio, &execution, ERROR)
              == STOCKADE_OK);
        CHECK(stockade_execution_wait(execution, &report, ERROR) == STOCKADE_OK);
        CHECK(worker->heard == (int)strlen(line));
        CHECK(has_exited(report, (worker->number * RUNS + run) % 200));
        stockade_execution_free(execution);
    }
    stockade_report_free(report);
}

static void *run_programs(void *argument) {
    struct worker *worker = argument;
    worker->thread = pthread_self();
    for (int run = 0; run < worker->shared->runs; run++)
        run_and_compare(worker, run);
    forget_error();
    return NULL;
}

static void *call_functions(void *argument) {
    struct worker *worker = argument;
    for (int run = 0; run < worker->shared->runs; run++) {
        stockade_instance *instance = NULL;
        stockade_report *report = NULL;
        stockade_value in[2], out;
        const uint8_t *output = NULL;
        size_t length = 0;
        memset(in, 0, sizeof in);
        in[0].type = in[1].type = STOCKADE_I32;
        in[0].of.i32 = worker->number;
        in[1].of.i32 = run;
        CHECK(stockade_module_instantiate(worker->shared->module, &instance, ERROR) == STOCKADE_OK);
        CHECK(stockade_instance_call(instance, "add_i32", in, 2, &out, 1, ERROR) == STOCKADE_OK);
        CHECK(out.of.i32 == worker->number + run);
        CHECK(stockade_instance_call(instance, "count", NULL, 0, &out, 1, ERROR) == STOCKADE_OK);
        CHECK(out.of.i32 == 1);
        CHECK(stockade_instance_call_bytes(instance, "shout", "x", 1, &output, &length, ERROR)
              == STOCKADE_OK);
        CHECK(length == 1 && output != NULL && output[0] == 'X');
        if (run % 5 == 0) {
            CHECK(stockade_instance_call(instance, "trap", NULL, 0, NULL, 0, ERROR) == STOCKADE_ENDED);
            CHECK(stockade_instance_report(instance, &report, ERROR) == STOCKADE_OK);
            CHECK(stockade_report_verdict(report) == STOCKADE_VERDICT_TRAPPED);
            stockade_report_free(report);
        }
        stockade_instance_free(instance);
    }
    forget_error();
    return NULL;
}

/* Eight at once, each with its number. */
static void in_threads(const struct shared *shared, void *(*work)(void *)) {
    struct worker workers[THREADS];
    for (int at = 0; at < THREADS; at++) {
        memset(&workers[at], 0, sizeof workers[at]);
        workers[at].shared = shared;
        workers[at].number = at;
    }
    for (int at = 0; at < THREADS; at++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, work, &workers[at]) == 0);
        workers[at].thread = thread;
    }
    for (int at = 0; at < THREADS; at++)
        CHECK(pthread_join(workers[at].thread, NULL) == 0);
}

static int runs_of_each(void) {
    return runs_as("valgrind") ? 4 : RUNS;
}

static void every_report_is_of_its_own_run(void) {
    static const char *const copy[] = {"cat", NULL};
    struct shared shared;
    memset(&shared, 0, sizeof shared);
    shared.native = native_sandbox();
    if (shared.native == NULL)
        return;
    shared.runs = runs_of_each();
    shared.policy = weak_policy();
    CHECK(stockade_prepare(shared.native, shared.policy, copy, &shared.prepared, ERROR) == STOCKADE_OK);
    in_threads(&shared, run_programs);
    stockade_prepared_free(shared.prepared);
    stockade_policy_free(shared.policy);
    stockade_sandbox_free(shared.native);
}

static void every_instance_is_of_its_own_thread(void) {
    struct shared shared;
    memset(&shared, 0, sizeof shared);
    shared.runs = runs_of_each();
    shared.modules = module_sandbox();
    CHECK(stockade_module_load_bytes(shared.modules, NULL, library_module, sizeof library_module, NULL, 0,
                                     &shared.module, ERROR)
          == STOCKADE_OK);
    in_threads(&shared, call_functions);
    stockade_module_free(shared.module);
    stockade_sandbox_free(shared.modules);
}

/* Each call brings an engine and a helper process of its own, and takes them down. */
static void *run_in_one_call(void *argument) {
    struct worker *worker = argument;
    for (int run = 0; run < 3; run++) {
        stockade_report *report = run_shell(NULL, NULL, "exit 4", NULL);
        CHECK(has_exited(report, 4));
        stockade_report_free(report);
    }
    (void)worker;
    forget_error();
    return NULL;
}

static void eight_threads_run_in_one_call(void) {
    struct shared shared;
    stockade_sandbox *sandbox = native_sandbox();
    if (sandbox == NULL)
        return;
    memset(&shared, 0, sizeof shared);
    in_threads(&shared, run_in_one_call);
    stockade_sandbox_free(sandbox);
}

static const struct test TESTS[] = {
    TEST(every_report_is_of_its_own_run),
    TEST(every_instance_is_of_its_own_thread),
    TEST(eight_threads_run_in_one_call),
};

MAIN(TESTS)
