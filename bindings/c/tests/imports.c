/* Functions of the host's that modules call. */
#include "check.h"

#include "modules.h"

/* What the functions below were called with, and are to do. */
struct host {
    int calls;
    int32_t fails;      /* what they return */
    int32_t wrong_type; /* what the first result's type is set to, unless 0 */
    int look;           /* `tell` looks at the guest's memory, in one of the ways below */
    int32_t status;     /* what a look outside the memory gave */
    char words[64];
    pthread_t caller;
};

static int32_t twice(void *user_data, stockade_call *call, const stockade_value *arguments,
                     size_t argument_count, stockade_value *results, size_t result_count) {
    struct host *host = user_data;
    host->calls++;
    host->caller = pthread_self();
    if (!CHECK(call != NULL && argument_count == 1 && result_count == 1))
        return 1;
    CHECK(arguments[0].type == STOCKADE_I32);
    /* Results come with their types, and 0. */
    CHECK(results[0].type == STOCKADE_I32 && results[0].of.i32 == 0);
    CHECK(stockade_call_cancelled(call) == 0);
    results[0].of.i32 = arguments[0].of.i32 * 2;
    if (host->wrong_type != 0)
        results[0].type = host->wrong_type;
    return host->fails;
}

static int32_t mix(void *user_data, stockade_call *call, const stockade_value *arguments,
                   size_t argument_count, stockade_value *results, size_t result_count) {
    struct host *host = user_data;
    (void)call;
    host->calls++;
    if (!CHECK(argument_count == 4 && result_count == 4))
        return 1;
    CHECK(arguments[0].type == STOCKADE_I32 && arguments[1].type == STOCKADE_I64);
    CHECK(arguments[2].type == STOCKADE_F32 && arguments[3].type == STOCKADE_F64);
    CHECK(results[0].type == STOCKADE_F64 && results[1].type == STOCKADE_F32);
    CHECK(results[2].type == STOCKADE_I64 && results[3].type == STOCKADE_I32);
    results[0].of.f64 = arguments[3].of.f64 + 1;
    results[1].of.f32 = arguments[2].of.f32 + 1;
    results[2].of.i64 = arguments[1].of.i64 + 1;
    results[3].of.i32 = arguments[0].of.i32 + 1;
    return 0;
}

enum { READ = 1, WRITE, READ_OUTSIDE, WRITE_OUTSIDE, NO_BUFFER, WAIT };

static int32_t tell(void *user_data, stockade_call *call, const stockade_value *arguments,
                    size_t argument_count, stockade_value *results, size_t result_count) {
    struct host *host = user_data;
    uint32_t address = (uint32_t)arguments[0].of.i32;
    size_t length = (size_t)(uint32_t)arguments[1].of.i32;
    host->calls++;
    if (!CHECK(argument_count == 2 && result_count == 0))
        return 1;
    (void)results;
    switch (host->look) {
    case READ:
        if (length < sizeof host->words)
            host->status = stockade_call_read(call, address, host->words, length);
        break;
    case WRITE:
        host->status = stockade_call_write(call, address, "HOST", length);
        break;
    case READ_OUTSIDE:
        memset(host->words, '-', sizeof host->words);
        host->status = stockade_call_read(call, address, host->words, length);
        break;
    case WRITE_OUTSIDE:
        host->status = stockade_call_write(call, address, host->words, length);
        break;
    case NO_BUFFER:
        host->status = stockade_call_read(call, address, NULL, length);
        CHECK(stockade_call_write(call, address, NULL, length) == host->status);
        break;
    case WAIT:
        for (int turn = 0; turn < 3000 && !stockade_call_cancelled(call); turn++)
            sleep_ms(10);
        host->status = stockade_call_cancelled(call);
        break;
    }
    return host->fails;
}

#define MIX "i32 i64 f32 f64 -> f64 f32 i64 i32"

