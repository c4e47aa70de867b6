/*
 * What the monitor knows of a backend: how to start a workload from its plan, and what can be done to it
 * while it lives. The plan is opaque here. One const table per backend; the monitor's main() picks it.
 */
#ifndef COFFERDAM_BACKENDS_LAUNCH_H
#define COFFERDAM_BACKENDS_LAUNCH_H

#include "base/error.h"
#include "base/mem.h"

#include <sys/types.h>

struct launch; /* a backend's own */

/* What the monitor itself has to see to. Borrowed from the launch, constant for its life. */
struct launch_wishes {
    const char *id, *name, *profile, *boundary, *runtime, *image, *command;
    const char *accel; /* of a machine: "kvm", or "tcg", which is no boundary; else NULL */
    char *const *labels;
    bool no_network; /* nothing can go in or out */
    bool terminal;
    uint32_t scrollback; /* lines */
    bool record;
    uint64_t time_limit_ms, idle_limit_ms; /* 0: none */
    int stop_signal;
    uint64_t stop_grace_ms;
    const char *snapshot;  /* the id of the one it starts from: plan.snapshot; NULL: from nothing */
    bool snapshot_on_exit; /* its changes() folder becomes one at the end; never with a tmpfs */
    bool while_watched;    /* it ends when nobody looks at main any more */
    enum { LAUNCH_KEEP_NEVER, LAUNCH_KEEP_ON_FAILURE, LAUNCH_KEEP_ALWAYS } keep;
    enum { LAUNCH_RESTART_NO, LAUNCH_RESTART_ON_FAILURE, LAUNCH_RESTART_ALWAYS } restart;
    unsigned restart_most; /* 0: no end */
};

/*
 * A first process of the boundary, made before its plan is known (launch_ops.foresee): it has done
 * what hangs on no plan, waits, and dies with its parent. Zero: there is none.
 */
struct launch_ahead {
    pid_t pid;      /* 0: none */
    int pidfd;      /* owned */
    int control;    /* owned; takes the plan and the filter by launch_ahead_tell() */
    uint32_t shape; /* what it was made for */
};

/* Descriptors the monitor was born with; borrowed, FD_NONE if absent. */
/* What the names of files end with that are written down as "file". */
#define LAUNCH_FILE_ENDING ".brief"

struct launch_env {
    struct launch_ahead *ahead; /* has been told; taken by start() if it fits; NULL: none */
    int filter;              /* the workload's compiled seccomp filter, a sealed or read-only file */
    int init;                /* cofferdam-init, opened O_PATH from the fixed place */
    int runtime_dir;         /* $XDG_RUNTIME_DIR/cofferdam/ID */
    int state_dir;           /* .../workloads/ID; FD_NONE for a workload that is not kept */
    const char *system_runtime_dir; /* id range locks live here: one folder for the whole machine */
    uint16_t rows, cols;     /* of the first terminal */
    /*
     * Writes down, durably enough to survive our own kill -9, what is about to be made outside our
     * folders, before it is made: kind is "cgroup", "scope", "ids", "mount", "domain", "file"
     * (LAUNCH_FILE_ENDING); what is its path or name.
     */
    int (*journal)(void *data, const char *kind, const char *what, struct error *e);
    void *journal_data;
    /*
     * For start() to call once, when all that is left of it is to listen: the monitor then locks
     * itself in while the workload is being made, so what start() does afterwards, and clean(), must
     * need no more than the calls below. changes() and reach() have their answers by then.
     */
    void (*settled)(void *data);
    void *settled_data;
};

/* A console's ends on our side; owned by the receiver. */
struct launch_streams {
    int terminal;     /* pty master, or FD_NONE */
    int in, out, err; /* pipes when there is no terminal, else FD_NONE */
};

