/* A judge: compiles a submission in one sandbox, runs it for each test in another, and says how it went.
 *
 *     ./judge SOURCE.c TESTS
 *
 * The folder TESTS holds 1.in, 1.out, 2.in, 2.out and so on. A line per test says AC, WA, TLE, MLE, OLE or
 * RE, with processor time, memory and a reason; or there is one line CE, with what the compiler said, or SE
 * where the judge itself failed. The status is 0 if every test is AC, 1 if not, 2 after SE. */
#define _XOPEN_SOURCE 700
#include <ctype.h>
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stockade.h>

enum { ALL_ACCEPTED = 0, NOT_ACCEPTED = 1, JUDGE_FAILED = 2 };

/* The compiler is no more trusted than what it reads. It is the same for every problem, so a text will do. */
static const char COMPILING[] =
    "[limits]\n"
    "memory = '512MiB'\n"
    "cpu_time = '10s'\n"
    "wall_time = '20s'\n"
    "processes = 32\n"
    "output = '16KiB'\n"
    "output_overflow = 'truncate'\n";

/* What a submission has: numbers, as they would come with a problem. */
static const struct {
    int32_t control;
    uint64_t amount;
} LIMITS[] = {
    {STOCKADE_CONTROL_MEMORY, UINT64_C(64) << 20},
    {STOCKADE_CONTROL_CPU_TIME, UINT64_C(1000000000)},
    {STOCKADE_CONTROL_WALL_TIME, UINT64_C(2000000000)},
    {STOCKADE_CONTROL_PROCESSES, 1},
    {STOCKADE_CONTROL_OUTPUT, UINT64_C(64) << 10},
};

/* Where this user may not make control groups, these are sampled, and this judge accepts that. It changes
 * nothing where they can be enforced. */
static const int32_t MAY_BE_WEAKER[] = {STOCKADE_CONTROL_MEMORY, STOCKADE_CONTROL_CPU_TIME,
                                        STOCKADE_CONTROL_PROCESSES};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct bytes {
    char *data;
    size_t length;
};

static int judge_failed(const char *what, const char *why)
{
    printf("SE %s: %s\n", what, why);
    return JUDGE_FAILED;
}

/* The same for an error of the library's, which is freed. */
static int sandbox_failed(const char *what, stockade_error *error)
{
    judge_failed(what, stockade_error_message(error));
    if (stockade_error_hint(error) != NULL)
        printf("   %s\n", stockade_error_hint(error));
    stockade_error_free(error);
    return JUDGE_FAILED;
}

/* Reads a whole file. Returns 0, or -1 with errno. */
static int read_file(const char *path, struct bytes *file)
{
    struct bytes got = {NULL, 0};
    FILE *stream = fopen(path, "rb");
    if (stream == NULL)
        return -1;
    for (size_t room = 4096;; room *= 2) {
        char *larger = realloc(got.data, room);
        if (larger == NULL)
            break;
        got.data = larger;
        got.length += fread(got.data + got.length, 1, room - got.length, stream);
        if (got.length < room)
            break;
    }
    if (!feof(stream)) { /* a read or the memory failed, and set errno */
        int reason = errno;
        free(got.data);
        fclose(stream);
        errno = reason;
        return -1;
    }
    fclose(stream);
    *file = got;
    return 0;
}

/* The length without the space at the end. */
static size_t trimmed(const char *text, size_t length)
{
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    return length;
}

static size_t line_length(const char *text, size_t length)
{
    const char *newline = memchr(text, '\n', length);
    return newline == NULL ? length : (size_t)(newline - text);
}

/* Whether two texts are the same but for space at the end of lines and of all. */
static int same(const char *left, size_t left_length, const char *right, size_t right_length)
{
    left_length = trimmed(left, left_length);
    right_length = trimmed(right, right_length);
    for (;;) {
        size_t left_line = line_length(left, left_length), right_line = line_length(right, right_length);
        size_t length = trimmed(left, left_line);
        if (length != trimmed(right, right_line) || memcmp(left, right, length) != 0)
            return 0;
        if (left_line == left_length || right_line == right_length)
            return left_line == left_length && right_line == right_length;
        left += left_line + 1, left_length -= left_line + 1;
        right += right_line + 1, right_length -= right_line + 1;
    }
}

/* What a program wrote may hold anything, also what a terminal obeys. */
static void print_harmless(const uint8_t *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        putchar(isprint(text[i]) || text[i] == '\n' ? text[i] : '?');
}

