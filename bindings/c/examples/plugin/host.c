/* A host of plugins: loads a module, gives it two functions, calls what it exports, and outlives what it does.
 *
 *     ./host plugin.wasm
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <stockade.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* For each call anew, but the memory, which is the instance's. */
static const char LIMITS[] =
    "[limits]\n"
    "memory = '1MiB'\n"
    "cpu_time = '100ms'\n"
    "wall_time = '5s'\n";

/* What is for sale; the functions below get it as their user data. */
struct shop {
    const int64_t *prices;
    size_t count;
};

/* What a module passes is of the types in `imports`, or it would not have been loaded; the numbers are its own.
 * Anything but 0 ends the call, and the instance. */
static int32_t price(void *user_data, stockade_call *call, const stockade_value *arguments,
                     size_t argument_count, stockade_value *results, size_t result_count)
{
    const struct shop *shop = user_data;
    (void)call, (void)argument_count, (void)result_count;
    int32_t item = arguments[0].of.i32;
    if (item < 0 || (size_t)item >= shop->count)
        return 1;
    results[0].of.i64 = shop->prices[item];
    return 0;
}

/* The text is in the module's memory, if it is. */
static int32_t log_line(void *user_data, stockade_call *call, const stockade_value *arguments,
                        size_t argument_count, stockade_value *results, size_t result_count)
{
    char text[80];
    (void)user_data, (void)argument_count, (void)results, (void)result_count;
    uint32_t length = (uint32_t)arguments[1].of.i32;
    if (length > sizeof text)
        length = sizeof text;
    if (stockade_call_read(call, (uint32_t)arguments[0].of.i32, text, length) != STOCKADE_OK)
        return 1;
    printf("  the plugin says: ");
    for (uint32_t i = 0; i < length; i++) /* which may be anything, also what a terminal obeys */
        putchar(isprint((unsigned char)text[i]) ? text[i] : '?');
    putchar('\n');
    return 0;
}

/* Prints and frees an error. A plugin that has ended is none of the host's: then this is 0, else 1. */
static int tell(const char *what, stockade_error *error)
{
    int failed = stockade_error_kind(error) != STOCKADE_ENDED;
    printf("%s: %s\n", what, stockade_error_message(error));
    stockade_error_free(error);
    return failed;
}

/* Calls total(item, count) in an instance of its own. */
static int total(const stockade_module *module, int32_t item, int32_t count)
{
    stockade_instance *instance = NULL;
    stockade_error *error = NULL;
    stockade_value arguments[] = {{STOCKADE_I32, {0}}, {STOCKADE_I32, {0}}}, result;
    int failed = 0;
    arguments[0].of.i32 = item;
    arguments[1].of.i32 = count;
    if (stockade_module_instantiate(module, &instance, &error) != STOCKADE_OK
        || stockade_instance_call(instance, "total", arguments, 2, &result, 1, &error) != STOCKADE_OK)
        failed = tell("total", error);
    else
        printf("total(%" PRId32 ", %" PRId32 ") = %" PRId64 "\n", item, count, result.of.i64);
    stockade_instance_free(instance);
    return failed;
}

/* Has one instance shout twice. */
static int shout(const stockade_module *module)
{
    const char *texts[] = {"hello", "anybody there"};
    stockade_instance *instance = NULL;
    stockade_error *error = NULL;
    int failed = 0;
    if (stockade_module_instantiate(module, &instance, &error) != STOCKADE_OK)
        return tell("shout", error);
    for (size_t i = 0; !failed && i < COUNT(texts); i++) {
        const uint8_t *output;
        size_t length;
        if (stockade_instance_call_bytes(instance, "shout", texts[i], strlen(texts[i]), &output, &length,
                                         &error) != STOCKADE_OK)
            failed = tell("shout", error);
        else
            printf("shout(%s) = %.*s\n", texts[i], (int)length, (const char *)output);
    }
    stockade_instance_free(instance);
    return failed;
}

/* Calls a function without arguments and results that does not end well, and says how it ended. */
static int misbehave(const stockade_module *module, const char *name)
{
    stockade_instance *instance = NULL;
    stockade_report *report = NULL;
    stockade_error *error = NULL;
    int failed = 1;
    if (stockade_module_instantiate(module, &instance, &error) == STOCKADE_OK
        && stockade_instance_call(instance, name, NULL, 0, NULL, 0, &error) == STOCKADE_OK) {
        printf("%s: came back\n", name);
    } else {
        failed = tell(name, error);
        error = NULL;
        if (!failed && stockade_instance_report(instance, &report, &error) != STOCKADE_OK)
            failed = tell(name, error);
        else if (!failed)
            printf("  verdict %s, after %" PRIu64 " ms\n",
                   stockade_name(stockade_report_verdict(report)),
                   stockade_report_amount(report, STOCKADE_WALL_NS) / 1000000);
    }
    stockade_report_free(report);
    stockade_instance_free(instance);
    return failed;
}

int main(int argc, char **argv)
{
    const int64_t prices[] = {120, 45, 250};
    struct shop shop = {prices, COUNT(prices)};
    const stockade_import imports[] = {
        {"shop", "log", "i32 i32 ->", log_line, NULL},
        {"shop", "price", "i32 -> i64", price, &shop},
    };
    stockade_policy *policy = NULL;
    stockade_sandbox *sandbox = NULL;
    stockade_module *module = NULL;
    stockade_error *error = NULL;
    int failed;
    if (argc != 2) {
        fprintf(stderr, "usage: %s PLUGIN.wasm\n", argv[0]);
        return 2;
    }
    if (stockade_policy_from_toml(LIMITS, &policy, &error) != STOCKADE_OK
        || stockade_sandbox_new(STOCKADE_BACKEND_WASM, NULL, &sandbox, &error) != STOCKADE_OK
        || stockade_module_load(sandbox, policy, argv[1], imports, COUNT(imports), &module, &error)
               != STOCKADE_OK) {
        failed = tell(argv[1], error);
    } else {
        failed = total(module, 2, 3) || shout(module) || misbehave(module, "loop")
                 || misbehave(module, "trap") || misbehave(module, "lie") || total(module, 9, 1)
                 || total(module, 1, 2);
    }
    stockade_module_free(module);
    stockade_sandbox_free(sandbox);
    stockade_policy_free(policy);
    return failed;
}
