/*
 * network.mode = private: a tap device in the workload's own network namespace, and a program of
 * this host's (slirp4netns(1)) that translates what leaves through it into connections of the
 * person's. What lies behind is reached from inside alone. The host's own addresses and those of a
 * cloud's metadata (the link-local ones, and a few others) are made the workload's own loopback's,
 * in front of the kernel's routes and of gVisor's alike; for who names the device to leave by,
 * these and loopback's are neighbours that nobody answers for; and the device sends to nobody but
 * the translator, to no group. That holds for whoever has no right over the network: gVisor itself
 * has one. IPv4 only.
 */
#ifndef COFFERDAM_BACKENDS_NET_TRANSLATOR_H
#define COFFERDAM_BACKENDS_NET_TRANSLATOR_H

#include "app/plan/plan.h"
#include "base/error.h"
#include "base/mem.h"

#include <sys/types.h>
#include <unistd.h>

#define NET_TUN "/dev/net/tun"
#define NET_TAP "tap0"
/* The translator's most. */
#define NET_MTU 65520
#define NET_MTU_TEXT "65520"

/* One run's. All zero but for the descriptors: see net_translator_init(). */
struct net_translator {
    bool guest; /* set before it begins: a guest's card has a device of its own (guest.h) */
    pid_t pid;  /* 0: none */
    int pidfd;  /* owned */
    int leave;  /* owned; closed, as by our own end, it ends */
    int ready;  /* owned; readable when the network stands */
    int said;   /* owned; what it complains of */
    int counts; /* owned; /proc/PID/net/dev of the namespace */
};

/*
 * What a plan with such a network may not have, and whether this host can give it one: -ENOTSUP, or
 * what is missing and the mend. 0 for every other network.
 */
int net_check(const struct plan *p, struct error *e);
/* Where the program is; NULL: nowhere. errno says why. */
static inline const char *net_program(void)
{
    static const char *const places[] = {"/usr/bin/slirp4netns", "/usr/local/bin/slirp4netns"};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}
/* The second half alone, for `doctor`. `*ret_mend` is static. */
int net_probe(const char **ret_mend, struct error *e);

void net_translator_init(struct net_translator *t);
/*
 * Begins to make it, where the plan wants one: `inside` is in its user and network namespace, does
 * not run the workload yet, and may be looked at. From outside, before anything is given up.
 */
int net_translator_start(struct net_translator *t, const struct plan *p, pid_t inside,
                         struct error *e);
/* Waits until it stands, no longer than ten seconds. To be called before the command starts. */
int net_translator_wait(struct net_translator *t, struct error *e);
/* Bytes that came in and went out; UINT64_MAX without a translator. */
void net_translator_sample(const struct net_translator *t, uint64_t *ret_in, uint64_t *ret_out);
/* Ends it and waits for it; nothing is fine. */
void net_translator_end(struct net_translator *t);

/* Of /proc/PID/net/dev: the line of `name`. -ENODATA: it has none. */
int net_read_counts(const char *text, const char *name, uint64_t *ret_in, uint64_t *ret_out);

#endif