static void print_reason(const stockade_report *report)
{
    int32_t verdict = stockade_report_verdict(report);
    if (verdict == STOCKADE_VERDICT_EXITED)
        printf("status %" PRId32, stockade_report_code(report));
    else if (verdict == STOCKADE_VERDICT_SIGNALED)
        printf("signal %" PRId32, stockade_report_code(report));
    else
        printf("%s %s", stockade_name(verdict), stockade_name(stockade_report_control(report)));
}

static int accept_weaker(stockade_policy *policy, stockade_error **error)
{
    int32_t status = STOCKADE_OK;
    for (size_t i = 0; status == STOCKADE_OK && i < COUNT(MAY_BE_WEAKER); i++)
        status = stockade_policy_set_best_effort(policy, MAY_BE_WEAKER[i], error);
    return status;
}

/* Says what was weaker than asked in this run. */
static void tell_weaker(const stockade_report *report)
{
    for (size_t i = 0; i < COUNT(MAY_BE_WEAKER); i++) {
        int32_t enforcement = stockade_report_enforcement(report, MAY_BE_WEAKER[i]);
        if (enforcement != STOCKADE_ENFORCED)
            fprintf(stderr, "judge: on this host %s is %s\n", stockade_name(MAY_BE_WEAKER[i]),
                    enforcement == STOCKADE_APPROXIMATED ? "only approximated" : "not enforced");
    }
}

/* Compiles to WORK/program: ALL_ACCEPTED, or what was printed. */
static int compile(const stockade_sandbox *sandbox, const struct bytes *source, const char *work)
{
    const char *argv[] = {"cc", "-std=c17", "-O2", "-static", "-o", "/work/program", "/submission.c",
                          "-lm", NULL};
    stockade_policy *policy = NULL;
    stockade_report *report = NULL;
    stockade_error *error = NULL;
    int outcome = NOT_ACCEPTED;
    if (stockade_policy_from_toml(COMPILING, &policy, &error) != STOCKADE_OK
        || accept_weaker(policy, &error) != STOCKADE_OK
        || stockade_policy_set_env(policy, "LC_ALL", "C", &error) != STOCKADE_OK
        || stockade_policy_add_file(policy, "/submission.c", source->data, source->length, &error)
               != STOCKADE_OK
        || stockade_policy_add_bind(policy, work, "/work", STOCKADE_READ_WRITE, &error) != STOCKADE_OK
        || stockade_run(sandbox, policy, argv, NULL, &report, &error) != STOCKADE_OK) {
        outcome = sandbox_failed("compiling", error);
    } else if (stockade_report_verdict(report) == STOCKADE_VERDICT_EXITED
               && stockade_report_code(report) == 0) {
        outcome = ALL_ACCEPTED;
    } else {
        size_t length;
        const uint8_t *words = stockade_report_output(report, STOCKADE_STDERR, &length);
        printf("CE ");
        print_reason(report);
        putchar('\n');
        print_harmless(words, length);
    }
    stockade_report_free(report);
    stockade_policy_free(policy);
    return outcome;
}

/* A submission sees its program and no file of the host's. What is bound is the folder: had the compiler left
 * a link in place of the program, a bind of that would follow it out here. */
static int prepare(const stockade_sandbox *sandbox, const char *work, stockade_prepared **prepared)
{
    const char *argv[] = {"/work/program", NULL};
    stockade_policy *policy = NULL;
    stockade_error *error = NULL;
    int32_t status = stockade_policy_new(&policy, &error);
    for (size_t i = 0; status == STOCKADE_OK && i < COUNT(LIMITS); i++)
        status = stockade_policy_set_limit(policy, LIMITS[i].control, LIMITS[i].amount, &error);
    if (status != STOCKADE_OK
        || accept_weaker(policy, &error) != STOCKADE_OK
        || stockade_policy_set(policy, STOCKADE_BASE_EMPTY, &error) != STOCKADE_OK
        || stockade_policy_set(policy, STOCKADE_SYSCALLS_STRICT, &error) != STOCKADE_OK
        || stockade_policy_add_bind(policy, work, "/work", STOCKADE_READ_ONLY, &error) != STOCKADE_OK
        || stockade_prepare(sandbox, policy, argv, prepared, &error) != STOCKADE_OK) {
        stockade_policy_free(policy);
        return sandbox_failed("preparing", error);
    }
    stockade_policy_free(policy);
    return ALL_ACCEPTED;
}