/* One running picture, from the kernel. Unknown numbers are UINT64_MAX. */
struct launch_sample {
    uint64_t cpu_us;            /* processor time used so far, all processes */
    uint64_t memory, memory_peak; /* bytes */
    uint64_t pids;
    uint64_t io_read, io_write; /* bytes */
    uint64_t oom_kills;
    uint64_t pressure_memory_us, pressure_cpu_us, pressure_io_us; /* PSI "some" totals */
    /*
     * Bytes that came into and left its network, whatever its own interfaces say of one another. Unknown
     * where it shares the host's; 0, without being counted, where it has none (launch_wishes).
     */
    uint64_t network_in, network_out;
    uint64_t guest_read, guest_write; /* bytes of a guest's disks, as its machine counts them */
    uint64_t guest_in, guest_out;     /* bytes of a guest's network interfaces, likewise */
    /* what a guest's agent says of itself, kept to what its machine has: nobody can check it */
    uint64_t says_memory, says_available; /* bytes */
    uint64_t says_load[3];                /* of 1, 5 and 15 minutes; thousandths */
    uint64_t says_tasks, says_oom_kills;
    uint64_t says_scratch, says_scratch_free; /* bytes; where the changes go */
};

/* A point on the way of a start. */
struct launch_phase {
    const char *name; /* static: "jail", "kernel" */
    uint64_t us;      /* since start() was called */
};

/* A further command inside a running workload. Strings are borrowed. */
struct launch_exec {
    char *const *argv;
    char *const *env; /* added to the workload's own */
    const char *cwd;  /* NULL: the workload's */
    const char *user; /* NULL: the workload's; "UID[:GID]" or a name of its /etc/passwd */
    bool terminal;
    uint16_t rows, cols;
};

/* What a snapshot can hold; bits. */
enum {
    LAUNCH_SNAPSHOT_FILES = 1,  /* the changes on the file system */
    LAUNCH_SNAPSHOT_MEMORY = 2, /* the same, and the memory: what is restored goes on where it was */
};

/* Limits to be changed while it runs; those that are named in `which` count. */
enum {
    LAUNCH_LIMIT_MEMORY = 1,
    LAUNCH_LIMIT_PIDS = 2,
    LAUNCH_LIMIT_CPUS = 4,
    LAUNCH_LIMIT_IO_WEIGHT = 8,
    LAUNCH_LIMIT_ALL = 15,
};
struct launch_limits {
    uint32_t which;     /* LAUNCH_LIMIT_… */
    uint32_t cpu_milli; /* thousandths of a processor */
    uint64_t memory;    /* bytes */
    uint64_t pids;
    uint32_t io_weight; /* 1 to 10000 */
    uint32_t zero;
};

/* One to be taken of a running workload. */
struct launch_snapshot {
    unsigned kind;    /* one of LAUNCH_SNAPSHOT_… */
    const char *path; /* borrowed; the folder to fill, absolute: empty, 0700, the caller's own */
    int dir;          /* the same, open for reading; owned by the receiver from the call on. A
                         confined process cannot make files in it: hand it on, or let a helper that
                         is not confined use `path` */
};

/*
 * What comes back, from dispatch(). Console 0 is `main`; others have the number exec() was given.
 * `status` as the shell's: 0 to 255, 128 + n for a signal.
 */
struct launch_events {
    void (*started)(void *data, uint32_t console, pid_t pid_inside, struct launch_streams *streams);
    /* code: errno; 126/127 of the shell follow from EACCES/ENOENT */
    void (*failed)(void *data, uint32_t console, const struct error *e);
    void (*exited)(void *data, uint32_t console, int status);
    void (*copy_done)(void *data, uint32_t transfer, const struct error *e); /* e NULL: well */
    /* the whole boundary is gone: PID 1 has ended, or the agent's channel broke */
    void (*ended)(void *data, int status, const char *why); /* why NULL: an ordinary end */
    /* another program has paused it, or let it go on; may be NULL */
    void (*frozen)(void *data, bool frozen);
    /* for its list of events, and no more than that: "its watchdog fired"; may be NULL */
    void (*happened)(void *data, const char *what);
    /* `request` as snapshot() was given; e NULL: the folder is whole and the workload goes on */
    void (*snapshot_done)(void *data, uint32_t request, const struct error *e);
    /* `request` as ask_changes() was given; `json` is borrowed, as changes_to_json() has it, or e */
    void (*changes_told)(void *data, uint32_t request, const char *json, const struct error *e);
    /* A guest's kernel has printed this: no more than LAUNCH_PRINTED_MAX bytes. may be NULL */
    void (*printed)(void *data, const char *bytes, size_t size);
    /* Main has exited: whether anybody will want to know what it changed. may be NULL: nobody */
    bool (*report_due)(void *data);
};

