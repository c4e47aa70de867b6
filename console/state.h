/*
 * The state directory: one folder a workload, written by its monitor alone, read by everybody. Files are
 * hints; the lock and the socket are the truth.
 *
 * $runtime/ID/   lock      held (an open file description lock, fcntl(2)) by the monitor for its life. Its
 *                          lines: the first state; then the journal, what was made outside our folders,
 *                          "KIND<tab>WHAT" each, before it was made
 *                socket    the wire
 *                state     JSON, struct state_record; missing until it is another than the first
 *                plan      JSON, the plan
 * $runtime/.half-ID        a folder in the making or in the taking apart
 * $runtime/.name-NAME      a hard link to the lock of who has this name among the living
 * $state/workloads/ID/     for kept workloads: plan, state, report, log, record, scratch/
 */
#ifndef COFFERDAM_CONSOLE_STATE_H
#define COFFERDAM_CONSOLE_STATE_H

#include "base/dirs.h"
#include "base/error.h"
#include "base/mem.h"

#include <sys/types.h>

enum state_phase {
    STATE_STARTING,
    STATE_RUNNING,
    STATE_PAUSED,
    STATE_STOPPING,
    STATE_RESTARTING, /* between two runs */
    STATE_EXITED, /* ended, kept */
    STATE_LOST,   /* its monitor is gone without a word: only prune or rm is left */
};
const char *state_phase_name(enum state_phase p);

struct state_record {
    char *id, *name, *profile, *boundary, *runtime, *image, *command; /* owned; command escaped */
    char *snapshot;     /* owned or NULL: the id of the snapshot it was started from */
    char *accel;        /* owned or NULL: as launch_wishes has it */
    char **labels;      /* owned */
    char **phases;      /* owned; of the start: "NAME=MICROSECONDS" */
    char **limits;      /* owned; changed since the start: "memory=BYTES", "pids=100", "cpus=1.5" */
    char **events;      /* owned; the newest of what happened: "CLOCK_REALTIME-MS WORDS" */
    enum state_phase phase;
    int64_t created_ms, started_ms, ended_ms; /* CLOCK_REALTIME, 0: not yet */
    pid_t monitor_pid, pid;                   /* 0: none */
    bool terminal;
    bool kept;
    int status;    /* as the shell counts; valid when ended */
    char *reason;  /* owned or NULL: "time limit", "out of memory", "monitor was killed" */
    unsigned restarts;
    unsigned viewers; /* clients attached now; live only */
};
void state_record_done(struct state_record *r);
/* The boundary for lists: an emulated machine, which is none, says so. Owned by the caller. */
char *state_boundary_text(const struct state_record *r);
static inline bool state_phase_lives(enum state_phase p)
{
    return p < STATE_EXITED;
}

/*
 * Everything there is, newest first. A record whose lock is free though it says it lives is LOST.
 * One broken folder never empties the list: it appears with `reason` saying what is wrong.
 */
int state_list(const struct dirs *d, struct state_record **ret, size_t *ret_count, struct error *e);
void state_list_free(struct state_record *list, size_t count);

/* By id, name, or unambiguous prefix of either. -ENOENT with the nearest; -EEXIST: several match. */
int state_find(const struct dirs *d, const char *word, struct state_record *ret, struct error *e);

/* An id that nobody has: 12 hexadecimal digits by chance, and NUL. */
int state_new_id(char to[13], struct error *e);
/* $runtime/ID/socket. Owned by the caller. */
char *state_socket_path(const struct dirs *d, const char *id);
/* The plan's JSON, from whichever folder has it. */
int state_read_plan(const struct dirs *d, const char *id, char **ret, size_t *ret_size,
                    struct error *e);

/* One text of that plan, owned by the caller; NULL: there is none. */
char *state_plan_text(const struct dirs *d, const char *id, const char *member);

/*
 * A guest's own word on its memory (bytes) and load (thousandths): "120 MiB of 184 MiB free, load
 * 0.12". Owned by the caller; NULL: it has said nothing (UINT64_MAX).
 */
char *state_said(uint64_t memory, uint64_t available, uint64_t load);

/* For the monitor. */
struct state_writer;
int state_writer_open(const struct dirs *d, const char *id, bool kept, struct state_writer **ret,
                      struct error *e); /* makes the folders, takes the lock */
int state_writer_dir(const struct state_writer *w);       /* $runtime/ID, borrowed */
int state_writer_kept_dir(const struct state_writer *w);  /* FD_NONE if not kept */
/* Writes `state`, here and in the kept folder. The first time it claims the name: -EEXIST. */
int state_writer_put(struct state_writer *w, const struct state_record *r, struct error *e);
/* Until this the folder is hidden (.half-ID). Afterwards everybody finds it. */
int state_writer_publish(struct state_writer *w, struct error *e);
/* A whole file in the runtime folder, and in the kept one. */
int state_writer_file(struct state_writer *w, const char *name, const void *data, size_t size,
                      struct error *e);
void state_writer_keep(struct state_writer *w, bool kept); /* what remove() shall do */
int state_writer_sync(struct state_writer *w); /* the kept folder to the disk */
int state_writer_journal(struct state_writer *w, const char *kind, const char *what,
                         struct error *e);
int state_writer_remove(struct state_writer *w); /* the runtime folder, and the kept one unless kept */
void state_writer_free(struct state_writer *w);

/*
 * Cleans up after a monitor that is gone: replays the journal through launch_undo(), removes the
 * folders. Refuses (-EBUSY) while the lock is held.
 */
int state_clean(const struct dirs *d, const char *id, struct error *e);

/* Removes remains that are no workload's: half-made folders, names of the dead. Returns how many. */
unsigned state_sweep(const struct dirs *d);

#endif
