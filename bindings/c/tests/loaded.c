/* The library as a plugin: nothing is linked with it, it is opened, used, closed and opened again.
 *
 * The file is the first argument, or STOCKADE_LIBRARY, or what the loader finds by its name. */
#define TEST_WITHOUT_LIBRARY
#include "check.h"

#include <dlfcn.h>

#include "modules.h"

static const char *library = "libstockade.so.0.1";

/* What is used of it. */
struct api {
    void *handle;
    const char *(*version)(void);
    int32_t (*error_kind)(const stockade_error *);
    void (*error_free)(stockade_error *);
    int32_t (*policy_new)(stockade_policy **, stockade_error **);
    int32_t (*set_best_effort)(stockade_policy *, int32_t, stockade_error **);
    void (*policy_free)(stockade_policy *);
    int32_t (*sandbox_new)(int32_t, const stockade_wasm_options *, stockade_sandbox **, stockade_error **);
    void (*sandbox_free)(stockade_sandbox *);
    int32_t (*run)(const stockade_sandbox *, const stockade_policy *, const char *const *,
                   const stockade_stdio *, stockade_report **, stockade_error **);
    int32_t (*start)(const stockade_sandbox *, const stockade_policy *, const char *const *,
                     const stockade_stdio *, stockade_execution **, stockade_error **);
    int32_t (*wait)(const stockade_execution *, stockade_report **, stockade_error **);
    void (*execution_free)(stockade_execution *);
    int32_t (*prepare_module)(const stockade_sandbox *, const stockade_policy *, const void *, size_t,
                              const char *const *, stockade_prepared **, stockade_error **);
    int32_t (*prepared_run)(const stockade_prepared *, const stockade_stdio *, stockade_report **,
                            stockade_error **);
    void (*prepared_free)(stockade_prepared *);
    int32_t (*verdict)(const stockade_report *);
    int32_t (*code)(const stockade_report *);
    const uint8_t *(*output)(const stockade_report *, int32_t, size_t *);
    void (*report_free)(stockade_report *);
};

/* Finds a function; C has no cast from an object to it, and dlsym(3) says how it is done. */
static int find(void *handle, const char *name, void *function) {
    void *found = dlsym(handle, name);
    memcpy(function, &found, sizeof found);
    return CHECK(found != NULL);
}

static int open_library(struct api *api) {
    memset(api, 0, sizeof *api);
    api->handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (api->handle == NULL)
        printf("#   %s\n", dlerror());
    return CHECK(api->handle != NULL) && find(api->handle, "stockade_version", &api->version)
        && find(api->handle, "stockade_error_kind", &api->error_kind)
        && find(api->handle, "stockade_error_free", &api->error_free)
        && find(api->handle, "stockade_policy_new", &api->policy_new)
        && find(api->handle, "stockade_policy_set_best_effort", &api->set_best_effort)
        && find(api->handle, "stockade_policy_free", &api->policy_free)
        && find(api->handle, "stockade_sandbox_new", &api->sandbox_new)
        && find(api->handle, "stockade_sandbox_free", &api->sandbox_free)
        && find(api->handle, "stockade_run", &api->run)
        && find(api->handle, "stockade_start", &api->start)
        && find(api->handle, "stockade_execution_wait", &api->wait)
        && find(api->handle, "stockade_execution_free", &api->execution_free)
        && find(api->handle, "stockade_prepare_module", &api->prepare_module)
        && find(api->handle, "stockade_prepared_run", &api->prepared_run)
        && find(api->handle, "stockade_prepared_free", &api->prepared_free)
        && find(api->handle, "stockade_report_verdict", &api->verdict)
        && find(api->handle, "stockade_report_code", &api->code)
        && find(api->handle, "stockade_report_output", &api->output)
        && find(api->handle, "stockade_report_free", &api->report_free);
}

static int says_hello(const struct api *api, const stockade_report *report) {
    const uint8_t *output = api->output(report, STOCKADE_STDOUT, NULL);
    return output != NULL && strcmp((const char *)output, "hello\n") == 0;
}

