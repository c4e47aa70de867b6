/* What the files of this folder share. */
#ifndef COFFERDAM_BACKENDS_CGROUP_INTERNAL_H
#define COFFERDAM_BACKENDS_CGROUP_INTERNAL_H

#include "backends/cgroup/cgroup.h"
#include "base/fd.h"
#include "base/str.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP_HYBRID CGROUP_ROOT "/unified"

enum cgroup_v1_id {
    CGROUP_V1_MEMORY,
    CGROUP_V1_PIDS,
    CGROUP_V1_CPU,
    CGROUP_V1_CPUACCT,
    CGROUP_V1_BLKIO,
    CGROUP_V1_FREEZER,
    CGROUP_V1_DEVICES,
    CGROUP_V1_COUNT,
};
extern const char *const cgroup_v1_names[CGROUP_V1_COUNT];

/* Files read or written while the workload runs. */
enum cgroup_file {
    CGROUP_CPU_STAT,
    CGROUP_MEMORY_NOW,
    CGROUP_MEMORY_PEAK,
    CGROUP_MEMORY_EVENTS,
    CGROUP_PIDS_NOW,
    CGROUP_IO_STAT,
    CGROUP_CPU_PRESSURE,
    CGROUP_MEMORY_PRESSURE,
    CGROUP_IO_PRESSURE,
    CGROUP_FREEZE,
    CGROUP_EVENTS,
    CGROUP_KILL,
    CGROUP_MEMORY_MAX, /* the limits themselves, for cgroup_update() */
    CGROUP_MEMORY_HIGH,
    CGROUP_MEMORY_STAT,
    CGROUP_MEMSW_MAX,
    CGROUP_PIDS_MAX,
    CGROUP_CPU_MAX,
    CGROUP_IO_WEIGHT,
    CGROUP_FILE_COUNT,
};

/* One folder of ours. `made`: it is there and we have to remove it. */
struct cgroup_place {
    int parent; /* owned */
    int dir;    /* owned */
    int join;   /* owned; "tasks", v1 only */
    bool made;
    bool shared; /* the same hierarchy as an earlier one (cpu,cpuacct) */
};

struct cgroup {
    enum plan_cgroup mode;
    char name[64];          /* of the folder to be made: cofferdam-ID, or "workload" in a scope */
    struct cgroup_place v2; /* of a hybrid host too */
    bool v2_controllers;    /* the limits go there */
    struct cgroup_place v1[CGROUP_V1_COUNT];
    int file[CGROUP_FILE_COUNT]; /* owned; FD_NONE: not there, or not asked for yet */
    bool asked[CGROUP_FILE_COUNT];
    bool io_other;               /* CGROUP_IO_WEIGHT is the file that limits.c falls back to */
    char **shortfalls;           /* owned */

    int proc;  /* owned; mode NONE */
    pid_t pid; /* PID 1 of the workload; 0: not yet, or gone */
    uint64_t peak_memory, most_cpu_us;
};

/* Sets the limits in the folders made. `e` names the limit. */
int cgroup_limits_v2(struct cgroup *c, const struct plan_limits *l, struct error *e);
int cgroup_limits_v1(struct cgroup *c, const struct plan *p, struct error *e);

/* Microseconds of processor time in each period. */
enum { CGROUP_CPU_PERIOD_US = 100000 };
uint64_t cgroup_cpu_quota_us(unsigned cpu_milli);
/* v1 knows 10 to 1000; BFQ in v2's tree 1 to 1000. */
unsigned cgroup_v1_io_weight(unsigned weight);
unsigned cgroup_v2_bfq_weight(unsigned weight);
/* Where there is no io.weight, or no blkio.bfq.weight. */
#define CGROUP_V2_IO_OTHER "io.bfq.weight"
#define CGROUP_V1_IO_OTHER "blkio.weight"

/* Whether a kept file is of the v2 tree; the number in one, UINT64_MAX: none. */
bool cgroup_file_is_v2(const struct cgroup *c, enum cgroup_file f);
uint64_t cgroup_file_number(struct cgroup *c, enum cgroup_file f);
/* Bytes of files and of the kernel's caches that it can take back; 0: not known. */
uint64_t cgroup_reclaimable(struct cgroup *c);

/* A limit that cannot be set: an error, or a shortfall and 0. */
int cgroup_short(struct cgroup *c, const struct plan_limits *l, const char *limit, int r,
                 struct error *e);

/* Adds the missing of `wanted` to the parent's cgroup.subtree_control. 0 or the first -errno. */
int cgroup_enable(int parent, const char *const *wanted);
/* Whether a space-separated list as cgroup.controllers has it holds the word. */
bool cgroup_list_has(const char *list, const char *word);

/* Numbers from /proc for the process tree below `pid`. */
int cgroup_walk(int proc, pid_t pid, struct launch_sample *ret);

/* Whether `name` is one that only we give. */
bool cgroup_name_is_ours(const char *name);
/* Kills what is in the folder and removes it; a missing one is fine. */
int cgroup_remove(int parent, const char *name, bool kill_first);

#endif
