cat > sum.c <<'E'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static long sums[4];

static void *add(void *argument) {
    long *sum = argument;
    for (long i = 0; i < 1000000; i++)
        *sum += i ^ (sum - sums);
    return NULL;
}

int main(void) {
    pthread_t threads[4];
    long total = 0, *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, add, &sums[i]))
            return 1;
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        total += sums[i];
    }
    if (fork() == 0) {
        *shared = total;
        _exit(7);
    }
    int status;
    wait(&status);
    printf("%ld %ld %d\n", total, *shared, WEXITSTATUS(status));
    return 0;
}
E
for level in -O0 -O2 "-O2 -flto" "-O1 -fsanitize=undefined"; do
    gcc $level -Wall -Werror -pthread -o sum sum.c
    ./sum
done
gcc -O2 -shared -fPIC -o libsum.so -Dmain=library sum.c -pthread
printf 'int library(void);\nint main(void) { return library(); }\n' > user.c
gcc -o user user.c -L. -lsum -Wl,-rpath,"$PWD"
./user
