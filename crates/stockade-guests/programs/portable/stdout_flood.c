/* story: Floods standard output, in chunks as small as asked. */
/* usage: stdout_flood [TOTAL_BYTES=forever [CHUNK_BYTES=1024]]; exits 3 where a write is refused */
#include "../guest.h"

int main(int argc, char **argv)
{
    unsigned long long total = number(argc, argv, 1, FOREVER);
    size_t chunk = (size_t)number(argc, argv, 2, 1024);
    unsigned long long written = 0;
    return write_filler(STDOUT_FILENO, total, chunk, &written) < 0 ? REFUSED : DONE;
}
