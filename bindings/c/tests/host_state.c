/* Whatever state a host is in: its descriptors, its umask, its working directory. */
#include "check.h"

#include "modules.h"

/* Runs a hello in each backend, and says whether both did. */
static int hello_in_both(const stockade_sandbox *native) {
    stockade_sandbox *modules = module_sandbox();
    stockade_prepared *prepared = NULL;
    stockade_report *report = run_shell(native, NULL, "echo hello", NULL);
    int both = has_output(report, STOCKADE_STDOUT, "hello\n");
    stockade_report_free(report);
    report = NULL;
    CHECK(stockade_prepare_module(modules, NULL, hello_module, sizeof hello_module, NULL, &prepared,
                                  ERROR)
          == STOCKADE_OK);
    CHECK(stockade_prepared_run(prepared, NULL, &report, ERROR) == STOCKADE_OK);
    both &= has_output(report, STOCKADE_STDOUT, "hello\n");
    stockade_report_free(report);
    stockade_prepared_free(prepared);
    stockade_sandbox_free(modules);
    return both;
}

/* Runs a program whose output goes to this descriptor, which is as good as any other. */
static void runs_to(const stockade_sandbox *sandbox, int fd) {
    char text[64];
    stockade_stdio stdio;
    stockade_report *report;
    memset(&stdio, 0, sizeof stdio);
    stdio.output.kind = STOCKADE_STREAM_FD;
    stdio.output.fd = fd;
    report = run_shell(sandbox, NULL, "echo low", &stdio);
    CHECK(has_exited(report, 0));
    CHECK(lseek(fd, 0, SEEK_SET) == 0 && read_all(fd, text, sizeof text) == 4);
    CHECK(strcmp(text, "low\n") == 0);
    stockade_report_free(report);
}

/* Runs first, before the library is used: its helper process is started without them, and what the
 * library opens gets their numbers until all is freed. */
static void standard_descriptors_may_be_closed(void) {
    FILE *usual = stdout;
    char path[FOLDER], file[FOLDER + 32];
    int kept[3], closed = 0, low;
    stockade_sandbox *sandbox;
    fflush(stdout);
    for (int fd = 0; fd < 3; fd++) {
        kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 20);
        closed += close(fd) == 0;
    }
    stdout = fdopen(kept[1], "w"); /* For what fails meanwhile. */
    CHECK(make_folder(path));
    snprintf(file, sizeof file, "%s/out", path);
    low = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(low == 0);
    sandbox = native_sandbox();
    if (sandbox != NULL) {
        CHECK(hello_in_both(sandbox));
        runs_to(sandbox, low);
    }
    stockade_sandbox_free(sandbox);
    CHECK(close(low) == 0 && unlink(file) == 0 && rmdir(path) == 0);
    fflush(stdout);
    for (int fd = 0; fd < 3; fd++)
        if (kept[fd] >= 0)
            dup2(kept[fd], fd);
    fclose(stdout);
    stdout = usual;
    if (kept[0] >= 0)
        close(kept[0]);
    if (kept[2] >= 0)
        close(kept[2]);
    CHECK(closed == 3);
}

static void a_umask_is_the_hosts_own(void) {
    stockade_sandbox *earlier = native_sandbox(), *later;
    stockade_report *report;
    mode_t before;
    if (earlier == NULL)
        return;
    before = umask(0777);
    later = native_sandbox();
    CHECK(hello_in_both(earlier) && hello_in_both(later));
    report = run_shell(later, NULL, "echo x > /tmp/file && cat /tmp/file && mkdir /tmp/f && touch /tmp/f/g",
                       NULL);
    CHECK(has_exited(report, 0));
    stockade_report_free(report);
    CHECK(umask(before) == 0777);
    stockade_sandbox_free(earlier);
    stockade_sandbox_free(later);
}

static void a_working_directory_may_change_and_go(void) {
    stockade_sandbox *sandbox = native_sandbox(), *later;
    stockade_policy *policy;
    stockade_report *report;
    char path[FOLDER], file[FOLDER + 32];
    int back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (sandbox == NULL) {
        close(back);
        return;
    }
    NEED(make_folder(path));
    snprintf(file, sizeof file, "%s/words", path);
    CHECK(write_file(file, "words\n", 6) && chmod(file, 0644) == 0);
    CHECK(chdir(path) == 0);
    policy = weak_policy();
    CHECK(stockade_policy_add_bind(policy, "words", "/data/words", STOCKADE_READ_ONLY, ERROR)
          == STOCKADE_OK);
    report = run_shell(sandbox, policy, "cat /data/words; pwd", NULL);
    CHECK(has_output(report, STOCKADE_STDOUT, "words\n/tmp\n"));
    stockade_report_free(report);
    stockade_policy_free(policy);
    CHECK(unlink(file) == 0 && rmdir(path) == 0);
    later = native_sandbox();
    CHECK(hello_in_both(sandbox) && hello_in_both(later));
    CHECK(fchdir(back) == 0 && close(back) == 0);
    stockade_sandbox_free(sandbox);
    stockade_sandbox_free(later);
}

/* How many descriptors a program has that the host starts. */
static int inherited(void) {
    char text[64];
    FILE *pipe = popen("ls /proc/self/fd | wc -l", "r");
    int count = -1;
    if (pipe != NULL && fgets(text, sizeof text, pipe) != NULL)
        count = atoi(text);
    if (pipe != NULL)
        pclose(pipe);
    return count;
}

static void programs_of_the_host_inherit_nothing(void) {
    int before = inherited();
    stockade_sandbox *sandbox = native_sandbox(), *modules = module_sandbox();
    stockade_stdio stdio;
    stockade_execution *execution;
    int32_t in = -1, end = -1;
    CHECK(before > 0);
    if (sandbox == NULL) {
        stockade_sandbox_free(modules);
        return;
    }
    memset(&stdio, 0, sizeof stdio);
    stdio.input.kind = stdio.output.kind = STOCKADE_STREAM_PIPE;
    execution = start_shell(sandbox, "cat", &stdio);
    CHECK(stockade_execution_take_fd(execution, STOCKADE_STDIN, &in, ERROR) == STOCKADE_OK);
    CHECK(stockade_execution_take_fd(execution, STOCKADE_END, &end, ERROR) == STOCKADE_OK);
    CHECK(inherited() == before);
    CHECK(close(in) == 0 && close(end) == 0);
    stockade_execution_free(execution);
    stockade_sandbox_free(sandbox);
    stockade_sandbox_free(modules);
}

static void nothing_is_held_when_all_is_freed(void) {
    int before = -1;
    for (int turn = 0; turn < 4; turn++) {
        stockade_sandbox *sandbox = native_sandbox();
        if (sandbox == NULL)
            return;
        CHECK(hello_in_both(sandbox));
        stockade_sandbox_free(sandbox);
        if (turn == 0)
            before = open_descriptors();
    }
    /* What a clock's thread had is closed when that has ended. */
    for (int wait = 0; wait < 200 && open_descriptors() > before; wait++)
        sleep_ms(10);
    CHECK(open_descriptors() <= before);
}

static const struct test TESTS[] = {
    TEST(standard_descriptors_may_be_closed),
    TEST(a_umask_is_the_hosts_own),
    TEST(a_working_directory_may_change_and_go),
    TEST(programs_of_the_host_inherit_nothing),
    TEST(nothing_is_held_when_all_is_freed),
};

MAIN(TESTS)
