/* Functions of modules from bytes to bytes, by the convention. */
#include "check.h"

#include "modules.h"

static stockade_instance *instance_of(const void *bytes, size_t length, const stockade_policy *policy) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_module *module = NULL;
    stockade_instance *instance = NULL;
    CHECK(stockade_module_load_bytes(sandbox, policy, bytes, length, NULL, 0, &module, ERROR)
          == STOCKADE_OK);
    CHECK(stockade_module_instantiate(module, &instance, ERROR) == STOCKADE_OK);
    stockade_module_free(module);
    stockade_sandbox_free(sandbox);
    return instance;
}

static void bytes_go_in_and_come_out(void) {
    stockade_instance *instance = instance_of(library_module, sizeof library_module, NULL);
    const uint8_t *output = NULL;
    size_t length = 99;
    for (int turn = 0; turn < 3; turn++) {
        CHECK(stockade_instance_call_bytes(instance, "shout", "hello", 5, &output, &length, ERROR)
              == STOCKADE_OK);
        CHECK(output != NULL && length == 5 && memcmp(output, "HELLO", 5) == 0);
    }
    CHECK(stockade_instance_call_bytes(instance, "shout", "a\0b", 3, &output, &length, ERROR)
          == STOCKADE_OK);
    CHECK(length == 3 && memcmp(output, "A\0B", 3) == 0);
    stockade_instance_free(instance);
}

static void the_result_is_freed_by_the_module(void) {
    stockade_instance *instance = instance_of(library_module, sizeof library_module, NULL);
    const uint8_t *output = NULL;
    size_t length = 99;
    stockade_value count;
    CHECK(stockade_instance_call_bytes(instance, "shout", "x", 1, &output, &length, ERROR)
          == STOCKADE_OK);
    /* Its `stockade_free` set the counter. */
    CHECK(stockade_instance_call(instance, "count", NULL, 0, &count, 1, ERROR) == STOCKADE_OK);
    CHECK(count.of.i32 == 1001);
    stockade_instance_free(instance);
}

static void no_bytes_are_bytes(void) {
    stockade_instance *instance = instance_of(library_module, sizeof library_module, NULL);
    const uint8_t *output = NULL;
    size_t length = 99;
    CHECK(stockade_instance_call_bytes(instance, "shout", NULL, 0, &output, &length, ERROR)
          == STOCKADE_OK);
    CHECK(length == 0 && output != NULL);
    CHECK(stockade_instance_call_bytes(instance, "shout", "", 0, &output, &length, ERROR)
          == STOCKADE_OK);
    CHECK(length == 0 && output != NULL);
    stockade_instance_free(instance);
}

static void a_call_without_what_it_needs_is_refused(void) {
    stockade_instance *instance = instance_of(library_module, sizeof library_module, NULL);
    const uint8_t *output = NULL;
    size_t length = 99;
    CHECK(failed_with(stockade_instance_call_bytes(instance, "shout", NULL, 1, &output, &length, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("input"));
    CHECK(failed_with(stockade_instance_call_bytes(instance, NULL, "x", 1, &output, &length, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_instance_call_bytes(instance, "shout", "x", 1, NULL, &length, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_instance_call_bytes(instance, "shout", "x", 1, &output, NULL, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_instance_call_bytes(NULL, "shout", "x", 1, &output, &length, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(output == NULL && length == 99);
    stockade_instance_free(instance);
}

static void a_function_that_is_none_of_bytes_is_refused(void) {
    stockade_instance *instance = instance_of(library_module, sizeof library_module, NULL);
    stockade_instance *bare = instance_of(empty_module, sizeof empty_module, NULL);
    const uint8_t *output = NULL;
    size_t length = 99;
    CHECK(failed_with(stockade_instance_call_bytes(instance, "absent", "x", 1, &output, &length, ERROR),
                      STOCKADE_NOT_FOUND));
    CHECK(message_has("absent"));
    CHECK(failed_with(stockade_instance_call_bytes(instance, "add_f32", "x", 1, &output, &length, ERROR),
                      STOCKADE_INVALID_POLICY));
    CHECK(message_has("add_f32"));
    CHECK(failed_with(stockade_instance_call_bytes(bare, "shout", "x", 1, &output, &length, ERROR),
                      STOCKADE_NOT_FOUND));
    CHECK(message_has("memory"));
    CHECK(stockade_instance_call_bytes(instance, "shout", "x", 1, &output, &length, ERROR)
          == STOCKADE_OK);
    stockade_instance_free(instance);
    stockade_instance_free(bare);
}

/* What a module says of its memory is nothing to be trusted. */
static void a_result_outside_the_memory_ends_the_instance(void) {
    stockade_instance *instance = instance_of(library_module, sizeof library_module, NULL);
    const uint8_t *output = NULL;
    size_t length = 99;
    CHECK(failed_with(stockade_instance_call_bytes(instance, "misplace", "x", 1, &output, &length, ERROR),
                      STOCKADE_ENDED));
    CHECK(message_has("outside"));
    CHECK(output == NULL && length == 99);
    CHECK(failed_with(stockade_instance_call_bytes(instance, "shout", "x", 1, &output, &length, ERROR),
                      STOCKADE_ENDED));
    stockade_instance_free(instance);
}

/* The module gives out the same room for every input, and it has two pages. */
static void an_input_that_does_not_fit_ends_the_instance(void) {
    stockade_instance *instance = instance_of(library_module, sizeof library_module, NULL);
    const uint8_t *output = NULL;
    size_t size = 1u << 20, length = 99;
    char *input = calloc(1, size);
    NEED(input != NULL);
    CHECK(failed_with(stockade_instance_call_bytes(instance, "shout", input, size, &output, &length,
                                                   ERROR),
                      STOCKADE_ENDED));
    CHECK(message_has("outside"));
    free(input);
    stockade_instance_free(instance);
}

static void a_result_is_bounded_by_the_limit_of_output(void) {
    stockade_policy *policy = NULL;
    stockade_instance *instance;
    stockade_report *report = NULL;
    const uint8_t *output = NULL;
    size_t length = 99;
    CHECK(stockade_policy_new(&policy, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_limit(policy, STOCKADE_CONTROL_OUTPUT, 4, ERROR) == STOCKADE_OK);
    instance = instance_of(library_module, sizeof library_module, policy);
    CHECK(stockade_instance_call_bytes(instance, "shout", "four", 4, &output, &length, ERROR)
          == STOCKADE_OK);
    CHECK(failed_with(stockade_instance_call_bytes(instance, "shout", "fives", 5, &output, &length,
                                                   ERROR),
                      STOCKADE_ENDED));
    CHECK(stockade_instance_report(instance, &report, ERROR) == STOCKADE_OK);
    CHECK(hit_limit(report, STOCKADE_CONTROL_OUTPUT));
    CHECK(stockade_report_amount(report, STOCKADE_OBSERVED) == 5);
    stockade_report_free(report);
    stockade_instance_free(instance);
    stockade_policy_free(policy);
}

static const struct test TESTS[] = {
    TEST(bytes_go_in_and_come_out),
    TEST(the_result_is_freed_by_the_module),
    TEST(no_bytes_are_bytes),
    TEST(a_call_without_what_it_needs_is_refused),
    TEST(a_function_that_is_none_of_bytes_is_refused),
    TEST(a_result_outside_the_memory_ends_the_instance),
    TEST(an_input_that_does_not_fit_ends_the_instance),
    TEST(a_result_is_bounded_by_the_limit_of_output),
};

MAIN(TESTS)
