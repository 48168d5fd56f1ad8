/* story: Opens a socket of one family, of whichever type the family has. */
/* usage: socket_family FAMILY, a number; exits 3 where every type is refused */
#include "../guest.h"
#include <sys/socket.h>

static int lacks_the_type(int error)
{
    return error == ESOCKTNOSUPPORT || error == EPROTONOSUPPORT || error == EPROTOTYPE;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        misused("socket_family FAMILY");
    int family = (int)number(argc, argv, 1, 0);
    const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET};
    int error = 0;
    for (size_t index = 0; index < sizeof types / sizeof *types; index++) {
        if (socket(family, types[index], 0) >= 0)
            return outcome("socket", 0);
        if (index == 0 || lacks_the_type(error))
            error = errno;
    }
    return outcome("socket", error);
}
