/* The table of the module cofferdam-seccomp, the only part of the program that knows libseccomp. */
#ifndef COFFERDAM_BACKENDS_SECCOMP_SECCOMP_MODULE_H
#define COFFERDAM_BACKENDS_SECCOMP_SECCOMP_MODULE_H

#include "backends/seccomp/seccomp_cache.h"
#include "base/str.h"

#define SECCOMP_MODULE_NAME "seccomp"
#define SECCOMP_MODULE_TABLE "seccomp_module"

struct seccomp_module {
    unsigned version;    /* SECCOMP_FILE_VERSION */
    const char *library; /* the libseccomp it was made with */

    /*
     * Compiles the list for the machine's architectures, with what `w` opens. `notes` gets a text
     * for people: architectures, and the names the library does not know.
     */
    int (*compile)(const struct seccomp_wish *w, struct seccomp_program *ret, struct buf *notes,
                   struct error *e);

    /* What this machine calls that number; owned by the caller. NULL: it has none. */
    char *(*name)(int number);
};

#endif
