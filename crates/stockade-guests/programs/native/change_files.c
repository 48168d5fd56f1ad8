/* story: Does to files what it is told, step by step, and says how each step ended. */
/* usage: change_files STEP...; a STEP is WORD:PATH or WORD:PATH=MORE, with a WORD of the table below;
   a line each, such as "mkdir:/a: ok" or "read:/a/b: text" */
#include "../guest.h"
#include <dirent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static char answer[4096];

static int put(const char *path, const char *text, int flags)
{
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
    unsigned long long written = 0;
    if (file < 0)
        return -1;
    int result = write_all(file, text, strlen(text), &written);
    int error = errno;
    close(file);
    errno = error;
    return result;
}

static int do_write(const char *path, const char *text)
{
    return put(path, text, O_TRUNC);
}

static int do_append(const char *path, const char *text)
{
    return put(path, text, O_APPEND);
}

static int do_fill(const char *path, const char *bytes)
{
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    unsigned long long written = 0;
    return file < 0 ? -1 : write_filler(file, strtoull(bytes, NULL, 10), 4096, &written);
}

static int do_read(const char *path, const char *more)
{
    (void)more;
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t got = file < 0 ? -1 : read(file, answer, sizeof answer - 1);
    answer[got < 0 ? 0 : got] = '\0';
    return got < 0 ? -1 : 0;
}

static int do_mkdir(const char *path, const char *more)
{
    (void)more;
    return mkdir(path, 0755);
}

static int do_rmdir(const char *path, const char *more)
{
    (void)more;
    return rmdir(path);
}

static int do_unlink(const char *path, const char *more)
{
    (void)more;
    return unlink(path);
}

static int do_chmod(const char *path, const char *mode)
{
    return chmod(path, (mode_t)strtoul(mode, NULL, 8));
}

static int do_mark(const char *path, const char *name)
{
    return setxattr(path, name, "y", 1, 0);
}

static int do_whiteout(const char *path, const char *more)
{
    (void)more;
    return mknod(path, S_IFCHR | 0600, makedev(0, 0));
}

static int by_name(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

/* Names in order, with blanks between them. */
static int do_list(const char *path, const char *more)
{
    (void)more;
    static char *names[512];
    size_t count = 0;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return -1;
    for (struct dirent *entry; count < 512 && (entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            names[count++] = strdup(entry->d_name);
    closedir(dir);
    qsort(names, count, sizeof names[0], by_name);
    for (size_t at = 0; at < count; at++) {
        size_t used = strlen(answer);
        snprintf(answer + used, sizeof answer - used, "%s%s", at == 0 ? "" : " ", names[at]);
    }
    return 0;
}

/* Mode, owner, group and the second of the last change of the contents. */
static int do_stat(const char *path, const char *more)
{
    (void)more;
    struct stat found;
    if (lstat(path, &found) < 0)
        return -1;
    snprintf(answer, sizeof answer, "%o %u:%u %lld", found.st_mode & 07777, found.st_uid,
             found.st_gid, (long long)found.st_mtime);
    return 0;
}

static const struct {
    const char *word;
    int (*act)(const char *path, const char *more);
} steps[] = {
    {"write", do_write},   {"append", do_append},     {"read", do_read},   {"mkdir", do_mkdir},
    {"rmdir", do_rmdir},   {"unlink", do_unlink},     {"rename", rename},  {"link", link},
    {"chmod", do_chmod},   {"mark", do_mark},         {"list", do_list},   {"stat", do_stat},
    {"symlink", symlink},  {"whiteout", do_whiteout}, {"fill", do_fill},
};

static void step(const char *text)
{
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", text);
    char *path = strchr(copy, ':');
    char *more = path == NULL ? NULL : strchr(path, '=');
    if (path == NULL)
        misused("change_files WORD:PATH[=MORE]...");
    *path++ = '\0';
    if (more != NULL)
        *more++ = '\0';
    for (size_t at = 0; at < sizeof steps / sizeof steps[0]; at++) {
        if (strcmp(copy, steps[at].word) != 0)
            continue;
        answer[0] = '\0';
        int error = steps[at].act(path, more == NULL ? "" : more) < 0 ? errno : 0;
        if (error == 0 && answer[0] != '\0')
            printf("%s:%s: %s\n", copy, path, answer);
        else
            outcome(text, error);
        fflush(stdout);
        return;
    }
    misused("change_files WORD:PATH[=MORE]..., with a known WORD");
}

int main(int argc, char **argv)
{
    for (int index = 1; index < argc; index++)
        step(argv[index]);
    return DONE;
}
