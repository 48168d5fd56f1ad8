/* Modules and functions of the host's that are refused when they are loaded. */
#include "check.h"

#include "modules.h"

static int32_t count(void *user_data, stockade_call *call, const stockade_value *arguments,
                     size_t argument_count, stockade_value *results, size_t result_count) {
    (void)call, (void)arguments, (void)argument_count, (void)results, (void)result_count;
    ++*(int *)user_data;
    return 0;
}

/* Loads the module that asks with these functions alone, and wants it refused. */
static void refuses(const stockade_import *imports, size_t count, int32_t kind, const char *word) {
    stockade_sandbox *sandbox = module_sandbox();
    stockade_module *module = NULL;
    int32_t status = stockade_module_load_bytes(sandbox, NULL, asks_module, sizeof asks_module, imports,
                                                count, &module, ERROR);
    if (!CHECK(failed_with(status, kind) && message_has(word)))
        printf("#   status %d, wanted %d and `%s`\n", status, kind, word);
    CHECK(module == NULL);
    stockade_module_free(module);
    stockade_sandbox_free(sandbox);
}

static void what_is_wrong_with_a_function_is_said_when_it_is_given(void) {
    int calls = 0;
    stockade_import imports[4] = {{"host", "double", "i32 -> i32", count, &calls},
                                  {"host", "mix", "i32 i64 f32 f64 -> f64 f32 i64 i32", count, &calls},
                                  {"host", "tell", "i32 i32 ->", count, &calls},
                                  {"host", "tell", "i32 i32 ->", count, &calls}};
    refuses(NULL, 0, STOCKADE_UNSUPPORTED, "double");
    refuses(imports, 2, STOCKADE_UNSUPPORTED, "tell");
    refuses(NULL, 3, STOCKADE_INVALID_ARGUMENT, "imports");
    refuses(imports, 4, STOCKADE_INVALID_POLICY, "host.tell");
    imports[2].name = NULL;
    refuses(imports, 3, STOCKADE_INVALID_ARGUMENT, "imports[2].name");
    imports[2].name = "\xff";
    refuses(imports, 3, STOCKADE_INVALID_ARGUMENT, "imports[2].name");
    imports[2].name = "tell";
    imports[1].module = NULL;
    refuses(imports, 3, STOCKADE_INVALID_ARGUMENT, "imports[1].module");
    imports[1].module = "wasi_snapshot_preview1";
    imports[1].name = "fd_write";
    refuses(imports, 3, STOCKADE_INVALID_POLICY, "fd_write");
    imports[1].module = "host";
    imports[1].name = "mix";
    imports[0].function = NULL;
    refuses(imports, 3, STOCKADE_INVALID_ARGUMENT, "imports[0].function");
    CHECK(calls == 0);
}

/* What a module declares is compared with what the function takes, before anything runs. */
static void a_function_of_another_type_is_refused(void) {
    static const char *const others[] = {"i64 -> i32", "i32 -> i64", "i32 ->", "-> i32", "->",
                                         "i32 i32 -> i32", "i32 -> i32 i32", "i32 -> f32"};
    static const char *const senseless[] = {"", "i32", "i32 - > i32", "i32 -> i33", "i32, i32 -> i32",
                                            "i32 -> i32 -> i32", "I32 -> i32", "i32 -> v128", "\xff"};
    int calls = 0;
    stockade_import imports[3] = {{"host", "double", "i32 -> i32", count, NULL},
                                  {"host", "mix", "i32 i64 f32 f64 -> f64 f32 i64 i32", count, NULL},
                                  {"host", "tell", "i32 i32 ->", count, NULL}};
    for (size_t at = 0; at < COUNT(imports); at++)
        imports[at].user_data = &calls;
    for (size_t at = 0; at < COUNT(others); at++) {
        imports[0].signature = others[at];
        refuses(imports, 3, STOCKADE_INVALID_POLICY, "double");
    }
    for (size_t at = 0; at < COUNT(senseless); at++) {
        imports[0].signature = senseless[at];
        refuses(imports, 3, STOCKADE_INVALID_ARGUMENT, "signature");
    }
    imports[0].signature = NULL;
    refuses(imports, 3, STOCKADE_INVALID_ARGUMENT, "imports[0].signature");
    CHECK(calls == 0);
}