enum { LAUNCH_PRINTED_MAX = 64 * 1024 };

/* What start() may return: it goes on in dispatch(). */
enum { LAUNCH_UNDER_WAY = 1 };

/*
 * A folder the calls below still need once the monitor has locked itself in (Landlock), by what is
 * done in it. Descriptors that are already open stay usable without being named here.
 */
enum { LAUNCH_REACH_READ = 1, LAUNCH_REACH_WRITE = 2, LAUNCH_REACH_REMOVE = 4 };
struct launch_reach {
    int fd; /* borrowed; a directory, O_PATH is fine */
    unsigned how; /* LAUNCH_REACH_… */
};

struct launch_ops {
    const char *name;
    const char *init; /* the program launch_env.init is; NULL: cofferdam-init, which cannot be read */

    /*
     * Makes what takes long and hangs on little of the plan while that is still being written:
     * `shape` says what its writer expects (plan_foresee()); an expectation that fails costs time,
     * nothing else. Without PLAN_NS_PID a group of v2 is expected too, into which PID 1 has to be
     * born. What could not be made is left to start(). `init` as in launch_env. optional
     */
    void (*foresee)(uint32_t shape, int init, struct launch_ahead *ret);

    /* Reads the plan; nothing is made. mandatory */
    int (*open)(const char *plan, size_t size, const struct launch_env *env, struct launch **ret,
                struct error *e);
    const struct launch_wishes *(*wishes)(const struct launch *l); /* mandatory */

    /*
     * Makes the boundary and starts the command, from plan.snapshot where that is set (a kind that
     * was not written by this runtime is refused: -ENOTSUP); all or nothing. `*ret_streams` is main's, of which
     * the monitor becomes owner. Returns when the command has been exec()ed or has failed to
     * (-ENOENT → 127, -EACCES/-ENOEXEC → 126; anything else → 125). What takes long (a guest that
     * boots) may return LAUNCH_UNDER_WAY instead, with something to watch(): dispatch() then tells
     * started() or failed() of console 0, exactly once, and nothing is left of what has failed but
     * what clean() removes; kill() ends it before. mandatory
     */
    int (*start)(struct launch *l, struct launch_streams *ret_streams, struct error *e);

    /* Descriptors to watch for reading; dispatch() when any is ready. At most 4. mandatory */
    size_t (*watch)(const struct launch *l, int fds[4]);
    void (*dispatch)(struct launch *l, const struct launch_events *events, void *data);

    pid_t (*pid)(const struct launch *l); /* of PID 1 or the VMM, as the host sees it. mandatory */

    int (*exec)(struct launch *l, uint32_t console, const struct launch_exec *x, struct error *e);
    int (*signal)(struct launch *l, uint32_t console, int signo, struct error *e); /* mandatory */
    int (*resize)(struct launch *l, uint32_t console, uint16_t rows, uint16_t cols); /* optional: TIOCSWINSZ does */

    /*
     * Copies between a descriptor carrying records (base/records.h) and a path inside; copy_done() tells. `fd` is taken over.
     */
    int (*copy_in)(struct launch *l, uint32_t transfer, const char *path, int fd, struct error *e);
    int (*copy_out)(struct launch *l, uint32_t transfer, const char *path, int fd, struct error *e);