/* An instance of the module that asks, with a function for each of its imports. */
static stockade_instance *asking(struct host *host, const stockade_policy *policy) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_module *module = NULL;
    stockade_instance *instance = NULL;
    char names[3][8] = {"double", "mix", "tell"};
    stockade_import imports[3];
    for (size_t at = 0; at < COUNT(imports); at++) {
        imports[at].module = "host";
        imports[at].name = names[at];
        imports[at].signature = at == 0 ? "i32 -> i32" : at == 1 ? MIX : "i32 i32 ->";
        imports[at].function = at == 0 ? twice : at == 1 ? mix : tell;
        imports[at].user_data = host;
    }
    CHECK(stockade_module_load_bytes(sandbox, policy, asks_module, sizeof asks_module, imports, 3,
                                     &module, ERROR)
          == STOCKADE_OK);
    /* The names were copied. */
    memset(names, 'x', sizeof names);
    memset(imports, 0, sizeof imports);
    CHECK(stockade_module_instantiate(module, &instance, ERROR) == STOCKADE_OK);
    stockade_module_free(module);
    stockade_sandbox_free(sandbox);
    return instance;
}

static int32_t call_double(stockade_instance *instance, int32_t number, int32_t *answer) {
    stockade_value in, out;
    int32_t status;
    memset(&in, 0, sizeof in);
    memset(&out, 0, sizeof out);
    in.type = STOCKADE_I32;
    in.of.i32 = number;
    status = stockade_instance_call(instance, "double", &in, 1, &out, 1, ERROR);
    *answer = out.of.i32;
    return status;
}

static int32_t call_tell(stockade_instance *instance, int32_t address, int32_t length) {
    stockade_value in[2];
    memset(in, 0, sizeof in);
    in[0].type = in[1].type = STOCKADE_I32;
    in[0].of.i32 = address;
    in[1].of.i32 = length;
    return stockade_instance_call(instance, "tell", in, 2, NULL, 0, ERROR);
}

static void a_module_calls_the_host(void) {
    struct host host = {0};
    stockade_instance *instance = asking(&host, NULL);
    stockade_value in[4], out[4];
    int32_t answer = 0;
    CHECK(call_double(instance, 21, &answer) == STOCKADE_OK && answer == 42);
    CHECK(call_double(instance, -4, &answer) == STOCKADE_OK && answer == -8);
    CHECK(host.calls == 2);
    CHECK(pthread_equal(host.caller, pthread_self()));
    memset(in, 0, sizeof in);
    in[0].type = STOCKADE_I32, in[0].of.i32 = 1;
    in[1].type = STOCKADE_I64, in[1].of.i64 = (int64_t)1 << 40;
    in[2].type = STOCKADE_F32, in[2].of.f32 = 0.5f;
    in[3].type = STOCKADE_F64, in[3].of.f64 = 0.25;
    CHECK(stockade_instance_call(instance, "mix", in, 4, out, 4, ERROR) == STOCKADE_OK);
    CHECK(out[0].of.f64 == 1.25 && out[1].of.f32 == 1.5f);
    CHECK(out[2].of.i64 == ((int64_t)1 << 40) + 1 && out[3].of.i32 == 2);
    CHECK(host.calls == 3);
    stockade_instance_free(instance);
}

static void each_module_has_its_own_data(void) {
    struct host one = {0}, other = {0};
    stockade_instance *first = asking(&one, NULL), *second = asking(&other, NULL);
    int32_t answer = 0;
    CHECK(call_double(first, 1, &answer) == STOCKADE_OK);
    CHECK(call_double(second, 1, &answer) == STOCKADE_OK);
    CHECK(call_double(second, 1, &answer) == STOCKADE_OK);
    CHECK(one.calls == 1 && other.calls == 2);
    stockade_instance_free(first);
    stockade_instance_free(second);
}

