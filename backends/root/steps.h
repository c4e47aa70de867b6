/* What the files that carry out mount steps share. */
#ifndef COFFERDAM_BACKENDS_ROOT_STEPS_H
#define COFFERDAM_BACKENDS_ROOT_STEPS_H

#include "backends/root/setup.h"
#include "backends/root/tree.h"

#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>

#define STEP_RESOLVE_STRICT \
    (RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS)
#define STEP_CLOSED (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* Options of a bounded tmpfs; `options` points into the struct, with room for two more. */
struct step_tmpfs {
    char size[40], inodes[40], mode[16];
    const char *options[6];
};
void step_tmpfs_options(struct step_tmpfs *t, uint64_t size, unsigned mode);

uint64_t step_disk(const struct plan *p); /* bytes the throw-away layer may hold */

/* The maker of things in the root; `m` NULL: what it makes belongs to PID 1. */
struct tree_maker step_maker(struct setup *s, const struct plan_mount *m);

/* Each replaces a file or link that is there, and nothing else. 0 or -errno. */
int step_make_symlink(const struct tree_maker *m, const char *path, const char *text);
int step_make_file(const struct tree_maker *m, const char *path, const char *content, mode_t mode);

/* Gives `name` below `dir` and all in it to uid:gid, never through a link. */
int step_own_tree(int dir, const char *name, uid_t uid, gid_t gid);

/* Finds out, for each step, which later overlay would hide it: it is done in that one's upper. */
void step_find_covers(struct setup *s);

/* Mounts an overlay, once what later steps need in its upper folder has been made there. */
int step_overlay(struct setup *s, const struct plan_mount *m, uint64_t attributes);
/* The two halves of that: a detached mount's descriptor; which is taken where it is the root's. */
int step_overlay_make(struct setup *s, const struct plan_mount *m, uint64_t attributes);
int step_overlay_attach(struct setup *s, const struct plan_mount *m, int *mount);

/* Whether much has to be made in the upper folder of the overlay that is step `overlay`. */
bool step_overlay_asks_much(const struct setup *s, int overlay);

#endif
