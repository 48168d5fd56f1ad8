/* story: Talks to itself over TCP on 127.0.0.1. */
/* usage: tcp_self; exits 3 where a step is refused */
#include "../guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    struct sockaddr *any = (struct sockaddr *)&address;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server < 0 || client < 0)
        return refused("socket");
    if (bind(server, any, length) < 0)
        return refused("bind");
    if (listen(server, 1) < 0 || getsockname(server, any, &length) < 0)
        return refused("listen");
    if (connect(client, any, length) < 0)
        return refused("connect");
    return outcome("tcp", accept(server, NULL, NULL) < 0 ? errno : 0);
}
