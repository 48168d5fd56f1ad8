/* Functions of modules, called from C. */
#include "check.h"

#include <math.h>

#include "modules.h"

static stockade_module *load(const stockade_sandbox *sandbox, const stockade_policy *policy) {
    stockade_module *module = NULL;
    CHECK(stockade_module_load_bytes(sandbox, policy, library_module, sizeof library_module, NULL, 0,
                                     &module, ERROR)
          == STOCKADE_OK);
    return module;
}

/* An instance of its own; the module and the sandbox are freed at once, as a host may do. */
static stockade_instance *instance_under(const stockade_policy *policy) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_module *module = load(sandbox, policy);
    stockade_instance *instance = NULL;
    CHECK(stockade_module_instantiate(module, &instance, ERROR) == STOCKADE_OK);
    stockade_module_free(module);
    stockade_sandbox_free(sandbox);
    return instance;
}

static stockade_value i32(int32_t number) {
    stockade_value value;
    memset(&value, 0, sizeof value);
    value.type = STOCKADE_I32;
    value.of.i32 = number;
    return value;
}

static stockade_value i64(int64_t number) {
    stockade_value value;
    memset(&value, 0, sizeof value);
    value.type = STOCKADE_I64;
    value.of.i64 = number;
    return value;
}

static stockade_value f32(float number) {
    stockade_value value;
    memset(&value, 0, sizeof value);
    value.type = STOCKADE_F32;
    value.of.f32 = number;
    return value;
}

static stockade_value f64(double number) {
    stockade_value value;
    memset(&value, 0, sizeof value);
    value.type = STOCKADE_F64;
    value.of.f64 = number;
    return value;
}

static int32_t call(stockade_instance *instance, const char *name) {
    return stockade_instance_call(instance, name, NULL, 0, NULL, 0, ERROR);
}

static void functions_are_listed(void) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_module *module = load(sandbox, NULL);
    char *json = NULL;
    NEED(stockade_module_functions_json(module, &json, ERROR) == STOCKADE_OK);
    CHECK(json[0] == '[');
    CHECK(contains(json, "{\"name\":\"add_i32\",\"parameters\":[\"i32\",\"i32\"],\"results\":[\"i32\"]}"));
    CHECK(contains(json, "{\"name\":\"mix\",\"parameters\":[\"i32\",\"i64\",\"f32\",\"f64\"],"
                         "\"results\":[\"f64\",\"f32\",\"i64\",\"i32\"]}"));
    CHECK(contains(json, "{\"name\":\"nothing\",\"parameters\":[],\"results\":[]}"));
    /* Of numbers alone. */
    CHECK(!contains(json, "vector"));
    stockade_string_free(json);
    stockade_module_free(module);
    CHECK(stockade_module_load_bytes(sandbox, NULL, empty_module, sizeof empty_module, NULL, 0, &module,
                                     ERROR)
          == STOCKADE_OK);
    CHECK(stockade_module_functions_json(module, &json, ERROR) == STOCKADE_OK);
    CHECK(json != NULL && strcmp(json, "[]") == 0);
    stockade_string_free(json);
    stockade_module_free(module);
    stockade_module_free(NULL);
    stockade_sandbox_free(sandbox);
}

static void a_module_is_loaded_from_a_file(void) {
    stockade_sandbox *sandbox = NULL;
    stockade_module *module = NULL;
    stockade_instance *instance = NULL;
    stockade_value result = i32(0);
    char path[FOLDER], file[FOLDER + 32];
    NEED(make_folder(path));
    snprintf(file, sizeof file, "%s/plugin", path);
    CHECK(write_file(file, library_module, sizeof library_module));
    CHECK(stockade_sandbox_new(STOCKADE_BACKEND_AUTO, NULL, &sandbox, ERROR) == STOCKADE_OK);
    CHECK(stockade_module_load(sandbox, NULL, file, NULL, 0, &module, ERROR) == STOCKADE_OK);
    CHECK(unlink(file) == 0 && rmdir(path) == 0);
    CHECK(stockade_module_instantiate(module, &instance, ERROR) == STOCKADE_OK);
    CHECK(stockade_instance_call(instance, "count", NULL, 0, &result, 1, ERROR) == STOCKADE_OK);
    CHECK(result.of.i32 == 1);
    stockade_instance_free(instance);
    stockade_module_free(module);
    stockade_sandbox_free(sandbox);
}

