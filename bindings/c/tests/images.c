/* Images: loaded, listed, removed, and run.
 *
 * ways: plain asan rootless; valgrind 3.19 knows no openat2, by which images are read */
#include "check.h"
#include "images.h"

static stockade_image *load(const struct ground *ground) {
    stockade_image *image = NULL;
    CHECK(stockade_store_load(ground->store, ground->source, NULL, NULL, NULL, &image, ERROR)
          == STOCKADE_OK);
    return image;
}

static stockade_root *unpack(const struct ground *ground) {
    stockade_image *image = load(ground);
    stockade_root *root = NULL;
    CHECK(stockade_store_root(ground->store, image, &root, ERROR) == STOCKADE_OK);
    stockade_image_free(image);
    return root;
}

static void what_is_needed_must_not_be_null(void) {
    struct ground ground;
    stockade_image *image = NULL;
    stockade_root *root = NULL;
    stockade_store *store = NULL;
    stockade_prepared *prepared = NULL;
    stockade_policy *policy = weak_policy();
    char *json = NULL;
    NEED(set_up(&ground));
    image = load(&ground);
    NEED(stockade_store_root(ground.store, image, &root, ERROR) == STOCKADE_OK);
    CHECK(failed_with(stockade_store_open(ground.place, NULL, ERROR), STOCKADE_INVALID_ARGUMENT));
    CHECK(stockade_store_open(ground.place, NULL, NULL) == STOCKADE_INVALID_ARGUMENT);
#define REFUSED(call, name) \
    CHECK(failed_with(call, STOCKADE_INVALID_ARGUMENT) && message_has("`" name "`"))
    REFUSED(stockade_store_load(NULL, "app", NULL, NULL, NULL, &image, ERROR), "store");
    REFUSED(stockade_store_load(ground.store, NULL, NULL, NULL, NULL, &image, ERROR), "source");
    REFUSED(stockade_store_load(ground.store, "app", NULL, NULL, NULL, NULL, ERROR), "image");
    REFUSED(stockade_store_load(ground.store, "\xff", NULL, NULL, NULL, &image, ERROR), "source");
    REFUSED(stockade_store_pull(NULL, "app", NULL, NULL, NULL, &image, ERROR), "store");
    REFUSED(stockade_store_pull(ground.store, NULL, NULL, NULL, NULL, &image, ERROR), "name");
    REFUSED(stockade_store_pull(ground.store, "app", NULL, NULL, NULL, NULL, ERROR), "image");
    REFUSED(stockade_store_find(ground.store, NULL, &image, ERROR), "name");
    REFUSED(stockade_store_find(NULL, "app", &image, ERROR), "store");
    REFUSED(stockade_store_list_json(NULL, &json, ERROR), "store");
    REFUSED(stockade_store_list_json(ground.store, NULL, ERROR), "json");
    REFUSED(stockade_store_remove(NULL, "app", ERROR), "store");
    REFUSED(stockade_store_remove(ground.store, NULL, ERROR), "name");
    REFUSED(stockade_store_collect_garbage(NULL, NULL, ERROR), "store");
    REFUSED(stockade_store_root(ground.store, NULL, &root, ERROR), "image");
    REFUSED(stockade_store_root(NULL, image, &root, ERROR), "store");
    REFUSED(stockade_store_root(ground.store, image, NULL, ERROR), "root");
    REFUSED(stockade_image_json(NULL, &json, ERROR), "image");
    REFUSED(stockade_image_json(image, NULL, ERROR), "json");
    REFUSED(stockade_root_apply_to(NULL, policy, ERROR), "root");
    REFUSED(stockade_root_apply_to(root, NULL, ERROR), "policy");
    REFUSED(stockade_prepare_root(NULL, NULL, root, NULL, &prepared, ERROR), "sandbox");
    CHECK(json == NULL && store == NULL && prepared == NULL && image != NULL);
    CHECK(stockade_store_path(NULL) == NULL && stockade_root_path(NULL) == NULL);
    stockade_store_free(NULL);
    stockade_image_free(NULL);
    stockade_root_free(NULL);
    stockade_policy_free(policy);
    stockade_root_free(root);
    stockade_image_free(image);
    tear_down(&ground);
}

