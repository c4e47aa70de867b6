/* The allow-list of system calls, by purpose. Data only: nothing here knows libseccomp. */
#ifndef COFFERDAM_BACKENDS_SECCOMP_SECCOMP_LIST_H
#define COFFERDAM_BACKENDS_SECCOMP_SECCOMP_LIST_H

#include "base/mem.h"

/* Calls that are allowed whatever their arguments. `names` are separated by blanks. */
struct seccomp_group {
    const char *purpose;
    const char *names;
    uint32_t open;         /* PLAN_OPEN_*: allowed only if one of them is open; and/or */
    uint64_t capabilities; /* … if one of these is kept. Both 0: always */
};
extern const struct seccomp_group seccomp_groups[];
extern const size_t seccomp_groups_count;

/* One comparison of an argument. */
enum seccomp_compare {
    SECCOMP_EQUAL,
    SECCOMP_OTHER,  /* anything but `value` */
    SECCOMP_MASKED, /* (argument & mask) == value */
};
struct seccomp_argument {
    enum seccomp_compare compare;
    unsigned index;
    uint64_t mask, value; /* mask: MASKED only */
};

/* Calls that are allowed only with certain arguments: any row that fits will do. */
struct seccomp_rule {
    const char *names;
    struct seccomp_argument arguments[3];
    unsigned arguments_count;
    uint32_t open;
    uint64_t capabilities; /* as in a group */
    int result;            /* 0: allowed; SECCOMP_PRETEND; or the errno to refuse with */
    bool unless;           /* the row counts where nothing of `open`, `capabilities` is given */
};
enum { SECCOMP_PRETEND = -1 /* does nothing and says it went well */ };
extern const struct seccomp_rule seccomp_rules[];
extern const size_t seccomp_rules_count;

/* Terminal requests that type for others or load code into the kernel; the low 32 bits count. */
extern const uint32_t seccomp_ioctls_refused[];
extern const size_t seccomp_ioctls_refused_count;

/* prctl(2) options that are allowed. */
extern const unsigned seccomp_prctls[];
extern const size_t seccomp_prctls_count;

/* Sub-calls of 32-bit x86's socketcall(2) that make sockets: of which family is in memory. */
extern const uint32_t seccomp_socketcalls_refused[];
extern const size_t seccomp_socketcalls_refused_count;

/* A hash of all of the above. */
uint64_t seccomp_list_hash(uint64_t start);

#endif
