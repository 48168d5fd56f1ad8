/* What the tests share: a check, a table of tests, and things of a sandbox that most of them need.
 *
 * Include it first. Define TEST_WITHOUT_LIBRARY before where the library is not linked.
 * A test is a function whose name is a sentence; a program is a table of them. */
#ifndef STOCKADE_TEST_CHECK_H
#define STOCKADE_TEST_CHECK_H

#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stockade.h"

/* One test. */
struct test {
    const char *name;
    void (*run)(void);
};

#define TEST(function) { #function, function }
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Of the test that runs. Threads of a test may check, too. */
static int failures;
static const char *skipped;

#ifdef TEST_WITHOUT_LIBRARY
static inline const char *last_message(void) {
    return "not asked";
}
#else
/* Of the last call that was given ERROR, in this thread. */
static __thread stockade_error *last_error;

static inline const char *last_message(void) {
    const char *message = stockade_error_message(last_error);
    return message != NULL ? message : "none";
}
#endif

static inline int checked(int holds, const char *file, int line, const char *text) {
    if (!holds) {
        __sync_fetch_and_add(&failures, 1);
        printf("# %s:%d: %s\n#   last error: %s\n", file, line, text, last_message());
        fflush(stdout);
    }
    return holds;
}

/* Fails the test unless this holds, and goes on; is 1 if it holds. */
#define CHECK(condition) checked((condition) ? 1 : 0, __FILE__, __LINE__, #condition)
/* The same, and leaves the function. */
#define NEED(condition) do { if (!CHECK(condition)) return; } while (0)

/* Whether STOCKADE_TEST_EXPECT declares that this host has a feature. */
static inline int is_expected(const char *feature) {
    const char *at = getenv("STOCKADE_TEST_EXPECT");
    size_t length = strlen(feature);
    while (at != NULL && *at != '\0') {
        size_t word = strcspn(at, ",");
        if (word == length && strncmp(at, feature, length) == 0)
            return 1;
        at += word + (at[word] == ',');
    }
    return 0;
}

/* Skips the test for want of a feature; fails it if the feature was declared. */
static inline void skip(const char *feature, const char *reason) {
    static char kept[512];
    CHECK(!is_expected(feature));
    snprintf(kept, sizeof kept, "%s", reason);
    for (char *at = kept; *at != '\0'; at++)
        if (*at == '\n')
            *at = ' ';
    skipped = kept;
}

/* Whether this program runs in this way: plain, asan, valgrind, rootless or static. */
static inline int runs_as(const char *way) {
    const char *told = getenv("STOCKADE_TEST_WAY");
    return told != NULL && strcmp(told, way) == 0;
}

/* How many times longer than usual things take here. */
static inline unsigned slow(void) {
    const char *factor = getenv("STOCKADE_TEST_SLOW");
    unsigned long number = factor != NULL ? strtoul(factor, NULL, 10) : 1;
    return (number > 0 ? (unsigned)number : 1) * (runs_as("valgrind") ? 10 : runs_as("asan") ? 3 : 1);
}