static void an_image_is_kept_by_its_name_until_that_is_removed(void) {
    struct ground ground;
    stockade_image *image, *found = NULL;
    char *json = NULL, *again = NULL;
    NEED(set_up(&ground));
    CHECK(strcmp(stockade_store_path(ground.store), ground.place) == 0);
    image = load(&ground);
    CHECK(stockade_image_json(image, &json, ERROR) == STOCKADE_OK);
    CHECK(contains(json, "\"entrypoint\":[\"/bin/sh\",\"-c\"]"));
    CHECK(contains(json, "[\"COLOUR\",\"blue\"]") && contains(json, "\"working_dir\":\"/srv\""));
    CHECK(contains(json, "\"user\":\"nobody\"") && contains(json, "\"digest\":\"sha256:"));
    CHECK(stockade_store_find(ground.store, "example/tools:v1", &found, ERROR) == STOCKADE_OK);
    CHECK(stockade_image_json(found, &again, ERROR) == STOCKADE_OK);
    CHECK(json != NULL && again != NULL && strcmp(json, again) == 0);
    stockade_string_free(json);
    stockade_string_free(again);
    stockade_image_free(found);
    stockade_image_free(image);
    CHECK(stockade_store_load(ground.store, "example/tools:v1", "other", NULL, NULL, &image, ERROR)
          == STOCKADE_OK);
    stockade_image_free(image);
    CHECK(stockade_store_list_json(ground.store, &json, ERROR) == STOCKADE_OK);
    CHECK(contains(json, "\"example/tools:v1\"") && contains(json, "\"other:latest\""));
    stockade_string_free(json);
    CHECK(stockade_store_remove(ground.store, "example/tools:v1", ERROR) == STOCKADE_OK);
    CHECK(stockade_store_collect_garbage(ground.store, NULL, ERROR) == STOCKADE_OK);
    CHECK(count_in(&ground, "blobs/sha256") == 3);
    CHECK(stockade_store_remove(ground.store, "other", ERROR) == STOCKADE_OK);
    CHECK(stockade_store_collect_garbage(ground.store, &json, ERROR) == STOCKADE_OK);
    CHECK(contains(json, "\"blobs\":3"));
    stockade_string_free(json);
    CHECK(is_empty(&ground));
    CHECK(failed_with(stockade_store_remove(ground.store, "other", ERROR), STOCKADE_NOT_FOUND));
    CHECK(failed_with(stockade_store_find(ground.store, "other", &found, ERROR), STOCKADE_NOT_FOUND));
    CHECK(contains(stockade_error_hint(last_error), "stockade image"));
    tear_down(&ground);
}

/* What the image's program prints under this policy, with these arguments. */
static void prints(const stockade_sandbox *sandbox, const stockade_policy *policy,
                   const stockade_root *root, const char *const *arguments, const char *text) {
    stockade_prepared *prepared = NULL;
    stockade_report *report = NULL;
    NEED(stockade_prepare_root(sandbox, policy, root, arguments, &prepared, ERROR) == STOCKADE_OK);
    CHECK(stockade_prepared_run(prepared, NULL, &report, ERROR) == STOCKADE_OK);
    CHECK(has_output(report, STOCKADE_STDOUT, text));
    stockade_report_free(report);
    stockade_prepared_free(prepared);
}