static const char *mark(const stockade_report *report, const struct bytes *expected)
{
    size_t length;
    const uint8_t *output = stockade_report_output(report, STOCKADE_STDOUT, &length);
    switch (stockade_report_verdict(report)) {
    case STOCKADE_VERDICT_EXITED:
        if (stockade_report_code(report) != 0)
            return "RE";
        return same((const char *)output, length, expected->data, expected->length) ? "AC" : "WA";
    case STOCKADE_VERDICT_LIMIT:
        switch (stockade_report_control(report)) {
        case STOCKADE_CONTROL_CPU_TIME:
        case STOCKADE_CONTROL_WALL_TIME:
            return "TLE";
        case STOCKADE_CONTROL_MEMORY:
            return "MLE";
        case STOCKADE_CONTROL_OUTPUT:
            return "OLE";
        default:
            return "RE";
        }
    default: /* a signal, or a system call that is denied */
        return "RE";
    }
}

/* Runs one test and prints its line. */
static int run_test(const stockade_prepared *prepared, unsigned number, const struct bytes *input,
                    const struct bytes *expected)
{
    stockade_stdio stdio = {0};
    stockade_report *report = NULL;
    stockade_error *error = NULL;
    stdio.input.kind = STOCKADE_STREAM_BYTES;
    stdio.input.data = input->data;
    stdio.input.length = input->length;
    if (stockade_prepared_run(prepared, &stdio, &report, &error) != STOCKADE_OK)
        return sandbox_failed("running", error);

    if (number == 1)
        tell_weaker(report);
    const char *marked = mark(report, expected);
    uint64_t cpu = stockade_report_amount(report, STOCKADE_CPU_USER_NS)
                   + stockade_report_amount(report, STOCKADE_CPU_SYSTEM_NS);
    printf("%u %-3s %4" PRIu64 " ms %6" PRIu64 " KiB  ", number, marked, cpu / 1000000,
           stockade_report_amount(report, STOCKADE_PEAK_MEMORY) >> 10);
    print_reason(report);
    putchar('\n');
    fflush(stdout);
    stockade_report_free(report);
    return strcmp(marked, "AC") == 0 ? ALL_ACCEPTED : NOT_ACCEPTED;
}

static int run_tests(const stockade_prepared *prepared, const char *tests)
{
    int outcome = ALL_ACCEPTED;
    for (unsigned number = 1; outcome != JUDGE_FAILED; number++) {
        struct bytes input = {NULL, 0}, expected = {NULL, 0};
        char path[4096];
        snprintf(path, sizeof path, "%s/%u.in", tests, number);
        if (read_file(path, &input) != 0) {
            if (number > 1 && errno == ENOENT)
                break;
            return judge_failed(path, strerror(errno));
        }
        snprintf(path, sizeof path, "%s/%u.out", tests, number);
        if (read_file(path, &expected) != 0) {
            outcome = judge_failed(path, strerror(errno));
        } else {
            int one = run_test(prepared, number, &input, &expected);
            outcome = one > outcome ? one : outcome;
        }
        free(input.data);
        free(expected.data);
    }
    return outcome;
}

static int judge(const struct bytes *source, const char *work, const char *tests)
{
    stockade_sandbox *sandbox = NULL;
    stockade_prepared *prepared = NULL;
    stockade_error *error = NULL;
    if (stockade_sandbox_new(STOCKADE_BACKEND_NAMESPACE, NULL, &sandbox, &error) != STOCKADE_OK)
        return sandbox_failed("sandbox", error);
    int outcome = compile(sandbox, source, work);
    if (outcome == ALL_ACCEPTED)
        outcome = prepare(sandbox, work, &prepared);
    if (outcome == ALL_ACCEPTED)
        outcome = run_tests(prepared, tests);
    stockade_prepared_free(prepared);
    stockade_sandbox_free(sandbox);
    return outcome;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

int main(int argc, char **argv)
{
    struct bytes source;
    char work[4096];
    if (argc != 3) {
        fprintf(stderr, "usage: %s SOURCE.c TESTS\n", argv[0]);
        return JUDGE_FAILED;
    }
    if (read_file(argv[1], &source) != 0)
        return judge_failed(argv[1], strerror(errno));
    const char *folder = getenv("TMPDIR");
    snprintf(work, sizeof work, "%s/judge-XXXXXX", folder != NULL ? folder : "/tmp");
    int outcome;
    if (mkdtemp(work) == NULL) {
        outcome = judge_failed(work, strerror(errno));
    } else {
        outcome = judge(&source, work, argv[2]);
        if (nftw(work, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
            outcome = judge_failed(work, strerror(errno));
    }
    free(source.data);
    return outcome;
}