    int (*freeze)(struct launch *l, bool frozen, struct error *e); /* optional */
    int (*sample)(struct launch *l, struct launch_sample *ret);    /* -ENODATA: nothing known */
    int (*kill)(struct launch *l, struct error *e); /* everything inside, at once. mandatory */

    /*
     * Changes limits of what runs, all that are named or none of them: -EOPNOTSUPP where nothing
     * here enforces one, -EBUSY where it uses more than that now; the text names the limit. What was not
     * named, swap too, stays. A restart has the plan's again. optional
     */
    int (*update)(struct launch *l, const struct launch_limits *x, struct error *e);

    /*
     * The folder holding the changes (an O_PATH or O_RDONLY directory descriptor, borrowed), laid out as
     * backends/changes.h says; FD_NONE: none. Stays readable after the end, until free(). optional
     */
    int (*changes)(const struct launch *l);

    /*
     * Where there is no such folder: asks inside; changes_told() answers, exactly once unless it ends
     * before. told_changes() is the last such list, for the report: borrowed; NULL: none. optional
     */
    int (*ask_changes)(struct launch *l, uint32_t request, struct error *e);
    const char *(*told_changes)(const struct launch *l);

    /*
     * The kinds of snapshot that can be taken of it now, LAUNCH_SNAPSHOT_…; what each would take on
     * disk, in bytes, into `ret_cost[0]` (files) and `ret_cost[1]` (memory): an estimate for people
     * from above, UINT64_MAX: unknown. optional: none can
     */
    unsigned (*snapshots)(const struct launch *l, uint64_t ret_cost[2]);

    /*
     * Begins to take one; events.snapshot_done() tells, exactly once. All or nothing for the folder's
     * content being declared whole; who asked removes a half one. The workload is as running (or as
     * paused) afterwards as before, whether it worked or not. What start() needs to come back from it
     * is in the folder: plan.snapshot_path leads there then. Clones share the folder: start() never
     * writes in it. NULL with LAUNCH_SNAPSHOT_FILES: the monitor freezes the workload, and who asked
     * copies the changes() folder (app/cli/snapshot_take.h). optional
     */
    int (*snapshot)(struct launch *l, uint32_t request, const struct launch_snapshot *s,
                    struct error *e);

    /* How the start went, in order; fills in at most `most`, returns how many. optional */
    size_t (*phases)(const struct launch *l, struct launch_phase *ret, size_t most);

    /*
     * The system calls it was refused by its list, where that is counted: by number, how often each, into
     * `*ret` (borrowed). Returns one more than the greatest number; 0: nobody counts. optional
     */
    size_t (*refused)(const struct launch *l, const uint32_t **ret);

    /* What could not be limited or watched, for the report; NULL-terminated, borrowed. optional */
    char *const *(*shortfalls)(const struct launch *l);

    /*
     * After start(): fills in at most `most`, returns how many. The changes() folder and our own
     * folders need not be named; `*ret_proc`: /proc is read (samples without a cgroup). optional
     */
    size_t (*reach)(const struct launch *l, struct launch_reach *ret, size_t most, bool *ret_proc);

    /* Removes what was made outside our folders (cgroups, id ranges). After the end. mandatory */
    int (*clean)(struct launch *l, struct error *e);
    void (*free)(struct launch *l); /* NULL is fine */
};

/*
 * What start() itself lacks is never told as a command that was not found or may not be run: the
 * codes that mean this become EIO.
 */
static inline void launch_own_failure(struct error *e)
{
    if (e->code == ENOENT || e->code == EACCES || e->code == ENOEXEC)
        e->code = EIO;
}

/* Hands on the sealed plan and the filter (FD_NONE: none) as soon as they are known. */
void launch_ahead_tell(const struct launch_ahead *a, int plan, int filter);
/* Ends it, sees it off and zeroes it; of one that start() has taken nothing is left to end. */
void launch_ahead_end(struct launch_ahead *a);

/*
 * Undoes one journalled line of a launch whose monitor is gone. Idempotent; only what is provably ours.
 */
int launch_undo(const char *kind, const char *what, struct error *e);

#endif
