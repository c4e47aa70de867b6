/* Which ids of the host stand behind those inside: free ranges for root, and the writing of maps.
 */
#ifndef COFFERDAM_BACKENDS_ROOT_IDS_H
#define COFFERDAM_BACKENDS_ROOT_IDS_H

#include "app/plan/plan.h"
#include "backends/launch.h"

/*
 * Ranges we hand out as root: above what systemd uses, below its foreign range, to which the files
 * of images belong, and the signed half.
 */
enum { ROOT_IDS_FIRST = 0x70000000, ROOT_IDS_SIZE = 65536, ROOT_IDS_COUNT = 4094 };

struct root_ids {
    struct plan_id_map uid_map[4], gid_map[4]; /* with every `outside` filled in */
    size_t uid_map_count, gid_map_count;
    bool root_inside; /* uid 0 and gid 0 exist inside */
    bool many;        /* there is more than one id, so PID 1 has to be able to switch */
    int lock;         /* owned; the range's lock file, or FD_NONE */
    char lock_path[256];
};

/*
 * Fills in the maps; as root takes a range nobody has (a lock file in `system_runtime_dir`/ids,
 * journalled as "ids"). Refuses a map that would make anything inside the host's root.
 */
int root_ids_take(const struct plan *p, const struct launch_env *env, struct root_ids *ret,
                  struct error *e);
void root_ids_release(struct root_ids *ids); /* idempotent; zeroed is fine only after _init */
void root_ids_init(struct root_ids *ids);

/* Whether `inside` is mapped; its id on the host into `ret`, unless that is NULL. */
bool root_ids_outside(const struct plan_id_map *map, size_t count, uint32_t inside, uint32_t *ret);

/* Writes the maps of a child from outside: ourselves as root, or by newuidmap(1), newgidmap(1). */
int root_ids_write(const struct root_ids *ids, enum plan_map_by by, pid_t pid, struct error *e);

/* By the child for itself: one id each. */
int root_ids_write_own(const struct root_ids *ids, struct error *e);

#endif