static void a_module_has_to_be_one(void) {
    stockade_sandbox *sandbox = module_sandbox(), *native = native_sandbox();
    stockade_module *module = NULL;
    stockade_instance *instance = NULL;
    stockade_policy *policy = NULL;
    char *json = NULL;
    CHECK(failed_with(stockade_module_load_bytes(sandbox, NULL, "not one", 7, NULL, 0, &module, ERROR),
                      STOCKADE_INVALID_POLICY));
    CHECK(failed_with(stockade_module_load_bytes(sandbox, NULL, NULL, 7, NULL, 0, &module, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_module_load_bytes(NULL, NULL, empty_module, sizeof empty_module, NULL, 0,
                                                 &module, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("sandbox"));
    CHECK(failed_with(stockade_module_load_bytes(sandbox, NULL, empty_module, sizeof empty_module, NULL,
                                                 0, NULL, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("module"));
    CHECK(failed_with(stockade_module_load(sandbox, NULL, "/no/such", NULL, 0, &module, ERROR),
                      STOCKADE_NOT_FOUND));
    CHECK(message_has("/no/such"));
    CHECK(failed_with(stockade_module_load(sandbox, NULL, "/bin/sh", NULL, 0, &module, ERROR),
                      STOCKADE_INVALID_POLICY));
    CHECK(failed_with(stockade_module_load(sandbox, NULL, NULL, NULL, 0, &module, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("path"));
    if (native != NULL)
        CHECK(failed_with(stockade_module_load_bytes(native, NULL, empty_module, sizeof empty_module,
                                                     NULL, 0, &module, ERROR),
                          STOCKADE_INVALID_ARGUMENT));
    CHECK(stockade_policy_new(&policy, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_limit(policy, STOCKADE_CONTROL_CPUS, 500, ERROR) == STOCKADE_OK);
    CHECK(failed_with(stockade_module_load_bytes(sandbox, policy, empty_module, sizeof empty_module,
                                                 NULL, 0, &module, ERROR),
                      STOCKADE_UNSUPPORTED));
    CHECK(module == NULL);
    CHECK(failed_with(stockade_module_functions_json(NULL, &json, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_module_instantiate(NULL, &instance, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(stockade_module_load_bytes(sandbox, NULL, empty_module, sizeof empty_module, NULL, 0, &module,
                                     ERROR)
          == STOCKADE_OK);
    CHECK(failed_with(stockade_module_functions_json(module, NULL, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(failed_with(stockade_module_instantiate(module, NULL, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(json == NULL && instance == NULL);
    stockade_policy_free(policy);
    stockade_module_free(module);
    stockade_sandbox_free(native);
    stockade_sandbox_free(sandbox);
}

static void a_function_that_no_module_wants_does_no_harm(void) {
    int calls = 0;
    stockade_import import = {"host", "unwanted", "->", count, NULL};
    stockade_sandbox *sandbox = module_sandbox();
    stockade_module *module = NULL;
    stockade_instance *instance = NULL;
    import.user_data = &calls;
    CHECK(stockade_module_load_bytes(sandbox, NULL, empty_module, sizeof empty_module, &import, 1,
                                     &module, ERROR)
          == STOCKADE_OK);
    CHECK(stockade_module_instantiate(module, &instance, ERROR) == STOCKADE_OK);
    CHECK(calls == 0);
    stockade_instance_free(instance);
    stockade_module_free(module);
    stockade_sandbox_free(sandbox);
}

static const struct test TESTS[] = {
    TEST(what_is_wrong_with_a_function_is_said_when_it_is_given),
    TEST(a_function_of_another_type_is_refused),
    TEST(a_module_has_to_be_one),
    TEST(a_function_that_no_module_wants_does_no_harm),
};

MAIN(TESTS)
