/* story: Connects to an abstract Unix socket, across whatever walls there are. */
/* usage: abstract_connect NAME; exits 3 where it is refused */
#include "abstract_socket.h"

int main(int argc, char **argv)
{
    if (argc != 2)
        misused("abstract_connect NAME");
    struct sockaddr_un address;
    socklen_t length = abstract_address(&address, argv[1]);
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client < 0)
        return refused("socket");
    return outcome("connect", connect(client, (struct sockaddr *)&address, length) < 0 ? errno : 0);
}
