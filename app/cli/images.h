/* The image store as verbs and launches open it. */
#ifndef COFFERDAM_APP_CLI_IMAGES_H
#define COFFERDAM_APP_CLI_IMAGES_H

#include "app/cli/verb.h"
#include "app/plan/plan.h"
#include "images/cache_prune.h"
#include "images/image.h"
#include "profiles/forms.h"

#include <jansson.h>

/* Whose unpacked layers are, for this person: `ranges` if workloads have all of their ids. */
struct image_owner images_owner(const struct plan_host *host, bool ranges);

/* The store of the person's data folder; without `make` a missing one is -ENOENT with text. */
int images_open(bool make, struct image_store **ret, struct error *e);

/* The work of unpacking with limits of the command line, and how far it is told. */
int images_work(const struct cli *c, struct image_work *ret, struct error *e);
void images_tell(void *data, const char *what, uint64_t done, uint64_t total); /* its progress */

/*
 * What the command line says of a new image: its name (the argument behind the path, or --name),
 * --ref, --platform. Points into `ret`, which images_wish_done() ends, also after an error.
 */
struct images_wish {
    char *name, *ref, *architecture, *variant; /* owned */
};
int images_wish(const struct cli *c, struct images_wish *ret, struct image_import *m,
                struct error *e);
void images_wish_done(struct images_wish *w);

/*
 * Disks, kernels, initramfs and filters that nobody needs any more, with figures on stderr and in
 * `*ret` (a JSON array of the caller's). A status.
 */
int images_prune_cache(struct cli *c, const struct image_store *s, bool dry, json_t **ret);
/* What is in the cache, nothing changed. 0 or -errno. */
int images_count_cache(struct cache_figures ret[CACHE_KINDS], struct error *e);
/* After something was put into the cache: above CACHE_MOST the oldest goes. */
void images_bound_cache(const struct dirs *d);

/* Names, one a line, or as the member `what`. Returns 0. */
int images_said(struct cli *c, const char *what, char *const *names);

/* Folders of layers that workloads and snapshots stand on; owned by the caller. */
char **images_in_use(void);

/*
 * The image of a launch, for plan_request. Opens the store and holds it: nothing of it goes away
 * before images_launch_done(). Unpacks layers that are missing for this kind of launch, saying so.
 * Whom it names as its user is not looked up where `user` says another. 1: there is no such image,
 * which is plan_check()'s to say.
 */
struct images_launch {
    struct image_store *store; /* owned */
    struct image image;        /* owned */
    struct image_user user;    /* owned */
    char **layers;             /* owned */
    struct plan_image facts;   /* points into the others */
};
int images_launch(const char *data, const char *name, const struct plan_host *host,
                  enum form_user user, struct images_launch *ret, struct error *e);
void images_launch_done(struct images_launch *l); /* zeroed is fine */

/* The verbs' bodies; each is the exit status. */
int images_list(struct cli *c, struct image_store *s);
int images_inspect(struct cli *c, struct image_store *s);
int images_history(struct cli *c, struct image_store *s);
int images_import(struct cli *c, struct image_store *s);
int images_pull(struct cli *c, struct image_store *s);
int images_export(struct cli *c, struct image_store *s);
int images_tag(struct cli *c, struct image_store *s);
int images_rm(struct cli *c, struct image_store *s);
int images_prune(struct cli *c, struct image_store *s);
int images_verify(struct cli *c, struct image_store *s);
/* verb_image_kernel.c: what machines boot from. Kernels are not of the store. */
int images_disk(struct cli *c, struct image_store *s);
int images_kernel(struct cli *c);

#endif
