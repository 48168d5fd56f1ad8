/* Images: loaded, pulled, listed, removed, and run.
 *
 * ways: plain asan rootless; valgrind 3.19 knows no openat2, by which images are read */
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define PATHS 512

/* A folder with an image and a store. */
struct ground {
    char folder[FOLDER];
    char layout[PATHS];
    char source[PATHS];
    char place[PATHS];
    stockade_store *store;
};

static int run_line(const char *line) {
    fflush(stdout);
    return system(line) == 0;
}

static int make_layout(struct ground *ground, const char *name, const char *architecture) {
    char line[3 * PATHS];
    snprintf(ground->layout, sizeof ground->layout, "%s/%s", ground->folder, name);
    snprintf(ground->source, sizeof ground->source, "oci:%s/%s", ground->folder, name);
    snprintf(line, sizeof line, "sh layout.sh '%s' %s", ground->layout, architecture);
    return CHECK(run_line(line));
}

static int set_up(struct ground *ground) {
    memset(ground, 0, sizeof *ground);
    if (!CHECK(make_folder(ground->folder)) || !make_layout(ground, "layout", ""))
        return 0;
    snprintf(ground->place, sizeof ground->place, "%s/store", ground->folder);
    return CHECK(stockade_store_open(ground->place, &ground->store, ERROR) == STOCKADE_OK);
}

static void tear_down(struct ground *ground) {
    char line[2 * PATHS];
    stockade_store_free(ground->store);
    snprintf(line, sizeof line, "chmod -R u+rwX '%s' && rm -rf '%s'", ground->folder, ground->folder);
    CHECK(run_line(line));
}

/* How many things a folder of the store has. */
static int count_in(const struct ground *ground, const char *name) {
    char path[PATHS + 32];
    int count = 0;
    DIR *folder;
    snprintf(path, sizeof path, "%s/%s", ground->place, name);
    folder = opendir(path);
    if (folder == NULL)
        return -1;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count - 2;
}

static int is_empty(const struct ground *ground) {
    char *json = NULL;
    int empty = stockade_store_list_json(ground->store, &json, ERROR) == STOCKADE_OK
        && strcmp(json, "[]") == 0 && count_in(ground, "blobs/sha256") == 0
        && count_in(ground, "roots") == 0 && count_in(ground, "tmp") == 0;
    stockade_string_free(json);
    return empty;
}

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

/* What a progress function heard, and when it wants no more. */
struct heard {
    int calls;
    int until;
    uint64_t after;
    uint64_t done;
    uint64_t size;
    char blob[128];
};

static int32_t hear(void *user_data, const char *blob, uint64_t done, uint64_t size) {
    struct heard *heard = user_data;
    heard->calls++;
    heard->done = done;
    heard->size = size;
    snprintf(heard->blob, sizeof heard->blob, "%s", blob);
    return heard->calls == heard->until || (heard->after > 0 && done >= heard->after);
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

/* A registry with the image of a layout, as team/tools:v1. */
struct registry {
    int listener;
    pthread_t thread;
    const char *layout;
    char layer[128];
    char name[64];
    /* After so many bytes of the layer comes nothing, until this is over. */
    size_t stall;
    int over;
};

static void answer(struct registry *registry, int client) {
    static char buffer[1 << 16];
    char request[2048], path[2 * PATHS], head[256];
    size_t length = 0;
    struct stat found;
    const char *at;
    FILE *file;
    while (length + 1 < sizeof request) {
        ssize_t count = read(client, request + length, sizeof request - 1 - length);
        if (count <= 0)
            return;
        length += (size_t)count;
        request[length] = '\0';
        if (contains(request, "\r\n\r\n"))
            break;
    }
    at = strstr(request, "/v2/team/tools/");
    if (at != NULL && contains(at, "manifests/v1 "))
        snprintf(path, sizeof path, "%s/served", registry->layout);
    else if (at != NULL && (at = strstr(at, "sha256:")) != NULL)
        snprintf(path, sizeof path, "%s/blobs/sha256/%.64s", registry->layout, at + 7);
    else
        snprintf(path, sizeof path, "%s/none", registry->layout);
    file = fopen(path, "rb");
    if (file == NULL || stat(path, &found) != 0) {
        dprintf(client, "HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return;
    }
    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\nContent-Length: %lld\r\nConnection: close\r\n"
             "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n\r\n",
             (long long)found.st_size);
    if (write(client, head, strlen(head)) > 0) {
        size_t sent = 0, count;
        int stalls = registry->stall > 0 && contains(path, registry->layer + 7);
        while ((count = fread(buffer, 1, sizeof buffer, file)) > 0) {
            if (stalls && sent >= registry->stall)
                while (!__sync_fetch_and_add(&registry->over, 0))
                    sleep_ms(10);
            /* The client may have had enough. */
            if (send(client, buffer, count, MSG_NOSIGNAL) < 0)
                break;
            sent += count;
        }
    }
    fclose(file);
}

static void *serve(void *argument) {
    struct registry *registry = argument;
    for (;;) {
        int client = accept(registry->listener, NULL, NULL);
        if (client < 0)
            return NULL;
        answer(registry, client);
        shutdown(client, SHUT_WR);
        close(client);
    }
}

static int start_registry(struct registry *registry, const struct ground *ground, size_t stall) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    char path[2 * PATHS];
    int fd;
    memset(registry, 0, sizeof *registry);
    memset(&address, 0, sizeof address);
    registry->layout = ground->layout;
    registry->stall = stall;
    snprintf(path, sizeof path, "%s/layer-digest", ground->layout);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    read_all(fd, registry->layer, sizeof registry->layer);
    close(fd);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    registry->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!CHECK(bind(registry->listener, (struct sockaddr *)&address, sizeof address) == 0)
        || !CHECK(listen(registry->listener, 8) == 0)
        || !CHECK(getsockname(registry->listener, (struct sockaddr *)&address, &length) == 0))
        return 0;
    snprintf(registry->name, sizeof registry->name, "127.0.0.1:%u/team/tools:v1",
             (unsigned)ntohs(address.sin_port));
    return CHECK(pthread_create(&registry->thread, NULL, serve, registry) == 0);
}

