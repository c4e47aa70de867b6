/* What is in an archive, read by a child that can do nothing but read it. */
#ifndef COFFERDAM_APP_CLI_ARCHIVE_H
#define COFFERDAM_APP_CLI_ARCHIVE_H

#include "base/error.h"
#include "base/mem.h"

#include <sys/types.h>

/* Bits of archive_entry_note. */
enum {
    ARCHIVE_OUTSIDE = 1,      /* an absolute path, or one with ".." */
    ARCHIVE_LINK_OUTSIDE = 2, /* a link to such a path */
    ARCHIVE_SETID = 4,
    ARCHIVE_DEVICE = 8,
    ARCHIVE_PROGRAM = 16, /* an execute bit */
};

struct archive_name {
    char *path; /* owned, raw */
    char *link; /* owned, raw; NULL */
    mode_t mode;
    uint64_t size;
    unsigned notes; /* ARCHIVE_… */
};

struct archive_list {
    struct archive_name *list; /* owned; the first ones, in the archive's order */
    size_t count;
    uint64_t entries; /* all that were seen */
    uint64_t bytes;   /* unpacked, as the headers say */
    unsigned notes;   /* of all entries */
    bool cut;         /* a limit was met before the end */
    char *why;        /* owned, raw; what is wrong with it: damaged, unknown; NULL */
};

/*
 * Lists the archive in `fd` (read from its beginning; borrowed), keeping at most `keep` names, for
 * at most `timeout_ms`. The child has no files, no programs, no network, 1 GiB of memory;
 * libarchive runs only there. A damaged archive is no error: see `why`. -errno: the module is
 * missing, or the child could not be confined.
 */
int archive_list(int fd, size_t keep, unsigned timeout_ms, struct archive_list *ret,
                 struct error *e);
void archive_list_done(struct archive_list *l);

/* The notes one name deserves. */
unsigned archive_notes(const char *path, const char *link, mode_t mode);

#endif
