/* What a file is, found out without running any of it: `open`'s first half. */
#ifndef COFFERDAM_APP_CLI_LOOK_H
#define COFFERDAM_APP_CLI_LOOK_H

#include "base/error.h"
#include "base/mem.h"

#include <sys/types.h>

enum look_kind {
    LOOK_EMPTY,
    LOOK_PROGRAM, /* ELF that can be executed */
    LOOK_LIBRARY, /* other ELF: a shared or relocatable object, a core dump */
    LOOK_APPIMAGE,
    LOOK_SCRIPT, /* begins with #! */
    LOOK_ARCHIVE,
    LOOK_PACKAGE,  /* .deb, .rpm: installing one runs its scripts as root */
    LOOK_WINDOWS,  /* PE */
    LOOK_DISK,     /* a machine's or a file system's image */
    LOOK_DOCUMENT, /* PDF, pictures: a viewer's input */
    LOOK_TEXT,
    LOOK_FOLDER,
    LOOK_DATA, /* nothing known */
};

struct look {
    enum look_kind kind;
    char *what;            /* owned; one line, ours: "ELF program, x86-64, 64 bit, dynamic, PIE" */
    const char *type;      /* static: "elf", "gzip", "deb", "zip", "py" …; NULL */
    char *loader;          /* owned, raw: the interpreter of #! or of an ELF program; NULL */
    char *loader_argument; /* owned, raw; of #! */
    bool other_machine;    /* code for a processor this machine does not have */
    uint64_t size;
    mode_t mode;
    char sha256[65];      /* empty: too big, see notes */
    char *url, *referrer; /* owned, raw: where a browser says it is from; NULL */
    bool marked;          /* a mark of the web is there, with or without an address */
    char *signature;      /* owned: the detached signature beside it; NULL */
    char **notes;         /* owned; what should give pause, ours and escaped */
};

/*
 * Looks at the file behind `path`; a link is followed, a FIFO or device is refused, nothing of it
 * is executed or trusted: every offset in it is checked. `*ret_fd`: the file, read-only, so that
 * what is run later is what was looked at; NULL: not wanted. -errno with text.
 */
int look_at(const char *path, struct look *ret, int *ret_fd, struct error *e);
void look_done(struct look *l);

const char *look_kind_name(enum look_kind k); /* "program", "archive" … */

/* For the tests and for look_at(): the kind by content alone, of an open file. */
void look_magic(int fd, const char *name, struct look *l);
/* ELF, told by its first bytes. look_elf.c */
void look_elf(int fd, struct look *l);

#endif
