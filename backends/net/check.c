/* Whether a private network can be had, before anything is made. */
#include "backends/net/translator.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <unistd.h>

int net_probe(const char **ret_mend, struct error *e)
{
    if (!net_program()) {
        *ret_mend = "apt install slirp4netns, dnf install slirp4netns, pacman -S slirp4netns";
        return error_set(e, ENOENT, "slirp4netns is not installed");
    }
    autoclose int tun = open(NET_TUN, O_RDWR | O_CLOEXEC);
    if (tun >= 0)
        return 0;
    int code = errno;
    *ret_mend = code == EACCES || code == EPERM
                    ? "as root: chmod 0666 " NET_TUN " (as systemd has it)"
                    : "as root: modprobe tun (" NET_TUN " is character device 10, 200)";
    return error_errno(e, code, "%s", NET_TUN);
}

int net_check(const struct plan *p, struct error *e)
{
    if (p->network != PLAN_NETWORK_PRIVATE)
        return 0;
    const uint64_t undoes = 1ull << CAP_NET_ADMIN | 1ull << CAP_NET_RAW | 1ull << CAP_SYS_ADMIN;
    if (!plan_is_machine(p) && p->capabilities & undoes) /* a guest's are its own kernel's */
        return error_set(
            e, ENOTSUP,
            "network.mode = private with isolation.capabilities = %s: it could undo what "
            "keeps the host's own addresses out of its reach; mend: leave that out, or "
            "--network none",
            p->capabilities & 1ull << CAP_NET_ADMIN ? "net-admin"
            : p->capabilities & 1ull << CAP_NET_RAW ? "net-raw"
                                                    : "sys-admin");
    const char *mend = "";
    struct error why;
    int r = net_probe(&mend, &why);
    return r < 0 ? error_set(e, ENOTSUP, "network.mode = private: %s; mend: %s", why.text, mend)
                 : 0;
}
