/*
 * What a guest may do to us instead of what cofferdam-init does: takes its place in an initramfs.
 * HOSTILE says which: 0 never opens the agent's port, 1 opens it and says nothing, 2 ends (the
 * kernel panics), 3 floods the console, 4 writes noise to the port, 5 announces a frame of 4 GiB, 6
 * says it has started what nobody asked for, 7 turns the machine off, 8 floods the port with
 * greetings.
 */
#include "tests/tools/guest-port.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

static void say(int fd, uint32_t size, uint16_t type, uint16_t channel, const void *payload)
{
    struct {
        uint32_t size;
        uint16_t type, channel;
    } head = {size, type, channel};
    (void)!write(fd, &head, sizeof(head));
    if (payload)
        (void)!write(fd, payload, size);
}

int main(void)
{
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    int console = open("/dev/console", O_RDWR | O_CLOEXEC);
    if (HOSTILE == 0)
        for (;;)
            pause();
    if (HOSTILE == 2)
        return 1;
    while (HOSTILE == 3) {
        static char noise[4096];
        memset(noise, 'A', sizeof(noise));
        noise[sizeof(noise) - 1] = '\n';
        (void)!write(console, noise, sizeof(noise));
    }
    if (HOSTILE == 7)
        reboot(RB_POWER_OFF);
    load_modules();
    int port = open_port();
    const uint32_t hello[2] = {1, 0}, pid = 1;
    if (HOSTILE == 4) {
        static unsigned char noise[65536];
        for (size_t i = 0; i < sizeof(noise); i++)
            noise[i] = (unsigned char)(i * 2654435761u >> 13);
        (void)!write(port, noise, sizeof(noise));
    }
    if (HOSTILE == 5)
        say(port, 0xfffffff0u, 64, 0, NULL);
    if (HOSTILE == 6) {
        say(port, sizeof(hello), 64, 0, hello);
        say(port, sizeof(pid), 65, 7, &pid);
    }
    while (HOSTILE == 8)
        say(port, sizeof(hello), 64, 0, hello);
    for (;;)
        pause();
}