static void the_host_reads_and_writes_the_guests_memory(void) {
    struct host host = {0};
    stockade_instance *instance = asking(&host, NULL);
    stockade_value at, byte;
    host.look = READ;
    CHECK(call_tell(instance, 64, 15) == STOCKADE_OK);
    CHECK(host.status == STOCKADE_OK && strcmp(host.words, "a guest's words") == 0);
    CHECK(call_tell(instance, 65536, 0) == STOCKADE_OK && host.status == STOCKADE_OK);
    host.look = WRITE;
    CHECK(call_tell(instance, 65532, 4) == STOCKADE_OK && host.status == STOCKADE_OK);
    memset(&at, 0, sizeof at);
    at.type = STOCKADE_I32;
    at.of.i32 = 65535;
    CHECK(stockade_instance_call(instance, "byte", &at, 1, &byte, 1, ERROR) == STOCKADE_OK);
    CHECK(byte.of.i32 == 'T');
    stockade_instance_free(instance);
}

static void addresses_are_checked(void) {
    static const struct {
        int32_t address, length;
    } places[] = {{65535, 2}, {65536, 1}, {65537, 0}, {-1, 1}, {0, -1}, {-1, -1}, {0, 65537}};
    struct host host = {0};
    stockade_instance *instance = asking(&host, NULL);
    for (size_t at = 0; at < COUNT(places); at++) {
        host.look = READ_OUTSIDE;
        CHECK(call_tell(instance, places[at].address, places[at].length) == STOCKADE_OK);
        CHECK(host.status == STOCKADE_INVALID_ARGUMENT);
        CHECK(host.words[0] == '-' && host.words[sizeof host.words - 1] == '-');
        host.look = WRITE_OUTSIDE;
        CHECK(call_tell(instance, places[at].address, places[at].length) == STOCKADE_OK);
        CHECK(host.status == STOCKADE_INVALID_ARGUMENT);
    }
    host.look = NO_BUFFER;
    CHECK(call_tell(instance, 0, 1) == STOCKADE_OK && host.status == STOCKADE_INVALID_ARGUMENT);
    CHECK(call_tell(instance, 0, 0) == STOCKADE_OK && host.status == STOCKADE_OK);
    CHECK(stockade_call_read(NULL, 0, host.words, 1) == STOCKADE_INVALID_ARGUMENT);
    CHECK(stockade_call_write(NULL, 0, host.words, 1) == STOCKADE_INVALID_ARGUMENT);
    CHECK(stockade_call_cancelled(NULL) == 0);
    stockade_instance_free(instance);
}

static void a_function_that_fails_ends_the_instance(void) {
    struct host host = {0};
    stockade_instance *instance = asking(&host, NULL);
    stockade_report *report = NULL;
    int32_t answer = 5;
    host.fails = 17;
    CHECK(failed_with(call_double(instance, 1, &answer), STOCKADE_ENDED));
    CHECK(message_has("host.double") && message_has("17"));
    CHECK(answer == 0 && host.calls == 1);
    CHECK(stockade_instance_report(instance, &report, ERROR) == STOCKADE_OK);
    CHECK(stockade_report_verdict(report) == STOCKADE_VERDICT_TRAPPED);
    stockade_report_free(report);
    host.fails = 0;
    CHECK(failed_with(call_double(instance, 1, &answer), STOCKADE_ENDED));
    CHECK(host.calls == 1);
    stockade_instance_free(instance);
}

static void a_result_of_another_type_ends_the_instance(void) {
    static const int32_t types[] = {STOCKADE_I64, STOCKADE_F32, 9, -1};
    for (size_t at = 0; at < COUNT(types); at++) {
        struct host host = {0};
        stockade_instance *instance = asking(&host, NULL);
        int32_t answer = 0;
        host.wrong_type = types[at];
        CHECK(failed_with(call_double(instance, 1, &answer), STOCKADE_ENDED));
        CHECK(message_has("host.double"));
        stockade_instance_free(instance);
    }
}

static void *kill_soon(void *instance) {
    sleep_ms(200);
    CHECK(stockade_instance_kill(instance, NULL) == STOCKADE_OK);
    return NULL;
}

