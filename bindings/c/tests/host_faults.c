/* A host that handles its own crashes: they stay its own, and traps of modules stay traps. */
#include "check.h"

#include <setjmp.h>
#include <sys/mman.h>

#include "modules.h"

static sigjmp_buf back;
static volatile sig_atomic_t caught;

static void catch_fault(int signal, siginfo_t *info, void *context) {
    (void)info, (void)context;
    caught = signal;
    siglongjmp(back, 1);
}

static void handle_faults(void) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = catch_fault;
    action.sa_flags = SA_SIGINFO;
    for (size_t at = 0; at < COUNT(signals); at++)
        CHECK(sigaction(signals[at], &action, NULL) == 0);
}

/* Has this thread fault, and says which signal the host's handler was given. The page can be read, so
 * that no tool takes the write for one beyond an object. */
static int fault(void) {
    volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    caught = 0;
    if (sigsetjmp(back, 1) == 0)
        page[8] = 1;
    munmap((void *)page, 4096);
    return caught;
}

/* Has the host's handler called by signals that are sent. */
static int sent(int signal) {
    caught = 0;
    if (sigsetjmp(back, 1) == 0)
        raise(signal);
    return caught;
}

static stockade_value number(int32_t number) {
    stockade_value value;
    memset(&value, 0, sizeof value);
    value.type = STOCKADE_I32;
    value.of.i32 = number;
    return value;
}

/* Traps that an engine makes of signals: beyond the memory, by zero, no stack, no instruction. */
static void modules_trap(void) {
    static const struct {
        const char *function, *word;
        size_t arguments, results;
    } traps[] = {
        {"peek", "memory", 1, 1},
        {"divide", "zero", 2, 1},
        {"recurse", "stack", 1, 1},
        {"trap", "unreachable", 0, 0},
    };
    stockade_sandbox *sandbox = module_sandbox();
    stockade_module *module = NULL;
    CHECK(stockade_module_load_bytes(sandbox, NULL, library_module, sizeof library_module, NULL, 0,
                                     &module, ERROR)
          == STOCKADE_OK);
    for (size_t at = 0; at < COUNT(traps); at++) {
        stockade_instance *instance = NULL;
        stockade_value arguments[2], result;
        arguments[0] = number(0x7ffffff0);
        arguments[1] = number(0);
        CHECK(stockade_module_instantiate(module, &instance, ERROR) == STOCKADE_OK);
        CHECK(failed_with(stockade_instance_call(instance, traps[at].function, arguments,
                                                 traps[at].arguments, &result, traps[at].results, ERROR),
                          STOCKADE_ENDED));
        CHECK(message_has(traps[at].word));
        stockade_instance_free(instance);
    }
    stockade_module_free(module);
    stockade_sandbox_free(sandbox);
}

/* The first test: no engine was there before. */
static void handlers_from_before_the_first_module_get_the_hosts_faults(void) {
    handle_faults();
    CHECK(fault() == SIGSEGV);
    for (int turn = 0; turn < 3; turn++) {
        modules_trap();
        CHECK(fault() == SIGSEGV);
        CHECK(sent(SIGFPE) == SIGFPE && sent(SIGBUS) == SIGBUS);
    }
}

static void handlers_from_after_the_first_module_get_them_too(void) {
    for (int turn = 0; turn < 3; turn++) {
        handle_faults();
        CHECK(fault() == SIGSEGV);
        modules_trap();
        CHECK(fault() == SIGSEGV);
        CHECK(sent(SIGILL) == SIGILL && sent(SIGBUS) == SIGBUS);
    }
}

static void *trap_and_fault(void *unused) {
    (void)unused;
    for (int turn = 0; turn < 3; turn++)
        modules_trap();
    forget_error();
    return NULL;
}

static void threads_trap_while_the_host_faults(void) {
    pthread_t threads[3];
    handle_faults();
    for (size_t at = 0; at < COUNT(threads); at++)
        CHECK(pthread_create(&threads[at], NULL, trap_and_fault, NULL) == 0);
    for (int turn = 0; turn < 50; turn++)
        CHECK(fault() == SIGSEGV);
    for (size_t at = 0; at < COUNT(threads); at++)
        CHECK(pthread_join(threads[at], NULL) == 0);
}

/* What faults in a function of the host's is the host, though a module has called it. */
static int32_t fault_within(void *user_data, stockade_call *call, const stockade_value *arguments,
                            size_t argument_count, stockade_value *results, size_t result_count) {
    (void)call, (void)arguments, (void)argument_count, (void)results, (void)result_count;
    *(int *)user_data = fault();
    return 0;
}

static int32_t nothing(void *user_data, stockade_call *call, const stockade_value *arguments,
                       size_t argument_count, stockade_value *results, size_t result_count) {
    (void)user_data, (void)call, (void)arguments, (void)argument_count, (void)results;
    (void)result_count;
    return 0;
}

static void a_function_that_a_module_calls_faults_on_its_own(void) {
    int seen = 0;
    stockade_import imports[3] = {{"host", "double", "i32 -> i32", fault_within, NULL},
                                  {"host", "mix", "i32 i64 f32 f64 -> f64 f32 i64 i32", nothing, NULL},
                                  {"host", "tell", "i32 i32 ->", nothing, NULL}};
    stockade_sandbox *sandbox = module_sandbox();
    stockade_module *module = NULL;
    stockade_instance *instance = NULL;
    stockade_value argument = number(1), result;
    imports[0].user_data = &seen;
    handle_faults();
    CHECK(stockade_module_load_bytes(sandbox, NULL, asks_module, sizeof asks_module, imports, 3, &module,
                                     ERROR)
          == STOCKADE_OK);
    CHECK(stockade_module_instantiate(module, &instance, ERROR) == STOCKADE_OK);
    CHECK(stockade_instance_call(instance, "double", &argument, 1, &result, 1, ERROR) == STOCKADE_OK);
    CHECK(seen == SIGSEGV);
    stockade_instance_free(instance);
    stockade_module_free(module);
    stockade_sandbox_free(sandbox);
}

static const struct test TESTS[] = {
    TEST(handlers_from_before_the_first_module_get_the_hosts_faults),
    TEST(handlers_from_after_the_first_module_get_them_too),
    TEST(threads_trap_while_the_host_faults),
    TEST(a_function_that_a_module_calls_faults_on_its_own),
};

MAIN(TESTS)
