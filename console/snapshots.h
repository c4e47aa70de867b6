/*
 * Snapshots on disk: in a place of their own, so that they outlive the workloads they were taken
 * of.
 *
 * $state/snapshots/ID/        0700, the owner's
 *     snapshot   JSON, struct snapshot_record: written last; what has none is no snapshot
 *     plan       JSON, the plan of the workload it was taken of
 *     files/     what the runtime has put there: plan.snapshot_path of what starts from it. native:
 * a scratch folder as backends/changes.h lays it out. Never written again lock       held for
 * writing by who makes or removes it, for reading by who starts from it $state/snapshots/.half-ID/
 * one in the making or in the taking apart
 */
#ifndef COFFERDAM_CONSOLE_SNAPSHOTS_H
#define COFFERDAM_CONSOLE_SNAPSHOTS_H

#include "backends/launch.h"
#include "base/dirs.h"
#include "base/error.h"
#include "base/mem.h"

struct snapshot_record {
    char *id, *name;                /* owned; 12 hex digits; as a workload's */
    char *workload, *workload_name; /* owned; it was taken of */
    char *parent;                   /* owned or NULL: the id of the snapshot
                                       that workload had been started from */
    char *profile, *boundary, *runtime, *image, *command; /* owned; the workload's */
    char **labels;                                        /* owned; the workload's */
    char *reason;                                         /* owned or NULL: why it cannot be used */
    unsigned kind;      /* LAUNCH_SNAPSHOT_FILES or LAUNCH_SNAPSHOT_MEMORY */
    int64_t created_ms; /* CLOCK_REALTIME */
    uint64_t bytes;     /* on disk, all of it */
};
void snapshot_record_done(struct snapshot_record *r);
const char *snapshot_kind_name(unsigned kind); /* "files", "files and memory" */

/* Everything there is, newest first; a broken one appears with its `reason`. */
int snapshots_list(const struct dirs *d, struct snapshot_record **ret, size_t *ret_count,
                   struct error *e);
void snapshots_list_free(struct snapshot_record *list, size_t count);

/* By id, name, or unambiguous prefix of either. -ENOENT with the nearest; -EEXIST: several match.
 */
int snapshots_find(const struct dirs *d, const char *word, struct snapshot_record *ret,
                   struct error *e);

char *snapshots_files_path(const struct dirs *d, const char *id); /* …/files; owned by the caller */
/* The plan's JSON; owned by the caller. */
int snapshots_read_plan(const struct dirs *d, const char *id, char **ret, size_t *ret_size,
                        struct error *e);

/* Keeps it from being removed until the descriptor is closed. The caller's, or -errno with text. */
int snapshots_hold(const struct dirs *d, const char *id, struct error *e);

/* Making one. */
struct snapshot_writer;
int snapshot_writer_open(const struct dirs *d, const char *id, struct snapshot_writer **ret,
                         struct error *e); /* the hidden folder, its lock, an empty files/ */
int snapshot_writer_dir(const struct snapshot_writer *w);    /* the folder, borrowed */
int snapshot_writer_files(const struct snapshot_writer *w);  /* files/, borrowed */
char *snapshot_writer_path(const struct snapshot_writer *w); /* files/ as a path, for now; owned by
                                                                the caller */
int snapshot_writer_plan(struct snapshot_writer *w, const char *json, size_t size,
                         struct error *e); /* before anything is put into files/ */
/* A folder that is moved there whole, and becomes files/. */
int snapshot_writer_move(struct snapshot_writer *w, int from, const char *name, struct error *e);
/* Writes the record, syncs, and shows it to everybody under its id. */
int snapshot_writer_publish(struct snapshot_writer *w, const struct snapshot_record *r,
                            struct error *e);

/*
 * Empties `files` in a snapshot's folder where its owner alone cannot (other ids of a range have
 * files in it). 0 or -errno with text.
 */
typedef int snapshot_clear_fn(int folder, struct error *e);

/* One that was not published is removed, with what is in it. NULL is fine; `clear` may be NULL. */
void snapshot_writer_free(struct snapshot_writer *w, snapshot_clear_fn *clear);

/* -EBUSY: something is just being started from it. Whether it has children is the caller's to ask.
 */
int snapshots_remove(const struct dirs *d, const char *id, snapshot_clear_fn *clear,
                     struct error *e);

/* Half ones whose maker is gone. Returns how many there are; they are removed unless `dry`. */
unsigned snapshots_sweep(const struct dirs *d, snapshot_clear_fn *clear, bool dry);

#endif