static void a_function_learns_that_it_has_to_return(void) {
    struct host host = {0};
    stockade_instance *instance = asking(&host, NULL);
    stockade_policy *policy = NULL;
    stockade_report *report = NULL;
    pthread_t killer;
    host.look = WAIT;
    CHECK(pthread_create(&killer, NULL, kill_soon, instance) == 0);
    CHECK(failed_with(call_tell(instance, 0, 0), STOCKADE_ENDED));
    CHECK(pthread_join(killer, NULL) == 0);
    CHECK(host.status == 1);
    stockade_instance_free(instance);
    CHECK(stockade_policy_new(&policy, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_limit(policy, STOCKADE_CONTROL_WALL_TIME, 200000000u, ERROR)
          == STOCKADE_OK);
    instance = asking(&host, policy);
    host.status = 0;
    CHECK(failed_with(call_tell(instance, 0, 0), STOCKADE_ENDED));
    CHECK(host.status == 1);
    CHECK(stockade_instance_report(instance, &report, ERROR) == STOCKADE_OK);
    CHECK(hit_limit(report, STOCKADE_CONTROL_WALL_TIME));
    stockade_report_free(report);
    stockade_instance_free(instance);
    stockade_policy_free(policy);
}

/* What a function that calls its own caller was told. */
struct caller {
    stockade_instance *instance;
    int32_t status[3];
};

static int32_t call_back(void *user_data, stockade_call *call, const stockade_value *arguments,
                         size_t argument_count, stockade_value *results, size_t result_count) {
    struct caller *caller = user_data;
    stockade_value result;
    stockade_report *report = NULL;
    const uint8_t *output = NULL;
    size_t length = 0;
    (void)call, (void)arguments, (void)argument_count, (void)results, (void)result_count;
    caller->status[0] = stockade_instance_call(caller->instance, "byte", arguments, 1, &result, 1, ERROR);
    CHECK(message_has("call"));
    caller->status[1] = stockade_instance_call_bytes(caller->instance, "byte", "", 0, &output, &length,
                                                     NULL);
    caller->status[2] = stockade_instance_report(caller->instance, &report, NULL);
    CHECK(report == NULL && output == NULL);
    return 0;
}

static void a_function_cannot_call_its_own_caller(void) {
    struct host host = {0};
    struct caller caller = {NULL, {0, 0, 0}};
    stockade_import imports[3] = {{"host", "double", "i32 -> i32", NULL, NULL},
                                  {"host", "mix", MIX, mix, NULL},
                                  {"host", "tell", "i32 i32 ->", tell, NULL}};
    stockade_sandbox *sandbox = module_sandbox();
    stockade_module *module = NULL;
    int32_t answer = 5;
    imports[0].function = call_back;
    imports[0].user_data = &caller;
    imports[1].user_data = imports[2].user_data = &host;
    CHECK(stockade_module_load_bytes(sandbox, NULL, asks_module, sizeof asks_module, imports, 3, &module,
                                     ERROR)
          == STOCKADE_OK);
    CHECK(stockade_module_instantiate(module, &caller.instance, ERROR) == STOCKADE_OK);
    CHECK(call_double(caller.instance, 1, &answer) == STOCKADE_OK && answer == 0);
    for (size_t at = 0; at < COUNT(caller.status); at++)
        CHECK(caller.status[at] == STOCKADE_INVALID_ARGUMENT);
    CHECK(call_double(caller.instance, 1, &answer) == STOCKADE_OK);
    stockade_instance_free(caller.instance);
    stockade_module_free(module);
    stockade_sandbox_free(sandbox);
}

static const struct test TESTS[] = {
    TEST(a_module_calls_the_host),
    TEST(each_module_has_its_own_data),
    TEST(the_host_reads_and_writes_the_guests_memory),
    TEST(addresses_are_checked),
    TEST(a_function_that_fails_ends_the_instance),
    TEST(a_result_of_another_type_ends_the_instance),
    TEST(a_function_learns_that_it_has_to_return),
    TEST(a_function_cannot_call_its_own_caller),
};

MAIN(TESTS)