static void stop_registry(struct registry *registry) {
    __sync_fetch_and_add(&registry->over, 1);
    shutdown(registry->listener, SHUT_RDWR);
    pthread_join(registry->thread, NULL);
    close(registry->listener);
}

static void an_image_is_pulled_from_a_registry(void) {
    struct ground ground;
    struct registry registry;
    struct heard heard;
    stockade_pull_options options;
    stockade_image *image = NULL;
    stockade_root *root = NULL;
    char wrong[96];
    NEED(set_up(&ground) && start_registry(&registry, &ground, 0));
    memset(&options, 0, sizeof options);
    memset(&heard, 0, sizeof heard);
    CHECK(failed_with(stockade_store_find(ground.store, registry.name, &image, ERROR), STOCKADE_NOT_FOUND));
    options.username = "somebody";
    CHECK(failed_with(stockade_store_pull(ground.store, registry.name, &options, NULL, NULL, &image, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("options.password"));
    options.username = NULL;
    options.password = "secret";
    CHECK(failed_with(stockade_store_pull(ground.store, registry.name, &options, NULL, NULL, &image, ERROR),
                      STOCKADE_INVALID_ARGUMENT));
    CHECK(message_has("options.username"));
    options.password = NULL;
    options.retries = -1;
    snprintf(wrong, sizeof wrong, "%.*s:v9", (int)strlen(registry.name) - 3, registry.name);
    CHECK(failed_with(stockade_store_pull(ground.store, wrong, &options, NULL, NULL, &image, ERROR),
                      STOCKADE_NOT_FOUND));
    CHECK(stockade_store_pull(ground.store, registry.name, &options, hear, &heard, &image, ERROR)
          == STOCKADE_OK);
    CHECK(heard.calls > 0 && heard.done == heard.size && strcmp(heard.blob, registry.layer) == 0);
    stop_registry(&registry);
    CHECK(stockade_store_root(ground.store, image, &root, ERROR) == STOCKADE_OK);
    stockade_root_free(root);
    stockade_image_free(image);
    image = NULL;
    options.stall_ns = 2000000000;
    CHECK(failed_with(stockade_store_pull(ground.store, registry.name, &options, NULL, NULL, &image, ERROR),
                      STOCKADE_IO));
    CHECK(stockade_error_hint(last_error) != NULL && image == NULL);
    tear_down(&ground);
}

static void a_pull_that_stalls_is_ended_by_its_progress_function(void) {
    struct ground ground;
    struct registry registry;
    struct heard heard;
    stockade_image *image = NULL;
    uint64_t begin = now_ns();
    NEED(set_up(&ground) && start_registry(&registry, &ground, 600000));
    memset(&heard, 0, sizeof heard);
    heard.after = 1;
    CHECK(failed_with(stockade_store_pull(ground.store, registry.name, NULL, hear, &heard, &image, ERROR),
                      STOCKADE_IO));
    CHECK(message_has("stopped") && image == NULL);
    CHECK(heard.done > 0 && heard.done < heard.size);
    /* Not the half minute that nothing may come. */
    CHECK(now_ns() - begin < (uint64_t)slow() * 20000000000u);
    stop_registry(&registry);
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
    TEST(an_image_is_pulled_from_a_registry),
    TEST(a_pull_that_stalls_is_ended_by_its_progress_function),
};

MAIN(TESTS)
