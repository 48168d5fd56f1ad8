/* Images from a registry, which is in this program.
 *
 * ways: plain asan rootless; valgrind 3.19 knows no openat2, by which images are read */
#include "check.h"
#include "images.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

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
    TEST(an_image_is_pulled_from_a_registry),
    TEST(a_pull_that_stalls_is_ended_by_its_progress_function),
};

MAIN(TESTS)
