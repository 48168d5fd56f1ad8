/* A host that forks: what the parent has stays the parent's, and a child can have its own.
 *
 * ways: plain asan rootless; valgrind looks for leaks in a child too, which forgets what its parent has */
#include "check.h"

#include "modules.h"

/* Does something in a forked child, which has to do it well and to end soon. */
static void in_child(void (*work)(void *), void *argument) {
    pid_t pid;
    int status = -1;
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        failures = 0;
        signal(SIGALRM, SIG_DFL);
        alarm(20 * slow());
        work(argument);
        fflush(stdout);
        _exit(failures > 0);
    }
    CHECK(pid > 0);
    CHECK(waitpid(pid, &status, 0) == pid);
    if (!CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        printf("#   the child's status is %#x%s\n", status,
               WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? ": it hung" : "");
}

/* One of everything. */
struct all {
    stockade_sandbox *native, *modules, *automatic;
    stockade_prepared *prepared, *prepared_module;
    stockade_execution *execution, *captured, *over;
    stockade_module *module;
    stockade_instance *instance;
    stockade_report *report;
    stockade_policy *policy;
    int32_t out;
};

static int make_all(struct all *all) {
    static const char *const argv[] = {"echo", "prepared", NULL};
    stockade_stdio stdio;
    memset(all, 0, sizeof *all);
    all->native = native_sandbox();
    if (all->native == NULL)
        return 0;
    all->modules = module_sandbox();
    all->policy = weak_policy();
    CHECK(stockade_sandbox_new(STOCKADE_BACKEND_AUTO, NULL, &all->automatic, ERROR) == STOCKADE_OK);
    stockade_report_free(run_shell(all->automatic, all->policy, "exit 0", NULL));
    CHECK(stockade_prepare(all->native, all->policy, argv, &all->prepared, ERROR) == STOCKADE_OK);
    CHECK(stockade_prepared_warm(all->prepared, 1, ERROR) == STOCKADE_OK);
    CHECK(stockade_prepare_module(all->modules, NULL, hello_module, sizeof hello_module, NULL,
                                  &all->prepared_module, ERROR)
          == STOCKADE_OK);
    CHECK(stockade_module_load_bytes(all->modules, NULL, library_module, sizeof library_module, NULL, 0,
                                     &all->module, ERROR)
          == STOCKADE_OK);
    CHECK(stockade_module_instantiate(all->module, &all->instance, ERROR) == STOCKADE_OK);
    memset(&stdio, 0, sizeof stdio);
    stdio.output.kind = STOCKADE_STREAM_PIPE;
    all->execution = start_shell(all->native, "echo up; sleep 2; echo still up; sleep 600", &stdio);
    CHECK(stockade_execution_take_fd(all->execution, STOCKADE_STDOUT, &all->out, ERROR) == STOCKADE_OK);
    all->captured = start_shell(all->native, "sleep 600", NULL);
    all->over = start_shell(all->native, "echo over", NULL);
    CHECK(stockade_execution_wait(all->over, &all->report, ERROR) == STOCKADE_OK);
    return 1;
}

static void free_all(struct all *all) {
    stockade_execution_free(all->execution);
    stockade_execution_free(all->captured);
    stockade_execution_free(all->over);
    stockade_instance_free(all->instance);
    stockade_module_free(all->module);
    stockade_prepared_free(all->prepared);
    stockade_prepared_free(all->prepared_module);
    stockade_sandbox_free(all->native);
    stockade_sandbox_free(all->modules);
    stockade_sandbox_free(all->automatic);
    stockade_report_free(all->report);
    stockade_policy_free(all->policy);
}

/* Whether a call failed because what it was given belongs to the parent. */
static int lost(int32_t status) {
    return failed_with(status, STOCKADE_HOST_LOST) && contains(stockade_error_hint(last_error), "fork");
}

