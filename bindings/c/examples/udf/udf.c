/* SELECT root(value) FROM numbers: a user's function over a column, in one instance of its module.
 *
 *     ./udf root.wasm [ROWS]
 *
 * A row for which the function does not come back is stopped by a limit and has no result. The instance ends
 * with it, and a new one goes on with the next row. */
#define _POSIX_C_SOURCE 200112L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <stockade.h>

/* Processor time is for each call anew, and is the user's alone: a busy machine takes nothing of it. What a
 * call never costs more than is far above what it costs, so only a row that is poisoned comes to it. */
static const char LIMITS[] =
    "[limits]\n"
    "memory = '1MiB'\n"
    "cpu_time = '100ms'\n"
    "wall_time = '10s'\n";

struct column {
    double *values;
    char *is_null;
    size_t rows;
};

/* Made up: 0, 1, 4, 9 and so on, and one below zero in the middle. */
static int make_column(struct column *column, size_t rows)
{
    column->rows = rows;
    column->values = malloc((rows + 1) * sizeof *column->values);
    column->is_null = calloc(rows + 1, 1);
    if (column->values == NULL || column->is_null == NULL)
        return -1;
    for (size_t row = 0; row < rows; row++)
        column->values[row] = (double)row * (double)row;
    if (rows > 0)
        column->values[rows / 2] = -1;
    return 0;
}

/* Takes what is below a row's value for the function, and leaves what it gave there. */
static int32_t apply(const stockade_module *module, struct column *column, stockade_error **error)
{
    stockade_instance *instance = NULL;
    int32_t status = stockade_module_instantiate(module, &instance, error);
    for (size_t row = 0; status == STOCKADE_OK && row < column->rows; row++) {
        stockade_value argument = {STOCKADE_F64, {0}}, result;
        argument.of.f64 = column->values[row];
        status = stockade_instance_call(instance, "root", &argument, 1, &result, 1, error);
        if (status == STOCKADE_OK) {
            column->values[row] = result.of.f64;
        } else if (status == STOCKADE_ENDED) {
            printf("row %zu, %g: %s\n", row, column->values[row], stockade_error_message(*error));
            column->is_null[row] = 1;
            stockade_error_free(*error);
            *error = NULL;
            stockade_instance_free(instance);
            instance = NULL;
            status = stockade_module_instantiate(module, &instance, error);
        }
    }
    stockade_instance_free(instance);
    return status;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_summary(const struct column *column)
{
    size_t nulls = 0;
    double sum = 0;
    for (size_t row = 0; row < column->rows; row++) {
        nulls += (size_t)column->is_null[row];
        sum += column->is_null[row] ? 0 : column->values[row];
    }
    printf("%zu rows, %zu of them null, sum %.6g\n", column->rows, nulls, sum);
}

int main(int argc, char **argv)
{
    struct column column = {NULL, NULL, 0};
    stockade_policy *policy = NULL;
    stockade_sandbox *sandbox = NULL;
    stockade_module *module = NULL;
    stockade_error *error = NULL;
    int32_t status;
    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: %s MODULE.wasm [ROWS]\n", argv[0]);
        return 2;
    }
    if (make_column(&column, argc == 3 ? strtoul(argv[2], NULL, 10) : 1000000) != 0) {
        perror("udf");
        free(column.values);
        free(column.is_null);
        return 1;
    }
    if ((status = stockade_policy_from_toml(LIMITS, &policy, &error)) == STOCKADE_OK
        && (status = stockade_sandbox_new(STOCKADE_BACKEND_WASM, NULL, &sandbox, &error)) == STOCKADE_OK
        && (status = stockade_module_load(sandbox, policy, argv[1], NULL, 0, &module, &error))
               == STOCKADE_OK) {
        double start = seconds();
        status = apply(module, &column, &error);
        if (status == STOCKADE_OK) {
            print_summary(&column);
            fprintf(stderr, "%.0f ns per row\n",
                    (seconds() - start) * 1e9 / (double)(column.rows > 0 ? column.rows : 1));
        }
    }
    if (status != STOCKADE_OK)
        fprintf(stderr, "udf: %s\n", stockade_error_message(error));
    stockade_error_free(error);
    stockade_module_free(module);
    stockade_sandbox_free(sandbox);
    stockade_policy_free(policy);
    free(column.values);
    free(column.is_null);
    return status != STOCKADE_OK;
}
