/* story: Prints "hello". */
#include "../guest.h"

int main(void)
{
    puts("hello");
    return DONE;
}
