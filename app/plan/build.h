/* What the parts of plan_build() share. Nothing here opens, starts or prints anything. */
#ifndef COFFERDAM_APP_PLAN_BUILD_H
#define COFFERDAM_APP_PLAN_BUILD_H

#include "app/plan/plan.h"

/* All borrowed but the plan, which is the builder's until it is done. */
struct build {
    const struct settings *s;
    const struct plan_request *r;
    const struct plan_host *host;
    struct plan *p;
};

/* Usual flags: what a stranger's folder gets. */
enum { PLAN_MOUNT_TAME = PLAN_MOUNT_NOSUID | PLAN_MOUNT_NODEV };

/* Appends a step; copies of the strings. The pointer is good until the next one is added. */
struct plan_mount *build_step(struct build *b, enum plan_mount_kind kind, const char *source,
                              const char *target, unsigned flags);
void build_dir(struct build *b, const char *target, unsigned mode, unsigned flags);
void build_file(struct build *b, const char *target, const char *content, unsigned mode);
void build_tmpfs(struct build *b, const char *target, unsigned mode, uint64_t size, unsigned flags);

/*
 * A path as the workload sees it, made plain: no "//", no '/' at the end, no ".". NULL if it is not
 * absolute or holds "..". Owned by the caller.
 */
char *build_path_inside(const char *path);
/* As an image says one: "..", which cannot lead out, and what does not begin with "/" count from
 * it. */
char *build_path_of_image(const char *path);
/* A path of the host: absolute, "~…" or ".…" resolved. Owned by the caller; NULL with text. */
char *build_path_outside(const struct build *b, const char *path, struct error *e);

/* identity.c: who, id maps, home, environment. command.c: argv, cwd. */
int build_identity(struct build *b, struct error *e);
void build_environment(struct build *b);
int build_command(struct build *b, struct error *e);
/* isolation.c: namespaces, capabilities, locks, sysctls. limits.c: limits and rlimits. life.c. */
void build_isolation(struct build *b);
void build_limits(struct build *b);
void build_life(struct build *b);

/* stored_image.c: what an image of the store wants, over what has been built so far. */
bool build_is_stored(const char *image); /* a name in the store: not host, dir: or disk: */
int build_stored_identity(struct build *b, struct error *e);
void build_stored_command(struct build *b, char *const *argv);
int build_stored_life(struct build *b, struct error *e);
void build_stored_folders(struct build *b); /* behind the root's overlay */

/* The root: an image's own steps, then what every root has, then the user's wishes. */
void build_host_image(struct build *b);
/* `lower` under a layer for the changes as "/", and what stays writable above a read-only one; the
 * overlay's step. */
struct plan_mount *build_layered_root(struct build *b, const char *lower, unsigned flags);
void build_dir_image(struct build *b);
void build_stored_image(struct build *b);
void build_machine(struct build *b);      /* machine.c */
void build_machine_root(struct build *b); /* and after build_machine() */
/* whole.c: the same of a vm, after build_machine(); what it is said to run if it boots a disk */
int build_whole(struct build *b, struct error *e);
int build_more_disks(struct build *b, struct error *e); /* and what a microVM has of these */
void build_whole_command(struct build *b);
void build_identity_files(struct build *b); /* /etc/passwd, hosts, … ; before the overlay */
void build_identity_small(struct build *b); /* hosts, hostname, resolv.conf, machine-id alone */
void build_boot_id(struct build *b);        /* over the one of proc, which is the host's */
void build_proc(struct build *b);
void build_sys(struct build *b);
void build_dev(struct build *b);
int build_home(struct build *b, struct error *e);
int build_wishes(struct build *b, struct error *e);

/* What such a file says of the workload, owned by the caller; NULL: it says nothing of it. */
char *identity_text(const struct plan *p, const char *target);

#endif