static void its_program_runs_in_its_files(void) {
    static const char *const words[] = {"echo $0 $1", "a", "b", NULL};
    static const char *const writes[] = {
        "if echo x 2>/dev/null > /srv/new; then echo written; else echo refused; fi", NULL};
    stockade_sandbox *sandbox = native_sandbox();
    stockade_policy *policy;
    stockade_prepared *prepared = NULL;
    stockade_root *root;
    struct ground ground;
    char path[2 * PATHS];
    int32_t status;
    if (sandbox == NULL)
        return;
    NEED(set_up(&ground));
    root = unpack(&ground);
    policy = weak_policy();
    CHECK(failed_with(stockade_prepare_root(sandbox, policy, root, NULL, &prepared, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("stockade_root_apply_to") && prepared == NULL);
    /* Where the kernel has no overlays the whole root is copied. */
    CHECK(stockade_policy_set_limit(policy, STOCKADE_CONTROL_DISK, 256 << 20, ERROR) == STOCKADE_OK);
    CHECK(stockade_root_apply_to(root, policy, ERROR) == STOCKADE_OK);
    prints(sandbox, policy, root, NULL, "hello blue\n");
    prints(sandbox, policy, root, words, "a b\n");
    prints(sandbox, policy, root, writes, "written\n");
    snprintf(path, sizeof path, "%s/srv/new", stockade_root_path(root));
    CHECK(access(path, F_OK) != 0);
    /* What is set afterwards counts more. */
    CHECK(stockade_policy_set_env(policy, "COLOUR", "red", ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_rootfs(policy, stockade_root_path(root), ERROR) == STOCKADE_OK);
    prints(sandbox, policy, root, NULL, "hello red\n");
    prints(sandbox, policy, root, writes, "refused\n");
    /* The default policy wants every limit, and may be refused here. */
    status = stockade_prepare_root(sandbox, NULL, root, NULL, &prepared, ERROR);
    CHECK(status == STOCKADE_OK || status == STOCKADE_UNSUPPORTED);
    stockade_prepared_free(prepared);
    stockade_policy_free(policy);
    stockade_root_free(root);
    stockade_sandbox_free(sandbox);
    tear_down(&ground);
}

static void modules_alone_run_no_image(void) {
    struct ground ground;
    stockade_sandbox *sandbox = module_sandbox();
    stockade_prepared *prepared = NULL;
    stockade_root *root;
    NEED(set_up(&ground));
    root = unpack(&ground);
    CHECK(failed_with(stockade_prepare_root(sandbox, NULL, root, NULL, &prepared, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("STOCKADE_BACKEND_WASM"));
    stockade_root_free(root);
    stockade_sandbox_free(sandbox);
    tear_down(&ground);
}

static void files_stay_as_long_as_something_can_run_in_them(void) {
    static const char *const words[] = {"read x; echo $x", NULL};
    stockade_sandbox *sandbox = native_sandbox();
    stockade_policy *policy;
    stockade_prepared *prepared = NULL;
    stockade_execution *run = NULL;
    stockade_report *report = NULL;
    stockade_stdio stdio;
    stockade_root *root;
    struct ground ground;
    int32_t fd = -1;
    if (sandbox == NULL)
        return;
    NEED(set_up(&ground));
    root = unpack(&ground);
    policy = weak_policy();
    CHECK(stockade_root_apply_to(root, policy, ERROR) == STOCKADE_OK);
    CHECK(stockade_policy_set_rootfs(policy, stockade_root_path(root), ERROR) == STOCKADE_OK);
    NEED(stockade_prepare_root(sandbox, policy, root, words, &prepared, ERROR) == STOCKADE_OK);
    stockade_root_free(root);
    stockade_policy_free(policy);
    memset(&stdio, 0, sizeof stdio);
    stdio.input.kind = STOCKADE_STREAM_PIPE;
    NEED(stockade_prepared_start(prepared, &stdio, &run, ERROR) == STOCKADE_OK);
    CHECK(stockade_execution_take_fd(run, STOCKADE_STDIN, &fd, ERROR) == STOCKADE_OK);
    stockade_prepared_free(prepared);
    CHECK(stockade_store_remove(ground.store, "example/tools:v1", ERROR) == STOCKADE_OK);
    CHECK(stockade_store_collect_garbage(ground.store, NULL, ERROR) == STOCKADE_OK);
    CHECK(count_in(&ground, "roots") == 1);
    CHECK(write(fd, "here\n", 5) == 5 && close(fd) == 0);
    CHECK(stockade_execution_wait(run, &report, ERROR) == STOCKADE_OK);
    CHECK(has_output(report, STOCKADE_STDOUT, "here\n"));
    stockade_report_free(report);
    CHECK(stockade_store_collect_garbage(ground.store, NULL, ERROR) == STOCKADE_OK);
    CHECK(count_in(&ground, "roots") == 1);
    stockade_execution_free(run);
    CHECK(stockade_store_collect_garbage(ground.store, NULL, ERROR) == STOCKADE_OK);
    CHECK(count_in(&ground, "roots") == 0);
    stockade_sandbox_free(sandbox);
    tear_down(&ground);
}

static void what_cannot_be_loaded_is_told_and_leaves_nothing(void) {
    struct ground ground;
    stockade_image *image = NULL;
    char line[3 * PATHS];
    NEED(set_up(&ground));
#define FAILS(from, kind, says) \
    CHECK(failed_with(stockade_store_load(ground.store, from, NULL, NULL, NULL, &image, ERROR), kind) \
          && message_has(says) && stockade_error_hint(last_error) != NULL && is_empty(&ground))
    FAILS("oci:/no/such/layout", STOCKADE_NOT_FOUND, "/no/such/layout");
    FAILS("docker-archive:/no/such.tar", STOCKADE_NOT_FOUND, "/no/such.tar");
    FAILS("example/tools:v1", STOCKADE_NOT_FOUND, "example/tools:v1");
    FAILS("Not A Name", STOCKADE_INVALID_POLICY, "Not A Name");
    FAILS("oci:", STOCKADE_INVALID_POLICY, "no path");
    /* One byte of the layer is another. */
    snprintf(line, sizeof line,
             "cd '%s' && printf x | dd conv=notrunc bs=1 seek=600 status=none of=blobs/sha256/$(cut -c 8- "
             "layer-digest)",
             ground.layout);
    CHECK(run_line(line));
    FAILS(ground.source, STOCKADE_INVALID_POLICY, "sha256:");
    if (make_layout(&ground, "foreign", "riscv64"))
        FAILS(ground.source, STOCKADE_UNSUPPORTED, "riscv64");
    CHECK(image == NULL);
    tear_down(&ground);
}

static void a_store_that_is_not_safe_is_refused(void) {
    char folder[FOLDER], path[PATHS], target[PATHS];
    stockade_store *store = NULL;
    NEED(make_folder(folder));
    CHECK(failed_with(stockade_store_open(folder, &store, ERROR), STOCKADE_PERMISSION_DENIED));
    CHECK(message_has("0755"));
    snprintf(path, sizeof path, "%s/file", folder);
    CHECK(write_file(path, "", 0));
    CHECK(failed_with(stockade_store_open(path, &store, ERROR), STOCKADE_INVALID_POLICY));
    snprintf(target, sizeof target, "%s/link", folder);
    CHECK(symlink(folder, target) == 0);
    CHECK(failed_with(stockade_store_open(target, &store, ERROR), STOCKADE_INVALID_POLICY));
    CHECK(unlink(target) == 0 && unlink(path) == 0);
    if (geteuid() != 0) {
        CHECK(chmod(folder, 0500) == 0);
        CHECK(failed_with(stockade_store_open(target, &store, ERROR), STOCKADE_PERMISSION_DENIED));
        CHECK(chmod(folder, 0700) == 0);
    }
    CHECK(store == NULL && rmdir(folder) == 0);
}

static void the_environment_names_the_default_store(void) {
    char folder[FOLDER], path[PATHS], line[2 * PATHS];
    stockade_store *store = NULL;
    NEED(make_folder(folder));
    snprintf(path, sizeof path, "%s/images", folder);
    CHECK(setenv("STOCKADE_IMAGES", path, 1) == 0);
    CHECK(stockade_store_open(NULL, &store, ERROR) == STOCKADE_OK);
    CHECK(unsetenv("STOCKADE_IMAGES") == 0);
    CHECK(store != NULL && strcmp(stockade_store_path(store), path) == 0);
    stockade_store_free(store);
    snprintf(line, sizeof line, "rm -rf '%s'", folder);
    CHECK(run_line(line));
}

static void progress_is_told_and_may_end_it(void) {
    struct ground ground;
    struct heard heard;
    stockade_image *image = NULL;
    NEED(set_up(&ground));
    memset(&heard, 0, sizeof heard);
    heard.until = 1;
    CHECK(failed_with(stockade_store_load(ground.store, ground.source, NULL, hear, &heard, &image, ERROR),
                      STOCKADE_IO));
    CHECK(message_has("stopped") && stockade_error_hint(last_error) != NULL);
    CHECK(heard.calls == 1 && image == NULL && is_empty(&ground));
    memset(&heard, 0, sizeof heard);
    CHECK(stockade_store_load(ground.store, ground.source, NULL, hear, &heard, &image, ERROR)
          == STOCKADE_OK);
    CHECK(heard.calls > 1 && heard.done == heard.size && contains(heard.blob, "sha256:"));
    stockade_image_free(image);
    tear_down(&ground);
}

static const struct test TESTS[] = {
    TEST(what_is_needed_must_not_be_null),
    TEST(an_image_is_kept_by_its_name_until_that_is_removed),
    TEST(its_program_runs_in_its_files),
    TEST(modules_alone_run_no_image),
    TEST(files_stay_as_long_as_something_can_run_in_them),
    TEST(what_cannot_be_loaded_is_told_and_leaves_nothing),
    TEST(a_store_that_is_not_safe_is_refused),
    TEST(the_environment_names_the_default_store),
    TEST(progress_is_told_and_may_end_it),
};

MAIN(TESTS)