static void everything_is_lost(void *argument) {
    static const char *const argv[] = {"true", NULL};
    struct all *all = argument;
    stockade_report *report = NULL;
    stockade_execution *execution = NULL;
    stockade_prepared *prepared = NULL;
    stockade_module *module = NULL;
    stockade_instance *instance = NULL;
    stockade_value result;
    const uint8_t *output = NULL;
    size_t length = 0;
    char *json = NULL;
    int32_t fd = -1;
    CHECK(lost(stockade_run(all->native, all->policy, argv, NULL, &report, ERROR)));
    CHECK(lost(stockade_run(all->automatic, all->policy, argv, NULL, &report, ERROR)));
    CHECK(lost(stockade_start(all->native, all->policy, argv, NULL, &execution, ERROR)));
    CHECK(lost(stockade_prepare(all->native, all->policy, argv, &prepared, ERROR)));
    CHECK(lost(stockade_prepare_module(all->modules, NULL, hello_module, sizeof hello_module, NULL,
                                       &prepared, ERROR)));
    CHECK(lost(stockade_prepared_run(all->prepared, NULL, &report, ERROR)));
    CHECK(lost(stockade_prepared_run(all->prepared_module, NULL, &report, ERROR)));
    CHECK(lost(stockade_prepared_start(all->prepared, NULL, &execution, ERROR)));
    CHECK(lost(stockade_prepared_warm(all->prepared, 2, ERROR)));
    CHECK(lost(stockade_prepared_plan_json(all->prepared, &json, ERROR)));
    CHECK(lost(stockade_execution_wait(all->execution, &report, ERROR)));
    CHECK(lost(stockade_execution_wait(all->captured, &report, ERROR)));
    CHECK(lost(stockade_execution_kill(all->execution, ERROR)));
    CHECK(lost(stockade_execution_kill(all->captured, ERROR)));
    CHECK(lost(stockade_execution_take_fd(all->execution, STOCKADE_END, &fd, ERROR)));
    CHECK(lost(stockade_module_load_bytes(all->modules, NULL, empty_module, sizeof empty_module, NULL, 0,
                                          &module, ERROR)));
    CHECK(lost(stockade_module_functions_json(all->module, &json, ERROR)));
    CHECK(lost(stockade_module_instantiate(all->module, &instance, ERROR)));
    CHECK(lost(stockade_instance_call(all->instance, "count", NULL, 0, &result, 1, ERROR)));
    CHECK(lost(stockade_instance_call_bytes(all->instance, "shout", "x", 1, &output, &length, ERROR)));
    CHECK(lost(stockade_instance_report(all->instance, &report, ERROR)));
    CHECK(lost(stockade_instance_kill(all->instance, ERROR)));
    CHECK(report == NULL && execution == NULL && prepared == NULL && module == NULL);
    CHECK(instance == NULL && output == NULL && json == NULL && fd == -1);
    /* Data is anybody's. */
    CHECK(has_output(all->report, STOCKADE_STDOUT, "over\n"));
    CHECK(stockade_policy_to_json(all->policy, &json, ERROR) == STOCKADE_OK);
    stockade_string_free(json);
    free_all(all);
}

static void handles_of_the_parent_are_lost_to_a_child(void) {
    struct all all;
    stockade_report *report = NULL;
    stockade_value count;
    char text[64];
    if (!make_all(&all))
        return;
    CHECK(is_readable(all.out, 10000) && read(all.out, text, 3) == 3);
    in_child(everything_is_lost, &all);
    /* Nothing of it was touched, though the child has freed it all. */
    CHECK(is_readable(all.out, 10000) && read(all.out, text, 9) == 9 && memcmp(text, "still up\n", 9) == 0);
    CHECK(stockade_instance_call(all.instance, "count", NULL, 0, &count, 1, ERROR) == STOCKADE_OK);
    CHECK(count.of.i32 == 1);
    CHECK(stockade_prepared_run(all.prepared, NULL, &report, ERROR) == STOCKADE_OK);
    CHECK(has_output(report, STOCKADE_STDOUT, "prepared\n"));
    stockade_report_free(report);
    CHECK(stockade_prepared_run(all.prepared_module, NULL, &report, ERROR) == STOCKADE_OK);
    CHECK(has_output(report, STOCKADE_STDOUT, "hello\n"));
    stockade_report_free(report);
    CHECK(stockade_execution_kill(all.captured, ERROR) == STOCKADE_OK);
    CHECK(stockade_execution_wait(all.captured, &report, ERROR) == STOCKADE_OK);
    CHECK(stockade_report_verdict(report) == STOCKADE_VERDICT_CANCELLED);
    stockade_report_free(report);
    CHECK(stockade_execution_kill(all.execution, ERROR) == STOCKADE_OK);
    CHECK(stockade_execution_wait(all.execution, &report, ERROR) == STOCKADE_OK);
    CHECK(stockade_report_verdict(report) == STOCKADE_VERDICT_CANCELLED);
    stockade_report_free(report);
    CHECK(close(all.out) == 0);
    free_all(&all);
}

