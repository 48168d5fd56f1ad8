/* Runs what it is told to, one letter each, and prints how many nanoseconds that took: the other half of
 * `cargo run --release -p stockade-benches --bin c`.
 *
 *   worker MODULE
 *
 * s: a plain spawn and wait of /usr/bin/true. c: the same in a sandbox, prepared anew. a: the same, by a
 * sandbox that chooses the backend. p: prepared once. w: one of eight that wait. m: the module, which prints
 * a line; the mean of a hundred. r: a module's function, the mean of a thousand calls.
 */
#define _POSIX_C_SOURCE 200809L

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include <stockade.h>

enum { HUNDRED = 100, THOUSAND = 1000 };

static const char *const PROGRAM[] = { "/usr/bin/true", NULL };

static stockade_sandbox *native, *modules, *either;
static stockade_prepared *prepared, *warm, *hello;
static stockade_instance *instance;

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void need(int32_t status, const stockade_error *error) {
  if (status != STOCKADE_OK) {
    fprintf(stderr, "worker: %s\n", stockade_error_message(error));
    exit(1);
  }
}

static void succeeded(stockade_report *report) {
  if (stockade_report_code(report) != 0) {
    fprintf(stderr, "worker: %s\n", stockade_name(stockade_report_verdict(report)));
    exit(1);
  }
  stockade_report_free(report);
}

static void spawn(void) {
  extern char **environ;
  pid_t child;
  int status;
  if (posix_spawn(&child, PROGRAM[0], NULL, NULL, (char *const *)PROGRAM, environ) != 0 ||
      waitpid(child, &status, 0) != child || status != 0) {
    fprintf(stderr, "worker: cannot spawn %s\n", PROGRAM[0]);
    exit(1);
  }
}

static void cold(const stockade_sandbox *sandbox) {
  stockade_report *report;
  stockade_error *error = NULL;
  need(stockade_run(sandbox, NULL, PROGRAM, NULL, &report, &error), error);
  succeeded(report);
}

static void run(const stockade_prepared *what) {
  stockade_report *report;
  stockade_error *error = NULL;
  need(stockade_prepared_run(what, NULL, &report, &error), error);
  succeeded(report);
}

static void row(void) {
  static int64_t value;
  stockade_error *error = NULL;
  stockade_value argument = { .type = STOCKADE_I64, .of = { .i64 = value } }, result;
  need(stockade_instance_call(instance, "row", &argument, 1, &result, 1, &error), error);
  value = result.of.i64;
}

static int work(int letter) {
  switch (letter) {
    case 's': spawn(); return 1;
    case 'c': cold(native); return 1;
    case 'a': cold(either); return 1;
    case 'p': run(prepared); return 1;
    case 'w': run(warm); return 1;
    case 'm':
      for (int at = 0; at < HUNDRED; at++) run(hello);
      return HUNDRED;
    case 'r':
      for (int at = 0; at < THOUSAND; at++) row();
      return THOUSAND;
    default: return 0;
  }
}

int main(int argc, char **argv) {
  stockade_error *error = NULL;
  stockade_module *module;
  if (argc != 2) {
    fprintf(stderr, "usage: worker MODULE\n");
    return 2;
  }
  const char *const command[] = { argv[1], NULL };
  need(stockade_sandbox_new(STOCKADE_BACKEND_NAMESPACE, NULL, &native, &error), error);
  need(stockade_sandbox_new(STOCKADE_BACKEND_WASM, NULL, &modules, &error), error);
  need(stockade_sandbox_new(STOCKADE_BACKEND_AUTO, NULL, &either, &error), error);
  need(stockade_prepare(native, NULL, PROGRAM, &prepared, &error), error);
  need(stockade_prepare(native, NULL, PROGRAM, &warm, &error), error);
  need(stockade_prepared_warm(warm, 8, &error), error);
  need(stockade_prepare(modules, NULL, command, &hello, &error), error);
  need(stockade_module_load(modules, NULL, argv[1], NULL, 0, &module, &error), error);
  need(stockade_module_instantiate(module, &instance, &error), error);

  for (int letter; (letter = getchar()) != EOF;) {
    uint64_t begun = now();
    int times = work(letter);
    if (times > 0) {
      printf("%llu\n", (unsigned long long)((now() - begun) / (uint64_t)times));
      fflush(stdout);
    }
  }
  stockade_instance_free(instance);
  stockade_module_free(module);
  stockade_prepared_free(hello);
  stockade_prepared_free(warm);
  stockade_prepared_free(prepared);
  stockade_sandbox_free(either);
  stockade_sandbox_free(modules);
  stockade_sandbox_free(native);
  return 0;
}
