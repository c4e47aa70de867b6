/* Mounts on which files have other owners (idmapped): only root of the host can make them. */
#ifndef COFFERDAM_BACKENDS_ROOT_IDMAP_H
#define COFFERDAM_BACKENDS_ROOT_IDMAP_H

#include "app/plan/plan.h"

/*
 * A user namespace that only says which ids become which: `inside` of each map is the id in the
 * file system, `outside` the one it is shown as. A descriptor, or -errno with text.
 */
int root_idmap_namespace(const struct plan_id_map *uid, const struct plan_id_map *gid,
                         struct error *e);

/* Maps the detached tree and gives it the MOUNT_ATTR_… of `set`. 0 or -errno. */
int root_idmap_apply(int tree, int namespace, uint64_t set, bool recursive);

#endif
