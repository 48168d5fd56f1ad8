/* Changes its root, which no program of a judge does. */
#include <stdio.h>
#include <unistd.h>

int main(void) {
    puts("before");
    fflush(stdout);
    chroot(".");
    puts("after");
    return 0;
}