/* Makes and uses its own, as if there were no parent. */
static void works_on_its_own(void *unused) {
    stockade_sandbox *native = native_sandbox(), *modules = module_sandbox();
    stockade_module *module = NULL;
    stockade_instance *instance = NULL;
    stockade_value count;
    stockade_report *report = run_shell(native, NULL, "echo child", NULL);
    stockade_stdio stdio;
    stockade_execution *execution;
    (void)unused;
    CHECK(has_output(report, STOCKADE_STDOUT, "child\n"));
    stockade_report_free(report);
    memset(&stdio, 0, sizeof stdio);
    stdio.output.kind = STOCKADE_STREAM_PIPE;
    execution = start_shell(native, "exit 3", &stdio);
    report = finish(execution);
    CHECK(has_exited(report, 3));
    stockade_report_free(report);
    CHECK(stockade_module_load_bytes(modules, NULL, library_module, sizeof library_module, NULL, 0,
                                     &module, ERROR)
          == STOCKADE_OK);
    CHECK(stockade_module_instantiate(module, &instance, ERROR) == STOCKADE_OK);
    CHECK(stockade_instance_call(instance, "count", NULL, 0, &count, 1, ERROR) == STOCKADE_OK);
    CHECK(count.of.i32 == 1);
    CHECK(stockade_instance_call(instance, "trap", NULL, 0, NULL, 0, ERROR) == STOCKADE_ENDED);
    stockade_instance_free(instance);
    stockade_module_free(module);
    stockade_sandbox_free(native);
    stockade_sandbox_free(modules);
}

static void works_on_its_own_in_turn(void *unused) {
    works_on_its_own(unused);
    in_child(works_on_its_own, unused);
}

static void a_child_has_runs_of_its_own(void) {
    struct all all;
    if (!make_all(&all))
        return;
    in_child(works_on_its_own, NULL);
    in_child(works_on_its_own_in_turn, NULL);
    CHECK(close(all.out) == 0);
    free_all(&all);
    in_child(works_on_its_own, NULL);
}

/* Threads that are within the library when the process forks. */
struct worker {
    pthread_t thread;
    const struct all *all;
    volatile sig_atomic_t stop;
    int kind;
    int turns;
};

static void *work(void *argument) {
    struct worker *worker = argument;
    const struct all *all = worker->all;
    while (!worker->stop) {
        stockade_report *report = NULL;
        stockade_sandbox *sandbox = NULL;
        stockade_instance *instance = NULL;
        stockade_execution *execution = NULL;
        stockade_stdio stdio;
        stockade_value count;
        memset(&stdio, 0, sizeof stdio);
        switch (worker->kind) {
        case 0:
            CHECK(stockade_prepared_run(all->prepared, NULL, &report, ERROR) == STOCKADE_OK);
            break;
        case 1:
            CHECK(stockade_module_instantiate(all->module, &instance, ERROR) == STOCKADE_OK);
            CHECK(stockade_instance_call(instance, "count", NULL, 0, &count, 1, ERROR) == STOCKADE_OK);
            stockade_instance_free(instance);
            break;
        case 2:
            CHECK(stockade_sandbox_new(worker->turns % 2 ? STOCKADE_BACKEND_NAMESPACE
                                                         : STOCKADE_BACKEND_WASM,
                                       NULL, &sandbox, ERROR)
                  == STOCKADE_OK);
            stockade_sandbox_free(sandbox);
            break;
        default:
            stdio.output.kind = STOCKADE_STREAM_PIPE;
            CHECK(stockade_prepared_start(all->prepared, &stdio, &execution, ERROR) == STOCKADE_OK);
            CHECK(stockade_execution_wait(execution, &report, ERROR) == STOCKADE_OK);
            stockade_execution_free(execution);
        }
        stockade_report_free(report);
        worker->turns++;
    }
    forget_error();
    return NULL;
}

static void a_fork_in_the_middle_of_everything_leaves_a_child_that_works(void) {
    struct all all;
    struct worker workers[4];
    int forks = runs_as("valgrind") ? 3 : 20;
#ifdef __SANITIZE_ADDRESS__
    skip("whole_asan", "the allocator of libasan is not whole in a child when threads use it at a fork");
    return;
#endif
    if (!make_all(&all))
        return;
    for (size_t at = 0; at < COUNT(workers); at++) {
        memset(&workers[at], 0, sizeof workers[at]);
        workers[at].all = &all;
        workers[at].kind = (int)at;
        CHECK(pthread_create(&workers[at].thread, NULL, work, &workers[at]) == 0);
    }
    sleep_ms(100);
    for (int turn = 0; turn < forks && failures == 0; turn++) {
        in_child(works_on_its_own, NULL);
        sleep_ms((unsigned)turn % 7);
    }
    for (size_t at = 0; at < COUNT(workers); at++) {
        workers[at].stop = 1;
        CHECK(pthread_join(workers[at].thread, NULL) == 0);
        CHECK(workers[at].turns > 0);
    }
    CHECK(close(all.out) == 0);
    free_all(&all);
}

static const struct test TESTS[] = {
    TEST(handles_of_the_parent_are_lost_to_a_child),
    TEST(a_child_has_runs_of_its_own),
    TEST(a_fork_in_the_middle_of_everything_leaves_a_child_that_works),
};

MAIN(TESTS)
