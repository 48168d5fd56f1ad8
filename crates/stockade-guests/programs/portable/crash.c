/* story: Dies of an invalid memory access (SIGSEGV; a trap in WebAssembly). */
#include "../guest.h"

int main(void)
{
#ifdef __wasm__
    /* Address 0 is ordinary memory there. */
    __builtin_trap();
#else
    volatile int *volatile nowhere = NULL;
    return *nowhere;
#endif
}
