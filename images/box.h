/*
 * A process that handles a stranger's bytes: in a user namespace of its own, with no network, no
 * program to start, one folder or none, bounded memory, and a system call filter.
 */
#ifndef COFFERDAM_IMAGES_BOX_H
#define COFFERDAM_IMAGES_BOX_H

#include "base/error.h"
#include "base/mem.h"
#include "images/layer.h"
#include "images/owner.h"

#include <sys/types.h>

/* What comes back: the word of a process that may have been taken over, so nothing leans on it. */
struct box_report {
    struct error error;
    struct layer_counts counts;
};

struct box_wish {
    struct image_owner owner;
    int root;        /* becomes "/", whoever is root inside owns it; FD_NONE: no file at all */
    const int *keep; /* descriptors, borrowed; all others are closed */
    unsigned keep_count;
    /* Folders among `keep` that may be read and nothing else: then "/" may not be written either.
     */
    const int *read; /* borrowed */
    unsigned read_count;
    uint64_t memory;     /* bytes of data */
    uint64_t file_bytes; /* of one file at most */
    /* Runs inside: 0 or -errno with report->error. */
    int (*run)(void *data, struct box_report *report);
    void *data;
};

struct box {
    pid_t pid;   /* 0: none */
    int control; /* owned */
};

/* Forks and confines; returns when run() is about to begin. Call from single-threaded programs. */
int box_start(const struct box_wish *w, struct box *ret, struct error *e);

/* Waits for its end. 0, or its error; a killed one is -ECANCELED. `*ret` (or NULL) on success. */
int box_finish(struct box *b, struct box_report *ret, struct error *e);
void box_kill(struct box *b); /* and wait; idempotent */

/* The words on the control socket. */
enum { BOX_WANTS_IDS = 'u', BOX_GO = 'g', BOX_READY = 'r', BOX_REPORT = 'x' };

/* box_inside.c: what the child does to itself, in this order. */
int box_enter(const struct box_wish *w, int control, struct error *e);
int box_close_all(const struct box_wish *w, int control);
int box_filter(bool files); /* the system calls; 0 or -errno */

#endif