static inline uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void sleep_ms(unsigned ms) {
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static inline int contains(const char *text, const char *part) {
    return text != NULL && strstr(text, part) != NULL;
}

/* How many descriptors this process has open. */
static inline int open_descriptors(void) {
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    if (folder == NULL)
        return -1;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count - 3; /* ".", "..", and the folder's own */
}

/* Reads until the end or until the buffer is full, and puts a NUL behind it. */
static inline size_t read_all(int fd, char *buffer, size_t size) {
    size_t length = 0;
    while (length + 1 < size) {
        ssize_t count = read(fd, buffer + length, size - 1 - length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        length += (size_t)count;
    }
    buffer[length] = '\0';
    return length;
}

/* Whether a descriptor can be read, or its other end is gone, within this time. */
static inline int is_readable(int fd, int ms) {
    struct pollfd polled = {fd, POLLIN, 0};
    return poll(&polled, 1, ms) == 1;
}

/* Whether a run can be watched: valgrind 3.19 has no pidfd_open(2). */
static inline int has_pidfd(void) {
    static int known; /* 1: it has; -1: it has not */
    if (known == 0) {
        long pidfd = syscall(SYS_pidfd_open, getpid(), 0);
        if (pidfd >= 0)
            close((int)pidfd);
        known = pidfd >= 0 || errno != ENOSYS ? 1 : -1;
    }
    return known > 0;
}

/* Room for the path of a folder. */
#define FOLDER 256

/* Makes a folder of the test's own, which others can read; `path` has room for FOLDER bytes. */
static inline int make_folder(char *path) {
    const char *place = getenv("TMPDIR");
    int length = snprintf(path, FOLDER, "%s/stockade-c-XXXXXX", place != NULL ? place : "/tmp");
    return length < FOLDER && mkdtemp(path) != NULL && chmod(path, 0755) == 0;
}

static inline int write_file(const char *path, const void *bytes, size_t length) {
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return 0;
    size_t written = fwrite(bytes, 1, length, file);
    return fclose(file) == 0 && written == length;
}

#ifndef TEST_WITHOUT_LIBRARY

static inline void forget_error(void) {
    stockade_error_free(last_error);
    last_error = NULL;
}

static inline stockade_error **fresh_error(void) {
    forget_error();
    return &last_error;
}

/* Where a call puts its error, which CHECK then tells. */
#define ERROR fresh_error()

/* Whether a call failed so, and said so in the error that it gave. */
static inline int failed_with(int32_t status, int32_t kind) {
    return status == kind && stockade_error_kind(last_error) == kind
        && stockade_error_message(last_error) != NULL && *stockade_error_message(last_error) != '\0';
}

static inline int message_has(const char *part) {
    return contains(stockade_error_message(last_error), part);
}

/* A policy under which a user without control groups can run a program as well. */
static inline stockade_policy *weak_policy(void) {
    static const int32_t weak[] = {STOCKADE_CONTROL_MEMORY, STOCKADE_CONTROL_CPU_TIME,
                                   STOCKADE_CONTROL_PROCESSES, STOCKADE_CONTROL_CPUS};
    stockade_policy *policy = NULL;
    CHECK(stockade_policy_new(&policy, ERROR) == STOCKADE_OK);
    for (size_t at = 0; at < COUNT(weak); at++)
        CHECK(stockade_policy_set_best_effort(policy, weak[at], ERROR) == STOCKADE_OK);
    return policy;
}

/* A sandbox for native programs; NULL if the test is skipped, or has failed. */
static inline stockade_sandbox *native_sandbox(void) {
    static const char *const argv[] = {"true", NULL};
    stockade_sandbox *sandbox = NULL;
    stockade_policy *policy;
    stockade_prepared *prepared = NULL;
    const char *feature = "userns";
    int32_t status;
    if (!has_pidfd()) {
        skip("pidfd", "there is no pidfd_open here, as under valgrind 3.19");
        return NULL;
    }
    policy = weak_policy();
    status = stockade_sandbox_new(STOCKADE_BACKEND_NAMESPACE, NULL, &sandbox, ERROR);
    if (status == STOCKADE_OK) {
        status = stockade_prepare(sandbox, policy, argv, &prepared, ERROR);
        feature = "proc";
    }
    if (status == STOCKADE_UNSUPPORTED)
        skip(feature, last_message());
    else
        CHECK(status == STOCKADE_OK);
    if (status != STOCKADE_OK) {
        stockade_sandbox_free(sandbox);
        sandbox = NULL;
    }
    stockade_prepared_free(prepared);
    stockade_policy_free(policy);
    forget_error();
    return sandbox;
}

/* A sandbox for modules, which there are on every host. */
static inline stockade_sandbox *module_sandbox(void) {
    stockade_sandbox *sandbox = NULL;
    CHECK(stockade_sandbox_new(STOCKADE_BACKEND_WASM, NULL, &sandbox, ERROR) == STOCKADE_OK);
    return sandbox;
}

/* Runs a line of shell, under the weak policy if none is given; NULL if that failed. */
static inline stockade_report *run_shell(const stockade_sandbox *sandbox,
                                         const stockade_policy *policy, const char *script,
                                         const stockade_stdio *stdio) {
    const char *argv[] = {"sh", "-c", script, NULL};
    stockade_policy *weak = policy == NULL ? weak_policy() : NULL;
    stockade_report *report = NULL;
    int32_t status = stockade_run(sandbox, policy != NULL ? policy : weak, argv, stdio, &report, ERROR);
    CHECK(status == STOCKADE_OK);
    stockade_policy_free(weak);
    return report;
}

/* Starts one. */
static inline stockade_execution *start_shell(const stockade_sandbox *sandbox, const char *script,
                                              const stockade_stdio *stdio) {
    const char *argv[] = {"sh", "-c", script, NULL};
    stockade_policy *weak = weak_policy();
    stockade_execution *execution = NULL;
    CHECK(stockade_start(sandbox, weak, argv, stdio, &execution, ERROR) == STOCKADE_OK);
    stockade_policy_free(weak);
    return execution;
}

/* Waits for a run and frees it; NULL if it has no report. */
static inline stockade_report *finish(stockade_execution *execution) {
    stockade_report *report = NULL;
    CHECK(stockade_execution_wait(execution, &report, ERROR) == STOCKADE_OK);
    stockade_execution_free(execution);
    return report;
}

static inline int has_exited(const stockade_report *report, int32_t code) {
    int32_t verdict = stockade_report_verdict(report);
    if (verdict == STOCKADE_VERDICT_EXITED && stockade_report_code(report) == code)
        return 1;
    const char *error = (const char *)stockade_report_output(report, STOCKADE_STDERR, NULL);
    printf("#   verdict %d (%s), code %d; stderr: %s\n", verdict,
           stockade_name(verdict) != NULL ? stockade_name(verdict) : "?",
           stockade_report_code(report), error != NULL ? error : "none");
    return 0;
}

static inline int has_output(const stockade_report *report, int32_t stream, const char *text) {
    size_t length = 0;
    const uint8_t *bytes = stockade_report_output(report, stream, &length);
    int same = bytes != NULL && length == strlen(text) && memcmp(bytes, text, length) == 0;
    if (!same)
        printf("#   stream %d is: %s\n", stream, bytes != NULL ? (const char *)bytes : "none");
    return same;
}

/* Whether a run was ended by this limit, and says by how much. */
static inline int hit_limit(const stockade_report *report, int32_t control) {
    int32_t verdict = stockade_report_verdict(report);
    int32_t by = stockade_report_control(report);
    if (verdict == STOCKADE_VERDICT_LIMIT && by == control && stockade_report_code(report) == -1
        && stockade_report_amount(report, STOCKADE_LIMIT) > 0)
        return 1;
    printf("#   verdict %d, control %d, code %d\n", verdict, by, stockade_report_code(report));
    return 0;
}

#endif

/* Runs every test, prints a line for each, and gives the program's exit status. */
static inline int run_tests(const struct test *tests, size_t count) {
    size_t failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t at = 0; at < count; at++) {
        failures = 0;
        skipped = NULL;
        alarm(60 * slow()); /* A test that hangs ends the program. */
        tests[at].run();
        alarm(0);
#ifndef TEST_WITHOUT_LIBRARY
        forget_error();
#endif
        if (failures > 0)
            printf("not ok %s\n", tests[at].name);
        else if (skipped != NULL)
            printf("SKIP: %s: %s\n", tests[at].name, skipped);
        else
            printf("ok %s\n", tests[at].name);
        fflush(stdout);
        failed += failures > 0;
    }
    return failed > 0;
}

/* The main function of a table of tests. */
#define MAIN(table) int main(void) { return run_tests(table, COUNT(table)); }

#endif
