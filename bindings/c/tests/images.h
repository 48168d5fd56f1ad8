/* An image, a store for it, and what hears how far it is. Include it after check.h. */
#ifndef STOCKADE_TEST_IMAGES_H
#define STOCKADE_TEST_IMAGES_H

#define PATHS 512

/* A folder with an image and a store. */
struct ground {
    char folder[FOLDER];
    char layout[PATHS];
    char source[PATHS];
    char place[PATHS];
    stockade_store *store;
};

static inline int run_line(const char *line) {
    fflush(stdout);
    return system(line) == 0;
}

static inline int make_layout(struct ground *ground, const char *name, const char *architecture) {
    char line[3 * PATHS];
    snprintf(ground->layout, sizeof ground->layout, "%s/%s", ground->folder, name);
    snprintf(ground->source, sizeof ground->source, "oci:%s/%s", ground->folder, name);
    snprintf(line, sizeof line, "sh layout.sh '%s' %s", ground->layout, architecture);
    return CHECK(run_line(line));
}

static inline int set_up(struct ground *ground) {
    memset(ground, 0, sizeof *ground);
    if (!CHECK(make_folder(ground->folder)) || !make_layout(ground, "layout", ""))
        return 0;
    snprintf(ground->place, sizeof ground->place, "%s/store", ground->folder);
    return CHECK(stockade_store_open(ground->place, &ground->store, ERROR) == STOCKADE_OK);
}

static inline void tear_down(struct ground *ground) {
    char line[2 * PATHS];
    stockade_store_free(ground->store);
    snprintf(line, sizeof line, "chmod -R u+rwX '%s' && rm -rf '%s'", ground->folder, ground->folder);
    CHECK(run_line(line));
}

/* How many things a folder of the store has. */
static inline int count_in(const struct ground *ground, const char *name) {
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

static inline int is_empty(const struct ground *ground) {
    char *json = NULL;
    int empty = stockade_store_list_json(ground->store, &json, ERROR) == STOCKADE_OK
        && strcmp(json, "[]") == 0 && count_in(ground, "blobs/sha256") == 0
        && count_in(ground, "roots") == 0 && count_in(ground, "tmp") == 0;
    stockade_string_free(json);
    return empty;
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

static inline int32_t hear(void *user_data, const char *blob, uint64_t done, uint64_t size) {
    struct heard *heard = user_data;
    heard->calls++;
    heard->done = done;
    heard->size = size;
    snprintf(heard->blob, sizeof heard->blob, "%s", blob);
    return heard->calls == heard->until || (heard->after > 0 && done >= heard->after);
}

#endif