static void numbers_of_every_type_go_in_and_out(void) {
    stockade_instance *instance = instance_under(NULL);
    stockade_value in[4], out[4];
    in[0] = i32(INT32_MAX), in[1] = i32(1), out[0] = i64(77);
    CHECK(stockade_instance_call(instance, "add_i32", in, 2, out, 1, ERROR) == STOCKADE_OK);
    CHECK(out[0].type == STOCKADE_I32 && out[0].of.i32 == INT32_MIN);
    in[0] = i64(INT64_MAX), in[1] = i64(1);
    CHECK(stockade_instance_call(instance, "add_i64", in, 2, out, 1, ERROR) == STOCKADE_OK);
    CHECK(out[0].type == STOCKADE_I64 && out[0].of.i64 == INT64_MIN);
    in[0] = f32(1.5f), in[1] = f32(-3.25f);
    CHECK(stockade_instance_call(instance, "add_f32", in, 2, out, 1, ERROR) == STOCKADE_OK);
    CHECK(out[0].type == STOCKADE_F32 && out[0].of.f32 == -1.75f);
    in[0] = f64(1e300), in[1] = f64(INFINITY);
    CHECK(stockade_instance_call(instance, "add_f64", in, 2, out, 1, ERROR) == STOCKADE_OK);
    CHECK(out[0].type == STOCKADE_F64 && isinf(out[0].of.f64));
    in[1] = f64(NAN);
    CHECK(stockade_instance_call(instance, "add_f64", in, 2, out, 1, ERROR) == STOCKADE_OK);
    CHECK(isnan(out[0].of.f64));
    in[0] = i32(-1), in[1] = i64(-2), in[2] = f32(3.5f), in[3] = f64(-4.5);
    CHECK(stockade_instance_call(instance, "mix", in, 4, out, 4, ERROR) == STOCKADE_OK);
    CHECK(out[0].type == STOCKADE_F64 && out[0].of.f64 == -4.5);
    CHECK(out[1].type == STOCKADE_F32 && out[1].of.f32 == 3.5f);
    CHECK(out[2].type == STOCKADE_I64 && out[2].of.i64 == -2);
    CHECK(out[3].type == STOCKADE_I32 && out[3].of.i32 == -1);
    CHECK(call(instance, "nothing") == STOCKADE_OK);
    stockade_instance_free(instance);
}