/* Runs a program in each backend. A thread of a stream and the clock of modules come to life. */
static void use(const struct api *api) {
    static const int32_t weak[] = {STOCKADE_CONTROL_MEMORY, STOCKADE_CONTROL_CPU_TIME,
                                   STOCKADE_CONTROL_PROCESSES};
    static const char *const argv[] = {"echo", "hello", NULL};
    stockade_sandbox *native = NULL, *modules = NULL;
    stockade_policy *policy = NULL;
    stockade_prepared *prepared = NULL;
    stockade_report *report = NULL;
    stockade_execution *execution = NULL;
    stockade_error *error = NULL;
    stockade_stdio stdio;
    int32_t status;
    unsigned major;
    CHECK(sscanf(api->version(), "%u.", &major) == 1);
    CHECK(api->policy_new(&policy, NULL) == STOCKADE_OK);
    for (size_t at = 0; at < COUNT(weak); at++)
        CHECK(api->set_best_effort(policy, weak[at], NULL) == STOCKADE_OK);
    CHECK(api->sandbox_new(STOCKADE_BACKEND_WASM, NULL, &modules, NULL) == STOCKADE_OK);
    CHECK(api->prepare_module(modules, NULL, hello_module, sizeof hello_module, NULL, &prepared, NULL)
          == STOCKADE_OK);
    CHECK(api->prepared_run(prepared, NULL, &report, NULL) == STOCKADE_OK && says_hello(api, report));
    api->report_free(report);
    api->prepared_free(prepared);
    CHECK(api->prepare_module(modules, NULL, trap_module, sizeof trap_module, NULL, &prepared, NULL)
          == STOCKADE_OK);
    CHECK(api->prepared_run(prepared, NULL, &report, NULL) == STOCKADE_OK);
    CHECK(api->verdict(report) == STOCKADE_VERDICT_TRAPPED);
    api->report_free(report);
    api->prepared_free(prepared);
    report = NULL;
    status = api->sandbox_new(STOCKADE_BACKEND_NAMESPACE, NULL, &native, &error);
    if (!has_pidfd()) {
        skip("pidfd", "there is no pidfd_open here, as under valgrind 3.19");
    } else if (status == STOCKADE_UNSUPPORTED) {
        CHECK(api->error_kind(error) == STOCKADE_UNSUPPORTED);
        skip("userns", "this host refuses namespaces");
    } else {
        CHECK(status == STOCKADE_OK);
        CHECK(api->run(native, policy, argv, NULL, &report, NULL) == STOCKADE_OK);
        CHECK(says_hello(api, report) && api->code(report) == 0);
        api->report_free(report);
        report = NULL;
        memset(&stdio, 0, sizeof stdio);
        stdio.output.kind = STOCKADE_STREAM_PIPE;
        CHECK(api->start(native, policy, argv, &stdio, &execution, NULL) == STOCKADE_OK);
        CHECK(api->wait(execution, &report, NULL) == STOCKADE_OK);
        api->report_free(report);
        api->execution_free(execution);
    }
    api->error_free(error);
    api->sandbox_free(native);
    api->sandbox_free(modules);
    api->policy_free(policy);
}

static void a_host_loads_uses_and_closes_the_library(void) {
    for (int turn = 0; turn < 3; turn++) {
        struct api api;
        NEED(open_library(&api));
        use(&api);
        CHECK(dlclose(api.handle) == 0);
    }
}

static void *load_and_use(void *unused) {
    struct api api;
    (void)unused;
    if (open_library(&api)) {
        use(&api);
        CHECK(dlclose(api.handle) == 0);
    }
    return NULL;
}

/* Keys of threads that have ended are of the library's code. */
static void threads_load_and_close_it_too(void) {
    for (int turn = 0; turn < 3; turn++) {
        pthread_t threads[4];
        for (size_t at = 0; at < COUNT(threads); at++)
            CHECK(pthread_create(&threads[at], NULL, load_and_use, NULL) == 0);
        for (size_t at = 0; at < COUNT(threads); at++)
            CHECK(pthread_join(threads[at], NULL) == 0);
    }
}

/* Its code stays, since a thread of its or a handler of signals may be in it. */
static void what_is_alive_goes_on_when_it_is_closed(void) {
    struct api api;
    stockade_sandbox *modules = NULL;
    stockade_prepared *prepared = NULL;
    stockade_report *report = NULL;
    NEED(open_library(&api));
    CHECK(api.sandbox_new(STOCKADE_BACKEND_WASM, NULL, &modules, NULL) == STOCKADE_OK);
    CHECK(dlclose(api.handle) == 0);
    sleep_ms(20);
    CHECK(api.prepare_module(modules, NULL, hello_module, sizeof hello_module, NULL, &prepared, NULL)
          == STOCKADE_OK);
    CHECK(api.prepared_run(prepared, NULL, &report, NULL) == STOCKADE_OK && says_hello(&api, report));
    api.report_free(report);
    api.prepared_free(prepared);
    api.sandbox_free(modules);
}

static const struct test TESTS[] = {
    TEST(a_host_loads_uses_and_closes_the_library),
    TEST(threads_load_and_close_it_too),
    TEST(what_is_alive_goes_on_when_it_is_closed),
};

int main(int argc, char **argv) {
    const char *told = argc > 1 ? argv[1] : getenv("STOCKADE_LIBRARY");
    if (told != NULL)
        library = told;
    return run_tests(TESTS, COUNT(TESTS));
}
