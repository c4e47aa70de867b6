/*
 * Between the monitor and cofferdam-domain, the program that knows libvirt: one packet socket
 * (SOCK_SEQPACKET), the same struct both ways. Both are ours and of one build: no version.
 */
#ifndef COFFERDAM_BACKENDS_LIBVIRT_WIRE_H
#define COFFERDAM_BACKENDS_LIBVIRT_WIRE_H

#include "backends/launch.h"

/* The descriptors cofferdam-domain is born with. */
enum {
    DOMAIN_FD_CONTROL = 3,
    DOMAIN_FD_PLAN = 4,
    DOMAIN_FD_AGENT = 5, /* where a guest of ours is on another host: its agent's channel */
};
enum { DOMAIN_FDS_MAX = 3 }; /* of one message */

/* What is said of a machine whose libvirt hangs; %s: where. */
#define DOMAIN_LEFT_BEHIND "libvirt does not answer; what it made may still be there: %s"
#define DOMAIN_GIVEN_UP                                                                            \
    "its host does not answer, and it may go on there: when it answers, cofferdam prune removes it"

enum domain_word {
    /* from the monitor */
    DOMAIN_SHUTDOWN = 1, /* asks the guest (ACPI, agent) */
    DOMAIN_RESET,
    DOMAIN_DESTROY,
    DOMAIN_PAUSE,    /* value: 1, 0; answered by DOMAIN_PAUSED */
    DOMAIN_SAMPLE,   /* answered by DOMAIN_SAMPLED */
    DOMAIN_SNAPSHOT, /* number: the request, value: the kind; a path behind */
    DOMAIN_EXEC,     /* number: the console; descriptors: what is wanted (JSON: path, arg, env),
                        where its output and its errors go. Answered by DOMAIN_EXECED */
    /* to the monitor */
    DOMAIN_STARTED = 64, /* value: the pid; descriptors: the console's socket, of a guest of
                             ours the agent's too, maybe a pidfd */
    DOMAIN_FAILED,       /* error */
    DOMAIN_PAUSED,       /* error.code 0: well */
    DOMAIN_SAMPLED,
    DOMAIN_SNAPPED, /* number, error */
    DOMAIN_FROZEN,  /* value: 1, 0; whoever did it */
    DOMAIN_ENDED,   /* value: status as the shell's; error.text: why, empty: an ordinary end */
    DOMAIN_CLEANED, /* error.code 0: nothing is left of it */
    DOMAIN_EXECED, /* number, error; no error: DOMAIN_EXITED follows, or this again with an error:
                      nobody will know its end */
    DOMAIN_EXITED, /* number, value: status as the shell's; all it has said is written by then */
    DOMAIN_NOTE,    /* error.text: for the report, "libvirtd went away" */
};

struct domain_message {
    uint32_t word, number;
    int32_t value;
    struct launch_sample sample;
    struct error error;
    char path[512]; /* NUL-terminated */
};

#endif