/* A call that is refused has not begun, so the instance goes on, and nothing is written. */
static void a_call_of_the_wrong_shape_is_refused(void) {
    stockade_instance *instance = instance_under(NULL);
    stockade_value in[3], out[2];
    in[0] = in[1] = in[2] = i32(1);
    out[0] = out[1] = i64(77);
    CHECK(failed_with(stockade_instance_call(instance, "add_i32", in, 1, out, 1, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("argument_count") && message_has("add_i32"));
    CHECK(failed_with(stockade_instance_call(instance, "add_i32", in, 3, out, 1, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_instance_call(instance, "add_i32", in, 2, out, 0, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_instance_call(instance, "add_i32", in, 2, out, 2, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_instance_call(instance, "add_i32", NULL, 2, out, 1, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("arguments"));
    CHECK(failed_with(stockade_instance_call(instance, "add_i32", in, 2, NULL, 1, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("results"));
    CHECK(failed_with(stockade_instance_call(instance, NULL, in, 2, out, 1, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("name"));
    CHECK(failed_with(stockade_instance_call(instance, "\xff", in, 2, out, 1, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_instance_call(NULL, "add_i32", in, 2, out, 1, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    in[1].type = 9;
    CHECK(failed_with(stockade_instance_call(instance, "add_i32", in, 2, out, 1, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    in[1] = i64(1);
    CHECK(failed_with(stockade_instance_call(instance, "add_i32", in, 2, out, 1, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("i64") && message_has("add_i32"));
    CHECK(failed_with(stockade_instance_call(instance, "absent", in, 2, out, 1, ERROR),
                      STOCKADE_NOT_FOUND));
    CHECK(message_has("absent") && message_has("add_i32"));
    CHECK(failed_with(stockade_instance_call(instance, "memory", NULL, 0, NULL, 0, ERROR),
                      STOCKADE_NOT_FOUND));
    CHECK(failed_with(stockade_instance_call(instance, "vector", in, 1, NULL, 0, ERROR),
                      STOCKADE_INVALID_POLICY));
    CHECK(out[0].type == STOCKADE_I64 && out[0].of.i64 == 77);
    in[1] = i32(2);
    CHECK(stockade_instance_call(instance, "add_i32", in, 2, out, 1, ERROR) == STOCKADE_OK);
    CHECK(out[0].of.i32 == 3);
    stockade_instance_free(instance);
    stockade_instance_free(NULL);
}

static void what_an_instance_knows_lasts_and_is_its_own(void) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_module *module = load(sandbox, NULL);
    stockade_instance *one = NULL, *other = NULL;
    stockade_value result = i32(0);
    CHECK(stockade_module_instantiate(module, &one, ERROR) == STOCKADE_OK);
    CHECK(stockade_module_instantiate(module, &other, ERROR) == STOCKADE_OK);
    for (int32_t turn = 1; turn <= 5; turn++) {
        CHECK(stockade_instance_call(one, "count", NULL, 0, &result, 1, ERROR) == STOCKADE_OK);
        CHECK(result.of.i32 == turn);
    }
    CHECK(stockade_instance_call(other, "count", NULL, 0, &result, 1, ERROR) == STOCKADE_OK);
    CHECK(result.of.i32 == 1);
    stockade_instance_free(one);
    stockade_instance_free(other);
    stockade_module_free(module);
    stockade_sandbox_free(sandbox);
}

/* Whether an instance has ended so: every call says ENDED, and the report has the verdict. */
static int has_ended(stockade_instance *instance, int32_t verdict, const char *word) {
    stockade_value result = i64(77);
    stockade_report *report = NULL;
    const uint8_t *output = NULL;
    size_t length = 0;
    int so = 1;
    for (int turn = 0; turn < 2; turn++) {
        int32_t status = stockade_instance_call(instance, "count", NULL, 0, &result, 1, ERROR);
        so &= CHECK(failed_with(status, STOCKADE_ENDED) && message_has(word));
        so &= CHECK(result.type == STOCKADE_I64 && result.of.i64 == 77);
    }
    so &= CHECK(failed_with(stockade_instance_call_bytes(instance, "shout", "a", 1, &output, &length,
                                                         ERROR),
                            STOCKADE_ENDED));
    so &= CHECK(output == NULL && length == 0);
    so &= CHECK(stockade_instance_report(instance, &report, ERROR) == STOCKADE_OK);
    so &= CHECK(stockade_report_verdict(report) == verdict);
    stockade_report_free(report);
    return so;
}

static void a_trap_ends_an_instance(void) {
    stockade_instance *instance = instance_under(NULL);
    CHECK(failed_with(call(instance, "trap"), STOCKADE_ENDED));
    CHECK(message_has("unreachable"));
    CHECK(has_ended(instance, STOCKADE_VERDICT_TRAPPED, "unreachable"));
    stockade_instance_free(instance);
}

static void an_exit_ends_an_instance(void) {
    stockade_instance *instance = instance_under(NULL);
    stockade_report *report = NULL;
    CHECK(failed_with(call(instance, "exit"), STOCKADE_ENDED));
    CHECK(has_ended(instance, STOCKADE_VERDICT_EXITED, "3"));
    CHECK(stockade_instance_report(instance, &report, ERROR) == STOCKADE_OK);
    CHECK(stockade_report_code(report) == 3);
    stockade_report_free(report);
    stockade_instance_free(instance);
}

static void a_limit_ends_an_instance(void) {
    static const struct {
        int32_t control;
        uint64_t amount;
        const char *function;
    } limits[] = {
        {STOCKADE_CONTROL_WALL_TIME, 100000000u, "spin"},
        {STOCKADE_CONTROL_CPU_TIME, 100000000u, "spin"},
        {STOCKADE_CONTROL_FUEL, 100000u, "spin"},
        {STOCKADE_CONTROL_MEMORY, 8u << 20, "hoard"},
    };
    for (size_t at = 0; at < COUNT(limits); at++) {
        stockade_policy *policy = NULL;
        stockade_instance *instance;
        stockade_report *report = NULL;
        CHECK(stockade_policy_new(&policy, ERROR) == STOCKADE_OK);
        CHECK(stockade_policy_set_limit(policy, limits[at].control, limits[at].amount, ERROR)
              == STOCKADE_OK);
        instance = instance_under(policy);
        CHECK(failed_with(call(instance, limits[at].function), STOCKADE_ENDED));
        CHECK(message_has(stockade_name(limits[at].control)));
        CHECK(stockade_instance_report(instance, &report, ERROR) == STOCKADE_OK);
        CHECK(hit_limit(report, limits[at].control));
        CHECK(stockade_report_amount(report, STOCKADE_LIMIT) == limits[at].amount);
        CHECK(has_ended(instance, STOCKADE_VERDICT_LIMIT, stockade_name(limits[at].control)));
        stockade_report_free(report);
        stockade_instance_free(instance);
        stockade_policy_free(policy);
    }
}

static void *kill_soon(void *instance) {
    sleep_ms(200);
    CHECK(stockade_instance_kill(instance, NULL) == STOCKADE_OK);
    return NULL;
}

static void another_thread_ends_a_call(void) {
    stockade_instance *instance = instance_under(NULL);
    pthread_t killer;
    CHECK(pthread_create(&killer, NULL, kill_soon, instance) == 0);
    CHECK(failed_with(call(instance, "spin"), STOCKADE_ENDED));
    CHECK(pthread_join(killer, NULL) == 0);
    CHECK(has_ended(instance, STOCKADE_VERDICT_CANCELLED, "killed"));
    CHECK(stockade_instance_kill(instance, ERROR) == STOCKADE_OK);
    CHECK(failed_with(stockade_instance_kill(NULL, ERROR), STOCKADE_INVALID_ARGUMENT));
    stockade_instance_free(instance);
}

static void *spin(void *instance) {
    CHECK(stockade_instance_call(instance, "spin", NULL, 0, NULL, 0, NULL) == STOCKADE_ENDED);
    return NULL;
}

/* It does not wait: who calls an instance from two threads at once has made a mistake. */
static void an_instance_is_in_one_call_at_a_time(void) {
    stockade_instance *instance = instance_under(NULL);
    stockade_value result = i64(77);
    stockade_report *report = NULL;
    pthread_t caller;
    CHECK(pthread_create(&caller, NULL, spin, instance) == 0);
    sleep_ms(300);
    CHECK(failed_with(stockade_instance_call(instance, "count", NULL, 0, &result, 1, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("call"));
    CHECK(failed_with(stockade_instance_report(instance, &report, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(report == NULL && result.of.i64 == 77);
    CHECK(stockade_instance_kill(instance, ERROR) == STOCKADE_OK);
    CHECK(pthread_join(caller, NULL) == 0);
    CHECK(stockade_instance_report(instance, &report, ERROR) == STOCKADE_OK);
    CHECK(stockade_report_verdict(report) == STOCKADE_VERDICT_CANCELLED);
    stockade_report_free(report);
    stockade_instance_free(instance);
}

/* A module that fails while it is made is an instance all of whose calls have ended. */
static void an_instance_may_have_ended_when_it_is_made(void) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_module *module = NULL;
    stockade_instance *instance = NULL;
    stockade_value result = i64(77);
    CHECK(stockade_module_load_bytes(sandbox, NULL, fails_at_once_module, sizeof fails_at_once_module,
                                     NULL, 0, &module, ERROR)
          == STOCKADE_OK);
    CHECK(stockade_module_instantiate(module, &instance, ERROR) == STOCKADE_OK);
    CHECK(failed_with(stockade_instance_call(instance, "one", NULL, 0, &result, 1, ERROR),
                      STOCKADE_ENDED));
    CHECK(message_has("unreachable"));
    stockade_instance_free(instance);
    stockade_module_free(module);
    stockade_sandbox_free(sandbox);
}

static void a_report_has_what_the_last_call_printed(void) {
    stockade_instance *instance = instance_under(NULL);
    stockade_report *report = NULL;
    for (int turn = 0; turn < 2; turn++) {
        CHECK(call(instance, "print") == STOCKADE_OK);
        CHECK(stockade_instance_report(instance, &report, ERROR) == STOCKADE_OK);
        CHECK(has_exited(report, 0));
        CHECK(has_output(report, STOCKADE_STDOUT, "hello\n"));
        stockade_report_free(report);
        report = NULL;
    }
    CHECK(failed_with(stockade_instance_report(instance, NULL, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_instance_report(NULL, &report, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(report == NULL);
    stockade_instance_free(instance);
}

static const struct test TESTS[] = {
    TEST(functions_are_listed),
    TEST(a_module_is_loaded_from_a_file),
    TEST(numbers_of_every_type_go_in_and_out),
    TEST(a_call_of_the_wrong_shape_is_refused),
    TEST(what_an_instance_knows_lasts_and_is_its_own),
    TEST(a_trap_ends_an_instance),
    TEST(an_exit_ends_an_instance),
    TEST(a_limit_ends_an_instance),
    TEST(another_thread_ends_a_call),
    TEST(an_instance_is_in_one_call_at_a_time),
    TEST(an_instance_may_have_ended_when_it_is_made),
    TEST(a_report_has_what_the_last_call_printed),
};

MAIN(TESTS)
