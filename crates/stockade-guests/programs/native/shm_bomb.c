/* story: Holds memory in System V shared segments, one touched mebibyte after the other. */
/* usage: shm_bomb [MEBIBYTES=forever]; prints what it held; exits 3 where a step is refused */
#include "../guest.h"
#include <sys/shm.h>

/* Large enough that the kernel's count of segments (SHMMNI, 4096) is not the limit met first. */
enum { SEGMENT_MEBIBYTES = 16 };

/* Removed as soon as attached, so that the segment dies with its last process. */
static char *attach(void)
{
    int segment = shmget(IPC_PRIVATE, SEGMENT_MEBIBYTES * MEBIBYTE, IPC_CREAT | 0600);
    if (segment < 0)
        return NULL;
    char *block = shmat(segment, NULL, 0);
    int error = errno;
    shmctl(segment, IPC_RMID, NULL);
    errno = error;
    return block == (char *)-1 ? NULL : block;
}

int main(int argc, char **argv)
{
    unsigned long long goal = number(argc, argv, 1, FOREVER);
    unsigned long long held = 0;
    char *block = NULL;
    int error = 0;
    for (; held < goal; held++) {
        if (held % SEGMENT_MEBIBYTES == 0 && (block = attach()) == NULL) {
            error = errno;
            break;
        }
        touch(block + held % SEGMENT_MEBIBYTES * MEBIBYTE, MEBIBYTE);
    }
    printf("held %llu MiB\n", held);
    return outcome("shm", error);
}
