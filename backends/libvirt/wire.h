/*
 * Between the monitor and cofferdam-domain, the program that knows libvirt: one packet socket
 * (SOCK_SEQPACKET), the same struct both ways. Both are ours and of one build: no version.
 */
#ifndef COFFERDAM_BACKENDS_LIBVIRT_WIRE_H
#define COFFERDAM_BACKENDS_LIBVIRT_WIRE_H

#include "backends/launch.h"

/* The descriptors cofferdam-domain is born with. */
enum { DOMAIN_FD_CONTROL = 3, DOMAIN_FD_PLAN = 4 };
enum { DOMAIN_FDS_MAX = 3 }; /* of one message */

enum domain_word {
    /* from the monitor */
    DOMAIN_SHUTDOWN = 1, /* asks the guest (ACPI, agent) */
    DOMAIN_RESET,
    DOMAIN_DESTROY,
    DOMAIN_PAUSE,    /* value: 1, 0; answered by DOMAIN_PAUSED */
    DOMAIN_SAMPLE,   /* answered by DOMAIN_SAMPLED */
    DOMAIN_SNAPSHOT, /* number: the request, value: the kind; a path behind */
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
