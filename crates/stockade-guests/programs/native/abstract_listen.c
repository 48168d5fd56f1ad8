/* story: Listens on an abstract Unix socket, a name no file system guards. */
/* usage: abstract_listen NAME [MILLISECONDS=0]; prints "listening", sleeps; exits 3 on refusal */
#include "abstract_socket.h"

int main(int argc, char **argv)
{
    if (argc < 2)
        misused("abstract_listen NAME [MILLISECONDS]");
    struct sockaddr_un address;
    socklen_t length = abstract_address(&address, argv[1]);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server < 0)
        return refused("socket");
    if (bind(server, (struct sockaddr *)&address, length) < 0)
        return refused("bind");
    if (listen(server, 8) < 0)
        return refused("listen");
    puts("listening");
    fflush(stdout);
    sleep_ms(number(argc, argv, 2, 0));
    return DONE;
}
