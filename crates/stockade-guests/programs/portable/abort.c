/* story: Aborts itself (SIGABRT; a trap in WebAssembly). */
#include "../guest.h"

int main(void)
{
    abort();
}
